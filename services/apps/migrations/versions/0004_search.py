"""Search in names without reading every app: a trigram index.

PostgreSQL's extension pg_trgm does the same, but is not there wherever PostgreSQL is; an index over an array of texts
needs no extension. On SQLite a search reads the apps.
"""

from __future__ import annotations

from alembic import op

revision = "0004_search"
down_revision = "0003_upgrades"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION list_grams(value text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS"
        " $$ SELECT coalesce(array_agg(DISTINCT substr(value, n, 3)), '{}')"
        " FROM generate_series(1, length(value) - 2) AS n $$"
    )
    op.execute("CREATE INDEX apps_search ON apps USING gin (list_grams(lower(name || '\n' || hostname)))")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP INDEX apps_search")
        op.execute("DROP FUNCTION list_grams(text)")
