"""What is sent to whom, and what is believed of the answer."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast

import pytest

from engine.cookies import Cookies
from engine.credentials import credentials_of
from engine.errors import (
    Denied,
    ExpiredError,
    Fault,
    ForgotRange,
    HydraError,
    RefusedError,
    UsageError,
)
from engine.identity import Doubt
from engine.limiter import Limiter
from engine.model import Header, RemoteFile
from engine.ranges import ByteRange
from engine.source import (
    MOST_REDIRECTS,
    ContentRange,
    Source,
    check_part,
    check_whole,
    content_range,
    describe,
    host_of,
    is_packed,
    undone_coding,
)
from engine.transport import Headers, Response, Transport

URL = "https://example.org/data/file.bin"
PART = ByteRange(100, 200)
SECRET = ("X-Token", "s3cret")
REMOTE = RemoteFile(
    url=URL,
    size=1000,
    ranges=True,
    name="file.bin",
    etag='"v1"',
    last_modified="Wed, 01 Jan 2025 00:00:00 GMT",
)


class Answer:
    """A response as a source sees it: a head, and whether it was closed."""

    def __init__(
        self, status: int, fields: Mapping[str, str] | None = None, url: str = URL
    ) -> None:
        self.status = status
        self.url = url
        self.headers = Headers()
        self.is_closed = False
        for name, value in (fields or {}).items():
            self.headers.add(f"{name.replace('_', '-')}: {value}".encode())

    def close(self) -> None:
        self.is_closed = True


class Web:
    """A transport whose hosts are a table; it remembers what was asked."""

    def __init__(self, pages: Mapping[str, Answer]) -> None:
        self.pages = pages
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.decoded: list[bool] = []

    async def get(
        self, url: str, headers: Iterable[Header], limiter: Limiter, *, decode: bool
    ) -> Answer:
        self.asked.append((url, dict(headers)))
        self.decoded.append(decode)
        return self.pages[url]

    @property
    def urls(self) -> list[str]:
        return [url for url, _ in self.asked]

    def tokens(self) -> list[str | None]:
        """The secret header of each request, or None where it was not sent."""
        return [headers.get(SECRET[0]) for _, headers in self.asked]


def response(status: int = 206, /, **fields: str) -> Response:
    return cast(Response, Answer(status, fields))


def source(web: Web, url: str = URL, *headers: Header) -> Source:
    return Source(cast(Transport, web), Limiter(), url, credentials_of(url, headers))


def same(found: object, answer: object) -> bool:
    return found is answer


def redirect(to: str, status: int = 302) -> Answer:
    return Answer(status, {"Location": to})


# -- Content-Range -----------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes 0-0/1", ContentRange(ByteRange(0, 1), 1)),
        ("bytes 100-199/1000", ContentRange(ByteRange(100, 200), 1000)),
        ("bytes  100-199/1000", ContentRange(ByteRange(100, 200), 1000)),
        ("bytes 100-199/*", ContentRange(ByteRange(100, 200), None)),
        ("bytes */1000", ContentRange(None, 1000)),
        ("bytes */0", ContentRange(None, 0)),
        ("bytes */*", ContentRange(None, None)),
    ],
)
def test_a_content_range_is_read_half_open(value: str, expected: ContentRange) -> None:
    """The inclusive end of the wire is a stop inside, and `*` is None."""
    assert content_range(response(Content_Range=value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "100-199/1000",
        "bytes 100-99/1000",
        "bytes 900-1000/1000",
        "bytes 100-/1000",
        "bytes -100/1000",
        "bytes 100-199",
        "bytes 100-199/",
        "bytes 100-199/1000, bytes 300-399/1000",
        "items 1-2/3",
        "bytes 0x1-0x2/9",
        "bytes 0-9/" + "9" * 5000,
    ],
)
def test_a_content_range_without_sense_is_none(value: str) -> None:
    """What contradicts itself, or is not one range of bytes, is no answer."""
    assert content_range(response(Content_Range=value)) is None


def test_a_content_range_may_be_missing() -> None:
    """A response need not have one."""
    assert content_range(response(200)) is None


# -- what was done to the bytes ----------------------------------------------


@pytest.mark.parametrize(
    ("url", "packed"),
    [
        ("https://example.org/x.tar.gz", True),
        ("https://example.org/X.TGZ?v=2", True),
        ("https://example.org/x.svgz#top", True),
        ("https://example.org/x.zst", True),
        ("https://example.org/x.txt", False),
        ("https://example.org/x.txt?name=a.gz", False),
        ("https://example.org/gz", False),
    ],
)
def test_a_packed_file_is_known_by_its_path(url: str, *, packed: bool) -> None:
    """Only the path tells whether a file is compressed by itself."""
    assert is_packed(url) == packed


@pytest.mark.parametrize(
    ("url", "fields", "coding"),
    [
        ("https://example.org/x.txt", {}, ""),
        ("https://example.org/x.txt", {"Content-Encoding": "Identity"}, ""),
        ("https://example.org/x.txt", {"Content-Encoding": "GZIP"}, "gzip"),
        ("https://example.org/x.gz", {"Content-Encoding": "gzip"}, ""),
    ],
)
def test_a_coding_is_undone_unless_it_is_the_files(
    url: str, fields: dict[str, str], coding: str
) -> None:
    """Lengths of a coded answer tell of other bytes than the ones we get."""
    assert undone_coding(cast(Response, Answer(200, fields, url))) == coding


# -- what people may see -----------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (URL, "example.org"),
        ("https://user:secret@Example.ORG/x", "example.org"),
        ("http://example.org:8080/x", "example.org:8080"),
        ("http://[::1]:8080/x", "[::1]:8080"),
        ("http://example.org:80/x", "example.org"),
        ("HTTPS://example.org:443/x", "example.org"),
        ("http://example.org:443/x", "example.org:443"),
    ],
)
def test_a_window_is_for_a_host(url: str, host: str) -> None:
    """Lanes are counted by host and port, whoever asks."""
    assert host_of(url) == host


# -- what is sent ------------------------------------------------------------


async def test_a_request_asks_for_plain_bytes() -> None:
    """No compression is asked for, and exactly the part."""
    web = Web({URL: Answer(206)})
    assert same(await source(web).open(PART), web.pages[URL])
    assert web.asked == [
        (URL, {"Accept-Encoding": "identity", "Range": "bytes=100-199"})
    ]


async def test_the_whole_is_asked_for_without_a_range() -> None:
    """Without a part there is no Range field."""
    web = Web({URL: Answer(200)})
    await source(web).open(None)
    assert web.asked == [(URL, {"Accept-Encoding": "identity"})]


@pytest.mark.parametrize(
    ("url", "decode"), [(URL, True), ("https://example.org/file.tar.gz", False)]
)
async def test_a_packed_file_is_not_unpacked(url: str, *, decode: bool) -> None:
    """A coding that describes the file itself is left alone."""
    web = Web({url: Answer(200, url=url)})
    await source(web, url).open(None)
    assert web.decoded == [decode]


async def test_userinfo_becomes_a_header() -> None:
    """User and password go in Authorization, decoded, and never in the URL."""
    web = Web({URL: Answer(206)})
    await source(web, "https://us%40er:p%3Ass@example.org/data/file.bin").open(PART)
    ((url, headers),) = web.asked
    kind, _, token = headers["Authorization"].partition(" ")
    assert (url, kind, b64decode(token)) == (URL, "Basic", b"us@er:p:ss")


async def test_a_user_may_have_no_password() -> None:
    """A name alone is sent with an empty password."""
    web = Web({URL: Answer(206)})
    await source(web, "https://user@example.org/data/file.bin").open(PART)
    assert b64decode(web.asked[0][1]["Authorization"][6:]) == b"user:"


@pytest.mark.parametrize(
    ("given_url", "sent"),
    [
        ("https://example.org", "https://example.org/"),
        ("https://example.org/a%20b?q=%2F#top", "https://example.org/a%20b?q=%2F"),
        (
            "https://example.org/stra\u00dfe?\u00fc",
            "https://example.org/stra%C3%9Fe?%C3%BC",
        ),
        ("https://example.org/a|b\\c", "https://example.org/a%7Cb%5Cc"),
        ("https://example.org/a?b?c", "https://example.org/a?b?c"),
    ],
)
def test_a_url_is_sent_in_ascii(given_url: str, sent: str) -> None:
    """What was escaped stays as it was, what must be is, and fragments stay here."""
    assert source(Web({}), given_url).url == sent


def test_what_cannot_be_fetched_is_not_begun() -> None:
    """A source of something else than http and https is a usage error."""
    with pytest.raises(UsageError, match="only http and https"):
        source(Web({}), "ftp://example.org/x")


# -- redirects ---------------------------------------------------------------


THERE = "https://cdn.example/file"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    """Where they end is asked for the same part, and counts for the window."""
    web = Web({URL: redirect(THERE, status), THERE: Answer(206, url=THERE)})
    one = source(web)
    assert one.host == "example.org"
    await one.open(PART)
    assert web.urls == [URL, THERE]
    assert one.host == "cdn.example"
    assert web.asked[1][1]["Range"] == "bytes=100-199"
    assert web.pages[URL].is_closed
    assert not web.pages[THERE].is_closed


async def test_where_a_redirect_led_is_not_believed_at_once() -> None:
    """A login page may redirect too: until an answer is pinned all begin anew."""
    web = Web({URL: redirect(THERE), THERE: Answer(206, url=THERE)})
    one = source(web)
    for _ in range(2):
        await one.open(PART)
    assert web.urls == [URL, THERE, URL, THERE]
    assert one.url == URL


async def test_a_pinned_answer_is_asked_first() -> None:
    """What was believed is asked again where it came from, until that is undone."""
    web = Web({URL: redirect(THERE), THERE: Answer(206, url=THERE)})
    one = source(web)
    one.pin(await one.open(PART))
    assert (one.url, one.host) == (THERE, "cdn.example")
    await one.open(PART)
    assert web.urls == [URL, THERE, THERE]
    one.resolve_again()
    await one.open(PART)
    assert web.urls == [URL, THERE, THERE, URL, THERE]


async def test_headers_stay_away_from_where_an_answer_is_pinned() -> None:
    """Secrets are for the origin they were given for, however a URL is reached."""
    web = Web({URL: redirect(THERE), THERE: Answer(206, url=THERE)})
    one = source(web, URL, SECRET)
    one.pin(await one.open(PART))
    await one.open(PART)
    one.resolve_again()
    await one.open(PART)
    assert web.tokens() == [SECRET[1], None, None, SECRET[1], None]


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/other", "https://example.org/other"),
        ("other", "https://example.org/data/other"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("?v=2", "https://example.org/data/file.bin?v=2"),
        ("https://u:p@cdn.example/x#top", "https://cdn.example/x"),
        ("/with space", "https://example.org/with%20space"),
        ("/stra\u00dfe", "https://example.org/stra%C3%9Fe"),
    ],
)
async def test_a_location_may_be_relative(location: str, url: str) -> None:
    """A Location is read against the URL that sent it, without userinfo."""
    web = Web({URL: redirect(location), url: Answer(206)})
    await source(web).open(PART)
    assert web.urls == [URL, url]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("", "HTTP 302 without a Location"),
        ("ftp://example.org/x", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http://", "has no host"),
        ("https://[::1/x", "a redirect is refused"),
        ("https://example.org:99999/", "a redirect is refused"),
    ],
)
async def test_a_redirect_to_nowhere_is_refused(location: str, reason: str) -> None:
    """A scheme we do not speak, or no URL at all, ends the job, and says why."""
    web = Web({URL: redirect(location)})
    with pytest.raises(RefusedError, match=reason):
        await source(web).open(PART)
    assert web.pages[URL].is_closed


async def test_a_redirect_loop_is_refused() -> None:
    """Ten redirects are followed, and not one more."""
    web = Web({URL: redirect(URL)})
    with pytest.raises(RefusedError, match="more than 10 redirects"):
        await source(web).open(PART)
    assert len(web.asked) == MOST_REDIRECTS + 1


async def test_ten_redirects_are_followed() -> None:
    """A chain that ends in time is a normal case."""
    hops = [f"https://example.org/{number}" for number in range(MOST_REDIRECTS + 1)]
    pages = dict(zip(hops, map(redirect, hops[1:]), strict=False))
    web = Web({**pages, hops[-1]: Answer(206)})
    await source(web, hops[0]).open(PART)
    assert web.urls == hops


@pytest.mark.parametrize(
    ("there", "sent"),
    [
        pytest.param("https://example.org/other", SECRET[1], id="same origin"),
        pytest.param("https://EXAMPLE.org:443/other", SECRET[1], id="usual port"),
        pytest.param("https://cdn.example/other", None, id="another host"),
        pytest.param("https://sub.example.org/other", None, id="a subdomain"),
        pytest.param("https://example.org:8443/other", None, id="another port"),
        pytest.param("http://example.org/other", None, id="another scheme"),
        pytest.param("http://example.org:443/other", None, id="scheme, same port"),
    ],
)
async def test_headers_stay_on_the_origin(there: str, sent: str | None) -> None:
    """What was given for an origin is sent to scheme, host and port, to nobody else."""
    web = Web({URL: redirect(there), there: Answer(206)})
    await source(web, URL, SECRET).open(PART)
    assert web.tokens() == [SECRET[1], sent]


async def test_headers_return_to_the_origin() -> None:
    """A chain that leaves and comes back sends the headers at both ends."""
    away, back = "https://login.example/x", "https://example.org/back"
    web = Web({URL: redirect(away), away: redirect(back), back: Answer(206)})
    await source(web, URL, SECRET).open(PART)
    assert web.tokens() == [SECRET[1], None, SECRET[1]]


async def test_passwords_stay_on_the_origin_too() -> None:
    """A redirect elsewhere is followed without the user's password."""
    there = "https://cdn.example/x"
    web = Web({URL: redirect(there), there: Answer(206)})
    await source(web, "https://u:p@example.org/data/file.bin").open(PART)
    assert ["Authorization" in headers for _, headers in web.asked] == [True, False]


