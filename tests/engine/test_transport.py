"""One door to libcurl: bodies that wait, connections that stay, errors by name."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from time import monotonic, sleep
from typing import Any, NamedTuple

import pytest
import trustme

from engine.errors import (
    Fault,
    HydraError,
    LocalError,
    NetworkError,
    RefusedError,
    UsageError,
)
from engine.limiter import Limiter
from engine.ranges import ByteRange
from engine.testing import (
    Content,
    CutAfter,
    Delay,
    EmptyReply,
    Garbage,
    Origin,
    ResetAfter,
    Resource,
    Script,
    Stall,
    Status,
)
from engine.transport import HIGH_MARK, LEAST_MARK, Headers, Response, Transport
from tests.integration.support import open_files, until
from tests.support.proxies import HttpProxy, Proxy, SocksProxy

KIB, MIB = 1 << 10, 1 << 20
PIECE = 16 * KIB
"""Most bytes that curl hands out at once."""
KERNEL = 16 * MIB
"""More than the system's buffers of one connection over loopback ever hold."""
FILE = Content(300_007, seed=3)
NOBODY = "http://no-such-host.invalid/"

pytestmark = pytest.mark.timeout(15)


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No response and no transport leaves a task or a descriptor."""
    before = open_files()
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await until(lambda: open_files() <= before, within=1)


def transport(**settings: Any) -> Transport:
    given: dict[str, Any] = {"browser": None, "cacert": None, "insecure": False}
    given |= {"connect_timeout": 5.0, "stall_timeout": 5.0}
    return Transport(**(given | settings))


def serving(content: Content = FILE, script: Script = (), **more: Any) -> Origin:
    return Origin({"/": Resource(content, script=script, **more)})


async def get(
    door: Transport,
    url: str,
    *headers: tuple[str, str],
    part: ByteRange | None = None,
    limiter: Limiter | None = None,
    decode: bool = False,
) -> Response:
    asked = [*headers, ("Range", part.header)] if part else list(headers)
    return await door.get(url, asked, limiter or Limiter(), decode=decode)


async def whole(response: Response) -> bytes:
    """The body to its end, and the handle given back."""
    data = bytearray()
    while pieces := await response.read():
        data += b"".join(pieces)
    response.close()
    return bytes(data)


# -- a body -----------------------------------------------------------------


async def test_a_reader_that_stops_stops_the_network() -> None:
    """A body nobody reads stands still at its high mark while others go on."""
    unread, read = Content(512 * MIB), Content(64 * MIB, seed=1)
    paths = {"/unread": Resource(unread), "/read": Resource(read)}
    async with Origin(paths) as origin, transport() as door:
        waiting = await get(door, origin.url("/unread"))
        await until(lambda: waiting.is_held)
        going = await get(door, origin.url("/read"))
        size = 0
        while pieces := await going.read():
            size += sum(map(len, pieces))
        assert size == read.size
        assert origin.served - read.size <= HIGH_MARK + KERNEL
        held = b"".join(await waiting.read())
        assert HIGH_MARK <= len(held) < HIGH_MARK + PIECE
        assert held == unread.read(0, len(held))


async def test_a_reader_that_comes_back_gets_every_byte() -> None:
    """What was held back arrives in order once the reader reads again."""
    content = Content(8 * MIB + 5, seed=2)
    async with serving(content) as origin, transport() as door:
        response = await get(door, origin.url())
        data = b""
        while len(data) < 4 * MIB:
            await until(lambda: response.is_held)
            data += b"".join(await response.read())
        assert data + await whole(response) == content.read()


async def test_many_bodies_share_the_memory() -> None:
    """With many lanes each holds less, down to a least that is worth a wake-up."""
    stalls = [Stall()] * 200
    async with serving(FILE, stalls) as origin, transport() as door:
        marks = []
        for _ in range(200):
            marks.append(door.high_mark)
            await get(door, origin.url())
    assert marks[0] == HIGH_MARK
    assert marks == sorted(marks, reverse=True)
    assert marks[-1] == LEAST_MARK


async def test_the_head_is_there_before_the_body() -> None:
    """Who asks learns status and headers before the first byte of the body."""
    go_on = asyncio.Event()
    async with serving(FILE, [Stall(until=go_on)]) as origin, transport() as door:
        response = await get(door, origin.url(), part=ByteRange(100, 200))
        assert response.status == 206
        assert response.headers.get("Content-RANGE") == f"bytes 100-199/{FILE.size}"
        assert origin.served == 0
        go_on.set()
        assert await whole(response) == FILE.read(100, 200)


async def test_few_bytes_do_not_wait_for_more() -> None:
    """A reader gets what is here, however little, while the rest is still to come."""
    go_on = asyncio.Event()
    stall = Stall(10, until=go_on)
    async with serving(FILE, [stall]) as origin, transport() as door:
        response = await get(door, origin.url())
        assert b"".join(await response.read()) == FILE.read(0, 10)
        assert not response.is_complete
        go_on.set()
        assert await whole(response) == FILE.read(10)


async def test_interim_answers_and_trailers_are_not_the_head() -> None:
    """Only the last head before the body counts, not 1xx and not what follows."""
    answer = (
        b"HTTP/1.1 103 Early Hints\r\nETag: hint\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nETag: head\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\nETag: trailer\r\n\r\n"
    )
    async with serving(script=[Garbage(answer)]) as origin, transport() as door:
        response = await get(door, origin.url())
        assert await whole(response) == b"hi"
    assert response.status == 200
    assert response.headers.get("etag") == "head"


async def test_an_interim_answer_alone_is_no_answer() -> None:
    """Who promises an answer and hangs up has given none."""
    hint = Garbage(b"HTTP/1.1 103 Early Hints\r\nETag: hint\r\n\r\n")
    async with serving(script=[hint]) as origin, transport() as door:
        with pytest.raises(Fault):
            await get(door, origin.url())


def test_header_fields_may_repeat() -> None:
    """Names are case-insensitive, values of one name are joined, bytes never fail."""
    headers = Headers()
    for line in (b"Link: <a>\r\n", b"LINK:<b>\r\n", "X: é".encode(), b"Y: \xe9"):
        headers.add(line)
    assert headers.get("link") == "<a>, <b>"
    assert (headers.get("x"), headers.get("y"), headers.get("z")) == ("é", "é", None)
    assert headers.text(100) == "link: <a>, <b>\nx: é\ny: é"
    assert headers.text(4) == "link"


@pytest.mark.parametrize("decode", [True, False])
async def test_a_coding_is_undone_where_that_is_wanted(*, decode: bool) -> None:
    """A body that comes compressed is unpacked, or kept as it is."""
    async with serving(gzip=True) as origin, transport() as door:
        asked = ("Accept-Encoding", "gzip")
        data = await whole(await get(door, origin.url(), asked, decode=decode))
    assert (data == FILE.read()) is decode
    assert data.startswith(b"\x1f\x8b") is not decode


# -- connections ---------------------------------------------------------------


async def test_one_connection_serves_consecutive_ranges() -> None:
    """Whoever reads to the end keeps the connection for the next request."""
    async with serving() as origin, transport() as door:
        for start in range(0, 100_000, 10_000):
            part = ByteRange(start, start + 10_000)
            response = await get(door, origin.url(), part=part)
            assert await whole(response) == FILE.read(part.start, part.stop)
    assert len(origin.requests) == 10
    assert origin.connections == 1


async def test_each_lane_has_a_connection_and_keeps_it() -> None:
    """As many lanes, as many connections: also after phases in which most are idle."""
    lanes = 24
    together = asyncio.Event()
    async with (
        serving(script=lambda _: Stall(until=together)) as origin,
        transport() as door,
    ):
        for _ in range(3):
            together.clear()
            responses = [await get(door, origin.url()) for _ in range(lanes)]
            numbers = {request.connection for request in origin.requests[-lanes:]}
            assert numbers == set(range(1, lanes + 1))
            together.set()
            for response in responses:
                assert await whole(response) == FILE.read()
            for _ in range(5):
                assert await whole(await get(door, origin.url())) == FILE.read()
    assert origin.connections == lanes


async def test_an_abandoned_body_frees_its_connection() -> None:
    """Abandoning hangs up at once, and a waiting reader gets the end."""
    async with serving(script=[Stall(10)]) as origin, transport() as door:
        response = await get(door, origin.url())
        assert b"".join(await response.read()) == FILE.read(0, 10)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(response.read())
            await asyncio.sleep(0)
            response.abandon()
        assert reading.result() == ()
        await origin.until(lambda: not origin.open_connections)
        response.close()
        response.close()
        assert await whole(await get(door, origin.url())) == FILE.read()


async def test_a_paused_body_is_abandoned_without_another_byte() -> None:
    """Giving up a body that is full delivers nothing more."""
    async with serving(Content(64 * MIB)) as origin, transport() as door:
        response = await get(door, origin.url())
        await until(lambda: response.is_held)
        response.abandon()
        held = b"".join(await response.read())
        assert len(held) < HIGH_MARK + PIECE
        assert await response.read() == ()
        await origin.until(lambda: not origin.open_connections)


async def test_a_transport_closes_what_is_open() -> None:
    """Responses at every stage end with their transport, and hang up."""
    stages: list[Any] = [None, Stall(), Stall(100), None]
    async with serving(Content(64 * MIB), stages) as origin:
        async with transport() as door:
            full, _, some, _ = [await get(door, origin.url()) for _ in stages]
            await until(lambda: full.is_held)
            await some.read()
        await origin.until(lambda: not origin.open_connections)
        assert await full.read() == ()


async def test_a_request_may_be_cancelled_before_its_head() -> None:
    """Who does not wait for the head any more leaves nothing behind."""
    async with serving(latency=3600.0) as origin, transport() as door:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(get(door, origin.url()))
            await origin.until(lambda: len(origin.requests) == 1)
            asking.cancel()
        await origin.until(lambda: not origin.open_connections)


# -- what is sent ----------------------------------------------------------------


async def test_headers_do_not_leak_into_the_next_request() -> None:
    """A handle that is used again forgets what the last request said."""
    async with serving() as origin, transport(browser="chrome120") as door:
        secrets = [("Authorization", "Basic c2VjcmV0"), ("Cookie", "a=b")]
        part = ByteRange(0, 10)
        await whole(await get(door, origin.url(), *secrets, part=part))
        await whole(await get(door, origin.url(), ("X-Mine", "1")))
        await whole(await get(door, origin.url()))
    first, second, third = (request.headers for request in origin.requests)
    assert origin.connections == 1
    assert (first["authorization"], first["cookie"]) == ("Basic c2VjcmV0", "a=b")
    assert second.keys() - third.keys() == {"x-mine"}
    assert first.keys() - third.keys() == {"authorization", "cookie", "range"}


async def test_identity_is_asked_for_behind_a_fingerprint() -> None:
    """The browser's header stays what it is, except for the coding we can resume."""
    async with serving() as origin, transport(browser="chrome120") as door:
        asked = ("Accept-Encoding", "identity")
        await whole(await get(door, origin.url(), asked))
    [request] = origin.requests
    assert request.headers["accept-encoding"] == "identity"
    assert "Chrome/120" in request.headers["user-agent"]


