"""The origin itself: who is connected, what they asked, and bytes on their way.

All connections are tasks of one group, which ends with the `async with`; what
was served is kept for assertions. The state here is the only mutable state of
the package beside a connection's own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import urlsplit

from engine.testing.answers import (
    Fault,
    Request,
    Resource,
    Response,
    Script,
    Then,
    asked,
    behave,
    plain,
)
from engine.testing.content import PIECE
from engine.testing.faults import Status
from engine.testing.wire import Wire

TICK = 0.01
"""Seconds of a paced connection's rate that go out at once."""
SLACK = 0.1
"""How late a paced connection may be and still catch up; a client that did not read
for longer does not get what it missed as a burst."""

OVERLOADED = Status(503)


@dataclass(frozen=True, slots=True)
class Counts:
    """What an origin has seen so far."""

    connections: int
    requests: int
    refused: int
    """Requests that came while it was serving as many as it may."""


class Origin:
    """An HTTP/1.1 server on loopback that behaves, except where a script says how not.

    `resources` may be changed while it runs: that is a file that changes. `uplink`
    is in bytes per second, for all its connections together.
    """

    def __init__(
        self,
        resources: Mapping[str, Resource],
        *,
        script: Script = (),
        max_connections: int | None = None,
        uplink: float | None = None,
        refusal: Fault = OVERLOADED,
        ssl: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.resources = dict(resources)
        self.requests: list[Request] = []
        self.connections = 0
        """Connections accepted so far."""
        self.most_concurrent = 0
        """Most connections that were open at the same time."""
        self.busy = 0
        """Requests that are being answered."""
        self.served = 0
        """Bytes of bodies that went out."""
        self.refused = 0
        """Requests that came while it was serving as many as it may."""
        self._script = script
        self._max_connections = max_connections
        self._uplink = Pace(uplink, 0.0)
        """What all its connections share."""
        self._refusal = refusal
        self._ssl = ssl
        self._address = (host, port)
        self._asked: Counter[str] = Counter()
        self._open: set[Wire] = set()
        self._news = asyncio.Event()
        self._owner = asyncio.TaskGroup()

    def __repr__(self) -> str:
        host, port = self._address
        return (
            f"Origin({host}:{port}, {len(self._open)} of {self.connections} "
            f"connections open, {len(self.requests)} requests, {self.served} bytes)"
        )

    async def __aenter__(self) -> Self:
        self._listener = socket.create_server(self._address, backlog=1024)
        self._listener.setblocking(False)
        self._address = self._listener.getsockname()
        await self._owner.__aenter__()
        self._serving = self._owner.create_task(self._serve())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._serving.cancel()
        try:
            # The group is not told of the caller's error: it would wrap it.
            await self._owner.__aexit__(None, None, None)
        finally:
            self._listener.close()
            # A task that is cancelled before its first step closes nothing.
            for wire in self._open:
                wire.discard()
            self._open.clear()

    @property
    def port(self) -> int:
        return self._address[1]

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def counts(self) -> Counts:
        return Counts(self.connections, len(self.requests), self.refused)

    def url(self, path: str = "/") -> str:
        scheme = "http" if self._ssl is None else "https"
        return f"{scheme}://{self._address[0]}:{self.port}{path}"

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something that came, left or was sent makes `reached` true."""
        while not reached():
            self._news.clear()
            await self._news.wait()

    def sever(self) -> None:
        """Reset every connection: an outage."""
        for wire in self._open:
            wire.sever()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            # Not sock_accept: cancelled at the wrong moment, it loses a socket.
            loop.add_reader(self._listener, self._accept, group)
            try:
                await asyncio.Event().wait()
            finally:
                loop.remove_reader(self._listener)

    def _accept(self, group: asyncio.TaskGroup) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                sock, _ = self._listener.accept()
                sock.setblocking(False)
                # asyncio only does it for sockets that say they are TCP's.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                wire = Wire(sock, self.connections)
                self._open.add(wire)
                self.most_concurrent = max(self.most_concurrent, len(self._open))
                group.create_task(self._attend(wire))
                self._news.set()

    async def _attend(self, wire: Wire) -> None:
        """One connection, from its handshake to its end."""
        try:
            with suppress(OSError):
                await wire.open(self._ssl)
                while await self._exchange(wire):
                    pass
                await wire.finish()
        finally:
            await wire.end()
            self._open.discard(wire)
            self._news.set()

    async def _exchange(self, wire: Wire) -> bool:
        """One request and its answer; whether another may follow."""
        try:
            request = self._read(await wire.head(), wire.number)
        except ValueError:
            await self._answer(wire, plain(400), close=True)
            return False
        self.requests.append(request)
        self.busy += 1
        self._news.set()
        try:
            return await self._reply(wire, request)
        finally:
            self.busy -= 1
            self._news.set()

    def _read(self, head: bytes, connection: int) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers: dict[str, str] = {}
        for line in lines:
            name, value = line.split(":", 1)
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        url = urlsplit(target)
        resource = self.resources.get(url.path)
        self._asked[url.path] += 1
        return Request(
            connection=connection,
            number=self._asked[url.path],
            method=method,
            path=url.path,
            query=url.query,
            version=version,
            headers=MappingProxyType(headers),
            range=asked(headers.get("range"), resource.content.size if resource else 0),
            busy=self.busy + 1,
            at=asyncio.get_running_loop().time(),
        )

    async def _reply(self, wire: Wire, request: Request) -> bool:
        resource = self.resources.get(request.path)
        response = self._decide(request, resource)
        delay = response.delay + (resource.latency if resource else 0.0)
        if delay:
            await wire.rest(delay)
        close = (
            request.headers.get("connection", "").lower() == "close"
            or "HTTP/1.0" in {request.version, response.version}
            or response.length == "close"
        )
        bodiless = request.method == "HEAD"
        return await self._answer(wire, response, close=close, bodiless=bodiless)

    def _decide(self, request: Request, resource: Resource | None) -> Response:
        correct = partial(behave, resource=resource)
        most = self._max_connections
        if most is not None and request.busy > most:
            self.refused += 1
            return self._refusal.answer(request, correct)
        own = resource and _next(resource.script, request)
        fault = own or _next(self._script, request)
        return fault.answer(request, correct) if fault else correct(request)

    async def _answer(
        self, wire: Wire, response: Response, *, close: bool, bodiless: bool = False
    ) -> bool:
        if response.raw is not None:
            await wire.send(response.raw)
            return await self._turn(wire, response)
        await wire.send(response.head(close=close))
        if bodiless:
            return not close
        start, turn, stop = response.span.start, response.turn_at, response.span.stop
        await self._pour(wire, response, start, turn, response.rate)
        if not await self._turn(wire, response):
            return False
        await self._pour(wire, response, turn, stop, response.rate_after)
        if response.length == "chunked":
            await wire.send(b"0\r\n\r\n")
        return not close

    async def _turn(self, wire: Wire, response: Response) -> bool:
        """What a response does in its middle; whether it goes on after it."""
        match response.then:
            case Then.GO_ON:
                return True
            case Then.FIN:
                return False
            case Then.RST:
                await wire.reset()
                return False
            case Then.HOLD:
                if response.until is None:
                    await wire.rest(None)
                else:
                    await response.until.wait()
                return True

    async def _pour(
        self, wire: Wire, response: Response, start: int, stop: int, rate: float | None
    ) -> None:
        pace = Pace(rate, asyncio.get_running_loop().time())
        most = min(pace.most, self._uplink.most)
        for piece in response.content.pieces(start, stop, most):
            await pace.turn(len(piece))
            await self._uplink.turn(len(piece))
            await wire.send(response.framed(piece))
            self.served += len(piece)
            self._news.set()


@dataclass(slots=True)
class Pace:
    """When the next piece of a body is due: deadlines, so that no lateness adds up."""

    rate: float | None
    due: float

    @property
    def most(self) -> int:
        """How large a piece may be."""
        return PIECE if self.rate is None else max(1, min(PIECE, int(self.rate * TICK)))

    def charge(self, size: int, now: float) -> float:
        """Take the time that `size` bytes need; how long to wait before they go."""
        if self.rate is None:
            return 0.0
        self.due = max(self.due, now - SLACK) + size / self.rate
        return self.due - now

    async def turn(self, size: int) -> None:
        """Wait for the turn of `size` bytes, and let others have theirs."""
        await asyncio.sleep(self.charge(size, asyncio.get_running_loop().time()))


def _next(script: Script, request: Request) -> Fault | None:
    if not isinstance(script, Sequence):
        return script(request)
    return script[request.number - 1] if request.number <= len(script) else None
