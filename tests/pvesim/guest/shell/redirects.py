"""Opening files for `<`, `>`, `>>`, heredocs and `2>&1`."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.pvesim.guest.filesystem import IS_DIR, NOT_FOUND, FileSystem, FsError
from tests.pvesim.guest.shell.syntax import Redirect
from tests.pvesim.guest.streams import BytesSource, NullSink, Sink, Source

if TYPE_CHECKING:
    from tests.pvesim.guest.shell.interpreter import Shell


@dataclass(frozen=True, slots=True)
class Streams:
    """A command's standard streams."""

    stdin: Source
    stdout: Sink
    stderr: Sink


class FileSink:
    """Writes into a file, at once."""

    def __init__(self, fs: FileSystem, path: str) -> None:
        self._fs = fs
        self._path = path

    def write(self, data: bytes) -> None:
        self._fs.write(self._path, data, append=True)


async def open_redirects(redirects: list[Redirect], streams: Streams, shell: "Shell") -> Streams:
    """The streams after these redirections, done from left to right.

    Raises:
        FsError: a file cannot be opened; worded as this shell does.
    """
    for redirect in redirects:
        target = await shell.expander.expand_text(redirect.target)
        streams = _apply(redirect, target, streams, shell=shell)
    return streams


def _apply(redirect: Redirect, target: str, streams: Streams, *, shell: "Shell") -> Streams:
    if redirect.op in ("<<", "<<-"):
        return replace(streams, stdin=BytesSource(target.encode(errors="surrogateescape")))
    if redirect.op in (">&", "<&"):
        return _duplicate(redirect.fd, target, streams)
    if redirect.op == "<":
        return replace(streams, stdin=_open_source(target, streams, shell))
    sink = _open_sink(target, streams, shell=shell, append=redirect.op == ">>")
    if redirect.op == "&>":
        return replace(streams, stdout=sink, stderr=sink)
    return _place(redirect.fd, sink, streams)


def _place(fd: int, sink: Sink, streams: Streams) -> Streams:
    if fd == 1:
        return replace(streams, stdout=sink)
    return replace(streams, stderr=sink) if fd == 2 else streams  # the number of standard error


def _duplicate(fd: int, target: str, streams: Streams) -> Streams:
    sinks: dict[str, Sink] = {"1": streams.stdout, "2": streams.stderr, "-": NullSink()}
    if target not in sinks:
        raise FsError(f"{target}: Bad file descriptor")
    return _place(fd, sinks[target], streams)


def _open_source(target: str, streams: Streams, shell: "Shell") -> Source:
    if target in ("/dev/stdin", "/dev/tty"):
        return streams.stdin
    path = f"{shell.state.cwd}/{target}" if not target.startswith("/") else target
    try:
        return BytesSource(shell.process.fs.read(path))
    except FsError as error:
        raise FsError(_word_refusal(shell.state.name, "open", target, reason=str(error))) from error


def _open_sink(target: str, streams: Streams, *, shell: "Shell", append: bool) -> Sink:
    known: dict[str, Sink] = {
        "/dev/null": NullSink(),
        "/dev/stdout": streams.stdout,
        "/dev/tty": streams.stdout,
        "/dev/stderr": streams.stderr,
    }
    if target in known:
        return known[target]
    path = f"{shell.state.cwd}/{target}" if not target.startswith("/") else target
    try:
        shell.process.fs.write(path, b"", append=append)
    except FsError as error:
        raise FsError(_word_refusal(shell.state.name, "create", target, reason=str(error))) from error
    return FileSink(shell.process.fs, path)


def _word_refusal(name: str, verb: str, target: str, *, reason: str) -> str:
    if name == "bash":
        return f"{target}: {reason}"
    if reason == NOT_FOUND and name == "ash":
        return f"can't {verb} {target}: {'nonexistent directory' if verb == 'create' else 'no such file'}"
    if reason == NOT_FOUND:
        return f"cannot {verb} {target}: {'Directory nonexistent' if verb == 'create' else 'No such file'}"
    return (
        f"cannot {verb} {target}: {reason}" if reason != IS_DIR else f"cannot {verb} {target}: Is a directory"
    )
