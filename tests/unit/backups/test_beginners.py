"""One request begins an operation that is recorded: what another one finds meanwhile it neither begins nor withdraws."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from services.backups.domain.errors import OperationBeginningError
from services.backups.store.tables import backups, operations
from services.backups.usecases.scheduled_backups import start_due_backups
from services.backups.usecases.second_storages import start_due_copies
from services.clients.apps.errors import AppBusyError
from services.common.core.errors import DomainError, UnavailableError
from tests.unit.backups.platform import Platform, call_of
from tests.unit.backups.policy_clock import age_policies, find_slot

WAIT_S = 60.0
Look = Callable[[], Awaitable[int]]


class Gate:
    """Holds the first of some calls up until it is opened.

    Args:
        function: what is called; every call but the first goes on at once.
        refusal: the end of the first call; None: that of the function.
    """

    def __init__(
        self, function: Callable[..., Awaitable[Any]], *, refusal: DomainError | None = None
    ) -> None:
        self.opened = asyncio.Event()
        self._reached = asyncio.Event()
        self._function = function
        self._refusal = refusal

    async def reached(self) -> None:
        """Wait for the first call."""
        await asyncio.wait_for(self._reached.wait(), WAIT_S)

    async def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self._reached.is_set():
            return await self._function(*arguments, **options)
        self._reached.set()
        await asyncio.wait_for(self.opened.wait(), WAIT_S)
        if self._refusal is not None:
            raise self._refusal
        return await self._function(*arguments, **options)


def hold_beginning(platform: Platform, monkeypatch: pytest.MonkeyPatch, *, refused: bool) -> Gate:
    """Hold up the first operation that apps is to lock an app for."""
    refusal = AppBusyError("the app is restarted") if refused else None
    gate = Gate(platform.apps.begin_operation, refusal=refusal)
    monkeypatch.setattr(platform.apps, "begin_operation", gate)
    return gate


async def look_twice(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, look: Look, *, refused: bool
) -> int:
    """Look twice at once, and return how many began: the later look records what the earlier one found due as well, and
    the earlier one goes on before apps has answered."""
    listing = Gate(platform.containers.list_running_backups)
    monkeypatch.setattr(platform.containers, "list_running_backups", listing)
    earlier = asyncio.ensure_future(look())
    await listing.reached()  # it knows already which nodes are busy
    beginning = hold_beginning(platform, monkeypatch, refused=refused)
    later = asyncio.ensure_future(look())
    await beginning.reached()
    listing.opened.set()
    began = await asyncio.wait_for(earlier, WAIT_S)
    beginning.opened.set()
    return began + await asyncio.wait_for(later, WAIT_S)


async def find_last_slot(platform: Platform) -> object:
    [run] = (await platform.dependencies.policies.list_runs()).values()
    return run.last_slot


@pytest.mark.parametrize("refused", [False, True])
async def test_of_two_looks_at_once_one_begins_a_run(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    slot = find_slot(policy)

    async def look() -> int:
        return await start_due_backups(platform.dependencies, now=slot)

    began = await look_twice(platform, monkeypatch, look, refused=refused)
    counts = await platform.count(backups), await platform.count(operations), len(platform.apps.locks)
    if refused:
        assert (began, await find_last_slot(platform), counts) == (0, None, (0, 0, 0))
        began = await start_due_backups(platform.dependencies, now=slot + timedelta(minutes=1))
    else:
        assert counts == (1, 1, 1)
    assert (began, await find_last_slot(platform)) == (1, slot)
    assert await platform.run_all() == 1
    [backup] = (await platform.list_backups()).backups
    assert (backup.status, backup.policy_id, platform.apps.locks) == ("completed", policy.id, {})


@pytest.mark.parametrize("refused", [False, True])
async def test_of_two_looks_at_once_one_begins_a_copy(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    policy = await platform.add_policy(storage="local", second_storage="nas")
    await age_policies(platform)
    slot = find_slot(policy)
    assert await start_due_backups(platform.dependencies, now=slot) == 1
    await platform.run_all()

    async def look() -> int:
        return await start_due_copies(platform.dependencies, now=slot)

    began = await look_twice(platform, monkeypatch, look, refused=refused)
    assert (began, await platform.count(backups)) == ((0, 1) if refused else (1, 2))
    assert await start_due_copies(platform.dependencies, now=slot) == (1 if refused else 0)
    assert await platform.run_all() == 1
    assert [one.status for one in (await platform.list_backups()).backups] == ["completed", "completed"]
    assert platform.apps.locks == {}


@pytest.mark.parametrize("refused", [False, True])
async def test_a_repeated_request_is_busy_while_the_first_one_begins(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    call = call_of()
    beginning = hold_beginning(platform, monkeypatch, refused=refused)
    first = asyncio.ensure_future(platform.create(call))
    await beginning.reached()
    with pytest.raises(OperationBeginningError, match=call.request_id):
        await platform.create(call)
    beginning.opened.set()
    if refused:
        with pytest.raises(AppBusyError, match="restarted"):
            await asyncio.wait_for(first, WAIT_S)
        assert (await platform.count(backups), await platform.count(operations)) == (0, 0)
        await platform.create(call)
    else:
        assert await asyncio.wait_for(first, WAIT_S) == await platform.create(call)
    assert await platform.run_all() == 1
    assert (platform.apps.locks, len(platform.containers.archives)) == ({}, 1)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("is_beside", [False, True])
async def test_a_repeated_restore_is_busy_while_the_first_one_begins(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, refused: bool, is_beside: bool
) -> None:
    backup_id, call = await platform.make_completed(), call_of()
    restore = platform.restore_beside if is_beside else platform.restore
    name = "restore_beside" if is_beside else "begin_operation"
    refusal = AppBusyError("the app is restarted") if refused else None
    beginning = Gate(getattr(platform.apps, name), refusal=refusal)
    monkeypatch.setattr(platform.apps, name, beginning)
    first = asyncio.ensure_future(restore(backup_id, call))
    await beginning.reached()
    with pytest.raises(OperationBeginningError, match=call.request_id):
        await restore(backup_id, call)
    beginning.opened.set()
    if refused:
        with pytest.raises(AppBusyError, match="restarted"):
            await asyncio.wait_for(first, WAIT_S)
        assert (await platform.get(backup_id)).status == "completed"
    else:
        assert await asyncio.wait_for(first, WAIT_S) == await restore(backup_id, call)
        assert (await platform.get(backup_id)).status == "restoring"


async def test_a_request_that_begins_for_too_long_withdraws_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its beginner the operation is due, and belongs to the worker that takes it next."""
    call = call_of()
    beginning = hold_beginning(platform, monkeypatch, refused=True)
    first = asyncio.ensure_future(platform.create(call))
    await beginning.reached()
    await platform.make_due()
    backup_id = await platform.create(call)
    beginning.opened.set()
    with pytest.raises(AppBusyError, match="restarted"):
        await asyncio.wait_for(first, WAIT_S)
    assert await platform.run_all() == 1
    assert (await platform.get(backup_id)).status == "completed"


async def test_a_worker_begins_at_once_what_apps_may_have_begun(platform: Platform) -> None:
    call = call_of()
    platform.apps.is_answer_lost = True
    with pytest.raises(UnavailableError):
        await platform.create(call)
    backup_id = await platform.create(call)
    assert await platform.run_all() == 1
    assert (await platform.get(backup_id)).status == "completed"
    assert (platform.apps.locks, len(platform.containers.archives)) == ({}, 1)
