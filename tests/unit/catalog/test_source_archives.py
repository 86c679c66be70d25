"""Archives of sources: read in memory, within limits, without links, devices and paths outside."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.sources import SourceFormat
from services.catalog.sources.fetcher import Fetcher
from services.catalog.sources.source_files import FetchLimits


def write_tar(path: Path, members: dict[str, bytes], *links: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)


async def test_a_tar_is_read_in_memory_without_its_traps(tmp_path: Path) -> None:
    path = tmp_path / "apps.tar.gz"
    write_tar(path, {"a/x.yml": b"1", "../up.yml": b"2", "/abs.yml": b"3", "b.bin": b"4"}, "link.yml")
    assert await Fetcher(roots=(tmp_path,)).fetch_files(str(path)) == {"a/x.yml": b"1", "b.bin": b"4"}


async def test_files_that_are_too_large_are_kept_as_far_as_it_takes_to_see_that(tmp_path: Path) -> None:
    limits = FetchLimits(file_bytes=1000, other_bytes=100)
    contents = {"a.json": b"1" * 1000, "b.json": b"1" * 1001, "c.sql": b"1" * 101}
    write_tar(tmp_path / "apps.tar.gz", contents)
    (tmp_path / "apps").mkdir()
    for name, content in contents.items():
        (tmp_path / "apps" / name).write_bytes(content)
    for place in ("apps", "apps.tar.gz"):
        files = await Fetcher(roots=(tmp_path,), limits=limits).fetch_files(str(tmp_path / place))
        assert {name: len(content) for name, content in files.items()} == {
            "a.json": 1000,
            "b.json": 100,
            "c.sql": 100,
        }


async def test_files_that_a_definition_mounts_come_along_from_where_they_are(tmp_path: Path) -> None:
    compose = b"""
services:
  a:
    image: acme/a:1
    env_file: .env
    volumes: [./nginx.conf:/etc/nginx/nginx.conf, ./run.sh:/run.sh, "./conf:/conf"]
    environment: {KEPT: '1'}
"""
    files = {
        "compose.yaml": compose, ".env": b"LEVEL=5", "nginx.conf": b"events {}", "run.sh": b"#!/bin/sh", "conf/app.ini": b"a=1"
    }  # fmt: skip
    write_tar(tmp_path / "apps.tar", {f"web/{name}": content for name, content in files.items()})
    fetched = await Fetcher(roots=(tmp_path,)).fetch_files(str(tmp_path / "apps.tar"))
    (entry,) = import_collection(fetched, source="acme", kind=SourceFormat.COMPOSE).items
    definition = entry.document["compose"]
    assert {c["content"] for c in definition["configs"].values()} == {"events {}", "#!/bin/sh", "a=1"}
    assert definition["services"]["a"]["environment"] == {"LEVEL": "${LEVEL}", "KEPT": "1"}
    assert [record["default"] for record in entry.document["inputs"]] == ["5"]


async def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "apps.tar"
    with tarfile.open(path, "w") as archive:
        for number, kind in enumerate((tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)):
            info = tarfile.TarInfo(f"{number}.yml")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("good.yml"))
    assert await Fetcher(roots=(tmp_path,)).fetch_files(str(path)) == {"good.yml": b""}


async def test_a_zip_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.yml", b"0" * 30_000_000)
    with pytest.raises(SourceFetchError, match="only tar archives are read"):
        await Fetcher(roots=(tmp_path,), limits=FetchLimits(total_bytes=1_000_000)).fetch_files(str(path))


async def test_a_tar_bomb_and_too_many_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    write_tar(path, {"big.bin": b"0" * 5_000_000})
    limits = FetchLimits(total_bytes=1_000_000)
    with pytest.raises(SourceFetchError, match="unpacks to more than"):
        await Fetcher(roots=(tmp_path,), limits=limits).fetch_files(str(path))
    write_tar(path, {f"{n}.yml": b"" for n in range(20)})
    with pytest.raises(SourceFetchError, match="more than 10 files"):
        await Fetcher(roots=(tmp_path,), limits=FetchLimits(files=10)).fetch_files(str(path))


async def test_what_is_no_archive_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.tar.gz"
    path.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(SourceFetchError, match="cannot be read"):
        await Fetcher(roots=(tmp_path,)).fetch_files(str(path))
    with pytest.raises(SourceFetchError, match="does not exist"):
        await Fetcher(roots=(tmp_path,)).fetch_files(str(tmp_path / "nothing"))
