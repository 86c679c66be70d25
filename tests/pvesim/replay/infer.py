"""What an unknown recording tells about the state in which it began."""

import re
from typing import Any

Exchange = dict[str, Any]
RUNNING = re.compile(r"already running|container is running|running container")


def speaks_token(exchange: Exchange) -> bool:
    """Whether an answer can only have been root's API token's."""
    return "!app:" in str(exchange["body"]) or "only allowed for root@pam" in str(exchange["reason"])


def infer_containers(exchanges: list[Exchange]) -> list[dict[str, Any]]:
    """The containers that were there before the first exchange, as `POST /_sim/containers` takes them."""
    made: set[int] = set()
    found: dict[int, dict[str, Any]] = {}
    for exchange in exchanges:
        made |= _list_made(exchange)
        vmid = _find_vmid(exchange)
        if vmid is None or vmid in made or vmid in found or not _shows_existence(exchange):
            continue
        found[vmid] = {
            "vmid": vmid,
            "node": str(exchange["req"]).split("/")[2],
            "template": "debian-12-standard",
            "config": _find_config(exchanges, vmid),
            "running": _was_running(exchanges, vmid),
        }
    return list(found.values())


def _find_vmid(exchange: Exchange) -> int | None:
    matched = re.search(r"/lxc/(\d+)", str(exchange["req"]))
    return int(matched[1]) if matched else None


def _list_made(exchange: Exchange) -> set[int]:
    params = exchange["params"] or {}
    made = exchange["status"] == 200 and str(exchange["req"]).startswith("POST")
    return {int(params[key]) for key in ("vmid", "newid") if made and str(params.get(key, "")).isdigit()}


def _shows_existence(exchange: Exchange) -> bool:
    if exchange["status"] == 200:
        started = str(exchange["req"]).endswith(("/status/start", "/interfaces", "/snapshot"))
        return not started or "does not exist" not in str(exchange.get("task_status"))
    return bool(RUNNING.search(str(exchange["reason"])))


def _find_config(exchanges: list[Exchange], vmid: int) -> dict[str, Any]:
    """The first configuration that was read of it, without what cannot be set."""
    for exchange in exchanges:
        path = str(exchange["req"])
        if path.endswith(f"/lxc/{vmid}/config") and path.startswith("GET") and exchange["status"] == 200:
            config = dict(exchange["body"]["data"])
            unset = ("digest", "parent")
            return {key: value for key, value in config.items() if key not in unset}
    return {}


def _was_running(exchanges: list[Exchange], vmid: int) -> bool:
    """What the first exchange that shows it says."""
    for exchange in exchanges:
        if _find_vmid(exchange) != vmid:
            continue
        path, ok = str(exchange["req"]), bool(exchange["status"] == 200)
        if path.endswith("/status/current") and ok:
            return bool(exchange["body"]["data"]["status"] == "running")
        if path.endswith(("/status/stop", "/status/shutdown", "/status/reboot", "/status/suspend")):
            return ok
        if path.endswith("/status/start"):
            return not ok
        if RUNNING.search(str(exchange["reason"])):
            return True
    return False


def infer_missing(exchanges: list[Exchange]) -> list[str]:
    """The programs that the recorded node lacked: those that no answer shows at work."""
    seen = {
        "termproxy": any(_answers(one, "POST", "/termproxy") for one in exchanges),
        "skopeo": any(_answers(one, "POST", "/oci-registry-pull") for one in exchanges),
    }
    failed = "Failed to update the container's filesystem"
    growing = [] if not any(failed in str(one.get("log")) for one in exchanges) else ["resize2fs"]
    return [name for name, found in seen.items() if not found] + ["criu", "jobs", *growing]


def infer_cgroup_mode(exchanges: list[Exchange]) -> int:
    """2 when a container's pressures are shown as texts, which only a server with cgroup 2 knows."""
    for exchange in exchanges:
        data = exchange["body"].get("data") if isinstance(exchange["body"], dict) else None
        entries = data if isinstance(data, list) else [data]
        if any(isinstance(one, dict) and isinstance(one.get("pressurecpusome"), str) for one in entries):
            return 2
    return 1


def _answers(exchange: Exchange, method: str, ending: str) -> bool:
    request = str(exchange["req"])
    return exchange["status"] == 200 and request.startswith(method) and request.endswith(ending)
