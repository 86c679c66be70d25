"""The scripts that run in containers, in the shells that real ones have."""

import shutil
import subprocess
from pathlib import Path

import pytest

from services.apps.workflows.steps.container_scripts import (
    NO_INPUT,
    NOT_INSTALLABLE,
    make_launch,
    make_prepare,
    make_write,
    render_files,
    split_stages,
)

COMPOSE = "services:\n  web: {image: nginx}\n" * 3000
VALUES = "A='it is \\\\ $HOME'\nB=\"ü\"\n"
SHELLS = [one for one in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(one[0])]
"""The shells of Debian and Alpine that this machine has."""


def test_a_shell_is_there_to_try_the_scripts_in() -> None:
    assert ["dash"] in SHELLS or ["busybox", "sh"] in SHELLS


def run(shell: list[str], argv: tuple[str, ...], stdin: bytes, *, path: str = "") -> tuple[int, str]:
    """Run a command of a container with another shell in the place of its `sh`."""
    assert argv[:2] == ("sh", "-c")
    env = {"PATH": f"{path}:/usr/bin:/bin:/usr/sbin:/sbin"}
    done = subprocess.run(
        [*shell, *argv[1:]],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        timeout=60,
    )
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_written_for_root_alone_and_replaced_whole(shell: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "app"
    for compose, values in ((COMPOSE, VALUES), ("services: {}\n", "")):
        code, _ = run(shell, make_write(str(folder)), render_files(compose, values))
        assert code == 0
        assert ((folder / "compose.yaml").read_text(), (folder / ".env").read_text()) == (compose, values)
        assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
        assert sorted(one.name for one in folder.iterdir()) == [".env", "compose.yaml"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("given", [b"", render_files(COMPOSE, VALUES)[:-1], b"c2VydmljZXM6\n"])
def test_input_that_is_missing_or_cut_writes_nothing(shell: list[str], given: bytes, tmp_path: Path) -> None:
    code, _ = run(shell, make_write(str(tmp_path / "app")), given)
    assert (code, list(tmp_path.iterdir())) == (NO_INPUT, [])


@pytest.mark.parametrize("shell", SHELLS)
def test_files_that_cannot_be_written_are_a_failure_of_that_stage(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, text = run(shell, make_write(str(tmp_path / "file")), render_files(COMPOSE, VALUES))
    assert code not in (0, NO_INPUT)
    assert split_stages(text)[0] == "Writing the configuration"


def make_program(folder: Path, name: str, body: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("shell", SHELLS)
def test_images_that_cannot_be_downloaded_are_not_started(shell: list[str], tmp_path: Path) -> None:
    make_program(tmp_path, "docker", f'echo "$*" >> {tmp_path}/calls; case "$*" in *pull) exit 3;; esac')
    code, text = run(shell, make_launch(), b"", path=str(tmp_path))
    assert (code, split_stages(text)[0]) == (3, "Downloading the images")
    assert (tmp_path / "calls").read_text() == "compose -f /opt/proximity/compose.yaml pull\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_docker_that_is_there_is_not_installed_again(shell: list[str], tmp_path: Path) -> None:
    make_program(
        tmp_path, "docker", f'echo "$*" >> {tmp_path}/calls; test -e {tmp_path}/up || [ "$1" != info ]'
    )
    make_program(tmp_path, "sleep", f"touch {tmp_path}/up")
    make_program(tmp_path, "systemctl", f'echo "systemctl $*" >> {tmp_path}/calls')
    make_program(tmp_path, "ip", "echo default via 10.0.0.1")
    code, text = run(shell, make_prepare(with_files=False), b"", path=str(tmp_path))
    assert (code, split_stages(text)[0]) == (0, "Waiting for Docker")
    begun = "compose version\ninfo\nsystemctl enable --now docker\n"
    assert (tmp_path / "calls").read_text() == f"{begun}info\ninfo\n", "it starts what nobody started"


@pytest.mark.parametrize("shell", SHELLS)
def test_docker_whose_service_is_missing_is_installed_again(shell: list[str], tmp_path: Path) -> None:
    make_program(tmp_path, "docker", f"test -e {tmp_path}/installed || [ $1 != info ]")
    make_program(tmp_path, "systemctl", f"test -e {tmp_path}/installed")
    make_program(tmp_path, "ip", "echo default via 10.0.0.1")
    for name in ("apt-get", "apk"):
        make_program(tmp_path, name, f"touch {tmp_path}/installed")
    code, text = run(shell, make_prepare(with_files=False), b"", path=str(tmp_path))
    assert (code, split_stages(text)[0]) in (
        (0, "Waiting for Docker"),
        (NOT_INSTALLABLE, "Installing Docker"),
    )
    assert code == NOT_INSTALLABLE or (tmp_path / "installed").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_network_that_never_comes_is_not_waited_for_without_end(shell: list[str], tmp_path: Path) -> None:
    make_program(tmp_path, "docker", "exit 1")
    make_program(tmp_path, "ip", "exit 1")
    make_program(tmp_path, "sleep", f"echo x >> {tmp_path}/slept")
    for name in ("apt-get", "apk", "curl", "systemctl"):
        make_program(tmp_path, name, "exit 7")
    code, _ = run(shell, make_prepare(with_files=False), b"", path=str(tmp_path))
    assert code in (7, NOT_INSTALLABLE)
    assert len((tmp_path / "slept").read_text().splitlines()) == 30
