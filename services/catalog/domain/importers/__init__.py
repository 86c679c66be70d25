"""Turns collections made for other systems into documents of our format; no I/O, no code of theirs is run.

Each importer reads entries of one format into a `Draft`; `document_builder` makes a document of it;
`collection` holds them together and says why an entry was left out.
"""
