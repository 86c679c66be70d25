"""What docs/ says of the code is made from the code: pages of reference and the picture of the architecture.

`make docs` writes them and builds the site; a test compares what is committed.
"""
