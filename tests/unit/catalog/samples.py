"""A small valid item file, and ways to break it."""

from __future__ import annotations

from services.catalog.domain.entities import Item
from services.catalog.domain.faults import Fault
from services.catalog.domain.item_files.document import Document, parse_document
from services.catalog.domain.item_files.parser import lint_document, parse_item

ITEM = """\
id: sample
name: Sample App
version: "1.0"
description: Shows things.
category: Tools
tags: [one, two]
author: Nobody
website: https://example.com/
documentation: https://example.com/docs
license: MIT
architectures: [amd64, arm64]
runtimes: [compose, oci]
resources: {memory: {minimum: 64, recommended: 128}, cpu: {minimum: 0.5, recommended: 1}, disk: {minimum: 1, recommended: 2}}
ports:
  - {service: web, container: 80, published: 8080, purpose: web}
volumes:
  - {service: web, name: data, path: /data, purpose: data, backup: true}
inputs:
  - {name: TITLE, label: Title, type: text, default: Hello}
  - {name: LEVEL, label: Level, type: number, minimum: 1, maximum: 9, default: 3}
  - {name: ADMIN_PASSWORD, label: Password, type: password, generate: {length: 20}}
  - {name: SITE, label: Site, type: url, required: true}
probe: {kind: http, path: /}
compose:
  services:
    web:
      image: example/web:1.0
      ports: ["8080:80"]
      environment:
        TITLE: ${TITLE}
        LEVEL: ${LEVEL}
        ADMIN_PASSWORD: ${ADMIN_PASSWORD}
        SITE: "${SITE:?must be set}"
        COST: 5$$
      volumes: ["data:/data"]
  volumes:
    data:
"""


def read(text: str, file: str = "sample.yaml") -> Document:
    return parse_document(text.encode(), file)


def build(text: str = ITEM) -> Item:
    return parse_item(read(text), source="builtin")


def lint(text: str) -> list[Fault]:
    return lint_document(read(text))


def replaced(old: str, new: str) -> str:
    assert ITEM.count(old) == 1, f"{old!r} occurs {ITEM.count(old)} times"
    return ITEM.replace(old, new)
