"""Long work as named steps that any worker can take over.

    model    steps, workflows, what a step may say
    tables   operations and steps in a service's own database
    store    what is read and written of them; claims with leases and fencing tokens
    aligning operations that another release began
    engine   claims operations and runs them
    held     an operation under a worker's lease, and what is written down of it
    run      forward and backwards: retries, waiting, cancelling, undoing

The rule: look before you act, and write an id down before you use it. A finished step never runs again; the one under
way at a crash does.
"""
