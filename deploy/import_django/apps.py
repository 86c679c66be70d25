"""Applications with their ports, container ids and logs."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field

from deploy.import_django.plan import Known, Plan
from deploy.import_django.rows import Row
from services.apps.domain.config import AppConfig, parse_config
from services.apps.domain.entities import STABLE, App, NewAppOperation
from services.apps.workflows.import_app import KIND, STEPS
from services.common.core.clock import now
from services.common.core.errors import InvalidError

_APPS = "applications"
_LOGS = "deployment_logs"
_TRANSIENT = frozenset(
    {"deploying", "cloning", "adopting", "starting", "stopping", "restarting", "updating", "backing_up"}
    | {"restoring", "removing", "deleting", "pending"}
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,63}}\Z){_LABEL}(\.{_LABEL})*")  # as adoption takes over names of containers
_CATALOG_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
# Which the Django system itself writes into the configuration of its apps.
_OWN_KEYS = frozenset(
    [
        "adopted",
        "original_vmid",
        "original_name",
        "adoption_date",
        "suggested_type",
        "container_port",
        "detected_ports",
        "proxmox_config_snapshot",
        "resources_at_adoption",
        "status_at_adoption",
    ]
)
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|DSN", re.IGNORECASE)
_LEVELS = {"info": "info", "warning": "warning", "warn": "warning", "error": "error", "critical": "error"}


class _LeftBehindError(Exception):
    """This row does not come over; the message is the reason."""


@dataclass
class _Taken:
    """What is in use already, here or by an earlier row."""

    hostnames: set[str]
    containers: set[tuple[int, int]]
    ports: set[tuple[int, int]]
    admin: int | None = None
    hosts: dict[int, int] = field(default_factory=dict)


def plan_apps(rows: list[Row], known: Known, plan: Plan) -> None:
    """Decide about every application; one whose id is here already stays as here."""
    before, former = {row["id"] for row in known.apps}, known.list_former_apps()
    for app_row in known.apps:
        plan.places[app_row["id"]] = (app_row["owner_id"], app_row["host_id"], app_row["vmid"] or 0)
    taken = _list_taken(known, plan)
    for row in rows:
        if row.key in before:
            plan.report.skip(_APPS)
            continue
        if row.key in former:
            plan.report.leave(_APPS, row.key, "it came over before, and was deleted here")
            continue
        try:
            app = _build_app(row, taken, plan)
        except _LeftBehindError as error:
            plan.report.leave(_APPS, row.key, str(error))
            continue
        _add_app(app, row, plan)
        plan.report.note_faults(_APPS, row)


def _list_taken(known: Known, plan: Plan) -> _Taken:
    admins = [row["id"] for row in (*known.users, *plan.users) if row["is_staff"] and row["is_active"]]
    return _Taken(
        hostnames={row["hostname"] for row in known.apps},
        containers={(row["host_id"], row["vmid"]) for row in (*known.apps, *known.vmids)},
        ports={(row["host_id"], row["public_port"]) for row in known.ports},
        admin=min(admins, default=None),
        hosts=plan.host_ids,
    )


def _add_app(app: App, row: Row, plan: Plan) -> None:
    plan.places[app.id] = (app.owner_id, app.host_id, app.vmid or 0)
    plan.apps.append((app, begin_import(app, row.line("status"))))
    plan.vmids.append(
        {"host_id": app.host_id, "vmid": app.vmid, "owner": app.id, "reserved_at": app.created_at}
    )
    plan.report.add(_APPS)


def _build_app(row: Row, taken: _Taken, plan: Plan) -> App:
    app_id, hostname = row.key, row.line("hostname").lower()
    host_id, vmid = _find_container(row, taken)
    if not _ID.fullmatch(app_id):
        raise _LeftBehindError(f"{app_id[:120]!r} is no id of an app")
    if not _HOSTNAME.fullmatch(hostname):
        raise _LeftBehindError(f"{hostname[:80]!r} is no hostname")
    if hostname in taken.hostnames:
        raise _LeftBehindError(f"another app has the hostname {hostname!r}")
    error = _read_error(row)
    owner_id = _find_owner(row, taken, plan)
    taken.hostnames.add(hostname)
    taken.containers.add((host_id, vmid))
    environment = row.values_of("environment", "env", what="environment")
    current = now()
    if error:
        row.note(f"comes over in error: {error}")
    return App(
        id=app_id,
        catalog_id=_read_catalog_id(row),
        name=row.line("name", limit=100) or hostname,
        hostname=hostname,
        status="adopting",
        host_id=host_id,
        node=row.line("node", "node_name", limit=63),
        vmid=vmid,
        owner_id=owner_id,
        runtime="adopted",  # nobody here rendered what runs in it; deleting leaves the container alone
        # The take-over looks into the container: the old system stored a number there that nothing listens at.
        internal_port=None,
        public_port=_take_port(row, host_id, taken),
        config=_read_config(row),
        environment=environment,
        secret_names=tuple(sorted(name for name in environment if _SECRET.search(name))),
        adopted=True,
        error=error,
        created_at=row.time("created_at") or current,
        updated_at=row.time("updated_at") or current,
        state_changed_at=row.time("state_changed_at", "updated_at") or current,
    )


def _read_catalog_id(row: Row) -> str:
    catalog_id = row.line("catalog_id")
    if catalog_id and not _CATALOG_ID.fullmatch(catalog_id):
        row.fault("catalog_id", catalog_id, "is no id of a catalog item: custom is used")
    return catalog_id if _CATALOG_ID.fullmatch(catalog_id) else "custom"


def _find_container(row: Row, taken: _Taken) -> tuple[int, int]:
    old_host = row.number("host_id", "proxmox_host_id")
    vmid = row.number("lxc_id", "vmid", "container_id")
    if vmid is None or not 100 <= vmid <= 999_999_999:
        raise _LeftBehindError(f"has no container id ({row.line('lxc_id', 'vmid')[:80] or 'none'})")
    if old_host is None:
        raise _LeftBehindError("has no host")
    if old_host not in taken.hosts:
        raise _LeftBehindError(f"its host {old_host} did not come over")
    if (taken.hosts[old_host], vmid) in taken.containers:
        raise _LeftBehindError(f"another app has container {vmid} of host {old_host}")
    return taken.hosts[old_host], vmid


def _read_error(row: Row) -> str:
    """Return why the app is in error; empty when it is not."""
    status = row.line("status").lower()
    if status in _TRANSIENT:
        return f"it was {status!r} in the old system when it was moved; that was never finished"
    if status == "error":
        return row.text("error", "error_message") or "it was in error in the old system"
    if status not in STABLE:
        raise _LeftBehindError(f"its status {status[:80]!r} is not known")
    return ""


def _find_owner(row: Row, taken: _Taken, plan: Plan) -> int:
    old = row.number("owner_id", "user_id")
    if old in plan.user_ids:
        return plan.user_ids[old]
    if taken.admin is None:
        raise _LeftBehindError(f"its owner {old} did not come over, and there is no administrator to have it")
    plan.report.note(
        _APPS,
        row.key,
        f"its owner {'nobody' if old is None else old} is not here: administrator {taken.admin} has it",
    )
    return taken.admin


def _take_port(row: Row, host_id: int, taken: _Taken) -> int | None:
    port = row.number("public_port", low=1, high=65_535)
    if port is None:
        return None
    if (host_id, port) in taken.ports:
        row.note(f"another app has port {port}; it comes over without a public port")
        return None
    taken.ports.add((host_id, port))
    return port


def _read_config(row: Row) -> AppConfig:
    """Return the values of the configuration that exist here; the others are noted in one sentence."""
    raw = row.mapping("config")
    if raw is None:
        row.note("its config is no JSON object; it comes over without")
        return AppConfig()
    wanted = {name: value for name, value in raw.items() if name not in {"runtime", *_OWN_KEYS}}
    try:
        return parse_config(wanted)
    except InvalidError as error:
        faults = {one.field: one.description for one in error.violations}
    row.note("; ".join(Row.repair(f"{name}: {fault}") for name, fault in faults.items()))
    return parse_config({name: value for name, value in wanted.items() if f"config.{name}" not in faults})


def begin_import(app: App, old_status: str) -> NewAppOperation:
    """Return the operation that takes over its container as soon as a worker runs."""
    running = old_status.lower() == "running"
    return NewAppOperation(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"import_app/{app.id}").hex,
        kind=KIND,
        status=app.status,
        state={
            "app_id": app.id,
            "host_id": app.host_id,
            "node": app.node,
            "vmid": app.vmid,
            "previous": "error" if app.error else "running" if running else "stopped",
            "was_running": running,
        },
        steps=STEPS,
        requested_by=app.owner_id,
    )


def plan_logs(rows: list[Row], plan: Plan) -> None:
    """Take over the log of every application that is new here."""
    coming = {app.id: app for app, _ in plan.apps}
    for row in rows:
        app = coming.get(row.line("application_id", "app_id"))
        if app is None:
            _pass_over_log(row, plan)
            continue
        plan.events.append(
            {
                "app_id": app.id,
                "kind": "log",
                "level": _LEVELS.get(row.line("level").lower(), "info"),
                "message": row.text("message"),
                "step": row.line("step")[:60],
                "at": row.time("timestamp", "created_at") or app.created_at,
            }
        )
        plan.report.add(_LOGS)
        plan.report.note_faults(_LOGS, row)


def _pass_over_log(row: Row, plan: Plan) -> None:
    app_id = row.line("application_id", "app_id")
    if app_id in plan.places:
        plan.report.skip(_LOGS)
    else:
        plan.report.leave(_LOGS, row.key, f"its application {app_id[:120]!r} did not come over")
