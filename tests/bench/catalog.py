"""What a large catalog costs in its own process: loading, searching, answering lists.

No network and no database: what the service does between a request that was read and an answer that is written.
Times are of the CPU, so that a busy machine does not change them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import psutil

from services.catalog.config import DATA
from services.catalog.convert.items import ItemMessages
from services.catalog.domain.entities import OWN_SOURCE, Item, Revision
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.publication import build_index
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter
from services.catalog.sources.own_files import OwnFiles
from services.common.rpc.responses.rendered import Form

NAMES, ITEMS = 1300, 2000
_QUERIES = (
    "nextcloud", "nxtcloud", "data", "g", "databse server", "monitoring alerts", "zzzzzz", "word19", "a b c d e f",
    "home automation server with mqtt",
)  # fmt: skip


def measure_catalog() -> None:
    """Print seconds and megabytes of loading, and the times of searches and lists."""
    documents = [
        one.document for one in load_items(OwnFiles(DATA).read_item_files(), source=OWN_SOURCE).items
    ]
    moment = datetime.now(UTC)
    revisions = [
        Revision(f"app{n}", f"r{n}", "1", "acme", {**documents[n % len(documents)], "id": f"app{n}"}, moment)
        for n in range(NAMES)
    ]
    gc.collect()
    process, before, began = psutil.Process(), psutil.Process().memory_info().rss, time.process_time()
    index, messages = build_index(revisions, None), ItemMessages()
    messages.prepare(index.items)
    took, grown = time.process_time() - began, process.memory_info().rss - before
    print(f"{NAMES} items loaded and rendered: {took:.2f} s, {grown / 1e6:.0f} MB")
    large = _enlarge(index)
    searches = [partial(large.search_items, query, ItemFilter()) for query in _QUERIES]
    _report(f"search among {ITEMS}", searches)
    _report(
        f"list of {NAMES}, in full",
        [lambda: messages.render_list(index.items, len(index.items), form=Form.JSON)],
        times=20,
    )
    state = messages.name_state(index.etag)
    _report(f"list of {NAMES}, state known (304)", [lambda: messages.name_state(index.etag) == state])


def _enlarge(index: CatalogIndex) -> CatalogIndex:
    items: list[Item] = []
    for number in range(ITEMS):
        item = index.items[number % len(index.items)]
        words = f"{item.description} word{number} thing{number * 7}"
        items.append(replace(item, id=f"{item.id}-{number}", name=f"{item.name} {number}", description=words))
    return CatalogIndex(items)


def _report(name: str, calls: Sequence[Callable[[], object]], *, times: int = 50) -> None:
    spent = []
    for call in [*calls] * times:
        began = time.process_time()
        call()
        spent.append((time.process_time() - began) * 1000)
    spent.sort()
    middle, high = spent[len(spent) // 2], spent[int(len(spent) * 0.99) - 1]
    print(f"{name}: median {middle:.2f} ms, p99 {high:.2f} ms ({len(spent)} calls)")
