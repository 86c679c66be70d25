"""Marks go on and come off again without a trace, as Proxmox stores descriptions and tags."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.errors import NotOursError
from services.inventory.proxmox.marks import add_marks, check_owner, drop_marks, find_named_owner, find_owner

OWNER = "custom-0a1b2c3d"
LINES = st.text(st.sampled_from("ab #<>%:é\t\r"), max_size=8)
TAGS = st.lists(st.sampled_from(["proximity", "homelab", "a", "b", "zz-1"]), max_size=4)


def change(config: dict[str, Any], options: dict[str, str]) -> dict[str, Any]:
    """A configuration after a PUT: Proxmox drops blank lines at a description's end, and adds a newline."""
    gone = options.get("delete", "").split(",")
    changed = {**config, **{name: value for name, value in options.items() if name != "delete"}}
    if text := changed.get("description"):
        changed["description"] = text.rstrip("\n") + "\n"
    return {name: value for name, value in changed.items() if name not in gone}


@given(lines=st.lists(LINES, max_size=5), tags=TAGS, separator=st.sampled_from([";", ",", ", ", " "]))
def test_what_was_there_comes_back_byte_for_byte(lines: list[str], tags: list[str], separator: str) -> None:
    text = "\n".join(lines).rstrip("\n")
    before = {
        **({"description": f"{text}\n"} if text else {}),
        **({"tags": separator.join(tags)} if tags else {}),
    }
    marked = change(before, add_marks(before, OWNER))
    assert find_owner(marked) == OWNER
    assert change(marked, drop_marks(marked)) == before


def test_tags_that_somebody_changed_meanwhile_stay() -> None:
    before = {"tags": "homelab;proximity"}
    marked = change(before, add_marks(before, OWNER))
    assert drop_marks({**marked, "tags": "homelab;new;proximity"})["tags"] == "homelab;new;proximity"
    plain = change({"tags": "homelab"}, add_marks({"tags": "homelab"}, OWNER))
    assert drop_marks({**plain, "tags": "homelab;new;proximity"})["tags"] == "homelab;new"


def test_marks_of_an_earlier_release_come_off_too() -> None:
    marked = {"description": f"proximity-app: {OWNER}\nnote\n", "tags": "a;proximity"}
    assert drop_marks(marked) == {"tags": "a", "description": "note\n"}


def test_another_mark_is_replaced_and_its_tag_is_not_taken_for_the_users() -> None:
    copied = {"description": "proximity-app: adminer-1\nnote\n", "tags": "a;proximity"}
    marked = change(copied, add_marks(copied, OWNER))
    assert find_owner(marked) == OWNER
    assert change(marked, drop_marks(marked)) == {"description": "note\n", "tags": "a"}


def test_a_missing_tag_leaves_the_name_of_the_owner() -> None:
    stripped = {"description": f"proximity-app: {OWNER}\n", "tags": "192.168.1.7"}
    assert (find_owner(stripped), find_named_owner(stripped)) == (None, OWNER)
    with pytest.raises(
        NotOursError, match=f"container 105 does not carry the mark of '{OWNER}': it is left alone"
    ):
        check_owner(stripped, OWNER, vmid=105)
    with pytest.raises(NotOursError, match="carries the mark of 'adminer-1', not of"):
        check_owner({"description": "proximity-app: adminer-1\n", "tags": "proximity"}, OWNER, vmid=105)
