"""Getting templates: the appliance index, downloads by URL, OCI images."""

import re
from typing import Any

from tests.pvesim.api.content import need_storage
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Storage, Task, Volume
from tests.pvesim.model.errors import ApiError, TaskFailedError, bad_params, refuse
from tests.pvesim.model.images import describe_image
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.totals import count_used
from tests.pvesim.model.work import Share, Work

STORAGE = "/nodes/{node}/storage/{storage}"
EXTENSIONS = {
    "vztmpl": r".+\.(tar|tar\.(gz|xz|zst|bz2)|tgz)",
    "iso": r".+\.(iso|img)",
    "import": r".+\.(ova|ovf|qcow2|raw|vmdk)",
}
FIRST_WITH_OCI = (9, 1)


@route("GET", "/nodes/{node}/aplinfo")
def list_appliances(call: Call) -> list[dict[str, Any]]:
    return list(call.cluster.aplinfo)


@route("POST", "/nodes/{node}/aplinfo")
def download_appliance(call: Call) -> str:
    name = str(call.params["template"])
    known = next((one for one in call.cluster.aplinfo if one["template"] == name), None)
    if known is None:
        raise bad_params({"template": "no such template"})
    storage = need_storage(call)
    _check_content(storage, "vztmpl")
    return _download(call, storage, f"vztmpl/{name}", label=name, size=int(known.get("size", 120 << 20)))


def _check_content(storage: Storage, kind: str) -> None:
    if kind not in storage.content:
        raise refuse(f"storage '{storage.name}' is not configured for content-type '{kind}'")


@route("POST", f"{STORAGE}/download-url")
def download_url(call: Call) -> str:
    kind, name = str(call.params["content"]), str(call.params["filename"])
    storage = need_storage(call)
    _check_content(storage, kind)
    if not re.fullmatch(EXTENSIONS.get(kind, ".+"), name):
        raise bad_params({"filename": "wrong file extension"})
    if call.cluster.find_volume(f"{storage.name}:{kind}/{name}", call.node):
        raise refuse(f"refusing to override existing file '{name}'")
    return _download(call, storage, f"{kind}/{name}", label=name, size=120 << 20)


def _download(call: Call, storage: Storage, name: str, *, label: str, size: int) -> str:
    cluster, node = call.cluster, call.node

    def work(task: Task) -> Work:
        task.log(f"downloading {call.get('url', label)} to {storage.path}/template/cache/{label}")
        for part in (25, 50, 75, 100):
            yield Share(0.25)
            task.log(f"{size * part // 100 >> 10}K ........ {part}% 50.0M 0s")
        add_volume(cluster, storage, name=name, node=node, size=size)
        task.log(
            f"download of '{call.get('url', label)}' to '{storage.path}/template/cache/{label}' finished"
        )

    return cluster.start_task(node=node, kind="download", label=label, user=call.user, work=work)


def add_volume(
    cluster: Cluster,
    storage: Storage,
    *,
    name: str,
    node: str,
    size: int,
    image: dict[str, Any] | None = None,
) -> Volume:
    """Put a template or image on a storage, when there is room."""
    if count_used(cluster, storage, node) + size > storage.total:
        raise TaskFailedError("download failed: write error: No space left on device")
    volume = Volume(
        storage=storage.name,
        name=name,
        node="" if storage.shared else node,
        content=name.partition("/")[0],
        size=size,
        used=size,
        format=guess_format(name),
        ctime=int(cluster.now()),
        image=image,
    )
    cluster.add("volumes", volume.key, volume)
    return volume


def guess_format(name: str) -> str:
    """`tzst` for .tar.zst, `tgz` for .tar.gz, and so on."""
    if name.startswith("iso/"):
        return "iso"
    endings = {".tar.zst": "tzst", ".tar.gz": "tgz", ".tgz": "tgz", ".tar.xz": "txz", ".tar.bz2": "tbz2"}
    return next((kind for ending, kind in endings.items() if name.endswith(ending)), "tar")


@route("POST", f"{STORAGE}/oci-registry-pull")
def pull_image(call: Call) -> str:
    cluster, node, reference = call.cluster, call.node, str(call.params["reference"])
    if tuple(int(part) for part in cluster.version.split(".")[:2]) < FIRST_WITH_OCI:
        raise ApiError(501, f"Method 'POST {call.path}' not implemented")
    if "skopeo" in cluster.nodes[node].missing:
        raise refuse("Install 'skopeo' to pull OCI images from registries.")
    storage = need_storage(call)
    _check_content(storage, "vztmpl")
    name = name_archive(reference, call.get("filename"))
    if cluster.find_volume(f"{storage.name}:vztmpl/{name}", node):
        raise refuse(f"refusing to override existing file '{name}'")

    def work(task: Task) -> Work:
        task.log(f"pulling {reference} to {storage.path}/template/cache/{name}")
        yield Share(0.5)
        image = describe_image(reference)
        if image is None:
            tag, path = reference.rpartition(":")[2], reference.rpartition(":")[0]
            reading = f"reading manifest {tag} in {path}: manifest unknown"
            task.log(f'level=fatal msg="initializing source docker://{reference}: {reading}"')
            target = f"oci-archive:{storage.path}/template/cache/{name}.tmp.{task.pid}"
            raise TaskFailedError(f"command 'skopeo copy docker://{reference} {target}' failed: exit code 2")
        yield Share(0.5)
        add_volume(cluster, storage, name=f"vztmpl/{name}", node=node, size=40 << 20, image=image)
        task.log("Writing manifest to image destination")

    return cluster.start_task(node=node, kind="ociregistrypull", label=name, user=call.user, work=work)


def name_archive(reference: str, filename: Any) -> str:
    """`docker.io/library/alpine:3.20` -> `alpine_3.20.tar`; `.tar` is appended to a given name that ends so, too."""
    if filename:
        return re.sub(r"[^-a-zA-Z0-9_.]", "_", str(filename)) + ".tar"
    path, _, tag = reference.rpartition(":")
    return f"{path.rpartition('/')[2]}_{tag}.tar"


@route("GET", "/nodes/{node}/query-oci-repo-tags")
def list_tags(call: Call) -> list[str]:
    return ["latest"]


@route("GET", "/nodes/{node}/query-url-metadata")
def get_metadata(call: Call) -> dict[str, Any]:
    return {
        "filename": str(call.params["url"]).rpartition("/")[2],
        "mimetype": "application/octet-stream",
        "size": 120 << 20,
    }
