"""The tables of auth."""

from __future__ import annotations

import sqlalchemy as sa

from services.auth.domain.names import LONGEST_NAME
from services.clients.auth.values import DEFAULT_THEME
from services.common.db.database import UtcDateTime
from services.common.db.migrations import SealedColumn
from services.common.messaging.outbox import define_tables
from services.common.messaging.schedule import define_table as define_schedules
from services.common.rpc.interceptors import idempotency as common_idempotency
from services.common.rpc.interceptors.idempotency import seal_column

metadata = sa.MetaData()
outbox, inbox = define_tables(metadata)
idempotency = common_idempotency.define_table(metadata)
schedules = define_schedules(metadata)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("username", sa.String(150), nullable=False),
    # The unique forms of name and address: folded, without compatibility forms; see `normalize_name`.
    sa.Column("username_key", sa.String(LONGEST_NAME), nullable=False, unique=True),
    # Equal for names that look alike; null in rows of imports until the next registration.
    sa.Column("username_skeleton", sa.String(LONGEST_NAME), index=True),
    sa.Column("email", sa.String(254), nullable=False, server_default=""),
    sa.Column("email_key", sa.String(LONGEST_NAME), unique=True),
    # Argon2id, PBKDF2 of an imported Django user, or `!` where there is no password.
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("first_name", sa.String(150), nullable=False, server_default=""),
    sa.Column("last_name", sa.String(150), nullable=False, server_default=""),
    sa.Column("avatar", sa.String(2000), nullable=False, server_default=""),
    sa.Column("bio", sa.String(500), nullable=False, server_default=""),
    sa.Column("preferred_theme", sa.String(50), nullable=False, server_default=DEFAULT_THEME),
    sa.Column("is_staff", sa.Boolean, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("date_joined", UtcDateTime, nullable=False),
    sa.Column("last_login", UtcDateTime),
    # Epoch seconds; access tokens issued up to it are revoked.
    sa.Column("valid_after", sa.Float, nullable=False, server_default="0"),
    # Null is the default of the platform. Memory in MB, disk in GB.
    sa.Column("quota_apps", sa.Integer),
    sa.Column("quota_memory", sa.Integer),
    sa.Column("quota_cores", sa.Integer),
    sa.Column("quota_disk", sa.Integer),
    sa.Column("notice", sa.String(500), nullable=False, server_default=""),
    sqlite_autoincrement=True,  # the id of a deleted user is not given to another
)
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("family", sa.String(32), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("address", sa.String(100), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    # Ended sessions are neither listed nor continued; their rows are pruned when they expire.
    sa.Column("ended_at", UtcDateTime),
    # Null in sessions of releases before step-up, which were authenticated when they began.
    sa.Column("authenticated_at", UtcDateTime),
    sa.Column("amr", sa.String(60), nullable=False, server_default="pwd"),
    sa.Column("user_agent", sa.String(200), nullable=False, server_default=""),
    sa.Column("last_used_at", UtcDateTime),
)
refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("family", sa.ForeignKey("sessions.family", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    # A used token stays, so that its second use is recognized and ends the family.
    sa.Column("used_at", UtcDateTime),
    # The successor itself, for a repetition of the exchange; deleted when none can come any more.
    sa.Column("sealed_successor", sa.Text),
)
api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("scopes", sa.String(30), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("last_used_at", UtcDateTime),
    # The token that created it. Not a foreign key: the store deletes descendants and revokes each.
    sa.Column("parent_id", sa.Integer),
    sa.UniqueConstraint("user_id", "name", name="uq_api_tokens_user_name"),
    sqlite_autoincrement=True,  # a revocation names the id of a deleted token
)
one_time_links = sa.Table(
    "one_time_links",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("is_staff", sa.Boolean, nullable=False),
    # In words; the links of an administrator are found by it when the role is lost.
    sa.Column("issued_by", sa.String(200), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("tally", sa.Integer, nullable=False),
    sa.Column("last_at", UtcDateTime, nullable=False),
    sa.Column("blocked_until", UtcDateTime, nullable=False, index=True),
)
revocations = sa.Table(
    "revocations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(100), nullable=False),
    # Epoch seconds; credentials issued up to it are refused.
    sa.Column("cutoff", sa.Float, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    # Null until the revocation is in NATS.
    sa.Column("published_at", UtcDateTime, index=True),
    sqlite_autoincrement=True,
)
signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("kid", sa.String(43), primary_key=True),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("sealed_private", sa.Text, nullable=False),
    sa.Column("signs_from", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
)
SEALED = (
    seal_column(idempotency),
    SealedColumn(refresh_tokens.c.sealed_successor, "refresh_tokens.successor"),
    SealedColumn(signing_keys.c.sealed_private, "signing_keys.private"),
)
audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    # A report that is delivered again has the same id and is ignored.
    sa.Column("message_id", sa.String(100), nullable=False, unique=True),
    sa.Column("timestamp", UtcDateTime, nullable=False),
    sa.Column("user_id", sa.Integer),
    sa.Column("username", sa.String(150), nullable=False),
    sa.Column("action", sa.String(100), nullable=False),
    sa.Column("target", sa.String(500), nullable=False),
    sa.Column("address", sa.String(100), nullable=False),
    sa.Column("outcome", sa.String(40), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_entries_username", "username", "id"),
    sa.Index("ix_audit_entries_action", "action", "id"),
)
# Two rows: the last entry of the chain, and the last entry that was pruned.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
