"""Reads a source's files from a folder, a tar, an https address or a git repository.

Addresses come from people: https only, never to an address of this machine or network
(unless the configuration allows it), and the address that was checked is the one connected to.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import ipaddress
import os
import socket
import ssl
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urljoin, urlsplit

from services.catalog.domain.errors import SourceFetchError

_WANTED = frozenset({".yml", ".yaml", ".json"})
_REDIRECTS = 5
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_CHUNK = 65_536

Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """How much of a source is read, and for how long."""

    seconds: float = 300.0
    total_bytes: int = 256 * 1024 * 1024
    file_bytes: int = 8 * 1024 * 1024
    files: int = 100_000


def resolve_host(host: str, port: int) -> list[str]:
    """Return the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(kw_only=True)
class Fetcher:
    """Implements `SourceFetcher`.

    Attributes:
        roots: folders on this server that sources may be in.
        allow_private: whether addresses of this machine and network may be asked.
        ca_file: certificates trusted instead of the system's, as of a server of one's own.
        resolve: how hosts are found.
    """

    roots: tuple[Path, ...] = ()
    allow_private: bool = False
    limits: FetchLimits = field(default_factory=FetchLimits)
    ca_file: Path | None = None
    resolve: Resolver = resolve_host

    def __post_init__(self) -> None:
        self._context = ssl.create_default_context(cafile=self.ca_file)

    async def fetch_files(self, location: str) -> Mapping[str, bytes]:
        """See `SourceFetcher.fetch_files`."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._fetch, location), self.limits.seconds + 5)
        except TimeoutError:
            raise SourceFetchError(f"{location} took longer than {self.limits.seconds:g} s") from None

    def _fetch(self, location: str) -> Mapping[str, bytes]:
        deadline = time.monotonic() + self.limits.seconds
        try:
            if location.startswith("/"):
                return self._read_path(location)
            url = location.removeprefix("git+")
            if location.startswith("git+") or url.endswith(".git"):
                return self._clone(url, deadline)
            return self._unpack(
                PurePosixPath(urlsplit(url).path).name or "index", self._download(url, deadline)
            )
        except (OSError, http.client.HTTPException, tarfile.TarError, EOFError, ValueError) as error:
            raise SourceFetchError(f"{location} cannot be read: {error}") from None

    def _read_path(self, location: str) -> Mapping[str, bytes]:
        path = Path(location).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in self.roots):
            raise SourceFetchError(
                f"{location} is not in a folder that sources may be in (CATALOG_SOURCE_ROOTS)"
            )
        if path.is_dir():
            return self._read_folder(path)
        if not path.is_file():
            raise SourceFetchError(f"{location} does not exist")
        if path.stat().st_size > self.limits.total_bytes:
            raise SourceFetchError(f"{location} is larger than {self.limits.total_bytes} bytes")
        return self._unpack(path.name, path.read_bytes())

    def _read_folder(self, folder: Path) -> Mapping[str, bytes]:
        return self._collect(_walk_folder(folder, self.limits.file_bytes))

    def _unpack(self, name: str, content: bytes) -> Mapping[str, bytes]:
        stream = io.BytesIO(content)
        if name.endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")) or content[:2] == b"\x1f\x8b":
            with tarfile.open(fileobj=stream, mode="r:*") as archive:
                return self._collect(_walk_tar(archive, self.limits))
        return self._collect([(name, content)])

    def _collect(self, files: Iterable[tuple[str, bytes]]) -> Mapping[str, bytes]:
        """Keep what an importer may read, and only the names of everything else."""
        collected: dict[str, bytes] = {}
        total = 0
        for path, content in files:
            total += len(content)
            if total > self.limits.total_bytes or len(collected) >= self.limits.files:
                raise SourceFetchError(
                    f"holds more than {self.limits.files} files or {self.limits.total_bytes} bytes"
                )
            collected[path] = content if PurePosixPath(path).suffix in _WANTED else b""
        return collected

    def _download(self, url: str, deadline: float) -> bytes:
        for _ in range(_REDIRECTS + 1):
            parts, address = self.check_address(url)
            with _PinnedConnection(parts, address, self._context, deadline) as connection:
                response = connection.ask()
                if response.status in _REDIRECT_STATUSES:
                    url = urljoin(url, response.headers.get("Location", ""))
                    continue
                if response.status != http.HTTPStatus.OK:
                    raise SourceFetchError(f"{url} answered {response.status}")
                return self._read_body(response, deadline)
        raise SourceFetchError(f"more than {_REDIRECTS} redirections")

    def _read_body(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        content = bytearray()
        while chunk := response.read(_CHUNK):
            content += chunk
            if len(content) > self.limits.total_bytes:
                raise SourceFetchError(f"is larger than {self.limits.total_bytes} bytes")
            if time.monotonic() > deadline:
                raise SourceFetchError(f"took longer than {self.limits.seconds:g} s")
        return bytes(content)

    def check_address(self, url: str) -> tuple[SplitResult, str]:
        """Return a URL's parts and the address to connect to.

        Raises:
            SourceFetchError: not https, or any of the host's addresses is not public.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise SourceFetchError(f"{url[:200]} is not an https address without user name")
        addresses = self.resolve(parts.hostname, parts.port or 443)
        if not addresses:
            raise SourceFetchError(f"{parts.hostname} has no address")
        for address in addresses:
            if not self.may_ask(address):
                raise SourceFetchError(f"{parts.hostname} is {address}, which is not a public address")
        return parts, addresses[0]

    def may_ask(self, address: str) -> bool:
        """Say whether an address may be connected to."""
        return self.allow_private or is_public(address)

    def _clone(self, url: str, deadline: float) -> Mapping[str, bytes]:
        parts, address = self.check_address(url)
        shown = f"[{address}]" if ":" in address else address
        with tempfile.TemporaryDirectory(prefix="proximity-source-") as folder:
            target = Path(folder) / "source"
            options = {
                "http.curloptResolve": f"{parts.hostname}:{parts.port or 443}:{shown}",
                "http.followRedirects": "false",
                "protocol.allow": "never",
                "protocol.https.allow": "always",
                "core.hooksPath": "/dev/null",
            }
            if self.ca_file:
                options["http.sslCAInfo"] = str(self.ca_file.resolve())
            command = ["git", *(part for item in options.items() for part in ("-c", "=".join(item)))]
            command += [
                "clone",
                "--quiet",
                "--depth=1",
                "--single-branch",
                "--no-tags",
                "--",
                url,
                str(target),
            ]
            environment = {
                "PATH": os.environ.get("PATH", ""), "HOME": folder, "GIT_TERMINAL_PROMPT": "0",
                "GIT_CONFIG_NOSYSTEM": "1", "GIT_LFS_SKIP_SMUDGE": "1",
            }  # fmt: skip
            self._run(command, environment, folder=Path(folder), deadline=deadline)
            return self._read_folder(target)

    def _run(
        self, command: list[str], environment: Mapping[str, str], *, folder: Path, deadline: float
    ) -> None:
        with subprocess.Popen(  # noqa: S603 - fixed program; the address was checked
            command,
            env=dict(environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        ) as process:
            while True:
                try:
                    _, errors = process.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline or _measure(folder) > 4 * self.limits.total_bytes:
                        process.kill()
                        raise SourceFetchError("the repository is too large or too slow") from None
            if process.returncode:
                text = errors.decode(errors="replace").strip().splitlines()
                raise SourceFetchError(
                    f"git could not clone it: {text[-1][:300] if text else 'no reason given'}"
                )


def is_public(address: str) -> bool:
    """Say whether an address is one of the internet, seen through any IPv6 wrapping."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return parsed.is_global and not parsed.is_multicast


class _PinnedConnection:
    """One https request to an address that was checked, under the name it was checked for."""

    def __init__(self, parts: SplitResult, address: str, context: ssl.SSLContext, deadline: float) -> None:
        self._parts = parts
        self._response: http.client.HTTPResponse | None = None
        left = max(deadline - time.monotonic(), 0.1)
        self._timeout = min(left, 30.0)
        host, port = parts.hostname or "", parts.port or 443
        self._connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        raw = socket.create_connection((address, port), timeout=self._timeout)
        try:
            self._connection.sock = context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def __enter__(self) -> _PinnedConnection:
        return self

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def ask(self) -> http.client.HTTPResponse:
        target = self._parts.path or "/"
        if self._parts.query:
            target += f"?{self._parts.query}"
        headers = {"User-Agent": "proximity-catalog", "Accept": "*/*", "Accept-Encoding": "identity"}
        self._connection.request("GET", target, headers=headers)
        self._response = self._connection.getresponse()
        return self._response


def _walk_folder(folder: Path, file_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder, without following links or looking into hidden folders."""
    for home, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(home) / name
            if path.is_symlink() or not path.is_file():
                continue
            wanted = path.suffix in _WANTED and path.stat().st_size <= file_bytes
            yield path.relative_to(folder).as_posix(), path.read_bytes() if wanted else b""


def _walk_tar(archive: tarfile.TarFile, limits: FetchLimits) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files of an archive; nothing of it is ever written to disk."""
    total = 0
    for member in archive:
        total += max(member.size, 0)
        if total > 4 * limits.total_bytes:
            raise SourceFetchError(f"unpacks to more than {4 * limits.total_bytes} bytes")
        path = PurePosixPath(member.name)
        if not member.isfile() or path.is_absolute() or ".." in path.parts:
            continue
        content = b""
        if path.suffix in _WANTED and member.size <= limits.file_bytes:
            stream = archive.extractfile(member)
            content = stream.read() if stream else b""
        yield str(path), content


def _measure(folder: Path) -> int:
    total = 0
    for home, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(home) / name).lstat().st_size
            except OSError:
                continue
    return total
