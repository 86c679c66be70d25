"""The npm side of the stock clients: packages from the lock file, generated code, a strict compilation, bundles."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

from google.api import annotations_pb2
from grpc_tools import protoc

from gateway.openapi import render_openapi
from gateway.surface import load_surface
from protos import IMAGE

FOLDER = Path(__file__).parent
GENERATED = FOLDER / "generated"
BUNDLES = FOLDER / "dist"
DOCUMENT = GENERATED / "openapi.json"
PROTOS = IMAGE.parents[1]
INSTALL_LIMIT_S = 240  # 470 packages, from a registry that may be far away
RUN_LIMIT_S = 120
NODE_WALKS = ("grpc_js", "openapi_fetch", "hey_api", "orval")
PAGES = ("connect_web", "event_source")
# What npm says where there is no registry to reach; whatever else goes wrong is a fault of ours.
_OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")


def list_proto_paths() -> list[str]:
    """Return the folders that the imports of the protos are relative to."""
    return [str(PROTOS), str(files("grpc_tools") / "_proto"), str(Path(annotations_pb2.__file__).parents[2])]


def install() -> str:
    """Install the locked packages; return why they cannot be had here, or an empty text.

    Raises:
        AssertionError: npm refuses the lock file.
    """
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed (Debian: apt install npm)"
    marker = FOLDER / "node_modules" / ".installed"
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if marker.exists() and marker.read_text() == lock:
        return ""
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts"], cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_LIMIT_S
    )
    if done.returncode and any(code in done.stderr for code in _OFFLINE):
        return f"no package registry answers npm: {done.stderr.strip().splitlines()[-1]}"
    assert done.returncode == 0, done.stdout + done.stderr
    marker.write_text(lock)
    return ""


def run_program(program: str, *arguments: str) -> str:
    """Run a program of the packages and return what it says.

    Raises:
        AssertionError: its exit status is not 0.
    """
    done = subprocess.run(
        [str(FOLDER / "node_modules" / ".bin" / program), *arguments],
        cwd=FOLDER, capture_output=True, text=True, timeout=RUN_LIMIT_S,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{program}: {said}"
    return said


def write_document() -> Path:
    """Write the OpenAPI document for the programs to read."""
    GENERATED.mkdir(exist_ok=True)
    DOCUMENT.write_text(json.dumps(render_openapi(load_surface()), indent=2), encoding="utf-8")
    return DOCUMENT


def generate() -> None:
    """Generate a client with each generator, as its documentation says and without options that relax types."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    document = f"./{write_document().relative_to(FOLDER)}"
    run_program("openapi-typescript", document, "--output", "generated/openapi_typescript.ts")
    run_program("openapi-ts", "--input", document, "--output", "generated/hey_api", "--no-log-file")
    run_program("orval", "--input", document, "--output", "generated/orval.ts", "--client", "fetch")
    _generate_stubs(GENERATED / "es")


def _generate_stubs(output: Path) -> None:
    """Run protoc-gen-es on the public services and what they import."""
    output.mkdir()
    names = [
        file.name for file in load_surface().image.file if file.name.startswith(("proximity/", "google/api/"))
    ]
    arguments = (
        "protoc",
        f"--descriptor_set_in={IMAGE}",
        f"--plugin=protoc-gen-es={FOLDER / 'node_modules' / '.bin' / 'protoc-gen-es'}",
        f"--es_out={output}",
        "--es_opt=target=ts,import_extension=js",
        *names,
    )
    assert protoc.main(arguments) == 0


def compile_walks() -> None:
    """Check all types strictly, generated code included, and bundle the walks."""
    run_program("tsc", "--project", ".")
    shared = ("--bundle", "--format=esm", "--log-level=warning", f"--outdir={BUNDLES}")
    # grpc-js finds files beside itself at run time, so it stays outside.
    node = ("--platform=node", "--packages=external")
    run_program("esbuild", *(f"{name}.ts" for name in NODE_WALKS), *shared, *node)
    run_program("esbuild", *(f"{name}.ts" for name in PAGES), *shared, "--platform=browser")
    for name in PAGES:
        page = f'<!doctype html><title>{name}</title><script type="module" src="{name}.js"></script>'
        (BUNDLES / f"{name}.html").write_text(page, encoding="utf-8")
