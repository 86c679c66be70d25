"""One stack for all journeys that leave it standing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stack import RunningStack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A platform that is ready."""
    running = RunningStack(tmp_path_factory.mktemp("platform") / "state")
    yield running
    running.stop()
