"""The HTTPS server: who asks, what goes wrong on demand, what the model answers."""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

import tests.pvesim.api
from tests.pvesim.api.indexes import ROOT_INDEX
from tests.pvesim.bodies import RawError, parse_body, parse_form, render_result
from tests.pvesim.consoles import Consoles
from tests.pvesim.faults import Rule
from tests.pvesim.model.consoles import Session
from tests.pvesim.model.errors import ApiError
from tests.pvesim.model.router import dispatch, find_method
from tests.pvesim.model.schema import verify
from tests.pvesim.model.tickets import identify
from tests.pvesim.simulation import Seen, Simulation

PREFIX = "/api2/json"
OPEN = frozenset({"/access/ticket", "/access/domains"})
JSON = "application/json;charset=UTF-8"
HEADERS = {"Server": "pve-api-daemon/3.0", "Cache-Control": "max-age=0", "Pragma": "no-cache"}
RACE_SECONDS = 0.002
SILENCE_SECONDS = 30
__all__ = ["ApiServer", "tests"]


class ResetError(Exception):
    """The connection is to be cut instead of an answer."""


@dataclass(frozen=True)
class OddAnswer:
    """What a proxy answers instead of Proxmox: bytes that may be no JSON and no UTF-8."""

    data: bytes


class ApiServer:
    """Answers /api2/json for one simulation."""

    def __init__(self, simulation: Simulation, consoles: Consoles, *, entry: str) -> None:
        self._sim = simulation
        self._entry = entry
        self._consoles = consoles

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, from its bytes to its answer."""
        path = read_path(request)
        seen: dict[str, Any] = {"user": "", "params": {}}
        try:
            result = await self._answer(request, path, seen)
            if isinstance(result, Session):
                self._record(request, path, seen, status=101, reason="Switching Protocols")
                return await self._consoles.serve(request, result)
            body = result.data if isinstance(result, OddAnswer) else render_result(result)
            response = web.Response(body=body, headers={**HEADERS, "Content-Type": JSON})
            reason = "OK"
        except ResetError:
            if request.transport:
                request.transport.abort()
            self._record(request, path, seen, status=0, reason="reset")
            return web.Response()
        except RawError as error:
            response, reason = _refuse_raw(error), error.reason
        except ApiError as error:
            if error.status == 401 and self._sim.login_delay:
                await asyncio.sleep(self._sim.login_delay)
            response, reason = _refuse(error), error.reason
        self._record(request, path, seen, status=response.status, reason=reason)
        return response

    async def _answer(self, request: web.Request, path: str, seen: dict[str, Any]) -> Any:
        method = request.method
        if method not in {"GET", "POST", "PUT", "DELETE"}:
            raise ApiError(501, f"method '{method}' not available", empty=True)
        self._check_entry()
        facts = describe_request(method, path)
        params, unreadable = await _read_params(request)
        seen.update(params=params)
        rule = self._sim.faults.find_request_fault(facts)
        if rule is not None:
            await self._spoil_before(rule)
        if rule is not None and rule.kind == "answer":
            return OddAnswer(rule.body.encode("latin-1"))
        user = self._identify(request, path)
        seen.update(user=user)
        if unreadable is not None:
            raise unreadable
        if path == "/":
            return ROOT_INDEX
        if method == "POST" and re.fullmatch(r"/nodes/[^/]+/lxc", path):
            await asyncio.sleep(RACE_SECONDS)
        self._sim.cluster.follow_shared()
        result: Any = dispatch(self._sim.cluster, verb=method, path=path, user=user, params=params)
        await self._sim.settle()
        await self._consoles.close_stopped()
        if rule is not None and rule.kind == "lost_reply":
            raise ResetError
        return result

    def _identify(self, request: web.Request, path: str) -> str:
        if path in OPEN:
            return ""
        cookie = request.cookies.get("PVEAuthCookie")
        return identify(
            self._sim.cluster,
            verb=request.method,
            cookie=unquote(cookie) if cookie else None,
            authorization=request.headers.get("Authorization", ""),
            csrf=request.headers.get("CSRFPreventionToken", ""),
        )

    async def _spoil_before(self, rule: Rule) -> None:
        """What a fault does to a request before it is looked at."""
        await asyncio.sleep(rule.seconds or (SILENCE_SECONDS if rule.kind == "hang" else 0))
        if rule.kind == "hang":
            raise ApiError(596, "Connection timed out", empty=True)
        if rule.kind == "reset":
            raise ResetError
        if rule.kind == "ticket_expired":
            raise ApiError(401, "Authentication failed!", empty=True)
        if rule.kind == "node_down":
            raise ApiError(595, "No route to host", empty=True)
        if rule.kind == "lock_timeout":
            raise ApiError(
                500, rule.reason or "can't lock file '/run/lock/lxc/pve-config.lock' - got timeout"
            )
        if rule.kind == "error":
            empty = rule.status in {401, 595, 596}
            raise ApiError(rule.status, rule.reason or "simulated failure", empty=empty)

    def _record(
        self, request: web.Request, path: str, seen: dict[str, Any], *, status: int, reason: str
    ) -> None:
        accepted, errors = judge(request.method, path, seen["params"])
        self._sim.requests.append(
            Seen(
                request.method, path, hide_secrets(seen["params"]), status, reason, seen["user"], time.time(),
                accepted, errors,
            )
        )  # fmt: skip

    def _check_entry(self) -> None:
        """A node that is down answers nobody."""
        node = self._sim.cluster.nodes.get(self._entry)
        if node is not None and not node.online:
            raise ResetError


async def _read_params(request: web.Request) -> tuple[dict[str, Any], RawError | ApiError | None]:
    """The request's parameters, or what is wrong with its body: said only after the credentials."""
    if request.method not in {"POST", "PUT"}:
        return parse_form(request.query_string), None
    try:
        return parse_body(request.headers.get("Content-Type", ""), await request.read()), None
    except (RawError, ApiError) as error:
        return {}, error


