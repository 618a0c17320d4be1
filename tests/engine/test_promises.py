"""What a file's digest should be: who is asked, and for how long."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from engine import promises as module
from engine.limiter import Limiter
from engine.metalink import MEDIA_TYPE, ORIGIN
from engine.model import Digest, Promise, RemoteFile
from engine.promises import LIKELY, Promises
from engine.search import Search
from engine.source import Source, describe
from engine.testing import Content, Origin, Page, Resource, Stall, Status
from engine.testing.answers import Fault as Misbehaviour
from engine.transport import Transport
from engine.verify import Verifier

NAME = "hydra.iso"
FILE = f"/pub/{NAME}"
DATA = b"what is fetched"
SHA256 = Digest("sha256", hashlib.sha256(DATA).hexdigest())
MD5 = Digest("md5", hashlib.md5(DATA).hexdigest())
OTHER = "0" * 64
FIELD = f"sha-256=:{b64encode(hashlib.sha256(DATA).digest()).decode()}:"
SUMS = f"{SHA256.hex}  {NAME}\n"

pytestmark = pytest.mark.timeout(15)


class Look:
    """A file whose first answer was believed, and what is made of it."""

    def __init__(
        self,
        origin: Origin,
        source: Source,
        remote: RemoteFile,
        verifier: Verifier | None,
        search: Search | None,
    ) -> None:
        self.origin, self.source, self.remote = origin, source, remote
        self.verifier, self._search = verifier, search
        self.promises = Promises(verifier, search, "sha1")
        self.ended = 0
        """How many looks are over."""

    @property
    def asked(self) -> list[str]:
        """What was asked for beside the file."""
        return [request.path for request in self.origin.requests[1:]]

    @property
    def found(self) -> dict[str, str]:
        """Who promises what."""
        assert self.verifier is not None
        return {one.origin: one.digest.hex for one in self.verifier.promises}

    def begin(self, group: asyncio.TaskGroup) -> None:
        url = self.origin.url(FILE)
        self.promises.look(group, url, self.remote, self.source, self.end)

    def another(self) -> None:
        """A file of the same name, of which nothing was promised."""
        assert self.verifier is not None
        self.verifier = Verifier(self.verifier.pool)
        self.promises = Promises(self.verifier, self._search, "sha1")

    def end(self) -> None:
        self.ended += 1

    async def look(self) -> None:
        """Look until all was looked for."""
        async with asyncio.TaskGroup() as group:
            self.begin(group)

    async def reach(self, path: str) -> None:
        """Wait until that is asked for."""
        await self.origin.until(lambda: path in self.asked)


def text(data: str, *faults: Misbehaviour) -> Resource:
    return Resource(Content.of(data.encode()), script=faults)


def told(*headers: tuple[str, str]) -> Resource:
    """The file, whose answers say that of it."""
    return Resource(Content.of(DATA), headers=headers)


def described() -> Resource:
    """The file, whose answers point to a Metalink."""
    link = f'</pub/its.meta4>; rel=describedby; type="{MEDIA_TYPE}"'
    return told(("Link", link))


def metalink(*files: tuple[str, int, str]) -> str:
    """A document about files: the name, the size and the digest of each."""
    inner = "".join(
        f'<file name="{name}"><size>{size}</size>'
        f'<hash type="sha-256">{value}</hash><url>https://a.example/</url></file>'
        for name, size, value in files
    )
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{inner}</metalink>'


@asynccontextmanager
async def beside(
    resources: Mapping[str, Resource],
    *given: Promise,
    searches: bool = True,
    verifies: bool = True,
) -> AsyncIterator[Look]:
    """What lies where, once the file's first answer is here."""
    door = Transport(
        browser=None,
        cacert=None,
        insecure=False,
        connect_timeout=5.0,
        stall_timeout=5.0,
    )
    search = Search() if searches else None
    there = {FILE: told(), **resources}
    with ThreadPoolExecutor(1) as pool:
        verifier = Verifier(pool, given) if verifies else None
        async with Origin(there) as origin, door:
            source = Source(door, Limiter(), origin.url(FILE))
            remote = await answered(source)
            yield Look(origin, source, remote, verifier, search)


async def answered(source: Source) -> RemoteFile:
    response = await source.open(None)
    source.pin(response)
    while await response.read():
        pass
    response.close()
    return describe(response)


