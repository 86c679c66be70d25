"""Conversion between protobuf messages and values of the domain, one module per resource."""
