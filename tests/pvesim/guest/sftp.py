"""SFTP on a node's own files."""

import errno
import os
import posixpath
import stat as modes
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.sftp import SFTPAttrs, SFTPFailure, SFTPName, SFTPNoSuchFile

from tests.pvesim.guest.filesystem import NOT_FOUND, Entry, FileSystem, FsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KINDS = {"f": modes.S_IFREG, "d": modes.S_IFDIR, "l": modes.S_IFLNK}


class OpenFile:
    """A file opened over SFTP."""

    def __init__(self, fs: FileSystem, path: str) -> None:
        self._fs = fs
        self.path = path

    def seek(self, offset: int, whence: int) -> int:
        """Where data or a hole begins at or behind `offset`: a file is one stretch of data."""
        size = len(self._fs.read(self.path))
        if offset >= size:
            raise OSError(errno.ENXIO, "no more data")
        return offset if whence == os.SEEK_DATA else size


class NodeSftp(asyncssh.SFTPServer):
    """Serves the simulated files, never the real ones."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", fs: FileSystem) -> None:
        super().__init__(channel)
        self._fs = fs

    def _path(self, path: bytes) -> str:
        return posixpath.normpath(posixpath.join("/root", path.decode()))

    def _refuse(self, error: FsError) -> Exception:
        return SFTPNoSuchFile(str(error)) if str(error) == NOT_FOUND else SFTPFailure(str(error))

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        name = self._path(path)
        try:
            if pflags & asyncssh.FXF_TRUNC or (pflags & asyncssh.FXF_CREAT and not self._fs.exists(name)):
                self._fs.write(name, b"", mode=attrs.permissions)
            elif not self._fs.is_file(name):
                self._fs.read(name)
        except FsError as error:
            raise self._refuse(error) from error
        return OpenFile(self._fs, name)

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: SFTPAttrs) -> object:
        raise SFTPFailure("SFTP version 3 only")

    def close(self, file_obj: object) -> None:
        """Nothing is held open."""

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        assert isinstance(file_obj, OpenFile)
        return self._fs.read(file_obj.path)[offset : offset + size]

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        assert isinstance(file_obj, OpenFile)
        old = self._fs.read(file_obj.path)
        try:
            self._fs.write(
                file_obj.path, old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]
            )
        except FsError as error:
            raise self._refuse(error) from error
        return len(data)

    def _attributes(self, path: str, *, follow: bool) -> SFTPAttrs:
        try:
            entry = self._fs.get(path, follow=follow)
        except FsError as error:
            raise self._refuse(error) from error
        return _render(entry)

    def stat(self, path: bytes) -> SFTPAttrs:
        return self._attributes(self._path(path), follow=True)

    def lstat(self, path: bytes) -> SFTPAttrs:
        return self._attributes(self._path(path), follow=False)

    def fstat(self, file_obj: object) -> SFTPAttrs:
        assert isinstance(file_obj, OpenFile)
        return self._attributes(file_obj.path, follow=True)

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        self._fs.change(self._path(path), mode=attrs.permissions, uid=attrs.uid, gid=attrs.gid)

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        assert isinstance(file_obj, OpenFile)
        self.setstat(file_obj.path.encode(), attrs)

    async def scandir(self, path: bytes) -> "AsyncIterator[SFTPName]":
        try:
            names = self._fs.list_dir(self._path(path))
        except FsError as error:
            raise self._refuse(error) from error
        for name in names:
            yield SFTPName(
                name.encode(), attrs=self._attributes(posixpath.join(self._path(path), name), follow=False)
            )

    def _change(self, action: Any, *args: Any, **options: Any) -> None:
        try:
            action(*args, **options)
        except FsError as error:
            raise self._refuse(error) from error

    def remove(self, path: bytes) -> None:
        self._change(self._fs.remove, self._path(path))

    def rmdir(self, path: bytes) -> None:
        self._change(self._fs.remove, self._path(path))

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        self._change(self._fs.make_dir, self._path(path))

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._change(self._fs.move, self._path(oldpath), self._path(newpath))

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self.rename(oldpath, newpath)

    def realpath(self, path: bytes) -> bytes:
        return self._fs.locate(self._path(path)).encode()

    def readlink(self, path: bytes) -> bytes:
        raise SFTPFailure("not supported")

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise SFTPFailure("not supported")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise SFTPFailure("not supported")


def _render(entry: Entry) -> SFTPAttrs:
    return SFTPAttrs(
        size=len(entry.data),
        uid=entry.uid,
        gid=entry.gid,
        permissions=KINDS[entry.kind] | entry.mode,
        atime=entry.mtime,
        mtime=entry.mtime,
        type=asyncssh.FILEXFER_TYPE_DIRECTORY if entry.kind == "d" else asyncssh.FILEXFER_TYPE_REGULAR,
    )
