"""One URL of a file: where it leads, what may be sent there, what may be believed.

Redirects are followed here, hop by hop, because libcurl forwards custom headers
to strangers: what is private goes where the credentials say. Where redirects end is
pinned once an answer from there was believed, as following them again for each
range may land on another mirror, and a login page may redirect as well.

Every answer to a range is checked before its first byte counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from engine.answer import MOST_TEXT, Answer, told
from engine.config import check_url
from engine.cookies import Cookies
from engine.credentials import Credentials, credentials_of
from engine.digest_fields import promised
from engine.errors import (
    Denied,
    Fault,
    ForgotRange,
    RefusedError,
    UsageError,
)
from engine.identity import Doubt, Likeness, compare, condition
from engine.limiter import Limiter
from engine.metalink import Links, links
from engine.model import Header, Promise, RemoteFile, SourceSnapshot
from engine.naming import name_for
from engine.ranges import ByteRange
from engine.retry import TRANSIENT, retry_after
from engine.transport import Response, Transport

MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DENIED = frozenset({401, 403, 404, 410})
"""Statuses of links that have expired, and of servers that want fewer connections."""
_PACKED = (".gz", ".tgz", ".bgz", ".z", ".br", ".zst", ".svgz")
_WIRE = "%/:@!$&'()*+,;=~-._[]"
_AS_IT_IS = re.compile(
    rf"https?://[^/?#@\s]+/[\w{re.escape(_WIRE)}]*(\?[\w?{re.escape(_WIRE)}]+)?",
    re.ASCII,
)
"""Most URLs go over the wire as they are."""
_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """A Content-Range field (RFC 9110 section 14.4); None where it says `*`."""

    part: ByteRange | None
    size: int | None


def content_range(response: Response) -> ContentRange | None:
    """The response's Content-Range, or None where it is missing or makes no sense."""
    return _content_range(response.headers.get("content-range") or "")


@lru_cache(maxsize=256)
def _content_range(value: str) -> ContentRange | None:
    """Every answer is asked several times."""
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        return None
    size = None if match[3] == "*" else int(match[3])
    if match[1] is None:
        return ContentRange(None, size)
    start, stop = int(match[1]), int(match[2]) + 1
    if start >= stop or (size is not None and stop > size):
        return None
    return ContentRange(ByteRange(start, stop), size)


def is_packed(url: str) -> bool:
    """Whether the file is compressed by itself.

    Many servers label a `.gz` with Content-Encoding: there it describes the file
    and must not be undone, or `x.tar.gz` would hold a tar.
    """
    return urlsplit(url).path.lower().endswith(_PACKED)


def undone_coding(response: Response) -> str:
    """The content coding that was undone, so that lengths tell of other bytes."""
    coding = (response.headers.get("content-encoding") or "identity").lower()
    return "" if coding == "identity" or is_packed(response.url) else coding


def host_of(url: str) -> str:
    """Whom a window is for: the host, with the port where it is not the usual one."""
    parts = urlsplit(url)
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme.lower(), "")
    return parts.netloc.rpartition("@")[2].lower().removesuffix(usual)


