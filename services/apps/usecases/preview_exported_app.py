"""PreviewExportedApp: the plan of an import and its obstacles."""

from __future__ import annotations

from services.apps.domain.imports import ImportOrder, ImportPlan
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.plan_import import plan_import


async def preview_exported_app(dependencies: AppDependencies, order: ImportOrder) -> ImportPlan:
    """Return the plan of an import, with all of its obstacles; nothing is changed or reserved.

    Raises:
        InvalidError: the passphrase or the request is wrong, or the document was changed.
    """
    return await plan_import(dependencies, order)
