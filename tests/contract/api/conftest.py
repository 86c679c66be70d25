"""What all cases share, in front of the one platform of all suites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.openapi import render_openapi
from gateway.surface import load_surface
from tests.contract.api.documented import Documented
from tests.contract.api.world import World
from tests.e2e.stack import RunningStack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first also waits for the platform to start."""
    for item in items:
        if item.nodeid.startswith("tests/contract/api/") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def world(stack: RunningStack) -> Iterator[World]:
    """The accounts and things that the cases speak of."""
    made = World(stack)
    yield made
    made.close()


@pytest.fixture(scope="session")
def documented(document: dict[str, Any]) -> Documented:
    """The same, to hold answers against."""
    return Documented(document)


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The OpenAPI document of the protos; a test of its own says that the gateway serves the same."""
    return render_openapi(load_surface())
