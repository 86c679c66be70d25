"""The command line asks for the password where the platform demands a recent sign-in, and only at a terminal."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import typer
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from proximity.apps.v1 import apps_service_pb2 as apps_pb
from proximity.auth.v1 import auth_service_pb2 as auth_pb
from proximity.auth.v1 import user_pb2
from proximity_cli.connection import Platform
from proximity_cli.failures import CliError
from proximity_cli.session import Session, write_session

REQUEST = apps_pb.RevealSecretsRequest(app_id="a-1", names=["PW"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class World:
    """A platform that reveals values to the token that a step-up gives."""

    passwords: list[str] = field(default_factory=list)

    def reveal(
        self, request: apps_pb.RevealSecretsRequest, context: grpc.ServicerContext
    ) -> apps_pb.RevealSecretsResponse:
        if ("authorization", "Bearer recent") not in context.invocation_metadata():
            packed = any_pb2.Any()
            packed.Pack(error_details_pb2.ErrorInfo(reason="STEP_UP_REQUIRED", domain="proximity"))
            code = grpc.StatusCode.UNAUTHENTICATED.value[0]
            status = status_pb2.Status(code=code, message="sign in again", details=[packed])
            context.abort_with_status(rpc_status.to_status(status))
        return apps_pb.RevealSecretsResponse(app_id=request.app_id, values={"PW": "hunter2"})

    def step_up(self, request: auth_pb.StepUpRequest, context: grpc.ServicerContext) -> user_pb2.AccessToken:
        self.passwords.append(request.password)
        if request.password != "right":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong")
        return user_pb2.AccessToken(access="recent", expires_in=600)

    def add_to(self, server: grpc.Server) -> None:
        for service, name, behaviour, request in (
            ("proximity.apps.v1.AppsService", "RevealSecrets", self.reveal, apps_pb.RevealSecretsRequest),
            ("proximity.auth.v1.AuthService", "StepUp", self.step_up, auth_pb.StepUpRequest),
        ):
            handler = grpc.unary_unary_rpc_method_handler(
                behaviour,
                request_deserializer=request.FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def platform(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("PROXIMITY_CONFIG_DIR", str(tmp_path))
    for name in ("PROXIMITY_URL", "PROXIMITY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    world.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    session = Session(url=f"http://127.0.0.1:{port}", access="old", refresh="r", expires_at=time.time() + 600)
    write_session(session)
    yield Platform(session)
    server.stop(None)


def answer(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: password)


def test_the_password_is_asked_for_and_the_call_made_again(
    platform: Platform, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "right")
    for call in (platform.change, platform.create):
        assert call(platform.apps.RevealSecrets, REQUEST).values["PW"] == "hunter2"
    assert world.passwords == ["right"]


def test_a_wrong_password_is_said_to_be_wrong(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "wrong")
    with pytest.raises(CliError, match="Wrong password"):
        platform.change(platform.apps.RevealSecrets, REQUEST)


def test_a_program_is_asked_for_nothing(
    platform: Platform, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("right\n"))
    with pytest.raises(grpc.RpcError):
        platform.change(platform.apps.RevealSecrets, REQUEST)
    assert world.passwords == []