async def test_what_is_private_is_found_again_where_it_was_left() -> None:
    """Another place is told nothing; whoever comes back from there is known again."""
    there = "https://mirror.example/file"
    web = Web({URL: Answer(206), there: Answer(206)})
    away = source(web, URL, SECRET).elsewhere(there)
    await away.open(PART)
    await away.elsewhere(URL).open(PART)
    assert web.tokens() == [None, SECRET[1]]


async def test_another_place_may_want_a_login_of_its_own() -> None:
    """Userinfo of a mirror goes to the mirror."""
    there = "https://mirror.example/file"
    web = Web({URL: Answer(206), there: Answer(206)})
    one = source(web, "https://me:a@example.org/data/file.bin")
    away = one.elsewhere("https://you:b@mirror.example/file")
    await away.open(PART)
    await away.elsewhere(URL).open(PART)
    sent = [b64decode(headers["Authorization"][6:]) for _, headers in web.asked]
    assert sent == [b"you:b", b"me:a"]


# -- cookies -----------------------------------------------------------------


def with_cookies(web: Web, cookies: Cookies, *headers: Header) -> Source:
    credentials = credentials_of(URL, headers)
    return Source(cast(Transport, web), Limiter(), URL, credentials, cookies)


async def test_cookies_of_every_hop_count() -> None:
    """What a redirect sets is sent on, and what an error sets is not lost."""
    back = "https://example.org/back"
    first = redirect(back)
    first.headers.add(b"Set-Cookie: a=1; Path=/; Expires=Fri, 01 Jan 2100 00:00:00 GMT")
    first.headers.add(b"Set-Cookie: b=2; Path=/")
    refusal = Answer(403, {"Set-Cookie": "c=3; Path=/"}, url=back)
    web, cookies = Web({URL: first, back: refusal}), Cookies()
    with pytest.raises(RefusedError):
        await with_cookies(web, cookies).open(PART)
    sent = [headers.get("Cookie") for _, headers in web.asked]
    assert sent == [None, "a=1; b=2"]
    assert cookies.header(URL) == "a=1; b=2; c=3"


