"""What listens in a guest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listener:
    """An open port.

    `kind` is "http", "tcp" (accepts and says nothing), "udp", or "closed" (accepts and resets:
    a published port behind which nothing listens). `bound` tells whether a real socket serves it.
    Before `ready_at` (seconds since the epoch) an "http" one behaves as "closed".
    """

    port: int
    proto: str = "tcp"
    ip: str = "0.0.0.0"
    kind: str = "tcp"
    service: str = ""
    image: str = ""
    container: str = ""
    program: str = ""
    ready_at: float = 0.0
    bound: bool = True

    def key(self) -> tuple[int, str]:
        return self.port, self.proto

    def kind_at(self, now: float) -> str:
        """How it behaves at a moment."""
        return "closed" if self.kind in ("http", "tcp") and now < self.ready_at else self.kind


def render_proc_net(listeners: list[Listener], proto: str) -> bytes:
    """`/proc/net/tcp` (or udp)."""
    head = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    )
    state = "0A" if proto == "tcp" else "07"
    rows = [
        f"{i:>4}: {_hex_address(one.ip)}:{one.port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000"
        f"     0        0 {30000 + one.port} 1 0000000000000000 100 0 0 10 0\n"
        for i, one in enumerate(one for one in listeners if one.proto == proto)
    ]
    return (head + "".join(rows)).encode()


def _hex_address(ip: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(ip.split(".")))
