"""The fast reads of apps on both databases: pages, totals, search, and that what is kept is never old."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import AddLog, ChangeApp, RemoveApp
from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import AppNotFoundError
from services.apps.handlers.app_renderer import AppRenderer
from services.apps.store import SqlAppStore
from services.apps.store.lookups import _page_query
from services.apps.store.tables import apps
from services.apps.store.totals import Totals
from services.apps.usecases.apps import list_app_logs, list_apps
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.apps.usecases.container_metrics import ContainerMetrics
from services.common.db.database import Database
from services.common.db.queries import Query
from services.common.identity.keys import Sealer
from tests.bench.seeding import Seeder, app_id_of, insert_rows
from tests.fakes.catalog import FakeCatalog
from tests.fakes.containers import FakeContainers
from tests.store.apps_db import db  # noqa: F401 - fixture

SECRET = "k" * 40
COUNT = 1100


@pytest.fixture
async def store(db: Database) -> SqlAppStore:  # noqa: F811 - a fixture
    seeder = Seeder(str(db.engine.url), SECRET)
    rows = [seeder._app(number, [7, 8], 1) for number in range(COUNT)]
    await db.write(lambda connection: insert_rows(connection, apps, rows))
    return SqlAppStore(db, Sealer(SECRET))


@pytest.fixture
def renderer(store: SqlAppStore) -> AppRenderer:
    return AppRenderer(store, CatalogUpdates(FakeCatalog()))


async def test_a_lost_connection_is_made_anew(store: SqlAppStore, db: Database) -> None:  # noqa: F811 - a fixture
    assert (await store.get_stamp(app_id_of(1), owner=None)).node == "pve"
    await db._reader.close()
    assert (await store.get_stamp(app_id_of(1), owner=None)).node == "pve"


async def page(renderer: AppRenderer, wanted: AppFilter, number: int = 1) -> pb.ListAppsResponse:
    metrics = ContainerMetrics(FakeContainers())
    found = await list_apps(
        renderer.store, metrics, wanted=wanted, owner_filter=None, page=number, per_page=100
    )
    return (await renderer.list_apps(found)).message


async def test_every_page_shows_each_app_once_newest_first(renderer: AppRenderer) -> None:
    pages = [await page(renderer, AppFilter(), number) for number in range(1, 13)]
    shown = [app.id for each in pages for app in each.apps]
    assert shown == [app_id_of(number) for number in reversed(range(COUNT))]
    assert {each.total for each in pages} == {COUNT}


async def test_filters_count_what_they_show(renderer: AppRenderer) -> None:
    own = await page(renderer, AppFilter(owner_id=7, status="stopped"), 2)
    assert (own.total, len(own.apps)) == (COUNT // 10, COUNT // 10 - 100)
    assert {(app.owner_id, app.status) for app in own.apps} == {(7, "stopped")}
    assert (await page(renderer, AppFilter(owner_id=7), 50)).total == COUNT // 2
    assert (await page(renderer, AppFilter(host_id=2))).total == 0


async def test_search_takes_every_sign_as_it_is(renderer: AppRenderer) -> None:
    assert (await page(renderer, AppFilter(search="WEB-00012"))).total == 10
    assert (await page(renderer, AppFilter(search="App 1099"))).total == 1
    for some, count in (("b-", COUNT), ("9", 290), ("00109", 11)):  # also what is too short for an index
        assert (await page(renderer, AppFilter(search=some))).total == count
    for nothing in ("web_0", "%", "/", "1\n2"):
        assert (await page(renderer, AppFilter(search=nothing))).total == 0


@pytest.mark.parametrize("name", ["Ä", "Öl", "ÄRGER", "Ärgerliches Öl"])
async def test_names_beyond_ascii_are_found_as_they_are_written(
    store: SqlAppStore, renderer: AppRenderer, name: str
) -> None:
    await store.change(ChangeApp(app_id_of(5), {"name": name}))
    assert [app.id for app in (await page(renderer, AppFilter(search=name))).apps] == [app_id_of(5)]


@pytest.mark.parametrize("search", ["größe äöü", "GRÖSSE", "ÄÖÜ", "äö"])
async def test_names_beyond_ascii_are_found_in_any_case(
    store: SqlAppStore, renderer: AppRenderer, search: str
) -> None:
    name = "GRÖSSE Äöü" if search == "GRÖSSE" else "Größe ÄÖÜ"
    await store.change(ChangeApp(app_id_of(5), {"name": name}))
    assert [app.id for app in (await page(renderer, AppFilter(search=search))).apps] == [app_id_of(5)]


async def test_a_part_of_a_greek_name_is_found_whatever_stands_behind_it(
    store: SqlAppStore, renderer: AppRenderer
) -> None:
    """A sigma at the end of what was typed has another lower form than one inside the name."""
    await store.change(ChangeApp(app_id_of(5), {"name": "ΣΟΦΟΣΑ"}))
    for search in ("ΣΟΦΟΣ", "σοφοσ", "ΣΟΦΟΣΑ"):
        assert [app.id for app in (await page(renderer, AppFilter(search=search))).apps] == [app_id_of(5)]


async def test_a_change_is_shown_by_the_next_answer(store: SqlAppStore, renderer: AppRenderer) -> None:
    newest, wanted = app_id_of(COUNT - 2), AppFilter(owner_id=7)
    assert (await page(renderer, wanted)).apps[0].name == f"App {COUNT - 2}"
    await store.change(ChangeApp(newest, {"name": "renamed"}))
    shown = (await page(renderer, wanted)).apps[0]
    assert (shown.name, shown.environment["ADMIN_PASSWORD"]) == ("renamed", "********")
    assert (await renderer.get_app(await store.get_stamp(newest, owner=7))).message.name == "renamed"
    await store.change(RemoveApp(newest))
    assert (await page(renderer, wanted)).apps[0].id == app_id_of(COUNT - 4)
    with pytest.raises(AppNotFoundError):
        await store.get_stamp(newest, owner=7)


async def list_lines(
    renderer: AppRenderer, app_id: str, *, owner_filter: int | None, level: str = ""
) -> pb.ListAppLogsResponse:
    found = await list_app_logs(renderer.store, app_id, owner_filter=owner_filter, limit=2, level=level)
    return (await renderer.list_logs(found)).message


async def test_a_line_of_the_log_is_shown_by_the_next_answer(
    store: SqlAppStore, renderer: AppRenderer
) -> None:
    app_id = app_id_of(0)
    for number in range(3):
        await store.change(AddLog(app_id, f"line {number}", "info" if number else "warning"))
        answer = await list_lines(renderer, app_id, owner_filter=7)
        assert (answer.total, answer.logs[0].message) == (number + 1, f"line {number}")
    warnings = await list_lines(renderer, app_id, owner_filter=None, level="warning")
    assert [line.message for line in warnings.logs] == ["line 0"]
    with pytest.raises(AppNotFoundError):
        await list_lines(renderer, app_id, owner_filter=8, level="")


async def test_a_common_first_page_is_planned_once(
    store: SqlAppStore,
    db: Database,  # noqa: F811 - a fixture
) -> None:
    """PostgreSQL plans a statement five times before it may use one plan for all values."""
    for wanted in (AppFilter(), AppFilter(owner_id=7)):
        stamps, total = await store.list_stamps(wanted, page=1, per_page=21)
        for _ in range(7):
            assert await store.list_stamps(wanted, page=1, per_page=20) == (stamps[:20], total)
    if db.is_sqlite:
        return
    plans = sa.select(sa.column("generic_plans", sa.Integer)).select_from(sa.table("pg_prepared_statements"))
    rows = await db.fetch(Query(plans.where(sa.column("statement").like(sa.literal("%LIMIT 20")))), {})
    assert [row[0] > 0 for row in rows] == [True, True]


@pytest.mark.parametrize(
    ("name", "searched", "index"),
    [("text", "00109", "apps_search "), ("long", "web-00109", "apps_search_long ")],
)
async def test_a_search_reads_an_index_where_there_is_one(
    store: SqlAppStore,
    db: Database,  # noqa: F811 - a fixture
    name: str,
    searched: str,
    index: str,
) -> None:
    if db.is_sqlite:
        assert (await store.list_stamps(AppFilter(search="web-00109"), page=1, per_page=5))[1] == 10
        return
    text, _, fixed = _page_query(frozenset({"search", name}), is_counted=True, is_deep=False).render(
        db.engine.dialect
    )
    values = {**fixed, "search": f"%{searched}%", name: searched, "limit": 5, "offset": 0}

    def explain(connection: sa.Connection) -> str:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a thousand apps are read whole
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}", values).scalars())

    assert f"on {index}" in await db.read(explain)


async def test_a_large_total_is_counted_anew_while_the_known_one_is_shown() -> None:
    time, counted = 0.0, asyncio.Event()

    async def count(_: AppFilter) -> int:
        counted.set()
        return 1002

    totals = Totals(count, lambda: time)
    totals.keep(AppFilter(), 1001)
    time = 1.0
    assert [totals.find(AppFilter()) for _ in range(3)] == [1001] * 3
    async with asyncio.timeout(60):
        await counted.wait()
    assert totals.find(AppFilter()) == 1002
    time = 3.0  # nobody asked meanwhile
    assert totals.find(AppFilter()) is None
    totals.keep(AppFilter(owner_id=1), 1000)  # counted as quickly as looked up
    assert totals.find(AppFilter(owner_id=1)) is None


async def test_totals_are_counted_alike(store: SqlAppStore) -> None:
    for wanted in (AppFilter(), AppFilter(owner_id=7), AppFilter(search="web-0001", status="stopped")):
        assert await store._count_beside(wanted) == (await store.list_stamps(wanted, page=1, per_page=1))[1]
