"""Use cases of the catalog: one function per RPC, of the same name."""