async def test_redirects_are_for_others_to_follow() -> None:
    """A redirect is an answer like any other."""
    paths = {"/": Resource(redirect="/there"), "/there": Resource(FILE)}
    async with Origin(paths) as origin, transport() as door:
        response = await get(door, origin.url())
        assert (response.status, response.headers.get("location")) == (302, "/there")
        response.close()
    assert [request.path for request in origin.requests] == ["/"]


async def test_a_newest_browser_may_be_meant() -> None:
    """A family's name alone stands for its newest member."""
    async with serving() as origin, transport(browser="chrome") as door:
        await whole(await get(door, origin.url()))
    assert "Chrome/" in origin.requests[0].headers["user-agent"]


def test_an_unknown_browser_is_a_usage_error() -> None:
    """Who names a browser that nobody knows is told which there are."""
    with pytest.raises(UsageError) as caught:
        transport(browser="netscape")
    told = str(caught.value)
    assert told.startswith("unknown browser 'netscape'; known are none, ")
    assert "chrome120" in told
    assert "firefox" in told


# -- time ------------------------------------------------------------------------


async def test_a_stalled_body_is_a_fault() -> None:
    """A body of which nothing comes for stall_timeout is given up."""
    async with (
        serving(script=[Stall(10)]) as origin,
        transport(stall_timeout=0.1) as door,
    ):
        response = await get(door, origin.url())
        assert b"".join(await response.read()) == FILE.read(0, 10)
        with pytest.raises(Fault, match=r"nothing received for 0\.1 s") as caught:
            await response.read()
    assert not caught.value.unreachable
    assert not caught.value.lost


