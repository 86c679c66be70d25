"""Links of lists."""

from __future__ import annotations

import pytest

from services.common.rpc.call import Call, render_page_links


@pytest.mark.parametrize(
    ("page", "total", "relations"),
    [
        (1, 0, {"first", "last"}),
        (1, 60, {"first", "next", "last"}),
        (2, 60, {"first", "prev", "next", "last"}),
        (3, 60, {"first", "prev", "last"}),
        (9, 60, {"first", "prev", "last"}),
    ],
)
def test_links_lead_only_to_pages_that_exist(page: int, total: int, relations: set[str]) -> None:
    links = render_page_links("/api/apps", page=page, per_page=20, total=total)
    assert {part.rpartition('rel="')[2].rstrip('"') for part in links.split(", ")} == relations


def test_filters_stay_and_nothing_breaks_out_of_a_link() -> None:
    asked = "/api/apps/?search=a%26b%3E&page=2&per_page=5&status=running"
    links = render_page_links(asked, page=2, per_page=5, total=7)
    assert '</api/apps/?search=a%26b%3E&status=running&page=1&per_page=5>; rel="prev"' in links
    assert render_page_links("/api/<a>", page=1, per_page=5, total=1).startswith("</api/%3Ca%3E?page=1")


def test_a_native_call_gets_no_links() -> None:
    call = Call("/proximity.apps.v1.AppsService/ListApps", {})
    call.add_page_links(page=1, per_page=20, total=100)
    assert call.headers == []
