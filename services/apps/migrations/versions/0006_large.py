"""Indexes that keep pages and searches quick where one user has thousands of apps, or all names are alike.

A 6-gram index finds the few apps that a long text means, where trigrams find all that are called `web-…`.
"""

from __future__ import annotations

from alembic import op

revision = "0006_large"
down_revision = "0005_traces"
branch_labels = None
depends_on = None

_INDEX = "apps_of_owner_by_status"


def upgrade() -> None:
    op.create_index(_INDEX, "apps", ["owner_id", "status", "created_at", "id"])
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION list_grams(value text, size int) RETURNS text[]"
        " LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS"
        " $$ SELECT coalesce(array_agg(DISTINCT substr(value, n, size)), '{}')"
        " FROM generate_series(1, length(value) - size + 1) AS n $$"
    )
    op.execute(
        "CREATE INDEX apps_search_long ON apps USING gin (list_grams(lower(name || '\n' || hostname), 6))"
    )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP INDEX apps_search_long")
        op.execute("DROP FUNCTION list_grams(text, int)")
    op.drop_index(_INDEX, "apps")
