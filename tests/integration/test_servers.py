"""Every normal kind of server, and bytes compared."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from engine import JobSpec, RefusedError
from engine.testing import (
    Content,
    Fault,
    Origin,
    RedirectLoop,
    Request,
    Resource,
    Response,
)
from engine.testing.answers import asked, plain
from engine.testing.content import gzipped
from tests.integration.support import FILE, KIB, MIB, Fetch
from tests.support.nginx import NginxServer, Request as LoggedRequest
from tests.support.payload import Payload

Behave = Callable[[Request], Response]

KINDS = {
    "ranges": Resource(),
    "no ranges": Resource(ranges=False),
    "chunked": Resource(length="chunked"),
    "chunked, no ranges": Resource(length="chunked", ranges=False),
    "close-delimited": Resource(length="close"),
    "close-delimited, no ranges": Resource(length="close", ranges=False),
    "HTTP/1.0": Resource(http10=True),
    "HTTP/1.0, no ranges": Resource(http10=True, ranges=False),
    "HTTP/1.0, unknown length": Resource(http10=True, ranges=False, length="close"),
    "no validators": Resource(etag=None, last_modified=None),
    "a weak ETag": Resource(etag='W/"weak"'),
    "compresses for whoever accepts it": Resource(gzip=True),
}
SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, 2 * MIB, 4 * MIB]
"""Empty, tiny, and around what is asked for at once."""


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_server_gives_the_whole_file(
    fetch: Fetch, kind: str
) -> None:
    """206, 200 without ranges, unknown length and chunked bodies are all normal."""
    resource = replace(KINDS[kind], content=FILE)
    async with Origin({"/file.bin": resource}) as origin:
        file = await fetch(origin.url("/file.bin"))
    assert file.name == "file.bin"
    assert file.data == FILE.read()
    codings = {request.headers["accept-encoding"] for request in origin.requests}
    assert codings == {"identity"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["ranges", "no ranges", "close-delimited, no ranges"])
async def test_every_size_arrives_whole(fetch: Fetch, kind: str, size: int) -> None:
    """416 for an empty file, and 200 of no length, are normal; so are round sizes."""
    content = Content(size, seed=size)
    async with Origin({"/file": replace(KINDS[kind], content=content)}) as origin:
        file = await fetch(origin.url("/file"))
    assert file.data == content.read()


async def test_no_byte_is_asked_for_twice(fetch: Fetch) -> None:
    """The first request is the probe and the first data, and no HEAD is sent."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        await fetch(origin.url("/file"))
    assert {request.method for request in origin.requests} == {"GET"}
    parts = sorted(r.range for r in origin.requests if r.range is not None)
    assert len(parts) == len(origin.requests) > 1
    assert parts[0].start == 0
    assert parts[-1].stop == FILE.size
    assert all(before.stop == after.start for before, after in pairwise(parts))
    assert origin.served == FILE.size


@dataclass(frozen=True)
class Packs:
    """Compresses for everybody, whatever was asked; parts are of what it made."""

    parts: bool

    def answer(self, request: Request, behave: Behave, /) -> Response:
        packed = gzipped(TEXT)
        right = behave(replace(request, range=None))
        coding = (*right.headers, ("Content-Encoding", "gzip"))
        whole = replace(right, headers=coding, content=packed, span=packed.whole)
        part = asked(request.headers.get("range"), packed.size) if self.parts else None
        if part is None:
            return whole
        field = f"bytes {part.start}-{part.stop - 1}/{packed.size}"
        headers = (*coding, ("Content-Range", field))
        return replace(whole, status=206, headers=headers, span=part)


TEXT = Content.of(b"".join(b"%d bottles of beer\n" % n for n in range(100_000)))


@pytest.mark.parametrize("browser", ["chrome120", None])
@pytest.mark.parametrize("parts", [False, True])
async def test_what_is_compressed_on_the_way_is_unpacked(
    fetch: Fetch, *, parts: bool, browser: str | None
) -> None:
    """A server that compresses unasked still gives the bytes of the file itself."""
    resource = Resource(TEXT, script=lambda _: Packs(parts))
    async with Origin({"/song.txt": resource}) as origin:
        file = await fetch(origin.url("/song.txt"), browser=browser)
    assert file.data == TEXT.read()


@dataclass(frozen=True)
class StoredPacked:
    """What is stored is compressed, and says so, whoever asks."""

    def answer(self, request: Request, behave: Behave, /) -> Response:
        right = behave(request)
        return replace(right, headers=(*right.headers, ("Content-Encoding", "gzip")))


@pytest.mark.parametrize("kind", ["ranges", "no ranges", "chunked, no ranges"])
async def test_what_is_stored_compressed_stays_so(fetch: Fetch, kind: str) -> None:
    """A .gz that is labelled as a coding stays the .gz that it is."""
    resource = replace(KINDS[kind], content=FILE, script=lambda _: StoredPacked())
    async with Origin({"/reads.fastq.gz": resource}) as origin:
        file = await fetch(origin.url("/reads.fastq.gz"))
    assert file.data == FILE.read()


