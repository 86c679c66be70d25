"""The catalog: what can be deployed, its revisions, and the sources it comes from.

Nobody else reads catalog files. Other services ask for an item or one of its
published revisions and get a rendered definition to run.
"""
