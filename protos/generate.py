"""Generate Python code and the descriptor image from the protos: `make protos`.

The google protos come from the wheel `googleapis-common-protos`; protoc from `grpcio-tools`. The image holds every
file with its imports and comments; buf, Envoy and the OpenAPI generator all read that one file.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from gateway.comments import collect_comments, split_summary

PROTOS = Path(__file__).parent
OUTPUT = PROTOS / "gen"


def generate(output: Path) -> None:
    """Write the generated tree into `output`, in place of what is there; a failure leaves that as it is.

    Raises:
        SystemExit: protoc refused a file; it has said why on standard error.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".gen-") as folder:
        made = Path(folder) / "gen"
        made.mkdir()
        _generate(made)
        shutil.rmtree(output, ignore_errors=True)
        made.rename(output)


def _generate(output: Path) -> None:
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("proximity/**/*.proto"))
    google_protos = Path(annotations_pb2.__file__).parents[2]
    programs = Path(sys.executable).parent  # the plugins of this environment, whatever PATH says
    arguments = [
        "protoc",
        f"-I{PROTOS}",
        f"-I{files('grpc_tools') / '_proto'}",
        f"-I{google_protos}",
        f"--plugin=protoc-gen-mypy={programs / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={programs / 'protoc-gen-mypy_grpc'}",
        f"--python_out={output}",
        f"--grpc_python_out={output}",
        f"--mypy_out={output}",
        f"--mypy_grpc_out={output}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={output / 'proximity.binpb'}",
        *sources,
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    write_comments(output)
    for stray in ("google",):  # generated for the image only; the wheels carry the modules
        shutil.rmtree(output / stray, ignore_errors=True)


def write_comments(output: Path) -> None:
    """Write the first sentence of each comment on a field of a request: the help of the command line's options."""
    image = descriptor_pb2.FileDescriptorSet.FromString((output / "proximity.binpb").read_bytes())
    requests = {
        method.input_type.lstrip(".")
        for file in image.file
        for service in file.service
        for method in service.method
    }
    comments = {
        name: split_summary(text)[0]
        for name, text in sorted(collect_comments(image).items())
        if name.rpartition(".")[0] in requests
    }
    text = json.dumps(comments, indent=1, ensure_ascii=False)
    (output / "proximity" / "comments.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
