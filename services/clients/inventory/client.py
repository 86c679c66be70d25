"""Containers over gRPC: `Containers` of `interface`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from proximity.inventory.v1 import container_service_pb2 as pb
from proximity.inventory.v1.container_service_pb2_grpc import ContainerServiceStub

from services.clients.inventory.convert import (
    parse_placement,
    render_creation,
    render_ref,
    render_wanted,
)
from services.clients.inventory.interface import OnText
from services.clients.inventory.reads import GrpcReads
from services.clients.inventory.terminals import TerminalKeys, TerminalPiece, TerminalSize
from services.clients.inventory.values import (
    ContainerChanges,
    NewContainer,
    Placement,
    Probe,
    Ref,
    Task,
    Wanted,
)
from services.common.core.errors import UnavailableError

_PLACE_S = 10.0  # a person waits for it; hosts that do not answer are left out after 5 s
_PROBE_S = 20.0  # from the service and then from inside the container
_DROP_S = 300.0  # Proxmox merges a snapshot of a large disk for minutes
_EXEC_S = 6 * 3600  # the longest command: docker pull of large images over slow links
_EXEC_END_S = 30.0  # for inventory to report the end of a command that it stopped after _EXEC_S


class GrpcContainers(GrpcReads):
    """Containers, archives and tasks by way of inventory."""

    async def place_container(self, wanted: Wanted) -> Placement:
        """See `Containers.place_container`."""
        answer = await self._call("PlaceContainer", render_wanted(wanted), timeout=_PLACE_S)
        return parse_placement(answer)

    async def reserve_vmid(self, host_id: int, owner: str) -> int:
        """See `Containers.reserve_vmid`."""
        request = pb.ReserveVmidRequest(host_id=host_id, owner=owner)
        return int((await self._call("ReserveVmid", request)).vmid)

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """See `Containers.release_vmid`."""
        await self._call("ReleaseVmid", pb.ReleaseVmidRequest(host_id=host_id, owner=owner))

    async def create_container(self, ref: Ref, *, owner: str, new: NewContainer) -> Task:
        """See `Containers.create_container`."""
        return await self._begin("CreateContainer", render_creation(ref, owner, new=new))

    async def start_container(self, ref: Ref, *, owner: str) -> Task:
        """See `Containers.start_container`."""
        return await self._begin("StartContainer", _action(ref, owner))

    async def stop_container(self, ref: Ref, *, owner: str) -> Task:
        """See `Containers.stop_container`."""
        return await self._begin("StopContainer", _action(ref, owner))

    async def reboot_container(self, ref: Ref, *, owner: str) -> Task:
        """See `Containers.reboot_container`."""
        # A repeated request would reboot twice.
        return await self._begin("RebootContainer", _action(ref, owner), retry=False)

    async def destroy_container(self, ref: Ref, *, owner: str) -> Task:
        """See `Containers.destroy_container`."""
        return await self._begin("DestroyContainer", _action(ref, owner))

    async def adopt_container(self, ref: Ref, *, owner: str, instead_of: str = "") -> None:
        """See `Containers.adopt_container`."""
        await self._call("AdoptContainer", _action(ref, owner, instead_of=instead_of))

    async def release_container(self, ref: Ref, *, owner: str) -> None:
        """See `Containers.release_container`."""
        await self._call("ReleaseContainer", _action(ref, owner))

    async def clone_container(
        self, source: Ref, *, source_owner: str, target: Ref, owner: str, hostname: str
    ) -> Task:
        """See `Containers.clone_container`."""
        request = pb.CloneContainerRequest(
            source=render_ref(source),
            source_owner=source_owner,
            target=render_ref(target),
            target_owner=owner,
            hostname=hostname,
        )
        return await self._begin("CloneContainer", request)

    async def configure_container(self, ref: Ref, *, owner: str, changes: ContainerChanges) -> Task:
        """See `Containers.configure_container`."""
        request = pb.ConfigureContainerRequest(
            container=render_ref(ref),
            owner=owner,
            memory_mb=changes.memory_mb,
            cores=changes.cores,
            disk_gb=changes.disk_gb,
            environment=changes.environment,
            dropped_variables=changes.dropped_variables,
        )
        return await self._begin("ConfigureContainer", request)

    async def snapshot_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        """See `Containers.snapshot_container`."""
        return await self._begin("SnapshotContainer", _snapshot(ref, owner, name=name))

    async def rollback_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        """See `Containers.rollback_container`."""
        return await self._begin("RollbackContainer", _snapshot(ref, owner, name=name))

    async def delete_snapshot(self, ref: Ref, *, owner: str, name: str) -> Task:
        """See `Containers.delete_snapshot`."""
        return await self._begin("DeleteSnapshot", _snapshot(ref, owner, name=name))

    async def drop_snapshots(self, ref: Ref, *, owner: str, min_age_s: int) -> list[str]:
        """See `Containers.drop_snapshots`."""
        request = pb.DropSnapshotsRequest(container=render_ref(ref), owner=owner, min_age_s=min_age_s)
        return list((await self._call("DropSnapshots", request, timeout=_DROP_S)).names)

    async def migrate_container(self, ref: Ref, *, owner: str, target_node: str) -> Task:
        """See `Containers.migrate_container`."""
        request = pb.MigrateContainerRequest(container=render_ref(ref), owner=owner, target_node=target_node)
        return await self._begin("MigrateContainer", request)

    async def move_volume(self, source: Ref, *, source_owner: str, target: Ref, owner: str) -> Task:
        """See `Containers.move_volume`."""
        request = pb.MoveVolumeRequest(
            source=render_ref(source),
            source_owner=source_owner,
            target=render_ref(target),
            target_owner=owner,
        )
        return await self._begin("MoveVolume", request)

    async def pull_image(self, host_id: int, node: str, *, reference: str, storage: str = "") -> Task:
        """See `Containers.pull_image`."""
        request = pb.PullImageRequest(host_id=host_id, node=node, reference=reference, storage=storage)
        return await self._begin("PullImage", request)

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
        """See `Containers.exec`."""
        request = pb.ExecRequest(
            container=render_ref(ref),
            owner=owner,
            argv=argv,
            stdin=stdin,
            stall_timeout_s=stall_s,
            timeout_s=_EXEC_S,
        )
        stream = self._clients.stream(
            "inventory", ContainerServiceStub, method="Exec", request=request, timeout=_EXEC_S + _EXEC_END_S
        )
        async for output in stream:
            if output.text:
                await on_text(output.text)
            if output.HasField("exit_code"):
                return int(output.exit_code)
        # The exit status comes last: a stream without one was cut off, and the command may still run.
        raise UnavailableError(f"the command {argv[0]} was not followed to its end")

    # Without a retry and a timeout: a second shell is another one, and people leave terminals open.
    async def attach_terminal(
        self, ref: Ref, *, owner: str, size: TerminalSize, is_busy: bool, keys: AsyncIterator[TerminalKeys]
    ) -> AsyncGenerator[TerminalPiece, None]:
        """See `Terminals.attach_terminal`."""

        async def render() -> AsyncIterator[pb.TerminalRequest]:
            yield pb.TerminalRequest(
                container=render_ref(ref), owner=owner, busy=is_busy, columns=size.columns, rows=size.rows
            )
            async for each in keys:
                yield pb.TerminalRequest(data=each.data, columns=each.size.columns, rows=each.size.rows)

        stream = self._clients.duplex(
            "inventory", ContainerServiceStub, method="AttachTerminal", messages=render()
        )
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                ended = piece.exit_status if piece.HasField("exit_status") else None
                yield TerminalPiece(piece.data, piece.mode, ended)

    async def push_file(self, ref: Ref, *, owner: str, path: str, content: str, mode: int) -> None:
        """See `Containers.push_file`."""
        request = pb.PushFileRequest(
            container=render_ref(ref), owner=owner, path=path, content=content.encode(), mode=mode
        )
        await self._call("PushFile", request)

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
        """See `Containers.probe_port`."""
        request = pb.ProbePortRequest(
            container=render_ref(ref),
            owner=owner,
            port=port,
            scheme=scheme,
            path=path,
            thorough=thorough,
            wait_s=wait_s,
            inside=inside,
        )
        answer = await self._call("ProbePort", request, timeout=_PROBE_S)
        return Probe(answer.answered, answer.address, answer.message)


def _action(ref: Ref, owner: str, *, instead_of: str = "") -> pb.ContainerActionRequest:
    return pb.ContainerActionRequest(container=render_ref(ref), owner=owner, instead_of=instead_of)


def _snapshot(ref: Ref, owner: str, *, name: str) -> pb.SnapshotRequest:
    return pb.SnapshotRequest(container=render_ref(ref), owner=owner, name=name)
