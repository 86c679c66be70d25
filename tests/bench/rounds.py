"""Rounds over all cases, interleaved: what disturbs the machine disturbs every case alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import psutil

from tests.bench.cases import Case, Kind, floor_of
from tests.bench.h2load import run_h2load
from tests.bench.stack import measure_cpu
from tests.bench.wrk import Load, Measured, run_wrk

_HEADERS: dict[Kind, dict[str, str]] = {
    "rest": {},
    "grpc": {"content-type": "application/grpc", "te": "trailers"},
    "grpc-web": {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
}
_WORTH_US = 15  # of CPU per answer: less is not listed


@dataclass(frozen=True)
class Result:
    """A case over all rounds.

    Attributes:
        rate: the median of the rounds.
        p50_ms: of the answers of all rounds together, as `p99_ms`.
        tail: p99 to p50 of a round, the median over the rounds: on a shared machine rounds differ in speed, and all
            together they have a longer tail than each.
        ratio: to the floor, the median over the rounds of both in the same round.
        ratio_high: three rounds of four were not better than this.
        cpu_ratio: the floor's CPU per answer to the case's, all processes together: what the ratio would be if
            nothing else disturbed the machine and nothing waited.
        cpu_us: CPU of each process per answer, in microseconds.
    """

    name: str
    connections: int
    rate: float
    p50_ms: float
    p99_ms: float
    tail: float
    ratio: float
    ratio_high: float
    target: float
    cpu_ratio: float
    cpu_us: Mapping[str, float]

    @property
    def is_short(self) -> bool:
        """Whether it falls short of what was promised."""
        return 0 < self.ratio < self.target

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


@dataclass(frozen=True)
class Sample:
    """One case in one round: what wrk saw, and CPU per answer of each process."""

    measured: Measured
    cpu_us: Mapping[str, float]


def run_rounds(
    url: str,
    cases: Sequence[Case],
    headers: Callable[[Case], Mapping[str, str]],
    *,
    connections: int,
    rounds: int,
    seconds: float,
    processes: Mapping[str, psutil.Process],
) -> list[Result]:
    """Measure every case in every round."""
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            load = Load(case.paths, {**_HEADERS[case.kind], **headers(case)}, case.method, case.body)
            program = run_h2load if case.kind == "grpc" else run_wrk
            run = partial(program, url, load, connections=connections, seconds=seconds)
            samples[case.name].append(_measure(run, processes))
    return [summarize(case, samples, connections) for case in cases]


def _measure(run: Callable[[], Measured], processes: Mapping[str, psutil.Process]) -> Sample:
    before = measure_cpu(processes)
    measured = run()
    after = measure_cpu(processes)
    cpu = {name: (after[name] - before[name]) * 1e6 / measured.answers for name in processes}
    return Sample(measured, cpu)


def _median_cpu(samples: Sequence[Sample], name: str) -> int:
    return round(statistics.median(each.cpu_us[name] for each in samples))


def _cpu_of(samples: Sequence[Sample]) -> float:
    return statistics.median(sum(each.cpu_us.values()) for each in samples)


def _find_share(took: Sequence[float], share: float) -> float:
    """The latency that a share of sorted ones does not reach."""
    return took[int(len(took) * share)]


def _tail_of(took: Sequence[float]) -> float:
    return _find_share(took, 0.99) / _find_share(took, 0.5)


def summarize(case: Case, samples: Mapping[str, Sequence[Sample]], connections: int) -> Result:
    """A case over all rounds; a case whose floor was not measured is held against itself."""
    own, floor = samples[case.name], samples.get(floor_of(case), samples[case.name])
    ratios = [a.measured.rate / b.measured.rate for a, b in zip(own, floor, strict=True)]
    took = sorted(each for sample in own for each in sample.measured.took)
    return Result(
        name=case.name,
        connections=connections,
        rate=round(statistics.median(each.measured.rate for each in own), 1),
        p50_ms=round(_find_share(took, 0.5), 2),
        p99_ms=round(_find_share(took, 0.99), 2),
        tail=round(statistics.median(_tail_of(each.measured.took) for each in own), 2),
        ratio=round(statistics.median(ratios), 3),
        ratio_high=round(sorted(ratios)[len(ratios) * 3 // 4], 3),
        target=case.target,
        cpu_ratio=round(_cpu_of(floor) / _cpu_of(own), 3),
        cpu_us={name: value for name in own[0].cpu_us if (value := _median_cpu(own, name)) >= _WORTH_US},
    )
