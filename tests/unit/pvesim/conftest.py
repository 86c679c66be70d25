"""Clusters without sockets or waiting."""

import pytest

from tests.pvesim.instant import InstantProxmox


@pytest.fixture
def demo() -> InstantProxmox:
    return InstantProxmox("demo")


@pytest.fixture
def recorded() -> InstantProxmox:
    return InstantProxmox("recorded")
