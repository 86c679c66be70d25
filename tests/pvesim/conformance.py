"""`python -m tests.pvesim.conformance`: how far the simulator answers as the recorded server did."""

import json
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pvesim.replay.client import PREFIX, Answer, run_simulator
from tests.pvesim.replay.compare import Verdict, compare, compare_bodies, simplify
from tests.pvesim.replay.scenes import JSON_PUT, Scene

RECORDINGS = Path(__file__).parent / "recordings"
OPTIONS = ("--preset", "recorded", "--task-seconds", "0.02")
BODY_LIMIT = 0.97
"""Share of the fields of a recording that the simulator must have with the same type."""
PLACEHOLDERS = {"V": "201", "W": "202", "X": "203"}
PLACEHOLDER = re.compile(r"(?<=[/-])[VWX](?=[/-]|\d|$)")


@dataclass(frozen=True)
class Result:
    """One recording's agreement."""

    name: str
    verdicts: list[Verdict]

    @property
    def status(self) -> float:
        return sum(one.status_agrees for one in self.verdicts) / len(self.verdicts)

    @property
    def bodies(self) -> float:
        return sum(one.agreeing for one in self.verdicts) / max(1, sum(one.fields for one in self.verdicts))

    @property
    def passed(self) -> bool:
        return self.status == 1 and self.bodies >= BODY_LIMIT


def replay_file(path: Path) -> Result:
    """Replay one recording on a server of its own."""
    exchanges = read_recording(path)
    with tempfile.TemporaryDirectory() as folder, run_simulator(Path(folder), *OPTIONS) as client:
        scene = Scene(client)
        scene.prepare(path.stem, exchanges)
        verdicts: list[Verdict] = []
        index = 0
        while index < len(exchanges):
            group = _find_race(exchanges, index)
            if group:
                verdicts += _replay_race(scene, group)
            else:
                verdicts.append(_replay_one(scene, exchanges[index]))
            index += len(group) or 1
    return Result(path.stem, verdicts)


def read_recording(path: Path) -> list[dict[str, Any]]:
    """Read the exchanges of a recording that were answered, with the container ids written out.

    A recording may name its containers V, W and X in the paths. An exchange with status 0 is a connection that
    the server dropped before it did anything: there is no answer to compare, and what comes after shows no effect.
    """
    exchanges = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    for exchange in exchanges:
        exchange["req"] = PLACEHOLDER.sub(lambda found: PLACEHOLDERS[found[0]], exchange["req"])
    return [exchange for exchange in exchanges if exchange["status"]]


def _replay_one(scene: Scene, exchange: dict[str, Any]) -> Verdict:
    label, request = str(exchange["label"]), str(exchange["req"])
    scene.step_in(label, request)
    upid = _find_upid(exchange["body"])
    if upid:
        scene.set_clock(int(upid.split(":")[4], 16))
    answer = _send(scene, exchange)
    verdict = compare(label, request, want=exchange, got=_unwrap(exchange, answer))
    mine = _find_upid(answer.body)
    if upid and mine:
        scene.upids[upid] = mine
        if upid.split(":")[5:7] != mine.split(":")[5:7]:
            verdict.remarks.append(f"task: want {upid.split(':')[5:7]}, got {mine.split(':')[5:7]}")
            verdict.status_agrees = False
        _follow(scene, exchange, mine, verdict)
    return verdict


def _unwrap(exchange: dict[str, Any], answer: Answer) -> Answer:
    """A few answers were written down without their `data` around them."""
    bare = isinstance(exchange["body"], dict) and "ticket" in exchange["body"]
    if not bare:
        return answer
    kept = {key: str(value) for key, value in answer.data.items()}
    return Answer(answer.status, answer.reason, kept)


