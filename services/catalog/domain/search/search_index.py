"""In-memory search: ranked by name, keywords, tags and description; by prefix and substring; tolerant of typing errors."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA

from services.catalog.domain.entities import OWN_SOURCE, Item

NAME, KEYWORD, TAG, CATEGORY, DESCRIPTION = 1000, 900, 100, 60, 10
"""Weights of a hit by its field. Tags of our own items and of known apps are keywords: they are curated,
while collections tag generously."""

MAX_QUERY = 200  # characters; the rest of a query is ignored
_MAX_WORDS = 8  # of a query; further words cost time and find nothing more
# Accents are folded before, so the second part takes words of other alphabets whole.
_WORD = re.compile(r"[a-z0-9]+|[^\W_]+")
# Shares of a field's weight: the less of a word matches, the less a hit counts.
_PREFIX_SHARE = 0.7  # "next" for nextcloud
_SUBSTRING_SHARE = 0.5  # "cloud" for nextcloud
_TYPO_SHARE = 0.4  # "nextclod", divided by the number of errors
_MAX_SIMILAR = 20  # words; the nearest count, and a frequent error finds hundreds
_SHORT = 2  # letters; shorter words occur within most others
_WHOLE_NAME = 3000  # more than any two hits in a name together
_START_OF_NAME = 200  # less than a hit in a name or keyword: it decides between names that match equally well
_OWN = 0.3  # our own items are checked and come first among equals
_SOURCE = 0.06  # an app that many collections carry is more often the one that is meant
_MAX_SOURCES = 5  # further ones add nothing: copies of collections would count otherwise


def fold_text(text: str) -> str:
    """Lower the case and drop accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def list_words(text: str) -> list[str]:
    """Return the words of a text, folded."""
    return _WORD.findall(fold_text(text))


