"""Replicas: two of every service and worker, three NATS servers and a PostgreSQL with a standby, all as processes.

    python -m tests.replicas --from HEAD^

While users act and 50 reads arrive each second, one process after another is lost, and the release changes under way.
No read may fail, no operation may be lost, and in the end all of `tests.chaos.checks` must hold.

    cluster    the processes, and what happens to them
    servers    PostgreSQL with a standby, a cluster of NATS
    release    what runs before and after: another commit, or this tree with one more migration in every service
    load       the reads
    course     one run from its start to its verdict
"""