def _follow(scene: Scene, exchange: dict[str, Any], upid: str, verdict: Verdict) -> None:
    """Wait for a task's end, and compare it with the recorded end."""
    status = scene.client.wait_task(upid, scene.cookie)
    want = exchange.get("task_status") or {"data": exchange.get("tstatus") or {}}
    if not want or "exitstatus" not in want["data"]:
        return
    compare_bodies(verdict, want, status)
    expected, ended = (simplify(str(one["data"].get("exitstatus"))) for one in (want, status))
    verdict.fields += 1
    if expected == ended:
        verdict.agreeing += 1
    else:
        verdict.remarks.append(f"task: want {expected!r}, got {ended!r}")
    log = scene.client.call("GET", f"/nodes/pve/tasks/{upid}/log", headers=scene.cookie)
    if "task_log" in exchange:
        compare_bodies(verdict, exchange["task_log"], log.body)


def _send(scene: Scene, exchange: dict[str, Any]) -> Answer:
    label = str(exchange["label"])
    method, _, path = str(exchange["req"]).partition(" ")
    headers = scene.choose_headers(label, exchange)
    for recorded, mine in scene.upids.items():
        for written in (recorded, recorded.replace(":", "%3A").replace("@", "%40").replace("!", "%21")):
            path = path.replace(written, mine)
    if label in JSON_PUT:
        headers = {**headers, "Content-Type": "application/json"}
        return scene.client.send(method, f"{PREFIX}{path}", headers=headers, body=JSON_PUT[label])
    if label == "wrong ctype":
        headers = {**headers, "Content-Type": "text/plain"}
        return scene.client.send(method, f"{PREFIX}{path}", headers=headers, body="x")
    return scene.client.call(method, path, _fill_params(scene, exchange, path), headers=headers)


def _fill_params(scene: Scene, exchange: dict[str, Any], path: str) -> dict[str, Any]:
    params = dict(exchange["params"] or {})
    if path == "/access/ticket" and exchange["req"].startswith("POST"):
        params.setdefault("username", scene.client.ready["user"])
        params.setdefault("password", scene.client.ready["password"])
        if str(params["password"]).startswith("PVE:"):
            params["password"] = scene.ticket
    return params


def _find_upid(body: Any) -> str | None:
    data = body.get("data") if isinstance(body, dict) else None
    return data if isinstance(data, str) and data.startswith("UPID:") else None


def _find_race(exchanges: list[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    group = []
    for one in exchanges[index:]:
        if not str(one["label"]).startswith("race "):
            break
        group.append(one)
    return group


def _replay_race(scene: Scene, group: list[dict[str, Any]]) -> list[Verdict]:
    """Requests sent at once: one wins, and either wording is right for those who lose."""
    with ThreadPoolExecutor(len(group)) as pool:
        answers = list(pool.map(lambda one: _send(scene, one), group))
    verdicts = []
    wants = sorted(group, key=lambda one: int(one["status"]))
    words = {one["reason"] for one in group}
    for want, answer in zip(wants, sorted(answers, key=lambda one: one.status), strict=True):
        chosen = want
        if answer.reason in words and want["status"] == answer.status:
            chosen = next(one for one in group if one["reason"] == answer.reason)
        verdict = compare(str(chosen["label"]), str(chosen["req"]), want=chosen, got=answer)
        if mine := _find_upid(answer.body):
            _follow(scene, chosen, mine, verdict)
        verdicts.append(verdict)
    return verdicts


def report(results: list[Result]) -> bool:
    """Print the agreement, then everything that disagrees; True when it suffices."""
    for result in results:
        counts = f"{len(result.verdicts)} exchanges"
        print(f"{result.name:36} {counts:>14}  status {result.status:7.1%}  bodies {result.bodies:7.1%}")
    for result in results:
        for number, verdict in enumerate(result.verdicts):
            for remark in verdict.remarks:
                print(f"  {result.name}#{number} [{verdict.label}] {verdict.request}: {remark}")
    return all(one.passed for one in results)


def main(arguments: list[str]) -> int:
    """Replay the given recordings, or all that belong to the project."""
    paths = [Path(one) for one in arguments] or sorted(RECORDINGS.glob("*.jsonl"))
    return 0 if report([replay_file(path) for path in paths]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
