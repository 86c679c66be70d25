"""Long-running work as named steps that any worker can resume.

model      steps, workflows, what a step may return, and operations as clients see them
tables     the tables `operations` and `steps` of a service's own database, and how rows come into them
queries    queries for clients and for workers: the next operation within the concurrency limits
store      reads and writes for workers; claims with leases and fencing tokens
lease      an operation under a worker's lease, and what is persisted of it
run        forward and backward execution: retries, waits, cancellation, compensation
engine     claims operations and runs them; requests to operations (cancel, replay)

Every step checks the actual state before it acts and persists an id before it uses it. A finished step never runs
again; the step that a crash interrupted does.
"""
