from __future__ import annotations

from services.common.rpc.responses.rendered import VersionedLruCache


def test_a_value_is_found_for_its_version_alone() -> None:
    kept: VersionedLruCache[str] = VersionedLruCache()
    kept.keep("a", 1, value=b"one")
    assert kept.find("a", 1) == b"one"
    assert kept.find("a", 2) is None
    assert kept.find("b", 1) is None


def test_another_version_takes_the_place_of_the_former() -> None:
    kept: VersionedLruCache[str] = VersionedLruCache()
    kept.keep("a", 1, value=b"one")
    kept.keep("a", 2, value=b"two")
    assert (kept.find("a", 1), kept.find("a", 2)) == (None, b"two")


def test_what_was_used_longest_ago_goes_when_there_is_too_much() -> None:
    kept: VersionedLruCache[str] = VersionedLruCache(limit=10)
    kept.keep("a", 1, value=b"aaaa")
    kept.keep("b", 1, value=b"bbbb")
    assert kept.find("a", 1) == b"aaaa"
    kept.keep("c", 1, value=b"cccc")
    assert [kept.find(key, 1) for key in "abc"] == [b"aaaa", None, b"cccc"]


def test_a_value_that_is_too_large_is_not_kept() -> None:
    kept: VersionedLruCache[str] = VersionedLruCache(limit=10)
    assert kept.keep("a", 1, value=b"a" * 11) == b"a" * 11
    assert kept.find("a", 1) is None
