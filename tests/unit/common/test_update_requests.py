"""Requests that change something: each field that a client may send reaches the changes that the use case gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from proximity.apps.v1 import apps_service_pb2
from proximity.auth.v1 import auth_service_pb2
from proximity.backups.v1 import policy_pb2
from proximity.common.v1 import rules_pb2
from proximity.inventory.v1 import container_service_pb2, inventory_service_pb2, settings_pb2

from services.apps.convert.apps import parse_app_changes
from services.auth.convert.users import parse_account_changes, parse_profile
from services.backups.convert.policies import parse_changes, parse_limit_changes
from services.backups.convert.settings import parse_setting_changes
from services.inventory.convert.containers import parse_archive_changes
from services.inventory.convert.hosts import parse_host_changes
from services.inventory.convert.settings import (
    parse_network_changes,
    parse_resource_changes,
    parse_user_networks,
)

# Each kind of request, what parses its changes, and the fields that name what is changed.
PARSERS: tuple[tuple[type[Message], tuple[Callable[[Any], Any], ...], set[str]], ...] = (
    (apps_service_pb2.UpdateAppRequest, (parse_app_changes,), {"app_id"}),
    (auth_service_pb2.UpdateCurrentUserRequest, (parse_profile,), set()),
    (auth_service_pb2.UpdateUserRequest, (parse_account_changes,), {"id"}),
    (policy_pb2.UpdateBackupPolicyRequest, (parse_changes,), {"policy_id"}),
    (policy_pb2.UpdateBackupPolicyLimitsRequest, (parse_limit_changes,), set()),
    (policy_pb2.UpdateBackupSettingsRequest, (parse_setting_changes,), set()),
    (inventory_service_pb2.UpdateHostRequest, (parse_host_changes,), {"id"}),
    (settings_pb2.UpdateResourceSettingsRequest, (parse_resource_changes,), set()),
    (settings_pb2.UpdateNetworkSettingsRequest, (parse_network_changes, parse_user_networks), set()),
    (container_service_pb2.UpdateArchiveRequest, (parse_archive_changes,), {"host_id", "volume_id"}),
)


def list_fields() -> Iterator[Any]:
    for kind, parsers, keys in PARSERS:
        for field in kind.DESCRIPTOR.fields:
            if field.name not in keys:
                yield pytest.param(kind, field, parsers, id=f"{kind.DESCRIPTOR.name}.{field.name}")


def send(kind: type[Message], field: FieldDescriptor) -> Message:
    """Make a request that names one field, with a value that its rules let pass."""
    request = kind()
    choices = list(getattr(field.GetOptions().Extensions[rules_pb2.rules], "in"))
    value = choices[0] if choices else "x" if field.type == field.TYPE_STRING else 1
    target = getattr(request, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        target["NAME"] = True if field.message_type.fields_by_name["value"].type == field.TYPE_BOOL else "x"
    elif field.is_repeated:
        target.append(value)
    elif field.message_type is not None:
        target.SetInParent()
    else:
        setattr(request, field.name, value)
    return request


def is_change(parsed: Any) -> bool:
    """Whether anything is to change; changes of several kinds are in the attributes of one value."""
    return parsed is not None and (bool(parsed) if hasattr(parsed, "given") else any(vars(parsed).values()))


@pytest.mark.parametrize(("kind", "field", "parsers"), list(list_fields()))
def test_each_field_of_an_update_changes_something(
    kind: type[Message], field: FieldDescriptor, parsers: tuple[Callable[[Any], Any], ...]
) -> None:
    parsed = [parse(send(kind, field)) for parse in parsers]
    assert any(isinstance(each, list) or is_change(each) for each in parsed), "name it in the patch"


@pytest.mark.parametrize(("kind", "parsers"), [(kind, parsers) for kind, parsers, _ in PARSERS])
def test_a_request_without_fields_changes_nothing(
    kind: type[Message], parsers: tuple[Callable[[Any], Any], ...]
) -> None:
    assert not any(is_change(parse(kind())) for parse in parsers)
