"""Calls of every RPC as every principal."""

from __future__ import annotations

import dataclasses

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.security.conftest import Platform
from tests.security.principals import Principal, outcome_of, register
from tests.security.rpcs import Rpc, make_request

CALL_S = 60.0
STREAM_S = 1.5  # a stream that was admitted may be silent for ever; a refusal is its first answer


# Fields that the rules cannot make up: an action that needs no container, and what nobody has.
SAMPLES: dict[str, dict[str, object]] = {
    "CreateResetLink": {"id": 2_000_000_000},
    "DeleteUser": {"id": 2_000_000_000},
    "EndUserSessions": {"id": 2_000_000_000},
    "UpdateUser": {"id": 2_000_000_000},
    "DeleteApiToken": {"id": 2_000_000_000},
    "GetHost": {"id": 2_000_000_000},
    "UpdateHost": {"id": 2_000_000_000},
    "DeleteHost": {"id": 2_000_000_000},
    "TestHost": {"id": 2_000_000_000},
    "SyncHostNodes": {"id": 2_000_000_000},
    "AdoptContainer": {"vmid": 999_999, "node_name": "nowhere", "host_id": 2_000_000_000},
    "DestroyOrphan": {"vmid": 999_999, "host_id": 2_000_000_000},
    "RevealSecrets": {"names": ["ADMINER_DEFAULT_SERVER"]},
    "DestroyDuplicate": {"app_id": "nobody-00000000", "vmid": 999_999, "host_id": 2_000_000_000},
    "ReconcileApps": {"host_id": 2_000_000_000},
    "DiscoverContainers": {"host_id": 2_000_000_000},
    "AttachTerminal": {"token": ""},  # a newer one of the same user, of which the caller has none
}


def try_call(platform: Platform, rpc: Rpc, who: Principal) -> tuple[str, str]:
    """What came of a call, and what was said."""
    token = next(each.token for each in platform.principals if each.user_id)
    known = {**platform.estate.names, "token": token, **SAMPLES.get(rpc.method.name, {})}
    request = make_request(rpc, known)
    # A logout ends the session that asks for it; what needs a recent sign-in gets one, however long the suite takes.
    if (rpc.method.name == "Logout" or rpc.rule.recent_sign_in) and who.renew:
        who = dataclasses.replace(who, token=who.renew())
    if rpc.method.name == "DeleteOtherSessions" and who.renew:  # it ends the sessions that other cases use
        who = dataclasses.replace(who, token=register(platform.stack)[0]["access"])
    try:
        call(platform.channels[rpc.service], rpc, request, who.metadata(rpc))
    except grpc.RpcError as error:
        reason = find_reason(error)
        found = outcome_of(error, reason)
        if found == "NOT_FOUND" and rpc.access != "owner":
            found = "admitted"
        if rpc.access == "owner" and found == "admitted" and error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            found = "not asked: the request needs a sample"
        return found, f"{error.code().name} {reason}: {error.details()}"
    return "admitted", "OK"


def call(channel: grpc.Channel, rpc: Rpc, request: Message, metadata: tuple[tuple[str, str], ...]) -> None:
    """Call it; of a stream the first message is enough."""
    response = GetMessageClass(rpc.method.output_type)
    serialize, parse = type(request).SerializeToString, response.FromString
    if not rpc.method.server_streaming:
        channel.unary_unary(rpc.path, request_serializer=serialize, response_deserializer=parse)(
            request, metadata=metadata, timeout=CALL_S
        )
        return
    stream = channel.unary_stream(rpc.path, request_serializer=serialize, response_deserializer=parse)(
        request, metadata=metadata, timeout=STREAM_S
    )
    try:
        next(iter(stream), None)
    finally:
        stream.cancel()  # type: ignore[no-untyped-call]


def find_reason(error: grpc.RpcError) -> str:
    """The reason in the error's details."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            return str(info.reason)
    return ""
