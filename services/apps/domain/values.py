"""Values of an app: changes, secrecy, and what may be shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.apps.domain.entities import App
from services.apps.domain.errors import NotAvailableError
from services.clients.catalog.values import Rendering
from services.common.core.errors import InvalidError, Violation, invalid_field
from services.common.core.text import MASK, find_credentials


@dataclass(frozen=True, kw_only=True)
class ValueChanges:
    """Changes of an app's values that a caller asks for.

    Attributes:
        environment: values to set, by input or variable.
        unset: names of values to remove.
        secret: whether a value is secret, where the catalog item does not decide that.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    unset: Collection[str] = ()
    secret: Mapping[str, bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is requested."""
        return bool(self.environment or self.unset or self.secret)


@dataclass(frozen=True, kw_only=True)
class NewValues:
    """All values of an app after a change, for the catalog to render; `is_changed` says whether one differs."""

    values: Mapping[str, str] = field(repr=False)
    secret: Mapping[str, bool]
    is_changed: bool


def change_values(app: App, changes: ValueChanges) -> NewValues:
    """Return the values of an app after a change; a value that is given as it is shown stands for itself.

    Raises:
        InvalidError: a value to be removed is not there, or is given as well.
        NotAvailableError: the app was adopted.
    """
    if app.adopted and changes:
        raise NotAvailableError(f"{app.id} was adopted; its environment is not managed")
    shown, before = app.visible_environment, app.given
    for name in changes.unset:
        if name in changes.environment:
            raise invalid_field(f"environment.{name}", "is given and removed at once; leave one of both out")
        if name not in before:
            raise invalid_field(f"environment.{name}", f"{app.id} has no such value that could be removed")
    # Clients send a form back as they got it: a masked value is no change.
    given = {name: value for name, value in changes.environment.items() if value != shown.get(name)}
    refuse_masks(given)
    after = {name: value for name, value in {**before, **given}.items() if name not in changes.unset}
    return NewValues(
        values=after,
        secret={**find_flags(app), **changes.secret},
        is_changed=after != dict(before) or bool(changes.unset),
    )


def refuse_masks(values: Mapping[str, str]) -> None:
    """Refuse values that were copied from where they are masked: the asterisks would take the secret's place.

    Raises:
        InvalidError: a value is a mask, or holds one where a URL or connection string has its password.
    """
    for name, value in values.items():
        if value == MASK or MASK in find_credentials(value):
            raise invalid_field(
                f"environment.{name}",
                f"{MASK} stands for a value that is there, and there is none; give the secret",
            )


def list_disclosed(app: App, changes: ValueChanges) -> list[str]:
    """Return the names of secret values that are there and that a change of flags would show."""
    return [
        name
        for name, is_secret in changes.secret.items()
        if not is_secret
        and name in app.secret_names
        and name in app.given
        and name not in changes.unset
        and changes.environment.get(name, MASK) == MASK
    ]


def find_flags(app: App) -> dict[str, bool]:
    """Return which values of an app are secret, for the catalog to respect when it renders them again.

    Only a record of this release says that a value may be shown: earlier ones went by its name.
    """
    flags = dict.fromkeys(app.secret_names, True)
    if app.rendering.is_without_values:
        flags |= {name: False for name in app.given if name not in flags}
    return flags


def check_flags(secret: Mapping[str, bool], rendering: Rendering) -> None:
    """Refuse flags that have no effect.

    Raises:
        InvalidError: with a violation for each that names no value, or shows what the item declares as secret.
    """
    violations = []
    for name, is_secret in secret.items():
        if name not in rendering.inputs:
            violations.append(Violation(f"secret.{name}", "has no value here; give it one in environment"))
        elif not is_secret and name in rendering.secret_names:
            violations.append(Violation(f"secret.{name}", f"{rendering.catalog_id} declares it as secret"))
    if violations:
        raise InvalidError(f"{violations[0].field}: {violations[0].description}", violations=violations)


def list_masked(app: App) -> list[str]:
    """Return the names of the values that are not, or not wholly, shown."""
    return [name for name, shown in app.visible_environment.items() if shown != app.given[name]]


def reveal_values(app: App, names: Sequence[str]) -> dict[str, str]:
    """Return values in clear.

    Raises:
        InvalidError: no name is given, or the app has no value of one.
    """
    if not names:
        raise invalid_field("names", "names no value; the app's `masked` has those that are not shown")
    # All or none: a partial answer would hide a misspelled name.
    for position, name in enumerate(names):
        if name not in app.given:
            known = ", ".join(sorted(app.given)) or "none"
            raise invalid_field(f"names[{position}]", f"{app.id} has no value {name!r}; it has: {known}")
    return {name: app.given[name] for name in names}
