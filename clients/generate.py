"""Generate the clients' code from the protos: `python clients/generate.py typescript|go OUTPUT`.

protoc comes from `grpcio-tools`, the google protos from the wheel `googleapis-common-protos`; the plugin is the
language's own. Internal services are left out as files are: a client has no use for them, and the gateway no route.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path

from google.api import annotations_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
INTERNAL = {"container_service.proto", "events.proto"}
DECLARING = {"access.proto", "rules.proto"}  # options only: what is generated of the rest does not use them
WELL_KNOWN = [f"google/protobuf/{name}.proto" for name in ("empty", "struct", "timestamp")] + [
    "google/api/httpbody.proto",
    "google/protobuf/any.proto",
]


def list_sources() -> list[str]:
    """Return the protos that clients need, below `protos`."""
    found = sorted(PROTOS.glob("proximity/**/*.proto"))
    return [str(path.relative_to(PROTOS)) for path in found if path.name not in INTERNAL]


def make_typescript_arguments(output: Path) -> list[str]:
    """Return protoc's arguments for ts-proto: as little code as the clients need, for the compiler's sake."""
    plugin = ROOT / "clients" / "typescript" / "node_modules" / ".bin" / "protoc-gen-ts_proto"
    options = (
        "outputServices=grpc-js,outputJsonMethods=false,emitImportedFiles=false,"
        "esModuleInterop=true,importSuffix=.js,useOptionals=messages"
    )
    needed = [source for source in list_sources() if Path(source).name not in DECLARING]
    plugin_arguments = [f"--ts_proto_out={output}", f"--ts_proto_opt={options}"]
    return [f"--plugin=protoc-gen-ts_proto={plugin}", *plugin_arguments, *needed, *WELL_KNOWN]


def make_go_arguments(output: Path) -> list[str]:
    """Return protoc's arguments for the two Go plugins; a package for each folder."""
    options: list[str] = []
    for source in list_sources():
        folder = Path(source).parent  # proximity/apps/v1
        package = f"{folder.parent.name}{folder.name}"
        options.append(f"M{source}={folder};{package}")
    joined = ",".join(options)
    return [
        f"--go_out={output}",
        f"--go_opt={joined}",
        f"--go-grpc_out={output}",
        f"--go-grpc_opt={joined}",
        *list_sources(),
    ]


LANGUAGES = {"typescript": make_typescript_arguments, "go": make_go_arguments}


def generate(language: str, output: Path) -> None:
    """Write the generated tree into `output`, replacing what is there.

    Raises:
        SystemExit: protoc refused, or its plugin is missing; it has said why on standard error.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    google_protos = Path(annotations_pb2.__file__).parents[2]
    includes = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}", f"-I{google_protos}"]
    if protoc.main(["protoc", *includes, *LANGUAGES[language](output)]) != 0:
        raise SystemExit(f"protoc did not generate {language}")


if __name__ == "__main__":
    generate(sys.argv[1], Path(sys.argv[2]))
