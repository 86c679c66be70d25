"""What a service prints for REST is what the gateway would print, and other clients get messages."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from google.api.httpbody_pb2 import HttpBody

from services.common.rpc.responses.rendered import Form, Rendered, render, render_list, serialize, wrap_json
from tests.contract.gateway.stub import Backend, Context, get_type

GET, UPDATE, LIST = (f"/proximity.apps.v1.AppsService/{name}" for name in ("GetApp", "UpdateApp", "ListApps"))
TEXT = 'line\n"quoted" \\ </script> é \u2028 \x00 \x7f 𝄞'


def fill_app() -> Any:
    """An app with something in every field."""
    app: Any = get_type("proximity.apps.v1.App")(
        id=TEXT, name="", status="running", url=TEXT, public_port=8100, lxc_id=0, owner_id=-7, error="",
        environment={TEXT: TEXT, "EMPTY": ""}, cpu_usage=12.5, memory_used=2**40, memory_total=0.1,
        disk_used=1e300, disk_total=0, adopted=True,
        config={"memory": 512, "share": 0.25, "tags": ["a", 1, None, True, {}], "deep": {"x": False}},
        conditions=[{"type": "missing"}, {"message": TEXT}], update={"revision": "r2"},
    )  # fmt: skip
    app.created_at.FromJsonString("2025-01-01T00:00:00Z")
    app.updated_at.FromJsonString("2025-01-01T00:00:00.120Z")
    app.state_changed_at.FromJsonString("2025-01-01T00:00:00.123456Z")
    app.conditions[0].since.FromJsonString("1999-12-31T23:59:59.999999999Z")
    return app


def answer(message: Any) -> Any:
    async def give(_request: Any, _context: Context) -> Any:
        return message

    return give


@pytest.mark.parametrize("app", [fill_app(), type(fill_app())()], ids=["full", "empty"])
def test_prints_as_the_gateway_does(client: httpx.Client, backend: Backend, app: Any) -> None:
    backend.answers.update({GET: answer(app), UPDATE: answer(app)})
    printed, transcoded = client.get("/api/apps/x"), client.patch("/api/apps/x", json={})
    assert printed.json() == transcoded.json()
    assert printed.headers["content-type"] == transcoded.headers["content-type"]


def test_a_list_of_pieces_is_the_list_of_the_messages(client: httpx.Client, backend: Backend) -> None:
    rest = get_type("proximity.apps.v1.ListAppsResponse")(total=5, page=1)
    pieces = [fill_app(), type(fill_app())()]
    whole = type(rest)(total=5, page=1, apps=pieces)
    for form in Form:
        listed = render_list(rest, "apps", pieces=[render(piece, form) for piece in pieces], form=form)
        made = wrap_json(Rendered(type(rest), listed)) if form is Form.JSON else Rendered(type(rest), listed)
        assert read(made, form) == read(wrap_json(whole) if form is Form.JSON else whole, form)
    backend.answers[LIST] = answer(whole)
    assert client.get("/api/apps").json()["total"] == 5


def read(answer: Any, form: Form) -> Any:
    """What an answer says: entries of maps come in any order."""
    if form is Form.JSON:
        return json.loads(HttpBody.FromString(serialize(answer)).data)
    return get_type("proximity.apps.v1.ListAppsResponse").FromString(serialize(answer))
