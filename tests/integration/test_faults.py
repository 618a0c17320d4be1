"""Everything a server may do wrong: the right bytes come, or the right error."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path
from time import monotonic, time
from typing import Any, Literal

import pytest

from engine import (
    ChangedError,
    Config,
    Engine,
    HydraError,
    JobSpec,
    NetworkError,
    RefusedError,
)
from engine.testing import (
    Content,
    Crawl,
    CutAfter,
    Delay,
    EmptyReply,
    Fault,
    Garbage,
    IgnoreRange,
    Origin,
    Overlong,
    RedirectLoop,
    Relabel,
    Request,
    ResetAfter,
    Resource,
    Response,
    Script,
    Stall,
    Status,
    WrongContentRange,
)
from tests.integration.support import FILE, KIB, MIB, Fetch, left_alone
from tests.support.nginx import NginxServer

Behave = Callable[[Request], Response]

NEW = Content(FILE.size, seed=99)
"""Another version, of the same size."""
SHORT = Content(FILE.size // 3, seed=98)
"""Another version, of which there is less."""


def each(*faults: Fault | None) -> Script:
    """These, one after the other, for the first requests."""
    return faults


def later(fault: Fault, nth: int = 2) -> Script:
    """This, for the n-th request and no other."""
    return (*[None] * (nth - 1), fault)


@dataclass(frozen=True)
class Shorter:
    """Less than was asked for, and honest about it."""

    size: int

    def answer(self, request: Request, behave: Behave, /) -> Response:
        if request.range is None:
            return behave(request)
        stop = min(request.range.stop, request.range.start + self.size)
        return behave(replace(request, range=replace(request.range, stop=stop)))


PASSING: Mapping[str, Script] = {
    "the first connection is cut": each(CutAfter(9_000)),
    "a later connection is cut": later(CutAfter(9_000)),
    "cut before the first byte of the body": each(CutAfter(0), CutAfter(0)),
    "every early connection is cut": each(*[CutAfter(50_000)] * 8),
    "the first connection is reset": each(ResetAfter(9_000)),
    "a later connection is reset": later(ResetAfter(9_000)),
    "every early connection is reset": each(*[ResetAfter(70_000)] * 8),
    "the first one stalls": each(Stall(9_000)),
    "a later one stalls": later(Stall(9_000), nth=3),
    "it stalls before the body": each(Stall(0)),
    "it does not answer": each(Delay(60)),
    "garbage first": each(Garbage()),
    "garbage later": later(Garbage()),
    "nothing first": each(EmptyReply()),
    "nothing later": later(EmptyReply()),
    "a reset instead of a first answer": each(EmptyReply(reset=True)),
    "a reset instead of a later answer": later(EmptyReply(reset=True)),
    "500 first": each(Status(500)),
    "500 later": later(Status(500)),
    "a range is ignored once": later(IgnoreRange()),
    "the first range is ignored": each(IgnoreRange()),
    "another part than asked for": later(WrongContentRange(moved=4096)),
    "the first part is another": each(WrongContentRange(moved=1)),
    "no Content-Range": later(Relabel((("Content-Range", ""),))),
    "nonsense as Content-Range": later(Relabel((("Content-Range", "bytes 5-2/9"),))),
    "more than asked for": each(*[Overlong(10_000)] * 4),
    "far more than asked for": each(*[Overlong(MIB)] * 4),
    "less than asked for": lambda _: Shorter(30_000),
    "416 once": later(Status(416)),
    "404 once": later(Status(404)),
    "another ETag once": later(Relabel((("ETag", '"x"'),))),
    "another date once": later(
        Relabel((("ETag", ""), ("Last-Modified", formatdate(usegmt=True))))
    ),
    "another size once": later(WrongContentRange(moved=0, longer=5)),
}


@pytest.mark.parametrize("case", PASSING)
async def test_what_passes_is_survived(fetch: Fetch, case: str) -> None:
    """Transient faults cost time and nothing else: the bytes are right."""
    resource = Resource(FILE, script=PASSING[case])
    async with Origin({"/file": resource}) as origin:
        file = await fetch(origin.url("/file"), stall_timeout=0.1)
        await left_alone(origin)
    assert file.data == FILE.read()


ONE_LANE: Mapping[str, Script] = {
    "cut": each(CutAfter(100_000), CutAfter(2 * MIB)),
    "reset": each(ResetAfter(100_000), ResetAfter(0)),
    "a stall": each(Stall(100_000)),
}


@pytest.mark.parametrize(
    ("case", "length"),
    [*((case, "known") for case in ONE_LANE), ("cut", "chunked"), ("a stall", "close")],
)
async def test_without_ranges_it_begins_again(
    fetch: Fetch, case: str, length: Literal["known", "chunked", "close"]
) -> None:
    """Without ranges the whole body comes again, and only what is new is delivered."""
    resource = Resource(FILE, script=ONE_LANE[case], ranges=False, length=length)
    async with Origin({"/file": resource}) as origin:
        file = await fetch(origin.url("/file"), stall_timeout=0.1)
    assert file.data == FILE.read()


HOPELESS: Mapping[str, tuple[Fault, type[HydraError], str]] = {
    "garbage": (Garbage(), RefusedError, "not HTTP"),
    "malformed": (Garbage(b"HTTP/1.1 what\r\n\r\n"), RefusedError, "HTTP"),
    "another part": (WrongContentRange(moved=1), RefusedError, "Content-Range"),
    "nothing": (EmptyReply(), NetworkError, "empty reply"),
    "500": (Status(500), NetworkError, "HTTP 500"),
    "503": (Status(503), NetworkError, "HTTP 503"),
    "cut": (CutAfter(0), NetworkError, "closed early"),
    "stalled": (Stall(0), NetworkError, "nothing received"),
    "silent": (Delay(60), NetworkError, "nothing received"),
}


@pytest.mark.parametrize("case", HOPELESS)
async def test_what_never_passes_is_given_up(fetch: Fetch, case: str) -> None:
    """Without progress for --give-up-after it fails, and says why."""
    fault, kind, message = HOPELESS[case]
    async with Origin({"/file": Resource(FILE, script=lambda _: fault)}) as origin:
        url = origin.url("/file")
        await assert_fails(fetch, url, kind, message, stall_timeout=0.1, patience=0.1)
        await left_alone(origin)


FATAL: Mapping[str, tuple[Script, type[HydraError], str]] = {
    "404": (each(Status(404)), RefusedError, "HTTP 404"),
    "401": (each(Status(401)), RefusedError, "HTTP 401"),
    "410": (each(Status(410)), RefusedError, "HTTP 410"),
    "299": (each(Status(299)), RefusedError, "HTTP 299"),
    "501": (each(Status(501)), RefusedError, "HTTP 501"),
    "404 later": (
        lambda request: Status(404) if request.number > 1 else None,
        RefusedError,
        "HTTP 404",
    ),
    "a redirect loop": (lambda _: RedirectLoop(), RefusedError, "redirects"),
}


@pytest.mark.parametrize("case", FATAL)
async def test_what_does_not_pass_fails_at_once(fetch: Fetch, case: str) -> None:
    """What will not pass is not asked for again."""
    script, kind, message = FATAL[case]
    async with Origin({"/file": Resource(FILE, script=script)}) as origin:
        await assert_fails(fetch, origin.url("/file"), kind, message)
        await left_alone(origin)


async def assert_fails(
    fetch: Fetch,
    url: str,
    kind: type[HydraError],
    message: str,
    *,
    patience: float | None = None,
    **settings: Any,
) -> None:
    """The right error with the right words, soon, and no file that looks whole."""
    began = monotonic()
    with pytest.raises(kind) as caught:
        await fetch(url, give_up_after=patience, **settings)
    assert monotonic() - began < 4
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert fetch.names() == []


async def test_nobody_listens(fetch: Fetch) -> None:
    """A refused port gives up after --give-up-after."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/file"
    await assert_fails(fetch, url, NetworkError, "cannot connect", patience=0.1)


