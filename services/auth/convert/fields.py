"""Fields that several messages have: pages and times."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.domain.entities import Page
from services.common.core.errors import check_page, invalid_field

_DEFAULT_PER_PAGE = 20  # entries; the protos document it


def parse_page(request: pb.ListUsersRequest | pb.ListAuditEntriesRequest) -> Page:
    """Parse the requested page of a list.

    Raises:
        InvalidError: it names a page and an entry to begin behind.
    """
    check_page(has_number=request.HasField("page"), after=request.after)
    number = request.page if request.HasField("page") else 1
    size = request.per_page if request.HasField("per_page") else _DEFAULT_PER_PAGE
    return Page(number, size, request.after)


def parse_time(message: Timestamp, field: str) -> datetime:
    """Parse a time in UTC.

    Raises:
        InvalidError: it is beyond the years 1 to 9999.
    """
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid_field(field, f"{message.seconds} s is no time from year 1 to 9999") from None
