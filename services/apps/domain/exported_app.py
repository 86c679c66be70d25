"""Apps as documents, with which another platform imports them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from services.apps.domain.config import AppConfig, parse_config
from services.apps.domain.errors import DocumentTooNewError
from services.apps.domain.rendering import AppRendering
from services.common.core.errors import InvalidError, Violation, invalid_field
from services.common.core.text import find_control, is_blank

FORMAT = "proximity-app"
FORMAT_VERSION = 1  # raised when an earlier release would misread a document
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_HOSTNAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")
_RUNTIMES = ("compose", "oci", "adopted")


@dataclass(frozen=True, kw_only=True)
class ExportedApp:
    """An app of a document; see `AppExport` in the protos for what the fields mean.

    Attributes:
        config: its resources, and the image and port that were requested.
        rendering: its definition, and the network as it was requested.
    """

    id: str
    name: str
    hostname: str
    catalog_id: str
    revision: str
    runtime: str
    adopted: bool
    internal_port: int | None
    public_port: int | None
    published: bool
    config: AppConfig
    rendering: AppRendering
    environment: Mapping[str, str]
    inputs: Mapping[str, str]
    secret_names: tuple[str, ...]
    hidden_environment: tuple[str, ...]
    hidden_inputs: tuple[str, ...]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the values that are not in the document in clear."""
        return tuple(sorted({*self.hidden_environment, *self.hidden_inputs}))

    @property
    def is_deployable(self) -> bool:
        """Whether it can run without its archive."""
        return bool(self.rendering.compose or self.rendering.image)


@dataclass(frozen=True, kw_only=True)
class ExportedArchive:
    """The archive that belongs to a document; `size` in bytes."""

    file_name: str
    size: int
    encrypted: bool = False


@dataclass(frozen=True, kw_only=True)
class SealedValues:
    """Values of a document under a passphrase; binary fields in base64."""

    kdf: str
    salt: str
    n: int
    r: int
    p: int
    cipher: str
    nonce: str
    ciphertext: str
    check: str


@dataclass(frozen=True, kw_only=True)
class ExportedDocument:
    """A document that was read and checked.

    Attributes:
        authenticated: the document without its sealed values, in one form; the seal covers it.
    """

    product_version: str
    app: ExportedApp
    authenticated: bytes = field(repr=False)
    archive: ExportedArchive | None = None
    sealed: SealedValues | None = None
    policies: tuple[str, ...] = ()


def check_format(raw: Mapping[str, Any]) -> None:
    """Refuse what is no document, or one of a later format, before anything else of it is read.

    Raises:
        InvalidError: it is something else.
        DocumentTooNewError: a later release wrote it.
    """
    if raw.get("format") != FORMAT:
        raise _refuse("format", f"is not {FORMAT!r}: this is no document of an app's export")
    version = raw.get("format_version")
    # JSON has one kind of number: 1 arrives as 1.0, and Python takes True for 1.
    if isinstance(version, bool) or not isinstance(version, int | float) or not math.isfinite(version):
        raise _refuse("format_version", "is no number")
    if version > FORMAT_VERSION:
        problem = (
            f"the document has format {version:g} and was written by Proximity "
            f"{str(raw.get('product_version') or 'of a later release')[:40]}; this platform reads format {FORMAT_VERSION}: "
            "update it first"
        )
        raise DocumentTooNewError(
            f"document: {problem}", violations=[Violation("document.format_version", problem)]
        )
    if version != FORMAT_VERSION:
        raise _refuse("format_version", f"{version:g} is no format; there is {FORMAT_VERSION}")


def check_app(app: ExportedApp) -> None:
    """Refuse values of a document that no app can have, as after a change by hand.

    Raises:
        InvalidError: naming the field.
    """
    texts = (
        ("catalog_id", app.catalog_id, _ID, "must be the id of a catalog item"),
        ("hostname", app.hostname, _HOSTNAME, "must be a host name of 3 to 63 characters"),
    )
    for name, value, pattern, demand in texts:
        if not pattern.fullmatch(value):
            raise _refuse(f"app.{name}", f"{value[:80]!r} {demand}")
    if not 0 < len(app.name) <= 100 or find_control(app.name) or is_blank(app.name):
        raise _refuse("app.name", "must have 1 to 100 printable characters")
    if app.runtime not in _RUNTIMES:
        raise _refuse("app.runtime", f"{app.runtime[:80]!r} is not one of {', '.join(_RUNTIMES)}")
    for name in ("internal_port", "public_port"):
        port = getattr(app, name)
        if port is not None and not 0 < port < 65536:
            raise _refuse(f"app.{name}", f"{port} is no TCP port")
    # Names end in `.env` and in arguments of commands, where a line feed would begin another one.
    for name in (*app.environment, *app.inputs, *app.hidden, *app.secret_names):
        if not _VARIABLE.fullmatch(name):
            raise _refuse("app.environment", f"{name[:80]!r} is no name of a value")
    _check_compose(app.rendering.compose)


def parse_resources(resources: Mapping[str, Any]) -> AppConfig:
    """Parse the settings of a document's app, which another release may limit otherwise; 0 or empty: not set.

    Raises:
        InvalidError: one is out of range.
    """
    try:
        return parse_config({name: value for name, value in resources.items() if value or name == "swap"})
    except InvalidError as error:
        raise _refuse("app.resources", error.message.removeprefix("config.")) from error


def _check_compose(text: str) -> None:
    if not text:
        return
    try:
        # `safe_load`: tags of the full loader make objects, and so run code of the document's author.
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _refuse("app.definition.compose", "is no YAML") from error
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not all(isinstance(one, dict) for one in services.values()):
        raise _refuse("app.definition.compose", "is no Compose file: it has no services")


def _refuse(name: str, problem: str) -> InvalidError:
    return invalid_field(f"document.{name}", problem)
