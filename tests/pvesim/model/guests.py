"""What the model asks of a container's inside; `tests.pvesim.guest` provides it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tests.pvesim.model.cluster import Cluster
    from tests.pvesim.model.entities import Container


class GuestLike(Protocol):
    """The inside of one container: plain data that boots, stops and copies."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable state, everything included."""
        ...

    def prepare(self, cluster: "Cluster", container: "Container") -> None:
        """Take over what the container's configuration says, before a start."""
        ...

    def set_access(self, *, password: str | None, keys: str | None) -> None:
        """The root password and SSH keys given at creation."""
        ...

    def add_service(self, name: str) -> None:
        """Install and enable a system service."""
        ...

    def take_files(self, path: str) -> dict[str, Any]:
        """Take away what is below a path, by path: a volume that leaves."""
        ...

    def put_files(self, files: dict[str, Any]) -> None:
        """Take in what `take_files` of another one gave."""
        ...

    def boot(self) -> None:
        """Start what starts by itself."""
        ...

    def shutdown(self) -> None:
        """Stop everything that runs."""
        ...


class GuestMaker(Protocol):
    """Makes insides: of a template, of an image, of a saved state."""

    def from_template(self, template: str, *, hostname: str) -> GuestLike:
        """A fresh system unpacked from a template archive."""
        ...

    def from_image(
        self, reference: str, *, hostname: str, env: Mapping[str, str], entrypoint: str | None
    ) -> GuestLike:
        """A fresh system whose one program is an OCI image's."""
        ...

    def from_dict(self, data: dict[str, Any]) -> GuestLike:
        """The state that `to_dict` gave."""
        ...


class HollowGuest:
    """An inside with nothing in it, for servers on which only the API matters."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def to_dict(self) -> dict[str, Any]:
        return self._data

    def prepare(self, cluster: "Cluster", container: "Container") -> None:
        self._data["hostname"] = container.config.get("hostname", "")

    def set_access(self, *, password: str | None, keys: str | None) -> None:
        self._data.update(password=password, keys=keys)

    def take_files(self, path: str) -> dict[str, Any]:
        return {}

    def put_files(self, files: dict[str, Any]) -> None:
        self._data.setdefault("files", {}).update(files)

    def add_service(self, name: str) -> None:
        self._data.setdefault("services", []).append(name)

    def boot(self) -> None:
        self._data["booted"] = True

    def shutdown(self) -> None:
        self._data["booted"] = False


class HollowGuests:
    """Makes hollow insides."""

    def from_template(self, template: str, *, hostname: str) -> GuestLike:
        return HollowGuest({"template": template, "hostname": hostname})

    def from_image(
        self, reference: str, *, hostname: str, env: Mapping[str, str], entrypoint: str | None
    ) -> GuestLike:
        return HollowGuest({"image": reference, "hostname": hostname})

    def from_dict(self, data: dict[str, Any]) -> GuestLike:
        return HollowGuest(dict(data))
