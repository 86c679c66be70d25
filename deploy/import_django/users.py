"""Users: names, roles and the hashes of their passwords."""

from __future__ import annotations

import re
from typing import Any

from deploy.import_django.plan import Known, Plan, choose_id
from deploy.import_django.source import Row
from services.auth.domain.entities import DEFAULT_THEME
from services.auth.domain.names import normalize_name
from services.common.core.clock import now

_TABLE = "users"
_NAME = re.compile(r"[\w.@+-]{1,150}")
_NO_PASSWORD = "!"  # noqa: S105 - Django's own mark of an account without one; it matches nothing
_LENGTHS = {"first_name": 150, "last_name": 150, "avatar": 2000, "bio": 500}


def plan_users(rows: list[Row], known: Known, plan: Plan) -> None:
    """Decide about every user; who is here already, whatever the case of the name, stays as here."""
    names = {row["username_key"]: row["id"] for row in known.users}
    emails = {row["email_key"] for row in known.users}
    taken = {row["id"] for row in known.users}
    reserved = {row.id for row in rows}
    before = set(names)
    for row in rows:
        username = row.text("username")
        key = normalize_name(username)
        if key in before:
            plan.user_ids[row.id] = names[key]
            plan.report.skip(_TABLE)
        elif not _NAME.fullmatch(username):
            plan.report.leave(_TABLE, row.id, f"{username!r} is no user name")
        elif key in names:
            plan.report.leave(_TABLE, row.id, f"{username!r} differs from another user name only in case")
        else:
            chosen = choose_id(row.id, taken, reserved=reserved)
            if chosen != row.id:
                plan.report.note(
                    _TABLE, row.id, f"{username!r} has id {chosen} here; {row.id} is another user's"
                )
            names[key] = plan.user_ids[row.id] = chosen
            plan.users.append(_build_user(row, chosen, emails, plan))
            plan.report.add(_TABLE)


def _build_user(row: Row, user_id: int, emails: set[str | None], plan: Plan) -> dict[str, Any]:
    email = row.text("email")
    email_key = normalize_name(email) or None
    if email_key in emails and email_key is not None:
        plan.report.note(
            _TABLE, row.id, f"the address {email!r} is another user's too; it comes over without"
        )
        email, email_key = "", None
    emails.add(email_key)
    username = row.text("username")
    return {
        "id": user_id,
        "username": username,
        "username_key": normalize_name(username),
        "email": email,
        "email_key": email_key,
        "password_hash": _convert_hash(row, plan),
        **{name: row.text(name)[:length] for name, length in _LENGTHS.items()},
        "preferred_theme": row.text("preferred_theme")[:50] or DEFAULT_THEME,
        "is_staff": row.flag("is_staff", default=False) or row.flag("is_superuser", default=False),
        "is_active": row.flag("is_active", default=True),
        "date_joined": row.time("date_joined") or now(),
        "last_login": row.time("last_login"),
    }


def _convert_hash(row: Row, plan: Plan) -> str:
    """The hash in a form that auth verifies: Django's PBKDF2 as it is, its Argon2 without the prefix."""
    password = row.text("password")
    if re.fullmatch(r"pbkdf2_sha256\$\d+\$[^$]+\$[^$]+", password) and len(password) <= 200:
        return password
    if password.startswith("argon2$argon2id$"):
        return password.removeprefix("argon2")
    kind = (
        "no usable password"
        if password[:1] in {"", "!"}
        else f"a password by {password.split('$')[0][:20]!r}"
    )
    plan.report.note(_TABLE, row.id, f"has {kind}: cannot sign in until a new account is made")
    return _NO_PASSWORD
