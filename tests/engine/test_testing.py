"""The scripted origin, looked at through clients that are not ours."""

from __future__ import annotations

import asyncio
import errno
import gc
import gzip
import http.client
import os
import random
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from engine.ranges import ByteRange
from engine.testing import (
    Content,
    Counts,
    Crawl,
    CutAfter,
    Delay,
    EmptyReply,
    Fault,
    Garbage,
    IgnoreRange,
    Origin,
    OriginProcess,
    Overlong,
    RedirectLoop,
    Relabel,
    Request,
    ResetAfter,
    Resource,
    Script,
    Stall,
    Status,
    WrongContentRange,
    demo_origin,
    slow_every,
)
from engine.testing.__main__ import amount, origin_from, parser
from engine.testing.answers import asked
from engine.testing.origin import Pace

FILE = Content(300_007, seed=5)
LARGE = Content(64 << 20)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    version: int


def ask(port: int, path: str, method: str, headers: dict[str, str]) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read(), reply.version)
    finally:
        connection.close()


async def get(
    origin: Origin, path: str = "/file", /, method: str = "GET", **headers: str
) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await asyncio.to_thread(ask, origin.port, path, method, named)


async def get_part(resource: Resource, field: str, **headers: str) -> Reply:
    async with Origin({"/file": resource}) as origin:
        return await get(origin, Range=field, **headers)


async def misbehave(fault: Fault, **headers: str) -> Reply:
    async with Origin({"/file": Resource(FILE, script=[fault])}) as origin:
        return await get(origin, **headers)


