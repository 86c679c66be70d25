"""The bench's own arithmetic: what it reads of wrk, its medians and ratios, and what it calls a loss."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.cases import Case, floor_of, list_cases
from tests.bench.h2load import parse_log
from tests.bench.report import compare_results, render_table
from tests.bench.rounds import Result, Sample, summarize
from tests.bench.wrk import AnswersWrongError, Load, Measured, parse_output

OUTPUT = """Running 2s test @ http://127.0.0.1:8000
  3000 requests in 2.00s, 1.00MB read
Requests/sec:   1499.50
""" + "".join(f"took {number}\n" for number in range(1000, 2000))
LOAD = Load(["/api/apps"], {})
APP = Case("app", "apps", ["/api/apps/x"], 0.6)


def sample(rate: float, **cpu: float) -> Sample:
    return Sample(Measured(rate, 100, [1000 / rate] * 98 + [2000 / rate] * 2), cpu)


def test_reads_what_wrk_prints() -> None:
    measured = parse_output(OUTPUT, LOAD)
    assert (measured.rate, measured.answers, measured.took[500]) == (1499.5, 3000, 1.5)


@pytest.mark.parametrize(
    "wrong",
    [
        OUTPUT + "  Non-2xx or 3xx responses: 3\n",
        OUTPUT + "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
        OUTPUT.replace("3000 requests", "0 requests"),
        OUTPUT.replace("took 1000\n", ""),
    ],
)
def test_wrong_answers_are_no_figures(wrong: str) -> None:
    with pytest.raises(AnswersWrongError):
        parse_output(wrong, LOAD)


def test_refusals_that_are_expected_count() -> None:
    text = OUTPUT + "  Non-2xx or 3xx responses: 3\n"
    assert parse_output(text, Load(["/"], {}, expected=True)).answers == 3000


def test_reads_what_h2load_logs() -> None:
    text = "requests: 4 total, 4 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout"
    log = "".join(f"1700000000\t200\t{took}\n" for took in (3000, 1000, 2000, 9000))
    assert parse_log(text, log, seconds=2) == Measured(2.0, 4, [1.0, 2.0, 3.0, 9.0])
    for wrong in (
        (text.replace("0 failed", "1 failed"), log),
        (text, log.replace("200\t9", "503\t9")),
        (text, ""),
    ):
        with pytest.raises(AnswersWrongError):
            parse_log(*wrong, seconds=2)


def test_a_ratio_is_the_median_of_the_rounds_each_against_the_floor_of_its_own() -> None:
    samples = {
        "floor, apps": [sample(1000, apps=100), sample(500, apps=200), sample(100, apps=100)],
        "app": [
            sample(500, apps=200, gateway=8),
            sample(400, apps=200, gateway=8),
            sample(10, apps=300, gateway=8),
        ],
    }
    result = summarize(APP, samples, 16)
    assert (result.ratio, result.ratio_high, result.rate) == (0.5, 0.8, 400)
    assert (result.p50_ms, result.p99_ms) == (2.5, 100.0)  # of all rounds together, the slow one among them
    assert result.tail == 2.0  # within a round
    assert result.cpu_ratio == round(100 / 208, 3)
    assert result.cpu_us == {"apps": 200}
    assert result.is_short


def test_every_case_has_a_floor_that_is_measured() -> None:
    cases = list_cases("nginx-1", apps=1000, owner_index=1)
    assert len({case.name for case in cases}) == len(cases)
    assert {floor_of(case) for case in cases} <= {case.name for case in cases}


def of(*results: tuple[str, int, float], ratio: float = 1.0, high: float = 1.0) -> dict[str, Any]:
    by_rate = {"ratio": ratio, "ratio_high": high}
    return {
        "results": [{"name": name, "connections": c, "cpu_ratio": cpu, **by_rate} for name, c, cpu in results]
    }


def test_a_loss_of_more_than_15_percent_is_a_fault() -> None:
    before = of(("app", 16, 0.60), ("app", 1, 0.80), ("backups", 16, 0.50))
    assert compare_results(of(("app", 16, 0.511), ("app", 1, 0.69), ("backups", 16, 0.9)), before) == []
    assert compare_results(of(("app", 16, 0.509), ("app", 1, 0.8), ("backups", 16, 0.5)), before) == [
        "app (c=16): 0.51 of the floor by CPU, 0.60 before"
    ]
    assert compare_results(of(("app", 16, 0.6), ("backups", 16, 0.5)), before) == [
        "app (c=1) was not measured"
    ]


def test_by_rate_most_rounds_must_be_worse() -> None:
    before = of(("app", 16, 0.6), ratio=0.7)
    assert compare_results(of(("app", 16, 0.6), ratio=0.5, high=0.6), before) == []
    assert compare_results(of(("app", 16, 0.6), ratio=0.5, high=0.59), before) == [
        "app (c=16): 0.59 of the floor by rate at best, 0.70 before"
    ]


def test_the_table_marks_what_falls_short() -> None:
    made: dict[str, Any] = {
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "tail": 2.0,
        "ratio_high": 0.5,
        "cpu_ratio": 0.5,
        "cpu_us": {"apps": 200},
    }
    short = Result(name="app", connections=16, rate=100.0, ratio=0.5, target=0.6, **made)
    well = Result(name="log", connections=16, rate=100.0, ratio=0.5, target=0.35, **made)
    lines = render_table([short, well], {"apps": 50.4, "auth": 40.4}).splitlines()
    assert [line.endswith("!") for line in lines[1:3]] == [True, False]
    assert lines[-2] == "memory, idle (MiB): 91"
