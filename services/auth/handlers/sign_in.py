"""One method per RPC: parse, call one function, render."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2
from proximity.common.v1 import operation_pb2

from services.auth import convert
from services.auth.domain.entities import SignedIn
from services.auth.domain.errors import AccessTokenInvalidError
from services.auth.domain.registration import RegistrationPolicy
from services.auth.handlers import cookies
from services.auth.handlers.users import AccountHandlers
from services.auth.identity.signing_keys import SigningKeys
from services.auth.store.audit import SqlAuditStore
from services.auth.usecases import accounts as account_cases
from services.auth.usecases import api_tokens as token_cases
from services.auth.usecases import registration as registration_cases
from services.auth.usecases import sessions as session_cases
from services.auth.usecases import sign_in as sign_in_cases
from services.auth.usecases.accounts import Accounts
from services.auth.usecases.api_tokens import ApiTokens
from services.auth.usecases.step_up import step_up
from services.common.identity.tokens import ACCESS_TOKEN_S, Caller, TokenVerifier, User
from services.common.rpc.addresses import parse_network
from services.common.rpc.call import REFRESH_COOKIE, Call
from services.common.rpc.interceptors.authorization import Guard


@dataclass(frozen=True, kw_only=True)
class AuthHandlers(AccountHandlers):
    """AuthService."""

    registration: RegistrationPolicy
    tokens: ApiTokens
    keys: SigningKeys
    audit: SqlAuditStore
    guard: Guard
    verifier: TokenVerifier

    async def login(self, request: pb.LoginRequest, call: Call) -> user_pb2.Session:
        """Sign in."""
        call.caller, call.audit_target = Caller(), f"user {request.username}"
        signed_in = await sign_in_cases.login(
            self.sign_in, request.username, request.password, client=convert.parse_client(call)
        )
        return _answer_signed_in(call, signed_in)

    async def register_user(self, request: pb.RegisterUserRequest, call: Call) -> user_pb2.Session:
        """Make an account and sign in."""
        call.caller, call.audit_target = Caller(), f"user {request.username}"
        registration = convert.parse_registration(request)
        signed_in = await registration_cases.register_user(
            self.sign_in, self.registration, registration, client=convert.parse_client(call)
        )
        return _answer_signed_in(call, signed_in)

    async def get_setup(self, request: Empty, call: Call) -> pb.Setup:  # noqa: ARG002 - all have it
        """Describe the installation to somebody without an account."""
        return convert.render_setup(await registration_cases.get_setup(self.sign_in, self.registration))

    async def logout(self, request: pb.LogoutRequest, call: Call) -> operation_pb2.Detail:
        """Sign out."""
        refresh = self._find_refresh(request.refresh, call)
        caller = call.caller
        session, token_id = caller.session, caller.token_id if caller.session else ""
        if call.via_cookie and session:
            self.guard.check_csrf(call)
        await sign_in_cases.logout(self.sign_in, refresh, session=session, token_id=token_id)
        cookies.clear_session_cookies(call)
        return operation_pb2.Detail(detail="Successfully logged out.")

    async def refresh_token(self, request: pb.RefreshTokenRequest, call: Call) -> user_pb2.TokenPair:
        """Exchange a refresh token."""
        refresh = self._find_refresh(request.refresh, call)
        signed_in = await sign_in_cases.refresh_token(self.sign_in, refresh)
        call.caller = _caller_of(signed_in)
        cookies.refresh_session_cookies(call, signed_in)
        return convert.render_token_pair(signed_in)

    async def step_up(self, request: pb.StepUpRequest, call: Call) -> user_pb2.AccessToken:
        """Prove the caller's identity again."""
        access = await step_up(
            self.sign_in,
            call.user,
            password=request.password,
            session=call.caller.session,
            address=parse_network(call.address),
        )
        cookies.refresh_access_cookie(call, access)
        return user_pb2.AccessToken(access=access, expires_in=ACCESS_TOKEN_S)

    async def verify_token(self, request: pb.VerifyTokenRequest, call: Call) -> Empty:  # noqa: ARG002 - all have it
        """Say whether an access token is valid."""
        caller = await self.verifier.verify(request.token)
        if caller.user is None or caller.service:
            raise AccessTokenInvalidError("the token is not an access token")
        return Empty()

    async def get_current_user(self, request: Empty, call: Call) -> user_pb2.User:  # noqa: ARG002 - all have it
        """Show the caller's account."""
        account = await account_cases.get_current_user(self.accounts, call.user.id)
        cookies.set_csrf_cookie(call)
        return convert.render_user(account)

    async def update_current_user(self, request: pb.UpdateCurrentUserRequest, call: Call) -> user_pb2.User:
        """Change the caller's profile."""
        changes = convert.parse_profile(request)
        return convert.render_user(
            await account_cases.update_current_user(self.accounts, call.user.id, changes)
        )

    async def change_password(self, request: pb.ChangePasswordRequest, call: Call) -> operation_pb2.Detail:
        """Change the caller's password."""
        await sign_in_cases.change_password(
            self.sign_in,
            call.user.id,
            old=request.old_password,
            new=request.new_password,
            session=call.caller.session,
            address=parse_network(call.address),
            keep_api_tokens=request.keep_api_tokens,
        )
        return operation_pb2.Detail(detail="New password has been saved.")

    async def list_sessions(self, request: Empty, call: Call) -> pb.ListSessionsResponse:  # noqa: ARG002 - all have it
        """List the caller's sessions."""
        sessions = await session_cases.list_sessions(self.sign_in, call.user.id)
        return convert.render_sessions(sessions, current=call.caller.session)

    async def get_session(self, request: pb.GetSessionRequest, call: Call) -> user_pb2.UserSession:
        """Show one of the caller's sessions."""
        session = await session_cases.get_session(self.sign_in, call.user.id, request.id)
        return convert.render_user_session(session, current=call.caller.session)

    async def delete_session(self, request: pb.DeleteSessionRequest, call: Call) -> Empty:
        """End one of the caller's sessions."""
        call.audit_target = f"session {request.id}"
        await session_cases.delete_session(self.sign_in, call.user.id, request.id)
        return Empty()

    async def delete_other_sessions(self, request: Empty, call: Call) -> Empty:  # noqa: ARG002 - all have it
        """End the caller's sessions but the one that asks."""
        await session_cases.delete_other_sessions(self.sign_in, call.user.id, keep=call.caller.session)
        return Empty()

    async def list_api_tokens(self, request: Empty, call: Call) -> pb.ListApiTokensResponse:  # noqa: ARG002 - all have it
        """List the caller's API tokens."""
        tokens = await token_cases.list_api_tokens(self.tokens, call.user.id)
        rendered = [convert.render_api_token(token) for token in tokens]
        return pb.ListApiTokensResponse(tokens=rendered, total=len(rendered))

    async def create_api_token(self, request: pb.CreateApiTokenRequest, call: Call) -> user_pb2.ApiToken:
        """Make an API token."""
        token, secret = await token_cases.create_api_token(
            self.tokens,
            call.user,
            name=request.name,
            scopes=request.scopes,
            expires_at=convert.parse_time(request.expires_at, "expires_at")
            if request.HasField("expires_at")
            else None,
            made_by=convert.parse_token_id(call.caller.token_id),
        )
        call.audit_target = f"API token {token.id}"
        return convert.render_api_token(token, secret=secret)

    async def delete_api_token(self, request: pb.DeleteApiTokenRequest, call: Call) -> Empty:
        """End an API token."""
        call.audit_target = f"API token {request.id}"
        await token_cases.delete_api_token(self.tokens, request.id, user_id=call.user.id)
        return Empty()

    async def list_audit_entries(
        self, request: pb.ListAuditEntriesRequest, call: Call
    ) -> pb.ListAuditEntriesResponse:
        """List the audit log."""
        page = convert.parse_page(request)
        entries, total = await self.audit.list_entries(request.user, request.action, page)
        call.add_page_links(page=page.number, per_page=page.size, total=total)
        return convert.render_audit_entries(entries, total, page)

    async def get_jwks(self, request: Empty, call: Call) -> user_pb2.Jwks:  # noqa: ARG002 - all have it
        """Show the public keys."""
        return convert.render_jwks(await self.keys.list_published())

    def _find_refresh(self, sent: str, call: Call) -> str:
        """The refresh token of the body or else of the cookie, which needs the CSRF token with it."""
        cookie = call.find_cookie(REFRESH_COOKIE)
        if sent or not cookie:
            return sent
        self.guard.check_csrf(call)
        return cookie


@dataclass(frozen=True, kw_only=True)
class AuthInternalHandlers:
    """AuthInternalService."""

    accounts: Accounts
    tokens: ApiTokens

    async def authenticate_api_token(
        self,
        request: pb.AuthenticateApiTokenRequest,
        call: Call,  # noqa: ARG002 - all have it
    ) -> pb.AuthenticateApiTokenResponse:
        """Say whose an API token is."""
        return convert.render_identity(*await token_cases.authenticate_api_token(self.tokens, request.token))

    async def find_user(self, request: pb.FindUserRequest, call: Call) -> user_pb2.User:  # noqa: ARG002 - all have it
        """Find an account."""
        user_id = request.id if request.HasField("id") else None
        username = request.username if request.HasField("username") else None
        return convert.render_user(await account_cases.find_user(self.accounts, user_id, username))


def _answer_signed_in(call: Call, signed_in: SignedIn) -> user_pb2.Session:
    call.caller = _caller_of(signed_in)
    cookies.set_session_cookies(call, signed_in)
    return convert.render_session(signed_in)


def _caller_of(signed_in: SignedIn) -> Caller:
    account = signed_in.account
    return Caller(user=User(account.id, account.username, account.is_staff), session=signed_in.session)