async def test_there_is_one_cookie_field() -> None:
    """A header that was given comes first in it, at its origin."""
    web, cookies = Web({URL: Answer(206)}), Cookies()
    cookies.take(URL, ["a=1; Path=/"])
    await with_cookies(web, cookies, ("cookie", "own=0")).open(PART)
    [(_, headers)] = web.asked
    assert headers["Cookie"] == "own=0; a=1"
    assert "cookie" not in headers


async def test_cookies_are_not_kept_unasked() -> None:
    """Without a jar nothing that a server sets comes back to it."""
    web = Web({URL: Answer(206, {"Set-Cookie": "a=1; Path=/"})})
    one = source(web)
    await one.open(PART)
    await one.open(PART)
    assert not any("Cookie" in headers for _, headers in web.asked)


# -- statuses ----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 206, 416])
async def test_these_statuses_are_answers(status: int) -> None:
    """The whole, a part, and nothing there are for others to judge."""
    web = Web({URL: Answer(status)})
    assert (await source(web).open(PART)).status == status
    assert not web.pages[URL].is_closed


async def test_what_may_pass_is_a_fault() -> None:
    """An overloaded server is asked again, when it said."""
    web = Web({URL: Answer(503, {"Retry-After": "7"})})
    with pytest.raises(Fault, match="HTTP 503") as raised:
        await source(web).open(PART)
    assert (raised.value.status, raised.value.retry_after) == (503, 7.0)
    assert web.pages[URL].is_closed


