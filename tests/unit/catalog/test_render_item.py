"""Rendering: values go into one scalar each, secrets stay out of the definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import empty_pb2
from hypothesis import given
from hypothesis import strategies as st
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import (
    InvalidInputsError,
    ItemNotFoundError,
    RevisionNotFoundError,
    RuntimeNotSupportedError,
    UnsafeDefinitionError,
)
from services.catalog.domain.renderer.interpolation import (
    InterpolationError,
    interpolate_text,
    interpolate_tree,
    list_variables,
)
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition, render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.common.core.text import MASK
from tests.fakes.catalog_replica import CatalogReplica
from tests.unit.catalog.samples import ITEM, build, replaced

SITE = {"SITE": "https://example.com"}


def render(
    environment: dict[str, str] | None = None, text: str = ITEM, **settings: object
) -> RenderedDefinition:
    return render_item(build(text), RenderRequest(environment={**SITE, **(environment or {})}, **settings))  # type: ignore[arg-type]


def read_service(rendered: RenderedDefinition) -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load(rendered.compose_yaml)["services"]["web"]
    return service


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A", "1"), ("${A}", "1"), ("x${A}y", "x1y"), ("${N}", ""), ("$$A", "$A"), ("$${A}", "${A}"), ("${N:-d}", "d"),
        ("${E:-d}", "d"), ("${E-d}", ""), ("${N-d}", "d"), ("${A:+y}", "y"), ("${E:+y}", ""), ("${E+y}", "y"),
        ("${N+y}", ""), ("${A:?bad}", "1"), ("${N:-${A}}", "1"), ("${N:-${M:-z}}!", "z!"), ("${N:-}", ""), ("a", "a"),
        ("$", "$"), ("a $ b", "a $ b"), ("$1", "$1"), ('${A:-{"a":{}}}', "1"), ('${N:-{"a":{}}}', '{"a":{}}'),
    ],
)  # fmt: skip
def test_variables_are_replaced_as_compose_does(text: str, result: str) -> None:
    assert interpolate_text(text, {"A": "1", "E": ""}) == result


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${1}", "${A!b}", "${N:?is needed}", "${N?}"])
def test_wrong_variables_are_refused(text: str) -> None:
    with pytest.raises(InterpolationError):
        interpolate_text(text, {"A": "1"})


def test_nested_defaults_have_a_limit() -> None:
    with pytest.raises(InterpolationError, match="nested"):
        interpolate_text("${A:-" * 50 + "}" * 50, {})


def test_variables_in_defaults_are_found() -> None:
    assert list_variables({"a": ["${A:-${B}}", "$C", "$$D"], "${E}": 1}) == {"A", "B", "C"}


values = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ue000\ue001\ufffe\uffff"), max_size=80
)


@given(values)
def test_a_value_put_in_is_never_read_again(value: str) -> None:
    tree = {"a": "x ${A}", "b": ["${A}"]}
    assert interpolate_tree(tree, {"A": value}) == {"a": f"x {value}", "b": [value]}


@given(values, values)
def test_any_value_stays_one_scalar_of_the_rendered_definition(value: str, other: str) -> None:
    rendered = render({"TITLE": value, "EXTRA": other})
    service = read_service(rendered)
    plain = read_service(render())
    assert service.keys() == plain.keys()
    assert interpolate_text(service["environment"]["TITLE"], rendered.environment) == value
    assert interpolate_text(service["environment"]["EXTRA"], rendered.environment) == other
    assert {**service, "environment": 0} == {**plain, "environment": 0}


def test_a_definition_that_is_stored_has_none_of_the_values() -> None:
    values = {"TITLE": "Grüße aus Köln", "EXTRA": "what nobody declared", "PATH": "/of/the/app"}
    environment = read_service(rendered := render(values))["environment"]
    assert environment["TITLE"] == "${TITLE}"
    assert environment["EXTRA"] == "${EXTRA}"
    assert environment["PATH"] == "${PROXIMITY_VALUE_PATH}"  # Compose would take the shell's
    assert not any(value in rendered.compose_yaml for value in values.values())


def test_only_what_the_item_declares_is_not_secret() -> None:
    extra = {"DATABASE_URL": "postgres://app:pw@db/app", "COLOR": "blue", "TZ": "Etc/UTC", "SHOWN": "1"}
    rendered = render(
        {**extra, "TITLE": "x"}, secret={"SHOWN": False, "TITLE": True, "ADMIN_PASSWORD": False}
    )
    assert rendered.secrets == {"ADMIN_PASSWORD", "DATABASE_URL", "COLOR", "TITLE"}


def test_a_preview_shows_values_that_are_not_secret_without_the_credentials_in_them() -> None:
    rendered = render({"TITLE": "http://me:hunter2@example.com/"}, masked=True)
    assert rendered.environment["TITLE"] == "http://me:********@example.com/"
    assert read_service(rendered)["environment"]["TITLE"] == "http://me:********@example.com/"


def test_a_secret_is_generated_kept_and_left_out_of_the_definition() -> None:
    first = render()
    secret = first.generated["ADMIN_PASSWORD"]
    assert len(secret) == 20
    assert secret not in first.compose_yaml
    assert read_service(first)["environment"]["ADMIN_PASSWORD"] == "${ADMIN_PASSWORD}"
    assert first.environment["ADMIN_PASSWORD"] == secret
    again = render(generated=first.generated)
    assert again.environment["ADMIN_PASSWORD"] == secret
    assert again.generated == {}
    assert render().generated["ADMIN_PASSWORD"] != secret


def test_a_given_secret_counts_more_than_a_generated_one() -> None:
    rendered = render({"ADMIN_PASSWORD": "mine$1"}, generated={"ADMIN_PASSWORD": "old"})
    assert rendered.environment["ADMIN_PASSWORD"] == "mine$1"
    assert "ADMIN_PASSWORD" in rendered.secrets
    assert "mine" not in rendered.compose_yaml


def test_a_preview_shows_no_secret_and_generates_none() -> None:
    rendered = render({"MY_TOKEN": "abc"}, masked=True)
    assert rendered.environment["ADMIN_PASSWORD"] == MASK
    assert rendered.environment["MY_TOKEN"] == MASK
    assert rendered.generated == {}
    assert "abc" not in rendered.compose_yaml


def test_the_main_port_moves_to_the_public_port_and_labels_tell_the_item() -> None:
    service = read_service(render(public_port=30_005, port=8081))
    assert service["ports"] == [{"target": 8081, "published": "30005", "protocol": "tcp"}]
    assert service["labels"]["proximity.catalog"] == "sample"
    assert service["restart"] == "unless-stopped"


def test_oci_is_one_image_with_its_environment() -> None:
    rendered = render({"ADMIN_PASSWORD": "s3cret"}, runtime="oci")
    assert rendered.compose_yaml == ""
    assert rendered.oci is not None
    assert rendered.oci.image == "example/web:1.0"
    assert rendered.environment == {
        "TITLE": "Hello", "LEVEL": "3", "ADMIN_PASSWORD": "s3cret", "SITE": "https://example.com", "COST": "5$"
    }  # fmt: skip
    assert rendered.secrets == {"ADMIN_PASSWORD"}
    assert rendered.oci.environment == rendered.environment
    assert rendered.main_port is not None
    assert rendered.main_port.published == 80


def test_a_runtime_the_item_does_not_know_is_refused() -> None:
    with pytest.raises(RuntimeNotSupportedError, match="compose"):
        render(text=replaced("[compose, oci]", "[compose]"), runtime="oci")


def test_every_wrong_input_is_named_at_once_and_no_secret_repeated() -> None:
    with pytest.raises(InvalidInputsError) as caught:
        render(
            {
                "SITE": "ftp://x",
                "LEVEL": "99",
                "bad name": "x",
                "ADMIN_PASSWORD": "hush\x00",
                "TITLE": "a\x07",
            }
        )
    assert {field.removeprefix("environment.") for field in caught.value.faults} == {
        "SITE",
        "LEVEL",
        "bad name",
        "ADMIN_PASSWORD",
        "TITLE",
    }
    assert "hush" not in str(caught.value)


def test_a_required_input_without_a_value_is_a_violation() -> None:
    with pytest.raises(InvalidInputsError) as caught:
        render_item(build(), RenderRequest())
    assert caught.value.faults == {"environment.SITE": "is required"}


@pytest.mark.parametrize("value", ["/etc", "../../etc", "/var/run/docker.sock", "a:/b:rw,x", "~/x"])
def test_a_value_cannot_mount_the_host(value: str) -> None:
    text = replaced('volumes: ["data:/data"]', 'volumes: ["data:/data", "${TITLE}:/x"]').replace(
        "volumes:\n  - {",
        "volumes:\n  - {service: web, name: '${TITLE}', path: /x, purpose: data, backup: false}\n  - {",
    )
    text += "allows: [host_paths]\n"
    item = build(text)
    trusting = item.allows
    assert trusting == {"host_paths"}
    strict = build_without_allowance(text)
    with pytest.raises((UnsafeDefinitionError, InvalidInputsError)):
        render_item(strict, RenderRequest(environment={**SITE, "TITLE": value}))


def build_without_allowance(text: str) -> Item:
    return replace(build(text), allows=frozenset())


@pytest.mark.parametrize("odd", ["\n", "\t", "x\nlxc.mount.entry: /etc/pve mnt none bind 0 0"])
@pytest.mark.parametrize("name", ["TITLE", "ADMIN_PASSWORD", "ANYTHING_ELSE"])
def test_a_value_of_an_image_app_has_one_line(name: str, odd: str) -> None:
    with pytest.raises(InvalidInputsError) as caught:
        render({name: f"a{odd}"}, runtime="oci")
    assert list(caught.value.faults) == [f"environment.{name}"]
    assert "runtime compose" in str(caught.value)
    assert render({name: f"a{odd}"}, runtime="compose").environment[name] == f"a{odd}"


def test_the_command_of_an_image_app_has_one_line() -> None:
    text = replaced("image: example/web:1.0", 'image: example/web:1.0\n      command: ["run", "${TITLE}"]')
    with pytest.raises(InvalidInputsError, match="into the command"):
        render({"TITLE": "a\nb"}, text=text, runtime="oci")


@pytest.mark.parametrize("odd", ["\r", "\x0b", "\x1b", "\x7f", "\x00"])
def test_no_value_holds_other_controls(odd: str) -> None:
    with pytest.raises(InvalidInputsError, match="control characters"):
        render({"TITLE": f"a{odd}b"}, runtime="compose")


async def test_a_rendering_has_what_apps_needs_to_run_it(own: CatalogReplica) -> None:
    first = await own.internal.render_item(
        pb.RenderItemRequest(app_id="wordpress", public_port=30_007, hostname="w")
    )
    assert first.runtimes == ["compose"]
    assert (first.internal_port, first.port_published, first.probe.scheme) == (80, True, "http")
    assert first.generated.keys() == {"DB_PASSWORD", "DB_ROOT_PASSWORD"} == set(first.secret_names)
    assert not any(value in first.docker_compose for value in first.generated.values())
    again = await own.internal.render_item(
        pb.RenderItemRequest(
            app_id="wordpress", revision=first.revision, generated=first.generated, public_port=30_007
        )
    )
    assert again.environment == first.environment
    assert again.docker_compose == first.docker_compose
    oci = await own.internal.render_item(pb.RenderItemRequest(app_id="redis", runtime="oci"))
    assert oci.image.startswith("redis:")
    assert oci.environment["REDIS_PASSWORD"] == oci.generated["REDIS_PASSWORD"]
    assert oci.probe.port == oci.internal_port == 6379
    assert (oci.docker_compose, oci.port_published) == ("", False)


async def test_missing_inputs_are_field_violations(own: CatalogReplica) -> None:
    with pytest.raises(InvalidInputsError) as caught:
        await own.internal.render_item(pb.RenderItemRequest(app_id="pgadmin", environment={"BAD-NAME": "x"}))
    assert {v.field for v in caught.value.violations} == {"environment.PGADMIN_EMAIL", "environment.BAD-NAME"}


async def test_values_go_to_another_revision_but_for_those_of_inputs_that_are_gone(
    replica: CatalogReplica, folder: Path
) -> None:
    await replica.api.reload_catalog(empty_pb2.Empty())
    given = {"SITE": "https://example.com", "TITLE": "Kept", "OWN_VARIABLE": "mine"}
    old = await replica.internal.render_item(pb.RenderItemRequest(app_id="sample", environment=given))
    assert old.inputs == old.environment
    assert old.inputs.keys() == {"SITE", "TITLE", "LEVEL", "ADMIN_PASSWORD", "OWN_VARIABLE"}
    text = ITEM.replace("        LEVEL: ${LEVEL}\n", "").replace(
        "  - {name: LEVEL, label: Level, type: number, minimum: 1, maximum: 9, default: 3}\n", ""
    )
    (folder / "sample.yaml").write_text(text)
    await replica.api.reload_catalog(empty_pb2.Empty())
    request = pb.RenderItemRequest(app_id="sample", environment=old.inputs, from_revision=old.revision)
    new = await replica.internal.render_item(request)
    assert new.revision != old.revision
    assert new.inputs == {name: value for name, value in old.inputs.items() if name != "LEVEL"}
    assert new.generated == {}


async def test_an_unknown_item_or_revision_is_refused(own: CatalogReplica) -> None:
    with pytest.raises(ItemNotFoundError, match="nothing"):
        await own.internal.render_item(pb.RenderItemRequest(app_id="nothing"))
    with pytest.raises(RevisionNotFoundError, match="'x'"):
        await own.internal.render_item(pb.RenderItemRequest(app_id="nginx", revision="x"))
