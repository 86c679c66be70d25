"""`python -m tests.collections.deploy API PASSWORD` deploys items of a running platform with the values that its form offers.

All items of ours, and `--imported` (60) of the registered sources, a seeded sample that is spread over them. Each is
previewed, deployed, waited for and deleted. `--source NAME=FORMAT:FOLDER` registers a source first. Exit status 1: one of
them does not run, or shows a raw variable or HTML.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Record = dict[str, Any]

_PUBLISHED_S = 300.0  # the largest collection takes 10 s on an idle machine
_RUNNING_S = 420.0  # a simulated deployment takes seconds; the rest is for a busy machine
_POLL_S = 1.5
_REQUEST_S = 60.0
_HTML = "a|b|br|center|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|span|strong|table|td|tr|u|ul"
RAW_TEXT = re.compile(rf"\$\{{|</?(?:{_HTML})(?:\s[^<>]*)?/?>", re.IGNORECASE)
"""A variable that nobody replaced, or HTML, in a text that people read."""


class Api:
    """The REST API of a running platform, as an administrator."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self._address = address.rstrip("/")
        self._token = ""
        self._token = self.call("POST", "/auth/login", {"username": username, "password": password})["access"]

    def call(self, method: str, path: str, body: Record | None = None) -> Any:
        """Send a request and return the answer.

        Raises:
            RuntimeError: it is refused, with the platform's sentence.
        """
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self._address}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_S) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:600]}") from None


def make_values(item: Mapping[str, Any]) -> dict[str, str]:
    """Return values for the inputs that a person must give, within the limits that the form shows."""
    wanted = (one for one in item.get("inputs", ()) if one.get("required") and not one.get("default"))
    return {one["name"]: _make_value(one) for one in wanted if not one.get("generated")}


def _make_value(item_input: Mapping[str, Any]) -> str:
    if choices := item_input.get("choices"):
        return str(choices[0]["value"] if isinstance(choices[0], dict) else choices[0])
    least = int(item_input.get("minimum") or 0)
    if item_input["type"] == "number":
        return str(max(least, 1))
    value = _EXAMPLES.get(item_input["type"], "Example-value-1")
    return value if len(value) >= least else (value * (least // len(value) + 1))[:least]


_EXAMPLES = {"url": "https://example.com", "email": "you@example.com", "port": "8080", "boolean": "true",
             "timezone": "Etc/UTC"}  # fmt: skip


def list_raw_texts(record: Any, path: str = "") -> Iterator[str]:
    """Yield the texts of an answer in which a variable or HTML stands, without those that a program reads."""
    if isinstance(record, dict):
        for key, value in record.items():
            if key not in {"docker_compose", "compose", "environment", "default", "images", "value"}:
                yield from list_raw_texts(value, f"{path}.{key}")
    elif isinstance(record, list):
        for value in record:
            yield from list_raw_texts(value, path)
    elif isinstance(record, str) and RAW_TEXT.search(record):
        yield f"{path.strip('.')}: {record[:200]!r}"


def main(arguments: list[str]) -> int:
    """Deploy the items and print what does not run."""
    parser = argparse.ArgumentParser(prog="python -m tests.collections.deploy", description=__doc__)
    parser.add_argument("api", help="http://127.0.0.1:8000/api")
    parser.add_argument("password")
    parser.add_argument("--username", default="admin")
    parser.add_argument("--source", action="append", default=[], metavar="NAME=FORMAT:LOCATION")
    parser.add_argument("--imported", type=int, default=60)
    parser.add_argument("--own", type=int, default=1000, help="of our own items, at most")
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args(arguments)
    api = Api(options.api, options.username, options.password)
    for text in options.source:
        name, _, rest = text.partition("=")
        kind, _, location = rest.partition(":")
        _add_source(api, name, kind, location)
    chosen = choose_items(api, options)
    with ThreadPoolExecutor(options.at_once) as pool:
        outcomes = list(pool.map(lambda item_id: deploy(api, item_id), chosen))
    faults = [fault for outcome in outcomes for fault in outcome]
    for fault in faults:
        sys.stdout.write(f"{fault}\n")
    sys.stdout.write(f"{len(chosen)} items deployed, {len(faults)} faults\n")
    return 1 if faults else 0


def _add_source(api: Api, name: str, kind: str, location: str) -> None:
    source = api.call("POST", "/catalog/sources", {"name": name, "format": kind, "location": location})
    deadline = time.monotonic() + _PUBLISHED_S
    while source["status"] in {"new", "fetching"} and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        source = next(
            one for one in api.call("GET", "/catalog/sources")["sources"] if one["id"] == source["id"]
        )
    sys.stdout.write(
        f"{name}: {source['status']}, {source.get('item_count', 0)} items {source.get('error', '')}\n"
    )


def choose_items(api: Api, options: argparse.Namespace) -> list[str]:
    """Return ids of items: ours, and a seeded sample of the others that is spread over the sources."""
    by_source: dict[str, list[str]] = defaultdict(list)
    names = ["builtin", *(one["name"] for one in api.call("GET", "/catalog/sources")["sources"])]
    for name in names:
        found = api.call("GET", f"/catalog?view=summary&source={name}")["applications"]
        by_source[name] = sorted(one["id"] for one in found)
    draw = random.Random(options.seed)
    ours = by_source.pop("builtin")[: options.own]
    share = -(-options.imported // max(len(by_source), 1))
    others = [one for ids in by_source.values() for one in draw.sample(ids, min(share, len(ids)))]
    return [*ours, *others[: options.imported]]


def deploy(api: Api, item_id: str) -> list[str]:
    """Preview, deploy and delete an item; return what went wrong."""
    faults: list[str] = []
    try:
        item = api.call("GET", f"/catalog/{item_id}")
        faults += [f"{item_id} shows {text}" for text in list_raw_texts(item)]
        body: Record = {"environment": make_values(item)}
        hostname = re.sub(r"[^a-z0-9]+", "-", f"t-{item_id}"[:58].lower()).strip("-")
        preview = api.call("POST", f"/catalog/{item_id}/render", {**body, "hostname": hostname})
        if not preview.get("node"):
            return [*faults, f"{item_id} has no place: {preview.get('placement_message')}"]
        app = api.call("POST", "/apps", {"catalog_id": item_id, "hostname": hostname, **body})
        faults += _follow(api, item_id, app["id"], is_page=any(one.get("main") for one in item["ports"]))
        api.call("DELETE", f"/apps/{app['id']}")
    except RuntimeError as error:
        faults.append(f"{item_id}: {error}")
    return faults


def _follow(api: Api, item_id: str, app_id: str, *, is_page: bool) -> list[str]:
    deadline = time.monotonic() + _RUNNING_S
    state: Record = {}
    while time.monotonic() < deadline:
        state = api.call("GET", f"/apps/{app_id}/status")
        if state["status"] in {"running", "error", "failed", "stopped"}:
            break
        time.sleep(_POLL_S)
    if state["status"] != "running":
        return [f"{item_id} is {state['status']}: {state.get('message') or state.get('error') or state}"]
    app = api.call("GET", f"/apps/{app_id}")
    raw = [f"{item_id} as an app shows {text}" for text in list_raw_texts(app)]
    return raw + ([f"{item_id} has no url"] if is_page and not app.get("url") else [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
