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
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter, ItemPage
from services.catalog.sources.own_files import OwnFiles
from services.common.rpc.responses.rendered import Form

NAMES, ITEMS = 1300, 3000
_SMALL = 100  # items of the catalog that the large one is compared with
_PAGE = ItemPage(1, 20)
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
    small, large = (_enlarge(index, size) for size in (_SMALL, ITEMS))
    _compare("search", [_list_searches(one) for one in (small, large)])
    _compare("page of 20", [[partial(_render_page, one, messages)] for one in (small, large)])
    _report(
        f"list of {NAMES}, in full",
        [lambda: messages.render_list(index.items, len(index.items), form=Form.JSON)],
        times=20,
    )
    state = messages.name_state(index.etag)
    _report(f"list of {NAMES}, state known (304)", [lambda: messages.name_state(index.etag) == state])


def _list_searches(index: CatalogIndex) -> list[Callable[[], object]]:
    return [partial(index.search_items, query, ItemFilter()) for query in _QUERIES]


def _render_page(index: CatalogIndex, messages: ItemMessages) -> object:
    found = index.list_items(ItemFilter())
    return messages.render_list(_PAGE.cut(found), len(found), form=Form.JSON)


def _compare(name: str, calls: Sequence[Sequence[Callable[[], object]]]) -> None:
    """Report the times in the small and in the large catalog, and how much longer the large one takes at the median."""
    sizes = (_SMALL, ITEMS)
    first, last = (_report(f"{name} among {size}", ones) for size, ones in zip(sizes, calls, strict=True))
    print(f"{name}: {last / first:.2f} times the median of {_SMALL} items among {ITEMS}")


def _enlarge(index: CatalogIndex, size: int) -> CatalogIndex:
    items: list[Item] = []
    for number in range(size):
        item = index.items[number % len(index.items)]
        words = f"{item.description} word{number} thing{number * 7}"
        items.append(replace(item, id=f"{item.id}-{number}", name=f"{item.name} {number}", description=words))
    return CatalogIndex(items)


def _report(name: str, calls: Sequence[Callable[[], object]], *, times: int = 50) -> float:
    """Print the times of calls, and return their median in milliseconds."""
    spent = []
    for call in [*calls] * times:
        began = time.process_time()
        call()
        spent.append((time.process_time() - began) * 1000)
    spent.sort()
    middle, high = spent[len(spent) // 2], spent[int(len(spent) * 0.99) - 1]
    print(f"{name}: median {middle:.3f} ms, p99 {high:.3f} ms ({len(spent)} calls)")
    return middle
