"""AuthService: the caller's sessions."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.auth.convert.sessions import render_sessions, render_user_session
from services.auth.usecases import sessions
from services.auth.usecases.sign_in import SignInDependencies
from services.common.rpc.call import Call


@dataclass(frozen=True, kw_only=True)
class SessionHandlers:
    """RPCs of sessions."""

    sign_in: SignInDependencies

    async def list_sessions(self, request: Empty, call: Call) -> pb.ListSessionsResponse:  # noqa: ARG002 - all have it
        """List the caller's sessions."""
        found = await sessions.list_sessions(self.sign_in, call.user.id)
        return render_sessions(found, current=call.caller.session)

    async def get_session(self, request: pb.GetSessionRequest, call: Call) -> user_pb2.UserSession:
        """Return one of the caller's sessions."""
        session = await sessions.get_session(self.sign_in, call.user.id, session_id=request.id)
        return render_user_session(session, current=call.caller.session)

    async def delete_session(self, request: pb.DeleteSessionRequest, call: Call) -> Empty:
        """End one of the caller's sessions."""
        call.audit_target = f"session {request.id}"
        await sessions.delete_session(self.sign_in, call.user.id, session_id=request.id)
        return Empty()

    async def delete_other_sessions(self, request: Empty, call: Call) -> Empty:  # noqa: ARG002 - all have it
        """End the caller's other sessions."""
        await sessions.delete_other_sessions(self.sign_in, call.user.id, keep=call.caller.session)
        return Empty()
