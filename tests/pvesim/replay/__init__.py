"""Replaying recorded exchanges of a real server against the simulated one."""
