"""Accounts as apps and backups see them: the fake and the real service behave the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.domain.entities import AccountQuota, NewAccount
from services.clients.auth.client import GrpcUsers
from services.clients.auth.interface import Users
from services.clients.auth.lookup import has_user
from services.clients.auth.values import Quota, UserFacts
from services.common.core.errors import NotFoundError
from tests.contract.clients.wire import serve
from tests.databases import copy_sqlite
from tests.fakes.auth import FakeUsers
from tests.fakes.auth_server import make_settings, run

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["AuthInternalService"]
QUOTA = Quota(apps=3, memory=0)
UNKNOWN = 99


@dataclass
class Backend:
    """A client, and the ids of an administrator and of a user with the quota `QUOTA`."""

    users: Users
    admin: int
    user: int


def make_fake() -> Backend:
    fake = FakeUsers(1, 2)
    fake.staff = {1}
    fake.quotas = {2: QUOTA}
    return Backend(fake, 1, 2)


@pytest.fixture(params=["fake", "real"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param == "fake":
        yield make_fake()
        return
    copy_sqlite("auth", tmp_path)
    async with (
        run(make_settings(tmp_path)) as auth,
        serve(tmp_path / "wire", DESCRIPTOR, auth.auth.internal, callers=["apps"]) as clients,
    ):
        accounts = auth.auth.stores.accounts
        admin = await accounts.add_account(
            NewAccount(username="root", email="", password_hash="!", is_staff=True)
        )
        quota = AccountQuota(apps=QUOTA.apps, memory=QUOTA.memory)
        user = await accounts.add_account(
            NewAccount(username="olga", email="", password_hash="!", is_staff=False, quota=quota)
        )
        yield Backend(GrpcUsers(clients["apps"]), admin.id, user.id)


async def test_an_account_has_its_role_and_its_quota(backend: Backend) -> None:
    assert await backend.users.find_user(backend.admin) == UserFacts(
        backend.admin, is_staff=True, quota=Quota()
    )
    assert await backend.users.find_user(backend.user) == UserFacts(backend.user, is_staff=False, quota=QUOTA)


async def test_an_unknown_account_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFoundError, match=str(UNKNOWN)):
        await backend.users.find_user(UNKNOWN)
    assert not await has_user(backend.users, UNKNOWN)
    assert await has_user(backend.users, backend.user)