# -- redirects


def redirect(location: str) -> Resource:
    return Resource(redirect=location)


@dataclass(frozen=True)
class Moved:
    """A redirect with a status of its own."""

    status: int
    location: str | None

    def answer(self, _request: Request, _behave: Behave, /) -> Response:
        fields = [("Location", self.location)] if self.location is not None else []
        return plain(self.status, *fields)


async def test_redirects_are_followed_once(fetch: Fetch) -> None:
    """The final URL is pinned for the job: each redirect is asked once."""
    hops = {
        "/start": redirect("/deep/second"),
        "/deep/second": redirect("third?x=1"),
        "/deep/third": redirect("../end.bin"),
        "/end.bin": Resource(FILE),
    }
    async with Origin(hops) as origin:
        file = await fetch(origin.url("/start"))
    assert file.name == "end.bin"
    assert file.data == FILE.read()
    paths = [request.path for request in origin.requests]
    assert paths[:4] == ["/start", "/deep/second", "/deep/third", "/end.bin"]
    assert set(paths[4:]) == {"/end.bin"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_redirect_status_is_followed(fetch: Fetch, status: int) -> None:
    """301, 302, 303, 307 and 308 lead on."""
    moved = Resource(script=[Moved(status, "/end")])
    async with Origin({"/start": moved, "/end": Resource(FILE)}) as origin:
        file = await fetch(origin.url("/start"))
    assert file.data == FILE.read()


@pytest.mark.parametrize("location", ["/naïve file", "/na%C3%AFve%20file"])
async def test_redirects_may_be_badly_escaped(fetch: Fetch, location: str) -> None:
    """What servers send as a Location is understood as browsers do."""
    moved = Resource(script=[Moved(302, location)])
    files = {"/start": moved, "/na%C3%AFve%20file": Resource(FILE)}
    async with Origin(files) as origin:
        file = await fetch(origin.url("/start"))
    assert file.name == "naïve file"
    assert file.data == FILE.read()


async def test_ten_redirects_are_enough(fetch: Fetch) -> None:
    """At most ten redirects are followed."""
    hops = {f"/{n}": redirect(f"/{n + 1}") for n in range(11)}
    async with Origin(hops | {"/11": Resource(FILE)}) as origin:
        file = await fetch(origin.url("/1"))
        assert file.data == FILE.read()
        with pytest.raises(RefusedError, match="more than 10 redirects"):
            await fetch(origin.url("/0"))


REFUSED: Mapping[str, Fault] = {
    "a loop": RedirectLoop(),
    "another scheme": Moved(302, "ftp://127.0.0.1/file"),
    "a file of this machine": Moved(302, "file:///etc/passwd"),
    "no Location": Moved(302, None),
    "an empty Location": Moved(302, ""),
    "no host": Moved(302, "http://"),
    "no port": Moved(302, "http://127.0.0.1:99999/"),
    "not a URL": Moved(302, "http://[oops/"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_bad_redirects_are_refused(fetch: Fetch, case: str) -> None:
    """Redirects are limited to http and https, and to ten."""
    resource = Resource(FILE, script=lambda _: REFUSED[case])
    async with Origin({"/file": resource}) as origin:
        with pytest.raises(RefusedError):
            await fetch(origin.url("/file"))
    assert fetch.names() == []


async def test_secrets_stay_on_their_origin(fetch: Fetch) -> None:
    """Userinfo and every custom header stay on the origin they were given for."""
    files = {"/there": Resource(FILE)}
    async with Origin(files) as there, Origin({}) as here:
        here.resources["/here"] = redirect(there.url("/there"))
        url = here.url("/here").replace("//", "//user:p%40ss@")
        spec = JobSpec(url, headers=(("X-Token", "secret"),))
        file = await fetch(spec, headers=(("Cookie", "a=b"),))
    assert file.data == FILE.read()
    [first] = here.requests
    token = b64encode(b"user:p@ss").decode()
    assert first.headers["authorization"] == f"Basic {token}"
    assert first.headers["x-token"] == "secret"
    assert first.headers["cookie"] == "a=b"
    for request in there.requests:
        assert not {"authorization", "x-token", "cookie"} & set(request.headers)
        assert "secret" not in str(request.headers)


async def test_secrets_come_along_on_their_origin(fetch: Fetch) -> None:
    """Custom headers go to the URL's own origin, redirected or not."""
    files = {"/here": redirect("/there"), "/there": Resource(FILE)}
    async with Origin(files) as origin:
        await fetch(origin.url("/here"), headers=(("X-Token", "secret"),))
    assert {request.headers["x-token"] for request in origin.requests} == {"secret"}


# -- names

NAMES = {
    'attachment; filename="plain.bin"': "plain.bin",
    "attachment; filename=token.bin": "token.bin",
    'attachment; filename="a \\"quoted\\" name.bin"': 'a "quoted" name.bin',
    "attachment; filename=\"x.bin\"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.bin": (
        "naïve €.bin"
    ),
    "attachment; filename*=iso-8859-1'en'%A3%20rates.bin": "£ rates.bin",
    'attachment; filename="raw naïve.bin"': "raw naïve.bin",
    'inline; filename="../../../etc/passwd"': "passwd",
    'attachment; filename="..\\\\..\\\\boot.ini"': "boot.ini",
    "attachment; filename*=UTF-8''..%2F..%2Fetc%2Fcron.d%2Fjob": "job",
    'attachment; filename="/etc/shadow"': "shadow",
    'attachment; filename=".bashrc"': "bashrc",
    'attachment; filename="-rf"': "rf",
    "attachment; filename*=UTF-8''evil%0A%1B[31m%E2%80%AEgpj.exe": "evil[31mgpj.exe",
    'attachment; filename="con.txt"': "_con.txt",
    'attachment; filename=".."': "from-url.bin",
    'attachment; filename=""': "from-url.bin",
    "attachment": "from-url.bin",
    "nonsense;;;=": "from-url.bin",
    f'attachment; filename="{"x" * 300}.tar.gz"': "x" * 193 + ".tar.gz",
}


@pytest.mark.parametrize("field", NAMES)
async def test_content_disposition_names_the_file(fetch: Fetch, field: str) -> None:
    """Content-Disposition names the file, through one sanitiser, else the URL does."""
    small = Content(5)
    resource = Resource(small, headers=(("Content-Disposition", field),))
    async with Origin({"/from-url.bin": resource}) as origin:
        file = await fetch(origin.url("/from-url.bin?name=other.bin"))
    assert file.name == NAMES[field]
    assert file.data == small.read()
    if not fetch.is_stream:
        assert [path.name for path in fetch.directory.iterdir()] == [file.name]


PATHS = {
    "/dir/plain.bin": "plain.bin",
    "/a%20b%2Bc.bin": "a b+c.bin",
    "/..%2F..%2Fetc%2Fpasswd": "passwd",
    "/%00%1B%5B2J.bin": "[2J.bin",
    "/na%C3%AFve.bin": "naïve.bin",
    "/dir/": "download.bin",
    "/": "download.bin",
}


@pytest.mark.parametrize("path", PATHS)
async def test_the_url_names_the_file(fetch: Fetch, path: str) -> None:
    """Without a header the last path segment names the file, sanitised."""
    small = Content(5)
    async with Origin({path: Resource(small)}) as origin:
        file = await fetch(origin.url(path))
    assert file.name == PATHS[path]
    assert file.data == small.read()


async def test_what_was_typed_names_the_file(fetch: Fetch) -> None:
    """A name of the caller's own comes before the server's."""
    resource = Resource(Content(5), name="theirs.bin")
    async with Origin({"/file": resource}) as origin:
        file = await fetch(JobSpec(origin.url("/file"), name="ours.bin"))
    assert file.name == "ours.bin" or fetch.is_stream


# -- a real server


@pytest.mark.parametrize("name", ["empty.bin", "one.bin", "small.bin", "medium.bin"])
@pytest.mark.parametrize("place", ["", "/noranges", "/gzip"])
async def test_nginx_gives_the_whole_file(
    fetch: Fetch, nginx: NginxServer, payload: Payload, place: str, name: str
) -> None:
    """With ranges, without, and keen to compress: all normal."""
    file = await fetch(f"{nginx.http_url}{place}/{name}")
    assert file.name == name
    assert file.data == payload.contents[name].read()


@pytest.mark.parametrize("door", ["https_url", "h2_url"])
async def test_each_lane_is_a_connection_of_its_own(
    fetch: Fetch, nginx: NginxServer, payload: Payload, door: str
) -> None:
    """Each lane is a TCP connection of its own, over HTTP/2 too."""
    nginx.forget()
    url = f"{getattr(nginx, door)}/large.bin"
    file = await fetch(url, cacert=nginx.cacert, threads=4)
    assert file.data == payload.contents["large.bin"].read()
    protocol = {"https_url": "HTTP/1.1", "h2_url": "HTTP/2.0"}[door]
    assert {request.protocol for request in nginx.requests()} == {protocol}
    left_early = [request for request in nginx.requests() if not _is_whole(request)]
    assert 4 <= len(nginx.connections()) <= 4 + len(left_early)


def _is_whole(request: LoggedRequest) -> bool:
    """Whether all of the range went out; who hangs up needs another connection."""
    first, _, last = (request.range or "").removeprefix("bytes=").partition("-")
    return request.sent > int(last) - int(first)


async def test_a_certificate_of_a_stranger_is_refused(
    fetch: Fetch, nginx: NginxServer
) -> None:
    """TLS is verified; a certificate error fails at once."""
    with pytest.raises(RefusedError, match="certificate"):
        await fetch(f"{nginx.https_url}/one.bin")
    assert fetch.names() == []


@pytest.mark.option("insecure")
async def test_insecure_trusts_everybody(
    fetch: Fetch, nginx: NginxServer, payload: Payload
) -> None:
    """--insecure does not verify certificates."""
    file = await fetch(f"{nginx.https_url}/small.bin", insecure=True)
    assert file.data == payload.contents["small.bin"].read()
