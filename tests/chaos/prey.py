"""Operations of backups that workers carry out, for blows that strike in the middle of one."""

from __future__ import annotations

import sqlalchemy as sa

from services.backups.store.tables import backups, operations
from services.common.db.database import create_engine


class Prey:
    """Finds operations that are under way, each once for each purpose.

    Args:
        url: of the database, not through a link.
    """

    def __init__(self, url: str) -> None:
        # A cancelled task leaves the thread of its `find` running, whose connection nobody would close in a pool.
        self._engine = sa.create_engine(create_engine(url, service="backups").url, poolclass=sa.NullPool)
        self._found: set[tuple[str, str]] = set()

    def find(self, kind: str, purpose: str) -> tuple[str, int] | None:
        """Return an operation on a backup that a policy made, and the process of its worker; None: there is none now."""
        table = operations.c
        query = sa.select(table.id, table.worker, table.state).where(
            table.kind == kind, table.finished_at.is_(None), table.lease_until.is_not(None)
        )
        try:
            with self._engine.connect() as connection:
                for row in connection.execute(query).all():
                    backup_id = int(row.state["backup_id"])
                    policy = sa.select(backups.c.policy_id).where(backups.c.id == backup_id)
                    if (row.id, purpose) not in self._found and connection.execute(
                        policy
                    ).scalar() is not None:
                        self._found.add((row.id, purpose))
                        return str(row.id), int(row.worker.rsplit("-", 1)[1])
        except sa.exc.SQLAlchemyError:
            return None  # the database is struck as well
        return None
