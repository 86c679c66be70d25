"""Records of apps: parsed at the store's boundary, and readable by the release before and the one after."""

from __future__ import annotations

import json
from dataclasses import replace

from services.apps.domain.config import AppConfig
from services.apps.domain.entities import AppVersion, Upgrade
from services.apps.domain.rendering import AppRendering
from services.apps.domain.resources import ContainerUpdate, ResourceChanges
from services.apps.workflows.update_app import UpdateState
from services.clients.catalog.values import ItemCredentials, ItemProbe
from services.common.operations.model import Workflow, dump_state

# Written by the release before this one, which stored mappings; `of_tomorrow` by the one after.
CONFIG = {
    "memory": 512,
    "cores": 2,
    "disk_size": 8,
    "swap": 0,
    "port": 8080,
    "runtime": "compose",
    "storage": "local-lvm",
    "network": "static",
    "of_tomorrow": {"a": 1},
}
RENDERING = {
    "runtime_reason": "",
    "network_cidr": "10.0.0.9/24",
    "vlan": 0,
    "bridge": "vmbr1",
    "gateway": "10.0.0.1",
    "nameservers": ["9.9.9.9"],
    "version": "1.27",
    "compose": "services: {web: {image: nginx}}",
    "images": ["nginx"],
    "probe": {"scheme": "http", "port": 80, "path": "/", "grace_s": 60},
    "mounts": [["/data", 4]],
    "credentials": {"username": "admin", "password": "${PASSWORD}", "change": ""},
    "devices": ["/dev/dri"],
    "image": "",
    "entrypoint": "",
    "without_values": "200497c285f6e7a5",
    "of_tomorrow": [1, 2],
}


def store(record: dict[str, object]) -> dict[str, object]:
    return json.loads(json.dumps(record))  # type: ignore[no-any-return]


def test_a_configuration_of_the_release_before_is_parsed_and_written_as_it_was() -> None:
    config = AppConfig.from_json(CONFIG)
    assert (config.memory, config.swap, config.storage, config.image) == (512, 0, "local-lvm", "")
    assert store(config.to_json()) == CONFIG
    assert store(replace(config, memory=1024).to_json()) == {**CONFIG, "memory": 1024}
    assert AppConfig.from_json({}).to_json() == {}


def test_a_rendering_of_the_release_before_is_parsed_and_nothing_but_what_is_empty_is_left_out() -> None:
    rendering = AppRendering.from_json(RENDERING)
    assert rendering.probe == ItemProbe(scheme="http", port=80, path="/", grace_s=60)
    assert rendering.credentials == ItemCredentials(username="admin", password="${PASSWORD}")
    assert rendering.is_without_values
    assert (rendering.mounts, rendering.nameservers) == ((("/data", 4),), ("9.9.9.9",))
    assert store(rendering.to_json()) == {name: value for name, value in RENDERING.items() if value}
    assert AppRendering.from_json({"probe": {}, "credentials": {}}) == AppRendering()


def test_a_definition_that_another_release_replaced_counts_as_one_with_values() -> None:
    marked = AppRendering(compose="services: {}").mark_without_values()
    assert marked.is_without_values
    assert AppRendering.from_json(store(marked.to_json())).is_without_values
    assert not AppRendering.from_json(
        {**marked.to_json(), "compose": "services: {web: {}}"}
    ).is_without_values
    assert not AppRendering(compose="services: {}").is_without_values


def test_a_version_has_the_values_of_its_app() -> None:
    version = AppVersion(
        revision="r1",
        internal_port=80,
        published=True,
        environment={"A": "1"},
        secret_names=("A",),
        rendering=AppRendering.from_json(RENDERING),
    )
    upgrade = Upgrade(id="u", app_id="a", before=version, after=replace(version, revision="r2"))
    assert upgrade.after.values == {**version.values, "revision": "r2"}


def test_the_state_of_an_update_is_what_the_release_before_wrote() -> None:
    data = {
        "app_id": "web-1",
        "host_id": 1,
        "changes": {
            "memory_mb": 1024,
            "disk_gb": 30,
            "has_environment": True,
            "dropped": ["OLD"],
            "added": [],
        },
        "former": {"memory_mb": 512, "disk_gb": 8},
        "former_config": CONFIG,
        "kept_id": "op",
    }
    workflow: Workflow[UpdateState] = Workflow(
        kind="update_app",
        steps=(),
        state_type=UpdateState,
        on_succeeded=lambda _: (),
        on_failed=lambda _state, _failure: (),
    )
    state = workflow.load_state(data)
    resources = ResourceChanges(memory=1024, disk_size=30)
    assert state.changes == ContainerUpdate(resources=resources, has_environment=True, dropped=("OLD",))
    assert (state.former, state.former_config) == (
        ResourceChanges(memory=512, disk_size=8),
        AppConfig.from_json(CONFIG),
    )
    dumped = store(dump_state(state))
    assert {name: dumped[name] for name in data} == data
    assert workflow.load_state(dumped) == state
    # Operations begun by releases that stored none of these.
    assert workflow.load_state({"app_id": "web-1", "host_id": 1}).former_config == AppConfig()
