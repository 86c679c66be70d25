"""Deployment: an app is built of a request, the rendering of the catalog and the settings of inventory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.apps.domain.config import AppConfig, ContainerLimits
from services.apps.domain.entities import App, Upgrade
from services.apps.domain.errors import NotAvailableError
from services.apps.domain.records import list_inputs, update_record, version_of
from services.apps.domain.rendering import AppRendering
from services.apps.domain.values import check_flags, refuse_masks
from services.clients.catalog.interface import Catalog
from services.clients.catalog.values import Rendering
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Defaults, Placement, Wanted
from services.common.core.clock import now
from services.common.core.errors import NotFoundError, invalid_field


@dataclass(frozen=True, kw_only=True)
class NewApp:
    """App that a user requests.

    Attributes:
        any_network: requested by an administrator, for whom networks are not restricted.
    """

    id: str
    owner_id: int
    catalog_id: str
    hostname: str
    name: str
    config: AppConfig
    environment: Mapping[str, str] = field(repr=False)
    secret: Mapping[str, bool] = field(default_factory=dict)
    node: str = ""
    host_id: int | None = None
    network_cidr: str = ""
    any_network: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Place and runtime of a new app, before it has a port.

    Attributes:
        may_fall_back: the request names no runtime, and it can run with Docker Compose there as well.
        warnings: what may not work there, in words.
    """

    new: NewApp
    runtime: str
    placement: Placement
    defaults: Defaults
    runtime_reason: str = ""
    may_fall_back: bool = False
    warnings: tuple[str, ...] = ()


async def plan_app(new: NewApp, catalog: Catalog, *, containers: Containers) -> Plan:
    """Check the inputs against the catalog and choose a place.

    Raises:
        InvalidError: the catalog does not know the item, or an input is wrong.
        NotAvailableError: the place cannot run it.
    """
    # Before rendering, and for previews too: a mask would be rendered as any other value.
    refuse_masks(new.environment)
    rendering = await render_app(new, catalog, runtime=new.config.requested_runtime, public_port=0)
    check_flags(new.secret, rendering)
    defaults = await containers.get_deployment_defaults()
    # Such an item needs a node that runs images; for others the place decides on the runtime.
    only_oci = rendering.runtimes == ("oci",)
    resources = choose_resources(new, rendering, defaults=defaults)
    placement = await find_place(
        containers,
        Wanted(
            host_id=new.host_id,
            node=new.node,
            memory=resources.memory,
            disk_size=resources.disk_size,
            storage=new.config.storage,
            oci=new.config.requested_runtime == "oci" or only_oci,
            bridge=new.config.bridge or defaults.bridge,
            vlan=new.config.vlan or 0,
            network_cidr=_get_address(new),
            any_network=new.any_network,
            owner=new.id,
            architectures=() if new.config.image else rendering.architectures,
            devices=rendering.devices,
        ),
    )
    offered = rendering.runtimes or ("compose",)
    runtime, reason = choose_runtime(new.config.requested_runtime, offered, place=placement)
    is_chosen_here = runtime == "oci" and not new.config.requested_runtime
    return Plan(
        new=new,
        runtime=runtime,
        placement=placement,
        defaults=defaults,
        runtime_reason=reason,
        may_fall_back=is_chosen_here and "compose" in offered and placement.exec_mode != "none",
        warnings=_list_warnings(rendering, placement),
    )


def _list_warnings(rendering: Rendering, place: Placement) -> tuple[str, ...]:
    """Return warnings about what Proxmox does not say beforehand: devices of a node, and images for its architecture."""
    warnings = []
    if rendering.devices:
        warnings.append(
            f"The container gets {', '.join(rendering.devices)} of node {place.node}, and does not start where the node lacks it."
        )
    if not rendering.architectures and place.architecture not in {"", "amd64"}:  # most images are for amd64
        warnings.append(
            f"Node {place.node} is {place.architecture}; the collection does not say which architectures the app's images"
            " are for."
        )
    return tuple(warnings)


