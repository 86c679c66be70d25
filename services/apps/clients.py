"""Auth, catalog and backups by gRPC: their Protocols of `domain/interfaces.py` on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proximity.auth.v1 import auth_service_pb2 as auth_pb
from proximity.auth.v1.auth_service_pb2_grpc import AuthInternalServiceStub
from proximity.backups.v1 import backups_service_pb2 as backups_pb
from proximity.backups.v1.backups_service_pb2_grpc import BackupsInternalServiceStub
from proximity.catalog.v1 import catalog_service_pb2 as catalog_pb
from proximity.catalog.v1.catalog_service_pb2_grpc import CatalogInternalServiceStub

from services.apps.convert.upgrades import parse_input
from services.apps.domain.neighbours import AppBackupCount, HeldBackup, Newest, Rendering, RevisionChanges
from services.apps.domain.quotas import Quota
from services.common.core.errors import NotFoundError
from services.common.rpc.client import Clients


class GrpcUsers:
    """`Users` and `Quotas` on the wire.

    Args:
        clients: reach auth.
        default: of users for whom no administrator said anything; administrators have none.
    """

    def __init__(self, clients: Clients, default: Quota) -> None:
        self._clients = clients
        self._default = default

    async def get_quota(self, user_id: int) -> Quota:
        """See `Quotas.get_quota`. Who is gone, like the owner of an app that was left behind, may have nothing more."""
        request = auth_pb.FindUserRequest(id=user_id)
        try:
            user = await self._clients.call("auth", AuthInternalServiceStub, "FindUser", request, timeout=3)
        except NotFoundError:
            return Quota(apps=0)
        own = Quota(**{field.name: value for field, value in user.quota.ListFields()})
        return own if user.is_staff else own.over(self._default)

    async def has_user(self, user_id: int) -> bool:
        """Whether there is such an account."""
        request = auth_pb.FindUserRequest(id=user_id)
        try:
            await self._clients.call("auth", AuthInternalServiceStub, "FindUser", request)
        except NotFoundError:
            return False
        return True


class GrpcCatalog:
    """`Catalog` on the wire."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def render(
        self,
        catalog_id: str,
        environment: Mapping[str, str],
        *,
        public_port: int,
        runtime: str,
        image: str = "",
        port: int = 0,
        hostname: str = "",
        project: str = "",
        revision: str = "",
        generated: Mapping[str, str] | None = None,
        from_revision: str = "",
        secret: Mapping[str, bool] | None = None,
    ) -> Rendering:
        """Render an item."""
        request = catalog_pb.RenderItemRequest(
            app_id=catalog_id,
            revision=revision,
            environment=environment,
            generated=generated or {},
            public_port=public_port,
            runtime=runtime,
            image=image,
            port=port,
            hostname=hostname,
            project=project,
            from_revision=from_revision,
            secret=secret or {},
            refer_to_host=True,
        )
        answer = await self._clients.call(
            "catalog", CatalogInternalServiceStub, "RenderItem", request, timeout=10
        )
        return _rendering(answer)

    async def compare_revisions(
        self, catalog_id: str, *, from_revision: str, revision: str
    ) -> RevisionChanges:
        """Return what changes from one revision to another."""
        request = catalog_pb.CompareRevisionsRequest(
            app_id=catalog_id, from_revision=from_revision, revision=revision
        )
        answer = await self._clients.call(
            "catalog", CatalogInternalServiceStub, "CompareRevisions", request, timeout=10
        )
        return _changes(answer)

    async def list_newest(self) -> Mapping[str, Newest]:
        """The newest revision of every item."""
        request = catalog_pb.ListRevisionsRequest()
        answer = await self._clients.call(
            "catalog", CatalogInternalServiceStub, "ListRevisions", request, timeout=10
        )
        return {item.app_id: Newest(item.revision, item.version) for item in answer.revisions}


