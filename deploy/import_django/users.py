"""Users: names, roles and the hashes of their passwords."""

from __future__ import annotations

import re
from typing import Any

from proximity.auth.v1 import auth_service_pb2 as pb

from deploy.import_django.plan import Known, Plan, choose_id, find_faults
from deploy.import_django.rows import Row
from services.auth.domain.names import find_name_fault, is_username, normalize_name
from services.clients.auth.values import DEFAULT_THEME
from services.common.core.clock import now

_TABLE = "users"
_NO_PASSWORD = "!"  # noqa: S105 - Django's own mark of an account without one; it matches nothing
_PROFILE = ("first_name", "last_name", "bio", "avatar", "preferred_theme")
_LIMITS = {"first_name": 150, "last_name": 150, "bio": 500}


def plan_users(rows: list[Row], known: Known, plan: Plan) -> None:
    """Decide about every user; one that is here already stays as it is here."""
    names = {row["username_key"]: row["id"] for row in known.users}
    emails = {row["email_key"] for row in known.users}
    taken = {row["id"] for row in known.users}
    reserved = {row.id for row in rows}
    before, removed = _recognise(rows, known), known.list_removed_users()
    for row in rows:
        username = row.line("username")
        key = normalize_name(username)
        if row.id in before:
            plan.user_ids[row.id] = before[row.id]
            plan.report.skip(_TABLE)
        elif row.id in removed:
            plan.report.leave(_TABLE, row.key, f"{username!r} came over before, and was removed here")
        elif not is_username(username) or find_name_fault(username):
            plan.report.leave(_TABLE, row.key, f"{username[:160]!r} is no user name")
        elif key in names:
            plan.report.leave(_TABLE, row.key, f"{username!r} differs from another user name only in case")
        else:
            chosen = choose_id(row.id, taken, reserved=reserved)
            if chosen != row.id:
                plan.report.note(
                    _TABLE, row.key, f"{username!r} has id {chosen} here; {row.id} is another user's"
                )
            names[key] = plan.user_ids[row.id] = chosen
            plan.users.append(_build_user(row, chosen, emails))
            plan.report.add(_TABLE)
            plan.report.note_faults(_TABLE, row)


def _recognise(rows: list[Row], known: Known) -> dict[int, int]:
    """Return the ids of the old users that are here already, and their ids here.

    A name alone is no proof: names that differ only in case are several people there and one name here, and an account
    may have been renamed here since it came over. An account that came over has the old id and the old time of its
    registration. Else the name counts, written as here before written otherwise, for one old user each.
    """
    found: dict[int, int] = {}
    registered = {(row["id"], row["date_joined"]): row["id"] for row in known.users}
    for row in rows:
        if (here := registered.get((row.id, row.time("date_joined")))) is not None:
            found[row.id] = here
    exact = {row["username"]: row["id"] for row in known.users}
    loose = {row["username_key"]: row["id"] for row in known.users}
    assigned = set(found.values())
    for names, form in ((exact, str), (loose, normalize_name)):
        for row in rows:
            here = names.get(form(row.line("username")))
            if row.id not in found and here is not None and here not in assigned:
                found[row.id] = here
                assigned.add(here)
    return found


def _build_user(row: Row, user_id: int, emails: set[str | None]) -> dict[str, Any]:
    username = row.line("username")
    profile = _read_profile(row)
    email = profile.pop("email")
    email_key = normalize_name(email) or None
    if email_key is not None and email_key in emails:
        row.note(f"the address {email!r} is another user's too; it comes over without")
        email, email_key = "", None
    emails.add(email_key)
    return {
        "id": user_id,
        "username": username,
        "username_key": normalize_name(username),
        "email": email,
        "email_key": email_key,
        "password_hash": _convert_hash(row),
        **profile,
        "is_staff": row.flag("is_staff", default=False) or row.flag("is_superuser", default=False),
        "is_active": row.flag("is_active", default=True),
        "date_joined": row.time("date_joined") or now(),
        "last_login": row.time("last_login"),
    }


def _read_profile(row: Row) -> dict[str, str]:
    """Return what users may change themselves, without what the API would refuse when it is sent back."""
    values = {"email": row.line("email")}
    for name in _PROFILE:
        values[name] = row.text(name) if name == "bio" else row.line(name)
        if (limit := _LIMITS.get(name)) and len(values[name]) > limit:
            row.fault(name, values[name], f"is longer than {limit} characters: it is cut off")
            values[name] = values[name][:limit]
    values["preferred_theme"] = values["preferred_theme"] or DEFAULT_THEME
    for name, fault in find_faults(pb.UpdateCurrentUserRequest(**values)).items():
        row.note(f"{name}: {fault}; it comes over without")
        values[name] = DEFAULT_THEME if name == "preferred_theme" else ""
    if fault := find_name_fault(values["email"]):
        row.note(f"email: {fault}; it comes over without")
        values["email"] = ""
    return values


def _convert_hash(row: Row) -> str:
    """Return the hash in a form that auth verifies: Django's PBKDF2 as it is, its Argon2 without the prefix."""
    password = row.line("password")
    if re.fullmatch(r"pbkdf2_sha256\$\d+\$[^$]+\$[^$]+", password) and len(password) <= 200:
        return password
    if password.startswith("argon2$argon2id$"):
        return password.removeprefix("argon2")
    kind = (
        "no usable password"
        if password[:1] in {"", "!"}
        else f"a password by {password.split('$')[0][:20]!r}"
    )
    row.note(f"has {kind}: cannot sign in until an administrator makes a link that sets one")
    return _NO_PASSWORD
