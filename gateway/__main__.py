"""`python -m gateway`: serve, render the configuration, check the protos, write the OpenAPI document."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import sys
import tempfile
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import NoReturn

from google.protobuf import descriptor_pb2

from gateway.check import check_surface
from gateway.config import render_bootstrap
from gateway.console_routes import list_console_files
from gateway.environment import read_environment
from gateway.openapi import render_openapi
from gateway.program import find_envoy
from gateway.settings import (
    STATIC,
    Address,
    Certificate,
    Endpoint,
    GatewaySettings,
    UpstreamTls,
    parse_address,
    parse_collector,
    parse_origins,
)
from gateway.surface import Surface, load_surface, parse_surface

_READY_S = 3.0  # Envoy's admin answers at once; probes wait for five or ten seconds


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _build_parser().parse_args(arguments)
    if options.command == "check":
        faults = check_surface(_load(options.image) if options.image else load_surface())
        faults += _check_console()
        sys.stdout.writelines(f"{fault}\n" for fault in faults)
        return 1 if faults else 0
    if options.command == "serve":
        _serve(options)
    if options.command == "health":
        return 0 if _is_ready(options.admin) else 1
    try:
        document = render_openapi(load_surface()) if options.command == "openapi" else _render(options)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _write(options.out, json.dumps(document, indent=2 if options.command == "openapi" else None) + "\n")
    return 0


def _serve(options: argparse.Namespace) -> NoReturn:
    """Become Envoy with the configuration that the options make."""
    try:
        program = find_envoy()
        bootstrap = json.dumps(_render(options))
    except (LookupError, ValueError) as error:
        sys.exit(str(error))
    handle, file = tempfile.mkstemp(prefix="envoy-", suffix=".json")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(bootstrap)
    arguments = ("-c", file, "--disable-hot-restart", "--concurrency", str(options.concurrency))
    os.execv(program, [program, *arguments, "--log-level", options.log_level])  # noqa: S606 - the program of find_envoy


def _check_console() -> list[str]:
    try:
        list_console_files(STATIC)
    except ValueError as error:
        return [str(error)]
    return []


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_READY_S)
        self._path = path

    def connect(self) -> None:
        """See `http.client.HTTPConnection`."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_READY_S)
        self.sock.connect(str(self._path))


def _is_ready(admin: Address) -> bool:
    connection = (
        _SocketConnection(admin)
        if isinstance(admin, Path)
        else http.client.HTTPConnection(admin.host, admin.port, timeout=_READY_S)
    )
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _load(image: Path) -> Surface:
    return parse_surface(descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()))


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all: Envoy may be starting from it."""
    if path == "-":
        sys.stdout.write(text)
        return
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="print the faults in the protos' paths and declarations")
    check.add_argument("--image", type=Path, metavar="FILE", help="default: the committed descriptor image")
    openapi = commands.add_parser("openapi", help="write the OpenAPI 3.1 document")
    openapi.add_argument("--out", required=True, metavar="FILE", help="- is standard output")
    render = commands.add_parser("render", help="write Envoy's configuration")
    render.add_argument("--out", required=True, metavar="FILE", help="- is standard output")
    _add_settings(render)
    serve = commands.add_parser("serve", help="run Envoy")
    serve.add_argument("--concurrency", type=int, default=2, metavar="THREADS")
    serve.add_argument("--log-level", default="warning")
    _add_settings(serve)
    health = commands.add_parser("health", help="status 0 when Envoy is ready")
    admin = GatewaySettings(endpoints={}).admin
    health.add_argument("--admin", type=parse_address, default=admin, metavar="ADDRESS")
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    """Add the options; one that is given takes precedence over its variable of `gateway.environment`."""
    default = GatewaySettings(endpoints={})
    add = command.add_argument
    add(
        "--endpoint",
        action="append",
        default=[],
        metavar="SERVICE=ADDRESS",
        help="HOST:PORT or unix:/path of one replica; repeat",
    )
    add(
        "--websockets",
        action="append",
        default=[],
        metavar="SERVICE=ADDRESS",
        help="where a replica serves WebSockets (apps: terminals); repeat",
    )
    add("--listen", type=Endpoint.parse, default=default.listen, metavar="HOST:PORT")
    add(
        "--admin",
        type=parse_address,
        default=default.admin,
        metavar="ADDRESS",
        help="unix:/path of Envoy's admin, mode 600 (default: unix:%(default)s), or HOST:PORT",
    )
    add("--tls-cert", type=Path, metavar="PEM", help="serve https as well, on the same port")
    add("--tls-key", type=Path, metavar="PEM")
    add("--require-https", action="store_true", default=None, help="answer http with a redirect to https")
    add("--upstream-ca", type=Path, metavar="PEM", help="mutual TLS to the services")
    add("--upstream-cert", type=Path, metavar="PEM")
    add("--upstream-key", type=Path, metavar="PEM")
    add(
        "--cors-origin",
        action="append",
        type=parse_origins,
        metavar="ORIGINS",
        help="foreign origins that may call, separated by commas; repeat",
    )
    add(
        "--trusted-proxies",
        type=int,
        help="proxies that write x-forwarded-for",
    )
    add(
        "--requests-per-second",
        type=int,
        help="for one address; 0: no limit",
    )
    add("--requests-burst", type=int)
    add("--traces", type=parse_collector, metavar="URL", help="collector of traces, OTLP over HTTP")
    add(
        "--metrics",
        type=_parse_listener,
        metavar="HOST:PORT",
        help="serve Envoy's metrics at /stats/prometheus",
    )
    add("--access-log", metavar="FILE", help="/dev/stdout works")
    add("--reuse-port", action="store_true", help="one socket for each worker thread")


def _render(options: argparse.Namespace) -> dict[str, object]:
    upstream = None
    if any((options.upstream_ca, options.upstream_cert, options.upstream_key)):
        if not all((options.upstream_ca, options.upstream_cert, options.upstream_key)):
            raise ValueError("--upstream-ca, --upstream-cert and --upstream-key belong together")
        upstream = UpstreamTls(options.upstream_ca, Certificate(options.upstream_cert, options.upstream_key))
    if bool(options.tls_cert) != bool(options.tls_key):
        raise ValueError("--tls-cert and --tls-key belong together")
    given = {
        "require_https": options.require_https,
        "cors_origins": tuple(chain.from_iterable(options.cors_origin)) if options.cors_origin else None,
        "trusted_proxies": options.trusted_proxies,
        "requests_per_second": options.requests_per_second,
        "requests_burst": options.requests_burst,
        "traces": options.traces,
        "metrics": options.metrics,
    }
    return render_bootstrap(
        GatewaySettings(
            endpoints=_parse_endpoints(options.endpoint),
            websockets=_parse_endpoints(options.websockets),
            listen=options.listen,
            admin=options.admin,
            certificate=Certificate(options.tls_cert, options.tls_key) if options.tls_cert else None,
            upstream_tls=upstream,
            access_log=options.access_log,
            reuse_port=options.reuse_port,
            **(
                read_environment(os.environ)
                | {name: value for name, value in given.items() if value is not None}
            ),
        )
    )


def _parse_listener(text: str) -> Endpoint | None:
    return Endpoint.parse(text) if text else None  # Compose passes a variable that may be empty


def _parse_endpoints(texts: list[str]) -> dict[str, tuple[Address, ...]]:
    endpoints: dict[str, tuple[Address, ...]] = {}
    for text in texts:
        service, _, address = text.partition("=")
        endpoints[service] = (*endpoints.get(service, ()), parse_address(address))
    return endpoints


if __name__ == "__main__":
    sys.exit(main())
