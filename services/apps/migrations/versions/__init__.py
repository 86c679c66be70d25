"""Schema changes of apps."""
