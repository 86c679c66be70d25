"""SECRET_KEY can be changed while the platform runs, and no sealed value is forgotten."""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.apps.store.rows import SEALED_COLUMNS
from services.apps.store.tables import SEALED as SEALED_BY_APPS
from services.auth.store.tables import SEALED as SEALED_BY_AUTH
from services.backups.store.tables import idempotency as answers_of_backups
from services.catalog.store.tables import idempotency as answers_of_catalog
from services.common.core.errors import SealBrokenError
from services.common.db.database import Database, create_engine
from services.common.db.migrations import reseal, upgrade
from services.common.identity.keys import Sealer, make_service_keys
from services.common.rpc.interceptors.idempotency import seal_column
from services.inventory.domain.entities import NewHost, Secrets
from services.inventory.store import SEALED as SEALED_BY_INVENTORY
from services.inventory.store import SqlHostStore, hosts
from services.registry import SERVICES as SERVICE_NAMES
from tests.pages import read_commands, run_commands

SERVICES = Path(__file__).parents[2] / "services"
OLD, NEW = "the-old-secret-of-32-characters!", "the-new-secret-of-32-characters!"
ALL_SEALED = (
    *SEALED_BY_APPS,
    *SEALED_BY_AUTH,
    *SEALED_BY_INVENTORY,
    seal_column(answers_of_backups),
    seal_column(answers_of_catalog),
)


def find_places(tree: ast.AST) -> Iterator[str]:
    """What the code seals: the beginning of every `place` that is given to `seal`, and of every function of places."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and len(node.values) >= 2:
            text = ast.unparse(node).removeprefix("f'").removesuffix("'")
            parts = text.split(".")
            if len(parts) == 3 and parts[2].startswith("{") and parts[0].isidentifier():
                yield ".".join(parts[:2])


def test_every_place_that_is_sealed_is_rotated() -> None:
    found: set[str] = set()
    for file in SERVICES.rglob("*.py"):
        text = file.read_text()
        if "sealer" in text.lower() and file.name not in {"resealing.py", "sealing.py"}:
            found |= set(find_places(ast.parse(text)))
    columns = {"{name}": ("password", "token_secret", "ssh_key"), "{column}": SEALED_COLUMNS}
    names = set(found)
    for variable, values in columns.items():
        names |= {place.replace(variable, value) for place in found for value in values if variable in place}
    names = {name for name in names if "{" not in name}
    rotated = {column.place for column in ALL_SEALED}
    assert names <= rotated, "sealed but not rotated"
    assert {"hosts.password", "apps.environment", "signing_keys.private", "idempotency.answer"} <= names


async def add_host(db: Database, sealer: Sealer, name: str) -> int:
    secrets = Secrets(password=f"password of {name}", token_secret="")
    return (await SqlHostStore(db, sealer).add_host(NewHost(name=name, host="192.0.2.1", secrets=secrets))).id


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/p.sqlite3"
    upgrade(url, "inventory")
    return url


async def test_values_are_sealed_anew_and_open_without_the_old_key(url: str) -> None:
    db = Database(create_engine(url, service="inventory"))
    ids = [await add_host(db, Sealer(OLD), f"h{number}") for number in range(205)]
    both = Sealer(NEW, previous=[OLD])
    ids.append(await add_host(db, both, "meanwhile"))
    done = await reseal(db, both, columns=SEALED_BY_INVENTORY)
    assert (done.count, done.broken) == (205, ())
    store = SqlHostStore(db, Sealer(NEW))
    assert [(await store.get_secrets(one)).password for one in ids[-2:]] == [
        "password of h204",
        "password of meanwhile",
    ]
    with pytest.raises(SealBrokenError):
        await SqlHostStore(db, Sealer(OLD)).get_secrets(ids[0])
    assert (await reseal(db, both, columns=SEALED_BY_INVENTORY)).count == 0
    await db.close()


async def test_a_value_that_does_not_open_is_named_and_left_alone(url: str) -> None:
    db = Database(create_engine(url, service="inventory"))
    host_id = await add_host(db, Sealer("a key that nobody has any more.."), "lost")
    done = await reseal(db, Sealer(NEW, previous=[OLD]), columns=SEALED_BY_INVENTORY)
    assert done.broken == (f"hosts.password.{host_id}",)
    await db.close()


def test_the_command_rotates_and_says_how_much(url: str, tmp_path: Path) -> None:
    """As the runbook says it, for one of the services."""
    asyncio.run(add_one(url))
    make_service_keys(tmp_path / "keys")
    [commands] = read_commands("docs/runbooks.md", by=__file__)
    assert f"in {' '.join(SERVICE_NAMES)};" in commands
    settings = {"DATABASE_URL": url, "SECRET_KEY": NEW, "PREVIOUS_SECRET_KEYS": OLD}
    said = run_commands(
        commands.replace(" ".join(SERVICE_NAMES), "inventory"),
        environment={**os.environ, **settings, "PROXIMITY_STATE_DIR": str(tmp_path)},
        timeout=90,
    )
    assert said == "1 values of inventory are sealed anew\n"
    engine = create_engine(url, service="inventory")
    with engine.connect() as connection:
        sealed = connection.execute(sa.select(hosts.c.password)).scalar_one()
    engine.dispose()
    assert Sealer(NEW).open(sealed, place="hosts.password.1") == "password of one"


async def add_one(url: str) -> None:
    db = Database(create_engine(url, service="inventory"))
    await add_host(db, Sealer(OLD), "one")
    await db.close()
