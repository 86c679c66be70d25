"""Clients of openapi-generator in Go, Java and Python are compiled strictly and take the walk of the stock clients.

Each language takes part where its compiler is installed. `make test` tries the client in TypeScript.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import RunningStack
from tests.e2e.stock import build, openapi_generator, rest_generator
from tests.e2e.stock.programs import WALK_LIMIT_S, take_walk

HERE = Path(__file__).parent
COMPILE_LIMIT_S = 300
# Of Debian's libjakarta-annotation-api-java: the annotations that the generated code carries.
ANNOTATIONS = Path("/usr/share/java/jakarta-annotation-api.jar")
pytestmark = pytest.mark.timeout(build.INSTALL_LIMIT_S + build.RUN_LIMIT_S + COMPILE_LIMIT_S + WALK_LIMIT_S)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("generators") / "state")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def document() -> Path:
    if obstacle := openapi_generator.install():
        pytest.skip(obstacle)
    return build.write_document()


def run(*command: str, folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=COMPILE_LIMIT_S
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed (Debian: apt install golang-go)")
def test_the_client_in_go(stack: RunningStack, document: Path, tmp_path: Path) -> None:
    package = tmp_path / "proximity"
    openapi_generator.generate("go", document, package, "--additional-properties=packageName=proximity")
    for file in ("go.mod", "go.sum"):  # a package of the walk's module, without the tests, which need testify
        (package / file).unlink()
    shutil.rmtree(package / "test")
    (tmp_path / "go.mod").write_text("module walk\n\ngo 1.19\n", encoding="utf-8")
    shutil.copy(HERE / "walk.go", tmp_path)
    run("go", "vet", "./...", folder=tmp_path, GOFLAGS="-mod=mod", GOPROXY="off")
    run("go", "build", "-o", "program", ".", folder=tmp_path, GOFLAGS="-mod=mod", GOPROXY="off")
    take_walk(stack, "generated-go", str(tmp_path / "program"))


@pytest.mark.skipif(
    shutil.which("javac") is None or not ANNOTATIONS.exists(),
    reason="apt install default-jdk-headless libjakarta-annotation-api-java",
)
def test_the_client_in_java(stack: RunningStack, document: Path, tmp_path: Path) -> None:
    options = "--additional-properties=openApiNullable=false,useJakartaEe=true"
    openapi_generator.generate("java", document, tmp_path, "--library", "native", options)
    classes = tmp_path / "classes"
    paths = os.pathsep.join(
        [str(classes), str(openapi_generator.JAR), str(ANNOTATIONS)]
    )  # the jar has Jackson
    sources = [str(each) for each in (tmp_path / "src" / "main").rglob("*.java")]
    run("javac", "-d", str(classes), "-cp", paths, *sources, folder=tmp_path)
    run("javac", "-Xlint:all", "-Werror", "-proc:none", "-implicit:none", "-d", str(classes), "-cp", paths,
        str(HERE / "Walk.java"), folder=tmp_path)  # fmt: skip
    take_walk(stack, "generated-java", "java", "-cp", paths, "Walk")


def test_the_client_in_python(stack: RunningStack, document: Path, tmp_path: Path) -> None:
    openapi_generator.generate("python", document, tmp_path)
    program = HERE / "python_walk.py"
    root = str(HERE.parents[1])
    packages = str(rest_generator.PACKAGES)
    run(sys.executable, "-m", "mypy", "--config-file", str(HERE / "mypy.ini"), "--cache-dir", str(tmp_path / "cache"),
        str(tmp_path / "openapi_client"), str(program), folder=tmp_path,
        MYPYPATH=os.pathsep.join([str(tmp_path), root]))  # fmt: skip
    paths = os.pathsep.join([str(tmp_path), packages, root])
    take_walk(stack, "generated-python", sys.executable, str(program), PYTHONPATH=paths)
