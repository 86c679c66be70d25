"""A catalog of one item in memory."""

from __future__ import annotations

from collections.abc import Mapping

from services.clients.catalog.values import (
    ItemCredentials,
    ItemInput,
    ItemProbe,
    ItemRevision,
    Rendering,
    RevisionChanges,
)
from services.common.core.errors import InvalidError, NotFoundError, Violation


class FakeCatalog:
    """One item, adminer, that takes a password; `revisions` are published, the last one is the newest."""

    def __init__(self) -> None:
        self.revisions = ["r1"]
        self.icon = ""
        self.required: dict[str, tuple[str, ...]] = {}  # by revision, what it asks for beside the password
        self.mounts: tuple[tuple[str, int], ...] = (("/data", 1), ("/config", 1))
        self.runtimes: tuple[str, ...] = ("compose", "oci")

    async def compare_revisions(
        self, catalog_id: str, *, from_revision: str, revision: str
    ) -> RevisionChanges:
        revision = self._find_revision(catalog_id, revision)
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

    def _find_revision(self, catalog_id: str, revision: str) -> str:
        revision = revision or self.revisions[-1]
        if catalog_id != "adminer":
            raise NotFoundError(f"the catalog has no app {catalog_id!r}")
        if revision not in self.revisions:
            raise NotFoundError(f"{catalog_id} has no revision {revision}")
        return revision

    async def list_revisions(self) -> Mapping[str, ItemRevision]:
        return {"adminer": ItemRevision(self.revisions[-1], f"version {self.revisions[-1]}", self.icon)}

    async def render_item(
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
        revision = self._find_revision(catalog_id, revision)
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
            credentials=ItemCredentials(username="admin", password="${PASSWORD}", change="In the app."),
            images=("adminer",),
            min_memory=256,
            min_disk=2,
            internal_port=8080,
            port_published=True,
            probe=ItemProbe(scheme="http", port=8080, path="/", grace_s=1),
            mounts=self.mounts if runtime == "oci" else (),
            image=f"adminer:{revision}",
            entrypoint="",
            command="",
        )
