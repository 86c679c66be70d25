"""What happens inside the simulated Proxmox's containers: files, a shell, packages, Docker, apps that answer.

How the API side uses it:

- `Guest.from_template` / `from_image` make a container's inside; `copy` for snapshots, backups, clones;
  `to_dict` / `from_dict` to store it.
- Before `boot`, set `guest.place = Place(key=..., vmid=..., address=..., nesting=...)` from the container's
  configuration (a copy has an empty place); call `guest.boot(world=world)` and `guest.shutdown()`.
- `World.settle` is awaited with the guest after each command and whenever its ports changed: store the guest and
  call `GuestServers.sync(key, address, guest)` there. After boot and shutdown call `sync` yourself.
- `World.faults` takes `GuestFault`s; `World.recorder` has every command.
- `serve_ssh` is a node's SSH server: implement `NodeShell` on the model. `Console` is what termproxy shows: one per
  running container; `attach` an output, `feed` input, `close` when the container stops.
- Nothing here has a task of its own unless something listens or runs.
"""

from tests.pvesim.guest import commands as _commands  # registers the programs
from tests.pvesim.guest.console import Console
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.http import Request, Response
from tests.pvesim.guest.listeners import Listener
from tests.pvesim.guest.node import Node
from tests.pvesim.guest.node_containers import NodeContainer, NodeShell
from tests.pvesim.guest.place import Entrypoint, Place, Service
from tests.pvesim.guest.servers import GuestServers
from tests.pvesim.guest.ssh import SshServer, serve_ssh
from tests.pvesim.guest.world import Completed, GuestFault, Recorded, World

__all__ = [
    "Completed",
    "Console",
    "Entrypoint",
    "Guest",
    "GuestFault",
    "GuestServers",
    "Listener",
    "Node",
    "NodeContainer",
    "NodeShell",
    "Place",
    "Recorded",
    "Request",
    "Response",
    "Service",
    "SshServer",
    "World",
    "_commands",
    "serve_ssh",
]