@pytest.mark.parametrize("status", [204, 304, 401, 403, 404, 410, 451])
async def test_what_will_not_pass_is_refused(status: int) -> None:
    """A server that means no is not asked again."""
    web = Web({URL: Answer(status)})
    with pytest.raises(RefusedError, match=f"HTTP {status}") as raised:
        await source(web).open(PART)
    assert raised.value.status == status
    assert web.pages[URL].is_closed


@pytest.mark.parametrize(
    ("status", "final"),
    [
        (401, ExpiredError),
        (403, ExpiredError),
        (410, ExpiredError),
        (404, RefusedError),
    ],
)
@pytest.mark.parametrize("part", [PART, None])
async def test_what_was_served_before_is_denied(
    status: int, final: type[HydraError], part: ByteRange | None
) -> None:
    """A no to a file that is known may pass; if not, its link is no good any more."""
    web = Web({URL: Answer(status)})
    with pytest.raises(Denied, match=f"HTTP {status}") as raised:
        await source(web).fetch(part, REMOTE)
    assert raised.value.status == status
    assert type(raised.value.in_the_end()) is final
    assert web.pages[URL].is_closed


@pytest.mark.parametrize("status", [204, 400, 451])
async def test_another_no_is_a_no_for_a_known_file_too(status: int) -> None:
    """What has nothing to do with links and lanes is refused at any time."""
    web = Web({URL: Answer(status)})
    with pytest.raises(RefusedError, match=f"HTTP {status}"):
        await source(web).fetch(PART, REMOTE)


