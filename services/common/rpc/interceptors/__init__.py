"""Stages around a handler, in order: decoding, authorization, validation, idempotency, deadline, audit."""
