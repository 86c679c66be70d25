"""Operations of backups that workers carry out, for blows that strike in the middle of one."""

from __future__ import annotations

import sqlalchemy as sa

from services.backups.store.tables import backups, operations
from services.common.db.database import Database
from services.common.db.transactions import DatabaseUnavailableError

Found = tuple[str, int]


class Prey:
    """Finds operations that are under way, each once for each purpose.

    Args:
        db: of backups, not through a link.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._found: set[tuple[str, str]] = set()

    async def find(self, kind: str, purpose: str) -> Found | None:
        """Return an operation on a backup that a policy made, and the process of its worker; None: there is none now."""
        try:
            return await self._db.read(lambda connection: self._find(connection, kind, purpose=purpose))
        except (DatabaseUnavailableError, sa.exc.SQLAlchemyError):
            return None  # the database is struck as well

    def _find(self, connection: sa.Connection, kind: str, *, purpose: str) -> Found | None:
        table = operations.c
        query = sa.select(table.id, table.worker, table.state).where(
            table.kind == kind, table.finished_at.is_(None), table.lease_until.is_not(None)
        )
        for row in connection.execute(query).all():
            policy = sa.select(backups.c.policy_id).where(backups.c.id == int(row.state["backup_id"]))
            if (row.id, purpose) not in self._found and connection.execute(policy).scalar() is not None:
                self._found.add((row.id, purpose))
                return str(row.id), int(row.worker.rsplit("-", 1)[1])
        return None
