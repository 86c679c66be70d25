"""Item files: YAML documents with line numbers, their schema, the parser and its faults."""