# -- what an answer tells of a file ------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "size", "ranges"),
    [
        pytest.param(206, {"Content_Range": "bytes 5-9/10"}, 10, True, id="a part"),
        pytest.param(206, {"Content_Range": "bytes 5-9/*"}, None, True, id="unsized"),
        pytest.param(206, {"Content_Length": "5"}, None, True, id="no range"),
        pytest.param(416, {"Content_Range": "bytes */10"}, 10, True, id="no part"),
        pytest.param(416, {"Content_Length": "99"}, None, True, id="no word"),
        pytest.param(200, {"Content_Length": "10"}, 10, False, id="the whole"),
        pytest.param(200, {"Content_Length": "-1"}, None, False, id="nonsense"),
        pytest.param(200, {}, None, False, id="without end"),
        pytest.param(
            200,
            {"Content_Length": "10", "Content_Encoding": "br"},
            None,
            False,
            id="coded",
        ),
    ],
)
def test_an_answer_tells_sizes(
    status: int, fields: dict[str, str], size: int | None, *, ranges: bool
) -> None:
    """Only lengths of the file's own bytes count, and a 200 shows there are no parts."""
    seen = describe(response(status, **fields))
    assert (seen.size, seen.ranges) == (size, ranges)


def test_an_answer_tells_marks_and_a_name() -> None:
    """Validators as they are, the name from the header or from where it came from."""
    there = "https://mirror.example/pool/x.iso"
    fields = {"ETag": 'W/"v1"', "Last-Modified": "then"}
    answer = cast(Response, Answer(200, fields, there))
    assert describe(answer) == RemoteFile(
        url=there,
        size=None,
        ranges=False,
        name="x.iso",
        etag='W/"v1"',
        last_modified="then",
    )
    named = response(200, Content_Disposition='attachment; filename="y"')
    assert describe(named).name == "y"
    nameless = cast(Response, Answer(200, {}, "https://mirror.example/"))
    assert describe(nameless, URL).name == "file.bin"


