"""CheckRestoreBeside: why a new app made of a backup would be refused, in the words of RestoreBeside."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import HostnameTakenError, QuotaExceededError
from services.clients.auth.values import Quota
from services.common.core.errors import DomainError, InvalidError, UnavailableError
from tests.fakes.apps_service import Service, call, inner
from tests.fakes.removed_apps import remove_with_archive


async def compare(
    service: Service, refusal: type[DomainError], *, hostname: str = "back-1", **fields: Any
) -> list[str]:
    """Return the obstacles of a restore that is refused, which are in the words of its refusal."""
    internal = dataclasses.replace(service.internal, dependencies=service.api.dependencies)
    request = pb.RestoreBesideRequest(operation_id=uuid.uuid4().hex, new_hostname=hostname, **fields)
    caller = dataclasses.replace(inner(), caller=dataclasses.replace(inner().caller, user=call().user))
    found = list((await internal.check_restore_beside(request, caller)).obstacles)
    with pytest.raises(refusal) as caught:
        await internal.restore_beside(request, caller)
    assert caught.value.message in found
    return found


async def test_the_words_are_those_of_the_refusal(service: Service) -> None:
    app, archive = await remove_with_archive(service)
    backup: dict[str, Any] = {
        "source_app_id": app.id,
        "archive": archive,
        "host_id": 1,
        "owner_id": app.owner_id,
    }
    await service.deploy("back-1")
    (taken,) = await compare(service, HostnameTakenError, **backup)
    service.set_quota(Quota(apps=1))
    first, second = await compare(service, HostnameTakenError, **backup)
    assert (first, second.split(":")[0]) == (taken, "quota of apps")
    await compare(service, QuotaExceededError, hostname="back-2", **backup)
    service.platform.containers.failure["place_container"] = InvalidError("node: there is no node 'pve9'")
    assert await compare(service, InvalidError, **backup, node="pve9") == ["node: there is no node 'pve9'"]


async def test_what_is_possible_has_no_obstacles_and_is_not_recorded(service: Service) -> None:
    app, archive = await remove_with_archive(service)
    request = pb.RestoreBesideRequest(
        operation_id=uuid.uuid4().hex, source_app_id=app.id, archive=archive, new_hostname="back-1", host_id=1
    )
    before = await service.platform.store.list_all_apps()
    assert list((await service.internal.check_restore_beside(request, inner())).obstacles) == []
    assert await service.platform.store.list_all_apps() == before
    service.platform.containers.failure["place_container"] = UnavailableError("pve does not answer")
    request.node = "pve1"
    with pytest.raises(UnavailableError):
        await service.internal.check_restore_beside(request, inner())
