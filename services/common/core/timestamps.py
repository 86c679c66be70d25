"""Times on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import overload

from google.protobuf.timestamp_pb2 import Timestamp


@overload
def render_time(moment: datetime) -> Timestamp: ...
@overload
def render_time(moment: None) -> None: ...
@overload
def render_time(moment: datetime | None) -> Timestamp | None: ...
def render_time(moment: datetime | None) -> Timestamp | None:
    """A time, or nothing."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
