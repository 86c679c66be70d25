"""The only code that speaks to Proxmox.

client      one host's API: threads, sign-in, TLS, retries, errors
session     requests sessions with proxmoxer's sign-in, certificates pinned
fleet       a client per host, made from the stored credentials
marks       whose a container is
containers  what is done with containers
power       start, stop, reboot, destroy
create      new containers; templates finds what they are made of
copies      clones, snapshots, migrations
archives    backups and what becomes of them
tasks       following tasks
ssh         commands and files by SSH and `pct`
inside      commands, files and ports of a container
nodes       nodes as they are now
"""
