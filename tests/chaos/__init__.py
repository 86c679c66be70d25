"""Chaos: users act at random while every part is killed, paused and cut off; then it is checked that all holds.

    python -m tests.chaos --seed 1 --seconds 180
    python -m tests.chaos --seed 1 --seconds 3600 --outage-seconds 600 --silence-seconds 1500

    choices    what users do and what strikes, from a seed alone
    platform   the processes, real ones: PostgreSQL, NATS, Envoy, services, two workers each, simulated Proxmox
    links      TCP connections that can be cut, held, delayed and shut
    users      send the requests and write down every exchange (`history`), and stay at streams and terminals (`attending`)
    policies   of backups, whose clock is three times as fast (`hurried`, `looks`)
    blows      carry out what strikes
    prey       operations in the middle of which something strikes
    timeline   when each backup was made, tested and removed, and by whom
    counts     what came up of policies, so that a storm without them is visible as such
    overtime   how a storm goes on gently until all of that came up
    evidence   reads the databases, Proxmox and the API after the storm
    checks     pure functions from evidence to violations
    storm      one run from its start to its verdict

A seed repeats the run's choices; the machine decides at which instruction they meet. `FOUND.md` lists what was found.
"""
