"""CancelOperation: an operation stops and is undone."""

from __future__ import annotations

from tests.fakes.apps_platform import Platform


async def test_an_operation_is_cancelled_and_undone(platform: Platform) -> None:
    app = await platform.deploy()
    operation = await platform.store.find_unfinished(app.id)
    assert operation is not None
    assert await platform.store.request_cancel(operation.id)
    await platform.run()
    assert (await platform.store.get_operation(operation.id)).status == "cancelled"
    assert platform.containers.containers == {}