@asynccontextmanager
async def connect(
    origin: Origin, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", origin.port, ssl=context
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def talk(
    origin: Origin, path: str = "/file"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A raw connection on which one request has been made."""
    async with connect(origin) as (reader, writer):
        writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        yield reader, writer


@pytest.fixture
async def complaints() -> AsyncIterator[Callable[[], list[Any]]]:
    """What the event loop and the collector had to complain about."""
    heard: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))

    def collect() -> list[Any]:
        gc.collect()
        return heard

    yield collect
    loop.set_exception_handler(None)


# -- bytes


@pytest.mark.parametrize(
    "content", [FILE, Content(3_000_000), Content.of(b"abcdefg" * 100)]
)
def test_content_reads_the_same_however_it_is_cut(content: Content) -> None:
    """A byte's value follows from its offset alone."""
    whole = content.read()
    assert len(whole) == content.size
    rng = random.Random(1)
    for _ in range(50):
        start, stop = sorted(rng.choices(range(content.size), k=2))
        assert content.read(start, stop) == whole[start:stop]
        assert b"".join(content.pieces(start, stop, 1000)) == whole[start:stop]


def test_content_notices_what_is_out_of_place() -> None:
    """No two aligned blocks, and no two files, have the same bytes."""
    blocks = {LARGE.read(at, at + 4096) for at in range(0, LARGE.size, 1 << 18)}
    assert len(blocks) == LARGE.size >> 18
    assert len({Content(4096, seed).read() for seed in range(500)}) == 500


def test_content_is_the_same_everywhere() -> None:
    """Digests can be written down."""
    assert FILE.digest("md5") == "4c57cd4761c6451439ce1b546a03f53b"
    assert Content(5).etag != Content(6).etag != Content(6, seed=1).etag


# -- what is right


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_a_part_has_the_bytes_asked_for() -> None:
    """`curl -r 100-199` gets bytes 100 to 199."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        curl = await asyncio.create_subprocess_exec(
            *("curl", "-s", "-r", "100-199", origin.url("/file")),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await curl.communicate()
    assert out == FILE.read(100, 200)
    assert [request.range for request in origin.requests] == [ByteRange(100, 200)]


@pytest.mark.parametrize(
    ("field", "part"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-", (10, 1000)),
        ("bytes=10-5000", (10, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=1000-", (1000, 1000)),
        ("bytes=2000-3000", (1000, 1000)),
        ("bytes=-0", (1000, 1000)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
    ],
)
def test_range_header(field: str | None, part: tuple[int, int] | None) -> None:
    """A range is clipped to the file; one that is not understood is ignored."""
    assert asked(field, 1000) == (part and ByteRange(*part))


async def test_the_whole_file_and_its_description() -> None:
    """A 200 says size, validators, and that parts may be asked for."""
    resource = Resource(FILE, name="a b.gz", headers=(("X-Linked-ETag", "abc"),))
    async with Origin({"/file": resource}) as origin:
        reply = await get(origin)
        head = await get(origin, method="HEAD", Range="bytes=0-1")
    assert (reply.status, reply.body) == (200, FILE.read())
    assert (head.status, head.body) == (200, b"")
    for told in (reply.headers, head.headers):
        assert told["Content-Length"] == str(FILE.size)
        assert told["ETag"] == FILE.etag
        assert told["Last-Modified"] == resource.last_modified
        assert told["Accept-Ranges"] == "bytes"
        assert told["Content-Disposition"] == 'attachment; filename="a b.gz"'
        assert told["X-Linked-ETag"] == "abc"
    assert origin.served == FILE.size


async def test_a_part_says_where_it_belongs() -> None:
    """A 206 carries Content-Range and the length of the part."""
    reply = await get_part(Resource(FILE), "bytes=-7")
    assert (reply.status, reply.body) == (206, FILE.read(300_000))
    assert reply.headers["Content-Range"] == "bytes 300000-300006/300007"
    assert reply.headers["Content-Length"] == "7"


@pytest.mark.parametrize("size", [0, 100])
async def test_nothing_of_the_range_exists(size: int) -> None:
    """A range beyond the end, or of an empty file, is 416 with the size."""
    async with Origin({"/file": Resource(Content(size))}) as origin:
        reply = await get(origin, Range=f"bytes={size}-")
        whole = await get(origin)
    assert (reply.status, reply.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert (whole.status, len(whole.body)) == (200, size)


async def test_if_range() -> None:
    """A part is given only where the strong ETag or the date is still the same."""
    strong, weak = Resource(FILE), Resource(FILE, etag='W/"1"')
    cases = [
        (strong, FILE.etag, 206),
        (strong, '"another"', 200),
        (strong, str(strong.last_modified), 206),
        (strong, "Wed, 01 Jan 2025 00:00:01 GMT", 200),
        (weak, 'W/"1"', 200),
        (Resource(FILE, etag=None, last_modified=None), '""', 200),
    ]
    for resource, condition, status in cases:
        reply = await get_part(resource, "bytes=0-9", If_Range=condition)
        assert (condition, reply.status) == (condition, status)


async def test_a_server_without_ranges() -> None:
    """It gives all, and says so."""
    reply = await get_part(Resource(FILE, ranges=False), "bytes=0-9")
    assert (reply.status, reply.body) == (200, FILE.read())
    assert reply.headers["Accept-Ranges"] == "none"


async def test_unknown_lengths() -> None:
    """A body may come in chunks, or end with the connection."""
    async with Origin(
        {
            "/chunked": Resource(FILE, length="chunked"),
            "/close": Resource(FILE, length="close"),
            "/old": Resource(FILE, length="chunked", http10=True),
        }
    ) as origin:
        chunked = await get(origin, "/chunked")
        close = await get(origin, "/close")
        old = await get(origin, "/old")
        part = await get(origin, "/chunked", Range="bytes=5-9")
    assert chunked.headers["Transfer-Encoding"] == "chunked"
    assert old.version == 10
    for reply in (chunked, close, old):
        assert reply.headers["Content-Length"] is None
        assert reply.body == FILE.read()
    assert part.body == FILE.read(5, 10)


async def test_a_gzip_happy_server() -> None:
    """Who accepts gzip gets all of it compressed; others get what they asked for."""
    happy = Resource(FILE, gzip=True)
    reply = await get_part(happy, "bytes=0-9", Accept_Encoding="br, gzip")
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(reply.body) == FILE.read()
    for refusal in ("identity", "gzip;q=0, br"):
        reply = await get_part(happy, "bytes=0-9", Accept_Encoding=refusal)
        assert (reply.status, reply.body) == (206, FILE.read(0, 10))


async def test_requests_it_does_not_serve() -> None:
    """404, 405 and 400 are answers, not accidents."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        assert (await get(origin, "/other")).status == 404
        assert (await get(origin, method="DELETE")).status == 405
        for bad in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nno\r\n\r\n", b"x" * 70_000):
            async with connect(origin) as (reader, writer):
                writer.write(bad)
                assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")


async def test_connections_are_kept_and_counted() -> None:
    """Requests say which connection they came on, and which of their path they are."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        async with talk(origin) as (reader, writer), talk(origin, "/file?a=1"):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(FILE.size)
            writer.write(b"GET /file HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n")
            await origin.until(lambda: len(origin.requests) == 3)
            assert (origin.connections, origin.open_connections) == (2, 2)
        await origin.until(lambda: origin.open_connections == 0)
        await get(origin)
    requests = origin.requests
    assert [request.number for request in requests] == [1, 2, 3, 4]
    assert {request.connection for request in requests} == {1, 2, 3}
    assert {request.query for request in requests} == {"", "a=1"}
    assert [r.connection for r in requests if r.headers.get("x-a") == "1, 2"] == [1]
    assert [request.at for request in requests] == sorted(r.at for r in requests)
    assert (origin.connections, origin.most_concurrent) == (3, 2)


async def test_redirects() -> None:
    """A redirect names its target and nothing else; a loop names itself."""
    resources = {
        "/a": Resource(redirect="/file", headers=(("X-Linked-Size", "1"),)),
        "/loop": Resource(script=[RedirectLoop()]),
    }
    async with Origin(resources) as origin:
        hop, loop = await get(origin, "/a"), await get(origin, "/loop")
    assert (hop.status, hop.headers["Location"]) == (302, "/file")
    assert hop.headers["X-Linked-Size"] == "1"
    assert (loop.status, loop.headers["Location"]) == (302, "/loop")


async def test_a_file_that_changes() -> None:
    """What is put in `resources` is served from then on, under its own validator."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        old = await get(origin)
        origin.resources["/file"] = Resource(Content(FILE.size, seed=6))
        new = await get(origin, Range="bytes=0-9", If_Range=old.headers["ETag"])
    assert (new.status, len(new.body)) == (200, FILE.size)
    assert new.headers["ETag"] != old.headers["ETag"]
    assert new.body != old.body


# -- what is wrong


async def test_status() -> None:
    """A status comes with what it asks the client to wait."""
    reply = await misbehave(Status(503, retry_after=7))
    assert (reply.status, reply.headers["Retry-After"]) == (503, "7")
    assert (await misbehave(Status(599))).headers["Retry-After"] is None


async def test_wrong_labels() -> None:
    """The right bytes may come under the wrong name."""
    part = "bytes=10-19"
    moved = await misbehave(WrongContentRange(moved=3, longer=1), Range=part)
    assert moved.headers["Content-Range"] == "bytes 13-22/300008"
    assert moved.body == FILE.read(10, 20)
    assert (await misbehave(WrongContentRange())).headers["Content-Range"] is None
    other = await misbehave(Relabel((("etag", '"x"'),)), Range=part)
    assert other.headers.get_all("ETag") == ['"x"']
    assert (other.status, other.body) == (206, FILE.read(10, 20))


async def test_too_much() -> None:
    """A server may give the whole for a part, or more than it said."""
    part = "bytes=10-19"
    whole = await misbehave(IgnoreRange(), Range=part)
    assert (whole.status, whole.body) == (200, FILE.read())
    longer = await misbehave(Overlong(5), Range=part)
    assert longer.headers["Content-Range"] == f"bytes 10-19/{FILE.size}"
    assert longer.body == FILE.read(10, 25)
    beyond = await misbehave(Overlong(5), Range="bytes=-1")
    assert len(beyond.body) == 6


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Garbage(), http.client.BadStatusLine),
        (EmptyReply(), http.client.RemoteDisconnected),
        (EmptyReply(reset=True), ConnectionResetError),
        (CutAfter(9_000), http.client.IncompleteRead),
        (ResetAfter(9_000), ConnectionResetError),
    ],
)
async def test_no_answer(fault: Fault, error: type[Exception]) -> None:
    """What is not an answer is what any client takes it for."""
    with pytest.raises(error) as caught:
        await misbehave(fault)
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == FILE.read(0, 9_000)


