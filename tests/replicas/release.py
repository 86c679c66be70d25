"""Which code a process runs: this tree, another commit's, or this tree with one more migration in every service."""

from __future__ import annotations

import dataclasses
import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from alembic.script import ScriptDirectory

from deploy.local.process import Spec
from deploy.local.specs import ROOT
from services.registry import SERVICES

_PARTS = ("services", "protos", "deploy", "gateway")
_TABLES = {
    "auth": "users",
    "inventory": "hosts",
    "apps": "apps",
    "backups": "backups",
    "catalog": "current_items",
}
_MIGRATION = '''"""What a next release may do to a schema: columns with a safe default, in tables that are written all the time."""

import sqlalchemy as sa
from alembic import op

revision = "9999_successor"
down_revision = {heads}
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("{table}", "outbox", "idempotency"):
        op.add_column(table, sa.Column("successor", sa.String(20), nullable=False, server_default="none"))


def downgrade() -> None:
    for table in ("{table}", "outbox", "idempotency"):
        op.drop_column(table, "successor")
'''


def export_commit(commit: str, folder: Path) -> Path:
    """Write the code of a commit into `folder` and return it.

    Raises:
        subprocess.CalledProcessError: there is no such commit here.
    """
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit, *_PARTS],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def make_successor(folder: Path) -> Path:
    """Write the release after this tree into `folder` and return it."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
    for part in _PARTS[1:]:
        (folder / part).symlink_to(ROOT / part)
    for service in SERVICES:
        versions = folder / "services" / service / "migrations" / "versions"
        heads = ScriptDirectory(str(versions.parent), version_locations=[str(versions)]).get_heads()
        text = _MIGRATION.format(heads=tuple(heads), table=_TABLES[service])
        (versions / "9999_successor.py").write_text(text, encoding="utf-8")
    return folder


def run_from(spec: Spec, root: Path, **more: str) -> Spec:
    """The same process with the code below `root`, and with more in its environment."""
    environment: Mapping[str, str] = {
        **spec.environment,
        "PYTHONPATH": str(root),
        "PYTHONSAFEPATH": "1",  # else the directory that it is started in came first
        **more,
    }
    return dataclasses.replace(spec, environment=environment)
