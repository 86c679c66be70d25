"""The record of what runs in an app: rendered by the catalog, stored without values, rendered again when these change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from services.apps.domain.compose import read_project
from services.apps.domain.entities import App, AppVersion
from services.apps.domain.rendering import AppRendering
from services.clients.catalog.interface import Catalog
from services.clients.catalog.values import Rendering


def version_of(app: App) -> AppVersion:
    """Return the version that an app runs now."""
    return AppVersion(
        revision=app.revision,
        version=app.rendering.version,
        internal_port=app.internal_port,
        published=app.published,
        environment=app.environment,
        inputs=app.inputs,
        secret_names=app.secret_names,
        rendering=app.rendering,
    )


async def render_again(
    catalog: Catalog,
    app: App,
    *,
    values: Mapping[str, str],
    revision: str,
    secret: Mapping[str, bool],
) -> Rendering:
    """Render what an app runs with these values: of its own revision, of another, or (empty) of the newest.

    The compose project keeps its name, as Docker finds the volumes by it.

    Raises:
        InvalidError: a value does not fit its input.
        NotFoundError: the catalog has no such item or revision.
    """
    return await catalog.render_item(
        app.catalog_id,
        values,
        public_port=app.public_port or 0,
        runtime=app.runtime,
        image=app.config.image,
        port=app.config.port or 0,
        hostname=app.hostname,
        project=read_project(app.rendering.compose) or app.hostname,
        revision=revision,
        # The catalog leaves out values of inputs that the new revision no longer has.
        from_revision=app.revision,
        secret=secret,
    )


def list_inputs(runtime: str, rendering: Rendering) -> Mapping[str, str]:
    """Return the values by input, where they are not what the container gets."""
    return rendering.inputs if runtime == "oci" else {}


def update_record(record: AppRendering, rendering: Rendering) -> AppRendering:
    """Return the record of what runs in an app, after it was rendered again."""
    return dataclasses.replace(
        record,
        version=rendering.version,
        compose=rendering.docker_compose,
        images=rendering.images,
        probe=rendering.probe,
        mounts=rendering.mounts,
        credentials=rendering.credentials,
        devices=rendering.devices,
        image=rendering.image,
        entrypoint=" ".join(filter(None, (rendering.entrypoint, rendering.command))),
    ).mark_without_values()
