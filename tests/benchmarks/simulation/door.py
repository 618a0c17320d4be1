"""What stands for the transport: answers of computed hosts, to the same calls.

A response has what the engine uses of one; its bytes are zeros, and all the same
ones. Connections are kept where a body was read whole, and lost where it was not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from math import inf
from types import SimpleNamespace, TracebackType
from typing import Self
from urllib.parse import urlsplit

from engine.errors import Fault
from engine.limiter import Limiter
from engine.model import Header
from engine.transport import Headers
from tests.benchmarks.simulation.network import Connection, Flow, Host, Network
from tests.benchmarks.simulation.sites import Break

CALLBACK = 16 * 1024
"""Bytes that curl hands over at once."""
HIGH_MARK = 2 * 1024 * 1024
RECEIVE_BUFFER = 1024 * 1024
"""Bytes that the kernel takes while nobody reads."""
SYN_AGAIN = 1.0
"""Seconds until what an outage swallowed is sent again."""

_ZEROS = memoryview(bytes(HIGH_MARK + RECEIVE_BUFFER))


def size_of(url: str) -> int:
    """How long a file is: its name says so."""
    return int(urlsplit(url).path.rpartition("-")[2])


class Response:
    """One answer; its body comes as the network brings it."""

    def __init__(
        self, door: Door, connection: Connection, url: str, limiter: Limiter
    ) -> None:
        self.url = url
        self.number = connection.host.requests
        """Of its request, among those of the host."""
        self.status = 0
        self.headers = Headers()
        self.is_throttled = False
        self.is_complete = False
        self._door = door
        self._network = door.network
        self._connection: Connection | None = connection
        self._limiter = limiter
        self._flow: Flow | None = None
        self._wake = asyncio.Event()
        self._held = self._backlog = 0
        """Bytes that curl has handed over, and that the kernel holds."""
        self._left = 0
        """Bytes that have yet to come."""
        self._breaks: Break | None = None
        """What happens then instead of an end."""
        self._has_ended = False
        self._error: Fault | None = None

    # -- what the engine calls ---------------------------------------------------

    async def read(self) -> tuple[memoryview, ...]:
        while not self._held:
            if self._has_ended:
                if self._error is not None:
                    raise self._error
                return ()
            self._wake.clear()
            await self._wait()
        size, self._held = self._held, 0
        self._door.held -= size
        self._take_in()
        return (_ZEROS[:size],)

    async def peek(self, most: int) -> bytes:
        while self._held < most and not self._has_ended:
            self._wake.clear()
            await self._wait()
        return bytes(min(most, self._held))

    @property
    def is_held(self) -> bool:
        return self.is_throttled or self._held >= HIGH_MARK

    def abandon(self) -> None:
        self._has_ended = True
        self._wake.set()
        if self._connection is not None and not self.is_complete:
            self._leave(self._connection)

    def close(self) -> None:
        self.abandon()
        self._door.held -= self._held
        self._held = 0

    # -- what its host does --------------------------------------------------------

    def refuse(self, status: int, retry_after: int | None) -> None:
        """Say no, in a body that nobody needs."""
        self.status = status
        if retry_after is not None:
            self.headers.add(b"Retry-After: %d" % retry_after)
        self._end(None)

    def serve(self, start: int, stop: int, size: int, whole: bool) -> None:
        """Send a part."""
        self.status = 200 if whole else 206
        self.headers.add(b'ETag: "simulated"')
        self.headers.add(b"Content-Length: %d" % (stop - start))
        if not whole:
            self.headers.add(b"Content-Range: bytes %d-%d/%d" % (start, stop - 1, size))
        assert self._connection is not None
        connection, site = self._connection, self._connection.host.site
        self._left = stop - start
        breaks = _of(site.breaks, connection.number)
        if breaks is not None and self._left > breaks.after:
            self._breaks, self._left = breaks, breaks.after
        crawl = _crawl(connection, self.number)
        self._flow = Flow(self._network, connection, self._left, crawl, self._arrive)
        self._network.begin(self._flow)

    def _arrive(self, size: int) -> None:
        self._left -= size
        self._backlog += size
        self._take_in()

    def _take_in(self) -> None:
        """Hand over what the kernel holds, as far as limit and reader allow."""
        while self._backlog and self._held < HIGH_MARK and not self._has_ended:
            size = self._backlog
            if self._limiter.tightest is not None:
                size = min(size, CALLBACK)
            self.is_throttled = not self._limiter.admit(size, self._resume)
            if self.is_throttled:
                break
            self._backlog -= size
            self._held += size
            self._door.hold(size)
            self._wake.set()
        self._look()

    def _resume(self) -> None:
        if not self._has_ended:
            self.is_throttled = False
            self._take_in()

    def _look(self) -> None:
        flow = self._flow
        if flow is None or self._has_ended:
            return
        if not self._left and not self._backlog:
            self._come_to_the_end(flow)
            return
        is_paused = self._backlog >= RECEIVE_BUFFER
        if is_paused != flow.is_paused and (is_paused or not self._backlog):
            flow.settle()
            flow.is_paused = is_paused
            self._network.change()

    def _come_to_the_end(self, flow: Flow) -> None:
        if self._breaks is None:
            self._end(None)
            return
        self._network.end(flow)
        if not self._breaks.silent:
            self._end(Fault("connection reset", lost=True))

    def _end(self, error: Fault | None) -> None:
        connection = self._connection
        assert connection is not None
        self._error = error
        self._has_ended = self.is_complete = True
        if error is not None:
            self._leave(connection)
        else:
            self._connection = None
            self._stop_flow()
            connection.host.serving -= 1
            self._door.keep(connection)
        self._wake.set()

    def _leave(self, connection: Connection) -> None:
        """Hang up: the host learns of it later."""
        self._connection = None
        self._stop_flow()
        self._door.hung_up(connection)

    def _stop_flow(self) -> None:
        if self._flow is not None:
            self._network.end(self._flow)
            self._flow = None

    async def _wait(self) -> None:
        timeout = self._door.stall_timeout
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            if not self.is_throttled:
                raise Fault(f"nothing received for {timeout:g} s") from None


class Door:
    """In the place of the transport."""

    def __init__(
        self, network: Network, *, stall_timeout: float, connect_timeout: float
    ) -> None:
        self.network = network
        self.stall_timeout = stall_timeout
        self.trace: Callable[[str], None] | None = None
        self.turn = SimpleNamespace(budget=None)
        self.held = self.most_held = 0
        self.also_held: Callable[[], int] = int
        self.flying = self.most_flying = 0
        self._connect_timeout = connect_timeout
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for flow in list(self.network.flows):
            self.network.end(flow)

    async def get(
        self, url: str, headers: Iterable[Header], limiter: Limiter, *, decode: bool
    ) -> Response:
        """Send a request, over a connection that is free, or a new one."""
        host = self.network.hosts[urlsplit(url).netloc]
        connection = host.idle.pop() if host.idle else await self._connect(host)
        host.requests += 1
        response = Response(self, connection, url, limiter)
        is_there = False
        try:
            async with asyncio.timeout(2 * self.stall_timeout):
                await self._pass(host.site.rtt / 2)
                host.serving += 1
                is_there = True
                await self._answer(response, host, dict(headers).get("Range"))
        except TimeoutError:
            response.close()
            raise Fault(f"nothing received for {self.stall_timeout:g} s") from None
        except BaseException:
            if not is_there:
                host.serving += 1
            response.close()
            raise
        return response

    async def _answer(self, response: Response, host: Host, part: str | None) -> None:
        site, refusal = host.site, self._refusal(host)
        if refusal is not None:
            host.refused += 1
            await self._pass(site.rtt / 2)
            response.refuse(*refusal)
            return
        await self._pass(site.think + site.rtt / 2)
        size = size_of(response.url)
        start, stop = 0, size
        if part is not None:
            first, _, last = part.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last) + 1, size)
        response.serve(start, stop, size, part is None)

    def _refusal(self, host: Host) -> tuple[int, int | None] | None:
        site, passed = host.site, self.network.passed
        storm = site.storm
        if storm is not None and 0 <= passed - storm.begin < storm.seconds:
            return storm.status, storm.retry_after
        if site.most is not None and host.serving > site.most:
            return 429, None
        return None

    async def _connect(self, host: Host) -> Connection:
        host.connections += 1
        connection = Connection(host, host.connections)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._pass(host.site.handshakes * host.site.rtt)
        except TimeoutError:
            raise Fault("connecting timed out", unreachable=True) from None
        return connection

    async def _pass(self, seconds: float) -> None:
        """That long something is on its way, and longer where nothing passes."""
        await asyncio.sleep(seconds)
        if out := self.network.out_for:
            await self._pass(out + SYN_AGAIN)

    def keep(self, connection: Connection) -> None:
        """It is free for the next request."""
        connection.idle_since = self._loop.time()
        connection.host.idle.append(connection)

    def hung_up(self, connection: Connection) -> None:
        host = connection.host
        self._loop.call_later(host.site.rtt / 2, _forget, host)

    def hold(self, size: int) -> None:
        self.held += size
        self.most_held = max(self.most_held, self.held + self.also_held())


def _forget(host: Host) -> None:
    host.serving -= 1


def _of(breaks: Break | None, number: int) -> Break | None:
    return breaks if breaks is not None and number % breaks.one_in == 0 else None


def _crawl(connection: Connection, request: int) -> float:
    crawls = connection.host.site.crawls
    if crawls is None:
        return inf
    number = request if crawls.of_requests else connection.number
    return crawls.rate if number % crawls.one_in == 0 else inf
