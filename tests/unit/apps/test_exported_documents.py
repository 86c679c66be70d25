"""Documents of exports: what is refused of one that was changed, or that no export writes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from services.apps.domain.errors import (
    DocumentChangedError,
    DocumentTooNewError,
    PassphraseWrongError,
)
from services.common.core.errors import InvalidError
from tests.fakes.apps_service import Service
from tests.fakes.exported_apps import (
    PASSPHRASE,
    deploy_with_backup,
    export,
    import_app,
    make_derivation_cheap,
)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_derivation_cheap(monkeypatch)


Change = Callable[[dict[str, Any]], object]
# Of a sealed document, one in each part of it.
CHANGES: tuple[Change, ...] = (
    lambda d: d["app"].update(hostname="other"),
    lambda d: d["app"]["environment"].update(EXTRA=""),
    lambda d: d["app"]["definition"].update(compose="services: {x: {image: evil}}"),
    lambda d: d["archive"].update(size=1.5),
    lambda d: d["app"].update(adopted=True),
    lambda d: d["sealed"].update(ciphertext="AAAA"),
    lambda d: d["notes"].clear(),
)


async def test_a_sealed_document_that_was_changed_is_refused(service: Service) -> None:
    source = await deploy_with_backup(service, THEME="dark")
    document = await export(service, source.id, passphrase=PASSPHRASE)
    for change in CHANGES:
        changed = copy.deepcopy(document)
        change(changed)
        with pytest.raises(DocumentChangedError, match="was changed after it was exported"):
            await import_app(service, changed, passphrase=PASSPHRASE)


async def test_other_writers_of_json_change_nothing(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id, passphrase=PASSPHRASE)
    app = dict(reversed(document["app"].items()))
    app |= {"adopted": False, "hidden_inputs": [], "internal_port": float(app["internal_port"])}
    rewritten = json.loads(json.dumps(dict(reversed({**document, "app": app}.items())), indent=2))
    assert (await import_app(service, rewritten, passphrase=PASSPHRASE)).status == "running"


WRONG: tuple[tuple[Change, str], ...] = (
    (lambda d: d.update(format="other"), "no document of an app's export"),
    (lambda d: d.update(format_version="1"), "format_version: is no number"),
    (lambda d: d.update(format_version=0), "format_version: 0 is no format"),
    (lambda d: d.update(surprise=1), 'no field named "surprise"'),
    (lambda d: d["app"].update(internal_port="http"), "internal_port"),
    (lambda d: d["app"].update(internal_port=70000), "70000 is no TCP port"),
    (lambda d: d["app"].update(catalog_id="../etc"), "catalog_id"),
    (lambda d: d["app"].update(hostname="-"), "hostname"),
    (lambda d: d["app"].update(name=""), r"app\.name"),
    (lambda d: d["app"].update(runtime="vm"), "'vm' is not one of compose, oci, adopted"),
    (lambda d: d["app"]["resources"].update(memory=1), "memory: 1 is not between"),
    (lambda d: d["app"]["environment"].update({"a b": "x"}), "'a b' is no name of a value"),
    (lambda d: d["app"]["definition"].update(compose="[1"), "is no YAML"),
    (lambda d: d["app"]["definition"].update(compose="x: 1"), "it has no services"),
)


async def test_a_document_that_no_export_writes_is_refused(service: Service) -> None:
    source = await deploy_with_backup(service, THEME="dark")
    document = await export(service, source.id)
    for change, message in WRONG:
        changed = copy.deepcopy(document)
        change(changed)
        with pytest.raises(InvalidError, match=message):
            await import_app(service, changed, environment={"PASSWORD": "x"})


async def test_a_document_of_a_later_release_is_refused_whatever_is_in_it(service: Service) -> None:
    document = {"format": "proximity-app", "format_version": 2, "product_version": "9.1", "news": [1]}
    with pytest.raises(
        DocumentTooNewError, match=r"format 2 and was written by Proximity 9\.1.*update it first"
    ):
        await import_app(service, document)


async def test_a_wrong_passphrase_is_told_from_a_changed_document(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id, passphrase=PASSPHRASE)
    with pytest.raises(PassphraseWrongError, match="not the passphrase of the export"):
        await import_app(service, document, passphrase="something else")
    with pytest.raises(InvalidError, match="passphrase: the document has sealed values"):
        await import_app(service, document)
    with pytest.raises(InvalidError, match="the document has no sealed values"):
        await import_app(service, await export(service, source.id), passphrase=PASSPHRASE)
    for name, value in (("n", 1 << 30), ("n", 5000), ("r", 64), ("p", 99), ("kdf", "md5"), ("salt", "?")):
        changed = {**document, "sealed": {**document["sealed"], name: value}}
        with pytest.raises(InvalidError, match=r"document\.sealed"):
            await import_app(service, changed, passphrase=PASSPHRASE)
