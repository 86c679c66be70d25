"""The generated code is current, and buf sees what would break a client."""

import subprocess
import sys
from collections.abc import Callable
from filecmp import dircmp
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from protos.generate import OUTPUT, PROTOS, generate

IMAGE = OUTPUT / "proximity.binpb"
BUF = Path(sys.executable).parent / "buf"


def run_buf(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUF, *arguments, "--config", PROTOS / "buf.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
    )


def list_differences(compared: "dircmp[str]") -> list[str]:
    found = [*compared.left_only, *compared.right_only, *compared.diff_files]
    return found + [name for one in compared.subdirs.values() for name in list_differences(one)]


@pytest.fixture
def change_image(tmp_path: Path) -> Callable[[Callable[[descriptor_pb2.FileDescriptorProto], None]], Path]:
    """Write the image with one change to the apps' messages, and say where it is."""

    def change(edit: Callable[[descriptor_pb2.FileDescriptorProto], None]) -> Path:
        image = descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes())
        edit(next(file for file in image.file if file.name == "proximity/apps/v1/app.proto"))
        path = tmp_path / "changed.binpb"
        path.write_bytes(image.SerializeToString())
        return path

    return change


def test_the_generated_code_is_what_the_protos_say(tmp_path: Path) -> None:
    generate(tmp_path / "gen")
    assert list_differences(dircmp(OUTPUT, tmp_path / "gen", ignore=["__pycache__"])) == []


def test_the_generated_code_is_whole(tmp_path: Path) -> None:
    expected = {path.relative_to(PROTOS).with_suffix("") for path in PROTOS.glob("proximity/**/*.proto")}
    generated = {path.relative_to(OUTPUT) for path in OUTPUT.rglob("*_pb2.py")}
    assert generated == {path.with_name(f"{path.name}_pb2.py") for path in expected}


def test_buf_finds_no_fault() -> None:
    result = run_buf("lint", IMAGE)
    assert (result.stdout, result.returncode) == ("", 0)


def test_buf_refuses_a_field_that_is_not_snake_case(
    change_image: Callable[[Callable[[descriptor_pb2.FileDescriptorProto], None]], Path],
) -> None:
    def rename(file: descriptor_pb2.FileDescriptorProto) -> None:
        file.message_type[0].field[0].name = "NotSnakeCase"

    result = run_buf("lint", change_image(rename))
    assert result.returncode != 0
    assert "NotSnakeCase" in result.stdout


def test_an_unchanged_surface_breaks_nobody() -> None:
    result = run_buf("breaking", IMAGE, "--against", IMAGE)
    assert (result.stdout, result.returncode) == ("", 0)


def test_a_removed_field_breaks_clients(
    change_image: Callable[[Callable[[descriptor_pb2.FileDescriptorProto], None]], Path],
) -> None:
    def remove(file: descriptor_pb2.FileDescriptorProto) -> None:
        fields = file.message_type[0].field
        # An optional field has a oneof of its own, which must not be left empty.
        del fields[max(index for index, field in enumerate(fields) if not field.proto3_optional)]

    result = run_buf("breaking", change_image(remove), "--against", IMAGE)
    assert result.returncode != 0
    assert "deleted" in result.stdout
