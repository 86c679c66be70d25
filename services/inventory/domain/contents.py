"""Contents of a running container: Docker's containers, images and volumes, and the mount points."""

from __future__ import annotations

from services.clients.inventory.restore_tests import Contents, DockerContainer

# One process for all of it: each costs half a second on a real node. The mount points are its arguments.
LIST_CONTENTS = """
if command -v docker >/dev/null 2>&1; then
  if docker info >/dev/null 2>&1; then
    echo 'docker up'
    for id in $(docker ps -aq); do
      docker inspect --format \
        'container {{.State.Status}} {{.State.ExitCode}} {{.Image}} {{.Config.Image}} {{.Name}}' "$id"
    done
    for id in $(docker images -q --no-trunc); do echo "image $id"; done
    for name in $(docker volume ls -q); do
      folder=/var/lib/docker/volumes/$name/_data
      if [ -d "$folder" ]; then echo "folder $(ls -A "$folder" | wc -l) $name"; fi
    done
  else echo 'docker down'; fi
fi
for folder in "$@"; do
  if [ -d "$folder" ]; then echo "folder $(ls -A "$folder" | wc -l) $folder"; fi
done
echo end
"""
_END = "end"


def parse_contents(text: str) -> Contents | None:
    """Parse the output of `LIST_CONTENTS`; None when it did not come to its end."""
    lines = [line.strip() for line in text.splitlines()]
    if _END not in lines:
        return None
    containers, images, folders = [], [], []
    for line in lines:
        kind, _, rest = line.partition(" ")
        parts = rest.split(" ")
        if kind == "container" and len(parts) >= 5:
            containers.append(_build_container(parts))
        elif kind == "image":
            images.append(rest)
        elif kind == "folder" and parts[0].isdigit():
            folders.append((rest.partition(" ")[2], int(parts[0])))
    return Contents(
        has_docker="docker up" in lines or "docker down" in lines,
        docker_answers="docker up" in lines,
        containers=tuple(sorted(containers, key=lambda one: one.name)),
        images=tuple(sorted(set(images))),
        folders=tuple(sorted(folders)),
    )


def _build_container(parts: list[str]) -> DockerContainer:
    state, exit_code, image_id, image, name = parts[0], parts[1], parts[2], parts[3], parts[4]
    return DockerContainer(
        name=name.removeprefix("/"),
        image=image,
        image_id=image_id,
        state=state,
        exit_code=int(exit_code) if exit_code.lstrip("-").isdigit() else 0,
    )