async def test_a_missing_head_is_a_fault() -> None:
    """A server that takes a request and says nothing is given up too."""
    async with (
        serving(latency=3600.0) as origin,
        transport(stall_timeout=0.05) as door,
    ):
        with pytest.raises(Fault, match=r"nothing received for 0\.1 s"):
            await get(door, origin.url())


async def test_a_body_we_hold_back_is_not_stalled() -> None:
    """However slow the limit makes a body, that is not the server's fault."""
    content = Content(3 * PIECE)
    limiter = Limiter(4 * PIECE)
    async with serving(content) as origin, transport(stall_timeout=0.1) as door:
        response = await get(door, origin.url(), limiter=limiter)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(whole(response))
            await until(lambda: response.is_held)
        assert reading.result() == content.read()
        limiter.close()


def sleep_like_a_machine(seconds: float, then: Callable[[], None]) -> None:
    """Let nothing here run for that long, from the next turn of the loop on."""
    loop = asyncio.get_running_loop()
    loop.call_soon(sleep, seconds)
    loop.call_soon(then)


def nothing() -> None:
    """Nobody waits for the end of the sleep."""


async def test_a_body_is_not_stalled_while_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A silence that nobody was awake for says nothing about the server."""
    monkeypatch.setattr("engine.transport.ASLEEP", 0.3)
    go_on = asyncio.Event()
    async with (
        serving(script=[Stall(10, until=go_on)]) as origin,
        transport(stall_timeout=0.5) as door,
    ):
        response = await get(door, origin.url())
        await response.read()
        sleep_like_a_machine(0.9, go_on.set)
        assert await whole(response) == FILE.read(10)


async def test_a_head_is_not_missing_while_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was asked before the sleep may still be answered after it."""
    monkeypatch.setattr("engine.transport.ASLEEP", 0.3)
    async with (
        serving(script=[Delay(0.9)]) as origin,
        transport(stall_timeout=0.25) as door,
        asyncio.TaskGroup() as group,
    ):
        asking = group.create_task(get(door, origin.url()))
        await origin.until(lambda: len(origin.requests) == 1)
        sleep_like_a_machine(0.9, nothing)
        assert await whole(await asking) == FILE.read()


