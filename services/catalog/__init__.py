"""The catalog: items that can be deployed, their revisions, and the sources that they come from.

No other service reads item files: it requests an item or one of its published
revisions and gets a rendered definition to run.
"""
