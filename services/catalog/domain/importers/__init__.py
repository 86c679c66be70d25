"""Import of collections that were made for other systems, as documents of our format; nothing of them is executed.

Each reader in `formats` reads the entries of one format into drafts; `document_builder` makes a document of a
draft; `collection` runs all of it and returns items and rejections.
"""
