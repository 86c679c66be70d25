"""Formats of collections: one reader per format, which returns drafts."""
