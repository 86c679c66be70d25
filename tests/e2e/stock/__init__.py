"""Clients and generators as other people publish them: programs in TypeScript and Python that take one walk."""
