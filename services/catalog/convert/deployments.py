"""protobuf <-> domain: previews, and renderings for the service of apps."""

from __future__ import annotations

import shlex

from google.protobuf import json_format
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.convert.items import render_port, render_probe, render_volume
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition, is_direct
from services.catalog.domain.renderer.values import RenderRequest
from services.clients.apps.values import PlannedDeployment, WantedDeployment


def parse_preview(request: pb.PreviewItemRequest) -> WantedDeployment:
    """Return the deployment to preview; `runtime` beside `config` is the deprecated form of config.runtime."""
    config = json_format.MessageToDict(request.config)
    if request.HasField("runtime"):
        # The new form wins where both are given: old clients know nothing of it.
        config.setdefault("runtime", request.runtime)
    return WantedDeployment(
        item_id=request.app_id,
        hostname=request.hostname,
        config=config,
        environment=dict(request.environment),
        node=request.node,
        # Absent and not 0, which would be the id of a host.
        host_id=request.host_id if request.HasField("host_id") else None,
    )


def parse_render(request: pb.RenderItemRequest) -> RenderRequest:
    """Return runtime, values and changes of a rendering."""
    return RenderRequest(
        runtime=request.runtime,
        project=request.project,
        hostname=request.hostname,
        public_port=request.public_port,
        environment=dict(request.environment),
        generated=dict(request.generated),
        image=request.image,
        port=request.port,
        secret=dict(request.secret),
        refers_to_host=request.refer_to_host,
    )


def render_preview(rendered: RenderedDefinition, plan: PlannedDeployment) -> pb.PreviewItemResponse:
    """Render definition, resources and place of a preview."""
    return pb.PreviewItemResponse(
        docker_compose=rendered.compose_yaml,
        environment=rendered.environment,
        images=rendered.images,
        memory=plan.memory,
        cores=plan.cores,
        disk=plan.disk_size,
        swap=plan.swap,
        ports=[render_port(port) for port in rendered.ports],
        runtime=rendered.runtime,
        runtime_message=plan.runtime_reason,
        volumes=[render_volume(volume) for volume in rendered.item.volumes],
        host_id=plan.host_id,
        node=plan.node or None,
        placement_message=plan.placement_message,
        warnings=plan.warnings,
        obstacles=plan.obstacles,
        revision=rendered.item.revision,
        version=rendered.item.version,
    )


def render_rendering(rendered: RenderedDefinition) -> pb.Rendering:
    """Render a definition with everything that a deployment needs."""
    item, oci, main = rendered.item, rendered.oci, rendered.main_port
    message = pb.Rendering(
        catalog_id=item.id,
        revision=item.revision,
        version=item.version,
        name=item.name,
        runtimes=[rendered.runtime, *(r for r in item.runtimes if r != rendered.runtime)],
        docker_compose=rendered.compose_yaml,
        environment=rendered.environment,
        secret_names=sorted(rendered.secrets),
        generated=rendered.generated,
        inputs=rendered.inputs,
        images=rendered.images,
        min_memory=round(item.resources.memory.minimum),
        min_cpu=item.resources.cpu.minimum,
        min_disk=round(item.resources.disk.minimum),
        internal_port=main.container if main else 0,
        port_published=oci is None and main is not None and not is_direct(item, main),
        volumes=[render_volume(volume) for volume in item.volumes],
        image=oci.image if oci else "",
        entrypoint=shlex.join(oci.entrypoint) if oci else "",
        command=shlex.join(oci.command) if oci else "",
        architectures=item.architectures,
        devices=rendered.devices,
    )
    if probe := render_probe(item.probe, main):
        message.probe.CopyFrom(probe)
    if known := item.credentials:
        message.credentials.username, message.credentials.password = known.username, known.password
        message.credentials.change = known.change
    return message
