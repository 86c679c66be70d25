"""Operations that workers gave up, as nobody could end or undo them."""

from __future__ import annotations

from proximity.apps.v1 import app_pb2

from services.apps.store.tables import operation_tables
from tests.fakes.apps_service import Service


async def give_up(service: Service, app: app_pb2.App) -> str:
    """Let the operation under way on an app be given up, and return its id."""
    operation = await service.platform.store.find_unfinished(app.id)
    assert operation is not None
    table = operation_tables.operations
    query = table.update().where(table.c.id == operation.id).values(status="dead")
    await service.platform.database.write(lambda connection: connection.execute(query))
    return operation.id
