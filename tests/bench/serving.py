"""`python -m tests.bench.serving SERVICE`: a service as it ships, with its floor beside it; or the bare server."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import os
import runpy
import sys
from typing import Any

import grpc
import uvloop
from google.protobuf import empty_pb2

from services.common.process import lifecycle as process
from tests.bench.floor import BARE, FloorHandlers, describe_floor, make_answer


def serve_with_floor(owner: str) -> None:
    """Run `services.<owner> serve` with one more service."""
    serve = process.serve

    async def serve_both(service: process.Service) -> None:
        floor = {describe_floor(owner): FloorHandlers(owner)}
        await serve(dataclasses.replace(service, handlers={**service.handlers, **floor}))

    server = importlib.import_module(f"services.{owner}.server")
    for place in (process, server):  # it was imported before where this process was forked
        for name, held in vars(place).copy().items():
            if held is serve:
                setattr(place, name, serve_both)
    sys.argv = [f"services.{owner}", "serve"]
    runpy.run_module(f"services.{owner}", run_name="__main__")


async def serve_bare(listen: str) -> None:
    """A grpc.aio server with nothing around its handler, until it is ended."""
    answer = make_answer(BARE)

    async def get_floor(_request: Any, _context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        get_floor,
        request_deserializer=empty_pb2.Empty.FromString,
        response_serializer=type(answer).SerializeToString,
    )
    server = grpc.aio.server()
    name = describe_floor(BARE).full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"GetFloor": handler}),))
    server.add_insecure_port(listen)
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == BARE:
        uvloop.run(serve_bare(os.environ["LISTEN"]))
    else:
        serve_with_floor(sys.argv[1])
