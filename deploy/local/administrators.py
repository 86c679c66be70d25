"""The administrators of a local stack, as its database has them: imports and people change who they are."""

from __future__ import annotations

import sqlalchemy as sa

from deploy.local.settings import LocalSettings
from services.auth.domain.names import normalize_name
from services.auth.store.tables import users
from services.common.db.database import create_engine

_SHOWN = 3  # names on the terminal; a platform with more administrators has one who knows them


def list_administrators(settings: LocalSettings) -> list[str]:
    """Return the names of the active administrators, oldest account first; empty when the database does not answer."""
    url = settings.database_url or f"sqlite:///{settings.state}/db/proximity.sqlite3"
    engine = create_engine(url, service="auth", pool_size=1)
    query = sa.select(users.c.username).where(users.c.is_staff, users.c.is_active).order_by(users.c.id)
    try:
        with engine.connect() as connection:
            return list(connection.execute(query.limit(_SHOWN + 1)).scalars())
    except sa.exc.SQLAlchemyError:
        return []  # the services report what is wrong with it
    finally:
        engine.dispose()


def name_others(names: list[str], expected: str) -> str:
    """Return the administrators to name instead of the expected one; empty where that one is among them."""
    if not names or normalize_name(expected) in {normalize_name(name) for name in names}:
        return ""
    return ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
