"""Whom to believe when an answer looks like another file: asked at a real origin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from engine.errors import ChangedError, Denied, Fault, NetworkError
from engine.identity import Doubt, Likeness, compare
from engine.inquiry import is_in, settle
from engine.limiter import Limiter
from engine.model import Block, RemoteFile
from engine.ranges import ByteRange
from engine.source import Source
from engine.testing import (
    Content,
    CutAfter,
    IgnoreRange,
    Origin,
    Relabel,
    Request,
    Resource,
    Response,
    Script,
    Status,
    WrongContentRange,
)
from engine.testing.answers import LAST_MODIFIED
from engine.transport import Transport

KIB, MIB = 1 << 10, 1 << 20
FILE = Content(3 * MIB + 17, seed=1)
NEXT = Content(3 * MIB + 17, seed=2)
"""Another version, of the same size."""
LONGER = Content(4 * MIB, seed=3)
LATER = "Thu, 02 Jan 2025 00:00:00 GMT"
BINARY = "application/octet-stream"
PAGE = Relabel((("Content-Type", "text/html"), ("ETag", '"portal"')))

pytestmark = pytest.mark.timeout(15)


@asynccontextmanager
async def asking(
    resource: Resource, **more: Resource
) -> AsyncIterator[tuple[Origin, Source]]:
    """An origin, and a source of its file; more resources are at `/name`."""
    paths = {"/": resource} | {f"/{name}": other for name, other in more.items()}
    door = Transport(
        browser=None,
        cacert=None,
        insecure=False,
        connect_timeout=5.0,
        stall_timeout=5.0,
    )
    async with Origin(paths) as origin, door:
        yield origin, Source(door, Limiter(), origin.url())
        await origin.until(lambda: not origin.busy)  # no body is left flowing


def file(content: Content = FILE, **more: Any) -> RemoteFile:
    """The file as a first answer would have told of it."""
    known: dict[str, Any] = {
        "url": "http://127.0.0.1/",
        "size": content.size,
        "ranges": True,
        "name": "file",
        "etag": content.etag,
        "last_modified": LAST_MODIFIED,
        "media_type": BINARY,
    }
    return RemoteFile(**(known | more))


def sample(
    start: int = MIB, stop: int = MIB + 64 * KIB, content: Content = FILE
) -> Block:
    """Some bytes that are here, in two pieces."""
    middle = (start + stop) // 2
    pieces = content.read(start, middle), content.read(middle, stop)
    return Block(start, pieces, stop - start)


OTHER = Doubt(file(), file(LONGER, last_modified=LATER))
"""An answer that told of another size."""
RETAGGED = Doubt(file(), file(etag='"node 2"'))
"""An answer with another tag of the same day: only bytes can tell."""


# -- asked a second time ---------------------------------------------------------


async def test_the_same_again_was_a_hiccup() -> None:
    """A second look at the known file, and it stays as it was known."""
    async with asking(Resource(FILE)) as (origin, source):
        assert await settle(source, OTHER, sample()) is OTHER.known
    assert [request.range for request in origin.requests] == [ByteRange(0, 1)]


async def test_the_link_is_resolved_anew() -> None:
    """One mirror that is behind the others does not speak for all."""
    there = Resource(redirect="/new")
    mirrors = {"old": Resource(LONGER), "new": Resource(FILE)}
    async with asking(there, **mirrors) as (origin, source):
        source.pin(await source.open(ByteRange(0, 1)))
        source.url = origin.url("/old")
        assert await settle(source, OTHER, sample()) is OTHER.known
    assert [request.path for request in origin.requests[-2:]] == ["/", "/new"]


async def test_two_looks_that_agree_are_believed() -> None:
    """What a second look confirms is another file, and the error says in what."""
    told = f"the remote file changed: it was {FILE.size}, it is {LONGER.size}"
    async with asking(Resource(LONGER)) as (_, source):
        with pytest.raises(ChangedError, match=told):
            await settle(source, OTHER, sample())


async def test_two_looks_that_disagree_are_not_believed() -> None:
    """Three files in three answers: nothing is sure, and that may pass."""
    async with asking(Resource(Content(7))) as (_, source):
        with pytest.raises(Fault, match="no two answers") as raised:
            await settle(source, OTHER, sample())
    assert isinstance(raised.value.in_the_end(), ChangedError)


@pytest.mark.parametrize("resource", [Resource(FILE), Resource(FILE, ranges=False)])
async def test_a_web_page_is_not_believed(resource: Resource) -> None:
    """A captive portal says nothing about the file: the question is asked later."""
    async with asking(replace(resource, script=[PAGE])) as (_, source):
        with pytest.raises(Fault, match="a web page came") as raised:
            await settle(source, OTHER, sample())
    assert isinstance(raised.value.in_the_end(), NetworkError)


async def test_a_second_look_may_fail() -> None:
    """A server that cannot answer now is asked later, when it said."""
    script = [Status(503, retry_after=7)]
    async with asking(Resource(LONGER, script=script)) as (_, source):
        with pytest.raises(Fault, match="HTTP 503") as raised:
            await settle(source, OTHER, sample())
    assert raised.value.retry_after == 7.0


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("doubt", [OTHER, RETAGGED])
async def test_a_second_look_may_be_denied(doubt: Doubt, status: int) -> None:
    """A link that has expired meanwhile has served before: that is no refusal yet."""
    async with asking(Resource(FILE, script=[Status(status)])) as (_, source):
        with pytest.raises(Denied, match=f"HTTP {status}"):
            await settle(source, doubt, sample())


# -- compared by bytes -----------------------------------------------------------


@pytest.mark.parametrize(
    "place", [(0, 1), (MIB, MIB + 64 * KIB), (FILE.size - 9, FILE.size)]
)
@pytest.mark.parametrize("ranges", [True, False])
async def test_equal_bytes_with_another_tag_are_the_same_file(
    place: tuple[int, int], *, ranges: bool
) -> None:
    """Nodes that tag the same bytes differently agree: tags are not looked at any more.

    A server without ranges can be compared too.
    """
    async with asking(Resource(FILE, ranges=ranges)) as (_, source):
        settled = await settle(source, RETAGGED, sample(*place))
    assert settled == replace(RETAGGED.known, etag=None)
    assert compare(settled, RETAGGED.seen) is Likeness.SAME


@pytest.mark.parametrize("ranges", [True, False])
async def test_other_bytes_with_another_tag_are_another_file(*, ranges: bool) -> None:
    """The date does not vouch for bytes that are others."""
    async with asking(Resource(NEXT, ranges=ranges)) as (_, source):
        with pytest.raises(ChangedError, match=r'it was ".*", it is "node 2"'):
            await settle(source, RETAGGED, sample())


async def test_with_no_byte_here_nobody_can_compare() -> None:
    """Before the first byte has landed nothing is decided, and nobody is asked."""
    async with asking(Resource(FILE)) as (origin, source):
        with pytest.raises(Fault, match="before a byte was here"):
            await settle(source, RETAGGED, None)
    assert origin.requests == []


async def outcome(resource: Resource, doubt: Doubt) -> RemoteFile | None:
    """The file as it is known from now on, or None where it has changed."""
    async with asking(resource) as (_, source):
        try:
            return await settle(source, doubt, sample())
        except ChangedError:
            return None


async def test_a_second_look_may_lead_to_the_bytes() -> None:
    """First another file, then another tag of the same day: then bytes decide."""
    untagged = replace(OTHER.known, etag=None)
    assert await outcome(Resource(FILE, etag='"node 2"'), OTHER) == untagged
    assert await outcome(Resource(NEXT, etag='"node 2"'), OTHER) is None


async def test_an_unmarked_file_is_known_by_its_bytes() -> None:
    """Without tags and dates on either side a sample tells the file from another."""
    unmarked = file(etag=None, last_modified=None)
    served = Resource(FILE, etag=None, last_modified=None)
    assert await outcome(served, Doubt(unmarked, unmarked)) == unmarked
    changed = replace(served, content=NEXT)
    assert await outcome(changed, Doubt(unmarked, unmarked)) is None


async def test_a_web_page_is_not_compared() -> None:
    """What a portal says where bytes were asked for makes no other file."""
    script = [Portal()]
    async with asking(Resource(FILE, script=script)) as (_, source):
        with pytest.raises(Fault, match="a web page came"):
            await settle(source, RETAGGED, sample())


class Portal:
    """A login page in place of whatever was asked for."""

    def answer(
        self, _request: Request, _behave: Callable[[Request], Response], /
    ) -> Response:
        page = Content.of(b"<h1>Log in</h1>" * 9000)
        kind = ("Content-Type", "text/html")
        return Response(headers=(kind,), content=page, span=page.whole)


# -- bytes at a place ------------------------------------------------------------

KNOWN = RemoteFile(url="", size=None, ranges=True, name="file")
"""Of which nothing is known that could differ."""


async def is_there(
    block: Block, script: Script = (), content: Content = FILE, **more: Any
) -> bool:
    async with asking(Resource(content, script=script, **more)) as (_, source):
        return await is_in(source, KNOWN, block)


@pytest.mark.parametrize("script", [(), [IgnoreRange()]])
async def test_bytes_are_looked_for_at_their_place(script: Script) -> None:
    """The right bytes somewhere else are not in the file, and each byte counts."""
    right = sample(MIB, MIB + 1000)
    assert await is_there(right, script)
    assert not await is_there(replace(right, offset=MIB - 1), script)
    flipped = bytearray(FILE.read(MIB, MIB + 1000))
    for at in (0, 999):
        flipped[at] ^= 1
        assert not await is_there(Block(MIB, (bytes(flipped),), 1000), script)
        flipped[at] ^= 1


async def test_a_file_that_is_too_short_does_not_have_them() -> None:
    """Where a whole body ends before the place the bytes are not there."""
    assert not await is_there(sample(), ranges=False, content=Content(MIB, seed=1))


async def test_what_was_given_may_begin_earlier() -> None:
    """A server that gives more than was asked for still has the bytes."""

    class Early:
        def answer(
            self, request: Request, behave: Callable[[Request], Response], /
        ) -> Response:
            assert request.range is not None
            wider = ByteRange(request.range.start - 100_000, request.range.stop)
            return behave(replace(request, range=wider))

    assert await is_there(sample(), [Early()])


async def test_no_more_is_read_than_is_compared() -> None:
    """Of a server without ranges only what leads up to the bytes is fetched."""
    resource = Resource(Content(512 * MIB, seed=1), ranges=False)
    async with asking(resource) as (origin, source):
        assert await is_in(source, KNOWN, sample(0, 1000, resource.content))
        await origin.until(lambda: not origin.busy)
    assert origin.served < 64 * MIB


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([CutAfter(1000)], "connection closed early"),
        ([Status(416)], "HTTP 416 to a range request"),
        ([Status(500)], "HTTP 500"),
    ],
)
async def test_an_answer_that_fails_is_no_other_file(
    script: Script, reason: str
) -> None:
    """What breaks off or says nothing about the bytes is asked again."""
    with pytest.raises(Fault, match=reason):
        await is_there(sample(), script)


async def test_a_part_of_another_place_is_no_other_file() -> None:
    """A server that gives what nobody asked for is asked again, and not believed."""
    with pytest.raises(Fault):
        await is_there(sample(), [WrongContentRange(moved=1)])
