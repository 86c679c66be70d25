"""The languages with a client, and what building each needs."""

from __future__ import annotations

import shutil

TOOLS = {"typescript": ("node", "npm"), "go": ("go", "protoc-gen-go", "protoc-gen-go-grpc")}


def list_languages() -> list[str]:
    """Those whose toolchain is installed here."""
    return [language for language, tools in TOOLS.items() if all(shutil.which(tool) for tool in tools)]
