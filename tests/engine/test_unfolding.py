"""What a Metalink in place of a file stands for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine import unfolding as module
from engine.errors import Fault, RefusedError
from engine.limiter import Limiter
from engine.metalink import MEDIA_TYPE, ORIGIN
from engine.model import Digest, JobSpec, Pieces, Promise, RemoteFile
from engine.source import Source
from engine.testing import Content, Origin, Resource, Status
from engine.testing.answers import Fault as Misbehaviour
from engine.transport import Transport
from engine.unfolding import is_metalink, read_metalink, specs_of_metalink, unfold

SHA256 = Digest("sha256", hashlib.sha256(b"one").hexdigest())
PARTS = tuple(hashlib.sha1(part).hexdigest() for part in (b"one", b"two"))
AWAY = "https://mirror.example/one.iso"
HEADERS = (("Cookie", "secret"),)
MIB = 1 << 20

pytestmark = pytest.mark.timeout(15)


def file(name: str, *urls: str, more: str = "") -> str:
    listed = "".join(f"<url>{url}</url>" for url in urls)
    return f'<file name="{name}">{more}{listed}</file>'


def document(*files: str) -> bytes:
    inner = "".join(files)
    return (
        f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{inner}</metalink>'
    ).encode()


ONE = document(file("one.iso", AWAY))
TWO = document(file("one.iso", AWAY), file("two.iso", "https://example.org/two.iso"))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@asynccontextmanager
async def serving(data: bytes, *faults: Misbehaviour) -> AsyncIterator[Source]:
    """A source that leads to this document, in which HOME is its own origin."""
    door = Transport(
        browser=None,
        cacert=None,
        insecure=False,
        connect_timeout=5.0,
        stall_timeout=5.0,
    )
    async with Origin({}) as origin, door:
        content = Content.of(data.replace(b"HOME", origin.url("").encode()))
        origin.resources["/all.meta4"] = Resource(content, script=faults)
        yield Source(door, Limiter(), origin.url("/all.meta4"))
        await origin.until(lambda: not origin.busy)  # no body is left flowing


# -- what is one -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "media_type", "is_one"),
    [
        ("file", MEDIA_TYPE, True),
        ("file.iso", MEDIA_TYPE, True),
        ("file.meta4", "", True),
        ("FILE.META4", "application/octet-stream", True),
        ("file.meta4", "text/xml", True),
        ("file.meta4", "application/xml", True),
        ("file.meta4", "text/html", False),
        ("file.meta4", "application/metalink+xml", False),
        ("file.xml", "text/xml", False),
        ("file.meta4.iso", "", False),
        ("meta4", "", False),
        ("file.iso", "", False),
    ],
)
def test_what_is_a_metalink(name: str, media_type: str, *, is_one: bool) -> None:
    """Its media type says so, or its ending where the server knows nothing about it."""
    remote = RemoteFile(
        url="https://example.org/",
        size=9,
        ranges=True,
        name=name,
        media_type=media_type,
    )
    assert is_metalink(remote) is is_one


# -- what it tells of ------------------------------------------------------------


def test_all_that_is_told_of_a_file_is_kept() -> None:
    """The first place is asked, the others are mirrors; digests and size come along."""
    more = (
        f'<size>6</size><hash type="sha-256">{SHA256.hex}</hash>'
        '<pieces length="1024" type="sha-1">'
        f"<hash>{PARTS[0]}</hash></pieces>"
    )
    best = "https://best.example/one.iso"
    told = f'<url priority="2">{AWAY}</url><url priority="1">{best}</url>'
    [spec] = specs_of_metalink(document(file("one.iso", more=more + told)))
    assert spec == JobSpec(
        best,
        name="one.iso",
        mirrors=(AWAY,),
        promises=(Promise(SHA256, ORIGIN),),
        pieces=Pieces(1024, "sha1", PARTS[:1]),
        size=6,
    )


def test_each_file_is_a_job() -> None:
    """Files come in the order in which the document tells of them."""
    assert [spec.name for spec in specs_of_metalink(TWO)] == ["one.iso", "two.iso"]


@pytest.mark.parametrize("data", [b"", b"<html/>", b"<metalink/>", ONE[:-1]])
def test_what_makes_no_sense_is_refused(data: bytes) -> None:
    """A document that is none, or is cut off, is no list of jobs."""
    with pytest.raises(RefusedError):
        specs_of_metalink(data)


# -- what was asked for ----------------------------------------------------------


@pytest.mark.parametrize("data", [ONE, TWO])
async def test_what_was_typed_counts_for_each_file(
    pool: ThreadPoolExecutor, data: bytes
) -> None:
    """Where to put files, and how they may be fetched, was typed for all of them."""
    async with serving(data) as source:
        spec = JobSpec(source.url, directory=Path("there"), threads=3, limit=5e6)
        found = await unfold(source, spec, pool)
    assert len(found) == data.count(b"<file")
    for one in found:
        assert (one.directory, one.threads, one.limit) == (Path("there"), 3, 5e6)


@pytest.mark.parametrize(
    ("data", "names", "checksums"),
    [
        pytest.param(ONE, ["mine"], [SHA256], id="one file"),
        pytest.param(TWO, ["one.iso", "two.iso"], [None, None], id="several"),
    ],
)
async def test_a_name_and_a_checksum_are_for_one_file(
    pool: ThreadPoolExecutor,
    data: bytes,
    names: list[str],
    checksums: list[Digest | None],
) -> None:
    """What can be true of one file only is kept where there is only one."""
    async with serving(data) as source:
        spec = JobSpec(source.url, name="mine", checksum=SHA256)
        found = await unfold(source, spec, pool)
    assert [one.name for one in found] == names
    assert [one.checksum for one in found] == checksums


async def test_without_a_typed_name_the_documents_counts(
    pool: ThreadPoolExecutor,
) -> None:
    """A file is named as the document says, and not after the document."""
    async with serving(ONE) as source:
        [one] = await unfold(source, JobSpec(source.url), pool)
    assert (one.url, one.name, one.checksum) == (AWAY, "one.iso", None)


@pytest.mark.parametrize(
    ("url", "is_home"),
    [
        ("HOME/two.iso", True),
        ("http://127.0.0.1:1/two.iso", False),
        ("https://mirror.example/two.iso", False),
    ],
)
async def test_what_is_private_stays_where_it_was_given_for(
    pool: ThreadPoolExecutor, url: str, *, is_home: bool
) -> None:
    """Headers go along to files of the same scheme, host and port, and to no others."""
    data = document(file("one.iso", AWAY), file("two.iso", url))
    async with serving(data) as source:
        spec = JobSpec(source.url, headers=HEADERS)
        found = await unfold(source, spec, pool)
    assert [one.headers for one in found] == [(), HEADERS if is_home else ()]
    assert {one.given_for for one in found} == {source.url}


# -- what does not come ----------------------------------------------------------


async def test_a_document_that_is_too_long_is_refused(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more of a document is kept than any honest one has."""
    monkeypatch.setattr(module, "LARGEST", MIB)
    async with serving(ONE.ljust(MIB)) as source:
        assert len(await read_metalink(source, pool)) == 1
    async with serving(ONE.ljust(MIB + 1)) as source:
        with pytest.raises(RefusedError, match="more than 1 MiB"):
            await read_metalink(source, pool)


@pytest.mark.parametrize(
    ("status", "error"), [(404, RefusedError), (503, Fault), (429, Fault)]
)
async def test_a_document_that_does_not_come(
    pool: ThreadPoolExecutor, status: int, error: type[Exception]
) -> None:
    """What may pass is told apart from what will not."""
    async with serving(ONE, Status(status)) as source:
        with pytest.raises(error, match=f"HTTP {status}"):
            await unfold(source, JobSpec(source.url), pool)


async def test_a_document_that_makes_no_sense(pool: ThreadPoolExecutor) -> None:
    """A page in place of a document is refused, whatever it was asked for."""
    async with serving(b"<html></html>") as source:
        with pytest.raises(RefusedError):
            await unfold(source, JobSpec(source.url), pool)
