"""Proxies on loopback that behave: HTTP with CONNECT and passwords, SOCKS 4a and 5.

Each knows names that nobody else can resolve, so that a test sees who did it, and
remembers what it was asked.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from struct import unpack
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"
ONLY_HERE = "only-the-proxy-knows.invalid"
"""A name that no resolver has."""

_SIZE = 1 << 16
_GONE = (OSError, asyncio.IncompleteReadError)


class Proxy(ABC):
    """What all of them share: who is connected, what was asked, bytes both ways.

    `login` is `user:password`, where one is needed.
    """

    scheme = "http"

    def __init__(
        self, *, login: str = "", tls: ssl.SSLContext | None = None, refusal: str = ""
    ) -> None:
        self.connections = 0
        self.most_concurrent = 0
        self.asked: list[str] = []
        """`host:port` as it was named to us, of each tunnel and each request."""
        self.heads: list[bytes] = []
        """What came before anything was passed on."""
        self._login = login
        self._tls = tls
        self._refusal = refusal
        self._names: Mapping[str, str] = {ONLY_HERE: HOST}
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._attend, HOST, 0, ssl=self._tls, backlog=512
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def url(self, login: str = "", scheme: str = "") -> str:
        """What `--proxy` takes."""
        userinfo = f"{login}@" if login else ""
        return f"{scheme or self.scheme}://{userinfo}{HOST}:{self.port}"

    async def _attend(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.most_concurrent = max(self.most_concurrent, len(self._tasks))
        try:
            with suppress(*_GONE, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    @abstractmethod
    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Speak with one client, in the protocol of this kind of proxy."""

    async def _tunnel(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        target: tuple[str, int],
        *,
        first: bytes = b"",
    ) -> None:
        """Pass on bytes both ways, until either side has ended."""
        reader, writer = client
        far_reader, far_writer = await self._reach(*target)
        try:
            far_writer.write(first)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, far_writer))
                group.create_task(_pump(far_reader, writer))
        except* _GONE:
            pass
        finally:
            far_writer.transport.abort()

    async def _reach(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append(f"{host}:{port}")
        return await asyncio.open_connection(self._names.get(host, host), port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_SIZE):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError


class HttpProxy(Proxy):
    """Forwards requests of `http`, and opens tunnels for all else.

    Each connection serves one host: what comes first decides. `refusal` is a status
    line that every tunnel and request is answered with.
    """

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if not self._knows(head):
            await self._refuse(
                writer, "407 Login needed", 'Proxy-Authenticate: Basic realm="proxy"'
            )
        elif self._refusal:
            await self._refuse(writer, self._refusal)
        elif method == "CONNECT":
            host, _, port = target.rpartition(":")
            where = (host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\nETag: proxy\r\n\r\n")
            await self._tunnel((reader, writer), where)
        else:
            await self._forward((reader, writer), head, target)

    def _knows(self, head: bytes) -> bool:
        token = b64encode(self._login.encode())
        return not self._login or b"Proxy-Authorization: Basic " + token in head

    async def _refuse(
        self, writer: asyncio.StreamWriter, status: str, *fields: str
    ) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            *fields,
            "Content-Length: 0",
            "Connection: close",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def _forward(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        head: bytes,
        target: str,
    ) -> None:
        """All requests of this connection; an origin takes absolute targets as well."""
        parts = urlsplit(target)
        where = (parts.hostname or "", parts.port or 80)
        await self._tunnel(client, where, first=head)


class SocksProxy(Proxy):
    """SOCKS 5 (RFC 1928, 1929), and 4 with names; the scheme says which to ask for."""

    scheme = "socks5h"

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        version = (await reader.readexactly(1))[0]
        serve = self._serve_5 if version == 5 else self._serve_4
        await serve(reader, writer)

    async def _serve_5(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02" if self._login else b"\x05\x00")
        if self._login and not await self._admitted(reader, writer):
            return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await _text(reader)).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        (port,) = unpack("!H", await reader.readexactly(2))
        if self._refusal:
            writer.write(b"\x05" + bytes([int(self._refusal)]) + b"\0\x01" + bytes(6))
            await writer.drain()
            return
        writer.write(b"\x05\0\0\x01" + bytes(6))
        await self._tunnel((reader, writer), (host, port))

    async def _admitted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        await reader.readexactly(1)
        login = b":".join([await _text(reader), await _text(reader)])
        is_known = login == self._login.encode()
        writer.write(b"\x01\x00" if is_known else b"\x01\x01")
        await writer.drain()
        return is_known

    async def _serve_4(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        _, port, *address = unpack("!BH4B", await reader.readexactly(7))
        await reader.readuntil(b"\0")
        host = ".".join(map(str, address))
        if host.startswith("0.0.0."):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        writer.write(b"\0\x5a" + bytes(6))
        await self._tunnel((reader, writer), (host, port))


async def _text(reader: asyncio.StreamReader) -> bytes:
    """What stands behind its length."""
    return await reader.readexactly((await reader.readexactly(1))[0])
