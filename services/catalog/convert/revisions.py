"""protobuf <-> domain: revisions and their differences."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.convert.items import render_icon, render_input
from services.catalog.domain.revisions import ListedRevision, RevisionComparison


def render_changes(changes: RevisionComparison) -> pb.RevisionChanges:
    """Render the differences of two revisions."""
    return pb.RevisionChanges(
        revision=changes.item.revision,
        version=changes.item.version,
        from_version=changes.from_version,
        images=[
            item_pb2.ImageChange(service=change.service, before=change.before, after=change.after)
            for change in changes.images
        ],
        inputs=[render_input(one) for one in changes.item.inputs],
        added_inputs=changes.added_inputs,
        removed_inputs=changes.removed_inputs,
        notes=changes.notes,
        release_notes_url=changes.release_notes_url or None,
        release_notes=changes.item.release_notes,
    )


def render_revisions(items: Sequence[ListedRevision]) -> pb.ListRevisionsResponse:
    """Render the newest revisions of items."""
    return pb.ListRevisionsResponse(
        revisions=[
            pb.ItemRevision(
                app_id=one.item.id,
                revision=one.item.revision,
                version=one.item.version,
                icon=render_icon(one.item) if one.has_icon else "",
            )
            for one in items
        ]
    )
