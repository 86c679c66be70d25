"""Errors of the inventory, one class per reason."""

from __future__ import annotations

from services.common.core.errors import (
    BusyError,
    DuplicateError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
    WaitingError,
)


class HostNotFoundError(NotFoundError):
    """No host has this id."""


class HostDuplicateError(DuplicateError):
    """A host of this name is registered already."""


class HostInUseError(BusyError):
    """Apps live on the host."""


class HostInactiveError(WaitingError, PreconditionError):
    """The host was switched off by an administrator; operations wait until it is switched on."""


class HostUnreachableError(WaitingError, UnavailableError):
    """The host or node does not answer."""


class HostAnswerUnexpectedError(HostUnreachableError):
    """Something answers at the host's address, and not as Proxmox VE."""


class HostCredentialsRefusedError(WaitingError, PreconditionError):
    """The host does not accept its credentials, or has none; operations wait until an administrator sets others."""


class ProxmoxRefusedError(PreconditionError):
    """Proxmox refused, with its own words."""

    @property
    def reason_of_proxmox(self) -> str:
        """The words of Proxmox, without the name of the host."""
        return self.metadata.get("said", self.message)


class LockTimeoutError(WaitingError, UnavailableError):
    """Proxmox could not get a lock in time."""


# /etc/pve is read-only on every node then; the same request is carried out once a majority of nodes is back.
class QuorumMissingError(WaitingError, UnavailableError):
    """The cluster has too few of its nodes to allow changes."""


# Requests of Proxmox have no ids of their own: after a lost answer only the state of the container says what was done.
class WriteUncertainError(WaitingError, UnavailableError):
    """No answer came to a request that may have been carried out; look before trying again."""


class NodeNotFoundError(NotFoundError):
    """No node has this id."""


class NodeUnknownError(InvalidError):
    """The host has no such node."""


class NodeOfflineError(PreconditionError):
    """The node is down."""


class NodeUnsuitableError(PreconditionError):
    """The node, or every node, cannot run the app: another architecture, or devices that it cannot give."""


class NoOnlineNodeError(UnavailableError):
    """No node can take a container now."""


class NoFreeVmidError(UnavailableError):
    """Every container id of the range is taken."""


class VmidTakenError(BusyError):
    """Somebody else took the container id: release it and reserve another."""


class ContainerElsewhereError(PreconditionError):
    """A container that would be made for an owner has its place taken by another one with the owner's mark."""


class CreationBrokenError(BusyError):
    """A creation of the owner's own was broken off: destroy what it left, then create again."""


class AddressTakenError(DuplicateError):
    """Another app has the address."""


class CopyAddressError(PreconditionError):
    """A copy would start at the address of what it was copied from."""


class NoFreeAddressError(PreconditionError):
    """Every address of the subnet is taken."""


class ContainerLockedError(WaitingError, BusyError):
    """Proxmox works on the container."""


class ContainerCreatingError(WaitingError, UnavailableError):
    """It is still being created; ask again."""


class ContainerRunningError(BusyError):
    """It must be stopped first."""


class ContainerStoppedError(PreconditionError):
    """It must run for this."""


class SnapshotUnavailableError(PreconditionError):
    """The container's storages take no snapshots."""


class NotOursError(ForbiddenError):
    """The container does not carry the owner's mark."""


class TemplateNotFoundError(PreconditionError):
    """No template suits, and none can be downloaded."""


class TemplateDownloadingError(WaitingError, UnavailableError):
    """The template is being downloaded; ask again."""


class ImageUnusableError(PreconditionError):
    """The host cannot pull this OCI image."""


class StorageNotFoundError(PreconditionError):
    """No storage suits."""


class BridgeNotFoundError(PreconditionError):
    """No node in question has the bridge."""


class ArchiveNotFoundError(NotFoundError):
    """No such archive."""


class VolumesNotArchivedError(PreconditionError):
    """A restore would destroy volumes that are not in the archive."""


class MountsNotRestorableError(PreconditionError):
    """A restore would lose mount points that the host's credentials may not make."""


class RestoreTestUnsupportedError(PreconditionError):
    """A container made of the archive could not be isolated."""


class ArchiveUnreadableError(PreconditionError):
    """The archive has no configuration: its beginning is gone."""


class ArchiveUnsuitableError(PreconditionError):
    """The archive is none of a container, or a container made of it would reach what its former node had."""


class NodeCheckingError(WaitingError, BusyError):
    """The node reads another archive; one is read at a time."""


class NoRoomError(PreconditionError):
    """No storage, or not enough memory, is free for what is to be restored."""


class NotIsolatedError(PreconditionError):
    """A test container could reach something outside; it must not be started."""


class ExecUnavailableError(PreconditionError):
    """The host's credentials allow no commands inside containers."""


class ExecHungError(UnavailableError):
    """The command printed nothing for too long, or did not end in time."""


class TaskStalledError(PreconditionError):
    """The task prints nothing new, and counts as failed."""


class TaskNotFoundError(NotFoundError):
    """Proxmox knows no such task."""


class TerminalBusyError(BusyError):
    """The shared console of the container is used by an operation or another terminal."""


class ConsoleTakenError(WaitingError, BusyError):
    """A terminal uses the shared console of the container; commands wait until it is closed."""
