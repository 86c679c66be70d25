"""Alembic's environment for all services: runs on the connection that `services.common.db.migrations` opened."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, transaction_per_migration=True, render_as_batch=connection.dialect.name == "sqlite"
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
