"""openapi-generator, whose generators for many languages read the document: a program in Java, from a wheel of PyPI."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.e2e.stock import build, rest_generator

JAR = rest_generator.PACKAGES / "openapi_generator_cli" / "openapi-generator.jar"


def install() -> str:
    """Install the generator; return why it cannot be had here, or an empty text.

    Raises:
        AssertionError: the lock file is refused.
    """
    if shutil.which("java") is None:
        return "java is not installed (Debian: apt install default-jre-headless)"
    return rest_generator.install()


def validate(document: Path) -> str:
    """Return what the program finds in a document, its recommendations included."""
    return _run("validate", "--recommend", "--input-spec", str(document))


def generate(generator: str, document: Path, output: Path, *options: str) -> None:
    """Generate a client.

    Raises:
        AssertionError: the generator refuses the document.
    """
    _run(
        "generate",
        "--generator-name",
        generator,
        "--input-spec",
        str(document),
        "--output",
        str(output),
        *options,
    )


def build_typescript_fetch() -> Path:
    """Generate the client for fetch, check its types strictly and return the bundle of its walk.

    Raises:
        AssertionError: a type is wrong.
    """
    output = build.GENERATED / "typescript_fetch"
    shutil.rmtree(output, ignore_errors=True)
    generate("typescript-fetch", build.write_document(), output)
    build.run_program("tsc", "--project", "typescript_fetch")
    bundle = build.BUNDLES / "typescript_fetch.js"
    arguments = ("--bundle", "--format=esm", "--platform=node", "--log-level=warning", f"--outfile={bundle}")
    build.run_program("esbuild", "typescript_fetch/walk.ts", *arguments)
    return bundle


def _run(*arguments: str) -> str:
    done = subprocess.run(
        ["java", "-jar", str(JAR), *arguments], capture_output=True, text=True, timeout=build.RUN_LIMIT_S
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