@pytest.mark.parametrize(
    ("status", "field", "media_type"),
    [
        (200, "text/html", "text/html"),
        (206, "Text/HTML;charset=utf-8", "text/html"),
        (200, "", ""),
        (416, "text/html", ""),
    ],
)
def test_an_answer_tells_its_media_type(
    status: int, field: str, media_type: str
) -> None:
    """Without parameters, in small letters; an error's own page tells nothing."""
    assert describe(response(status, Content_Type=field)).media_type == media_type


# -- is it the same file? ----------------------------------------------------

GOOD = {
    "Content_Range": "bytes 100-199/1000",
    "ETag": '"v1"',
    "Last_Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
}
LATER = "Thu, 02 Jan 2025 00:00:00 GMT"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="exactly as asked"),
        pytest.param({"Content_Range": "bytes 100-149/1000"}, id="shorter"),
        pytest.param({"Content_Range": "bytes 100-299/1000"}, id="longer"),
        pytest.param({"Content_Range": "bytes 100-199/*"}, id="unknown size"),
        pytest.param({"ETag": ""}, id="no ETag"),
        pytest.param({"Last_Modified": ""}, id="no date"),
        pytest.param({"Last_Modified": LATER}, id="same ETag, another date"),
    ],
)
def test_a_part_of_this_file_is_accepted(fields: dict[str, str]) -> None:
    """It begins where it was asked to, and nothing says it is another version."""
    check_part(response(206, **GOOD | fields), PART, REMOTE)


@pytest.mark.parametrize(
    ("status", "fields", "reason"),
    [
        pytest.param(416, {}, "HTTP 416 to a range request", id="nothing"),
        pytest.param(
            206, {"Content_Range": ""}, "was given no Content-Range", id="no range"
        ),
        pytest.param(
            206,
            {"Content_Range": "bytes 101-199/1000"},
            "asked for bytes=100-199, was given bytes 101-199/1000",
            id="another start",
        ),
        pytest.param(206, {"Content_Range": "bytes */1000"}, "was given", id="unsure"),
        pytest.param(206, {"Content_Encoding": "br"}, "in br coding", id="coded"),
    ],
)
def test_a_wrong_part_is_asked_for_again(
    status: int, fields: dict[str, str], reason: str
) -> None:
    """An answer that is not the part is dropped before its first byte counts."""
    with pytest.raises(Fault, match=reason.replace("*", r"\*")) as raised:
        check_part(response(status, **GOOD | fields), PART, REMOTE)
    assert not isinstance(raised.value, ForgotRange)


WHOLE = {"Content_Length": "1000", "ETag": '"v1"'}


