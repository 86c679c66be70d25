"""Reading sources from where they are, and from nowhere else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.catalog.domain.errors import InvalidSourceError, SourceFetchError
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.importers.formats.stacks import FAILURE, name_stack_folder
from services.catalog.domain.sources import NewSource, SourceFormat
from services.catalog.sources.fetcher import Fetcher
from services.catalog.sources.pinned_connection import is_public
from services.catalog.sources.source_files import FetchLimits
from services.catalog.sources.stack_reader import StackReader
from tests.fakes.source_server import HOST, serve_sources


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1",
        "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1",
        "ff02::1", "::", "nonsense",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_network_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "location",
    ["https://inside.example/x.json", "git+https://inside.example/x", "https://inside.example/x.git"],
)
async def test_a_host_with_any_private_address_is_refused(location: str) -> None:
    fetcher = Fetcher(resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(SourceFetchError, match=r"inside\.example is 10\.0\.0\.1"):
        await fetcher.fetch_files(location)


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/x",
        "ftp://example.com",
        "https://user:pw@example.com/x",
        "git+ssh://h/x",
        "git+ext::sh -c 'touch /tmp/x'",
        "ext::sh -c id.git",
        "git+file:///etc/x.git",
        "git+--upload-pack=id.git",
        "git@github.com:a/b.git",
    ],
)
async def test_only_https_without_credentials_is_asked(location: str) -> None:
    with pytest.raises(SourceFetchError, match="https address"):
        await Fetcher(resolve=lambda host, port: ["8.8.8.8"]).fetch_files(location)


async def test_a_folder_is_read_without_links_or_hidden_folders(tmp_path: Path) -> None:
    root = tmp_path / "sources"
    (root / "a").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "a" / "compose.yml").write_text("x: 1")
    (root / "a" / "logo.png").write_bytes(b"\x89PNG\0" * 100_000)
    (root / "a" / "nginx.conf").write_text("events {}")
    (root / "a" / ".env").write_text("LEVEL=5")
    (root / ".git" / "config.json").write_text("{}")
    (tmp_path / "secret.json").write_text("secret")
    (root / "a" / "link.json").symlink_to(tmp_path / "secret.json")
    files = dict(await Fetcher(roots=(root,)).fetch_files(str(root)))
    logo = files.pop("a/logo.png")
    assert files == {"a/compose.yml": b"x: 1", "a/nginx.conf": b"events {}", "a/.env": b"LEVEL=5"}
    assert logo.startswith(b"\x89PNG\0")
    assert len(logo) < 10_000


@pytest.mark.parametrize("location", ["/etc", "/etc/hostname", "{root}/../secret.json", "{root}/link"])
async def test_paths_outside_the_roots_are_refused(location: str, tmp_path: Path) -> None:
    root = tmp_path / "sources"
    root.mkdir()
    (tmp_path / "secret.json").write_text("secret")
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(SourceFetchError, match="CATALOG_SOURCE_ROOTS"):
        await Fetcher(roots=(root,)).fetch_files(location.format(root=root))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[tuple[str, Fetcher]]:
    repository = tmp_path / "repository"
    (repository / "apps").mkdir(parents=True)
    (repository / "apps" / "compose.yml").write_text("in: git")
    git = ["git", "-C", str(repository), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], check=True, timeout=20)
    subprocess.run([*git, "checkout", "-q", "-b", "other"], check=True, timeout=20)
    (repository / "apps" / "compose.yml").write_text("other: branch")
    for command in (["commit", "-q", "-a", "-m", "two"], ["checkout", "-q", "main"]):
        subprocess.run([*git, *command], check=True, timeout=20)
    files = {"/files/t.json": b'{"a": 1}', "/files/big.json": b"x" * 3_000_000}
    with serve_sources(tmp_path, files, repository) as (port, certificate):
        fetcher = Fetcher(
            allow_private=True, ca_file=certificate, resolve=lambda host, _: {HOST: ["127.0.0.1"]}.get(host, ["10.9.9.9"]),
            limits=FetchLimits(total_bytes=2_000_000, seconds=20),
        )  # fmt: skip
        yield f"https://{HOST}:{port}", fetcher


async def test_an_https_file_is_fetched_from_the_address_that_was_checked(
    remote: tuple[str, Fetcher],
) -> None:
    base, fetcher = remote
    assert await fetcher.fetch_files(f"{base}/files/t.json") == {"t.json": b'{"a": 1}'}
    assert await fetcher.fetch_files(f"{base}/to/{base}/to//files/t.json") == {"t.json": b'{"a": 1}'}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/files/none.json", "answered 404"), ("/files/big.json", "larger than 2000000"), ("/to/http://x.example/", "https"),
        ("/to/https://user@x.example/", "https"), ("/to//to//to//to//to//to//to//files/t.json", "more than 5 redirections"),
    ],
)  # fmt: skip
async def test_bad_answers_and_redirections_are_refused(
    remote: tuple[str, Fetcher], path: str, reason: str
) -> None:
    base, fetcher = remote
    with pytest.raises(SourceFetchError, match=reason):
        await fetcher.fetch_files(base + path)


async def test_a_redirection_to_a_private_address_is_refused(remote: tuple[str, Fetcher]) -> None:
    base, fetcher = remote
    careful = replace_policy(fetcher, public={"127.0.0.1"})
    with pytest.raises(SourceFetchError, match=r"inside\.example is 10\.9\.9\.9"):
        await careful.fetch_files(f"{base}/to/https://inside.example/secret.json")


def replace_policy(fetcher: Fetcher, public: set[str]) -> Fetcher:
    """Return a fetcher that takes only these addresses for public ones."""

    class Careful(Fetcher):
        def may_connect(self, address: str) -> bool:
            return address in public

    return Careful(ca_file=fetcher.ca_file, resolve=fetcher.resolve, limits=fetcher.limits)


async def test_a_certificate_for_another_name_is_refused(remote: tuple[str, Fetcher]) -> None:
    base, fetcher = remote
    stranger = Fetcher(allow_private=True, ca_file=fetcher.ca_file, resolve=lambda *_: ["127.0.0.1"])
    with pytest.raises(SourceFetchError, match="certificate verify failed"):
        await stranger.fetch_files(base.replace(HOST, "other.example") + "/files/t.json")


async def test_a_git_repository_is_cloned_from_the_address_that_was_checked(
    remote: tuple[str, Fetcher],
) -> None:
    base, fetcher = remote
    assert await fetcher.fetch_files(f"{base}/repo.git") == {"apps/compose.yml": b"in: git"}
    assert await fetcher.fetch_files(f"git+{base}/repo.git") == {"apps/compose.yml": b"in: git"}
    with pytest.raises(SourceFetchError, match="git could not clone"):
        await fetcher.fetch_files(f"{base}/nothing.git")


async def test_a_branch_and_a_folder_of_a_repository_can_be_named(remote: tuple[str, Fetcher]) -> None:
    base, fetcher = remote
    assert await fetcher.fetch_files(f"git+{base}/repo.git#:apps") == {"compose.yml": b"in: git"}
    assert await fetcher.fetch_files(f"{base}/repo.git#other:apps") == {"compose.yml": b"other: branch"}
    with pytest.raises(SourceFetchError, match="no folder nothing"):
        await fetcher.fetch_files(f"{base}/repo.git#:nothing")
    with pytest.raises(SourceFetchError, match="git could not clone"):
        await fetcher.fetch_files(f"{base}/repo.git#gone")


@pytest.mark.parametrize(
    ("location", "field"),
    [
        ("https://e.com/a.git#--upload-pack=x", "branch or tag"),
        ("https://e.com/a.git#a..b", "branch or tag"),
        ("https://e.com/a.git#main:../x", "location"),
        ("https://e.com/a.git#main:.git", "folder"),
        ("https://e.com/a.json#main", "only git"),
    ],
)
def test_a_part_that_no_repository_has_is_refused(location: str, field: str) -> None:
    with pytest.raises(InvalidSourceError) as caught:
        NewSource("acme", location, SourceFormat.COMPOSE)
    assert any(field in f"{violation.field} {violation.description}" for violation in caught.value.violations)


async def test_stacks_are_read_from_the_repositories_that_templates_name(remote: tuple[str, Fetcher]) -> None:
    base, fetcher = remote
    templates = [
        {"type": 3, "title": title, "repository": {"url": f"{base}/{path}", "stackfile": "apps/compose.yml"}}
        for title, path in (("A", "repo.git"), ("B", "Repo"), ("C", "gone.git"))
    ]
    files = {"t.json": json.dumps({"version": "3", "templates": templates}).encode()}
    reader = StackReader(fetcher=fetcher)
    found = await reader.add_stacks(files)
    folder = name_stack_folder(f"{base}/repo")
    assert found[f"{folder}/apps/compose.yml"] == b"in: git"
    gone = found[f"{name_stack_folder(f'{base}/gone')}/{FAILURE}"]
    assert b"git could not clone" in gone
    fetcher.resolve = lambda *_: ["10.9.9.9"]  # read already
    assert (await reader.add_stacks(files))[f"{folder}/apps/compose.yml"] == b"in: git"
    imported = import_collection(found, source="acme", kind=SourceFormat.PORTAINER)
    assert sum("cannot be had: " in rejection.error for rejection in imported.rejections) == 1
