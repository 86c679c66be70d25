"""Patches: what a request leaves out stays as it is, also where it names an empty value."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from proximity.auth.v1 import auth_service_pb2 as pb

from services.common.core.parsing import Patch
from services.common.rpc.handlers import parse_patch


@dataclass(frozen=True, kw_only=True)
class Profile:
    bio: str = "Cook"
    avatar: str = "cook.png"
    theme: str = "dark"


@dataclass(frozen=True, kw_only=True)
class Changes(Patch):
    bio: str | None = None
    avatar: str | None = None
    theme: str | None = None


def test_what_a_request_names_changes_also_to_empty() -> None:
    request = pb.UpdateCurrentUserRequest(bio="", preferred_theme="light")
    changes = parse_patch(request, Changes, names={"theme": "preferred_theme"})
    assert changes == Changes(bio="", theme="light")
    assert changes.given == {"bio": "", "theme": "light"}
    assert changes.apply_to(Profile()) == Profile(bio="", theme="light")


def test_a_request_that_names_nothing_changes_nothing() -> None:
    changes = parse_patch(pb.UpdateCurrentUserRequest(), Changes, names={"theme": "preferred_theme"})
    assert not changes
    assert changes.apply_to(Profile()) == Profile()


def test_what_is_as_requested_already_is_left_out() -> None:
    assert Changes(bio="Cook", theme="light").without_unchanged(Profile()) == Changes(theme="light")


def test_a_parsed_attribute_takes_the_place_of_its_field() -> None:
    request = pb.UpdateCurrentUserRequest(bio=" Cook ")
    changes = parse_patch(request, Changes, names={"theme": "preferred_theme"}, bio=request.bio.strip())
    assert changes == Changes(bio="Cook")


def test_an_attribute_without_a_field_is_a_fault_whatever_the_request_names() -> None:
    with pytest.raises(ValueError, match=r"UpdateCurrentUserRequest has no field theme"):
        parse_patch(pb.UpdateCurrentUserRequest(), Changes)
