"""Pictures of imported items: a store and a web in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.pictures import Picture


class FakePictureStore:
    """Pictures of one source in memory; implements `PictureStore`."""

    def __init__(self) -> None:
        self.found: dict[str, Picture | str] = {}

    async def find_picture(self, source: str, location: str) -> Picture | None:
        found = self.found.get(location)
        return found if isinstance(found, Picture) else None

    async def list_stored(self) -> set[tuple[str, str]]:
        return {("shop", location) for location, found in self.found.items() if isinstance(found, Picture)}

    async def list_known(self, source: str, *, failed_after: datetime) -> Mapping[str, int]:
        return dict.fromkeys(self.found, 1)

    async def set_picture(
        self, source: str, location: str, picture: Picture | None, *, error: str = ""
    ) -> None:
        self.found[location] = picture or error

    async def remove_others(self, source: str, locations: Collection[str]) -> None:
        self.found = {key: value for key, value in self.found.items() if key in locations}


class FakePictureFetcher:
    """Addresses that answer; implements `PictureFetcher` and records the requests."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = answers
        self.requests: list[str] = []

    async def fetch_picture(self, url: str, *, limit: int) -> bytes:
        self.requests.append(url)
        name = url.rpartition("/")[2]
        if name not in self.answers:
            raise SourceFetchError(f"{url} answered 404")
        return self.answers[name]