class GrpcBackups:
    """`Backups` on the wire."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, app_id: str, operation_id: str, *, notes: str, requested_by: int) -> HeldBackup:
        """Have a backup made."""
        request = backups_pb.CreateHeldBackupRequest(
            app_id=app_id, operation_id=operation_id, notes=notes, requested_by=requested_by
        )
        return await self._call("CreateHeldBackup", request)

    async def find(self, operation_id: str) -> HeldBackup | None:
        """The backup of an operation."""
        try:
            return await self._call(
                "GetHeldBackup", backups_pb.GetHeldBackupRequest(operation_id=operation_id)
            )
        except NotFoundError:
            return None

    async def count(self, app_ids: Sequence[str]) -> dict[str, AppBackupCount]:
        """Count the backups of apps."""
        request = backups_pb.CountBackupsRequest(app_ids=app_ids)
        answer = await self._clients.call(
            "backups", BackupsInternalServiceStub, "CountBackups", request, timeout=3, retry=False
        )
        return {one.app_id: AppBackupCount(one.total, one.protected) for one in answer.apps}

    async def cancel(self, operation_id: str) -> bool:
        """Ask an operation of backups to stop."""
        request = backups_pb.CancelHoldingOperationRequest(operation_id=operation_id)
        answer = await self._clients.call(
            "backups", BackupsInternalServiceStub, "CancelHoldingOperation", request, timeout=5
        )
        return bool(answer.status == "unfinished")

    async def find_standing(self, operation_id: str) -> str:
        """Return how far an operation of backups is: unknown, unfinished, succeeded or failed."""
        request = backups_pb.GetHoldingOperationRequest(operation_id=operation_id)
        answer = await self._clients.call(
            "backups", BackupsInternalServiceStub, "GetHoldingOperation", request, timeout=5
        )
        return str(answer.status)

    async def _call(self, method: str, request: Any) -> HeldBackup:
        answer = await self._clients.call("backups", BackupsInternalServiceStub, method, request, timeout=10)
        return HeldBackup(answer.id, answer.status, answer.progress, answer.error, answer.archive)


def _rendering(answer: catalog_pb.Rendering) -> Rendering:
    probe = answer.probe
    return Rendering(
        catalog_id=answer.catalog_id,
        revision=answer.revision,
        version=answer.version,
        name=answer.name,
        runtimes=tuple(answer.runtimes),
        docker_compose=answer.docker_compose,
        environment=dict(answer.environment),
        secret_names=tuple(sorted({*answer.secret_names, *answer.generated})),
        images=tuple(answer.images),
        min_memory=answer.min_memory,
        min_disk=answer.min_disk,
        internal_port=answer.internal_port,
        port_published=answer.port_published,
        probe={"scheme": probe.scheme, "port": probe.port, "path": probe.path, "grace_s": probe.grace_s}
        if answer.HasField("probe")
        else {},
        mounts=tuple((volume.path, 0) for volume in answer.volumes),
        image=answer.image,
        entrypoint=answer.entrypoint,
        command=answer.command,
        inputs=dict(answer.inputs),
        credentials=_credentials(answer),
    )


def _credentials(answer: catalog_pb.Rendering) -> dict[str, str]:
    if not answer.HasField("credentials"):
        return {}
    known = answer.credentials
    return {"username": known.username, "password": known.password, "change": known.change}


def _changes(answer: catalog_pb.RevisionChanges) -> RevisionChanges:
    added = set(answer.added_inputs)
    return RevisionChanges(
        revision=answer.revision,
        version=answer.version,
        from_version=answer.from_version,
        images=tuple((one.service, one.before, one.after) for one in answer.images),
        added_inputs=tuple(parse_input(one) for one in answer.inputs if one.name in added),
        removed_inputs=tuple(answer.removed_inputs),
        notes=tuple(answer.notes),
        release_notes_url=answer.release_notes_url,
        release_notes=answer.release_notes,
    )