# -- who decides -----------------------------------------------------------------


async def test_what_an_answer_tells_decides() -> None:
    """Where the answers told of a digest, nothing is looked for."""
    there = {FILE: told(("Repr-Digest", FIELD)), "/pub/SHA256SUMS": text(SUMS)}
    async with beside(there) as look:
        look.promises.told(look.source)
        await look.look()
        assert look.found == {"Repr-Digest": SHA256.hex}
        assert (look.asked, look.ended) == ([], 0)
        assert look.promises.may_hash


async def test_what_was_typed_decides() -> None:
    """Neither what an answer tells nor what lies beside it goes before that."""
    typed = Promise(MD5, "--checksum")
    async with beside({FILE: told(("Repr-Digest", FIELD))}, typed) as look:
        look.promises.told(look.source)
        await look.look()
        assert look.found == {"--checksum": MD5.hex}
        assert look.asked == []


async def test_what_lies_beside_it_is_found() -> None:
    """Where nobody told anything, the manifests beside the file are looked at."""
    async with beside({"/pub/SHA256SUMS": text(SUMS)}) as look:
        look.promises.told(look.source)
        await look.look()
        assert look.found == {"SHA256SUMS": SHA256.hex}
        assert look.ended == 1


async def test_what_was_found_for_another_file_is_there_at_once() -> None:
    """The second file of a directory begins no look, and asks nobody."""
    async with beside({"/pub/SHA256SUMS": text(SUMS)}) as look:
        await look.look()
        look.another()
        asked = list(look.asked)
        async with asyncio.TaskGroup() as group:
            look.begin(group)
            assert not look.promises.is_looking
            assert look.found == {"SHA256SUMS": SHA256.hex}
        assert (look.asked, look.ended) == (asked, 1)


async def test_without_a_search_nothing_is_looked_for() -> None:
    """Who wants no search gets none, and what answers tell is not believed either."""
    there = {FILE: told(("Repr-Digest", FIELD)), "/pub/SHA256SUMS": text(SUMS)}
    async with beside(there, searches=False) as look:
        look.promises.told(look.source)
        await look.look()
        assert (look.found, look.asked, look.ended) == ({}, [], 0)
        assert not look.promises.may_hash


async def test_what_was_typed_needs_no_search() -> None:
    """A checksum that was given is compared, whatever else is not wanted."""
    typed = Promise(MD5, "--checksum")
    async with beside({}, typed, searches=False) as look:
        await look.look()
        assert look.found == {"--checksum": MD5.hex}
        assert look.promises.may_hash


async def test_where_nothing_is_verified_nothing_is_looked_for() -> None:
    """Without a verifier no digest is of any use."""
    async with beside({"/pub/SHA256SUMS": text(SUMS)}, verifies=False) as look:
        look.promises.told(look.source)
        await look.look()
        look.promises.speculate()
        await look.promises.wait()
        assert (look.asked, look.promises.may_hash) == ([], False)


# -- while it is looked for ------------------------------------------------------


@pytest.mark.parametrize(
    ("sums", "is_found"), [(SUMS, True), (f"{OTHER}  other.iso\n", False)]
)
async def test_while_looking_the_file_may_have_to_be_hashed(
    sums: str, *, is_found: bool
) -> None:
    """Until the look is over nobody knows; then it is hashed for what was found."""
    go = asyncio.Event()
    slow = text(sums, Stall(until=go))
    async with beside({"/pub/SHA256SUMS": slow}) as look:
        assert not look.promises.may_hash
        async with asyncio.TaskGroup() as group:
            look.begin(group)
            await look.reach("/pub/SHA256SUMS")
            assert (look.promises.is_looking, look.promises.may_hash) == (True, True)
            assert look.ended == 0
            go.set()
        assert (look.promises.is_looking, look.ended) == (False, 1)
        assert look.promises.may_hash is is_found


async def test_who_is_done_waits_for_the_look() -> None:
    """A file that is here is compared with what is found soon after."""
    go = asyncio.Event()
    slow = text(SUMS, Stall(until=go))
    async with (
        beside({"/pub/SHA256SUMS": slow}) as look,
        asyncio.TaskGroup() as group,
    ):
        look.begin(group)
        await look.reach("/pub/SHA256SUMS")
        waiting = group.create_task(look.promises.wait())
        go.set()
        await waiting
        assert look.found == {"SHA256SUMS": SHA256.hex}


