"""AuthService, the administration of accounts: one method per RPC."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2
from proximity.common.v1 import operation_pb2

from services.auth import convert
from services.auth.usecases import accounts as account_cases
from services.auth.usecases import one_time_links as link_cases
from services.auth.usecases.accounts import Accounts
from services.auth.usecases.create_user import create_user
from services.auth.usecases.one_time_links import OneTimeLinks
from services.auth.usecases.sign_in import SignIn
from services.common.identity.tokens import Caller
from services.common.rpc.addresses import parse_network
from services.common.rpc.call import Call


@dataclass(frozen=True, kw_only=True)
class AccountHandlers:
    """The part of AuthService with which administrators manage accounts, and what their links are redeemed by."""

    sign_in: SignIn
    accounts: Accounts
    links: OneTimeLinks

    async def list_users(self, request: pb.ListUsersRequest, call: Call) -> pb.ListUsersResponse:
        """List accounts."""
        page = convert.parse_page(request)
        accounts, total = await account_cases.list_users(self.accounts, request.search, page)
        call.add_page_links(page=page.number, per_page=page.size, total=total)
        return convert.render_users(accounts, total, page)

    async def update_user(self, request: pb.UpdateUserRequest, call: Call) -> user_pb2.User:
        """Promote, demote, activate or deactivate."""
        call.audit_target = f"user {request.id}"
        account = await account_cases.update_user(
            self.accounts,
            request.id,
            is_staff=request.is_staff if request.HasField("is_staff") else None,
            is_active=request.is_active if request.HasField("is_active") else None,
            quota=convert.parse_quota(request.quota) if request.HasField("quota") else None,
            issuer=call.caller,
        )
        return convert.render_user(account)

    async def delete_user(self, request: pb.DeleteUserRequest, call: Call) -> Empty:
        """Remove an account."""
        apps_to = request.apps_to if request.HasField("apps_to") else None
        call.audit_target = f"user {request.id}" + (f", apps to user {apps_to}" if apps_to else "")
        await account_cases.delete_user(self.accounts, request.id, apps_to=apps_to, issuer=call.caller)
        return Empty()

    async def create_user(self, request: pb.CreateUserRequest, call: Call) -> user_pb2.User:
        """Make an account."""
        call.audit_target = f"user {request.username}"
        account = await create_user(
            self.accounts.store,
            self.sign_in.hasher,
            convert.parse_new_user(request),
            is_staff=request.is_staff,
            quota=convert.parse_quota(request.quota) if request.HasField("quota") else None,
            issuer=call.caller,
        )
        return convert.render_user(account)

    async def end_user_sessions(self, request: pb.EndUserSessionsRequest, call: Call) -> Empty:
        """End an account's sessions."""
        call.audit_target = f"user {request.id}"
        await account_cases.end_user_sessions(self.accounts, request.id)
        return Empty()

    async def create_reset_link(self, request: pb.CreateResetLinkRequest, call: Call) -> pb.OneTimeLink:
        """Make a link that sets an account's password."""
        call.audit_target = f"user {request.id}"
        call.add_header("cache-control", "no-store")
        issued = await link_cases.create_reset_link(self.links, request.id, issuer=call.caller)
        return convert.render_link(issued)

    async def create_invitation(self, request: pb.CreateInvitationRequest, call: Call) -> pb.OneTimeLink:
        """Make a link that makes an account."""
        call.audit_target = "administrator" if request.is_staff else "user"
        call.add_header("cache-control", "no-store")
        issued = await link_cases.create_invitation(self.links, is_staff=request.is_staff, issuer=call.caller)
        return convert.render_link(issued)

    async def reset_password(self, request: pb.ResetPasswordRequest, call: Call) -> operation_pb2.Detail:
        """Redeem a one-time link."""
        call.caller, call.audit_target = Caller(), f"user {request.username}" if request.username else ""
        detail = await link_cases.reset_password(
            self.links,
            request.token,
            convert.parse_redemption(request),
            address=parse_network(call.address),
        )
        return operation_pb2.Detail(detail=detail)