async def test_after_a_sleep_silence_is_counted_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that the sleep has killed is found to be dead a little later."""
    monkeypatch.setattr("engine.transport.ASLEEP", 0.3)
    async with (
        serving(script=[Stall(10)]) as origin,
        transport(stall_timeout=0.2) as door,
    ):
        response = await get(door, origin.url())
        await response.read()
        began = monotonic()
        sleep_like_a_machine(0.6, nothing)
        with pytest.raises(Fault, match=r"nothing received for 0\.2 s"):
            await response.read()
        assert monotonic() - began >= 0.8


@pytest.mark.parametrize("budget", [0.0, 1e-9, 1e-4])
async def test_a_tiny_turn_lets_every_byte_through(budget: float) -> None:
    """However short a turn of the loop is, all lanes get on and end."""
    content = Content(MIB + 1)
    async with serving(content) as origin, transport() as door:
        door.turn.budget = budget
        async with asyncio.TaskGroup() as group:
            lanes = [
                group.create_task(_fetch(door, origin.url(), number * 1000))
                for number in range(8)
            ]
    for number, lane in enumerate(lanes):
        assert lane.result() == content.read(number * 1000)


async def _fetch(door: Transport, url: str, start: int) -> bytes:
    return await whole(await get(door, url, part=ByteRange(start, MIB + 1)))


# -- what goes wrong -------------------------------------------------------------


class Trouble(NamedTuple):
    """What happens, and what it is called."""

    script: Script
    message: str
    unreachable: bool = False
    final: type[HydraError] = NetworkError
    lost: bool = False


TROUBLES = {
    "early close": Trouble([CutAfter(9000)], "connection closed early", lost=True),
    "reset": Trouble([ResetAfter(9000)], "connection reset", lost=True),
    "empty reply": Trouble([EmptyReply()], "empty reply", lost=True),
    "reset before the head": Trouble(
        [EmptyReply(reset=True)], "connection reset", lost=True
    ),
    "garbage": Trouble([Garbage()], "the answer is not HTTP", True, RefusedError),
    "a bad header": Trouble(
        [Garbage(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n")],
        "the answer is malformed HTTP",
        True,
        RefusedError,
    ),
    "endless headers": Trouble(
        [Garbage(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000 + b"\r\n")],
        "the answer's headers are too large",
        True,
        RefusedError,
    ),
    "a bad chunk": Trouble(
        [Garbage(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense")],
        "connection reset",
        lost=True,
    ),
    "a bad coding": Trouble(
        [
            Garbage(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                b"Content-Length: 8\r\n\r\nnonsense"
            )
        ],
        "the answer is badly encoded",
        True,
        RefusedError,
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_trouble_is_a_fault_with_a_name(name: str) -> None:
    """Each way in which an answer fails says what it was, and what it is worth."""
    trouble = TROUBLES[name]
    async with serving(script=trouble.script) as origin, transport() as door:
        with pytest.raises(Fault) as caught:
            await whole(await get(door, origin.url(), decode=True))
        assert str(caught.value) == trouble.message
        assert caught.value.unreachable is trouble.unreachable
        assert caught.value.final is trouble.final
        assert caught.value.lost is trouble.lost
        assert caught.value.status is None
        assert await whole(await get(door, origin.url())) == FILE.read()


async def test_what_came_before_the_trouble_counts() -> None:
    """A body that ends early delivers what it had, then the fault."""
    async with serving(script=[CutAfter(9000)]) as origin, transport() as door:
        response = await get(door, origin.url())
        assert b"".join(await response.read()) == FILE.read(0, 9000)
        with pytest.raises(Fault, match="connection closed early"):
            await response.read()


async def test_a_status_is_no_trouble() -> None:
    """What a status means is decided by whoever asked."""
    async with serving(script=[Status(503)]) as origin, transport() as door:
        response = await get(door, origin.url())
        assert response.status == 503
        assert await whole(response) == b"503 Service Unavailable\n"


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("where", "message"),
    [(_closed_port, "cannot connect"), (lambda: NOBODY, "unknown host")],
)
async def test_nobody_there_is_unreachable(
    where: Callable[[], str], message: str
) -> None:
    """A refused port and an unknown host are worth little patience."""
    async with transport() as door:
        with pytest.raises(Fault, match=message) as caught:
            await get(door, where())
    assert caught.value.unreachable
    assert not caught.value.lost
    assert caught.value.final is NetworkError


async def test_a_server_without_tls_is_unreachable() -> None:
    """Where the handshake fails nobody was there to talk HTTP with."""
    server = await asyncio.start_server(_speak_plainly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, transport() as door:
        with pytest.raises(Fault, match="TLS handshake failed") as caught:
            await get(door, f"https://127.0.0.1:{port}/")
    assert caught.value.unreachable


async def _speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999/"])
async def test_a_malformed_url_is_refused(url: str) -> None:
    """What cannot be a URL is not asked for again."""
    async with transport() as door:
        with pytest.raises(RefusedError, match="the URL is malformed"):
            await get(door, url)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd"])
async def test_other_schemes_do_not_exist(url: str) -> None:
    """Nothing but http and https is ever spoken, whoever sends us there."""
    async with transport() as door:
        with pytest.raises(Fault) as caught:
            await get(door, url)
    assert caught.value.final is RefusedError


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _secure(authority: trustme.CA) -> Origin:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return Origin({"/": Resource(FILE)}, ssl=context)


async def test_a_certificate_of_a_stranger_is_refused(authority: trustme.CA) -> None:
    """A certificate that cannot be verified fails at once and for good."""
    async with _secure(authority) as origin, transport() as door:
        with pytest.raises(RefusedError, match="certificate cannot be verified"):
            await get(door, origin.url())


async def test_insecure_verifies_nothing(authority: trustme.CA) -> None:
    """Who asked for it talks to anybody."""
    async with _secure(authority) as origin, transport(insecure=True) as door:
        assert await whole(await get(door, origin.url())) == FILE.read()


async def test_an_authority_may_be_named(authority: trustme.CA) -> None:
    """A certificate of the authority in `cacert` is as good as any."""
    with authority.cert_pem.tempfile() as path:
        async with _secure(authority) as origin, transport(cacert=path) as door:
            assert await whole(await get(door, origin.url())) == FILE.read()


async def test_a_missing_authority_is_our_own_trouble(authority: trustme.CA) -> None:
    """A CA file that cannot be read is a matter of this machine."""
    nowhere = "/nonexistent/ca.pem"
    async with _secure(authority) as origin, transport(cacert=nowhere) as door:
        with pytest.raises(LocalError, match="CA file"):
            await get(door, origin.url())


# -- by a proxy ---------------------------------------------------------------


@pytest.mark.parametrize("browser", [None, "chrome120"])
async def test_the_head_of_a_tunnel_is_not_the_answer(
    authority: trustme.CA, browser: str | None
) -> None:
    """What a proxy says when it opens one is not the server's; nor is our header its."""
    async with _secure(authority) as origin, HttpProxy() as proxy:
        given = {"proxy": proxy.url(), "insecure": True, "browser": browser}
        async with transport(**given) as door:
            token = ("Authorization", "s3cret")
            response = await get(door, origin.url(), token, part=ByteRange(0, 100))
            assert response.status == 206
            assert response.headers.get("etag") == FILE.etag
            assert await whole(response) == FILE.read(0, 100)
        assert origin.requests[0].headers["authorization"] == "s3cret"
        [head] = proxy.heads
        assert head.startswith(b"CONNECT ")
        assert b"s3cret" not in head


