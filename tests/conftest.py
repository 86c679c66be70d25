"""One whole platform for every suite that leaves it standing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.stack import RunningStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A platform that is ready."""
    from tests.e2e.stack import RunningStack

    running = RunningStack(tmp_path_factory.mktemp("platform") / "state")
    yield running
    running.stop()
