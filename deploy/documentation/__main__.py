"""`python -m deploy.documentation write | check`: make the generated pages of docs/, or name those that are old."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.documentation.catalog_schema import render_catalog_schema
from deploy.documentation.picture import render_picture
from deploy.documentation.wire import render_api, render_events
from deploy.kubernetes.manifests import find_callers
from gateway.surface import load_surface

DOCS = Path(__file__).parents[2] / "docs"


def render_pages() -> Mapping[Path, str]:
    """Every generated file with its text."""
    surface = load_surface()
    return {
        DOCS / "reference" / "api.md": render_api(surface),
        DOCS / "reference" / "events.md": render_events(surface),
        DOCS / "reference" / "catalog-schema.md": render_catalog_schema(),
        DOCS / "architecture.svg": render_picture(find_callers(surface)),
    }


def main(arguments: list[str]) -> int:
    """Run one command: 0, 1 where a page is old, 2 for an unknown command."""
    if arguments == ["write"]:
        for file, text in render_pages().items():
            file.write_text(text, encoding="utf-8")
        return 0
    if arguments == ["check"]:
        old = [
            file
            for file, text in render_pages().items()
            if not file.exists() or file.read_text("utf-8") != text
        ]
        sys.stderr.writelines(f"{file} is not what the code says; run `make docs`\n" for file in old)
        return 1 if old else 0
    sys.stderr.write(f"{__doc__}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
