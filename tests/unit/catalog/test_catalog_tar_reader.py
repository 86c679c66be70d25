"""Archives of sources: what the standard library writes is read, and nothing in a header is believed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import random
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from services.catalog.domain.errors import SourceFetchError
from services.catalog.sources.tar_reader import TarReader

MIB = 1 << 20
LONG = "a/" * 100 + "long-name-of-a-file.yaml"
FILES = {
    "one.yaml": b"1",
    "two/empty.yml": b"",
    LONG: b"2" * 1000,
    "three.json": b"3" * 512,
    "\u00fcber.yml": b"4",
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "xz of two streams": lambda data: lzma.compress(data[:700]) + lzma.compress(data[700:]) + b"\0" * 8,
}
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def write_tar(files: dict[str, bytes], *, format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002 - tarfile's name
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, pax_headers={"comment": "x"}) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.yml")
        link.type, link.linkname = tarfile.SYMTYPE, "/" + "b" * 200
        archive.addfile(link)
    return out.getvalue()


def read(content: bytes, *, total: int = 64 * MIB, members: int = 1000, most: int = MIB) -> dict[str, bytes]:
    reader = TarReader(content, total_bytes=total, members=members)
    return {one.path: one.content for one in reader.read_members(measure=lambda _name, _size: most)}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("kind", FORMATS)
def test_what_the_standard_library_writes_is_read(kind: str, packer: str) -> None:
    assert read(PACKERS[packer](write_tar(FILES, format=FORMATS[kind]))) == FILES


def test_no_more_of_a_file_is_kept_than_is_wanted() -> None:
    assert read(write_tar(FILES), most=3) == {name: content[:3] for name, content in FILES.items()}


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz"])
@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
def test_a_header_that_claims_much_is_refused_before_it_is_read(kind: bytes, packer: str) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 20 * MIB
    content = PACKERS[packer](info.tobuf(tarfile.GNU_FORMAT) + b"a" * info.size)
    tracemalloc.start()
    try:
        with pytest.raises(SourceFetchError, match="has a header of"):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB  # of which xz takes 8 for its dictionary
    finally:
        tracemalloc.stop()


def test_a_dictionary_of_xz_that_needs_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 256 * MIB, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}]
    content = bytearray(
        lzma.compress(write_tar(FILES), filters=[{**filters[0], "dict_size": MIB}], check=lzma.CHECK_NONE)
    )
    content[16] = 30  # 512 MiB instead, in the block's header
    size = (content[12] + 1) * 4
    crc = zlib.crc32(content[12 : 12 + size - 4])
    content[12 + size - 4 : 12 + size] = crc.to_bytes(4, "little")
    with pytest.raises(SourceFetchError, match="bytes of memory"):
        read(bytes(content))


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz"])
def test_what_unpacks_to_too_much_is_refused(packer: str) -> None:
    with pytest.raises(SourceFetchError, match="unpacks to more than"):
        read(
            PACKERS[packer](write_tar({"big.bin": b"0" * (3 * MIB), "more.bin": b"0" * (3 * MIB)})),
            total=4 * MIB,
        )


def test_a_size_that_is_none_is_refused() -> None:
    for size in (-1, 1 << 62):
        info = tarfile.TarInfo("a.yml")
        info.size = size
        with pytest.raises(SourceFetchError, match="unpacks to more than"):
            read(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(SourceFetchError, match="too many entries"):
        read(write_tar({f"{number}.yml": b"" for number in range(50)}), members=40)


def test_sparse_files_are_refused() -> None:
    old = tarfile.TarInfo("sparse.yml")
    old.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(SourceFetchError, match="sparse"):
        read(old.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    new = tarfile.TarInfo("sparse.yml")
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    with pytest.raises(SourceFetchError, match="sparse"):
        read(new.tobuf(tarfile.PAX_FORMAT) + b"\0" * 1024)


@pytest.mark.parametrize("packer", PACKERS)
def test_what_is_cut_off_or_changed_is_refused_by_name(packer: str) -> None:
    whole = PACKERS[packer](write_tar(FILES))
    for cut in (10, len(whole) // 4 + 100):
        with pytest.raises(SourceFetchError):
            read(whole[:cut])
    rng = random.Random(7)
    for _ in range(100):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        with contextlib.suppress(SourceFetchError):  # and nothing else
            read(bytes(changed))
