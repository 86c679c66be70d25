"""Responses rendered once and cached as bytes: protobuf or the JSON that REST shows."""
