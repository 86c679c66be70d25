"""Environment of Alembic: how its commands run the migrations of a service on a connection.

Not a module of the platform: Alembic runs it as a script. The caller passes `attributes["connection"]`, and in
`attributes["options"]` what `deploy.migration` compares besides.
"""

from alembic import context

connection = context.config.attributes["connection"]
options = {"render_as_batch": connection.dialect.name == "sqlite"}
options |= context.config.attributes.get("options", {})
context.configure(connection=connection, transaction_per_migration=True, **options)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
