"""`python -m tests.pvesim`: start the simulated Proxmox VE and say where it is."""

import argparse
import asyncio
import gc
import json
import signal
import sys
from pathlib import Path

from tests.pvesim.doors import Doors, open_doors
from tests.pvesim.model.shared import SharedFolder
from tests.pvesim.presets import PASSWORD, ROOT, TOKEN
from tests.pvesim.simulation import Beginning, Simulation


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.pvesim", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="HTTPS port of the first node, 0: any free one")
    parser.add_argument("--ssh-port", type=int, default=0)
    parser.add_argument("--state-dir", type=Path, default=Path("pvesim-state"))
    parser.add_argument("--task-seconds", type=float, default=0.2, help="how long a task takes")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--topology", type=Path, help="a JSON file that describes the cluster")
    parser.add_argument("--preset", choices=("recorded", "demo", "empty"), default="demo")
    parser.add_argument("--version", help="the version it claims, such as 8.4.1")
    parser.add_argument("--first-vmid", type=int, help="new ids are at least this")
    parser.add_argument(
        "--login-delay", type=float, default=0.0, help="seconds before a 401, 3 on a real server"
    )
    parser.add_argument(
        "--status-seconds",
        type=float,
        default=0.0,
        help="how long new containers are unknown in cluster/resources",
    )
    parser.add_argument(
        "--shared-dir",
        type=Path,
        help="a folder through which simulated clusters see the same shared storages",
    )
    return parser.parse_args(argv)


async def serve(arguments: argparse.Namespace) -> None:
    """Run until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    folder: Path = arguments.state_dir
    topology = json.loads(arguments.topology.read_text()) if arguments.topology else None
    beginning = Beginning(
        arguments.preset, arguments.nodes, topology, arguments.version, arguments.first_vmid
    )
    simulation = await Simulation.open(
        folder, beginning, task_seconds=arguments.task_seconds, login_delay=arguments.login_delay
    )
    simulation.cluster.status_seconds = arguments.status_seconds
    if arguments.shared_dir is not None:
        simulation.cluster.shared = SharedFolder(arguments.shared_dir)
    doors = await open_doors(
        simulation, folder, arguments.host, port=arguments.port, ssh_port=arguments.ssh_port
    )
    gc.collect()
    gc.freeze()
    say_ready(simulation, doors)
    await stop.wait()
    await doors.close()
    await simulation.close()


def say_ready(simulation: Simulation, doors: Doors) -> None:
    """Print the one line that says where the server is and how to sign in."""
    token = simulation.cluster.tokens.get(f"{ROOT}!{TOKEN}")
    line = {
        "url": f"https://{doors.host}:{doors.port}",
        "host": doors.host,
        "port": doors.port,
        "ssh_port": doors.ssh_port,
        "user": ROOT,
        "password": PASSWORD,
        "token_id": f"{ROOT}!{TOKEN}",
        "token_secret": token.secret if token else "",
        "fingerprint": doors.fingerprint,
        "ssh_fingerprint": doors.ssh_fingerprint,
        "nodes": [node.name for node in simulation.cluster.nodes.values() if node.joined],
        "addresses": {node.name: node.address for node in simulation.cluster.nodes.values() if node.joined},
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(parse_arguments(sys.argv[1:])))
