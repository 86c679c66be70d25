"""The named formats of the API schema, with the words Proxmox refuses them in."""

import ipaddress
import re
import zoneinfo
from collections.abc import Callable

Check = Callable[[str], str | None]
"""Takes a value and gives the complaint (with its newline), or None."""

LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?"


def _match(pattern: str, complaint: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: str) -> str | None:
        return None if compiled.fullmatch(value) else complaint.format(value=value) + "\n"

    return check


def _network(
    parse: Callable[[str], object], complaint: str, *, words: tuple[str, ...] = (), slash: bool = False
) -> Check:
    def check(value: str) -> str | None:
        if value in words:
            return None
        if slash and "/" not in value:
            return complaint + "\n"
        try:
            parse(value)
        except ValueError:
            return complaint + "\n"
        return None

    return check


def check_timezone(value: str) -> str | None:
    """`host` or a name of the zone database."""
    known = value == "host" or value in zoneinfo.available_timezones()
    return None if known else f"invalid time zone '{value}'\n"


def check_mount_path(value: str) -> str | None:
    """A volume or path that does not climb."""
    bad = re.search(r"/\.\.?/|/\.\.?$|^\.\.?/", value)
    return f"{value} contains illegal character sequences\n" if bad else None


def check_startup(value: str) -> str | None:
    """`order=1,up=30,down=60`, or the order alone."""
    good = all(re.fullmatch(r"(order=)?\d+|(up|down)=\d+", part) for part in value.split(","))
    return None if good else f"unable to parse startup options\n{value}\n"


def check_prune(value: str) -> str | None:
    """`keep-last=3,keep-daily=7` or `keep-all=1`: a property string of its own."""
    pairs = [part.partition("=") for part in value.split(",") if part]
    if any(not sign for _, sign, _ in pairs):
        return "value without key, but schema does not define a default key\n"
    faults = [fault for key, _, given in pairs if (fault := _find_retention_fault(key, given))]
    return "".join(["format error\n", *faults]) if faults else None


def _find_retention_fault(key: str, given: str) -> str:
    kind = {"keep-all": "boolean"}.get(key, "integer")
    if key not in RETENTION:
        return f"prune-backups.{key}: property is not defined in schema and the schema does not allow additional properties\n"
    if not re.fullmatch(r"[01]" if kind == "boolean" else r"-?\d+", given):
        return f"prune-backups.{key}: type check ('{kind}') failed - got '{given}'\n"
    return f"prune-backups.{key}: value must have a minimum value of 0\n" if given.startswith("-") else ""


VOLUME = r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:.+"
USER = r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+"
RETENTION = {f"keep-{one}" for one in ("all", "last", "hourly", "daily", "weekly", "monthly", "yearly")}
CONFIG_ID = r"(?i)[a-z][a-z0-9_-]+"

CHECKS: dict[str, Check] = {
    "pve-configid": _match(CONFIG_ID, "invalid configuration ID '{value}'"),
    "pve-vmid": _match(r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "pve-node": _match(LABEL, "value does not look like a valid node name"),
    "pve-storage-id": _match(
        r"(?i)[a-z][a-z0-9\-_.]*[a-z0-9]", "storage ID '{value}' contains illegal characters"
    ),
    "dns-name": _match(rf"({LABEL}\.)*({LABEL})", "value does not look like a valid DNS name"),
    "ipv4": _network(ipaddress.IPv4Address, "value does not look like a valid IPv4 address"),
    "ipv6": _network(ipaddress.IPv6Address, "value does not look like a valid IPv6 address"),
    "ip": _network(ipaddress.ip_address, "value does not look like a valid IP address"),
    "lxc-ip-with-ll-iface": _network(
        lambda value: ipaddress.ip_address(value.split("%")[0]), "value does not look like a valid IP address"
    ),
    "CIDRv4": _network(ipaddress.IPv4Interface, "value does not look like a valid IPv4 network", slash=True),
    "CIDRv6": _network(ipaddress.IPv6Interface, "value does not look like a valid IPv6 network", slash=True),
    "pve-ipv4-config": _network(
        ipaddress.IPv4Interface,
        "value does not look like a valid ipv4 network configuration",
        words=("dhcp", "manual"),
        slash=True,
    ),
    "pve-ipv6-config": _network(
        ipaddress.IPv6Interface,
        "value does not look like a valid ipv6 network configuration",
        words=("dhcp", "manual", "auto"),
        slash=True,
    ),
    "mac-addr": _match(
        r"(?i)[a-f0-9][02468ace](:[a-f0-9]{2}){5}", "value does not look like a valid unicast MAC address"
    ),
    "pve-tag": _match(r"(?i)[a-z0-9_][a-z0-9_\-+.]*", "invalid characters in tag"),
    "pve-ct-timezone": check_timezone,
    "pve-lxc-mp-string": check_mount_path,
    "disk-size": _match(r"\d+(\.\d+)?[KMGT]?", "value does not look like a valid disk size: {value}"),
    "pve-volume-id": _match(VOLUME, "unable to parse volume ID '{value}'"),
    "pve-lxc-dev-string": _match(r"/dev/.+", "{value} is not a valid device path"),
    "pve-startup-order": check_startup,
    "prune-backups": check_prune,
    "pve-userid": _match(USER, "value '{value}' does not look like a valid user name"),
    "pve-tokenid": _match(
        USER + r"![A-Za-z][A-Za-z0-9.\-_]+", "value '{value}' does not look like a valid token ID"
    ),
    "pve-realm": _match(r"[A-Za-z][A-Za-z0-9.\-_]+", "value does not look like a valid realm"),
    "pve-poolid": _match(
        r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+){0,2}", "value '{value}' does not look like a valid pool name"
    ),
    "pve-roleid": _match(r"[A-Za-z0-9.\-_]+", "value '{value}' does not look like a valid role name"),
    "pve-groupid": _match(r"[A-Za-z0-9.\-_]+", "value '{value}' does not look like a valid group name"),
    "pve-iface": _match(r"(?i)[a-z][a-z0-9_]{1,20}([:.]\d+)?", "invalid network interface name '{value}'"),
    "pve-task-status-type": _match(
        r"ok|error|warning|unknown", "value '{value}' does not look like a valid task status type"
    ),
}


def find_complaint(name: str, value: str) -> str | None:
    """What Proxmox has against `value` in format `name`; unknown formats accept all."""
    if name in CHECKS:
        return CHECKS[name](value)
    if not name.endswith("-list") or name.removesuffix("-list") not in CHECKS:
        return None
    check = CHECKS[name.removesuffix("-list")]
    parts = (part for part in re.split(r"[,;\s\0]+", value) if part)
    return next((text for text in map(check, parts) if text), None)
