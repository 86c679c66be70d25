"""InspectContents: what Docker has in a container."""

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as cs

from tests.contract.inventory.conftest import Inventory, new_call


async def test_contents_are_dockers_containers_images_and_volumes(inventory: Inventory) -> None:
    ref = await inventory.create("docked")
    await inventory.start(ref, "docked")
    action = cs.ContainerActionRequest(container=ref, owner="docked")
    before = await inventory.containers.inspect_contents(action, new_call())
    assert not before.has_docker
    script = (
        "apk add --no-cache docker docker-cli-compose && rc-update add docker default && rc-service docker start; "
        "n=0; until docker info >/dev/null 2>&1 || [ $n -gt 20 ]; do n=$((n+1)); sleep 1; done; "
        "docker run -d --name web --restart always -p 80:80 -v data:/data nginx:1.27 && "
        "mkdir -p /var/lib/docker/volumes/data/_data && echo x > /var/lib/docker/volumes/data/_data/a"
    )
    text, code = await inventory.run(ref, "sh", "-c", script, owner="docked")
    assert code == 0, text
    contents = await inventory.containers.inspect_contents(action, new_call())
    assert (contents.has_docker, contents.docker_answers) == (True, True)
    [web] = contents.containers
    assert (web.name, web.image, web.state) == ("web", "nginx:1.27", "running")
    assert web.image_id in contents.images
    assert [(one.name, one.entries) for one in contents.folders] == [("data", 1)]
    probe = cs.ProbePortRequest(container=ref, owner="docked", port=80, scheme="http", path="/", inside=True)
    assert (await inventory.containers.probe_port(probe, new_call())).answered
    probe.port = 81
    assert not (await inventory.containers.probe_port(probe, new_call())).answered
