"""Settings of the inventory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.common.core.config import ServiceSettings, setting
from services.common.core.environment import is_default_password
from services.common.core.errors import InvalidError, Violation
from services.common.core.parsing import parse_bool, parse_int, parse_list
from services.inventory.domain.ssh_addresses import parse_ssh_addresses

_DEFAULT_USER = "root@pam"
_TESTING_VMID_MIN = 9000  # far from the ids of a homelab, so that a test on a real server touches none
_HOST_FIELDS = ("host", "user", "password", "token_id", "token_secret", "fingerprint")  # of CreateHostRequest
_VMID_MIN = 100  # Proxmox reserves the ids below


def parse_node_addresses(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a node and its SSH address, from `pve1=192.0.2.7,pve2=[2001:db8::7]:2222`.

    Raises:
        ValueError: an entry has no equals sign, names a node again, or is wrong as `parse_ssh_addresses` says.
    """
    found: dict[str, str] = {}
    for entry in parse_list(text):
        node, equals, address = entry.partition("=")
        if not equals:
            raise ValueError(f"{entry[:80]!r} is not like pve1=192.0.2.7 or pve1=192.0.2.7:2222")
        if node in found:
            raise ValueError(f"{node[:70]!r} has two addresses")
        found[node] = address
    try:
        return tuple(parse_ssh_addresses(found).items())
    except InvalidError as error:
        raise ValueError(" ".join(f"{each.field} {each.description}" for each in error.violations)) from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class InventorySettings(ServiceSettings):
    """Configuration of the inventory, read from the environment."""

    proxmox_host: str = setting(
        "PROXMOX_HOST",
        default="",
        doc="First Proxmox host, registered when there is none.",
        needs=(("PROXMOX_PASSWORD", "PROXMOX_TOKEN_ID"),),
    )
    proxmox_port: int = setting(
        "PROXMOX_PORT", default=8006, parse=parse_int(1, 65535), doc="API port of the first host."
    )
    proxmox_user: str = setting("PROXMOX_USER", default=_DEFAULT_USER, doc="User of the first host.")
    proxmox_password: str = setting(
        "PROXMOX_PASSWORD",
        default="",
        doc="Password of the first host.",
        secret=True,
        needs=("PROXMOX_HOST",),
    )
    proxmox_token_id: str = setting(
        "PROXMOX_TOKEN_ID",
        default="",
        doc="API token instead of a password.",
        needs=("PROXMOX_HOST", "PROXMOX_TOKEN_SECRET"),
    )
    proxmox_token_secret: str = setting(
        "PROXMOX_TOKEN_SECRET",
        default="",
        doc="Secret of the API token.",
        secret=True,
        needs=("PROXMOX_TOKEN_ID",),
    )
    proxmox_verify_ssl: bool = setting(
        "PROXMOX_VERIFY_SSL",
        default=True,
        parse=parse_bool,
        doc="Whether to verify the first host's certificate.",
    )
    proxmox_ssh_port: int = setting(
        "PROXMOX_SSH_PORT", default=22, parse=parse_int(1, 65535), doc="SSH port of the first host."
    )
    proxmox_ssh_addresses: tuple[tuple[str, str], ...] = setting(
        "PROXMOX_SSH_ADDRESSES",
        default=(),
        parse=parse_node_addresses,
        doc="SSH addresses of the first host's nodes, where those of the cluster lead nowhere: "
        "`pve1=192.0.2.7,pve2=[2001:db8::7]:2222`.",
        needs=("PROXMOX_HOST",),
    )
    proxmox_fingerprint: str = setting(
        "PROXMOX_FINGERPRINT",
        default="",
        doc="SHA-256 fingerprint that the first host's certificate is pinned to.",
        needs=("PROXMOX_HOST",),
    )
    testing_mode: bool = setting(
        "TESTING_MODE", default=False, parse=parse_bool, doc="Container ids start at 9000."
    )
    use_mock_proxmox: bool = setting(
        "USE_MOCK_PROXMOX", default=False, parse=parse_bool, doc="The hosts are simulated; ids start at 9000."
    )
    vmid_min: int = setting(
        "VMID_MIN", default=0, parse=parse_int(100, 999_999_999), doc="Lowest container id."
    )
    vmid_max: int = setting(
        "VMID_MAX", default=999_999_999, parse=parse_int(100, 999_999_999), doc="Highest container id."
    )
    sync_seconds: int = setting(
        "NODE_SYNC_SECONDS", default=30, parse=parse_int(1, 3600), doc="How often the nodes are read."
    )

    def find_faults(self) -> Iterator[str]:
        """See `ServiceSettings.find_faults`."""
        yield from super().find_faults()
        if self.lowest_vmid > self.vmid_max:
            yield f"VMID_MIN: {self.lowest_vmid} is more than VMID_MAX, {self.vmid_max}"
        yield from self._find_host_faults()

    def _find_host_faults(self) -> Iterator[str]:
        given = {name: getattr(self, f"proxmox_{name}") for name in _HOST_FIELDS}
        if any(value for name, value in given.items() if (name, value) != ("user", _DEFAULT_USER)):
            for fault in find_host_faults(given):
                yield f"PROXMOX_{fault.field.upper()}: {fault.description}"

    def find_weaknesses(self) -> Iterator[tuple[str, str]]:
        """See `ServiceSettings.find_weaknesses`."""
        yield from super().find_weaknesses()
        if not self.proxmox_host or self.use_mock_proxmox:
            return
        if not self.proxmox_verify_ssl and not self.proxmox_fingerprint:
            yield "proxmox-tls", "PROXMOX_VERIFY_SSL: is off and PROXMOX_FINGERPRINT pins no certificate"
        user = self.proxmox_user.partition("@")[0]
        if self.proxmox_password and is_default_password(self.proxmox_password, user):
            yield "default-passwords", f"PROXMOX_PASSWORD: is a default password of {self.proxmox_user}"

    @property
    def lowest_vmid(self) -> int:
        """The first container id that may be reserved."""
        testing = self.testing_mode or self.use_mock_proxmox
        return self.vmid_min or (_TESTING_VMID_MIN if testing else _VMID_MIN)


def find_host_faults(given: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield the first fault of each field of a host by the rules of CreateHost; that fields are missing is not looked at.

    Args:
        given: values by the names that CreateHost has for them, empty where there is none.
    """
    # Imported where a host is given: the protos and SSH take memory, and `make run` checks settings too.
    from proximity.inventory.v1 import inventory_service_pb2 as pb

    from services.common.rpc.interceptors.validation import check_message
    from services.inventory.domain.entities import Secrets, check_address, check_credentials

    secrets = Secrets(password=given["password"], token_secret=given["token_secret"])
    checks: list[Callable[[], None]] = [lambda: check_message(pb.CreateHostRequest(name="default", **given))]
    if given["host"]:
        checks.append(lambda: check_address(given["host"]))
    if bool(given["token_id"]) == bool(secrets.token_secret) and (secrets.password or given["token_id"]):
        checks.append(lambda: check_credentials(given["token_id"], secrets))
    named = {name for name in ("host", "password", "token_id", "token_secret") if not given[name]}
    for check in checks:
        for violation in _list_violations(check):
            if violation.field not in named:
                named.add(violation.field)
                yield violation


def _list_violations(check: Callable[[], None]) -> tuple[Violation, ...]:
    try:
        check()
    except InvalidError as error:
        return error.violations
    return ()
