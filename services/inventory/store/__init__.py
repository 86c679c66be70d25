"""Tables and all SQL of the inventory: hosts with their nodes, container ids, addresses, settings."""

from services.inventory.store.addresses import SqlAddressStore
from services.inventory.store.console_leases import SqlConsoleLeases
from services.inventory.store.defaults import SqlSettingsStore
from services.inventory.store.hosts import SqlHostStore
from services.inventory.store.tables import SEALED, hosts, idempotency, inbox, metadata, outbox
from services.inventory.store.vmids import SqlVmidStore

__all__ = [
    "SEALED",
    "SqlAddressStore",
    "SqlConsoleLeases",
    "SqlHostStore",
    "SqlSettingsStore",
    "SqlVmidStore",
    "hosts",
    "idempotency",
    "inbox",
    "metadata",
    "outbox",
]
