"""Search in memory: ranked by name, tags, description, category; by prefix; forgiving typing errors."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from services.catalog.domain.entities import Item

NAME, TAG, DESCRIPTION, CATEGORY = 1000, 100, 10, 4
"""What a hit weighs by the field it is in: a better field beats any sum of lesser ones."""

MAX_QUERY = 200
_MAX_WORDS = 8
_WORD = re.compile(r"[a-z0-9]+|[^\W_]+")
_PREFIX_SHARE = 0.7
_TYPO_SHARE = 0.4
_MAX_SIMILAR = 20
_SHORT = 2


def fold_text(text: str) -> str:
    """Lower the case and drop accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def list_words(text: str) -> list[str]:
    """Return the words of a text, folded."""
    return _WORD.findall(fold_text(text))


class SearchIndex:
    """Finds items by words; built once per catalog, then only read."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = tuple(items)
        postings: dict[str, dict[int, int]] = defaultdict(dict)
        for number, item in enumerate(self._items):
            for word, weight in _weigh_words(item).items():
                postings[word][number] = weight
        self._postings = dict(postings)
        self._words = sorted(postings)
        self._names = [fold_text(item.name) for item in self._items]
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in self._words:
            self._by_length[len(word)].append(word)
        self._starts: dict[int, dict[str, list[str]]] = {}
        self._short: dict[str, dict[int, float]] = {}

    def search_items(self, query: str) -> list[Item]:
        """Return the items that match every word of the query, best first."""
        folded = fold_text(query[:MAX_QUERY]).strip()
        words = list(dict.fromkeys(list_words(folded)))[:_MAX_WORDS]
        scores = self._score_words(words) or self._score_words(["".join(words)] if words[1:] else [])
        return [
            self._items[number] for number in sorted(scores, key=lambda n: self._rank(n, scores[n], folded))
        ]

    def _rank(self, number: int, score: float, query: str) -> tuple[float, int, str, str]:
        name = self._names[number]
        whole = 2 if name == query else 1 if name.startswith(query) else 0
        return (-(score + whole * NAME), len(name), name, self._items[number].id)

    def _score_words(self, words: list[str]) -> dict[int, float]:
        scores: dict[int, float] | None = None
        for word in words:
            found = self._score_word(word)
            if scores is None:
                scores = found
            else:
                scores = {number: scores[number] + found[number] for number in scores.keys() & found.keys()}
        return scores or {}

    def _score_word(self, word: str) -> dict[int, float]:
        if len(word) > _SHORT:
            return self._look_up(word)
        if word not in self._short:  # few, and each begins many words
            self._short[word] = self._look_up(word)
        return self._short[word]

    def _look_up(self, word: str) -> dict[int, float]:
        scores: dict[int, float] = {}
        self._add_hits(scores, word, 1.0)
        position = bisect_left(self._words, word)
        while position < len(self._words) and self._words[position].startswith(word):
            if self._words[position] != word:
                self._add_hits(scores, self._words[position], _PREFIX_SHARE)
            position += 1
        if word not in self._postings and max(scores.values(), default=0) < TAG * _PREFIX_SHARE:
            for similar, distance in self._list_similar(word):
                self._add_hits(scores, similar, _TYPO_SHARE / distance)
        return scores

    def _add_hits(self, scores: dict[int, float], word: str, share: float) -> None:
        for number, weight in self._postings.get(word, {}).items():
            scores[number] = max(scores.get(number, 0.0), weight * share)

    def _list_similar(self, word: str) -> list[tuple[str, int]]:
        """Return the known words a typing error or two away: one from four letters, two from seven."""
        allowed = 0 if len(word) < 4 else 1 if len(word) < 7 else 2
        if not allowed:
            return []
        lengths = range(len(word) - allowed, len(word) + allowed + 1)
        near = [known for length in lengths for known in self._by_length.get(length, ())]
        similar = dict(_list_near(word, near, allowed))
        starts = self._list_starts(len(word))
        for start, distance in _list_near(word, list(starts), allowed):
            for known in starts[start]:
                similar.setdefault(known, distance + 1)
        return list(similar.items())[:_MAX_SIMILAR]

    def _list_starts(self, length: int) -> dict[str, list[str]]:
        """Return the known words that are longer, by their first letters; kept, as there are few lengths."""
        if length not in self._starts:
            starts: dict[str, list[str]] = defaultdict(list)
            for known in self._words:
                if len(known) > length:
                    starts[known[:length]].append(known)
            self._starts[length] = dict(starts)
        return self._starts[length]


def _list_near(word: str, known: list[str], allowed: int) -> list[tuple[str, int]]:
    hits = process.extract(word, known, scorer=OSA.distance, score_cutoff=allowed, limit=_MAX_SIMILAR)
    return [(hit[0], int(hit[1])) for hit in hits if hit[1]]


def _weigh_words(item: Item) -> dict[str, int]:
    weights: dict[str, int] = {}

    def add(words: Iterable[str], weight: int) -> None:
        for word in words:
            weights[word] = max(weights.get(word, 0), weight)

    for text in (item.name, item.id.rpartition(".")[2]):
        words = list_words(text)
        add(words, NAME)
        add(["".join(words)], NAME)
    for tag in item.tags:
        add(list_words(tag), TAG)
    add(list_words(item.description), DESCRIPTION)
    add(list_words(item.category), CATEGORY)
    return weights
