"""Hosts, nodes, settings, placement and the refusals of this service; no I/O in here."""