class SearchIndex:
    """Index of groups of items by words; built once per catalog, then only read."""

    def __init__(self, groups: Sequence[Sequence[Item]]) -> None:
        postings: dict[str, dict[int, int]] = defaultdict(dict)
        for number, group in enumerate(groups):
            for word, weight in _weigh_words(group).items():
                postings[word][number] = weight
        self._postings = dict(postings)
        self._words = sorted(postings)
        self._names = [fold_text(group[0].name) for group in groups]
        self._ids = [group[0].id for group in groups]
        self._factors = [_weigh_group(group) for group in groups]
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in self._words:
            self._by_length[len(word)].append(word)
        self._starts: dict[int, dict[str, list[str]]] = {}
        self._short: dict[str, dict[int, float]] = {}
        # Words of descriptions alone are left out: they are most of all words and weigh least.
        self._substrings = _Substrings(word for word in self._words if max(postings[word].values()) >= TAG)

    def search(self, query: str) -> list[int]:
        """Return the numbers of the groups that match every word of the query, best first.

        Where none does, those that match most of the words, one of them in a name or keyword.
        """
        folded = fold_text(query[:MAX_QUERY]).strip()
        words = list(dict.fromkeys(list_words(folded)))[:_MAX_WORDS]
        hits = [self._score_word(word) for word in words]
        scores = _add_scores(hits, at_least=len(hits))
        # "pi hole" for pihole: names are often written apart.
        if not scores and words[1:]:
            scores = self._score_word("".join(words))
        if not scores:
            scores = _add_scores(hits, at_least=len(hits) // 2 + 1, best=KEYWORD * _PREFIX_SHARE)
        return sorted(scores, key=lambda number: self._rank(number, scores[number], query=folded))

    def _rank(self, number: int, score: float, *, query: str) -> tuple[float, int, str, str]:
        name = self._names[number]
        whole = _WHOLE_NAME if name == query else _START_OF_NAME if name.startswith(query) else 0
        return (-(score + whole) * self._factors[number], len(name), name, self._ids[number])

    def _score_word(self, word: str) -> dict[int, float]:
        if len(word) > _SHORT:
            return self._look_up(word)
        if word not in self._short:  # few, and each begins many words
            self._short[word] = self._look_up(word)
        return self._short[word]

    def _look_up(self, word: str) -> dict[int, float]:
        scores: dict[int, float] = {}
        self._add_hits(scores, word, share=1.0)
        position = bisect_left(self._words, word)
        while position < len(self._words) and self._words[position].startswith(word):
            if self._words[position] != word:
                self._add_hits(scores, self._words[position], share=_PREFIX_SHARE)
            position += 1
        if len(word) > _SHORT:
            for longer in self._substrings.find(word):
                self._add_hits(scores, longer, share=_SUBSTRING_SHARE)
        # Typing errors cost most and are looked for only when nothing else fits well.
        if word not in self._postings and max(scores.values(), default=0) < TAG * _SUBSTRING_SHARE:
            for similar, distance in self._list_similar(word):
                self._add_hits(scores, similar, share=_TYPO_SHARE / distance)
        return scores

    def _add_hits(self, scores: dict[int, float], word: str, *, share: float) -> None:
        for number, weight in self._postings.get(word, {}).items():
            scores[number] = max(scores.get(number, 0.0), weight * share)

    def _list_similar(self, word: str) -> list[tuple[str, int]]:
        """Return the known words a typing error or two away: one from four letters, two from seven."""
        allowed = 0 if len(word) < 4 else 1 if len(word) < 7 else 2
        if not allowed:
            return []
        lengths = range(len(word) - allowed, len(word) + allowed + 1)
        near = [known for length in lengths for known in self._by_length.get(length, ())]
        similar = dict(_list_near(word, near, allowed=allowed))
        starts = self._list_starts(len(word))
        for start, distance in _list_near(word, list(starts), allowed=allowed):
            for known in starts[start]:
                similar.setdefault(known, distance + 1)
        return list(similar.items())[:_MAX_SIMILAR]

    def _list_starts(self, length: int) -> dict[str, list[str]]:
        """Return the known words that are longer, by their first letters; cached, as there are few lengths."""
        if length not in self._starts:
            starts: dict[str, list[str]] = defaultdict(list)
            for known in self._words:
                if len(known) > length:
                    starts[known[:length]].append(known)
            self._starts[length] = dict(starts)
        return self._starts[length]


class _Substrings:
    """Substring index of words: one text that is scanned, which costs some 10 µs per thousand words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._text = "\n".join(self._words)
        self._offsets = [0]
        for word in self._words[:-1]:
            self._offsets.append(self._offsets[-1] + len(word) + 1)

    def find(self, part: str) -> Iterator[str]:
        """Yield the words that contain a text without beginning with it."""
        position = self._text.find(part)
        while position >= 0:
            number = bisect_right(self._offsets, position) - 1
            if position != self._offsets[number]:
                yield self._words[number]
            position = self._text.find(part, self._offsets[number] + len(self._words[number]))


def _add_scores(hits: Sequence[dict[int, float]], *, at_least: int, best: float = 0) -> dict[int, float]:
    """Return the sums of those that are in at least so many of the hits, once with a score of `best` or more."""
    found: dict[int, list[float]] = defaultdict(list)
    for hit in hits:
        for number, score in hit.items():
            found[number].append(score)
    return {
        number: sum(scores)
        for number, scores in found.items()
        if len(scores) >= at_least and max(scores) >= best
    }


def _list_near(word: str, known: list[str], *, allowed: int) -> list[tuple[str, int]]:
    hits = process.extract(word, known, scorer=OSA.distance, score_cutoff=allowed, limit=_MAX_SIMILAR)
    return [(hit[0], int(hit[1])) for hit in hits if hit[1]]


def _weigh_group(group: Sequence[Item]) -> float:
    sources = {item.source for item in group}
    return 1 + _OWN * (OWN_SOURCE in sources) + _SOURCE * min(len(sources - {OWN_SOURCE}), _MAX_SOURCES)


def _weigh_words(group: Sequence[Item]) -> dict[str, int]:
    weights: dict[str, int] = {}

    def add(words: Iterable[str], weight: int) -> None:
        for word in words:
            weights[word] = max(weights.get(word, 0), weight)

    for item in group:
        for text in (item.name, item.id.rpartition(".")[2]):
            words = list_words(text)
            add(words, NAME)
            add(["".join(words)], NAME)
        for text in item.keywords:
            add(list_words(text), KEYWORD)
        for tag in item.tags:
            add(list_words(tag), KEYWORD if item.source == OWN_SOURCE else TAG)
        add(list_words(item.description), DESCRIPTION)
        add(list_words(item.category), CATEGORY)
    return weights
