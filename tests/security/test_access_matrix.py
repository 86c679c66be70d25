"""Who may call what: every RPC by everybody, as the options of the RPCs say."""

from __future__ import annotations

import pytest

from tests.security.calls import CALL_S, SAMPLES, STREAM_S, call, find_reason, try_call  # noqa: F401 - fixtures
from tests.security.conftest import Platform
from tests.security.principals import expect
from tests.security.rpcs import LIST, Rpc, list_rpcs, render_list

RPCS = list(list_rpcs())


def test_the_list_of_who_may_call_what_is_the_one_that_was_reviewed() -> None:
    """A new RPC, or one with another access, changes a file that is reviewed."""
    assert LIST.read_text() == render_list(), "run make protos, and review the change"


def test_every_rpc_declares_who_may_call_it() -> None:
    assert not [rpc.name for rpc in RPCS if rpc.access == "unspecified"]
    assert not [rpc.name for rpc in RPCS if (rpc.access == "internal") != bool(rpc.rule.callers)]


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
def test_every_rpc_admits_whom_it_declares_and_nobody_else(platform: Platform, rpc: Rpc) -> None:
    wrong: list[str] = []
    for who in platform.principals:
        wanted = expect(rpc, who, platform.estate.owner_id)
        found, said = try_call(platform, rpc, who)
        if found != wanted:
            wrong.append(f"{who.name}: {found} instead of {wanted} ({said})")
    assert not wrong, "\n".join(wrong)