class Source:
    """A URL with its own headers, following its redirects."""

    def __init__(
        self,
        transport: Transport,
        limiter: Limiter,
        url: str,
        credentials: Credentials | None = None,
        cookies: Cookies | None = None,
    ) -> None:
        check_url(url)
        self.url = self._given = _without_userinfo(url)
        """Where the next request goes: the URL given, later where it led."""
        self.host = host_of(self.url)
        """Whose window its requests count in."""
        self._way: tuple[Answer, ...] = ()
        """The redirects to the latest answer; with that once it was believed."""
        self._is_believed = self._is_decoded = False
        self._transport = transport
        self._limiter = limiter
        self._credentials = credentials or credentials_of(url)
        self._cookies = cookies

    def is_home(self, url: str) -> bool:
        """Whether what is private may be sent there."""
        return self._credentials.is_home(url)

    def elsewhere(self, url: str) -> Source:
        """The same file at another URL; what is private stays where it was given for."""
        credentials = self._credentials.knowing(url)
        return Source(self._transport, self._limiter, url, credentials, self._cookies)

    def promised(self) -> tuple[Promise, ...]:
        """Digests of the whole file that the answers on the way here told of."""
        if not self._is_believed or self._is_decoded:
            return ()
        *redirects, last = self._way
        fields = [field for answer in redirects for field in answer.fields()]
        found = (
            *promised(last.fields(), whole=last.status == 200),
            *promised(fields, whole=False),
        )
        return tuple({one.digest.algorithm: one for one in reversed(found)}.values())

    def links(self) -> Links:
        """Where else the file may be had, as the answers on the way here told."""
        found = [
            links(value, answer.url)
            for answer in self._way
            for value in answer.each("link")
        ]
        return Links(
            duplicates=tuple(url for one in found for url in one.duplicates),
            described_by=next((o.described_by for o in found if o.described_by), ""),
        )

    def pin(self, response: Response) -> None:
        """From now on ask where this answer came from."""
        self.url = response.url
        self.host = host_of(self.url)
        if not self._is_believed:
            self._is_believed = True
            self._is_decoded = bool(undone_coding(response))
            self._way = (*self._way, _kept(response))

    @property
    def told(self) -> SourceSnapshot | None:
        """How the first answer that was believed was reached, and what it said."""
        return told(self._way) if self._is_believed else None

    def resolve_again(self) -> None:
        """Follow the redirects anew with the next request."""
        self.url = self._given

    async def open(
        self, part: ByteRange | None, if_range: str | None = None
    ) -> Response:
        """GET the part, or the whole, following redirects; the body is still flowing.

        Raises Fault for what may pass, RefusedError for what will not.
        """
        url = self.url
        way: tuple[Answer, ...] = ()
        for _ in range(MOST_REDIRECTS + 1):
            self.host = host_of(url)
            headers = self._headers(url, part, if_range)
            response = await self._transport.get(
                url, headers, self._limiter, decode=not is_packed(url)
            )
            try:
                self._take_cookies(response)
                if response.status not in _REDIRECTS:
                    _raise_for_status(response)
                    self._came_by(way)
                    return response
                url = _next_hop(response)
            except BaseException:
                response.close()
                raise
            response.close()
            way = (*way, _kept(response))
        raise RefusedError(f"more than {MOST_REDIRECTS} redirects")

    async def reopen(
        self, part: ByteRange | None, if_range: str | None = None
    ) -> Response:
        """GET from a link that has worked: a refusal raises Denied, which may pass."""
        try:
            return await self.open(part, if_range)
        except RefusedError as error:
            if error.status in _DENIED:
                raise Denied(str(error), status=error.status) from error
            raise

    async def fetch(self, part: ByteRange | None, remote: RemoteFile) -> Response:
        """GET a part of a file already known, and check the answer against it.

        Raises Denied for what the server has served before, Doubt for an answer
        about what may be another file.
        """
        response = await self.reopen(part, condition(remote) if part else None)
        try:
            if part is not None:
                check_part(response, part, remote)
            else:
                check_whole(response, remote)
        except BaseException:
            response.close()
            raise
        self.pin(response)
        return response

    def _came_by(self, way: tuple[Answer, ...]) -> None:
        if not self._is_believed:
            self._way = way

    def _headers(
        self, url: str, part: ByteRange | None, if_range: str | None
    ) -> list[Header]:
        headers = [("Accept-Encoding", "identity")]
        if part is not None:
            headers.append(("Range", part.header))
            if if_range is not None:
                headers.append(("If-Range", if_range))
        headers.extend(self._credentials.headers_for(url))
        if self._cookies is not None and (cookie := self._cookies.header(url)):
            headers = _with_cookie(headers, cookie)
        return headers

    def _take_cookies(self, response: Response) -> None:
        fields = response.headers.each("set-cookie")
        if fields and self._cookies is not None:
            self._cookies.take(response.url, fields)


