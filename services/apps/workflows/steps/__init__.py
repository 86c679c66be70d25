"""Steps that several workflows share, and what these steps work with."""
