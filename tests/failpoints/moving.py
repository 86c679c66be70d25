"""Apps that move to another platform: their document, and its import."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from proximity.apps.v1 import export_pb2 as pb

from services.apps.convert.exports import parse_import_order, render_export
from services.apps.usecases.export_app import export_app
from services.apps.usecases.import_exported_app import Import, import_exported_app
from tests.failpoints.platform import OWNER, Platform, asked


async def export(platform: Platform, app_id: str, *, passphrase: str = "") -> dict[str, Any]:
    """Export an app; the document as REST writes it into a file."""
    found = await export_app(platform.dependencies, app_id, owner_filter=None, passphrase=passphrase)
    written = json_format.MessageToDict(render_export(found), preserving_proto_field_name=True)
    document: dict[str, Any] = json.loads(json.dumps(written))
    return document


async def import_document(
    platform: Platform,
    document: dict[str, Any],
    *,
    archive: str = "",
    passphrase: str = "",
    hostname: str = "web-02",
    host_id: int = 1,
) -> Import:
    """Request the import of a document; a secret value that it lacks is given."""
    body: dict[str, Any] = {"document": document, "hostname": hostname, "passphrase": passphrase}
    body |= {"archive": {"host_id": host_id, "volume_id": archive}} if archive else {}
    body |= {"environment": dict.fromkeys(document.get("missing_values", ()), "given anew")}
    request = json_format.ParseDict(body, pb.ImportExportedAppRequest())
    requester = asked()
    order = parse_import_order(request, request_id=requester.operation_id, user=OWNER)
    return await import_exported_app(platform.dependencies, order, requester=requester)
