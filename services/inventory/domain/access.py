"""Access to hosts and to the containers on them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Access:
    """Address and credentials of one host.

    Attributes:
        ssh_addresses: of the SSH servers by node, set by an administrator.
    """

    host_id: int
    name: str
    host: str
    port: int
    user: str
    verify_ssl: bool = True
    fingerprint: str = ""
    token_id: str = ""
    ssh_port: int = 22
    password: str = field(default="", repr=False)
    token_secret: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)
    ssh_addresses: Mapping[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """The root of the API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}/api2/json"

    @property
    def has_ssh(self) -> bool:
        """Whether the credentials may work for SSH: root's password, or a key."""
        return bool(self.ssh_key) or (self.user == "root@pam" and bool(self.password))

    @property
    def is_full_root(self) -> bool:
        """Signed in as root with a password, which alone may use every feature of containers."""
        return self.user == "root@pam" and not self.token_id


@dataclass(frozen=True)
class ClusterEndpoint:
    """Another node of a host's cluster, which answers for the whole cluster too."""

    address: str
    fingerprint: str = ""


@dataclass(frozen=True)
class ExecRoute:
    """Route of commands into containers: ssh, console or none; and the reason why it is not a better one.

    Attributes:
        may_pass: whether the better route may be back soon, as when SSH does not answer now.
    """

    mode: str
    reason: str = ""
    may_pass: bool = False


@dataclass(frozen=True)
class CommandOutput:
    """A command that ended: its output and exit code."""

    text: str
    exit_code: int
