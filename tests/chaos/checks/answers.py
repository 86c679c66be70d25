"""What was confirmed is there, what was refused is not, and nobody sees what is somebody else's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from tests.chaos.evidence import Evidence
from tests.chaos.history import Exchange

_CREATING = {"deploy": "id", "clone": "app_id", "adopt": "app_id"}
_NEVER = float("inf")


def check_answers(evidence: Evidence) -> Iterator[str]:
    """Say which answers do not fit the history."""
    yield from _check_keys(evidence)
    yield from _check_refusals(evidence)
    yield from _check_reads(evidence)
    yield from _check_names(evidence)
    yield from _check_privacy(evidence)
    for one in evidence.history:
        if one.status == 500:
            yield f"{one.method} {one.path} of user {one.user_id} answered 500: {one.answer}"


def _check_keys(evidence: Evidence) -> Iterator[str]:
    """The same key gives the same answer, and what was accepted once is never refused."""
    for key, sent in _group_by_key(evidence).items():
        accepted = [one for one in sent if one.is_accepted]
        for one in accepted[1:]:
            if one.answer != accepted[0].answer:
                yield f"key {key[1]} of user {key[0]} got different answers: {accepted[0].answer}, {one.answer}"
        for one in sent:
            if accepted and one.is_refused and one.sent > accepted[0].answered:
                error = one.answer.get("error") if isinstance(one.answer, dict) else one.answer
                yield f"key {key[1]} of user {key[0]} was accepted and then refused with {one.status}: {error}"


def _check_refusals(evidence: Evidence) -> Iterator[str]:
    known = {one["id"]: one for one in (*evidence.operations, *evidence.backup_operations)}
    for sent in _group_by_key(evidence).values():
        operation_id = sent[0].operation_id
        if operation_id in known and all(one.is_refused for one in sent):
            error = sent[-1].answer.get("error") if isinstance(sent[-1].answer, dict) else ""
            kind = known[operation_id]["kind"]
            yield f"{sent[0].action} {sent[0].key} was refused ({error}) and {kind} {operation_id} exists"


def _check_reads(evidence: Evidence) -> Iterator[str]:
    """An app is found from its confirmation to its deletion; once it is not found, it never is again."""
    born, asked, gone = _find_births(evidence), _find_deletions(evidence), _find_goodbyes(evidence)
    for one in evidence.history:
        if one.method != "GET" or not one.subject or one.action == "pry":
            continue
        app_id = one.subject
        if (
            one.status == 404
            and born.get(app_id, _NEVER) < one.sent
            and one.answered < asked.get(app_id, _NEVER)
        ):
            yield f"{app_id} was confirmed, nobody deleted it, and GET {one.path} answered 404"
        by_event = one.path.endswith("/backups")  # backups hears of an app's end by NATS, which may be away
        if one.status == 200 and gone.get(app_id, _NEVER) < one.sent and not by_event:
            yield f"{app_id} was not found, and after that GET {one.path} answered"
    kept = {app["id"] for app in evidence.apps}
    for app_id in born.keys() - asked.keys() - kept:
        yield f"{app_id} was confirmed, nobody deleted it, and it is gone"
    for app_id in _list_deleted(evidence) & kept:
        yield f"the deletion of {app_id} succeeded and it is still there"


def _check_names(evidence: Evidence) -> Iterator[str]:
    """The last confirmed name is the app's, unless a later change is uncertain."""
    apps = {app["id"]: app for app in evidence.apps}
    last: dict[str, Exchange] = {}
    for one in evidence.history:
        if one.action == "update" and not one.is_refused:
            last[one.subject] = one
    for app_id, one in last.items():
        if one.is_accepted and app_id in apps and apps[app_id]["name"] != one.body["name"]:
            yield f"{app_id} was renamed {one.body['name']} and is called {apps[app_id]['name']}"


def _check_privacy(evidence: Evidence) -> Iterator[str]:
    for one in evidence.history:
        if one.action == "pry" and one.status == 200 and not one.is_admin:
            yield f"user {one.user_id} saw {one.subject}, which is somebody else's"


def _group_by_key(evidence: Evidence) -> dict[tuple[int, str], list[Exchange]]:
    found: dict[tuple[int, str], list[Exchange]] = defaultdict(list)
    for one in evidence.history:
        if one.key:
            found[one.user_id, one.key].append(one)
    return found


def _find_births(evidence: Evidence) -> dict[str, float]:
    """When each app was confirmed. One that is adopted counts from the end of its adoption, which may forget it."""
    ended = {one["subject"]: one for one in evidence.operations if one["kind"] == "adopt_container"}
    born: dict[str, float] = {}
    for one in evidence.history:
        if one.action not in _CREATING or not one.is_accepted:
            continue
        app_id = str(one.answer[_CREATING[one.action]])
        if one.action != "adopt":
            born.setdefault(app_id, one.answered)
        elif app_id in ended and ended[app_id]["status"] == "succeeded":
            born.setdefault(app_id, _epoch(ended[app_id]["finished_at"]))
    return born


def _find_deletions(evidence: Evidence) -> dict[str, float]:
    """When the first request was sent that may have deleted an app."""
    sent: dict[str, float] = {}
    for one in _sort_by_sending(evidence.history):
        if one.action == "delete" and not one.is_refused:
            sent.setdefault(one.subject, one.sent)
    return sent


def _find_goodbyes(evidence: Evidence) -> dict[str, float]:
    """When each app was first not found by somebody who may see it."""
    gone: dict[str, float] = {}
    for one in evidence.history:
        if one.status == 404 and one.method == "GET" and one.subject and one.action != "pry":
            gone.setdefault(one.subject, one.answered)
    return gone


def _list_deleted(evidence: Evidence) -> set[str]:
    return {
        one["subject"]
        for one in evidence.operations
        if one["kind"] == "delete_app" and one["status"] == "succeeded"
    }


def _sort_by_sending(history: Sequence[Exchange]) -> list[Exchange]:
    return sorted(history, key=lambda one: one.sent)


def _epoch(moment: datetime) -> float:
    return moment.timestamp()
