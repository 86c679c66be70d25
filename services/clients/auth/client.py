"""Accounts over gRPC: `Users` of `interface`."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1.auth_service_pb2_grpc import AuthInternalServiceStub

from services.clients.auth.values import Quota, UserFacts
from services.common.rpc.client import Clients

_FIND_S = 3.0  # a person waits for it; auth reads one row


class GrpcUsers:
    """Accounts on the wire."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def find_user(self, user_id: int) -> UserFacts:
        """See `Users.find_user`."""
        request = pb.FindUserRequest(id=user_id)
        user = await self._clients.call(
            "auth", AuthInternalServiceStub, method="FindUser", request=request, timeout=_FIND_S
        )
        # Fields without presence are unlimited; ListFields names only those that were set.
        quota = Quota(**{field.name: value for field, value in user.quota.ListFields()})
        return UserFacts(user.id, user.is_staff, quota)
