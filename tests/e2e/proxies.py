"""Reverse proxies with the configurations of docs/reverse-proxy.md, on free ports, with the certificate of the platform."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.e2e.stack import STOP_S, RunningStack, find_port
from tests.pages import ROOT

PAGE = "docs/reverse-proxy.md"
NAME = "rack.example.org"
START_S = 120.0  # both are there within a second where the machine has nothing else to do
TEXT = "a web interface"
PROGRAMS = {
    "apache": "/usr/sbin/apache2",
    "caddy": "/usr/bin/caddy",
    "haproxy": "/usr/sbin/haproxy",
    "nginx": "/usr/sbin/nginx",
}
WITHOUT_FILES = frozenset(("haproxy",))


def find_program(proxy: str) -> str | None:
    """Return the path of a proxy's program; Debian has some in a folder of administrators."""
    return shutil.which(PROGRAMS[proxy]) or shutil.which(proxy)


def read_block(language: str) -> str:
    """Return the configuration in a language that the page shows."""
    [found] = re.findall(rf"```{language}\n(.*?)```", (ROOT / PAGE).read_text("utf-8"), re.DOTALL)
    return html.unescape(found)


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs; `session` trusts its certificate and resolves its name."""

    port: int
    certificate: str
    serves_files: bool

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def origin(self) -> str:
        """What a browser sends as Origin, and the host that it asks for."""
        return self.url


def _render_nginx(text: str, folder: Path, stack: RunningStack, port: int) -> tuple[Path, list[str]]:
    keys = stack.state / "keys"
    replaced = (
        text.replace("listen 443", f"listen 127.0.0.1:{port}")
        .replace(f"/etc/ssl/{NAME}.crt", str(keys / "gateway.crt"))
        .replace(f"/etc/ssl/{NAME}.key", str(keys / "gateway.key"))
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"{'user root; ' if os.geteuid() == 0 else ''}daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{replaced}}}\n"
    )
    return file, ["-p", str(folder), "-c", str(file)]


def _render_caddy(text: str, folder: Path, stack: RunningStack, port: int) -> tuple[Path, list[str]]:
    keys = stack.state / "keys"
    tls = f"https://localhost:{port} {{\n    tls {keys / 'gateway.crt'} {keys / 'gateway.key'}"
    file = folder / "Caddyfile"
    file.write_text(
        f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{text.replace(f'{NAME} {{', tls)}"
    )
    return file, ["run", "--adapter", "caddyfile", "--config", str(file)]


def _render_haproxy(text: str, folder: Path, stack: RunningStack, port: int) -> tuple[Path, list[str]]:
    keys = stack.state / "keys"
    pair = folder / "pair.pem"
    pair.touch(mode=0o600)
    pair.write_text((keys / "gateway.crt").read_text() + (keys / "gateway.key").read_text())
    file = folder / "haproxy.cfg"
    file.write_text(
        text.replace("bind :443", f"bind 127.0.0.1:{port}").replace(f"/etc/haproxy/{NAME}.pem", str(pair))
    )
    return file, ["-db", "-f", str(file)]


_APACHE_MODULES = "mpm_event authz_core dir mime ssl http2 headers proxy proxy_http proxy_http2"


def _render_apache(text: str, folder: Path, stack: RunningStack, port: int) -> tuple[Path, list[str]]:
    keys = stack.state / "keys"
    site = (
        text.replace("*:443", f"127.0.0.1:{port}")
        .replace(f"/etc/ssl/{NAME}.crt", str(keys / "gateway.crt"))
        .replace(f"/etc/ssl/{NAME}.key", str(keys / "gateway.key"))
    )
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in _APACHE_MODULES.split()
    )
    file = folder / "apache.conf"
    file.write_text(
        f"{modules}ServerName localhost\nPidFile {folder}/apache.pid\nErrorLog {folder}/error.log\n"
        f"DefaultRuntimeDir {folder}\nTypesConfig /etc/mime.types\nListen 127.0.0.1:{port}\n{site}"
    )
    return file, ["-DFOREGROUND", "-d", str(folder), "-f", str(file)]


_RENDERERS = {
    "apache": _render_apache,
    "caddy": _render_caddy,
    "haproxy": _render_haproxy,
    "nginx": _render_nginx,
}


@contextmanager
def run_proxy(proxy: str, folder: Path, stack: RunningStack) -> Iterator[Proxy]:
    """Run a proxy before a platform, with a web interface of one page at `/`."""
    program = find_program(proxy)
    assert program is not None
    interface = folder / "interface"
    interface.mkdir()
    (interface / "index.html").write_text(TEXT)
    port = find_port()
    text = (
        read_block(proxy)
        .replace("/srv/interface", str(interface))
        .replace("127.0.0.1:8000", f"127.0.0.1:{stack.port}")
    )
    _, arguments = _RENDERERS[proxy](text, folder, stack, port)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [program, *arguments], stdout=output, stderr=subprocess.STDOUT,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    found = Proxy(port, str(stack.state / "keys" / "gateway.crt"), proxy not in WITHOUT_FILES)
    try:
        _wait_until_ready(found, process, folder / "output")
        yield found
    finally:
        process.terminate()
        process.wait(STOP_S)


def _wait_until_ready(proxy: Proxy, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            requests.get(f"{proxy.url}/api/health", verify=proxy.certificate, timeout=START_S)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the proxy does not answer: {output.read_text()[-2000:]}")
