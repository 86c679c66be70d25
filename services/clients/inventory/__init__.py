"""Containers, archives and tasks of Proxmox as inventory offers them to other services.

Modules, from the lowest layer to the highest:
    values      frozen values, as inventory reports and accepts them
    archive_values  archives, and the storages that have them
    inspections what runs in a container of anybody
    metrics     measurements over time
    migration   places that a container may move to
    errors      refusals that callers tell apart
    interface   the Protocol that use cases and workflows depend on
    lookup      reads that callers share
    tasks       following and ending Proxmox tasks
    convert     protobuf <-> values
    archives    the Protocol over gRPC: archives and tasks
    reads       the Protocol over gRPC: reads of containers and nodes
    client      the Protocol over gRPC: containers
"""