def hide_secrets(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters without what nobody should read in a record."""
    return {key: "***" if key == "password" else value for key, value in params.items()}


def read_path(request: web.Request) -> str:
    """The API path of a request, unescaped, dots and all."""
    raw = request.raw_path.partition("?")[0]
    path = unquote(raw.removeprefix(PREFIX))
    return path.rstrip("/") or "/"


def describe_request(method: str, path: str) -> dict[str, Any]:
    """What fault rules look at."""
    node = re.search(r"/nodes/([^/]+)", path)
    vmid = re.search(r"/(?:lxc|qemu)/(\d+)", path)
    return {
        "method": method,
        "path": path,
        "node": node[1] if node else None,
        "vmid": vmid[1] if vmid else None,
    }


def judge(verb: str, path: str, params: dict[str, Any]) -> tuple[bool, dict[str, str]]:
    """Whether the official schema has such a method and accepts the parameters."""
    if path == "/":
        return True, {}
    try:
        method, values = find_method(verb, path)
    except ApiError as error:
        return False, {"path": error.reason}
    errors = verify(method, {**params, **values})[1]
    return not errors, errors


def _refuse(error: ApiError) -> web.Response:
    headers = {**HEADERS, "Connection": "close"}
    if error.empty:
        return _close(web.Response(status=error.status, reason=error.reason, headers=headers))
    body = json.dumps(error.body, ensure_ascii=False).encode()
    reason = error.reason.replace("\n", " ").replace("\r", " ")
    headers["Content-Type"] = JSON
    return _close(web.Response(status=error.status, reason=reason, body=body, headers=headers))


def _refuse_raw(error: RawError) -> web.Response:
    headers = {**HEADERS, "Connection": "close"}
    return _close(web.Response(status=error.status, reason=error.reason, text=error.body, headers=headers))


def _close(response: web.Response) -> web.Response:
    response.force_close()
    return response
