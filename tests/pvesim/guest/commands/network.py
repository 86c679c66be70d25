"""Programs that tell about addresses and listeners."""

import json

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.listeners import Listener
from tests.pvesim.guest.machine import Process, command

HELP_FLAGS = frozenset({"-t", "-u", "-l", "-n", "-p", "-a", "-4", "-6", "-H", "-e", "-x"})


def _guest(process: Process) -> Guest | None:
    return process.machine if isinstance(process.machine, Guest) else None


@command("ip", directory="/sbin")
async def show_ip(process: Process) -> int:
    guest = _guest(process)
    words = [word for word in process.args if not word.startswith("-")]
    address = (guest.place.address if guest else None) or ""
    noun = words[0] if words else ""
    if "-j" in process.args or "-json" in process.args:
        if process.machine.flavour == "alpine" and "iproute2" not in process.machine.packages:
            return process.complain("ip: unrecognized option: j")
        return process.say(json.dumps(_describe_addresses(address) if noun.startswith("a") else []))
    if noun.startswith("r"):
        return (
            process.say("default via 10.0.3.1 dev eth0 \n10.0.3.0/24 dev eth0 scope link") if address else 0
        )
    return process.say(_show_addresses(address, brief="-br" in process.args or "-brief" in process.args))


def _show_addresses(address: str, *, brief: bool) -> str:
    if brief:
        return f"lo               UNKNOWN        127.0.0.1/8\neth0             UP             {address}/8"
    lines = [
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN",
        "    inet 127.0.0.1/8 scope host lo",
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
    ]
    return "\n".join([*lines, f"    inet {address}/8 scope global eth0"] if address else lines)


def _describe_addresses(address: str) -> list[dict[str, object]]:
    def entry(index: int, name: str, local: str) -> dict[str, object]:
        info = [{"family": "inet", "local": local, "prefixlen": 8, "scope": "global"}] if local else []
        return {"ifindex": index, "ifname": name, "operstate": "UP", "addr_info": info}

    return [entry(1, "lo", "127.0.0.1"), entry(2, "eth0", address)]


def _bindings(process: Process, flags: set[str]) -> list[Listener]:
    guest = _guest(process)
    wanted = {"tcp"} if "-u" not in flags else ({"udp", "tcp"} if "-t" in flags else {"udp"})
    return [one for one in guest.listening() if one.proto in wanted] if guest else []


@command("ss", packages=("iproute2",))
async def show_sockets(process: Process) -> int:
    flags = set(split_options(process.args)[0])
    if "-H" not in flags:
        process.say("State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process")
    for one in _bindings(process, flags):
        program = f' users:(("{one.program}",pid={200 + one.port % 1000},fd=6))' if "-p" in flags else ""
        process.say(
            f"{'LISTEN' if one.proto == 'tcp' else 'UNCONN'} 0      4096   {one.ip}:{one.port}      0.0.0.0:*{program}"
        )
    return 0


@command("netstat", packages=("busybox", "net-tools"))
async def show_netstat(process: Process) -> int:
    flags = set(split_options(process.args)[0])
    process.say("Active Internet connections (only servers)")
    process.say(
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name"
    )
    for one in _bindings(process, flags):
        program = f"{200 + one.port % 1000}/{one.program}" if "-p" in flags else ""
        state = "LISTEN" if one.proto == "tcp" else ""
        process.say(
            f"{one.proto}        0      0 {f'{one.ip}:{one.port}':<23} 0.0.0.0:*               {state:<11} {program}"
        )
    return 0


@command("ping")
async def ping_host(process: Process) -> int:
    host = split_options(process.args, valued=("-c", "-W", "-w", "-i"))[1][-1]
    return process.say(
        f"PING {host} ({host}): 56 data bytes\n64 bytes from {host}: seq=0 ttl=64 time=0.05 ms"
    )


@command("nc", packages=("busybox", "netcat-openbsd"))
async def connect_port(process: Process) -> int:
    guest = _guest(process)
    operands = split_options(process.args, valued=("-w",))[1]
    if not guest or len(operands) < 2:  # host and port
        return 1
    return 0 if any(one.port == int(operands[1]) for one in guest.listening()) else 1