def _with_cookie(headers: list[Header], cookie: str) -> list[Header]:
    """One Cookie field, as RFC 6265 wants it, also where a header was given."""
    given = [value for name, value in headers if name.lower() == "cookie"]
    others = [header for header in headers if header[0].lower() != "cookie"]
    return [*others, ("Cookie", "; ".join([*given, cookie]))]


def _next_hop(response: Response) -> str:
    location = response.headers.get("location")
    if not location:
        raise RefusedError(f"HTTP {response.status} without a Location")
    try:
        url = urljoin(response.url, location.replace(" ", "%20"))
        check_url(url)
    except (UsageError, ValueError) as error:
        raise RefusedError(f"a redirect is refused: {error}") from None
    return _without_userinfo(url)


def describe(response: Response, *more_names: str) -> RemoteFile:
    """The file an answer tells of; `more_names` are URLs it may be named after."""
    found = content_range(response)
    headers = response.headers
    media_type = headers.get("content-type") or ""
    return RemoteFile(
        url=response.url,
        size=found.size if found is not None else _whole_length(response),
        ranges=response.status != 200,
        name=name_for(headers.get("content-disposition"), response.url, *more_names),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        media_type=media_type.partition(";")[0].lower()
        if response.status < 300
        else "",
    )


def _kept(response: Response) -> Answer:
    return Answer(response.status, response.url, response.headers.text(MOST_TEXT))


def _whole_length(response: Response) -> int | None:
    """Content-Length, where it is the length of the bytes we get."""
    length = response.headers.get("content-length")
    if response.status != 200 or undone_coding(response):
        return None
    return int(length) if length is not None and length.isdigit() else None


def check_part(response: Response, part: ByteRange, remote: RemoteFile) -> None:
    """Refuse an answer that is not exactly `part` of the file this job knows."""
    if response.status == 206 and (coding := undone_coding(response)):
        raise Fault(f"a part was given in {coding} coding")
    _check_identity(response, remote)
    if response.status == 200:
        raise ForgotRange("the whole file came where a part was asked for")
    if response.status != 206:
        raise Fault(f"HTTP {response.status} to a range request")
    found = content_range(response)
    if found is None or found.part is None or found.part.start != part.start:
        shown = response.headers.get("content-range")
        raise Fault(f"asked for {part.header}, was given {shown or 'no Content-Range'}")


def check_whole(response: Response, remote: RemoteFile) -> None:
    """Refuse a whole body that is not the file this job knows."""
    if response.status != 200:
        raise Fault(f"HTTP {response.status} to a request without a range")
    _check_identity(response, remote)


def _check_identity(response: Response, remote: RemoteFile) -> None:
    """Let pass what is the same file; with nothing to go by, what may be."""
    seen = describe(response)
    likeness = compare(remote, seen)
    if likeness is Likeness.PAGE:
        raise Fault("a web page came instead of the file")
    unmarked = remote.etag is None and remote.last_modified is None
    if likeness is Likeness.OTHER or (likeness is Likeness.UNSURE and not unmarked):
        raise Doubt(remote, seen)


def _raise_for_status(response: Response) -> None:
    status = response.status
    if status in {200, 206, 416}:
        return
    if status in TRANSIENT:
        wait = retry_after(response.headers.get("retry-after"))
        raise Fault(f"HTTP {status}", status=status, retry_after=wait)
    raise RefusedError(f"HTTP {status}", status=status)


def _without_userinfo(url: str) -> str:
    """The URL as it goes over the wire: userinfo and fragment off, ASCII only."""
    if _AS_IT_IS.fullmatch(url):
        return url
    parts = urlsplit(url)
    clean = parts._replace(
        netloc=parts.netloc.rpartition("@")[2],
        path=quote(parts.path or "/", safe=_WIRE, errors="surrogateescape"),
        query=quote(parts.query, safe=_WIRE + "?", errors="surrogateescape"),
        fragment="",
    )
    return urlunsplit(clean)
