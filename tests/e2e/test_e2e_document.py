"""The OpenAPI document as the linters of other people read it: no error and no warning."""

from __future__ import annotations

import json

import pytest

from tests.e2e.stock import build, openapi_generator


@pytest.fixture(scope="module")
def document() -> str:
    if obstacle := build.install():
        pytest.skip(obstacle)
    return str(build.write_document().relative_to(build.FOLDER))


@pytest.mark.timeout(build.INSTALL_LIMIT_S + build.RUN_LIMIT_S)
def test_redocly_finds_nothing_but_what_is_justified(document: str) -> None:
    said = build.run_program("redocly", "lint", document, "--config=redocly.yaml", "--format=json")
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert found["problems"] == []
    listed = (build.FOLDER / ".redocly.lint-ignore.yaml").read_text().count('- "#/')
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": listed}, (
        "an exception that excuses nothing"
    )


@pytest.mark.timeout(build.INSTALL_LIMIT_S + build.RUN_LIMIT_S)
def test_spectral_finds_nothing(document: str) -> None:
    arguments = (
        "--ruleset=spectral.yaml",
        "--display-only-failures=false",
        "--fail-severity=hint",
        "--quiet",
    )
    build.run_program("spectral", "lint", *arguments, document)


@pytest.mark.timeout(build.INSTALL_LIMIT_S + build.RUN_LIMIT_S)
def test_openapi_generator_finds_nothing() -> None:
    if obstacle := openapi_generator.install():
        pytest.skip(obstacle)
    assert "No validation issues detected." in openapi_generator.validate(build.write_document())