async def test_nobody_knows_the_host(fetch: Fetch) -> None:
    """An unknown host gives up after --give-up-after."""
    url = "http://no-such-host.invalid/file"
    await assert_fails(fetch, url, NetworkError, "unknown host", patience=0.1)


async def test_a_handshake_fails(fetch: Fetch, nginx: NginxServer) -> None:
    """A server that speaks no TLS gives up after --give-up-after."""
    url = f"{nginx.http_url}/one.bin".replace("http:", "https:")
    await assert_fails(fetch, url, NetworkError, "TLS", patience=0.1)


@pytest.mark.option("connect-timeout")
async def test_nobody_accepts(fetch: Fetch) -> None:
    """A host that never answers is given up after --connect-timeout."""
    with _deaf() as url:
        settings = {"patience": 0.0, "connect_timeout": 0.1, "stall_timeout": 0.1}
        await assert_fails(fetch, url, NetworkError, "", **settings)


@contextmanager
def _deaf() -> Iterator[str]:
    """A port whose queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        with ExitStack() as stack:
            for _ in range(4):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                with suppress(BlockingIOError):
                    client.connect(address)
            yield f"http://127.0.0.1:{address[1]}/file"


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504, 520, 524])
async def test_transient_statuses_are_asked_again(tmp_path: Path, status: int) -> None:
    """408, 425, 429, 500, 502, 503, 504 and 520 to 524 are transient."""
    fetch = Fetch(tmp_path, is_stream=False)
    resource = Resource(FILE, script=[Status(status), None, Status(status)])
    async with Origin({"/file": resource}) as origin:
        file = await fetch(origin.url("/file"))
    assert file.data == FILE.read()


@pytest.mark.slow
async def test_retry_after_is_obeyed(fetch: Fetch) -> None:
    """Retry-After in seconds is obeyed."""
    await assert_waits(fetch, later(Status(429, retry_after=1)), nth=2)


@pytest.mark.slow
async def test_retry_after_may_be_a_date(tmp_path: Path) -> None:
    """Retry-After as a date is obeyed as well."""
    date = formatdate(time() + 2, usegmt=True)
    fetch = Fetch(tmp_path, is_stream=False)
    await assert_waits(fetch, each(Status(503, retry_after=date)), nth=1)


async def assert_waits(fetch: Fetch, script: Script, *, nth: int) -> None:
    """A second or two pass between the n-th request and the next one."""
    async with Origin({"/file": Resource(FILE, script=script)}) as origin:
        file = await fetch(origin.url("/file"), threads=1)
        refused, again = (request.at for request in origin.requests[nth - 1 : nth + 1])
    assert file.data == FILE.read()
    assert 0.9 < again - refused < 3


@pytest.mark.slow
async def test_retry_after_is_for_the_whole_host(tmp_path: Path) -> None:
    """Retry-After is obeyed for the whole host: no job begins before it is over."""
    files = {
        "/busy": Resource(FILE, script=each(Status(503, retry_after=1))),
        "/other": Resource(FILE),
    }
    async with Origin(files) as origin, Engine(Config(output=tmp_path)) as engine:
        busy = engine.add(JobSpec(origin.url("/busy")))
        await origin.until(lambda: bool(origin.requests) and not origin.busy)
        other = engine.add(JobSpec(origin.url("/other")))
        await engine.wait(busy)
        await engine.wait(other)
        refused, *after = (request.at for request in origin.requests)
    assert min(after) - refused > 0.9


async def test_too_many_connections_shrinks(fetch: Fetch) -> None:
    """429 and 503 that begin as connections rise mean fewer lanes, not failure."""
    resource = Resource(FILE, rate=6e6)
    async with Origin(
        {"/file": resource}, max_connections=2, refusal=Status(429)
    ) as origin:
        file = await fetch(origin.url("/file"), threads=8)
    assert file.data == FILE.read()


async def test_a_crawling_connection_is_overtaken(fetch: Fetch) -> None:
    """One crawling connection may not cost more than a few seconds."""
    script = later(Crawl(rate=5_000, after=1_000))
    async with Origin({"/file": Resource(FILE, script=script)}) as origin:
        began = monotonic()
        file = await fetch(origin.url("/file"))
        took = monotonic() - began
    assert file.data == FILE.read()
    assert took < 3


async def test_an_outage_is_survived(fetch: Fetch) -> None:
    """When all lanes fail together they come back together."""
    resource = Resource(FILE, rate=4e6)
    async with Origin({"/file": resource}) as origin, asyncio.TaskGroup() as group:
        fetching = group.create_task(fetch(origin.url("/file")))
        await origin.until(lambda: origin.served > MIB)
        origin.sever()
        await origin.until(lambda: origin.served > 2 * MIB)
        origin.sever()
        file = await fetching
    assert file.data == FILE.read()


@pytest.mark.parametrize("ranges", [True, False])
async def test_versions_are_never_mixed(fetch: Fetch, *, ranges: bool) -> None:
    """Another validator means the file changed: no mix of two versions is delivered."""
    old = Resource(FILE, ranges=ranges, rate=5e6)
    async with Origin({"/file": old}) as origin, asyncio.TaskGroup() as group:

        async def change() -> None:
            await origin.until(lambda: origin.served > MIB)
            origin.resources["/file"] = Resource(NEW, ranges=ranges)
            origin.sever()

        group.create_task(change())
        await assert_takes_the_change(fetch, origin, NEW)


@pytest.mark.parametrize("size", [0, MIB // 2])
async def test_a_part_that_is_no_more_means_a_change(fetch: Fetch, size: int) -> None:
    """A 416 that tells of another size is a changed file, not one to wait for."""
    resource = Resource(FILE, rate=5e6)
    async with Origin({"/file": resource}) as origin, asyncio.TaskGroup() as group:

        async def shrink() -> None:
            await origin.until(lambda: origin.served > MIB)
            origin.resources["/file"] = Resource(Content(size))
            origin.sever()

        group.create_task(shrink())
        await assert_takes_the_change(fetch, origin, Content(size))


async def assert_takes_the_change(fetch: Fetch, origin: Origin, new: Content) -> None:
    """A file becomes the new version, whole; a stream that was read from ends."""
    if fetch.is_stream:
        with pytest.raises(ChangedError):
            await fetch(origin.url("/file"))
    else:
        file = await fetch(origin.url("/file"))
        assert file.data == new.read()
        assert sorted(path.name for path in fetch.directory.iterdir()) == [file.name]


async def test_many_failures_leave_room_for_others(tmp_path: Path) -> None:
    """A job that fails gives back what it held of its host's window."""
    files = {"/good": Resource(FILE)}
    for number in range(6):
        script = FATAL["404 later"][0]
        files[f"/bad/{number}"] = Resource(FILE, script=script)
    config = Config(output=tmp_path, threads=4, min_chunk=64 * KIB)
    async with Origin(files) as origin, Engine(config) as engine:
        for number in range(6):
            job = engine.add(JobSpec(origin.url(f"/bad/{number}")))
            with pytest.raises(RefusedError):
                await engine.wait(job)
        done = await engine.wait(engine.add(JobSpec(origin.url("/good"))))
        assert done.done == FILE.size
        assert engine.snapshot().flying == 0