@pytest.mark.parametrize("size", [0, 1, 200_000, 3_000_000])
async def test_a_reset_comes_after_the_bytes_before_it(size: int) -> None:
    """ResetAfter(n) is n bytes, then ECONNRESET."""

    def read(port: int) -> tuple[int, int]:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET /file HTTP/1.1\r\n\r\n")
            heard = bytearray()
            try:
                while True:
                    heard += sock.recv(1 << 16)
            except OSError as error:
                body = heard[heard.index(b"\r\n\r\n") + 4 :]
                assert body == LARGE.read(0, len(body))
                return len(body), error.errno or 0

    resource = Resource(LARGE, script=[ResetAfter(size)])
    async with Origin({"/file": resource}) as origin:
        assert await asyncio.to_thread(read, origin.port) == (size, errno.ECONNRESET)


async def test_a_stall_says_nothing_and_stays() -> None:
    """After a stall begins, nothing comes until the origin ends."""
    stack = AsyncExitStack()
    origin = Origin({"/file": Resource(FILE, script=[Stall(500)])})
    await stack.enter_async_context(origin)
    async with talk(origin) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(500) == FILE.read(0, 500)
        await origin.until(lambda: origin.served == 500)
        assert origin.open_connections == 1
        await stack.aclose()
        assert await reader.read() == b""


