"""Writes a plain tree as YAML that every reader takes the same way."""

from __future__ import annotations

import re

import yaml

from services.catalog.domain.document import Value

_SAFE = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some version of YAML might read as something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        plain = _SAFE.fullmatch(text) and text.lower() not in _RESERVED
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _Dumper.represent_text)


def write_yaml(tree: Value) -> str:
    """Return the tree as block-style YAML, keys in their order, lines never folded."""
    return yaml.dump(
        tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000, default_flow_style=False
    )
