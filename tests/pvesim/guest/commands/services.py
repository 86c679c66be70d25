"""systemctl, rc-service, rc-update, service."""

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import Process, command

NOT_ACTIVE = 3
NOT_FOUND = 5


def _guest(process: Process) -> Guest:
    assert isinstance(process.machine, Guest)
    return process.machine


@command("systemctl", packages=("systemd",))
async def run_systemctl(process: Process) -> int:
    guest = _guest(process)
    options, operands = split_options(process.args, valued=("-p", "--property", "-n", "-t"))
    action, names = (operands[0], operands[1:]) if operands else ("", [])
    if action in ("daemon-reload", "daemon-reexec", "list-units", "reset-failed", ""):
        return 0
    if action == "is-system-running":
        return process.say("running")
    status = 0
    for name in (n.removesuffix(".service").removesuffix(".socket") for n in names):
        if name not in guest.services:
            status = _refuse_unit(process, action, name)
        else:
            status = _act(process, guest, name, action=action, now="--now" in options) or status
    return status


def _refuse_unit(process: Process, action: str, name: str) -> int:
    if action in ("is-active", "is-enabled"):
        process.say("inactive" if action == "is-active" else "not-found")
        return NOT_ACTIVE if action == "is-active" else 1
    if action == "status":
        return process.complain(f"Unit {name}.service could not be found.", 4)
    return process.complain(f"Failed to {action} {name}.service: Unit {name}.service not found.", NOT_FOUND)


def _act(process: Process, guest: Guest, name: str, *, action: str, now: bool) -> int:
    service = guest.services[name]
    if action in ("enable", "disable"):
        service.enabled = action == "enable"
        return _change(process, guest, name, "start" if action == "enable" else "stop") if now else 0
    if action in ("is-active", "status"):
        process.say(
            ("active" if service.running else "inactive") if action == "is-active" else _describe(guest, name)
        )
        return 0 if service.running else NOT_ACTIVE
    if action == "is-enabled":
        process.say("enabled" if service.enabled else "disabled")
        return 0 if service.enabled else 1
    return _change(process, guest, name, action)


def _describe(guest: Guest, name: str) -> str:
    state = "active (running)" if guest.services[name].running else "failed (Result: exit-code)"
    return "\n".join([f"* {name}.service", f"     Active: {state}", *guest.journal[-5:]])


def _change(process: Process, guest: Guest, name: str, action: str) -> int:
    if action in ("stop", "restart", "try-restart", "reload-or-restart"):
        guest.stop_service(name)
    if action in ("start", "restart", "try-restart", "reload-or-restart") and not guest.start_service(
        name, process.world
    ):
        process.complain(f"Job for {name}.service failed because the control process exited with error code.")
        return process.complain(
            f'See "systemctl status {name}.service" and "journalctl -xeu {name}.service" for details.'
        )
    return 0


@command("rc-service", packages=("openrc",), directory="/sbin")
@command("service", packages=("openrc", "systemd"), directory="/sbin")
async def run_rc_service(process: Process) -> int:
    guest = _guest(process)
    operands = [word for word in process.args if not word.startswith("-")]
    name, action = operands[0], operands[1] if len(operands) > 1 else "status"
    if {"-e", "--exists"} & set(process.args):
        return 0 if name in guest.services else 1
    if name not in guest.services:
        return process.complain(f" * rc-service: service `{name}' does not exist")
    if action == "status":
        up = guest.services[name].running
        process.say(f" * status: {'started' if up else 'stopped'}")
        return 0 if up else NOT_ACTIVE
    if guest.services[name].running and action == "start":
        return process.complain(f" * WARNING: {name} has already been started", 0)
    code = _change_openrc(process, guest, name, action=action)
    process.say(f" * {action.capitalize()}ing {name} ... [ {'ok' if code == 0 else '!!'} ]")
    return code


def _change_openrc(process: Process, guest: Guest, name: str, *, action: str) -> int:
    if action in ("stop", "restart"):
        guest.stop_service(name)
    if action in ("start", "restart") and not guest.start_service(name, process.world):
        return process.complain(f" * ERROR: {name} failed to start")
    return 0


@command("rc-update", packages=("openrc",), directory="/sbin")
async def run_rc_update(process: Process) -> int:
    guest = _guest(process)
    action, name = process.args[0], process.args[1] if len(process.args) > 1 else ""
    if action == "show":
        return process.say("\n".join(f" {n} | default" for n, s in guest.services.items() if s.enabled))
    if name not in guest.services:
        return process.complain(f" * rc-update: service `{name}' does not exist")
    guest.services[name].enabled = action in ("add", "-a")
    return process.say(
        f" * service {name} {'added to' if action == 'add' else 'removed from'} runlevel default"
    )


@command("rc-status", "openrc", packages=("openrc",), directory="/sbin")
async def show_services(process: Process) -> int:
    guest = _guest(process)
    return process.say(
        "\n".join(f" {n} [ {'started' if s.running else 'stopped'} ]" for n, s in guest.services.items())
    )
