"""AuthService: signing in and out, access tokens and the caller's password."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2
from proximity.common.v1 import operation_pb2

from services.auth.convert.sessions import (
    parse_client,
    render_access_token,
    render_jwks,
    render_session,
    render_token_pair,
)
from services.auth.convert.users import parse_registration, render_setup
from services.auth.domain.adapters import CredentialVerifier, PublishedKeys
from services.auth.domain.credentials import SignedIn
from services.auth.domain.registration import RegistrationPolicy
from services.auth.handlers import cookies
from services.auth.usecases import access_tokens, registration, sign_in
from services.auth.usecases.change_password import change_password
from services.auth.usecases.sign_in import SignInDependencies
from services.auth.usecases.step_up import step_up
from services.common.identity.tokens import Caller, User
from services.common.rpc.call import Call, parse_network
from services.common.rpc.interceptors.authorization import Guard


@dataclass(frozen=True, kw_only=True)
class SignInHandlers:
    """RPCs that issue, check and end the tokens of sessions."""

    sign_in: SignInDependencies
    registration: RegistrationPolicy
    keys: PublishedKeys
    guard: Guard
    verifier: CredentialVerifier

    async def login(self, request: pb.LoginRequest, call: Call) -> user_pb2.Session:
        """Sign in."""
        # Credentials that came along are ignored: the audit entry belongs to the user who signs in.
        call.caller, call.audit_target = Caller(), f"user {request.username}"
        signed_in = await sign_in.login(
            self.sign_in, username=request.username, password=request.password, client=parse_client(call)
        )
        return _render_signed_in(call, signed_in)

    async def register_user(self, request: pb.RegisterUserRequest, call: Call) -> user_pb2.Session:
        """Create an account and sign in."""
        call.caller, call.audit_target = Caller(), f"user {request.username}"
        signed_in = await registration.register_user(
            self.sign_in, parse_registration(request), policy=self.registration, client=parse_client(call)
        )
        return _render_signed_in(call, signed_in)

    async def get_setup(self, request: Empty, call: Call) -> pb.Setup:  # noqa: ARG002 - all have it
        """Describe the installation to somebody without an account."""
        return render_setup(await registration.get_setup(self.sign_in, self.registration))

    async def logout(self, request: pb.LogoutRequest, call: Call) -> operation_pb2.Detail:
        """Sign out."""
        refresh = cookies.find_refresh_token(call, request.refresh, guard=self.guard)
        cookies.check_csrf_of_session(call, guard=self.guard)
        await sign_in.logout(self.sign_in, refresh, caller=call.caller)
        cookies.clear_session_cookies(call)
        return operation_pb2.Detail(detail="Successfully logged out.")

    async def refresh_token(self, request: pb.RefreshTokenRequest, call: Call) -> user_pb2.TokenPair:
        """Exchange a refresh token."""
        refresh = cookies.find_refresh_token(call, request.refresh, guard=self.guard)
        signed_in = await sign_in.refresh_token(self.sign_in, refresh)
        call.caller = _caller_of(signed_in)
        cookies.refresh_session_cookies(call, signed_in)
        return render_token_pair(signed_in)

    async def step_up(self, request: pb.StepUpRequest, call: Call) -> user_pb2.AccessToken:
        """Prove the caller's identity again."""
        access = await step_up(
            self.sign_in,
            call.user.id,
            password=request.password,
            session=call.caller.session,
            address=parse_network(call.address),
        )
        cookies.refresh_access_cookie(call, access)
        return render_access_token(access)

    async def change_password(self, request: pb.ChangePasswordRequest, call: Call) -> operation_pb2.Detail:
        """Change the caller's password."""
        await change_password(
            self.sign_in,
            call.user.id,
            old=request.old_password,
            new=request.new_password,
            session=call.caller.session,
            address=parse_network(call.address),
            keep_api_tokens=request.keep_api_tokens,
        )
        return operation_pb2.Detail(detail="New password has been saved.")

    async def verify_token(self, request: pb.VerifyTokenRequest, call: Call) -> Empty:  # noqa: ARG002 - all have it
        """Verify an access token."""
        await access_tokens.verify_token(self.verifier, request.token)
        return Empty()

    async def get_jwks(self, request: Empty, call: Call) -> user_pb2.Jwks:  # noqa: ARG002 - all have it
        """Return the public keys."""
        return render_jwks(await access_tokens.get_jwks(self.keys))


def _render_signed_in(call: Call, signed_in: SignedIn) -> user_pb2.Session:
    call.caller = _caller_of(signed_in)
    cookies.set_session_cookies(call, signed_in)
    return render_session(signed_in)


def _caller_of(signed_in: SignedIn) -> Caller:
    account = signed_in.account
    return Caller(user=User(account.id, account.username, account.is_staff), session=signed_in.session)
