"""Reader of a source's files: from a folder, a tar archive, an https address or a git repository.

Users enter the addresses: only https is accepted, no address of this machine or network
(unless the configuration allows it), and the connection goes to the address that was checked.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urljoin, urlsplit

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.sources import GitLocation, find_git_location
from services.catalog.sources.pinned_connection import PinnedConnection, Resolver, is_public, resolve_host
from services.catalog.sources.source_files import FetchLimits, measure_folder, read_folder, unpack_files

_REDIRECTS = 5  # to https, to a mirror, to storage; more is a loop
# Each target is checked like the first address: a redirection could lead into this network.
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_CHUNK = 65_536  # bytes between two checks of size and deadline
_PICTURE_S = 15.0  # seconds; an icon has some 20 KB, a screenshot less than 1 MB


@dataclass(kw_only=True)
class Fetcher:
    """Implements `SourceFetcher`.

    Attributes:
        roots: folders on this server that sources may be in.
        allow_private: whether addresses of this machine and network are accepted.
        ca_file: certificates that are trusted instead of the system's, for a private server.
        resolve: returns the addresses of a host.
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
            # The thread ends by its own deadline; 5 s later it must hang in a call without timeout.
            return await asyncio.wait_for(asyncio.to_thread(self._fetch, location), self.limits.seconds + 5)
        except TimeoutError:
            raise SourceFetchError(f"{location} took longer than {self.limits.seconds:g} s") from None

    async def fetch_picture(self, url: str, *, limit: int) -> bytes:
        """See `PictureFetcher.fetch_picture`."""
        limits = replace(self.limits, seconds=_PICTURE_S, total_bytes=limit)
        reader = replace(self, limits=limits)
        return await asyncio.to_thread(reader._read_picture, url)  # noqa: SLF001 - of this class

    def _read_picture(self, url: str) -> bytes:
        try:
            return self._download(url, time.monotonic() + self.limits.seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceFetchError(f"{url} cannot be read: {error}") from None

    def _fetch(self, location: str) -> Mapping[str, bytes]:
        deadline = time.monotonic() + self.limits.seconds
        try:
            if location.startswith("/"):
                return self._read_path(location)
            if git := find_git_location(location):
                return self._clone(git, deadline)
            name = PurePosixPath(urlsplit(location).path).name or "index"
            return unpack_files(name, self._download(location, deadline), limits=self.limits)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceFetchError(f"{location} cannot be read: {error}") from None

    def _read_path(self, location: str) -> Mapping[str, bytes]:
        path = Path(location).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in self.roots):
            raise SourceFetchError(
                f"{location} is not in a folder that sources may be in (CATALOG_SOURCE_ROOTS)"
            )
        if path.is_dir():
            return read_folder(path, self.limits)
        if not path.is_file():
            raise SourceFetchError(f"{location} does not exist")
        if path.stat().st_size > self.limits.total_bytes:
            raise SourceFetchError(f"{location} is larger than {self.limits.total_bytes} bytes")
        return unpack_files(path.name, path.read_bytes(), limits=self.limits)

    def _download(self, url: str, deadline: float) -> bytes:
        for _ in range(_REDIRECTS + 1):
            parts, address = self.check_address(url)
            with PinnedConnection(parts, address, context=self._context, deadline=deadline) as connection:
                response = connection.send_request()
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
        # All addresses are checked: a server must not choose a private one for the connection.
        addresses = self.resolve(parts.hostname, parts.port or 443)
        if not addresses:
            raise SourceFetchError(f"{parts.hostname} has no address")
        for address in addresses:
            if not self.may_connect(address):
                raise SourceFetchError(f"{parts.hostname} is {address}, which is not a public address")
        return parts, addresses[0]

    def may_connect(self, address: str) -> bool:
        """Return whether an address may be connected to."""
        return self.allow_private or is_public(address)

    def _clone(self, git: GitLocation, deadline: float) -> Mapping[str, bytes]:
        parts, address = self.check_address(git.url)
        shown = f"[{address}]" if ":" in address else address
        with tempfile.TemporaryDirectory(prefix="proximity-source-") as folder:
            target = Path(folder) / "source"
            # The repository may not choose protocols, redirections or hooks: git would follow them out of the checks.
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
                *([f"--branch={git.branch}"] if git.branch else []),
                "--",
                git.url,
                str(target),
            ]
            # No configuration or credentials of this machine's user, and no question that nobody would answer.
            environment = {
                "PATH": os.environ.get("PATH", ""), "HOME": folder, "GIT_TERMINAL_PROMPT": "0",
                "GIT_CONFIG_NOSYSTEM": "1", "GIT_LFS_SKIP_SMUDGE": "1",
            }  # fmt: skip
            self._run(command, environment, folder=Path(folder), deadline=deadline)
            # A link in the repository could lead to the server's own files.
            chosen = target / git.folder
            if not chosen.is_dir() or not chosen.resolve().is_relative_to(target.resolve()):
                raise SourceFetchError(f"the repository has no folder {git.folder}")
            return read_folder(chosen, self.limits)

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
            # git has no limit of size, so its folder is measured twice a second while it runs.
            while True:
                try:
                    _, errors = process.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline or measure_folder(folder) > 4 * self.limits.total_bytes:
                        process.kill()
                        raise SourceFetchError("the repository is too large or too slow") from None
            if process.returncode:
                text = errors.decode(errors="replace").strip().splitlines()
                raise SourceFetchError(
                    f"git could not clone it: {text[-1][:300] if text else 'no reason given'}"
                )
