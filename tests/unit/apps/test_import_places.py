"""ImportExportedApp: where the archive of the data is."""

from __future__ import annotations

from typing import Any

import pytest

from services.common.core.errors import InvalidError
from tests.fakes.apps_service import Service
from tests.fakes.exported_apps import (
    PASSPHRASE,
    deploy_with_backup,
    export,
    import_app,
    name_archive,
)


async def test_the_place_of_the_archive_is_read_with_its_original_name(service: Service) -> None:
    source = await deploy_with_backup(service, THEME="dark")
    document = await export(service, source.id, passphrase=PASSPHRASE)
    storage = document["archive"]["volume_id"].partition(":")[0]
    fields = {"passphrase": PASSPHRASE}
    app = await import_app(service, document, **fields, archive={"host_id": 1, "storage": storage})
    assert app.status == "running"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"archive": {"host_id": 1}}, "names no archive"),
        ({"archive": {**name_archive(document), "storage": "nas"}}, "'nas' is not the storage"),
        ({"archive": name_archive(document), "host_id": 2}, "2 is another host"),
    ]
    for place, message in wrong:
        with pytest.raises(InvalidError, match=message):
            await import_app(service, document, **fields, **place)
    del document["archive"]
    make = {"archive": {"host_id": 1, "storage": storage}, **fields}
    with pytest.raises(InvalidError, match="the document names no archive"):
        await import_app(service, document, **make)
