"""wrk: one load on one path, or on many in turn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_POINTS = 1000
_SCRIPT = """
local paths = {%s}
local number = 0
local headers = {%s}
request = function()
  number = number %% #paths + 1
  return wrk.format(%s, paths[number], headers, %s)
end
done = function(_, latency, _)
  for point = 1, %d do io.write(string.format("took %%d\\n", latency:percentile((point - 0.5) * 100 / %d))) end
end
"""


class WrkMissingError(Exception):
    """wrk is not installed."""


class AnswersWrongError(Exception):
    """Answers were not what was asked for."""


@dataclass(frozen=True)
class Measured:
    """What a load saw.

    Attributes:
        rate: answers a second.
        took: milliseconds of 1,000 answers, evenly chosen from the fastest to the slowest; fewer where there were fewer.
    """

    rate: float
    answers: int
    took: Sequence[float]


@dataclass(frozen=True)
class Load:
    """What to ask, again and again.

    Attributes:
        paths: below the gateway, taken in turn.
        expected: whether statuses beyond 399 are part of it.
    """

    paths: Sequence[str]
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""
    expected: bool = False


def run_wrk(url: str, load: Load, *, connections: int, seconds: float) -> Measured:
    """Load a gateway.

    Raises:
        WrkMissingError: there is no wrk.
        AnswersWrongError: there was an answer of 400 or more, an error on a socket, or none at all.
    """
    program = shutil.which("wrk")
    if program is None:
        raise WrkMissingError("wrk is not installed (apt-get install wrk)")
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(_render_script(load))
        script.flush()
        arguments = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s"]
        done = subprocess.run(
            [program, *arguments, "-s", str(Path(script.name)), url],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        )
    return parse_output(done.stdout, load)


def parse_output(text: str, load: Load) -> Measured:
    """Read what wrk printed.

    Raises:
        AnswersWrongError: there was an answer of 400 or more, an error on a socket, or none at all.
    """
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: (.*)", text)
    answers = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if (wrong and not load.expected) or broken or answers is None or rate is None or answers[1] == "0":
        raise AnswersWrongError(f"{load.method} {load.paths[0]}: {text}")
    took = [int(each) / 1000 for each in re.findall(r"^took (\d+)$", text, re.MULTILINE)]
    if len(took) != _POINTS:
        raise AnswersWrongError(f"wrk tells {len(took)} latencies, not {_POINTS}: {text}")
    return Measured(float(rate[1]), int(answers[1]), took)


def choose_evenly(took: Sequence[float]) -> list[float]:
    """At most 1,000 of sorted latencies, evenly chosen."""
    count = min(len(took), _POINTS)
    return [took[int((point + 0.5) * len(took) / count)] for point in range(count)]


def _render_script(load: Load) -> str:
    quote = json.dumps
    headers = ", ".join(f"[{quote(name)}] = {quote(value)}" for name, value in load.headers.items())
    paths = ", ".join(quote(path) for path in load.paths)
    body = '"' + "".join(f"\\{byte:03d}" for byte in load.body) + '"' if load.body else "nil"
    return _SCRIPT % (paths, headers, quote(load.method), body, _POINTS, _POINTS)
