"""Policies of users, their limits, apps selected by owner or newness, jitter, restore tests and a second storage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0012_policy_scope"
down_revision = "0011_policies"
branch_labels = None
depends_on = None

_NAMING = {"uq": "%(table_name)s_%(column_0_name)s_key"}  # as PostgreSQL names what has no name


def upgrade() -> None:
    with op.batch_alter_table(
        "policies", naming_convention=_NAMING, table_kwargs={"sqlite_autoincrement": True}
    ) as batch:
        batch.add_column(sa.Column("owner_id", sa.Integer, nullable=False, server_default="0"))
        batch.add_column(sa.Column("applies_to", sa.String(20), nullable=False, server_default="apps"))
        batch.add_column(sa.Column("owner_ids", sa.JSON))
        batch.add_column(sa.Column("excluded_app_ids", sa.JSON))
        batch.add_column(sa.Column("new_apps_since", UtcDateTime))
        batch.add_column(sa.Column("jitter_minutes", sa.Integer, nullable=False, server_default="0"))
        batch.add_column(sa.Column("test_restore", sa.String(20), nullable=False, server_default="never"))
        batch.add_column(sa.Column("second_storage", sa.String(100), nullable=False, server_default=""))
        batch.drop_constraint("policies_name_key", type_="unique")
        batch.create_unique_constraint("policies_owner_id_name_key", ["owner_id", "name"])
    op.add_column("policy_runs", sa.Column("waiting_for", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "policy_limits",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("allowed", sa.Boolean, nullable=False),
        sa.Column("max_policies", sa.Integer, nullable=False),
        sa.Column("min_interval_minutes", sa.Integer, nullable=False),
        sa.Column("max_kept", sa.Integer, nullable=False),
        sa.Column("storages", sa.JSON, nullable=False),
    )
    op.create_index("backups_of_policy", "backups", ["policy_id", "app_id", "id"])


def downgrade() -> None:
    op.drop_index("backups_of_policy", "backups")
    op.drop_table("policy_limits")
    op.drop_column("policy_runs", "waiting_for")
    # Policies of users are not known before: they would apply to apps of others.
    op.execute("DELETE FROM policies WHERE owner_id <> 0 OR applies_to <> 'apps'")
    with op.batch_alter_table("policies", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint("policies_owner_id_name_key", type_="unique")
        for name in (
            "second_storage", "test_restore", "jitter_minutes", "new_apps_since", "excluded_app_ids", "owner_ids",
            "applies_to", "owner_id",
        ):  # fmt: skip
            batch.drop_column(name)
        batch.create_unique_constraint("policies_name_key", ["name"])
