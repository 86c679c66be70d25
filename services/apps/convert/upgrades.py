"""Inputs of catalog items, from the catalog's messages, and updates that ask for some."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.apps.usecases.upgrades import AppUpdate
from services.clients.catalog.values import ItemInput


def render_input(one: ItemInput) -> item_pb2.ItemInput:
    """Render an input."""
    return item_pb2.ItemInput(
        name=one.name,
        label=one.label,
        type=one.type,
        required=one.required,
        default=one.default,
        pattern=one.pattern,
        help=one.help,
        choices=[value for value, _ in one.options],
        options=[item_pb2.ItemChoice(value=value, label=label) for value, label in one.options],
        secret=one.secret,
        generated=one.generated,
        minimum=one.minimum,
        maximum=one.maximum,
        unit=one.unit,
    )


def render_update(update: AppUpdate) -> pb.AppUpdate:
    """Render what an update changes, and what it needs."""
    app, changes = update.app, update.changes
    return pb.AppUpdate(
        app_id=app.id,
        available=changes.revision != app.revision,
        revision=changes.revision,
        version=changes.version,
        current_revision=app.revision,
        # Records of earlier releases have no version; the catalog knows it by the revision.
        current_version=app.rendering.version or changes.from_version,
        images=[
            item_pb2.ImageChange(service=service, before=before, after=after)
            for service, before, after in changes.images
        ],
        added_inputs=[render_input(one) for one in changes.added_inputs],
        removed_inputs=changes.removed_inputs,
        needs=[pb.UpdateNeed(name=name, reason=reason) for name, reason in update.needs],
        notes=changes.notes,
        obstacles=update.obstacles,
        release_notes_url=changes.release_notes_url or None,
        release_notes=changes.release_notes,
    )
