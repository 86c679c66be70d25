"""What the apps of a user may take together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.apps.config import AppsSettings
from services.apps.domain.config import AppConfig
from services.apps.domain.errors import QuotaExceededError
from services.apps.domain.quotas import check_quota
from services.clients.auth.values import Quota
from services.common.core.config import ConfigError, read_settings

REQUIRED = {"SECRET_KEY": "Zk3vR8q1Xw7LmT5bN0cJ6hF2dS9gPyUa"}
BIG = AppConfig(cores=64, memory=65_536, disk_size=20)


def make_default(**changes: str) -> Quota:
    return read_settings(AppsSettings, REQUIRED | changes).default_quota


def test_by_default_a_user_cannot_take_the_whole_host() -> None:
    quota = make_default()
    assert all(limit is not None for limit in vars(quota).values())
    for name in ("cores", "memory"):
        with pytest.raises(QuotaExceededError, match=name):
            check_quota(quota, [replace(BIG, cores=1) if name == "memory" else replace(BIG, memory=512)])
    check_quota(quota, [AppConfig(cores=2, memory=2048, disk_size=20)] * 10)
    with pytest.raises(QuotaExceededError, match="apps"):
        check_quota(quota, [AppConfig(cores=0, memory=0, disk_size=0)] * 21)


def test_settings_replace_the_default() -> None:
    assert make_default(QUOTA_APPS="3", QUOTA_CORES="Unlimited").apps == 3
    assert make_default(QUOTA_CORES="Unlimited").cores is None
    with pytest.raises(ConfigError, match="QUOTA_DISK_GB"):
        make_default(QUOTA_DISK_GB="-1")


def test_what_is_set_for_an_account_counts_instead_of_the_default() -> None:
    assert Quota(cores=128).over(make_default()).cores == 128
