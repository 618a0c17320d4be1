"""One accepted connection: what the client said, room to write, and how it ends.

Three laws:
1. A client that leaves is a ConnectionError in whoever waits for it, and only there.
2. `send` returns when the kernel has everything, so at most one piece is buffered.
3. After `end` nothing of the connection is left, whatever happened before.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from contextlib import suppress

MOST_HEAD = 1 << 16


class Wire(asyncio.Protocol):
    """A connection, from its socket on; the transport owns the socket once it is open."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.number = number
        self._socket = sock
        self._transport: asyncio.Transport | None = None
        self._heard = bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._lost = asyncio.Event()

    def __repr__(self) -> str:
        state = "lost" if self._lost.is_set() else "open"
        return f"Wire({self.number}, {state})"

    async def open(self, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: self, self._socket, ssl=context)

    async def head(self) -> bytes:
        """The next request, up to its blank line."""
        while (end := self._heard.find(b"\r\n\r\n")) < 0:
            if len(self._heard) > MOST_HEAD:
                raise ValueError("a head without an end")
            self._news.clear()
            self._demand()
            await self._news.wait()
        head = bytes(self._heard[:end])
        del self._heard[: end + 4]
        return head

    async def send(self, data: bytes | memoryview) -> None:
        self._demand().write(data)
        await self._room.wait()
        self._demand()

    async def rest(self, seconds: float | None) -> None:
        """Say nothing for so long, or for ever, while the client is there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        self._demand()

    async def finish(self) -> None:
        """Close once everything is out."""
        self._demand().close()
        await self._lost.wait()

    async def reset(self) -> None:
        """Break off with a RST once the client's machine has all that was sent."""
        # No event tells of an acknowledgement.
        while (  # noqa: ASYNC110
            _unacknowledged(self._socket) and not self._lost.is_set()
        ):
            await asyncio.sleep(0.001)
        self.sever()

    def sever(self) -> None:
        """Break off with a RST."""
        with suppress(OSError):
            hard = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
            if self._transport is None:
                # A handshake has the socket in hand: let it find out by itself.
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._transport is not None:
            self._transport.abort()

    async def end(self) -> None:
        if self._transport is None:
            self.discard()
        else:
            self._transport.abort()
            await self._lost.wait()

    def discard(self) -> None:
        """End a connection that was never open."""
        self._socket.close()

    def _demand(self) -> asyncio.Transport:
        if self._transport is None or self._lost.is_set():
            raise ConnectionResetError("the client left")
        return self._transport

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # Not 0: with TLS that means "always full".
        transport.set_write_buffer_limits(high=1, low=0)
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        self._news.set()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost.set()
        self._news.set()
        self._room.set()


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes the peer's kernel does not have yet; 0 where this one does not tell."""
    try:
        answer = fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return 0
    return int.from_bytes(answer, "little")
