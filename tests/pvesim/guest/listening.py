"""Open ports of a guest, and what answers at them."""

from typing import TYPE_CHECKING

from tests.pvesim.guest.docker.images import UNKNOWN, find_image
from tests.pvesim.guest.http import App
from tests.pvesim.guest.listeners import Listener
from tests.pvesim.guest.software import SERVICES

if TYPE_CHECKING:
    from tests.pvesim.guest.guest import Guest


def list_service_ports(guest: "Guest") -> list[Listener]:
    """Open ports of system services."""
    return [
        Listener(
            port,
            "tcp",
            ip,
            kind,
            service=name,
            program=SERVICES[name].program,
            bound=SERVICES[name].bound,
        )
        for name, service in guest.services.items()
        if service.running and name in SERVICES
        for port, ip, kind in SERVICES[name].ports
    ]


def list_image_ports(guest: "Guest") -> list[Listener]:
    """Open ports of the image that the guest was made of."""
    entry = guest.entrypoint
    if entry is None or entry.silent or guest.entrypoint_failed:
        return []
    image = find_image(entry.image) or UNKNOWN
    kinds = [(p, "http") for p in image.http_ports(entry.env)] + [(p, "tcp") for p in image.tcp]
    found = [Listener(p, "tcp", "0.0.0.0", k, image=entry.image, program="app") for p, k in kinds]
    return found + [Listener(p, "udp", "0.0.0.0", "udp", image=entry.image, program="app") for p in image.udp]


def describe_app(guest: "Guest", listener: Listener) -> App:
    """What answers at a port."""
    container = guest.docker.containers.get(listener.container)
    if container:
        names = (container.image, container.project, container.service)
        return App(
            f"{container.service or container.name} ({container.image})",
            *names,
            hostname=guest.hostname,
            data_dir=container.data_dir(),
            variables=tuple(container.environment),
        )
    if guest.entrypoint:
        image = find_image(guest.entrypoint.image) or UNKNOWN
        data_dir = image.volumes[0] if image.volumes else "/data"
        title, variables = guest.entrypoint.image, tuple(guest.entrypoint.env)
        return App(title, title, "", "", hostname=guest.hostname, data_dir=data_dir, variables=variables)
    kind = SERVICES[listener.service]
    title = f"Welcome to {listener.service}!"
    return App(title, "", "", listener.service, hostname=guest.hostname, data_dir=kind.root)