async def test_a_stall_that_a_test_ends() -> None:
    """A stall with an event goes on when the event is set, to the right end."""
    gate = asyncio.Event()
    script = [Stall(500, until=gate)]
    async with (
        Origin({"/file": Resource(FILE, script=script)}) as origin,
        talk(origin) as (reader, _),
    ):
        await origin.until(lambda: origin.served == 500)
        gate.set()
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(FILE.size) == FILE.read()


async def test_scripts() -> None:
    """The n-th request to a path gets the n-th entry; a file's script comes first."""
    scripts: list[Script] = [
        [Status(500), None, Status(502)],
        lambda request: Status(503) if request.path == "/b" else None,
    ]
    own = Resource(FILE, script=[Status(418)])
    seen = []
    for script in scripts:
        async with Origin(
            {"/a": Resource(FILE), "/b": Resource(FILE), "/own": own}, script=script
        ) as origin:
            paths = ["/a", "/b", "/a", "/a", "/b", "/own", "/a"]
            seen.append([(await get(origin, path)).status for path in paths])
    assert seen == [
        [500, 500, 200, 502, 200, 418, 200],
        [200, 503, 200, 200, 503, 418, 200],
    ]


async def test_too_many_at_once() -> None:
    """Above max_connections requests in progress, the next one is refused."""
    resource = Resource(FILE, script=[Stall(), Stall()])
    async with Origin({"/file": resource}, max_connections=2) as origin:
        async with talk(origin), talk(origin):
            await origin.until(lambda: origin.busy == 2)
            assert (await get(origin)).status == 503
        await origin.until(lambda: origin.open_connections == 0)
        assert (await get(origin)).status == 200
    assert [request.busy for request in origin.requests] == [1, 2, 3, 1]


# -- when


def test_pace_is_exact_however_late_each_turn_is() -> None:
    """Lateness below the slack does not add up; a longer one is not made up for."""
    rng = random.Random(7)
    pace = Pace(4_000_000, due=0.0)
    assert pace.most == 40_000
    now, sent = 0.0, 0
    while now < 10:
        now += max(0.0, pace.charge(pace.most, now)) + rng.uniform(0, 0.009)
        sent += pace.most
    assert sent / now == pytest.approx(4_000_000, rel=0.003)
    assert pace.charge(40_000, now + 60) == pytest.approx(0.01 - 0.1)


async def test_rate_per_connection() -> None:
    """A rate holds to a few percent, each connection for itself."""
    rate = slow_every(2, 150_000, 1_500_000)
    async with Origin({"/file": Resource(FILE, rate=rate)}) as origin:
        loop = asyncio.get_running_loop()
        for expected in (0.2, 0.2):
            async with talk(origin) as (reader, _):
                started = loop.time()
                await reader.readuntil(b"\r\n\r\n")
                size = round(expected * (1_500_000, 150_000)[origin.connections - 1])
                await reader.readexactly(size)
                assert 0.97 * expected < loop.time() - started < 1.2 * expected


