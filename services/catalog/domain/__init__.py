"""What a catalog item is, how it is checked, found and rendered; no I/O in here."""
