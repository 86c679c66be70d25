"""What a backup is, what may be done with it, and what that needs. No I/O."""
