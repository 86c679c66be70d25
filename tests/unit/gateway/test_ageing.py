"""What will go away says so: in its answers, in the document, and not too soon."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.ageing import check_ageing, render_ageing
from gateway.check import check_surface
from gateway.openapi import render_openapi
from gateway.surface import parse_surface
from tests.unit.gateway.changes import change, rpc


def deprecate(deprecated: str, sunset: str) -> Any:
    def edit(method: Any) -> None:
        rpc(method).deprecated, rpc(method).sunset = deprecated, sunset

    return parse_surface(change("AppsService.GetAppStats", edit))


def find_method(surface: Any) -> Any:
    return next(method for method in surface.methods if method.name == "GetAppStats")


def test_answers_carry_both_days() -> None:
    method = find_method(deprecate("2027-01-01", "2027-07-01"))
    headers = {each["header"]["key"]: each["header"]["value"] for each in render_ageing(method)}
    assert headers == {"deprecation": "@1798761600", "sunset": "Thu, 01 Jul 2027 00:00:00 GMT"}
    assert render_ageing(replace(method, deprecated="", sunset="")) == []


def test_the_document_marks_it() -> None:
    operation = render_openapi(deprecate("2027-01-01", ""))["paths"]["/api/apps/{app_id}/stats"]["get"]
    assert operation["deprecated"] is True
    assert operation["description"].endswith("Deprecated since 2027-01-01.")
    assert "deprecated" not in render_openapi(deprecate("", ""))["paths"]["/api/apps/{app_id}/stats"]["get"]


@pytest.mark.parametrize(
    ("deprecated", "sunset", "fault"),
    [
        ("2027-13-01", "", "not a day"),
        ("soon", "", "not a day"),
        ("", "2027-07-01", "is not deprecated"),
        ("2027-01-01", "2027-06-29", "179 days"),
    ],
)
def test_days_that_break_the_promise_are_faults(deprecated: str, sunset: str, fault: str) -> None:
    surface = deprecate(deprecated, sunset)
    assert fault in "".join(check_ageing(find_method(surface)))
    assert any(fault in each for each in check_surface(surface))


def test_half_a_year_is_enough() -> None:
    assert check_surface(deprecate("2027-01-01", "2027-06-30")) == []
