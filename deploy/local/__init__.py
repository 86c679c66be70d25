"""The whole platform on one machine: `make run` and `make demo`.

Starts NATS, every service and its worker, the gateway and, unless a Proxmox host is named, the simulated one; makes
what they need (keys, certificate, databases) in one state directory; starts again what ends. It decides nothing about
users or apps: everything it tells a service goes through the environment.
"""