def choose_runtime(requested: str, offered: Sequence[str], *, place: Placement) -> tuple[str, str]:
    """Choose the runtime of an app: the requested one, else the catalog's preference, else one that the place offers.

    Args:
        requested: compose, oci, or empty for the one that suits.
        offered: what the catalog's item can run as, the preferred one first.
        place: where it will run.

    Returns:
        The runtime, and why it is not the requested or preferred one; empty when it is.

    Raises:
        NotAvailableError: the place can do none that is left.
    """
    wanted = requested or offered[0]
    shut = f"node {place.node} gives no way into its containers, which Docker needs; see the host's connection test"
    closed = place.exec_mode == "none"
    if wanted == "oci" and not place.oci:
        barred = f"node {place.node} cannot run OCI images: {place.oci_reason}"
        if "compose" not in offered or closed:
            raise NotAvailableError(barred)
        return "compose", f"It runs with Docker Compose: {barred}"
    if wanted == "compose" and closed:
        if requested or "oci" not in offered or not place.oci:
            raise NotAvailableError(shut)
        return "oci", f"It runs as an OCI image: {shut}"
    return wanted, ""


async def find_place(containers: Containers, wanted: Wanted) -> Placement:
    """Choose a place; a host that does not exist is a fault of the request.

    Raises:
        InvalidError: no such host or node.
    """
    try:
        return await containers.place_container(wanted)
    except NotFoundError as error:
        raise invalid_field("host_id", f"there is no host {wanted.host_id}") from error


async def render_app(new: NewApp, catalog: Catalog, *, runtime: str, public_port: int) -> Rendering:
    """Render a new app's item for a runtime and port.

    Raises:
        InvalidError: the catalog has no such item, or an input is wrong.
    """
    try:
        return await catalog.render_item(
            new.catalog_id,
            new.environment,
            public_port=public_port,
            runtime=runtime,
            image=new.config.image,
            port=new.config.port or 0,
            hostname=new.hostname,
            project=new.hostname,
            secret=new.secret,
        )
    except NotFoundError as error:
        raise invalid_field("catalog_id", f"{new.catalog_id!r} is not in the catalog") from error


async def build_app(plan: Plan, catalog: Catalog, *, public_port: int) -> App:
    """Build the app as it will run with a port."""
    new = plan.new
    rendering = await render_app(new, catalog, runtime=plan.runtime, public_port=public_port)
    return _build(plan, rendering, public_port=public_port)


async def build_fallback(plan: Plan, catalog: Catalog, *, app: App) -> Upgrade | None:
    """Build the same app with Docker Compose, for an image that cannot be downloaded; None when it may not run so."""
    if not plan.may_fall_back:
        return None
    port = app.public_port or 0
    rendering = await render_app(plan.new, catalog, runtime="compose", public_port=port)
    other = _build(dataclasses.replace(plan, runtime="compose"), rendering, public_port=port)
    return Upgrade(id="", app_id=app.id, before=version_of(app), after=version_of(other))


def _build(plan: Plan, rendering: Rendering, *, public_port: int) -> App:
    new, place, defaults = plan.new, plan.placement, plan.defaults
    limits = choose_resources(new, rendering, defaults=defaults)
    current = now()
    return App(
        id=new.id,
        catalog_id=new.catalog_id,
        name=new.name or new.hostname,
        hostname=new.hostname,
        status="deploying",
        host_id=place.host_id,
        node=place.node,
        owner_id=new.owner_id,
        runtime=plan.runtime,
        internal_port=rendering.internal_port or None,
        public_port=public_port,
        # An image answers at its own port; Compose publishes it on another one.
        published=rendering.port_published and plan.runtime == "compose",
        # The VLAN is part of the network in the record.
        config=dataclasses.replace(new.config, **vars(limits), runtime=plan.runtime, vlan=None),
        environment=rendering.environment,
        inputs=list_inputs(plan.runtime, rendering),
        secret_names=rendering.secret_names,
        rendering=_render_record(plan, rendering),
        revision=rendering.revision,
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )


def choose_resources(new: NewApp, rendering: Rendering, *, defaults: Defaults) -> ContainerLimits:
    """Choose the resources of a new app: as requested, else the default, but never less than the item needs."""
    config = new.config
    return ContainerLimits(
        memory=config.memory or max(defaults.memory, rendering.min_memory),
        cores=config.cores or defaults.cores,
        disk_size=config.disk_size or max(defaults.disk_size, rendering.min_disk),
        swap=defaults.swap if config.swap is None else config.swap,
    )


def _get_address(new: NewApp) -> str:
    return new.network_cidr or new.config.network


def _render_record(plan: Plan, rendering: Rendering) -> AppRendering:
    new, defaults = plan.new, plan.defaults
    record = AppRendering(
        runtime_reason=plan.runtime_reason,
        network_cidr=_get_address(new),
        vlan=new.config.vlan or 0,
        bridge=plan.placement.bridge or defaults.bridge,
        gateway=plan.placement.gateway if plan.placement.bridge else defaults.gateway,
        nameservers=defaults.nameservers,
    )
    return update_record(record, rendering)
