"""Policies of BackupsService: parse, call one use case, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from google.protobuf import empty_pb2
from proximity.backups.v1 import policy_pb2 as pb

from services.backups.convert import policies as convert
from services.backups.usecases import policies
from services.backups.usecases.context import BackupDependencies
from services.common.core.clock import now
from services.common.rpc.call import Call


class PolicyHandlers:
    """RPCs of policies."""

    _dependencies: BackupDependencies

    async def list_backup_policies(
        self, _: pb.ListBackupPoliciesRequest, __: Call
    ) -> pb.ListBackupPoliciesResponse:
        return convert.render_policies(
            await policies.list_backup_policies(self._dependencies.policies), now()
        )

    async def create_backup_policy(
        self, request: pb.CreateBackupPolicyRequest, call: Call
    ) -> pb.BackupPolicy:
        policy = await policies.create_backup_policy(self._dependencies, convert.parse_settings(request))
        call.add_location(f"/api/backups/policies/{policy.id}")
        return convert.render_policy(policy, now())

    async def get_backup_policy(self, request: pb.GetBackupPolicyRequest, _: Call) -> pb.BackupPolicy:
        policy = await policies.get_backup_policy(self._dependencies.policies, request.policy_id)
        return convert.render_policy(policy, now())

    async def update_backup_policy(self, request: pb.UpdateBackupPolicyRequest, _: Call) -> pb.BackupPolicy:
        policy = await policies.update_backup_policy(
            self._dependencies,
            request.policy_id,
            changes=convert.parse_changes(request),
            keeps=convert.parse_keeps(request),
        )
        return convert.render_policy(policy, now())

    async def delete_backup_policy(self, request: pb.DeleteBackupPolicyRequest, _: Call) -> empty_pb2.Empty:
        await policies.delete_backup_policy(self._dependencies.policies, request.policy_id)
        return empty_pb2.Empty()

    async def preview_backup_policy(
        self, request: pb.PreviewBackupPolicyRequest, _: Call
    ) -> pb.BackupPolicyPreview:
        return convert.render_preview(
            await policies.preview_backup_policy(self._dependencies.policies, request.policy_id, now=now())
        )
