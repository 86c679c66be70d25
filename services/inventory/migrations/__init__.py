"""The history of the inventory's tables."""
