"""Measures the platform over its gateway, next to a floor: an RPC that returns a constant.

`python -m tests.bench run` starts everything (Envoy, NATS, a database, every service, the simulated Proxmox), fills
it and loads it with wrk; `python -m tests.bench compare` holds the figures against a baseline. What counts are the
ratios to the floor, measured in the same rounds: absolute figures say as much about the machine as about the platform.
"""
