"""What a correct origin answers to a request, decided without any I/O.

`behave` is RFC 9110 as far as GET, HEAD, ranges and If-Range go. A `Fault`
stands between it and the wire: it is given the request and the correct
answer's maker, and returns the answer that is sent instead.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from typing import Literal, Protocol

from engine.ranges import ByteRange
from engine.testing.content import Content, gzipped

EMPTY = Content(0)
NOTHING = ByteRange(0, 0)
LAST_MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
KNOWN_STATUS = {status.value: status.phrase for status in HTTPStatus}

Headers = tuple[tuple[str, str], ...]
Length = Literal["known", "chunked", "close"]
Rate = float | Callable[[int], float | None] | None
"""Bytes per second of each connection, or what to ask with the connection's number."""


class Then(Enum):
    """What happens once `Response.turn` bytes of the body are out."""

    GO_ON = auto()
    FIN = auto()
    RST = auto()
    HOLD = auto()
    """Silence until `Response.until` is set, for ever where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came."""

    connection: int
    """Number of the connection it came on, from 1 in the order of accepting."""
    number: int
    """From 1, in the order of coming, among the requests to this path."""
    method: str
    path: str
    query: str
    version: str
    headers: Mapping[str, str]
    """Names in lower case; what came several times is joined by commas."""
    range: ByteRange | None
    """The part asked for that exists: empty where none of it does, None where the
    whole was asked for."""
    busy: int
    """Requests being answered when it came, itself included."""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, as plain values that a fault can replace."""

    status: int = 200
    headers: Headers = ()
    content: Content = EMPTY
    span: ByteRange = NOTHING
    """The part of the content that is the body."""
    length: Length = "known"
    version: str = "HTTP/1.1"
    raw: bytes | None = None
    """All that is sent, instead of a head and a body."""
    delay: float = 0.0
    """Seconds before the head."""
    rate: float | None = None
    turn: int | None = None
    then: Then = Then.GO_ON
    until: asyncio.Event | None = None
    rate_after: float | None = None

    @property
    def turn_at(self) -> int:
        """The offset in the content where `then` happens."""
        size = self.span.size if self.turn is None else self.turn
        return min(self.span.start + size, self.span.stop)

    def head(self, *, close: bool) -> bytes:
        lines = [f"{self.version} {self.status} {KNOWN_STATUS.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        if self.length == "known":
            lines.append(f"Content-Length: {self.span.size}")
        elif self.length == "chunked":
            lines.append("Transfer-Encoding: chunked")
        if close:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape")

    def framed(self, piece: memoryview) -> bytes | memoryview:
        if self.length != "chunked":
            return piece
        return b"".join((b"%x\r\n" % len(piece), piece, b"\r\n"))


class Fault(Protocol):
    """One way to misbehave, for one request."""

    def answer(
        self, request: Request, behave: Callable[[Request], Response], /
    ) -> Response: ...


Script = Sequence[Fault | None] | Callable[[Request], Fault | None]
"""The n-th request to a path gets the n-th entry, and whoever comes later gets what
is right; or a function that decides."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A file, and the manners in which it is served."""

    content: Content = EMPTY
    _: KW_ONLY
    etag: str | None = ""
    """Derived from the content where empty; None sends none."""
    last_modified: str | None = LAST_MODIFIED
    ranges: bool = True
    honours_if_range: bool = True
    length: Length = "known"
    gzip: bool = False
    """Whether whoever accepts gzip gets all of it compressed, range or not."""
    http10: bool = False
    name: str | None = None
    """What Content-Disposition says."""
    redirect: str | None = None
    headers: Headers = ()
    rate: Rate = None
    latency: float = 0.0
    """Seconds before the head of each response, faulty ones included."""
    script: Script = ()

    @property
    def validator(self) -> str | None:
        return self.content.etag if self.etag == "" else self.etag

    def rate_of(self, connection: int) -> float | None:
        return self.rate(connection) if callable(self.rate) else self.rate


def slow_every(nth: int, slow: float, rate: float | None = None) -> Rate:
    """Every `nth` connection gets `slow` bytes per second, the others `rate`."""
    return lambda connection: rate if connection % nth else slow


def behave(request: Request, resource: Resource | None) -> Response:
    """What RFC 9110 wants."""
    if request.method not in {"GET", "HEAD"}:
        return plain(405, ("Allow", "GET, HEAD"))
    if resource is None:
        return plain(404)
    if resource.redirect is not None:
        return plain(302, ("Location", resource.redirect), *resource.headers)
    return _serve(request, resource)


def plain(status: int, *headers: tuple[str, str]) -> Response:
    """A status with a line of text."""
    text = Content.of(f"{status} {KNOWN_STATUS.get(status, '')}\n".encode())
    kind = ("Content-Type", "text/plain")
    return Response(
        status=status, headers=(*headers, kind), content=text, span=text.whole
    )


def asked(field: str | None, size: int) -> ByteRange | None:
    """The part of a file that a Range header asks for; several parts ask for all."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", field or "")
    if match is None or field == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return ByteRange(max(0, size - int(last)), size)
    start, stop = int(first), int(last) + 1 if last else size
    if last and stop <= start:
        return None
    return ByteRange(min(start, size), min(max(start, stop), size))


def _serve(request: Request, resource: Resource) -> Response:
    if resource.gzip and _accepts_gzip(request):
        content = gzipped(resource.content)
        return _offer(request, resource, content, ("Content-Encoding", "gzip"))
    if (part := _part(request, resource)) is not None:
        return _offer_part(request, resource, part)
    return _offer(request, resource, resource.content)


def _offer_part(request: Request, resource: Resource, part: ByteRange) -> Response:
    content = resource.content
    if not part.size:
        return plain(416, ("Content-Range", f"bytes */{content.size}"))
    field = f"bytes {part.start}-{part.stop - 1}/{content.size}"
    return _offer(request, resource, content, ("Content-Range", field), part=part)


def _part(request: Request, resource: Resource) -> ByteRange | None:
    if request.method == "HEAD" or not resource.ranges:
        return None
    condition = request.headers.get("if-range")
    if condition is None or not resource.honours_if_range:
        return request.range
    strong = {resource.validator, resource.last_modified} - {None}
    met = condition in strong and not condition.startswith("W/")
    return request.range if met else None


def _accepts_gzip(request: Request) -> bool:
    field = request.headers.get("accept-encoding", "").replace(" ", "")
    return re.search(r"(^|,)gzip(?!;q=0(\.0*)?(,|$))", field) is not None


def _offer(
    request: Request,
    resource: Resource,
    content: Content,
    *headers: tuple[str, str],
    part: ByteRange | None = None,
) -> Response:
    old = resource.http10 or request.version == "HTTP/1.0"
    chunked = resource.length == "chunked"
    return Response(
        status=200 if part is None else 206,
        headers=(*_description(resource), *headers),
        content=content,
        span=part or content.whole,
        length="close" if old and chunked else resource.length,
        version="HTTP/1.0" if resource.http10 else "HTTP/1.1",
        rate=resource.rate_of(request.connection),
    )


def _description(resource: Resource) -> Headers:
    name = resource.name and f'attachment; filename="{resource.name}"'
    fields = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes" if resource.ranges else "none",
        "ETag": resource.validator,
        "Last-Modified": resource.last_modified,
        "Content-Disposition": name,
    }
    told = tuple((key, value) for key, value in fields.items() if value is not None)
    return (*told, *resource.headers)