async def test_crawl_and_delay() -> None:
    """A body may turn slow in its middle, and a head may come late."""
    script: Script = [Crawl(1_000_000, after=FILE.size - 100_000), Delay(0.05)]
    resource = Resource(FILE, latency=0.05, script=script)
    async with Origin({"/file": resource}) as origin:
        loop = asyncio.get_running_loop()
        for expected in (0.15, 0.1):
            started = loop.time()
            assert (await get(origin)).body == FILE.read()
            assert expected <= loop.time() - started < expected + 0.2


# -- how it ends


@pytest.mark.parametrize(
    "resource",
    [
        Resource(LARGE),
        Resource(LARGE, length="chunked"),
        Resource(LARGE, rate=100_000),
        Resource(LARGE, latency=60),
        Resource(LARGE, script=[Stall(10)]),
        Resource(LARGE, script=[ResetAfter(50_000_000)]),
    ],
)
async def test_a_client_that_leaves_is_no_accident(
    resource: Resource, complaints: Callable[[], list[Any]]
) -> None:
    """Whatever is being served, a client may leave, and is forgotten."""
    async with Origin({"/file": resource}) as origin:
        async with talk(origin):
            await origin.until(lambda: origin.busy == 1)
        await origin.until(lambda: origin.open_connections == 0)
        assert origin.busy == 0
    assert complaints() == []


async def test_the_end_of_the_origin_is_the_end_of_everything(
    complaints: Callable[[], list[Any]],
) -> None:
    """Closing takes no time, whatever the connections are doing."""
    resources = {
        "/stall": Resource(LARGE, script=[Stall()]),
        "/late": Resource(LARGE, latency=60),
        "/unread": Resource(LARGE),
        "/file": Resource(Content(0)),
    }
    async with asyncio.timeout(2), AsyncExitStack() as clients:
        async with Origin(resources) as origin:
            for path in resources:
                await clients.enter_async_context(talk(origin, path))
            await origin.until(lambda: len(origin.requests) == 4)
            late = socket.create_connection(("127.0.0.1", origin.port))
        assert (origin.open_connections, origin.busy) == (0, 0)
    with late, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", origin.port))
    assert complaints() == []


async def test_an_error_of_the_test_stays_itself() -> None:
    """The `async with` does not wrap what is raised in it."""
    with pytest.raises(KeyError):
        async with Origin({}):
            raise KeyError


async def test_sever() -> None:
    """An outage resets all connections at once, and the next ones are served."""
    async with Origin({"/file": Resource(FILE, script=[Stall(), Stall()])}) as origin:
        async with talk(origin) as (one, _), talk(origin) as (two, _):
            await origin.until(lambda: origin.busy == 2)
            origin.sever()
            for reader in (one, two):
                with pytest.raises(ConnectionResetError):
                    await reader.read()
        assert (await get(origin)).body == FILE.read()


