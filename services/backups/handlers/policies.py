"""Policies of BackupsService: parse, call one use case, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from google.protobuf import empty_pb2
from proximity.backups.v1 import backups_service_pb2 as service_pb
from proximity.backups.v1 import policy_pb2 as pb

from services.backups.convert import policies as convert
from services.backups.convert.backups import parse_requester
from services.backups.convert.settings import parse_setting_changes, render_settings
from services.backups.convert.statistics import render_statistics
from services.backups.usecases import policies
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.get_backup_settings import get_backup_settings
from services.backups.usecases.get_backup_statistics import get_backup_statistics
from services.backups.usecases.preview_backup_policy import (
    preview_backup_policy,
    preview_new_backup_policy,
)
from services.backups.usecases.update_backup_settings import update_backup_settings
from services.common.core.clock import now
from services.common.rpc.call import Call


class PolicyHandlers:
    """RPCs of policies."""

    _dependencies: BackupDependencies

    async def list_backup_policies(
        self, _: pb.ListBackupPoliciesRequest, call: Call
    ) -> pb.ListBackupPoliciesResponse:
        found, limits = await policies.list_backup_policies(
            self._dependencies.policies, parse_requester(call)
        )
        return convert.render_policies(found, limits, now=now())

    async def create_backup_policy(
        self, request: pb.CreateBackupPolicyRequest, call: Call
    ) -> pb.BackupPolicy:
        policy, limits = await policies.create_backup_policy(
            self._dependencies, parse_requester(call), settings=convert.parse_settings(request)
        )
        call.add_location(f"/api/backup-policies/{policy.id}")
        return convert.render_policy(policy, limits, now=now())

    async def get_backup_policy(self, request: pb.GetBackupPolicyRequest, call: Call) -> pb.BackupPolicy:
        policy, limits = await policies.get_backup_policy(
            self._dependencies.policies, parse_requester(call), policy_id=request.policy_id
        )
        return convert.render_policy(policy, limits, now=now())

    async def update_backup_policy(
        self, request: pb.UpdateBackupPolicyRequest, call: Call
    ) -> pb.BackupPolicy:
        policy, limits = await policies.update_backup_policy(
            self._dependencies,
            parse_requester(call),
            policy_id=request.policy_id,
            changes=convert.parse_changes(request),
        )
        return convert.render_policy(policy, limits, now=now())

    async def delete_backup_policy(
        self, request: pb.DeleteBackupPolicyRequest, call: Call
    ) -> empty_pb2.Empty:
        await policies.delete_backup_policy(
            self._dependencies.policies, parse_requester(call), policy_id=request.policy_id
        )
        return empty_pb2.Empty()

    async def preview_backup_policy(
        self, request: pb.PreviewBackupPolicyRequest, call: Call
    ) -> pb.BackupPolicyPreview:
        preview = await preview_backup_policy(
            self._dependencies, parse_requester(call), policy_id=request.policy_id, now=now()
        )
        return convert.render_preview(preview)

    async def preview_new_backup_policy(
        self, request: pb.CreateBackupPolicyRequest, call: Call
    ) -> pb.BackupPolicyPreview:
        preview = await preview_new_backup_policy(
            self._dependencies, parse_requester(call), settings=convert.parse_settings(request), now=now()
        )
        return convert.render_preview(preview)

    async def get_backup_statistics(self, _: empty_pb2.Empty, call: Call) -> service_pb.BackupStatistics:
        return render_statistics(
            await get_backup_statistics(self._dependencies, parse_requester(call), now=now())
        )

    async def get_backup_policy_limits(self, _: empty_pb2.Empty, __: Call) -> pb.BackupPolicyLimits:
        return convert.render_limits(await policies.get_backup_policy_limits(self._dependencies.policies))

    async def get_backup_settings(self, _: empty_pb2.Empty, __: Call) -> pb.BackupSettings:
        return render_settings(await get_backup_settings(self._dependencies))

    async def update_backup_settings(
        self, request: pb.UpdateBackupSettingsRequest, _: Call
    ) -> pb.BackupSettings:
        changes = parse_setting_changes(request)
        return render_settings(await update_backup_settings(self._dependencies, changes))

    async def update_backup_policy_limits(
        self, request: pb.UpdateBackupPolicyLimitsRequest, _: Call
    ) -> pb.BackupPolicyLimits:
        changes = convert.parse_limit_changes(request)
        return convert.render_limits(
            await policies.update_backup_policy_limits(self._dependencies.policies, changes)
        )
