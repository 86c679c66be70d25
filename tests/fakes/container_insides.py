"""Insides of containers in memory: commands, files, ports."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from services.clients.inventory.inspections import Inspected
from services.clients.inventory.interface import OnText
from services.clients.inventory.values import (
    Probe,
    Ref,
)
from services.common.core.errors import PreconditionError
from tests.fakes.snapshots import FakeSnapshots


class FakeInsides(FakeSnapshots):
    """RPCs that look into a container.

    Attributes:
        commands: what was run inside.
        answers: whether ports answer; what runs of a definition with one of the `silent` words does not.
        conflicts: sentences about addresses that others have too, by container id.
        inspected: what `read_inspection` answers, unless it fails with `inspection_fault`.
        output: what a command prints that reads the output of an app.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[tuple[str, ...]] = []
        self.answers = True
        self.conflicts: dict[int, list[str]] = {}
        self.silent: set[str] = set()
        self.inspected = Inspected(ports=())
        self.inspection_fault = ""
        self.output: str | None = None

    async def list_address_conflicts(self, ref: Ref) -> list[str]:
        return self.conflicts.get(ref.vmid, [])

    async def read_inspection(self, ref: Ref) -> Inspected:
        self.call("read_inspection")
        if self.containers[ref.vmid].status != "running":
            raise PreconditionError(f"container {ref.vmid} does not run")
        if self.inspection_fault:
            raise PreconditionError(self.inspection_fault)
        return self.inspected

    async def inspect_container(self, ref: Ref) -> int | None:
        return 80

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        container = self.own(ref, owner)
        if container.status != "running":
            raise PreconditionError(f"container {ref.vmid} does not run")
        self.commands.append(tuple(argv))
        if self.output is not None and "tail -c" in argv[-1]:
            await on_text(self.output)
        text = " ".join(argv)
        if stdin:
            self.call("exec")
            compose, values = (base64.b64decode(line).decode() for line in stdin.splitlines())
            folder = text.partition("mkdir -p ")[2].split()[0]
            self.files[ref.vmid, f"{folder}/compose.yaml"] = compose
            self.files[ref.vmid, f"{folder}/.env"] = values
        if "docker.io" in text:
            self.docker.add(ref.vmid)
        if "docker" in text and "install" not in text and ref.vmid not in self.docker:
            return 127
        return 0

    async def push_file(self, ref: Ref, *, owner: str, path: str, content: str, mode: int) -> None:
        self.own(ref, owner)
        self.call("push_file")
        self.files[ref.vmid, path] = content

    async def probe_port(
        self,
        ref: Ref,
        *,
        owner: str,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
        inside: bool = False,
    ) -> Probe:
        container = self.own(ref, owner)
        definition = self.files.get((ref.vmid, "/opt/proximity/compose.yaml"), "")
        definition += self.images.get(ref.vmid, "")
        answers = self.answers and not any(word in definition for word in self.silent)
        return Probe(answers, container.address, "" if answers else "refused")
