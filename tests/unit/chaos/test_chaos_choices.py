"""A seed repeats its choices, and they reach everything."""

from __future__ import annotations

from tests.chaos.choices import (
    ACTIONS,
    BLOWS,
    COPIES,
    LINKS,
    LOCKS,
    choose_actions,
    choose_blows,
    choose_gentle_actions,
    choose_trials,
    choose_way,
)
from tests.pvesim.faults import Faults

PROCESSES = ("postgres", "nats", "pvesim", "apps", "apps-worker", "apps-worker-2", "gateway")
NODES = ("pve1", "pve2")


def test_the_same_seed_makes_the_same_choices() -> None:
    first, second = (choose_actions(7, user=1, count=200) for _ in range(2))
    assert first == second
    storms = [choose_blows(7, seconds=180, processes=PROCESSES, nodes=NODES) for _ in range(2)]
    assert storms[0] == storms[1]


def test_another_seed_and_another_user_choose_otherwise() -> None:
    assert choose_actions(7, user=1, count=50) != choose_actions(8, user=1, count=50)
    mine, theirs = (choose_actions(7, user=user, count=50) for user in (1, 2))
    assert [one.action for one in mine] != [one.action for one in theirs]


def test_a_longer_storm_begins_like_a_shorter_one() -> None:
    short = choose_blows(7, seconds=60, processes=PROCESSES, nodes=NODES)
    assert choose_blows(7, seconds=180, processes=PROCESSES, nodes=NODES)[: len(short)] == short


def test_every_action_is_taken_and_only_the_administrator_adopts_and_has_policies() -> None:
    assert {one.action for one in choose_actions(7, user=0, count=500)} == set(ACTIONS)
    assert {one.action for one in choose_actions(7, user=1, count=500)} == set(ACTIONS) - {
        "adopt",
        "reschedule",
    }


def test_actions_after_the_storm_end_nothing_and_have_keys_of_their_own() -> None:
    stormy, gentle = choose_actions(7, user=1, count=5000), choose_gentle_actions(7, user=1, count=1000)
    assert {one.action for one in gentle} == {"deploy", "start", "back_up", "watch", "terminal", "look"}
    assert not {one.key for one in stormy} & {one.key for one in gentle}
    assert gentle == choose_gentle_actions(7, user=1, count=1000)


def test_every_kind_of_blow_strikes_every_target_in_time() -> None:
    blows = choose_blows(7, seconds=3000, processes=PROCESSES, nodes=NODES)
    assert {one.kind for one in blows} == set(BLOWS)
    for kind in ("kill", "pause", "restart"):
        assert {one.target for one in blows if one.kind == kind} == set(PROCESSES)
    assert {one.target for one in blows if one.kind == "cut"} == set(LINKS)
    assert {one.target for one in blows if one.kind == "lock"} == set(LOCKS)
    assert [one.at for one in blows] == sorted(one.at for one in blows)
    assert all(0 <= one.at < 3000 for one in blows)


def test_the_simulator_takes_every_fault_and_each_comes_to_an_end() -> None:
    rules = [
        dict(one.rule) for one in choose_blows(7, seconds=3000, processes=PROCESSES, nodes=NODES) if one.rule
    ]
    faults = Faults()
    faults.add(rules)
    assert len(faults.rules) == len(rules) > 50
    assert all(rule.times for rule in faults.rules)


def test_every_storm_has_an_outage_silent_copies_locks_and_deaf_consoles() -> None:
    for seed in range(50):
        trials = choose_trials(seed, seconds=180, outage_s=60, silence_s=90)
        (outage,) = [one for one in trials if one.kind == "outage"]
        assert outage.seconds == 60
        assert outage.at + outage.seconds < 180, "users go on after it"
        silent = [one.rule for one in trials if one.kind == "silence"]
        assert {rule["match"]["type"] for rule in silent} == set(COPIES)
        assert {rule["seconds"] for rule in silent} == {90}
        assert [one.kind for one in trials if one.kind == "deaf"] == ["deaf"]
        ambushes = {(one.kind, one.target) for one in trials if one.kind.startswith("ambush")}
        assert ambushes == {
            ("ambush_kill", "delete_backup"),
            ("ambush_kill", "test_backup"),
            ("ambush_outage", "test_backup"),
        }
        assert {one.target for one in trials if one.kind == "lock"} == set(LOCKS)
    outages = [one for seed in range(50) for one in choose_trials(seed, seconds=180) if one.kind == "outage"]
    assert {one.target for one in outages} == {"refused", "silent"}


def test_commands_go_by_ssh_in_some_storms_and_by_consoles_in_others() -> None:
    assert {choose_way(seed) for seed in range(20)} == {"ssh", "console"}


def test_a_long_storm_has_outages_of_ten_minutes_with_time_between_them() -> None:
    outages = [one for one in choose_trials(7, seconds=3600, outage_s=600) if one.kind == "outage"]
    assert len(outages) == 2
    assert outages[0].at + 600 < outages[1].at
