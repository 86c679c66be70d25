"""Graceful shutdown of a server: it refuses new calls, finishes open ones, and answers UNAVAILABLE where it cannot.

Calls that reach a server which ends, and those that it had not yet begun, gRPC itself answers with CANCELLED, and so it
does with those that still run when their time is over. The two must be distinguished: the first the gateway asks of another
replica, writes too, the second may have been done. So the second never get that far.
"""

from __future__ import annotations

import asyncio

import grpc

from services.common.rpc.interceptors.deadline import end_calls, end_listening

_LAST_S = 1.0  # for the answers of those that are ended, and for those that have less than that anyway


async def drain(server: grpc.aio.Server, seconds: float) -> None:
    """Stop `server` within `seconds`, of which calls under way get all but the last."""
    stopping = asyncio.ensure_future(server.stop(seconds))
    end_listening()
    done, _ = await asyncio.wait([stopping], timeout=seconds - _LAST_S)
    if not done:
        end_calls()
    await stopping
