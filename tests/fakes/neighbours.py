"""The other services in memory: backups of containers in memory, a catalog of one item, accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.apps.domain.neighbours import (
    AppBackupCount,
    HeldBackup,
    ItemInput,
    Newest,
    Rendering,
    RevisionChanges,
)
from services.common.core.errors import InvalidError, NotFoundError, UnavailableError, Violation
from tests.fakes.containers import FakeContainers


class FakeBackups:
    """Backups of `FakeContainers`, made at once; with `error` set they fail."""

    def __init__(self, containers: FakeContainers) -> None:
        self.containers = containers
        self.made: dict[str, HeldBackup] = {}
        self.error = ""
        self.counts: dict[str, AppBackupCount] = {}
        self.down = False

    async def create(self, app_id: str, operation_id: str, *, notes: str, requested_by: int) -> HeldBackup:
        known = self.made.get(operation_id)
        if known is not None and known.status != "creating":
            return known
        if known is None:  # as slow as one more question
            self.made[operation_id] = HeldBackup(len(self.made) + 1, "creating")
        elif self.error:
            self.made[operation_id] = HeldBackup(known.id, "failed", error=self.error)
        else:
            (vmid,) = (c.vmid for c in self.containers.containers.values() if c.owner == app_id)
            archive = self.containers.archive(vmid)
            self.made[operation_id] = HeldBackup(known.id, "completed", archive=archive)
        return self.made[operation_id]

    async def find(self, operation_id: str) -> HeldBackup | None:
        return self.made.get(operation_id)

    async def count(self, app_ids: Sequence[str]) -> Mapping[str, AppBackupCount]:
        if self.down:
            raise UnavailableError("backups does not answer")
        return {app_id: self.counts[app_id] for app_id in app_ids if app_id in self.counts}

    async def cancel(self, operation_id: str) -> bool:
        return operation_id in self.made


class FakeCatalog:
    """One item, adminer, that takes a password; `revisions` are published, the last one is the newest."""

    def __init__(self) -> None:
        self.revisions = ["r1"]
        self.required: dict[str, tuple[str, ...]] = {}  # by revision, what it asks for beside the password
        self.mounts: tuple[tuple[str, int], ...] = (("/data", 1), ("/config", 1))
        self.runtimes: tuple[str, ...] = ("compose", "oci")

    async def compare_revisions(
        self, catalog_id: str, *, from_revision: str, revision: str
    ) -> RevisionChanges:
        revision = revision or self.revisions[-1]
        if revision not in self.revisions:
            raise NotFoundError(f"{catalog_id} has no revision {revision}")
        added = set(self.required.get(revision, ())) - set(self.required.get(from_revision, ()))
        return RevisionChanges(
            revision=revision,
            version=f"version {revision}",
            from_version=f"version {from_revision}",
            images=(("web", f"adminer:{from_revision}", f"adminer:{revision}"),),
            added_inputs=tuple(
                ItemInput(name=name, label=name, type="text", required=True) for name in sorted(added)
            ),
            removed_inputs=(),
            notes=(),
            release_notes_url="https://github.com/adminer/adminer/releases",
        )

    async def list_newest(self) -> Mapping[str, Newest]:
        return {"adminer": Newest(self.revisions[-1], f"version {self.revisions[-1]}")}

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
        revision = revision or self.revisions[-1]
        if revision not in self.revisions:
            raise NotFoundError(f"{catalog_id} has no revision {revision}")
        theme = environment.get("THEME", "")
        values = {"PASSWORD": "s3cret'x", **environment}
        missing = [name for name in self.required.get(revision, ()) if not values.get(name)]
        if missing:
            raise InvalidError(
                f"environment.{missing[0]}: is required",
                violations=[Violation(f"environment.{name}", "is required") for name in missing],
            )
        said = secret or {}
        further = {name for name in values if name not in {"PASSWORD", "THEME"} and said.get(name, True)}
        references = "".join(f"${{{name}}}" for name in sorted(values))
        return Rendering(
            catalog_id=catalog_id,
            revision=revision,
            version=f"version {revision}",
            name="Adminer",
            runtimes=self.runtimes,
            docker_compose=(
                f"name: {project}\nservices:\n  web:\n    image: adminer:{revision}\n"
                f'    environment: {{THEME: "{theme}", VALUES: "{references}"}}\n    ports: ["{public_port}:8080"]\n'
            ),
            environment=values,
            inputs=values,
            secret_names=tuple(
                sorted({"PASSWORD", *further, *(name for name in said if said[name])} & values.keys())
            ),
            credentials={"username": "admin", "password": "${PASSWORD}", "change": "In the app."},
            images=("adminer",),
            min_memory=256,
            min_disk=2,
            internal_port=8080,
            port_published=True,
            probe={"scheme": "http", "port": 8080, "path": "/", "grace_s": 1},
            mounts=self.mounts if runtime == "oci" else (),
            image=f"adminer:{revision}",
            entrypoint="",
            command="",
        )


class FakeUsers:
    """The accounts that there are."""

    def __init__(self, *known: int) -> None:
        self.known = set(known)

    async def has_user(self, user_id: int) -> bool:
        """Whether there is such an account."""
        return user_id in self.known
