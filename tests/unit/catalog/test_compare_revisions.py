"""CompareRevisions: images, inputs and notes that differ between two revisions of an item."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import ItemNotFoundError, RevisionNotFoundError
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import ITEM, replaced

NEW_INPUT = "  - {name: COLOUR, label: Colour, type: text, default: red}\n  - {name: LEVEL"


async def publish(replica: CatalogReplica, folder: Path, text: str) -> str:
    """Publish a text as the sample item and return its revision."""
    (folder / "sample.yaml").write_text(text)
    await replica.api.reload_catalog(empty_pb2.Empty())
    return (await replica.api.get_item(pb.GetItemRequest(app_id="sample"), make_call())).message.revision


def make_second() -> str:
    text = replaced("  - {name: LEVEL", NEW_INPUT)
    text = text.replace("  - {name: TITLE, label: Title, type: text, default: Hello}\n", "")
    text = text.replace("        TITLE: ${TITLE}\n", "        COLOUR: ${COLOUR}\n")
    text = text.replace('version: "1.0"', 'version: "2.0"').replace("web:1.0", "web:2.0")
    return text + "notes: [Back up first.]\n"


async def test_the_differences_of_two_revisions(replica: CatalogReplica, folder: Path) -> None:
    first, second = await publish(replica, folder, ITEM), await publish(replica, folder, make_second())
    request = pb.CompareRevisionsRequest(app_id="sample", from_revision=first, revision=second)
    changes = await replica.internal.compare_revisions(request)
    assert (changes.from_version, changes.version, changes.revision) == ("1.0", "2.0", second)
    assert [(one.service, one.before, one.after) for one in changes.images] == [
        ("web", "example/web:1.0", "example/web:2.0")
    ]
    assert (list(changes.added_inputs), list(changes.removed_inputs)) == (["COLOUR"], ["TITLE"])
    assert list(changes.notes) == ["Back up first."]


async def test_a_former_revision_that_is_unknown_makes_everything_new(
    replica: CatalogReplica, folder: Path
) -> None:
    await publish(replica, folder, ITEM)
    for unknown in ("", "never-published"):
        request = pb.CompareRevisionsRequest(app_id="sample", from_revision=unknown)
        changes = await replica.internal.compare_revisions(request)
        assert changes.from_version == ""
        assert set(changes.added_inputs) == {"TITLE", "LEVEL", "ADMIN_PASSWORD", "SITE"}


async def test_an_unknown_item_or_revision_to_go_to_is_refused(replica: CatalogReplica, folder: Path) -> None:
    await publish(replica, folder, ITEM)
    with pytest.raises(RevisionNotFoundError, match="no revision 'other'"):
        await replica.internal.compare_revisions(
            pb.CompareRevisionsRequest(app_id="sample", revision="other")
        )
    with pytest.raises(ItemNotFoundError, match="nothing"):
        await replica.internal.compare_revisions(pb.CompareRevisionsRequest(app_id="nothing"))
