"""Clients that openapi-generator makes in further languages: compiled strictly, each on the walk of the stock clients."""