def test_a_whole_in_place_of_a_part_is_a_range_forgotten() -> None:
    """The same file as a whole is not another file, and not a part either."""
    with pytest.raises(ForgotRange, match="the whole file came"):
        check_part(response(200, **WHOLE), PART, REMOTE)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"Content_Range": "bytes 100-199/1001"}, id="another size"),
        pytest.param({"ETag": '"v2"'}, id="another ETag"),
        pytest.param({"ETag": '"v2"', "Last_Modified": LATER}, id="all is other"),
        pytest.param({"ETag": "", "Last_Modified": LATER}, id="another date"),
        pytest.param({"ETag": "", "Last_Modified": ""}, id="no marks any more"),
    ],
)
def test_a_part_of_another_version_is_a_doubt(fields: dict[str, str]) -> None:
    """Bytes of two versions are never spliced; who asked finds out what is true."""
    answer = response(206, **GOOD | fields)
    with pytest.raises(Doubt, match="the remote file changed: it was") as raised:
        check_part(answer, PART, REMOTE)
    assert raised.value.known is REMOTE
    assert raised.value.seen == describe(answer)


@pytest.mark.parametrize(
    "fields",
    [{"Content_Length": "999"}, {"ETag": '"v2"'}, {"ETag": ""}],
)
def test_the_whole_of_another_version_is_a_doubt(fields: dict[str, str]) -> None:
    """Another length, another ETag or no mark at all may be another file."""
    answer = response(200, **WHOLE | fields)
    with pytest.raises(Doubt):
        check_whole(answer, REMOTE)
    with pytest.raises(Doubt):
        check_part(answer, PART, REMOTE)


def test_the_whole_of_this_file_is_accepted() -> None:
    """The length and the validators are the ones of the first answer."""
    check_whole(response(200, **WHOLE), REMOTE)


def test_a_whole_of_unknown_length_is_accepted() -> None:
    """Without lengths on either side the validators decide."""
    check_whole(response(200, ETag='"v1"'), REMOTE)
    unknown = RemoteFile(url=URL, size=None, ranges=False, name="x")
    check_whole(response(200, **WHOLE), unknown)


UNMARKED = replace(REMOTE, etag=None, last_modified=None)


def test_with_nothing_to_go_by_what_fits_is_accepted() -> None:
    """A file that never had a mark is known by its size alone."""
    check_part(response(206, Content_Range="bytes 100-199/1000"), PART, UNMARKED)
    check_part(response(206, **GOOD), PART, UNMARKED)
    check_whole(response(200, Content_Length="1000"), UNMARKED)
    with pytest.raises(Doubt, match="it was 1000, it is 1001"):
        check_part(response(206, Content_Range="bytes 100-199/1001"), PART, UNMARKED)


HTML = {"Content_Type": "text/html; charset=utf-8", "ETag": '"portal"'}


@pytest.mark.parametrize("status", [200, 206])
def test_a_web_page_is_no_version_of_the_file(status: int) -> None:
    """What a captive portal says is asked again later, and nobody doubts the file."""
    known = replace(REMOTE, media_type="application/zip")
    answer = response(status, Content_Length="77", **HTML)
    with pytest.raises(Fault, match="a web page came") as raised:
        check_part(answer, PART, known)
    assert not isinstance(raised.value, ForgotRange)
    if status == 200:
        with pytest.raises(Fault, match="a web page came"):
            check_whole(answer, known)


def test_a_part_is_not_the_whole() -> None:
    """Asked for everything, a 206 is no answer."""
    with pytest.raises(Fault, match="HTTP 206 to a request without a range"):
        check_whole(response(206, **GOOD), REMOTE)


# -- fetching what is known --------------------------------------------------


async def test_what_is_fetched_is_checked() -> None:
    """A checked answer flows, and a refused one is closed."""
    web = Web({URL: Answer(206, GOOD)})
    one = source(web)
    assert same(await one.fetch(PART, REMOTE), web.pages[URL])
    assert not web.pages[URL].is_closed
    with pytest.raises(Fault, match="asked for"):
        await one.fetch(ByteRange(0, 100), REMOTE)
    assert web.pages[URL].is_closed


