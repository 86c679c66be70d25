"""TCP ports of containers, probed from here."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl

from services.inventory.domain.ports import PortProbe

_TIMEOUT_S = 2.0  # for the connection and the first line of an answer
_CLOSE_TIMEOUT_S = 1.0  # TLS waits for the other side to close too


class TcpPortProber:
    """Opens connections to ports."""

    async def probe(self, address: str, port: int, *, scheme: str, path: str) -> PortProbe:
        """See `PortProber.probe`."""
        context: ssl.SSLContext | None = None
        if scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = (
                False,
                ssl.CERT_NONE,
            )  # whether it answers, not who it is
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(address, port, ssl=context)
                if scheme == "tcp":
                    return PortProbe(answered=True, address=address)
                host = f"[{address}]" if ":" in address else address
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
                )
                status = re.match(rb"HTTP/\S{1,8} (\d{3})", await reader.readline())
        except ValueError:  # a line longer than the buffer: another protocol than HTTP
            status = None
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            why = str(error) or "timed out"
            refused = isinstance(error, ConnectionError | asyncio.IncompleteReadError | ssl.SSLError)
            message = f"{address}:{port} does not answer: {why}"
            return PortProbe(answered=False, address=address, message=message, reached=refused)
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError, TimeoutError):
                    await asyncio.wait_for(writer.wait_closed(), _CLOSE_TIMEOUT_S)
        if status is None:
            return PortProbe(answered=False, address=address, message=f"{address}:{port} does not speak HTTP")
        return PortProbe(answered=True, address=address, http_status=int(status.group(1)))
