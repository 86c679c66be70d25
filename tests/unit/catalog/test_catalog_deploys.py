"""Every item of our own is deployed, as its preview says, in every runtime that it claims."""

from __future__ import annotations

import dataclasses

import pytest

from services.catalog.commands import check_folder, list_example_values
from services.catalog.config import DATA
from services.catalog.domain.entities import Item
from tests.fakes.item_deployment import PUBLIC_PORT, deploy_item, plan_item

PAIRS = [(item, runtime) for item in check_folder(DATA)[0] for runtime in item.runtimes]


@pytest.mark.parametrize(("item", "runtime"), PAIRS, ids=[f"{item.id}-{runtime}" for item, runtime in PAIRS])
async def test_an_item_of_ours_is_deployed_and_answers(item: Item, runtime: str) -> None:
    app = await deploy_item(item, runtime=runtime, environment=list_example_values(item))
    main = item.main_port
    assert main is not None
    assert (app.runtime, app.revision, app.internal_port) == (runtime, item.revision, main.container)
    scheme = item.probe.scheme if item.probe.kind == "http" else "tcp"
    assert app.url == f"{scheme}://10.0.0.9:{PUBLIC_PORT if runtime == 'compose' else main.container}"
    plan = await plan_item(item, runtime=runtime, environment=list_example_values(item))
    shown = dataclasses.asdict(plan.resources)
    assert shown.items() <= app.config.to_json().items()
    assert (plan.runtime, plan.node, plan.placement_message) == (app.runtime, app.node, "")
    assert set(app.secret_names) >= {i.name for i in item.inputs if i.secret} & app.environment.keys()
