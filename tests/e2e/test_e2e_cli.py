"""The command line against the whole platform: what a person does in a terminal, and a program with --json."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import ssl
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.command_line import LIMIT_S, Terminal
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack


@pytest.fixture
def terminal(stack: RunningStack, tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "session")
    terminal.sign_in(stack.url)
    return terminal


@pytest.mark.timeout(900)
def test_an_app_lives_its_life_on_the_command_line(terminal: Terminal) -> None:
    """Deploy, change, back up, restore and delete; the commands of docs/values.md are among them."""
    hostname = f"cli-{uuid.uuid4().hex[:8]}"
    assert "adminer" in terminal.run("catalog", "search", "adminer").stdout
    assert [host["status"] for host in terminal.read("hosts")] == ["online"]
    app = terminal.read("deploy", "adminer", hostname, "--memory", "512")
    assert (app["status"], app["config"]["memory"]) == ("running", 512)
    assert hostname in terminal.run("apps").stdout
    assert "is running" in terminal.run("set", app["id"], "ADMINER_DESIGN=nette", "MOTTO=pw-77=x").stdout
    shown = terminal.read("show", app["id"])
    assert (shown["environment"]["ADMINER_DESIGN"], shown["masked"]) == ("nette", ["MOTTO"])
    assert terminal.run("reveal", app["id"]).stdout == "MOTTO=pw-77=x\n"
    assert terminal.read("reveal", app["id"], "ADMINER_DESIGN")["values"] == {"ADMINER_DESIGN": "nette"}
    assert "needs no change" in terminal.run("set", app["id"], "--public", "MOTTO").stdout
    terminal.run("set", app["id"], "--unset", "MOTTO")
    assert "MOTTO" not in terminal.read("show", app["id"])["environment"]
    assert "nothing to change" in terminal.run("set", app["id"], status=2).stderr
    assert "newest revision" in terminal.run("update", app["id"]).stdout
    assert terminal.read("update", app["id"], "--check")["available"] is False
    log = terminal.run("logs", app["id"], "--json").stdout.splitlines()
    assert json.loads(log[0])["message"] == "Reserving a container id"
    backup = terminal.read("backup", app["id"], "--notes", "first")
    assert (backup["status"], backup["notes"]) == ("completed", "first")
    assert app["id"] in complete("restore adm", terminal.environment)
    assert complete(f"restore {app['id']} ", terminal.environment) == [str(backup["id"])]
    assert "ADMINER_DESIGN" in complete(f"set {app['id']} --unset ", terminal.environment)
    assert "running again" in terminal.run("restore", app["id"], str(backup["id"]), "--yes").stdout
    stopped = terminal.run("stop", app["id"])
    assert "is stopped" in stopped.stdout
    assert "deploying" not in stopped.stderr, "steps of earlier operations"
    with subprocess.Popen(
        [sys.executable, "-m", "proximity_cli", "logs", app["id"], "--follow"],
        env=terminal.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline()  # it found its app, so it may go now
        terminal.run("delete", app["id"], "--yes")
        assert "Stopping the container" in following.stdout.read()
        assert following.wait(LIMIT_S) == 0  # the removal ends it
    assert "there is no app" in terminal.run("show", app["id"], status=5).stderr
    # The restore made a backup of the app as it was; both outlive the app.
    safety, first = terminal.read("backups", "list", app["id"])
    assert (first["id"], safety["status"], first["status"]) == (backup["id"], "completed", "completed")
    assert "deleted" in terminal.run("backups", "list", "--status", "completed").stdout
    copy = f"{hostname}-2"
    assert "is running" in terminal.run("restore", app["id"], str(backup["id"]), "--to", copy).stdout
    (back,) = terminal.read("apps", "--search", copy)
    terminal.read("backup", back["id"])
    deleted = terminal.run("delete", back["id"], "--backups", "delete", "--yes").stdout
    assert "Deleting 1 backup with it" in deleted


def test_administrators_manage_accounts(terminal: Terminal, stack: RunningStack, tmp_path: Path) -> None:
    name, guest = f"u-{uuid.uuid4().hex[:8]}", f"g-{uuid.uuid4().hex[:8]}"
    assert terminal.read("users", "create", name)["username"] == name
    link = terminal.run("users", "reset-link", name).stdout.strip()
    assert link.startswith(f"{stack.url}/api/auth/redeem#")
    other = Terminal(tmp_path / "other")
    redeem = ("redeem", link, "--password-stdin")
    assert "too short" in other.run(*redeem, stdin="short\n", status=1).stderr
    assert name in other.run(*redeem, stdin="a-Long-phrase-77\n").stdout
    assert "ask for a new link" in other.run(*redeem, stdin="a-Long-phrase-78\n", status=1).stderr
    login = ("login", stack.url, "--username", name, "--password-stdin")
    assert "reset with a link of administrator" in other.run(*login, stdin="a-Long-phrase-77\n").stderr
    assert "Admin privileges" in other.run("users", "list", status=1).stderr
    other.run("password", "--password-stdin", stdin="a-Long-phrase-77\na-Long-phrase-78\n")
    app = other.read("deploy", "adminer", f"cli-{uuid.uuid4().hex[:8]}")
    terminal.run("users", "end-sessions", name)
    other.run("whoami", status=3)
    invitation = terminal.run("users", "invite").stdout.strip()
    stdin = "a-Long-phrase-77\n"
    assert guest in other.run("redeem", invitation, "-u", guest, "--password-stdin", stdin=stdin).stdout
    for verb, shown in (("promote", "administrator"), ("demote", "user"), ("deactivate", "deactivated")):
        terminal.run("users", verb, guest)
        assert shown in terminal.run("users", "list", "--search", guest).stdout
    assert "is not active" in terminal.run("users", "delete", name, "--apps-to", guest, "-y", status=1).stderr
    terminal.run("users", "activate", guest)
    terminal.run("users", "delete", name, "--apps-to", guest, "--yes")
    login = ("login", stack.url, "--username", guest, "--password-stdin")
    other.run(*login, stdin=stdin)
    deadline = time.monotonic() + LIMIT_S
    while app["id"] not in other.run("apps").stdout:
        assert time.monotonic() < deadline, "the app was not handed over"
    terminal.run("delete", app["id"], "--yes")
    assert "there is no user" in terminal.run("users", "reset-link", name, status=5).stderr


def test_refusals_are_sentences_with_their_own_exit_status(
    terminal: Terminal, stack: RunningStack, tmp_path: Path
) -> None:
    assert "shorter than 3" in terminal.run("deploy", "adminer", "x", status=1).stderr
    assert "NAME=VALUE" in terminal.run("deploy", "adminer", "web-x", "--env", "A", status=2).stderr
    terminal.run("fly", status=2)
    stranger = Terminal(tmp_path / "nobody")
    assert "proximity login" in stranger.run("apps", status=3).stderr
    lost = Terminal(tmp_path / "lost", PROXIMITY_TOKEN="prx_x", PROXIMITY_URL="http://127.0.0.1:1")
    assert "does not answer" in lost.run("hosts", status=4).stderr
    arguments = ("login", stack.url, "--username", USERNAME, "--password-stdin")
    assert "Wrong username or password" in stranger.run(*arguments, stdin="wrong\n", status=3).stderr
    terminal.run("logout")
    terminal.run("apps", status=3)


def test_a_certificate_is_trusted_by_file_or_fingerprint_or_not_at_all(
    stack: RunningStack, tmp_path: Path
) -> None:
    url = f"https://127.0.0.1:{stack.port}"
    file = stack.state / "keys" / "gateway.crt"
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read_text())).hexdigest()
    terminal = Terminal(tmp_path / "session")
    assert fingerprint in terminal.sign_in(url, status=1).stderr
    assert "not the pinned one" in terminal.sign_in(url, "--pin", "00", status=1).stderr
    for name, value in (("PROXIMITY_CA_FILE", str(file)), ("PROXIMITY_FINGERPRINT", fingerprint)):
        Terminal(tmp_path / name, **{name: value}).sign_in(url)
    for options in (("--ca", str(file)), ("--pin", fingerprint), ("--insecure",)):
        terminal.sign_in(url, *options)
        assert terminal.read("whoami")["username"] == USERNAME


def test_moving_in_is_the_platforms_own_program(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    assert "there is no file" in terminal.run("import-django", "--from", "sqlite:////none", status=1).stderr
    assert "--apply" in terminal.run("import-django", "--help").stdout


def complete(words: str, environment: Mapping[str, str]) -> list[str]:
    """Return what bash offers for the last word, which is empty behind a space."""
    typed = ["proximity", *words.split(" ")]
    script = (
        f'PATH="{sysconfig.get_path("scripts")}:$PATH"; source <(proximity --show-completion bash);'
        f" COMP_WORDS=({shlex.join(typed)}); COMP_CWORD={len(typed) - 1}; _proximity_completion proximity;"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("de", {"deploy", "delete", "dead-letters"}),
        ("catalog s", {"search", "show", "schema", "screenshot", "stats"}),
        ("backup", {"backup", "backups"}),
    ],
)
def test_the_shell_completes_commands(words: str, wanted: set[str]) -> None:
    """In a real bash, with the script that `--install-completion` installs."""
    assert set(complete(words, os.environ)) == wanted


def test_sessions_are_shown_and_ended(stack: RunningStack, tmp_path: Path) -> None:
    one, other = Terminal(tmp_path / "one"), Terminal(tmp_path / "other")
    for each in (one, other):
        each.sign_in(stack.url)
    current = [session for session in one.read("sessions") if session["is_current"]]
    assert len(current) == 1
    assert "this one" in one.run("sessions").stdout
    theirs = next(session for session in other.read("sessions") if session["is_current"])
    assert "has ended" in one.run("sessions", "end", theirs["id"]).stdout
    other.run("whoami", status=3)
    one.run("sessions", "end", theirs["id"], status=5)
    one.run("sessions", "end", status=2)


def test_a_password_is_confirmed_on_the_command_line(terminal: Terminal) -> None:
    before = terminal.read("sessions")
    assert "ten minutes" in terminal.run("step-up", "--password-stdin", stdin=f"{PASSWORD}\n").stdout
    assert "Wrong password" in terminal.run("step-up", "--password-stdin", stdin="wrong-1\n", status=3).stderr
    current = next(each["id"] for each in before if each["is_current"])
    after = {each["id"]: each for each in terminal.read("sessions")}
    assert after[current]["is_current"]
    assert after[current]["authenticated_at"] > after[current]["created_at"]


@pytest.mark.timeout(900)
def test_commands_made_from_their_rpcs(terminal: Terminal) -> None:
    """Resize, copy and look at the work; one line for each step where there is no terminal; every form of output."""
    hostname = f"rpc-{uuid.uuid4().hex[:8]}"
    done = terminal.run("deploy", "adminer", hostname, "--env", "FOO=1", "-o", "name")
    app_id = done.stdout.strip()
    assert "adminer does not ask for FOO" in done.stderr
    assert f"Deploying {hostname}: " in done.stderr
    changed = terminal.read("change", app_id, "--name", "Database")
    assert (changed["id"], changed["name"]) == (app_id, "Database")
    copied = terminal.run("clone", app_id, f"{hostname}-2")
    assert "%)" in copied.stderr
    operations = terminal.read("operations", "list", app_id)
    assert "deploy_app" in {operation["kind"] for operation in operations}
    shown = terminal.read("operations", "show", app_id, operations[-1]["id"])
    assert {step["status"] for step in shown["steps"]} == {"done"}
    assert "succeeded" in terminal.run("operations", "watch", app_id, operations[-1]["id"]).stdout
    assert "id: 1" in terminal.run("hosts", "--output", "yaml").stdout
    assert terminal.read("hosts", "test", "1")["success"]
    assert len(terminal.read("audit", "--limit", "3")) == 3
    token = terminal.read("tokens", "create", "nightly", "--scopes", "read")
    assert "nightly" in terminal.run("tokens").stdout
    assert str(token["id"]) in complete("tokens delete ", terminal.environment)
    terminal.run("tokens", "delete", str(token["id"]), "--yes")
    terminal.run("rollback", app_id, "--yes", status=1)  # it was never updated
    for arguments in (("show", "none-1"), ("deploy", "no-such-item", "x-1"), ("hosts", "show", "999")):
        terminal.run(*arguments, status=5)


def test_a_token_refused_before_its_time_is_renewed(terminal: Terminal, tmp_path: Path) -> None:
    """As after the replacement of the keys that sign tokens: the session has a refresh token, and goes on."""
    file = tmp_path / "session" / "session.json"
    session = json.loads(file.read_text())
    file.write_text(json.dumps(session | {"access": session["access"][:-6] + "AAAAAA"}))
    assert USERNAME in terminal.run("whoami").stdout
    assert json.loads(file.read_text())["access"] != session["access"]
