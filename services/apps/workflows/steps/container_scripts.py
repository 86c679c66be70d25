"""Shell scripts that prepare a container for a compose app and start it, each in one process.

Every command in a container starts a process on its node, which costs more than half a second on a real server.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from services.apps.domain.compose import COMPOSE, FOLDER

STAGE = "proximity-stage: "
"""Begins a line of output that names what the script does from there on."""
# Exit codes that neither shells nor Docker use.
NO_INPUT = 90
"""Exit code of a script that got no files on its standard input."""
NOT_INSTALLABLE = 91  # like NO_INPUT
"""Exit code of `PREPARE` on a system for which it knows no packages of Docker."""

_NETWORK_WAIT_S = 30  # a container asks for its address after it has started: 4 s on a real server
_DAEMON_WAIT_S = 30  # until the Docker daemon answers after it was started or installed
_APT = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
_STAGE = f'stage() {{ echo "{STAGE}$1"; }}\n'
_WAIT_NETWORK = f"""
n=0
while command -v ip >/dev/null && [ $n -lt {_NETWORK_WAIT_S} ]; do
  ip route show default 2>/dev/null | grep -q default && break
  ip -6 route show default 2>/dev/null | grep -q default && break
  n=$((n+1)); sleep 1
done
"""
# The container may have gone down between the installation and the start of the daemon; on Alpine nothing else starts it.
_START = """
start_docker() {
  if command -v systemctl >/dev/null; then systemctl enable --now docker
  elif rc-service --exists docker; then
    rc-update add docker default
    rc-service docker start || true
  else return 1; fi
}
"""
_INSTALL = f"""
if ! docker compose version >/dev/null 2>&1 || ! {{ docker info >/dev/null 2>&1 || start_docker; }}; then
  stage 'Installing Docker'
  ID= VERSION_CODENAME=
  . /etc/os-release
  case $ID in
  alpine)
    apk add --no-cache docker docker-cli-compose || exit ;;
  debian|ubuntu)
    stage 'apt-get update'
    apt-get update || exit
    stage 'Installing Docker'
    bundled=docker-compose-plugin
    if [ $ID = ubuntu ]; then bundled=docker-compose-v2; fi
    if ! {_APT} docker.io $bundled; then
      stage "Installing Docker from its own package repository"
      {_APT} ca-certificates curl || exit
      mkdir -p /etc/apt/keyrings
      curl -fsSL https://download.docker.com/linux/$ID/gpg -o /etc/apt/keyrings/docker.asc || exit
      key=/etc/apt/keyrings/docker.asc
      echo "deb [signed-by=$key] https://download.docker.com/linux/$ID $VERSION_CODENAME stable" \
        > /etc/apt/sources.list.d/docker.list
      apt-get update || exit
      {_APT} docker-ce docker-ce-cli containerd.io docker-compose-plugin || exit
    fi ;;
  *) echo "Docker cannot be installed on ${{ID:-an unknown system}}"; exit {NOT_INSTALLABLE} ;;
  esac
  start_docker
fi
"""
_WAIT_DAEMON = f"""
stage 'Waiting for Docker'
n=0
until docker info >/dev/null 2>&1; do
  [ $n -lt {_DAEMON_WAIT_S} ] || {{ echo 'the Docker daemon does not answer after {_DAEMON_WAIT_S} s'; exit 1; }}
  n=$((n+1)); sleep 1
done
"""


def render_write(folder: str = FOLDER) -> str:
    """The script that writes compose.yaml and .env, readable by root alone and each whole or not at all.

    Its input is that of `render_files`: what is secret in the files stays out of the list of processes.
    """
    return f"""
IFS= read -r compose && IFS= read -r values || exit {NO_INPUT}
put() {{ printf %s "$2" | base64 -d >"$1.new" && mv -f "$1.new" "$1"; }}
stage 'Writing the configuration'
mkdir -p {folder} && (umask 077; put {folder}/compose.yaml "$compose" && put {folder}/.env "$values") || exit
unset compose values
"""


def render_files(compose: str, values: str) -> bytes:
    """The input of `render_write`: a line of base64 for each file."""
    lines = (base64.b64encode(text.encode()) + b"\n" for text in (compose, values))
    return b"".join(lines)


def make_write(folder: str = FOLDER) -> tuple[str, ...]:
    """The command that writes the files of `render_files`."""
    return _shell(render_write(folder))


def make_prepare(*, with_files: bool) -> tuple[str, ...]:
    """The command after which Docker answers in a container, and the app's files are there."""
    write = render_write() if with_files else ""
    return _shell(write + _WAIT_NETWORK + _START + _INSTALL + _WAIT_DAEMON)


def make_launch() -> tuple[str, ...]:
    """The command that downloads the images and starts every service."""
    return _shell(
        f"""
stage 'Downloading the images'
docker compose -f {COMPOSE} pull || exit
stage 'docker compose up'
docker compose -f {COMPOSE} up -d --remove-orphans
"""
    )


def split_stages(text: str) -> tuple[str, Sequence[str]]:
    """The stage in which a script's output ends, empty where it names none; and the lines of that stage."""
    _, found, tail = text.rpartition(STAGE)
    stage, _, lines = tail.partition("\n") if found else ("", "", text)
    return stage.strip(), [line for line in lines.splitlines() if line.strip()]


def _shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", _STAGE + script)
