"""Reading YAML that may be hostile."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.item_files.document import MAX_BYTES, UnreadableDocumentError, parse_document
from services.catalog.domain.yaml_text import write_yaml

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n".encode() for i in range(12)
)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (BOMB, 5, "aliases expanded"),
        (b"[" * 100_000, 1, "nested deeper"),
        (b"a:\n" * 1 + b"  b: &a [*a]", 2, "alias *a"),
        (b"ok: 1\n\xff\xfe", 2, "not UTF-8"),
        (b"a: 1\nb: 2\na: 3\n", 3, "given twice"),
        (b"a: 1\n---\nb: 2\n", 2, "exactly one"),
        (b"", 1, "exactly one"),
        (b"a: !!python/object:os.system x", 1, "tag"),
        (b"a: 1\nb: \x00", 2, "control characters"),
        (b"a: [1,\n\nb: }", 3, "not YAML"),
        (b"? [a]\n: 1", 1, "key"),
        (b"x" * (MAX_BYTES + 1), 1, "bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_hostile_bytes_are_refused_with_a_line_and_at_once(content: bytes, line: int, message: str) -> None:
    started = time.process_time()
    with pytest.raises(UnreadableDocumentError) as caught:
        parse_document(content, "bad.yaml")
    assert (caught.value.fault.file, caught.value.fault.line) == ("bad.yaml", line)
    assert message in caught.value.fault.message
    assert time.process_time() - started < 1


def test_scalars_have_the_types_that_compose_reads() -> None:
    value = parse_document(
        b"a: on\nb: 22:22\nc: 010\nd: 2024-01-01\ne: true\nf: 1.5\ng: ~\nh: '1'\ni: -3\nj: 1e3\nk: 1_000\n",
        "f",
    ).value
    assert value == {
        "a": "on", "b": "22:22", "c": "010", "d": "2024-01-01", "e": True, "f": 1.5, "g": None, "h": "1", "i": -3,
        "j": 1000.0, "k": "1_000",
    }  # fmt: skip


def test_lines_of_keys_and_entries_are_known() -> None:
    document = parse_document(b"a: 1\nb:\n  - x\n  - y: 2\n", "f")
    assert document.line_of(("b", 1, "y")) == 4
    assert document.line_of(("b", 0, "nothing", "here")) == 3


def test_merge_keys_fill_in_what_is_missing() -> None:
    value = parse_document(b"base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n", "f").value
    assert value["use"] == {"x": 1, "y": 3}


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(trees)
def test_what_is_written_is_read_back_by_us_and_by_others(tree: object) -> None:
    text = write_yaml(tree)
    assert parse_document(text.encode(), "f").value == tree
    assert yaml.safe_load(text) == tree
