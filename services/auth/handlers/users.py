"""AuthService: the caller's account, those of all users, and one-time links."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2
from proximity.common.v1 import operation_pb2

from services.auth.convert.fields import parse_page
from services.auth.convert.users import (
    parse_account_changes,
    parse_heir,
    parse_new_user,
    parse_profile,
    parse_quota,
    parse_redemption,
    render_link,
    render_user,
    render_users,
)
from services.auth.handlers import cookies
from services.auth.usecases import one_time_links, users
from services.auth.usecases.one_time_links import LinkDependencies
from services.auth.usecases.users import UserDependencies
from services.common.identity.tokens import Caller
from services.common.rpc.call import Call, parse_network


@dataclass(frozen=True, kw_only=True)
class UserHandlers:
    """RPCs of accounts and of the links that create them or set their passwords."""

    users: UserDependencies
    links: LinkDependencies

    async def get_current_user(self, request: Empty, call: Call) -> user_pb2.User:  # noqa: ARG002 - all have it
        """Return the caller's account."""
        account = await users.get_current_user(self.users, call.user.id)
        cookies.set_csrf_cookie(call)
        return render_user(account)

    async def update_current_user(self, request: pb.UpdateCurrentUserRequest, call: Call) -> user_pb2.User:
        """Change the caller's profile."""
        changes = parse_profile(request)
        return render_user(await users.update_current_user(self.users, call.user.id, changes=changes))

    async def list_users(self, request: pb.ListUsersRequest, call: Call) -> pb.ListUsersResponse:
        """List accounts."""
        page = parse_page(request)
        accounts, total = await users.list_users(self.users, search=request.search, page=page)
        last = accounts[-1].id if accounts else ""
        call.add_list_links(
            page=page.number,
            per_page=page.size,
            total=total,
            after=page.after,
            last=last,
            count=len(accounts),
        )
        return render_users(accounts, total, page=page)

    async def create_user(self, request: pb.CreateUserRequest, call: Call) -> user_pb2.User:
        """Create an account."""
        call.audit_target = f"user {request.username}"
        account = await users.create_user(
            self.users,
            parse_new_user(request),
            is_staff=request.is_staff,
            quota=parse_quota(request),
            issuer=call.caller,
        )
        return render_user(account)

    async def update_user(self, request: pb.UpdateUserRequest, call: Call) -> user_pb2.User:
        """Promote, demote, activate or deactivate, or set the quota."""
        call.audit_target = f"user {request.id}"
        account = await users.update_user(
            self.users, request.id, changes=parse_account_changes(request), issuer=call.caller
        )
        return render_user(account)

    async def delete_user(self, request: pb.DeleteUserRequest, call: Call) -> Empty:
        """Remove an account."""
        apps_to = parse_heir(request)
        call.audit_target = f"user {request.id}" + (f", apps to user {apps_to}" if apps_to else "")
        await users.delete_user(self.users, request.id, apps_to=apps_to, issuer=call.caller)
        return Empty()

    async def end_user_sessions(self, request: pb.EndUserSessionsRequest, call: Call) -> Empty:
        """End an account's sessions."""
        call.audit_target = f"user {request.id}"
        await users.end_user_sessions(self.users, request.id)
        return Empty()

    async def create_reset_link(self, request: pb.CreateResetLinkRequest, call: Call) -> pb.OneTimeLink:
        """Create a link that sets an account's password."""
        call.audit_target = f"user {request.id}"
        # The link is a credential: no cache may store the response.
        call.add_header("cache-control", "no-store")
        issued = await one_time_links.create_reset_link(self.links, request.id, issuer=call.caller)
        return render_link(issued)

    async def create_invitation(self, request: pb.CreateInvitationRequest, call: Call) -> pb.OneTimeLink:
        """Create a link that creates an account."""
        call.audit_target = "administrator" if request.is_staff else "user"
        call.add_header("cache-control", "no-store")
        issued = await one_time_links.create_invitation(
            self.links, is_staff=request.is_staff, issuer=call.caller
        )
        return render_link(issued)

    async def reset_password(self, request: pb.ResetPasswordRequest, call: Call) -> operation_pb2.Detail:
        """Redeem a one-time link."""
        call.caller, call.audit_target = Caller(), f"user {request.username}" if request.username else ""
        detail = await one_time_links.reset_password(
            self.links,
            request.token,
            redemption=parse_redemption(request),
            address=parse_network(call.address),
        )
        return operation_pb2.Detail(detail=detail)