@pytest.mark.parametrize("length", ["chunked", "close"])
async def test_a_file_that_shrinks_leaves_no_tail(
    fetch: Fetch, length: Literal["chunked", "close"]
) -> None:
    """Without validators and length, what began again is all that counts."""
    old = Resource(
        FILE,
        etag=None,
        last_modified=None,
        ranges=False,
        length=length,
        script=[ResetAfter(2 * MIB)],
    )
    async with Origin({"/file": old}) as origin, asyncio.TaskGroup() as group:

        async def change() -> None:
            await origin.until(lambda: bool(origin.requests))
            origin.resources["/file"] = replace(old, content=SHORT, script=())

        group.create_task(change())
        if fetch.is_stream:
            with pytest.raises(ChangedError):
                await fetch(origin.url("/file"))
        else:
            file = await fetch(origin.url("/file"))
            assert file.data == SHORT.read()


async def test_an_end_too_early_is_no_end(fetch: Fetch) -> None:
    """Less than was already here is not the end of a file of unknown length."""
    script = each(ResetAfter(2 * MIB), CutAfter(MIB))
    resource = Resource(FILE, ranges=False, length="close", script=script)
    async with Origin({"/file": resource}) as origin:
        file = await fetch(origin.url("/file"))
    assert file.data == FILE.read()
