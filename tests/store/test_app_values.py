"""Values over an app's life on both databases: set later, added, removed, secret or not, revealed, asked for by updates."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.domain.errors import NotAvailableError
from services.apps.store.tables import apps, metadata
from services.apps.usecases.stored_values import remove_stored_values, replace_values
from services.common.core.errors import InvalidError, NotFoundError, UnavailableError
from services.common.rpc.interceptors.authorization import RECENT_S, StepUpRequiredError
from tests.fakes.app_updates import deploy_running, list_kinds, update
from tests.fakes.apps_platform import platform  # noqa: F401 - a fixture
from tests.fakes.apps_service import Service, call, service  # noqa: F401 - fixtures
from tests.fakes.catalog import FakeCatalog
from tests.store.apps_db import db  # noqa: F401 - fixture

ENV_FILE = "/opt/proximity/.env"


async def get_app(service: Service, app_id: str) -> App:  # noqa: F811 - the fixture, as below
    return await service.platform.store.get_app(app_id)


async def test_a_variable_is_added_and_removed_while_the_app_lives(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    await update(service, app.id, environment={"SMTP_HOST": "mail.example.org"})
    await service.platform.run()
    after = await get_app(service, app.id)
    assert (after.status, after.environment["SMTP_HOST"]) == ("running", "mail.example.org")
    assert "SMTP_HOST='mail.example.org'" in service.platform.containers.files[9000, ENV_FILE]
    await update(service, app.id, unset=["SMTP_HOST"])
    await service.platform.run()
    assert "SMTP_HOST" not in (await get_app(service, app.id)).environment
    assert "SMTP_HOST" not in service.platform.containers.files[9000, ENV_FILE]


async def test_what_the_item_says_nothing_of_is_secret_until_its_owner_says_otherwise(
    service: Service,  # noqa: F811
) -> None:
    request = {"DATABASE_URL": "postgres://app:Zq8secretpw@db/app", "COLOR": "blue", "THEME": "dark"}
    app = await service.deploy(environment=request, secret={"COLOR": False})
    await service.platform.run()
    assert dict(app.environment) == {
        "DATABASE_URL": "********", "COLOR": "blue", "THEME": "dark", "PASSWORD": "********"
    }  # fmt: skip
    assert sorted(app.masked) == ["DATABASE_URL", "PASSWORD"]
    kinds = await list_kinds(service, app.id)
    shown = await update(service, app.id, secret={"COLOR": True, "DATABASE_URL": False})
    assert shown.environment["COLOR"] == "********"
    assert shown.environment["DATABASE_URL"] == "postgres://app:********@db/app"
    assert await list_kinds(service, app.id) == kinds  # nothing that the container has to follow
    again = await update(service, app.id, environment={"DATABASE_URL": "postgres://app:********@db/app"})
    assert again.status == "running"  # as it is shown, it stands for itself
    await update(service, app.id, environment={"THEME": "light"})
    await service.platform.run()
    assert "COLOR" in (await get_app(service, app.id)).secret_names  # what was said stays


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"secret": {"PASSWORD": False}}, "secret.PASSWORD"),
        ({"secret": {"NO_SUCH": True}}, "secret.NO_SUCH"),
        ({"unset": ["NO_SUCH"]}, "environment.NO_SUCH"),
        ({"unset": ["THEME"], "environment": {"THEME": "x"}}, "environment.THEME"),
        ({"environment": {"NEW": "********"}}, "environment.NEW"),
        ({"environment": {"URL": "https://me:********@other.example.org"}}, "environment.URL"),
    ],
    ids=str,
)
async def test_a_change_of_values_that_means_nothing_is_refused_by_name(
    service: Service,  # noqa: F811
    fields: dict[str, Any],
    named: str,
) -> None:
    app = await deploy_running(service)
    with pytest.raises(InvalidError, match=named):
        await update(service, app.id, **fields)


@pytest.mark.parametrize("value", ["********", "postgres://app:********@db/app"])
async def test_a_deployment_does_not_take_a_mask_for_a_value(service: Service, value: str) -> None:  # noqa: F811
    with pytest.raises(InvalidError, match=r"environment\.DATABASE_URL"):
        await service.deploy(environment={"DATABASE_URL": value})


@pytest.mark.parametrize("rpc", ["update_app", "upgrade_app"])
async def test_a_secret_value_is_shown_only_after_a_recent_sign_in(service: Service, rpc: str) -> None:  # noqa: F811
    app = await service.deploy(environment={"DB_PW": "hunter2"})
    await service.platform.run()
    service.platform.catalog.revisions = ["r1", "r2"]
    request = {"update_app": pb.UpdateAppRequest, "upgrade_app": pb.UpgradeAppRequest}[rpc]
    for environment in ({}, {"DB_PW": "********"}):
        late = call()
        signed_in = time.time() - RECENT_S - 1
        late.caller = dataclasses.replace(late.caller, session="s", authenticated_at=signed_in)
        with pytest.raises(StepUpRequiredError):
            await getattr(service.api, rpc)(
                request(app_id=app.id, environment=environment, secret={"DB_PW": False}), late
            )
        assert "DB_PW" in (await get_app(service, app.id)).secret_names
    recent = call()
    await getattr(service.api, rpc)(request(app_id=app.id, secret={"DB_PW": False}), recent)
    assert recent.audit_target == f"{app.id}: shows DB_PW"


async def test_no_value_is_in_a_table_in_clear(service: Service) -> None:  # noqa: F811
    values = {
        "DATABASE_URL": "postgres://app:Zq8secretpw@db/app",
        "DB_PW": "Zq8secretpw",
        "MOTTO": "Zq8-motto",
    }
    app = await service.deploy(environment=values)
    await service.platform.run()
    await update(service, app.id, environment={"DB_PW": "Zq8secretpw-2"})
    await service.platform.run()

    def fn(connection: sa.Connection) -> str:
        return "".join(str(connection.execute(sa.select(table)).all()) for table in metadata.sorted_tables)

    assert "Zq8" not in await service.platform.database.read(fn)


async def test_first_credentials_name_their_values_and_show_none(service: Service) -> None:  # noqa: F811
    app = await service.deploy()
    assert app.credentials == app_pb2.AppCredentials(
        username="admin", password="********", change="In the app.", names=["PASSWORD"]
    )


async def test_an_adopted_app_has_no_values_to_change(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    adopted = apps.update().where(apps.c.id == app.id).values(adopted=True)
    await service.platform.database.write(lambda connection: connection.execute(adopted))
    with pytest.raises(NotAvailableError, match="adopted"):
        await update(service, app.id, unset=["THEME"])


async def store_as_before(service: Service, app_id: str) -> None:  # noqa: F811
    """Give an app the record that the release before wrote: values in the definition, secrets by name."""
    app = await get_app(service, app_id)
    compose = {
        "name": "web-01",
        "services": {
            "web": {
                "image": "adminer:r1",
                "command": ["--url", "https://blog.example.org/?a=$$b"],
                "environment": {"THEME": "dark", "DB": "${PASSWORD}", "MAIL_URL": "smtp://u:Zq8secretpw@m"},
                "ports": ["8100:8080"],
            }
        },
    }
    record = replace(app.rendering, without_values="", credentials=None, compose=yaml.safe_dump(compose))
    values = {"rendering": record, "secret_names": ["PASSWORD"]}
    assert await service.platform.store.replace_record(app, values)


async def test_values_that_an_earlier_release_stored_are_sealed(service: Service) -> None:  # noqa: F811
    environment = {
        "THEME": "dark",
        "MAIL_URL": "smtp://u:Zq8secretpw@m",
        "URL": "https://blog.example.org/?a=$b",
    }
    app = await service.deploy(environment=environment)
    await service.platform.run()
    await store_as_before(service, app.id)
    store, catalog = service.platform.store, service.platform.catalog
    assert await remove_stored_values(store, catalog) == 1
    after = await get_app(service, app.id)
    web = yaml.safe_load(after.rendering.compose)["services"]["web"]
    assert web["environment"] == {"THEME": "${THEME}", "DB": "${PASSWORD}", "MAIL_URL": "${MAIL_URL}"}
    assert (web["command"], web["image"], web["ports"]) == (["--url", "${URL}"], "adminer:r1", ["8100:8080"])
    assert set(after.secret_names) == {"PASSWORD", "MAIL_URL", "URL"}
    assert after.environment == {**environment, "PASSWORD": "s3cret'x"}
    assert await remove_stored_values(store, catalog) == 0


async def test_where_the_catalog_knows_a_revision_no_more_everything_is_secret(
    service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = await deploy_running(service)
    await store_as_before(service, app.id)

    class Gone(FakeCatalog):
        error: type[NotFoundError | UnavailableError] = UnavailableError

        async def render_item(self, *_: Any, **__: Any) -> Any:
            raise self.error("the catalog has no such thing")

    catalog = Gone()
    with pytest.raises(UnavailableError):
        await remove_stored_values(service.platform.store, catalog)
    assert (await get_app(service, app.id)).secret_names == ("PASSWORD",)
    catalog.error = NotFoundError
    assert await remove_stored_values(service.platform.store, catalog) == 1
    assert set((await get_app(service, app.id)).secret_names) == {"PASSWORD", "THEME"}


def test_references_take_the_place_of_values_and_of_nothing_else() -> None:
    values = {"A": "image", "LONG": "a long value", "PRICE": "5$", "EMPTY": "", "NAME": "LONG"}
    compose = {
        "services": {
            "image": {
                "image": "image",
                "environment": ["PRICE=5$$", "OTHER=x a long value y ${LONG} $${HOME}"],
                "labels": {"a": "image", "b": "imagery"},
            }
        }
    }
    read = yaml.safe_load(replace_values(yaml.safe_dump(compose), values))["services"]["image"]
    assert read["image"] == "image"
    assert read["environment"] == ["PRICE=${PRICE}", "OTHER=x ${LONG} y ${LONG} $${HOME}"]
    assert read["labels"] == {"a": "${A}", "b": "imagery"}