async def test_tls(complaints: Callable[[], list[Any]]) -> None:
    """The same over TLS; who cannot shake hands, or never does, is no accident."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with Origin({"/file": Resource(FILE)}, ssl=server) as origin:
        assert origin.url("/file").startswith("https://127.0.0.1:")
        async with connect(origin, client) as (reader, writer):
            writer.write(b"GET /file HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).endswith(FILE.read())
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connect(origin, ssl.create_default_context()):
                pass
        async with talk(origin) as (reader, _):
            assert b"HTTP" not in await reader.read()
        await origin.until(lambda: origin.open_connections == 0)
        silent = socket.create_connection(("127.0.0.1", origin.port))
        await origin.until(lambda: origin.open_connections == 1)
    with silent:
        assert complaints() == []


# -- in a process of its own, and for the demo


def test_amounts() -> None:
    """K M G are decimal, Ki Mi Gi binary."""
    cases = {"7": 7, "10M": 10**7, "1GiB": 1 << 30, "1.5Ki": 1536, "50KB": 50_000}
    assert {text: amount(text) for text in cases} == cases
    with pytest.raises(ValueError):
        amount("ten")


def test_the_command_line_describes_an_origin() -> None:
    """Small files differ from each other; every N-th connection is the slow one."""
    words = "--files 3x64KiB --rate 10M --slow-one 50K --latency 0.1 --no-ranges"
    origin = origin_from(parser().parse_args([*words.split(), "--size", "1M"]))
    assert list(origin.resources) == ["/file", *(f"/small/000{n}" for n in range(3))]
    assert len({r.content.read() for r in origin.resources.values()}) == 4
    file = origin.resources["/file"]
    assert (file.ranges, file.latency) == (False, 0.1)
    assert [file.rate_of(number) for number in range(7, 10)] == [10**7, 50_000, 10**7]


async def test_every_nth_request_crawls() -> None:
    """Whatever connection it comes on; the others come as they would anyway."""
    words = "--slow-request 200K --slow-every-request 3 --size 20K"
    loop = asyncio.get_running_loop()
    async with origin_from(parser().parse_args(words.split())) as origin:
        spent = []
        for _ in range(6):
            started = loop.time()
            assert (await get(origin)).body == Content(20_000).read()
            spent.append(loop.time() - started)
    slow = [spent.pop(5), spent.pop(2)]
    assert min(slow) > 0.08
    assert min(slow) > min(spent)


async def test_it_counts_whom_it_refuses() -> None:
    """Those that come while it serves as many as it may; they are requests too."""
    resource = Resource(FILE, script=[Stall(), Stall()])
    async with Origin({"/file": resource}, max_connections=2) as origin:
        async with talk(origin), talk(origin):
            await origin.until(lambda: origin.busy == 2)
            await get(origin)
            await get(origin)
        assert origin.counts == Counts(connections=4, requests=4, refused=2)


def test_a_process_tells_what_it_has_counted() -> None:
    """As often as it is asked, while it serves."""
    with OriginProcess("--size", "1KiB") as origin:
        port = int(origin.base.rpartition(":")[2])
        for number in range(3):
            assert origin.counts() == Counts(number, number, refused=0)
            ask(port, "/file", "GET", {})


def test_a_process_of_its_own() -> None:
    """It serves what the command line says, and ends with the `with`."""
    with OriginProcess("--size", "1MiB", "--files", "2x64KiB") as origin:
        port = int(origin.base.rpartition(":")[2])
        assert ask(port, "/file", "GET", {}).body == Content(1 << 20).read()
        assert len(ask(port, "/small/0001", "GET", {}).body) == 1 << 16
        assert origin.url("/small/0001") == f"http://127.0.0.1:{port}/small/0001"
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/file", "GET", {})
    with pytest.raises(RuntimeError):
        OriginProcess("--size", "huge").__enter__()


def test_a_process_that_is_told_to_end() -> None:
    """SIGTERM ends it at once, with a clean exit."""
    with OriginProcess() as origin:
        os.kill(origin.pid, signal.SIGTERM)
        assert origin.wait() == 0


def test_the_demo_is_the_same_every_time() -> None:
    """Its files have the digests that the README names."""
    digests = {
        "/genome.fa.gz": "91b6db18557b655d0ae56f7bf371cfde"
        "675f190c9d2040a6a2a941ccd46d5fcf",
        "/model.safetensors": "936696b35168def55e64ac351c8465d8"
        "f05fca21964494a5864672142cbe29e0",
        "/dataset.tar": "35d8c60c75f02350eb86cfa70c313e45"
        "f56a5a5580e028d50795171d4e44af12",
        "/notes.txt": "6b473b1a28ff44c86dd029a295244c57"
        "be1f71312f968a0435ce11ffd2eecbc4",
    }
    resources = demo_origin().resources
    assert {path: r.content.digest() for path, r in resources.items()} == digests


async def test_the_demo_has_weather() -> None:
    """Lanes differ, every seventh is slow, crowds get 429, a few requests break."""
    one, two = demo_origin(), demo_origin()
    file = one.resources["/dataset.tar"]
    rates = [file.rate_of(number) for number in range(1, 22)]
    assert [rate == 150_000 for rate in rates] == [n % 7 == 0 for n in range(1, 22)]
    assert len(set(rates)) == 19

    def weather(origin: Origin, number: int, busy: int) -> object:
        request = Request(
            connection=1,
            number=number,
            method="GET",
            path="/dataset.tar",
            query="",
            version="HTTP/1.1",
            headers={},
            range=None,
            busy=busy,
            at=0.0,
        )
        return origin._script(request) if callable(origin._script) else None

    calm = [weather(one, number, 12) for number in range(1, 200)]
    assert calm == [weather(two, number, 12) for number in range(1, 200)]
    assert 2 < sum(isinstance(fault, ResetAfter) for fault in calm) < 20
    assert weather(one, 1, 13) == Status(429, retry_after=1)
