"""Every RPC of the platform, as its options declare it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from proximity.apps.v1 import apps_service_pb2
from proximity.auth.v1 import auth_service_pb2
from proximity.backups.v1 import backups_service_pb2
from proximity.catalog.v1 import catalog_service_pb2
from proximity.common.v1 import access_pb2, rules_pb2
from proximity.inventory.v1 import container_service_pb2, inventory_service_pb2

from services.common.rpc.interceptors.authorization import Rule, rule_of

LIST = Path(__file__).parent / "access.txt"  # who may call what, as it was reviewed
FILES = (
    apps_service_pb2,
    auth_service_pb2,
    backups_service_pb2,
    catalog_service_pb2,
    container_service_pb2,
    inventory_service_pb2,
)


@dataclass(frozen=True)
class Rpc:
    """One RPC."""

    method: MethodDescriptor

    @property
    def service(self) -> str:
        return str(self.method.full_name.split(".")[1])

    @property
    def name(self) -> str:
        """`apps.AppsService/DeployApp`."""
        return f"{self.service}.{self.method.containing_service.name}/{self.method.name}"

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def rule(self) -> Rule:
        return rule_of(self.method)

    @property
    def access(self) -> str:
        number = self.rule.access
        name = access_pb2.Access.DESCRIPTOR.values_by_number[number].name
        return str(name).removeprefix("ACCESS_").lower()


def list_rpcs() -> Iterator[Rpc]:
    """Every RPC that a service of ours serves."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield Rpc(method)


def describe(rpc: Rpc) -> str:
    """Who may call it, in one line."""
    who = ", ".join(sorted(rpc.rule.callers)) if rpc.access == "internal" else rpc.access
    recent = ", recent sign-in" if rpc.rule.recent_sign_in else ""
    return f"{rpc.name:<58} {who:<34} {'write' if rpc.rule.writes else 'read'}{recent}"


def render_list() -> str:
    """Render who may call what, an RPC a line."""
    return "".join(f"{line}\n" for line in sorted(describe(rpc) for rpc in list_rpcs()))


def make_request(rpc: Rpc, known: dict[str, object]) -> Message:
    """A request that the rules of the fields let pass, with `known` values by field name."""
    request = GetMessageClass(rpc.method.input_type)()
    for field in rpc.method.input_type.fields:
        value = known.get(field.name)
        if isinstance(value, list) and field.is_repeated:
            getattr(request, field.name).extend(value)
            continue
        if value is not None and isinstance(value, str) == (field.type == FieldDescriptor.TYPE_STRING):
            setattr(request, field.name, value)
            continue
        rules = field.GetOptions().Extensions[rules_pb2.rules]
        if rules.required and not field.is_repeated and field.message_type is None:
            setattr(request, field.name, _sample(field, rules))
    return request


def _sample(field: FieldDescriptor, rules: rules_pb2.Rules) -> object:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"x"
    if field.type != FieldDescriptor.TYPE_STRING:
        return int(rules.min) if rules.HasField("min") else 1
    allowed = list(getattr(rules, "in"))
    return allowed[0] if allowed else "x" * max(rules.min_len, 3)


if __name__ == "__main__":
    LIST.write_text(render_list())
