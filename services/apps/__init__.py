"""Applications: what is deployed where, under which port, and every operation that changes it.

It owns the tables apps, ports, app_events and operations. Containers are inventory's: apps asks for them by gRPC and
knows a container only by (host_id, vmid).
"""
