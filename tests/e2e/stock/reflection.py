"""A gRPC client that knows no protos: services and messages come from the server's reflection."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.e2e.stock.walk import Event

CALL_LIMIT_S = 120.0  # the first sign-in comes while a platform still starts: at load 20 it took longer than half a minute
STREAM_LIMIT_S = 240.0  # a loaded machine takes long for a deployment


class _ChannelOfVersion:
    """A channel on which grpcio-reflection, which speaks v1alpha alone, speaks another version: the messages are the same."""

    def __init__(self, channel: grpc.Channel, version: str) -> None:
        self._channel = channel
        self._version = version

    def stream_stream(self, method: str, *arguments: Any, **options: Any) -> Any:
        path = method.replace("grpc.reflection.v1alpha", f"grpc.reflection.{self._version}")
        return self._channel.stream_stream(path, *arguments, **options)


class ReflectionPlatform:
    """The platform by reflection, `version` is v1 or v1alpha."""

    def __init__(self, address: str, version: str) -> None:
        self.channel = grpc.insecure_channel(address)
        database = ProtoReflectionDescriptorDatabase(_ChannelOfVersion(self.channel, version))
        self._pool = DescriptorPool(database)
        self._metadata: tuple[tuple[str, str], ...] = ()
        self._services = {name.rsplit(".", 1)[1]: name for name in database.get_services()}

    def _call(self, method: str, *, timeout: float = CALL_LIMIT_S, **fields: Any) -> Any:
        service, _, name = method.partition(".")
        described = self._pool.FindServiceByName(self._services[service]).FindMethodByName(name)
        begin = self.channel.unary_stream if described.server_streaming else self.channel.unary_unary
        call: Any = begin(
            f"/{self._services[service]}/{name}",
            request_serializer=GetMessageClass(described.input_type).SerializeToString,
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        return call(GetMessageClass(described.input_type)(**fields), metadata=self._metadata, timeout=timeout)

    def sign_in(self, username: str, password: str) -> None:
        session = self._call("AuthService.Login", username=username, password=password)
        self._metadata = (("authorization", f"Bearer {session.access}"),)

    def deploy(self, hostname: str) -> str:
        return str(self._call("AppsService.DeployApp", catalog_id="adminer", hostname=hostname).id)

    def watch(self, app_id: str, after: str) -> Generator[Event, None, None]:
        events = self._call(
            "AppsService.StreamAppEvents", app_id=app_id, last_event_id=after, timeout=STREAM_LIMIT_S
        )
        try:
            for event in events:
                status = event.status
                removed = event.HasField("removed")
                yield Event(event.id, status=status.status, message=status.message, is_removal=removed)
        finally:
            events.cancel()

    def back_up(self, app_id: str) -> int:
        return int(self._call("BackupsService.CreateBackup", app_id=app_id).id)

    def read_backup_status(self, app_id: str, backup_id: int) -> str:
        return str(self._call("BackupsService.GetBackup", app_id=app_id, backup_id=backup_id).status)

    def restore(self, app_id: str, backup_id: int) -> None:
        self._call("BackupsService.RestoreBackup", app_id=app_id, backup_id=backup_id)

    def remove(self, app_id: str) -> None:
        self._call("AppsService.DeleteApp", app_id=app_id)
