"""The structure of the source: facts that no type checker sees."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf.descriptor import MethodDescriptor

from services.common.rpc.handlers import snake_case
from services.registry import SERVICES
from tests.sources import list_files

ROOT = Path(__file__).parents[2]


def find_classes(folder: Path) -> dict[str, list[str]]:
    """Find the places where each class name of a folder's modules is defined."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return places


def test_class_names_are_unique_over_all_services() -> None:
    ambiguous = {name: places for name, places in find_classes(ROOT / "services").items() if len(places) > 1}
    assert ambiguous == {}, "rename one of them, or define what both mean once, in services/clients"


def test_no_test_imports_from_a_test_module() -> None:
    """What suites share is in a support module: importing a test module collects its fixtures by accident."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in list_files(ROOT / "tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1].startswith("test_")
    ]
    assert found == []


MAX_LINES = 300  # of a file: more than that has several topics
MAX_FUNCTION_LINES = 60  # a screen


def list_sources() -> Iterator[Path]:
    """List the Python files that people write, without migrations, which stay as they were released."""
    for folder in ("clients", "deploy", "gateway", "services", "tests"):
        for path in list_files(ROOT / folder):
            if not {"migrations", ".venv", "build"} & {*path.relative_to(ROOT).parts}:
                yield path


def find_long_functions(path: Path) -> list[str]:
    """List the functions of a file that do not fit on a screen."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, functions) and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]


def test_files_and_functions_are_short() -> None:
    sources = list(list_sources())
    long = [path for path in sources if path.read_text().count("\n") > MAX_LINES]
    assert [str(path.relative_to(ROOT)) for path in long] == [], "split them by meaning"
    assert [place for path in sources for place in find_long_functions(path)] == []


def test_the_services_are_listed_in_the_registry_only() -> None:
    """A literal of all names misses the next service; `services.registry` has them."""
    found = []
    for path in (*list_files(ROOT / "tests"), *list_files(ROOT / "deploy")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                values = [each.value for each in node.elts if isinstance(each, ast.Constant)]
                if set(values) >= set(SERVICES):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def list_rpcs() -> Iterator[tuple[str, MethodDescriptor]]:
    """List every RPC of the platform with the service that answers it."""
    for service in SERVICES:
        for proto in sorted((ROOT / "protos" / "proximity" / service / "v1").glob("*_service.proto")):
            module = import_module(f"proximity.{service}.v1.{proto.stem}_pb2")
            for grpc_service in module.DESCRIPTOR.services_by_name.values():
                for method in grpc_service.methods:
                    yield service, method


def list_functions(folder: Path) -> set[str]:
    """List the functions of the modules of a folder, without methods."""
    return {
        node.name
        for path in folder.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_rpc_has_a_use_case_of_its_name() -> None:
    functions = {service: list_functions(ROOT / "services" / service / "usecases") for service in SERVICES}
    missing = {
        f"{service}.{method.name}"
        for service, method in list_rpcs()
        if snake_case(method.name) not in functions[service]
    }
    assert missing == set()


def test_every_rpc_has_a_test_file_of_its_name() -> None:
    files = {path.stem for path in list_files(ROOT / "tests", "test_*.py")}
    missing = {
        f"{service}.{method.name}"
        for service, method in list_rpcs()
        if f"test_{snake_case(method.name)}" not in files
    }
    assert missing == set()


def test_every_service_has_exhaustive_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layered = {name for one in contracts if one.get("exhaustive") for name in one["containers"]}
    assert layered >= {f"services.{service}" for service in SERVICES}


def find_imports(path: Path) -> set[str]:
    """Find the modules that a file imports; of `from a import b`, both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def list_modules(folder: Path) -> dict[str, Path]:
    """List the modules below a folder of the repository by their dotted names, without packages and scripts."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in sorted(folder.rglob("*.py"))
        if path.name != "__init__.py" and (path.parent / "__init__.py").exists()
    }


MOST_COMMON_MODULES = 50  # join small modules of one topic before you add another one


def test_common_has_few_modules() -> None:
    assert len(list_modules(ROOT / "services" / "common")) <= MOST_COMMON_MODULES


def test_no_module_of_common_serves_a_single_service() -> None:
    """What one service needs is a module of that service."""
    modules = list_modules(ROOT / "services" / "common")
    importers: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in list_modules(ROOT / "services").items():
        for imported in find_imports(path) & (modules.keys() - {name}):
            importers[imported].add(name.split(".")[1])
    unshared = {
        name: found for name, found in importers.items() if len(found) == 1 and found <= set(SERVICES)
    }
    assert unshared == {}


def test_the_domain_does_not_read_the_environment() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for layer in ("domain", "usecases", "workflows")
        for path in sorted((ROOT / "services").glob(f"*/{layer}/**/*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\bos\.(environ|getenv)\b|from os import", line)
    ]
    assert found == []


# Functions whose signature a library fixes, which calls them by position.
CALLED_BY_LIBRARIES = {
    "services/common/core/log.py: _mask_secrets",  # a processor of structlog
    "services/common/core/log.py: _name_trace",
}


def list_signatures(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """List functions and methods of a file, with how many parameters each takes by position, without `self`."""
    tree = ast.parse(path.read_text())
    owners: list[ast.Module | ast.ClassDef] = [tree]
    owners += [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for owner in owners:
        for node in owner.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                is_static = any(ast.unparse(each) == "staticmethod" for each in node.decorator_list)
                bound = isinstance(owner, ast.ClassDef) and not is_static
                yield node, len(node.args.posonlyargs) + len(node.args.args) - bound


def test_parameters_are_keywords_from_the_third_on() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "services").rglob("*.py"))
        for node, count in list_signatures(path)
        # Python itself calls special methods by position, but not the constructor.
        if count > 2 and (node.name == "__init__" or not node.name.startswith("__"))
    }
    assert found == CALLED_BY_LIBRARIES, "use keyword-only parameters, functools.partial or a Protocol"


# Folders in which each constant of time or size has its unit and reason, on its line or the line above. Add a folder
# once it is clean.
REASONED_CONSTANTS = (
    "services/auth",
    "services/common",
    "services/catalog",
    "services/apps",
    "services/inventory",
    "services/backups",
    "services/clients",
)


@pytest.mark.parametrize("folder", REASONED_CONSTANTS)
def test_constants_of_time_and_size_have_a_reason(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        lines = path.read_text().splitlines()
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.Assign) or not ast.unparse(node.targets[0]).isupper():
                continue
            value = node.value
            is_number = isinstance(value, ast.Constant) and type(value.value) in {int, float}
            is_time = isinstance(value, ast.Call) and ast.unparse(value.func) == "timedelta"
            if is_number or is_time or isinstance(value, ast.BinOp):
                place = "".join(lines[node.lineno - 1 : node.end_lineno])
                if "#" not in place and not lines[node.lineno - 2].startswith("#"):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {lines[node.lineno - 1]}")
    assert found == []
