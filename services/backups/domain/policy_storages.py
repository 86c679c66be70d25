"""Storages of a policy: whether every host and node of its apps has them, and whether they can take its backups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from services.backups.domain.entities import GIB
from services.backups.domain.policies import refuse_policy
from services.clients.apps.values import AppHold
from services.clients.inventory.archive_values import BackupStorage

_LEAST_FREE = 1 * GIB  # bytes: a container with Docker and one small app takes about as much
_NAMED = 5  # apps or storages that a sentence names


def check_storage(
    field: str,
    storage: str,
    *,
    apps: Sequence[AppHold],
    storages: Mapping[int, Sequence[BackupStorage]],
    most_kept: int,
) -> None:
    """Refuse a storage that cannot take the backups of some apps.

    Args:
        field: that names the storage.
        storage: its name.
        apps: that are backed up.
        storages: of every host of the apps.
        most_kept: backups of an app that the policy keeps at most.

    Raises:
        PolicyInvalidError: a host or node does not have it, it takes no backups, is full, not available, or allows
            fewer archives than the policy keeps.
    """
    places: dict[tuple[int, str], list[str]] = defaultdict(list)
    for app in apps:
        places[app.host_id, app.node].append(app.app_id)
    for (host_id, node), app_ids in sorted(places.items()):
        named = [one for one in storages[host_id] if one.name == storage]
        if not named:
            raise refuse_policy(
                field, _describe_unknown(storage, host_id, app_ids=app_ids, storages=storages)
            )
        here = next((one for one in named if one.node == node), None)
        if here is None:
            raise refuse_policy(
                field,
                f"the node {node} of Proxmox host {host_id}, which runs {_join(app_ids)}, does not have the storage "
                f"{storage!r}; name a storage of every node, or leave it out",
            )
        _check_usable(field, here, host_id=host_id, most_kept=most_kept)


def list_retention_warnings(
    storages: Mapping[int, Sequence[BackupStorage]], *, most_kept: int, names: Collection[str] = ()
) -> list[str]:
    """Describe the storages on which Proxmox refuses archives before the policy removes any.

    Args:
        storages: by host.
        most_kept: backups of an app that the policy keeps at most.
        names: of the storages that the policy names; empty: any that takes backups may be chosen.
    """
    found = {
        (host_id, one.name): one.max_archives
        for host_id, listed in storages.items()
        for one in listed
        # At the limit already: the new archive is made before the policy removes an old one.
        if one.takes_backups and 0 < one.max_archives <= most_kept and (not names or one.name in names)
    }
    return [
        f"storage {name!r} of Proxmox host {host_id}: {_describe_limit(limit, most_kept)}"
        for (host_id, name), limit in sorted(found.items())
    ]


def _check_usable(field: str, storage: BackupStorage, *, host_id: int, most_kept: int) -> None:
    where = f"the storage {storage.name!r} of Proxmox host {host_id}"
    if not storage.takes_backups:
        raise refuse_policy(
            field,
            f"{where} does not take backups; add the content type backup to it in Proxmox, or name another",
        )
    if not storage.available:
        raise refuse_policy(
            field, f"{where} is not available on the node {storage.node}; mount or enable it, or name another"
        )
    free = storage.total - storage.used
    # Without a total nothing is known of its room, which is no reason to refuse it.
    if storage.total and free < _LEAST_FREE:
        raise refuse_policy(
            field,
            f"{where} is full: {max(free, 0) / GIB:.1f} of {storage.total / GIB:.1f} GiB are free; make room, or name another",
        )
    if 0 < storage.max_archives <= most_kept:
        raise refuse_policy(field, f"{where}: {_describe_limit(storage.max_archives, most_kept)}")


def _describe_limit(limit: int, most_kept: int) -> str:
    return (
        f"its own retention makes Proxmox refuse a container's archive once there are {limit}, and the policy keeps up to "
        f"{most_kept}; set keep-all=1 on the storage, or keep fewer than {limit}"
    )


def _describe_unknown(
    storage: str, host_id: int, *, app_ids: Sequence[str], storages: Mapping[int, Sequence[BackupStorage]]
) -> str:
    everywhere = set.intersection(
        *({one.name for one in listed if one.takes_backups} for listed in storages.values())
    )
    remedy = (
        f"name one that all hosts have ({_join(sorted(everywhere))})"
        if everywhere
        else "make a policy for each host"
    )
    return f"Proxmox host {host_id}, which runs {_join(app_ids)}, has no storage {storage!r}; {remedy}, or leave it out"


def _join(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
