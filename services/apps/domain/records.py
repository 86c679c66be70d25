"""The record of what runs in an app: rendered by the catalog, stored without values, rendered again when these change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.apps.domain.compose import mark_without_values, read_project
from services.apps.domain.entities import App, AppVersion
from services.clients.catalog.interface import Catalog
from services.clients.catalog.values import Rendering


def version_of(app: App) -> AppVersion:
    """Return the version that an app runs now."""
    return AppVersion(
        revision=app.revision,
        version=str(app.rendering.get("version", "")),
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
    values: Mapping[str, str],
    *,
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
        image=str(app.config.get("image", "")),
        port=int(app.config.get("port", 0)),
        hostname=app.hostname,
        project=read_project(str(app.rendering.get("compose", ""))) or app.hostname,
        revision=revision,
        # The catalog leaves out values of inputs that the new revision no longer has.
        from_revision=app.revision,
        secret=secret,
    )


def list_inputs(runtime: str, rendering: Rendering) -> Mapping[str, str]:
    """Return the values by input, where they are not what the container gets."""
    return rendering.inputs if runtime == "oci" else {}


def update_record(record: Mapping[str, Any], rendering: Rendering) -> dict[str, Any]:
    """Return the record of what runs in an app, after it was rendered again."""
    return mark_without_values({**record, "version": rendering.version, **_render_definition(rendering)})


def _render_definition(rendering: Rendering) -> dict[str, Any]:
    return {
        "compose": rendering.docker_compose,
        "images": list(rendering.images),
        "probe": dict(rendering.probe),
        "mounts": [list(mount) for mount in rendering.mounts],
        "credentials": dict(rendering.credentials),
        "devices": list(rendering.devices),
        **_render_image(rendering),
    }


def _render_image(rendering: Rendering) -> dict[str, Any]:
    entrypoint = " ".join(filter(None, (rendering.entrypoint, rendering.command)))
    return {"image": rendering.image, "entrypoint": entrypoint}
