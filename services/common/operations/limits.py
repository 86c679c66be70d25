"""Settings of the concurrency limits of operations."""

from __future__ import annotations

import dataclasses

from services.common.core.config import ServiceSettings, setting
from services.common.core.parsing import parse_int
from services.common.operations.model import OperationLimits

_parse_limit = parse_int(0, 10_000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperationSettings(ServiceSettings):
    """Settings of a service with operations; each service counts its own."""

    operations_per_node: int = setting(
        "OPERATIONS_PER_NODE",
        default=4,
        parse=_parse_limit,
        doc="How many operations run at once on a Proxmox node; those that only start, stop or delete containers "
        "count on their own. Each service counts its operations; 0: any number.",
    )
    operations_per_storage: int = setting(
        "OPERATIONS_PER_STORAGE",
        default=8,
        parse=_parse_limit,
        doc="How many operations fill a storage at once; of the same name on several nodes, it counts as one. "
        "0: any number.",
    )
    operations_per_user: int = setting(
        "OPERATIONS_PER_USER",
        default=8,
        parse=_parse_limit,
        doc="How many operations of one user run at once; 0: any number.",
    )

    @property
    def limits(self) -> OperationLimits:
        """The three together."""
        return OperationLimits(
            per_node=self.operations_per_node,
            per_storage=self.operations_per_storage,
            per_user=self.operations_per_user,
        )
