"""Answers with items: rendered once per state of the catalog, and left out for clients that have this state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import TypeVar

from google.protobuf.message import Message
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.convert.items import FULL, ItemMessages
from services.catalog.domain.entities import Item
from services.catalog.usecases.items import ItemList
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import MIB, Rendered, VersionedLruCache

M = TypeVar("M", bound=Message)
ListRequest = pb.ListItemsRequest | pb.SearchItemsRequest | pb.ListCategoryItemsRequest

_CACHE_BYTES = 8 * MIB  # a few full lists in both forms, and hundreds of searches
_NO_LIST = Rendered(pb.ListItemsResponse, b"")
_NO_ITEM = Rendered(item_pb2.Item, b"")


class RenderedItems:
    """Rendered items and an LRU cache of rendered lists.

    Args:
        messages: the items of the newest state, rendered.
    """

    def __init__(self, messages: ItemMessages) -> None:
        self._messages = messages
        self._lists: VersionedLruCache[Hashable] = VersionedLruCache(_CACHE_BYTES)

    def answer_item(self, item: Item, call: Call) -> Rendered[item_pb2.Item]:
        """Answer an item; without a body where the client has its state."""
        if call.has_state(self._messages.name_state(item.state)):
            return _NO_ITEM
        return Rendered(item_pb2.Item, self._messages.render(item, call.form))

    def answer_list(
        self, request: ListRequest, call: Call, *, state: str, find: Callable[[], ItemList]
    ) -> Rendered[pb.ListItemsResponse]:
        """Answer a list, which is the same for equal requests until something is published.

        Args:
            request: the key of the cached list, together with the form.
            call: its metadata may say which state the client has.
            state: the ETag of the catalog.
            find: called only where no rendered list is cached.
        """
        version = self._messages.name_state(state)
        if call.has_state(version):
            return _NO_LIST
        key = (type(request), request.SerializeToString(deterministic=True), call.form)
        data = self._lists.find(key, version)
        if data is None:
            found = find()
            view = request.view or FULL
            data = self._messages.render_list(found.items, found.total, form=call.form, view=view)
            self._lists.keep(key, version, value=data)
        return Rendered(pb.ListItemsResponse, data)

    def answer_facts(self, message: M, call: Call, *, state: str) -> M:
        """Answer a message about the whole catalog; an empty one where the client has this state."""
        return answer_unless_known(message, call, state=self._messages.name_state(state))


def answer_unless_known(message: M, call: Call, *, state: str, max_age: int | None = None) -> M:
    """Return a message, or an empty one where the client has this state already and REST answers 304."""
    return type(message)() if call.has_state(state, max_age=max_age) else message


def name_content(content: bytes) -> str:
    """Return the ETag of a content: equal for equal bytes."""
    return hashlib.sha256(content).hexdigest()[:20]
