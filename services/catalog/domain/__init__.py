"""Items of the catalog: their files, search, rendering and import; no I/O."""
