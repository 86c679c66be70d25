"""Commands on the server, which need the database alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.auth_server import NEW, make_settings, redeem, run, run_command


async def test_the_server_makes_an_administrator_by_a_link(state: Path) -> None:
    done = await asyncio.to_thread(run_command, state, "create-admin")
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip().partition("#")[2]
    async with run(make_settings(state, DEBUG="False")) as client:
        assert token
        await client.public.ResetPassword(redeem(token, username="root"))
        root = await client.sign_in("root", NEW)
        assert root.user.is_staff
        assert await client.list_audit(root.access, "auth.CreateInvitation") == [
            ("(server)", "administrator", "OK")
        ]
        assert await client.auth.stores.audit.verify() > 2


async def test_the_server_creates_an_administrator_with_a_password(state: Path) -> None:
    done = await asyncio.to_thread(run_command, state, "create-admin", "root", typed=f"{NEW}\n")
    assert done.returncode == 0, done.stderr
    async with run(make_settings(state, DEBUG="False")) as client:
        root = await client.sign_in("root", NEW)
        assert root.user.is_staff
        assert await client.list_audit(root.access, "auth.CreateUser") == [("(server)", "user root", "OK")]


async def test_the_server_resets_a_password_while_auth_runs(state: Path) -> None:
    async with run(make_settings(state), messaging=True) as client:
        root = await client.register("root")
        done = await asyncio.to_thread(run_command, state, "reset-password", "ROOT")
        assert done.returncode == 0, done.stderr
        await client.public.ResetPassword(redeem(done.stdout.strip().partition("#")[2]))
        again = await client.sign_in("root", NEW)
        assert "a command on the server" in again.notices[0]
        done = await asyncio.to_thread(
            run_command, state, "reset-password", "root", "--password", typed="Third-Horse-99\n"
        )
        assert done.returncode == 0, done.stderr
        async with asyncio.timeout(60):
            while await client.accepts(again.access):  # noqa: ASYNC110 - the service reads from its database
                await asyncio.sleep(0.05)
        await client.sign_in("root", "Third-Horse-99")
        assert root.user.is_staff


def test_a_command_says_what_is_wrong(state: Path) -> None:
    done = run_command(state, "reset-password", "nobody")
    assert (done.returncode, "there is no user 'nobody'" in done.stderr) == (1, True)
    done = run_command(state, "create-admin", "root", typed="short\n")
    assert (done.returncode, "too short" in done.stderr) == (1, True)
    done = run_command(state, "create-admin", "a b", typed=f"{NEW}\n")
    assert (done.returncode, "'a b' is not" in done.stderr) == (1, True)
    done = run_command(state / "elsewhere", "create-admin")
    assert (done.returncode, "there is no database" in done.stderr) == (2, True)
    assert not (state / "elsewhere").exists()
