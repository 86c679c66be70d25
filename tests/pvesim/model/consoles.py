"""Console sessions that were asked for, until somebody leaves them."""

from dataclasses import dataclass

OPENING_SECONDS = 10


@dataclass
class Session:
    """One termproxy: who may join it, and how far that has come."""

    vmid: int
    node: str
    port: int
    user: str
    ticket: str
    opened: float
    upid: str = ""
    connected: bool = False
    closed: bool = False
