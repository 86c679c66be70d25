"""Messages to domain values and back, one module for each group of messages."""
