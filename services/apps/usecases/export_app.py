"""ExportApp: an app as a document, with which another platform imports it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.apps.domain.app_checks import require_stable
from services.apps.domain.export_document import describe_document, split_values
from services.apps.domain.export_sealing import render_canonical, seal_values
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.stored_values import replace_values
from services.common import VERSION
from services.common.core.clock import now


async def export_app(
    dependencies: AppDependencies,
    app_id: str,
    *,
    owner_filter: int | None,
    passphrase: str = "",
    backup_id: int | None = None,
) -> Mapping[str, Any]:
    """Return the document of an app as JSON values; nothing is changed.

    It describes the app as it was when the archive was made. With a passphrase the hidden values are in it, sealed; without
    one, `missing_values` names them.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        AppBusyError: an operation on it is under way.
        NotFoundError: it has no backup `backup_id`.
        PreconditionError: that backup has no archive.
        UnavailableError: backups does not answer.
    """
    present = await dependencies.store.get_app(app_id, owner=owner_filter)
    require_stable(present)
    backups = await dependencies.backups.find_exportable_backup(app_id, backup_id=backup_id)
    made_by = backups.archive.made_by if backups.archive else ""
    app = await dependencies.store.get_app_of_backup(app_id, made_by) if made_by else present
    compose = app.rendering.compose
    # Earlier releases wrote values into definitions.
    if compose and not app.rendering.is_without_values:
        compose = await asyncio.to_thread(replace_values, compose, app.given)
    document = describe_document(app, backups, compose=compose, product_version=VERSION, exported_at=now())
    secret = {
        "environment": split_values(app, app.environment).hidden,
        "inputs": split_values(app, app.inputs).hidden,
    }
    if not passphrase:
        return {**document, "missing_values": sorted({*secret["environment"], *secret["inputs"]})}
    sealed = await seal_values(secret, passphrase, authenticated=render_canonical(document))
    return {**document, "sealed": asdict(sealed)}
