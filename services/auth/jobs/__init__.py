"""Work beside the server: the audit log of the other services, and the publication of revocations."""
