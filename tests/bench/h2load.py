"""h2load: gRPC as native clients send it, over HTTP/2, one call at a time on each connection."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.wrk import AnswersWrongError, Load, Measured, WrkMissingError, choose_evenly


def run_h2load(url: str, load: Load, *, connections: int, seconds: float) -> Measured:
    """Load a gateway with one call.

    Raises:
        WrkMissingError: there is no h2load.
        AnswersWrongError: calls failed, or there was no answer at all.
    """
    program = shutil.which("h2load")
    if program is None:
        raise WrkMissingError("h2load is not installed (apt-get install nghttp2-client)")
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(load.body)
        headers = [part for name, value in load.headers.items() for part in ("-H", f"{name}: {value}")]
        limits = [f"-c{connections}", "-m1", f"-D{seconds:.0f}", "-d", str(body), f"--log-file={log}"]
        done = subprocess.run(
            [program, *limits, *headers, f"{url}{load.paths[0]}"],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        )
        return parse_log(done.stdout, log.read_text(encoding="utf-8"), seconds=seconds)


def parse_log(text: str, log: str, *, seconds: float) -> Measured:
    """Read what h2load printed, and its log: a line for each answer with its status and its microseconds.

    Raises:
        AnswersWrongError: calls failed, or there was no answer at all.
    """
    answers = [line.split("\t") for line in log.splitlines()]
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    if (
        not answers
        or failed is None
        or set(failed.groups()) != {"0"}
        or {each[1] for each in answers} != {"200"}
    ):
        raise AnswersWrongError(text)
    took = sorted(int(each[2]) / 1000 for each in answers)
    return Measured(len(took) / seconds, len(took), choose_evenly(took))
