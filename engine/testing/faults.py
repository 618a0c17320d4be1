"""The ways in which an origin misbehaves, one class each.

A fault is a value. Most take the correct answer and change one thing about
it; scripts list them in the order in which they happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.ranges import ByteRange
from engine.testing.answers import Headers, Request, Response, Script, Then, plain
from engine.testing.content import Content

Behave = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Status:
    """Another status, with no file in it."""

    code: int
    retry_after: int | str | None = None
    """Seconds, or a date as it is to be sent."""

    def answer(self, _request: Request, _behave: Behave, /) -> Response:
        if self.retry_after is None:
            return plain(self.code)
        return plain(self.code, ("Retry-After", str(self.retry_after)))


@dataclass(frozen=True, slots=True)
class CutAfter:
    """The connection ends in the middle of the body, politely."""

    size: int

    def answer(self, request: Request, behave: Behave, /) -> Response:
        return replace(behave(request), turn=self.size, then=Then.FIN)


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """The connection is reset once the client's machine has `size` bytes of the body."""

    size: int

    def answer(self, request: Request, behave: Behave, /) -> Response:
        return replace(behave(request), turn=self.size, then=Then.RST)


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more comes, and the connection stays; `until` lets it go on.

    A body that is shorter is sent whole first: what is asked next on that connection
    waits as well.
    """

    after: int = 0
    until: asyncio.Event | None = None

    def answer(self, request: Request, behave: Behave, /) -> Response:
        right = behave(request)
        return replace(
            right,
            turn=self.after,
            then=Then.HOLD,
            until=self.until,
            rate_after=right.rate,
        )


@dataclass(frozen=True, slots=True)
class Crawl:
    """The body comes at `rate` bytes per second, from its byte `after` on."""

    rate: float
    after: int = 0

    def answer(self, request: Request, behave: Behave, /) -> Response:
        return replace(behave(request), turn=self.after, rate_after=self.rate)


@dataclass(frozen=True, slots=True)
class Delay:
    """The head takes so many more seconds."""

    seconds: float

    def answer(self, request: Request, behave: Behave, /) -> Response:
        return replace(behave(request), delay=self.seconds)


@dataclass(frozen=True, slots=True)
class IgnoreRange:
    """The whole file, whatever part was asked for."""

    def answer(self, request: Request, behave: Behave, /) -> Response:
        return behave(replace(request, range=None))


@dataclass(frozen=True, slots=True)
class WrongContentRange:
    """The right bytes of a part, called others: moved, or of a longer file."""

    moved: int = 1
    longer: int = 0

    def answer(self, request: Request, behave: Behave, /) -> Response:
        right = behave(request)
        if right.status != 206:
            return right
        first, last = right.span.start + self.moved, right.span.stop - 1 + self.moved
        field = f"bytes {first}-{last}/{right.content.size + self.longer}"
        return _relabelled(right, (("Content-Range", field),))


@dataclass(frozen=True, slots=True)
class Relabel:
    """The right bytes, with these headers instead of the right ones."""

    headers: Headers

    def answer(self, request: Request, behave: Behave, /) -> Response:
        return _relabelled(behave(request), self.headers)


@dataclass(frozen=True, slots=True)
class Page:
    """A web page for whatever was asked for: a login, or a captive portal."""

    text: str = "<html><body>Please log in.</body></html>"

    def answer(self, _request: Request, _behave: Behave, /) -> Response:
        content = Content.of(self.text.encode())
        headers = (("Content-Type", "text/html; charset=utf-8"),)
        return Response(headers=headers, content=content, span=content.whole)


@dataclass(frozen=True, slots=True)
class Overlong:
    """More bytes than the part has; Content-Length counts them, Content-Range not."""

    extra: int

    def answer(self, request: Request, behave: Behave, /) -> Response:
        right = behave(request)
        span = ByteRange(right.span.start, right.span.stop + self.extra)
        return replace(right, span=span)


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something that is not HTTP."""

    data: bytes = b"\x16\x03\x01 what did you say?\r\n\r\n"

    def answer(self, _request: Request, _behave: Behave, /) -> Response:
        return Response(raw=self.data, then=Then.FIN)


@dataclass(frozen=True, slots=True)
class EmptyReply:
    """The connection ends, or is reset, before a single byte."""

    reset: bool = False

    def answer(self, _request: Request, _behave: Behave, /) -> Response:
        return Response(raw=b"", then=Then.RST if self.reset else Then.FIN)


@dataclass(frozen=True, slots=True)
class RedirectLoop:
    """A redirect to where the client already is."""

    def answer(self, request: Request, _behave: Behave, /) -> Response:
        return plain(302, ("Location", request.path))


def crawl_every(nth: int, rate: float) -> Script:
    """Every `nth` request to a path gets its body at `rate` bytes per second."""
    return lambda request: None if request.number % nth else Crawl(rate)


def _relabelled(response: Response, headers: Headers) -> Response:
    named = {name.lower() for name, _ in headers}
    kept = tuple(pair for pair in response.headers if pair[0].lower() not in named)
    return replace(response, headers=(*kept, *headers))
