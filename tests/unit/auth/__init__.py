"""auth, without a database."""
