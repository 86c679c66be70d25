"""Environment of Alembic's commands, which write and revert migrations; services run theirs without it."""

from alembic import context

connection = context.config.attributes["connection"]
options = {"render_as_batch": connection.dialect.name == "sqlite"}
# `deploy.migration` compares, and sets more; a migration that runs compares nothing.
options |= context.config.attributes.get("options", {})
context.configure(connection=connection, transaction_per_migration=True, **options)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