async def test_a_whole_that_is_fetched_is_checked_too() -> None:
    """Without a part the answer must be the whole file."""
    web = Web({URL: Answer(200, WHOLE)})
    one = source(web)
    await one.fetch(None, REMOTE)
    web.pages = {URL: Answer(206, GOOD)}
    with pytest.raises(Fault, match="without a range"):
        await one.fetch(None, REMOTE)


async def test_a_doubtful_answer_is_closed() -> None:
    """Nobody reads a body that may be another file's."""
    web = Web({URL: Answer(206, GOOD | {"ETag": '"v2"'})})
    with pytest.raises(Doubt):
        await source(web).fetch(PART, REMOTE)
    assert web.pages[URL].is_closed


@pytest.mark.parametrize(
    ("known", "condition"),
    [
        (REMOTE, '"v1"'),
        (replace(REMOTE, etag='W/"v1"'), REMOTE.last_modified),
        (replace(REMOTE, etag=None), REMOTE.last_modified),
        (UNMARKED, None),
    ],
)
async def test_a_part_is_asked_for_if_the_file_is_the_same(
    known: RemoteFile, condition: str | None
) -> None:
    """If-Range goes with each part of a known file that has a strong mark."""
    web = Web({URL: Answer(206, GOOD | {"ETag": known.etag or ""})})
    await source(web).fetch(PART, known)
    assert web.asked[0][1].get("If-Range") == condition


async def test_a_whole_has_no_condition() -> None:
    """If-Range without a range would mean nothing."""
    web = Web({URL: Answer(200, WHOLE)})
    await source(web).fetch(None, REMOTE)
    assert web.asked == [(URL, {"Accept-Encoding": "identity"})]


async def test_what_is_believed_is_pinned() -> None:
    """A part that fits tells where to ask, and one that does not tells nothing."""
    fields = GOOD | {"ETag": '"v2"'}
    web = Web({URL: redirect(THERE), THERE: Answer(206, fields, THERE)})
    one = source(web)
    with pytest.raises(Doubt):
        await one.fetch(PART, REMOTE)
    assert one.url == URL
    web.pages = {URL: redirect(THERE), THERE: Answer(206, GOOD, THERE)}
    await one.fetch(PART, REMOTE)
    assert (one.url, one.host) == (THERE, "cdn.example")


# -- what is told of the way ------------------------------------------------


async def test_nothing_is_told_before_an_answer_was_believed() -> None:
    """An answer that came is not yet the file's."""
    web = Web({URL: Answer(206, {"ETag": '"v1"'})})
    it = source(web)
    told = [it.told]
    answer = await it.open(PART)
    told.append(it.told)
    it.pin(answer)
    assert told == [None, None]
    believed = it.told
    assert believed is not None
    assert believed.etag == '"v1"'


async def test_the_redirects_before_it_are_told() -> None:
    """The hops of the answer that was believed, not of one that was asked before."""
    web = Web(
        {
            URL: redirect("https://hub.example/a"),
            "https://hub.example/a": Answer(
                307, {"Location": "https://cdn.example/b", "X-Linked-ETag": '"abc"'}
            ),
            "https://cdn.example/b": Answer(206, url="https://cdn.example/b"),
        }
    )
    it = source(web)
    await it.open(None)
    it.pin(await it.open(PART))
    assert it.told is not None
    assert [hop.status for hop in it.told.hops] == [302, 307, 206]
    assert it.told.hops[-1].url == "https://cdn.example/b"
    assert dict(it.told.headers)["x-linked-etag"].startswith('"abc"')


async def test_later_answers_tell_nothing_new() -> None:
    """What is told is of the first: each range has an answer of its own."""
    web = Web({URL: Answer(206, {"X-Node": "first"})})
    it = source(web)
    it.pin(await it.open(PART))
    web.pages = {URL: Answer(206, {"X-Node": "second"})}
    it.resolve_again()
    it.pin(await it.open(PART))
    assert it.told is not None
    assert dict(it.told.headers)["x-node"] == "first"
    assert len(it.told.hops) == 1
