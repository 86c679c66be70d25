"""Groups of items that are the same app in several sources: one entry of a list, with one category."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from services.catalog.domain.entities import OWN_SOURCE, Item, ItemSource
from services.catalog.domain.importers.categories import name_category
from services.catalog.domain.search.known_apps import CATEGORIES, find_category, find_keywords, squash_name

_VAGUE = frozenset({"Other", "Tools", "Files and storage", "Media"})
"""Categories that collections use for apps that fit nowhere else: a vote for another one counts more."""

_VARIANT = re.compile(
    r"\s*[({][^(){}]*[)}]\s*$"
)  # "Ghost (container)" and "Stirling PDF {author}" are the same apps

Group = tuple[Item, ...]
"""Items of the same app, the preferred one first: ours, then those with a page and an icon."""


def group_items(items: Iterable[Item]) -> list[Group]:
    """Return the items by app, in the order of the apps' names; every item knows its group's category and sources."""
    found = list(items)
    own_names = _map_own_names(found)
    members: dict[str, list[Item]] = {}
    for item in found:
        members.setdefault(_name_group(item, own_names), []).append(item)
    groups = [_settle(name, sorted(group, key=_rank)) for name, group in members.items()]
    return sorted(groups, key=lambda group: (group[0].name.casefold(), group[0].id))


def _map_own_names(items: Iterable[Item]) -> Mapping[str, str]:
    """Return the names and ids of our own items, each with the name of its group."""
    own = [item for item in items if item.source == OWN_SOURCE]
    by_id = {squash_name(item.id): item.id for item in own}
    return by_id | {squash_name(item.name): item.id for item in own}


def _name_group(item: Item, own_names: Mapping[str, str]) -> str:
    name = squash_name(_VARIANT.sub("", item.name)) or squash_name(item.name)
    if name in own_names:
        return own_names[name]
    return name or item.id


def _rank(item: Item) -> tuple[bool, bool, bool, str]:
    # The id comes last, so that every replica prefers the same item.
    return item.source != OWN_SOURCE, item.main_port is None, not item.icon, item.id


def _settle(name: str, group: Sequence[Item]) -> Group:
    sources = tuple(ItemSource(item.id, item.source, item.version) for item in group)
    category = _choose_category(name, group)
    names = {name, *(squash_name(item.name) for item in group)}
    keywords = tuple(dict.fromkeys(word for one in sorted(names) for word in find_keywords(one)))
    return tuple(replace(item, category=category, sources=sources, keywords=keywords) for item in group)


def _choose_category(name: str, group: Sequence[Item]) -> str:
    """Return the category of our own item, that of a known app, or the one that most sources agree on."""
    votes = [item.category if item.category in CATEGORIES else name_category(item.category) for item in group]
    if group[0].source == OWN_SOURCE:  # ours was chosen by hand
        return votes[0]
    if known := find_category(name) or find_category(squash_name(group[0].name)):
        return known
    clear = [vote for vote in votes if vote not in _VAGUE] or votes
    return min(Counter(clear).items(), key=lambda one: (-one[1], one[0] == "Other", one[0]))[0]
