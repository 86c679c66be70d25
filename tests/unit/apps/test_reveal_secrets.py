"""RevealSecrets: values in clear, for the owner."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from services.common.core.errors import InvalidError
from tests.fakes.apps_service import Service, call


async def reveal(service: Service, app_id: str, *names: str, user: int = 1) -> Mapping[str, str]:
    request = pb.RevealSecretsRequest(app_id=app_id, names=names)
    return dict((await service.api.reveal_secrets(request, call(user))).values)


async def test_values_are_revealed_to_the_owner_and_to_nobody_else(service: Service) -> None:
    app = await service.deploy(environment={"URL": "https://me:hunter2@example.com"}, secret={"URL": False})
    assert await reveal(service, app.id, "PASSWORD", "URL") == {
        "PASSWORD": "s3cret'x", "URL": "https://me:hunter2@example.com"
    }  # fmt: skip
    with pytest.raises(AppNotFoundError):
        await reveal(service, app.id, "PASSWORD", user=2)
    with pytest.raises(InvalidError, match=r"names\[1\].*NO_SUCH.*it has: PASSWORD, URL"):
        await reveal(service, app.id, "URL", "NO_SUCH")


async def test_what_was_revealed_is_in_the_audit_log_by_name_and_not_to_be_stored(
    service: Service,
) -> None:
    app = await service.deploy()
    calling = call()
    await service.api.reveal_secrets(pb.RevealSecretsRequest(app_id=app.id, names=["PASSWORD"]), calling)
    assert calling.audit_target == f"{app.id}: PASSWORD"
    assert ("cache-control", "no-store") in calling.headers
