"""The plan of an import: everything that is checked before anything is made."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from services.apps.domain.config import AppConfig
from services.apps.domain.deployment import find_place
from services.apps.domain.errors import NotAvailableError
from services.apps.domain.export_sealing import open_values
from services.apps.domain.imports import (
    ImportOrder,
    ImportPlan,
    check_archive,
    check_request,
    choose_address,
    choose_resources,
    describe_place,
    describe_restore,
    list_warnings,
)
from services.apps.domain.values import refuse_masks
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.new_app_checks import find_refusals
from services.clients.auth.lookup import has_user
from services.clients.inventory.restore_plans import RestorePlacement
from services.clients.inventory.values import Placement, Wanted
from services.common.core.errors import DomainError, InvalidError, UnavailableError, invalid_field

T = TypeVar("T")


async def plan_import(dependencies: AppDependencies, order: ImportOrder) -> ImportPlan:
    """Check an import and choose its place; nothing is changed or reserved.

    Raises:
        InvalidError: the passphrase or the request is wrong, or the document was changed.
    """
    check_request(order)
    environment, inputs, missing = await _collect_values(order)
    # Collected: a preview shows all that has to be changed, and not one thing at each attempt.
    obstacles: list[DomainError] = []

    async def attempt(check: Awaitable[T]) -> T | None:
        try:
            return await check
        except DomainError as error:
            obstacles.append(error)
            return None

    if missing:
        obstacles.append(_refuse_missing(missing))
    await attempt(_check_owner(dependencies, order))
    restore = await attempt(_plan_restore(dependencies, order)) if order.archive else None
    defaults = await dependencies.containers.get_deployment_defaults()
    resources = choose_resources(order, defaults, restore=restore)
    obstacles += await find_refusals(
        dependencies.store,
        dependencies.quotas,
        hostname=order.hostname,
        owner_id=order.owner_id,
        config=AppConfig(**vars(resources)),
    )
    # Nothing is known of what runs in an adopted container: it is started and stopped as an image is.
    runtime = "oci" if order.document.app.adopted else order.document.app.runtime
    address = choose_address(order)
    placement = None
    # Without the archive the size and node of the container are not known, and a place would be a guess.
    if restore or not order.archive:
        wanted = describe_place(order, restore, resources=resources, address=address)
        placement = await attempt(_find_place(dependencies, order, wanted=wanted))
    item = await _find_item(dependencies, order)
    bridge = (placement.bridge if placement else "") or defaults.bridge
    return ImportPlan(
        order=order,
        runtime=runtime,
        resources=resources,
        environment=environment,
        inputs=inputs,
        defaults=defaults,
        obstacles=tuple(obstacles),
        warnings=tuple(list_warnings(order, restore, item=item, bridge=bridge)),
        placement=placement,
        restore=restore,
        bridge=bridge,
        address=address,
        catalog_item=item,
        missing=missing,
    )


def _refuse_missing(names: tuple[str, ...]) -> InvalidError:
    lacking = f"the document has no values for {', '.join(names)}"
    return invalid_field("environment", f"{lacking}; give them, or export with a passphrase")


async def _collect_values(
    order: ImportOrder,
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Return the values by variable and by input, and the names of those that lack.

    Raises:
        InvalidError: a value is given that the document has.
    """
    document, app = order.document, order.document.app
    found: Mapping[str, Mapping[str, str]] = {}
    if document.sealed is not None:
        found = await open_values(document.sealed, order.passphrase, authenticated=document.authenticated)
    environment = {**app.environment, **found.get("environment", {})}
    inputs = {**app.inputs, **found.get("inputs", {})}
    hidden_here = [name for name in app.hidden_environment if name not in environment]
    hidden_inputs = [name for name in app.hidden_inputs if name not in inputs]
    for name in order.environment:
        if name not in {*hidden_here, *hidden_inputs}:
            raise invalid_field(
                f"environment.{name[:80]}", "is no value that the document lacks; leave it out"
            )
    # What the API shows in place of a secret is copied from one platform to another now and then.
    refuse_masks(order.environment)
    given = order.environment
    environment |= {name: given[name] for name in hidden_here if name in given}
    inputs |= {name: given[name] for name in hidden_inputs if name in given}
    missing = {*hidden_here, *hidden_inputs} - given.keys()
    return environment, inputs, tuple(sorted(missing))


async def _check_owner(dependencies: AppDependencies, order: ImportOrder) -> None:
    if not await has_user(dependencies.users, order.owner_id):
        raise invalid_field("owner", f"there is no user {order.owner_id}")


async def _plan_restore(dependencies: AppDependencies, order: ImportOrder) -> RestorePlacement:
    assert order.archive is not None
    plan = await dependencies.containers.plan_restore(
        describe_restore(
            order.archive.host_id, order.archive.volume_id, node=order.node, storage=order.config.storage
        )
    )
    plan.check()
    check_archive(order, plan.archived)
    return plan


async def _find_place(dependencies: AppDependencies, order: ImportOrder, *, wanted: Wanted) -> Placement:
    """Choose host and node.

    Raises:
        NotAvailableError: it can run no images, or no commands get into its containers.
    """
    place = await find_place(dependencies.containers, wanted)
    runtime = order.document.app.runtime
    if runtime == "oci" and not place.oci:
        raise NotAvailableError(f"node {place.node} cannot run OCI images: {place.oci_reason}")
    if runtime == "compose" and place.exec_mode == "none":
        raise NotAvailableError(
            f"node {place.node} gives no way into its containers, which Docker needs; see the host's connection test"
        )
    return place


async def _find_item(dependencies: AppDependencies, order: ImportOrder) -> str:
    try:
        known = await dependencies.catalog.list_revisions()
    # The app runs without its catalog item: only updates need one, and the preview says what is not known.
    except UnavailableError:
        return ""
    return "known" if order.document.app.catalog_id in known else "unknown"
