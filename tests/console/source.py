"""A catalog source of one item whose versions a walk publishes."""

from __future__ import annotations

import time
from pathlib import Path

from tests.e2e.stack import RunningStack

NAME = "walks"
LIMIT_S = 60.0  # the catalog's worker fetches it
ITEM = """\
id: guestbook
name: Guestbook
version: "{version}"
description: Keeps what its guests write.
category: Tools
tags: [guests]
author: Nobody
website: https://example.com/
documentation: https://example.com/docs
license: MIT
architectures: [amd64]
runtimes: [compose]
resources: {{memory: {{minimum: 64, recommended: 64}}, cpu: {{minimum: 0.5, recommended: 1}}, disk: {{minimum: 1, recommended: 1}}}}
ports:
  - {{service: web, container: 8080, published: 8080, purpose: web}}
volumes:
  - {{service: web, name: data, path: /data, purpose: data, backup: true}}
inputs:
  - {{name: TITLE, label: Title, type: text, default: Hello}}
probe: {{kind: http, path: /, grace_seconds: 3}}
compose:
  services:
    web:
      image: example/guestbook:{version}
      ports: ["8080:8080"]
      environment: {{TITLE: "${{TITLE}}"}}
      volumes: ["data:/data"]
  volumes:
    data:
"""


def publish_version(stack: RunningStack, version: str) -> None:
    """Publish a version of the item and wait until the catalog has it; the source is registered with the first one."""
    folder: Path = stack.state / "sources" / NAME
    folder.mkdir(exist_ok=True)
    (folder / "guestbook.yaml").write_text(ITEM.format(version=version))
    api = stack.sign_in()
    known = [each["id"] for each in api.send("GET", "/catalog/sources")["sources"] if each["name"] == NAME]
    if known:
        api.send("POST", f"/catalog/sources/{known[0]}/refresh", {}, expect=202)
    else:
        body = {"name": NAME, "location": str(folder), "format": "native"}
        api.send("POST", "/catalog/sources", body, expect=201)
    deadline = time.monotonic() + LIMIT_S
    while all(
        each["version"] != version for each in api.send("GET", f"/catalog?source={NAME}")["applications"]
    ):
        assert time.monotonic() < deadline, f"the catalog has no version {version}"
        time.sleep(0.1)
