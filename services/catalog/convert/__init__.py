"""protobuf <-> domain."""