async def test_a_lane_keeps_its_tunnel(authority: trustme.CA) -> None:
    """A handle that is used again goes through the connection it had."""
    async with _secure(authority) as origin, SocksProxy() as proxy:
        async with transport(proxy=proxy.url(), insecure=True) as door:
            for _ in range(3):
                response = await get(door, origin.url(), part=ByteRange(0, 100))
                assert await whole(response) == FILE.read(0, 100)
        assert (proxy.connections, origin.connections) == (1, 1)


@pytest.mark.parametrize(
    ("proxy", "kind", "said"),
    [
        (HttpProxy(refusal="403 No"), RefusedError, "opens no tunnel: HTTP 403"),
        (HttpProxy(refusal="503 No"), Fault, "opens no tunnel: HTTP 503"),
        (HttpProxy(login="me:x"), RefusedError, "wants a user and password: HTTP 407"),
        (SocksProxy(login="me:x"), RefusedError, "wants a user and password"),
        (SocksProxy(refusal="2"), RefusedError, "does not allow this host"),
        (SocksProxy(refusal="4"), Fault, "the host cannot be reached"),
        (SocksProxy(refusal="5"), Fault, "the host refuses connections"),
        (SocksProxy(refusal="1"), Fault, "it opens no connection to the host"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_proxy_that_refuses_is_named(
    proxy: Proxy, kind: type[HydraError], said: str
) -> None:
    """What it says of others may pass, as with a host that nobody reaches."""
    async with proxy, transport(proxy=proxy.url()) as door:
        with pytest.raises(kind, match=f"^the proxy {proxy.url()}:? {said}") as raised:
            await get(door, "https://127.0.0.1:1/")
        assert not isinstance(raised.value, Fault) or raised.value.unreachable


async def test_a_proxy_must_show_who_it_is(authority: trustme.CA) -> None:
    """One that speaks TLS is verified as a server is, and named when it fails."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with HttpProxy(tls=context) as proxy:
        url = proxy.url(scheme="https")
        async with transport(proxy=url) as door:
            with pytest.raises(RefusedError, match=f"certificate of the proxy {url}"):
                await get(door, "http://127.0.0.1:1/")


async def test_a_server_may_say_407_itself() -> None:
    """Where no proxy was asked none is blamed."""
    async with serving(script=[Status(407)]) as origin, transport() as door:
        assert (await get(door, origin.url())).status == 407
