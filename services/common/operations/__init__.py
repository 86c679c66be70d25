"""Long-running work as named steps that any worker can resume.

model      steps, workflows and what a step may return
tables     the tables `operations` and `steps` of a service's own database
store      reads and writes of them; claims with leases and fencing tokens
queue      which operation is claimed next
engine     claims operations and runs them
lease      an operation under a worker's lease, and what is persisted of it
run        forward and backward execution: retries, waits, cancellation, compensation
resume     alignment with operations that another release started
delegated  steps that another service executes
service    requests to operations (cancel, replay), and their execution by a worker
queries, view, convert   what clients read of operations
limits     concurrency limits

Every step checks the actual state before it acts and persists an id before it uses it. A finished step never runs
again; the step that a crash interrupted does.
"""
