"""The only code that speaks to Proxmox.

client      one host's API: threads, sign-in, TLS, retries, errors
session     requests sessions with proxmoxer's sign-in, certificates pinned
answers     what is read of an answer, within limits; shapes says what each path answers
isolation   one host's trouble is an error of that host alone
fleet       a client per host, made from the stored credentials
marks       whose a container is
containers  what is done with containers
power       start, stop, reboot, destroy
create      new containers; templates finds what they are made of
images      OCI images as templates
copies      clones, snapshots, migrations
archives    backups and what becomes of them
tasks       following tasks
ways        commands and files in containers, by SSH or by the API's console
ssh         SSH to the nodes
consoles    commands and files by the console; terminal and websocket are below it
inside      commands, files and ports of a container
privileges  what the credentials must be allowed and are
nodes       nodes as they are now
"""
