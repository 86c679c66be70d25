"""Reader of tar archives with limited memory, whatever sizes their headers declare.

The standard library reads long names, pax records and sparse maps whole before a caller can check them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.catalog.domain.errors import SourceFetchError

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 65_536  # bytes that are unpacked at a time
_HEADER_BYTES = 65_536  # of a long name or of pax records; paths end at 4,096 bytes
_XZ_BYTES = 128 * 1024 * 1024  # xz -9 needs 65 MiB to unpack
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
# Extended headers stand before the header that they change.
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


Measure = Callable[[str, int], int]


@dataclass(frozen=True)
class Member:
    """A regular file of an archive, with as many bytes of its content as were requested."""

    path: str
    size: int
    content: bytes


class TarReader:
    """The regular files of an archive, in their order.

    Args:
        content: of the archive, plain or compressed by gzip, bzip2 or xz.
        total_bytes: that it may unpack to.
        members: headers that it may have, of whatever type.
    """

    def __init__(self, content: bytes, *, total_bytes: int, members: int) -> None:
        self._chunks = _unpack(content)
        self._buffer = b""
        self._left = self._total = total_bytes
        self._members = members

    def read_members(self, *, measure: Measure) -> Iterator[Member]:
        """Yield every regular file; `measure` returns how many bytes of it are read, by path and size.

        Raises:
            SourceFetchError: it is no tar archive, is cut off, or goes beyond a limit.
        """
        name, size = "", -1  # from headers that stand before the one that they are about
        while (info := self._read_header()) is not None:
            if info.type in (_LONG_NAME, _LONG_LINK, *_PAX, tarfile.XGLTYPE):
                data = self._read_extension(info)
                if info.type == _LONG_NAME:
                    name = data.split(b"\0", 1)[0].decode(errors="replace")
                elif info.type in _PAX:
                    records = _parse_pax(data)
                    name, size = records.get("path", name), _parse_size(records.get("size"), size)
                continue
            path, length = name or info.name, info.size if size < 0 else size
            name, size = "", -1
            # A sparse file of a few bytes may unpack to terabytes.
            if info.type == tarfile.GNUTYPE_SPARSE:
                raise SourceFetchError(f"contains a sparse file ({path[:80]!r}), which is not read")
            if info.type in _FILES:
                content = self._read(min(measure(path, length), length))
                self._skip(length - len(content) + -length % _BLOCK)
                yield Member(path, length, content)
            elif info.type not in tarfile.SUPPORTED_TYPES:
                self._skip(length + -length % _BLOCK)

    def _read_header(self) -> tarfile.TarInfo | None:
        # Entries without content cost no bytes of the limit, so that they are counted.
        self._members -= 1
        if self._members < 0:
            raise SourceFetchError("has too many entries")
        block = self._read(_BLOCK, may_end=True)
        if not block.strip(b"\0"):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
        except (tarfile.HeaderError, ValueError) as error:
            raise SourceFetchError(f"is no tar archive, or a broken one: {error}") from None
        if not 0 <= info.size <= self._total:
            raise SourceFetchError(f"unpacks to more than {self._total} bytes")
        return info

    def _read_extension(self, info: tarfile.TarInfo) -> bytes:
        if info.size > _HEADER_BYTES:
            raise SourceFetchError(f"has a header of {info.size} bytes; at most {_HEADER_BYTES} are read")
        data = self._read(info.size)
        self._skip(-info.size % _BLOCK)
        return data

    def _read(self, count: int, *, may_end: bool = False) -> bytes:
        parts = [self._buffer]
        found = len(self._buffer)
        while found < count:
            chunk = self._next_chunk()
            if not chunk:
                break
            parts.append(chunk)
            found += len(chunk)
        whole = b"".join(parts)
        if len(whole) < count and not (may_end and not whole):
            raise SourceFetchError("ends too early")
        self._buffer = whole[count:]
        return whole[:count]

    def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(self._read(min(count, _CHUNK)))

    def _next_chunk(self) -> bytes:
        try:
            chunk = next(self._chunks, b"")
        except lzma.LZMAError as error:
            raise SourceFetchError(f"cannot be unpacked with {_XZ_BYTES} bytes of memory: {error}") from None
        except (zlib.error, OSError, EOFError) as error:
            raise SourceFetchError(f"cannot be unpacked: {error}") from None
        self._left -= len(chunk)
        if self._left < 0:
            raise SourceFetchError(f"unpacks to more than {self._total} bytes")
        return chunk


def _unpack(content: bytes) -> Iterator[bytes]:
    if content.startswith(_XZ):
        return _unpack_xz(content)
    stream: io.BufferedIOBase = io.BytesIO(content)
    if content.startswith(_GZIP):
        stream = gzip.GzipFile(fileobj=io.BytesIO(content))
    elif content.startswith(_BZIP2):
        stream = bz2.BZ2File(io.BytesIO(content))
    return iter(lambda: stream.read(_CHUNK), b"")


def _unpack_xz(content: bytes) -> Iterator[bytes]:
    """Unpack concatenated xz streams; lzma.open has no limit of memory, and a header may request 4 GiB."""
    view = memoryview(content)
    while view:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES)
        while not unpacker.eof:
            given = b""
            if unpacker.needs_input:
                given, view = bytes(view[:_CHUNK]), view[_CHUNK:]
                if not given:
                    raise EOFError("the last stream is cut off")
            if chunk := unpacker.decompress(given, max_length=_CHUNK):
                yield chunk
        view = memoryview(unpacker.unused_data.lstrip(b"\0") + bytes(view)) if unpacker.unused_data else view


def _parse_pax(data: bytes) -> dict[str, str]:
    """Parse records like `18 path=a/b.yaml` and a line feed."""
    records: dict[str, str] = {}
    while data:
        length, space, _ = data.partition(b" ")
        end = int(length) if length.isdigit() and len(length) < 6 else 0
        record = data[len(length) + 1 : end]
        if not space or end <= len(length) + 1 or not record.endswith(b"\n"):
            raise SourceFetchError("has broken pax records")
        key, _, value = record[:-1].partition(b"=")
        if key.startswith(b"GNU.sparse"):
            raise SourceFetchError("contains a sparse file, which is not read")
        records[key.decode(errors="replace")] = value.decode(errors="replace")
        data = data[end:]
    return records


def _parse_size(text: str | None, known: int) -> int:
    if text is None:
        return known
    if not text.isdecimal() or len(text) > 15:
        raise SourceFetchError(f"has a file of the size {text[:40]!r}")
    return int(text)
