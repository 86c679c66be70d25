"""wget and curl: to the guest's own listeners, and to the few places an installer goes."""

import re
from urllib.parse import urlsplit

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.http import Request, Response
from tests.pvesim.guest.machine import Process, command

CURL_VALUED = (
    "-o",
    "-X",
    "-d",
    "-H",
    "-m",
    "-w",
    "--max-time",
    "--connect-timeout",
    "--retry",
    "--retry-delay",
    "-T",
    "--data-binary",
    "--data",
    "--output",
    "--request",
    "--write-out",
    "-u",
    "-A",
    "--upload-file",
)
WGET_VALUED = ("-O", "-T", "-t", "--timeout", "--tries", "--output-document", "--post-data", "--header")
BAD_STATUS = 400
GET_DOCKER = b"""#!/bin/sh
set -e
apt-get update
apt-get install -y ca-certificates curl
install -m 0755 -d /etc/apt/keyrings
curl -fsSL https://download.docker.com/linux/debian/gpg -o /etc/apt/keyrings/docker.asc
echo "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian stable stable" > /etc/apt/sources.list.d/docker.list
apt-get update
apt-get install -y docker-ce docker-ce-cli containerd.io docker-compose-plugin docker-buildx-plugin
"""
KNOWN = {
    "https://get.docker.com": GET_DOCKER,
    "https://get.docker.com/": GET_DOCKER,
    "https://download.docker.com/linux/debian/gpg": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nsimulated\n-----END PGP PUBLIC KEY BLOCK-----\n",
}


class UnreachableError(Exception):
    """No answer; `reason` names why: "refused", "name" or "reset"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def fetch(process: Process, url: str, *, method: str = "GET", body: bytes = b"") -> Response:
    """What a request from inside the guest is answered.

    Raises:
        UnreachableError: nothing listens there, or the place is not known.
    """
    if url in KNOWN:
        return Response(200, KNOWN[url], "text/plain")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    guest = process.machine
    if not isinstance(guest, Guest) or parts.hostname not in {
        "localhost",
        "127.0.0.1",
        guest.place.address,
        guest.hostname,
    }:
        raise UnreachableError("refused" if re.fullmatch(r"[\d.]+", parts.hostname or "") else "name")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    for one in guest.listening():
        if one.port == port and one.proto == "tcp":
            return _ask(guest, process, one.key(), Request(method, parts.path or "/", body))
    raise UnreachableError("refused")


def _ask(guest: Guest, process: Process, key: tuple[int, str], request: Request) -> Response:
    response = guest.respond(key, request, now=process.world.clock())
    if response is None:
        raise UnreachableError("reset")
    return response


@command("curl", packages=("curl",))
async def run_curl(process: Process) -> int:
    options, urls = split_options(process.args, valued=CURL_VALUED)
    data = next(
        (options[o] for o in ("-d", "--data", "--data-binary", "-T", "--upload-file") if o in options), None
    )
    default = (
        "PUT" if "-T" in options else ("HEAD" if "-I" in options else ("POST" if data is not None else "GET"))
    )
    body = await _read_body(process, data, upload="-T" in options or "--upload-file" in options)
    try:
        response = fetch(
            process, urls[0], method=options.get("-X") or options.get("--request") or default, body=body
        )
    except UnreachableError as error:
        host = urlsplit(urls[0] if "://" in urls[0] else f"http://{urls[0]}")
        return _refuse_curl(
            process,
            error,
            f"{host.hostname} port {host.port or 80}",
            quiet="-s" in options and "-S" not in options,
        )
    if response.status >= BAD_STATUS and ({"-f", "--fail"} & set(options)):
        return process.complain(f"curl: (22) The requested URL returned error: {response.status}", 22)
    _deliver(process, response, options.get("-o") or options.get("--output"))
    if form := options.get("-w") or options.get("--write-out"):
        process.say(form.replace("%{http_code}", str(response.status)).replace("\\n", "\n"), end="")
    return 0


async def _read_body(process: Process, data: str | None, *, upload: bool) -> bytes:
    if data is None:
        return b""
    if upload or data.startswith("@"):
        return await process.read_file(data.removeprefix("@"))
    return data.encode()


def _refuse_curl(process: Process, error: UnreachableError, place: str, *, quiet: bool) -> int:
    code, text = {
        "refused": (7, f"Failed to connect to {place} after 0 ms: Couldn't connect to server"),
        "name": (6, f"Could not resolve host: {place.split(maxsplit=1)[0]}"),
        "reset": (56, "Recv failure: Connection reset by peer"),
    }[error.reason]
    return code if quiet else process.complain(f"curl: ({code}) {text}", code)


def _deliver(process: Process, response: Response, output: str | None) -> None:
    if output in (None, "-", "/dev/stdout"):
        process.stdout.write(response.body)
    elif output != "/dev/null":
        process.fs.write(process.path(output or ""), response.body)


@command("wget", packages=("wget", "busybox"))
async def run_wget(process: Process) -> int:
    options, urls = split_options(process.args, valued=WGET_VALUED)
    try:
        response = fetch(process, urls[0], method="POST" if "--post-data" in options else "GET")
    except UnreachableError as error:
        text = {
            "refused": "Connection refused",
            "name": f"bad address '{urls[0]}'",
            "reset": "error getting response",
        }
        return process.complain(
            f"wget: can't connect to remote host: {text[error.reason]}",
            1 if process.machine.flavour == "alpine" else 4,
        )
    if response.status >= BAD_STATUS:
        return process.complain(
            f"wget: server returned error: HTTP/1.1 {response.status}",
            1 if process.machine.flavour == "alpine" else 8,
        )
    if "--spider" not in options:
        name = (
            options.get("-O")
            or options.get("--output-document")
            or urlsplit(urls[0]).path.rpartition("/")[2]
            or "index.html"
        )
        _deliver(process, response, name)
    return 0
