"""Refusals of a service behind the gateway, and checks of the body that a client gets."""

from __future__ import annotations

from typing import Any

import grpc
import httpx

from tests.contract.gateway.stub import Context, get_type

HIDDEN = {"UNKNOWN", "INTERNAL", "DATA_LOSS"}


def check_error(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"error", "code", "details"}
    assert body["code"] == code
    assert body["error"]
    assert isinstance(body["details"], list)
    return body


def list_violations(body: dict[str, Any]) -> list[str]:
    return [each["field"] for detail in body["details"] for each in detail.get("field_violations", ())]


def refuse(code: str, message: str = 'no "such"\napp ü', **metadata: str) -> Any:
    async def answer(_request: Any, context: Context) -> None:
        await context.abort(
            grpc.StatusCode[code], message, tuple((k.replace("_", "-"), v) for k, v in metadata.items())
        )

    return answer


def refuse_stream(refusal: Any, items: int = 0) -> Any:
    async def stream(request: Any, context: Context) -> Any:
        for number in range(items):
            yield get_type("proximity.apps.v1.DiscoveredContainer")(vmid=number)
        await refusal(request, context)

    return stream
