"""Handlers of AppsService and AppsInternalService."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.handlers import AppsHandlers, AppsInternalHandlers
from services.common.rpc.handlers import snake_case


def test_every_rpc_has_a_handler() -> None:
    names = pb.DESCRIPTOR.services_by_name
    pairs = ((names["AppsService"], AppsHandlers), (names["AppsInternalService"], AppsInternalHandlers))
    missing = [
        method.full_name
        for descriptor, kind in pairs
        for method in descriptor.methods
        if not hasattr(kind, snake_case(method.name))
    ]
    assert missing == []
