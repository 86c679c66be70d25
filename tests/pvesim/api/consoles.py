"""termproxy: a ticket and a port for a container's console."""

from typing import Any

from tests.pvesim.model.consoles import OPENING_SECONDS, Session
from tests.pvesim.model.entities import Task
from tests.pvesim.model.errors import ApiError, TaskFailedError, refuse
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.tickets import make_ticket
from tests.pvesim.model.work import POLL, Work

CT = "/nodes/{node}/lxc/{vmid}"
FIRST_PORT = 5900
LAST_PORT = 5999
NOT_READY = "Timeout while waiting for port '{port}' to get ready!"


@route("POST", f"{CT}/termproxy")
def open_console(call: Call) -> dict[str, Any]:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    cluster.get_container(node, vmid)
    port = next((one for one in range(FIRST_PORT, LAST_PORT + 1) if one not in cluster.consoles), None)
    if port is None:
        raise refuse("unable to find free port (5900-5999)")
    if "termproxy" in cluster.nodes[node].missing:
        raise refuse(NOT_READY.format(port=port))
    ticket = make_ticket(cluster, call.user, kind="PVEVNC", extra=f"/vms/{vmid}")
    session = Session(vmid, node, port, call.user, ticket, opened=cluster.now())
    cluster.consoles[port] = session

    def work(task: Task) -> Work:
        task.log(f"starting lxc termproxy {task.upid}")
        try:
            while not session.closed:
                if not session.connected and cluster.now() - session.opened > OPENING_SECONDS:
                    raise TaskFailedError("command '/usr/bin/termproxy' failed: exit code 1")
                yield POLL
        finally:
            cluster.consoles.pop(port, None)

    session.upid = cluster.start_task(node=node, kind="vncproxy", label=str(vmid), user=call.user, work=work)
    return {"user": call.user, "ticket": ticket, "port": str(port), "upid": session.upid}


@route("POST", f"{CT}/vncproxy")
def open_graphics(call: Call) -> dict[str, Any]:
    """Graphical consoles are not simulated: their program never comes up."""
    call.cluster.get_container(call.node, call.vmid)
    raise refuse(NOT_READY.format(port=FIRST_PORT))


@route("GET", f"{CT}/vncwebsocket")
def join_console(call: Call) -> Session:
    session = call.cluster.consoles.get(int(call.params["port"]))
    good = (
        session is not None
        and session.vmid == call.vmid
        and session.ticket == call.params["vncticket"]
        and session.user == call.user
        and not session.connected
    )
    if session is None or not good:
        raise ApiError(401, "permission denied - invalid PVEVNC ticket")
    return session