async def test_nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not found soon after the last byte is not waited for any more."""
    monkeypatch.setattr(module, "LAST_LOOK", 0.01)
    stalled = text(SUMS, Stall())
    async with beside({"/pub/SHA256SUMS": stalled}) as look:
        async with asyncio.TaskGroup() as group:
            look.begin(group)
            await look.reach("/pub/SHA256SUMS")
            await look.promises.wait()
        assert (look.found, look.ended) == ({}, 1)
        assert look.asked == ["/pub/SHA256SUMS"]
        assert not look.promises.may_hash


async def test_where_nothing_is_looked_for_nobody_waits() -> None:
    """A file that is here is done at once where no look began."""
    async with beside({}) as look:
        await look.promises.wait()
        assert not look.promises.is_looking


# -- a stream --------------------------------------------------------------------


async def test_a_stream_is_hashed_for_what_is_likely_to_be_found() -> None:
    """It passes only once: until the look is over it is hashed for the usual ones."""
    go = asyncio.Event()
    slow = text(SUMS, Stall(until=go))
    async with beside({"/pub/SHA256SUMS": slow}) as look:
        assert look.verifier is not None
        async with asyncio.TaskGroup() as group:
            look.begin(group)
            look.promises.speculate()
            assert set(look.verifier._hashing) == {*LIKELY, "sha1"}
            assert look.verifier.snapshots() == ()
            go.set()
        assert set(look.verifier._hashing) == {"sha256"}
        assert look.found == {"SHA256SUMS": SHA256.hex}


async def test_a_stream_without_digests_is_not_hashed_on() -> None:
    """Once nothing was found, hashing is over."""
    async with beside({}) as look:
        async with asyncio.TaskGroup() as group:
            look.begin(group)
            look.promises.speculate()
            assert look.promises.may_hash
        assert look.verifier is not None
        assert not look.verifier.is_wanted


@pytest.mark.parametrize("looked", [False, True])
async def test_nothing_is_hashed_for_a_look_that_is_over(*, looked: bool) -> None:
    """Who looks for nothing, or did not find anything, hashes for nothing."""
    async with beside({}) as look:
        if looked:
            await look.look()
        look.promises.speculate()
        assert look.verifier is not None
        assert not look.verifier.is_wanted


# -- a Metalink about it ---------------------------------------------------------

SIZE = len(DATA)


@pytest.mark.parametrize(
    ("files", "is_told"),
    [
        pytest.param([(NAME, SIZE, SHA256.hex)], True, id="this file"),
        pytest.param([("x", SIZE, SHA256.hex)], True, id="the only one of its size"),
        pytest.param([(NAME, SIZE + 1, OTHER)], False, id="another size"),
        pytest.param(
            [("x", SIZE, OTHER), (NAME, SIZE, SHA256.hex)], True, id="by its name"
        ),
        pytest.param(
            [(NAME, SIZE + 1, OTHER), ("x", SIZE, SHA256.hex)], True, id="by its size"
        ),
        pytest.param(
            [("x", SIZE, OTHER), ("y", SIZE, OTHER)], False, id="one of two others"
        ),
    ],
)
async def test_a_metalink_about_the_file_is_believed(
    files: list[tuple[str, int, str]], *, is_told: bool
) -> None:
    """What the answers point to tells of this file, where it is clear which it is."""
    there = {FILE: described(), "/pub/its.meta4": text(metalink(*files))}
    async with beside(there) as look:
        await look.look()
        assert look.found == ({ORIGIN: SHA256.hex} if is_told else {})
        assert look.asked[0] == "/pub/its.meta4"
        assert (len(look.asked) == 1) is is_told


@pytest.mark.parametrize("fault", [Status(404), Status(503), Page(), Stall()], ids=repr)
async def test_a_metalink_that_does_not_come_is_done_without(
    fault: Misbehaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong with it, what lies beside the file is looked for."""
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    about = metalink((NAME, SIZE, OTHER))
    there = {
        FILE: described(),
        "/pub/its.meta4": text(about, fault),
        "/pub/SHA256SUMS": text(SUMS),
    }
    async with beside(there) as look:
        await look.look()
        assert look.found == {"SHA256SUMS": SHA256.hex}
