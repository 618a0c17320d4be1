"""What is looked for beside a file, how often, and what is believed of it."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from engine import search as module
from engine.errors import UsageError
from engine.limiter import Limiter
from engine.model import Digest, Promise
from engine.search import (
    LONGEST_MANIFEST,
    LONGEST_SIDECAR,
    MANIFESTS,
    MOST_DIRECTORIES,
    MOST_LOOKS,
    SIDECARS,
    WORTH_A_SIDECAR,
    Search,
)
from engine.source import Source
from engine.testing import (
    Content,
    EmptyReply,
    Garbage,
    Origin,
    Page,
    Relabel,
    Request,
    ResetAfter,
    Resource,
    Response,
    Stall,
    Status,
)
from engine.testing.answers import Fault as Misbehaviour
from engine.transport import Transport

MIB = 1 << 20
NAME = "hydra.tar.gz"
SMALL, BIG = 1000, WORTH_A_SIDECAR + 1
MD5 = hashlib.md5(b"hello").hexdigest()
SHA1 = hashlib.sha1(b"hello").hexdigest()
SHA256 = hashlib.sha256(b"hello").hexdigest()
SHA512 = hashlib.sha512(b"hello").hexdigest()
HEXES = {"md5": MD5, "sha1": SHA1, "sha256": SHA256, "sha512": SHA512}

pytestmark = pytest.mark.timeout(15)


def text(data: str | bytes, **more: Any) -> Resource:
    raw = data.encode() if isinstance(data, str) else data
    return Resource(Content.of(raw), **more)


def line(value: str = SHA256, name: str = NAME) -> Resource:
    return text(f"{value}  {name}\n")


@dataclass(frozen=True, slots=True)
class Renumbered:
    """What is right, under another status."""

    status: int

    def answer(
        self, request: Request, behave: Callable[[Request], Response]
    ) -> Response:
        return replace(behave(request), status=self.status)


class Place:
    """An origin, and what is asked of it by one search."""

    def __init__(self, door: Transport, origin: Origin) -> None:
        self.origin = origin
        self.search = Search()
        self._door = door

    def source(self, url: str) -> Source:
        return Source(self._door, Limiter(), url)

    async def find(
        self,
        path: str = f"/pub/{NAME}",
        size: int | None = SMALL,
        preferred: str = "md5",
        *,
        make_source: Callable[[str], Source] | None = None,
    ) -> dict[str, str]:
        """Who promises what: the hex by origin, in the order of the promises."""
        found = await self.search.find(
            self.origin.url(path), size, make_source or self.source, preferred
        )
        return {promise.origin: promise.digest.hex for promise in found}

    def known(
        self, path: str, size: int | None = SMALL, preferred: str = "md5"
    ) -> dict[str, str] | None:
        """The same without asking, or None."""
        known = self.search.known(self.origin.url(path), size, preferred)
        if known is None:
            return None
        return {promise.origin: promise.digest.hex for promise in known}

    def was_asked(self, times: int) -> bool:
        return len(self.asked) == times

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.origin.requests]


@asynccontextmanager
async def beside(
    resources: Mapping[str, Resource], **more: Any
) -> AsyncIterator[Place]:
    """What lies where, by the path."""
    door = Transport(
        browser=None,
        cacert=None,
        insecure=False,
        connect_timeout=5.0,
        stall_timeout=5.0,
    )
    async with Origin(resources, **more) as origin, door:
        yield Place(door, origin)
        await origin.until(lambda: not origin.busy)  # no body is left flowing


def manifests(directory: str = "/pub") -> list[str]:
    return [f"{directory}/{name}" for name in MANIFESTS]


def sidecars(*endings: str) -> list[str]:
    return [f"/pub/{NAME}.{ending}" for ending in endings]


# -- manifests -------------------------------------------------------------------


async def test_manifests_of_the_directory_are_read() -> None:
    """`SHA256SUMS`, `MD5SUMS`, `md5checksums.txt` as NCBI has them."""
    there = {
        "/pub/SHA256SUMS": line(SHA256),
        "/pub/md5checksums.txt": line(MD5, f"./{NAME}"),
    }
    async with beside(there) as place:
        found = await place.search.find(
            place.origin.url(f"/pub/{NAME}"), BIG, place.source, "md5"
        )
        assert found == (
            Promise(Digest("md5", MD5), "md5checksums.txt"),
            Promise(Digest("sha256", SHA256), "SHA256SUMS"),
        )
        assert sorted(place.asked) == sorted(manifests())


@pytest.mark.parametrize(
    ("preferred", "first"), [("sha256", "SHA256SUMS"), ("md5", "MD5SUMS")]
)
async def test_the_preferred_algorithm_comes_first(preferred: str, first: str) -> None:
    """`--typehash` decides among digests looked up."""
    there = {"/pub/SHA256SUMS": line(SHA256), "/pub/MD5SUMS": line(MD5)}
    async with beside(there) as place:
        assert next(iter(await place.find(preferred=preferred))) == first


async def test_names_in_a_manifest_are_not_percent_encoded() -> None:
    """A file is looked up by what it is called, not by how its URL spells that."""
    there = {"/my%20pub/SHA256SUMS": line(SHA256, "two words.gz")}
    async with beside(there) as place:
        assert await place.find("/my%20pub/two%20words.gz") == {"SHA256SUMS": SHA256}


async def test_one_look_serves_all_files_of_a_directory() -> None:
    """One look per directory: what was found there is known for every file."""
    names = [f"file{i}" for i in range(20)]
    text_of_all = "".join(f"{SHA256}  {name}\n" for name in names)
    async with beside({"/pub/SHA256SUMS": text(text_of_all)}) as place:
        for name in names:
            assert await place.find(f"/pub/{name}") == {"SHA256SUMS": SHA256}
        assert await place.find("/pub/unknown") == {}
        assert sorted(place.asked) == sorted(manifests())


async def test_that_there_is_none_is_known_as_well() -> None:
    """A directory without manifests is not asked for them twice."""
    async with beside({}) as place:
        assert [await place.find(), await place.find("/pub/other")] == [{}, {}]
        assert sorted(place.asked) == sorted(manifests())


async def test_what_was_looked_at_is_known_without_asking() -> None:
    """Nothing before the first look; after it, what another search would find."""
    async with beside({"/pub/SHA256SUMS": line()}) as place:
        assert place.known(f"/pub/{NAME}") is None
        await place.find()
        asked = list(place.asked)
        assert place.known(f"/pub/{NAME}") == {"SHA256SUMS": SHA256}
        assert place.known("/pub/other") == {}
        assert place.known(f"/other/{NAME}") is None
        assert place.asked == asked


async def test_what_may_have_a_sidecar_is_not_known() -> None:
    """A big file without a manifest is asked for; what is no file has nothing."""
    async with beside({}) as place:
        await place.find()
        assert place.known("/pub/other", WORTH_A_SIDECAR) == {}
        assert place.known("/pub/other", WORTH_A_SIDECAR + 1) is None
        assert place.known("/pub/other", None) is None
        assert place.known("/pub/") == {}


async def test_each_directory_is_looked_at() -> None:
    """A manifest speaks for its own directory."""
    async with beside({"/a/SHA256SUMS": line(SHA256)}) as place:
        assert await place.find(f"/a/{NAME}") == {"SHA256SUMS": SHA256}
        assert await place.find(f"/b/{NAME}") == {}
        assert await place.find(f"/{NAME}") == {}
        wanted = manifests("/a") + manifests("/b") + manifests("")
        assert sorted(place.asked) == sorted(wanted)


async def test_jobs_that_ask_at_the_same_time_share_the_look() -> None:
    """Several jobs asking at the same time wait for the first one's answer."""
    async with beside({"/pub/SHA256SUMS": line(SHA256)}) as place:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(place.find()) for _ in range(50)]
        assert [task.result() for task in tasks] == [{"SHA256SUMS": SHA256}] * 50
        assert sorted(place.asked) == sorted(manifests())


async def test_when_the_first_asker_leaves_the_next_one_looks() -> None:
    """A look that was cancelled is nobody's answer; whoever waits looks anew."""
    held = text(f"{SHA256}  {NAME}\n", script=[Stall(after=0)])
    async with beside({"/pub/SHA256SUMS": held}) as place:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(place.find())
            second = group.create_task(place.find())
            await place.origin.until(lambda: len(place.asked) == len(MANIFESTS))
            first.cancel()
        assert first.cancelled()
        assert second.result() == {"SHA256SUMS": SHA256}
        assert place.asked.count("/pub/SHA256SUMS") == 2


async def test_a_directory_that_is_slow_to_answer_is_given_up() -> None:
    """Thousands of files do not each wait for what was never seen to come."""
    silent = replace(line(SHA256), script=[Stall(after=0)] * (MOST_LOOKS + 1))
    async with beside({"/pub/SHA256SUMS": silent}) as place:
        for looks in range(1, MOST_LOOKS + 1):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(place.find())
                await place.origin.until(partial(place.was_asked, looks))
                task.cancel()
        assert await place.find() == {}
        assert len(place.asked) == MOST_LOOKS


async def test_only_so_many_directories_are_remembered() -> None:
    """Memory is bounded: the directories asked for long ago are forgotten."""
    async with beside({"/0/SHA256SUMS": line(SHA256)}) as place:
        for number in range(MOST_DIRECTORIES):
            await place.find(f"/{number}/{NAME}")
        asked = len(place.asked)
        assert await place.find(f"/0/{NAME}") == {"SHA256SUMS": SHA256}
        assert len(place.asked) == asked
        await place.find(f"/one-more/{NAME}")
        await place.find(f"/0/{NAME}")
        assert len(place.asked) == asked + len(MANIFESTS)
        await place.find(f"/1/{NAME}")
        assert len(place.asked) == asked + 2 * len(MANIFESTS)


async def test_long_manifests_push_out_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded also where directories are few and their manifests long."""
    monkeypatch.setattr(module, "MOST_REMEMBERED", 150)
    there = {f"/{number}/SHA256SUMS": line(SHA256) for number in range(3)}
    async with beside(there) as place:
        for number in (0, 1, 1, 0):
            await place.find(f"/{number}/{NAME}")
        assert len(place.asked) == 3 * len(MANIFESTS)


# -- where nothing is asked ----------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        f"/pub/{NAME}?token=1",
        f"/pub/?file={NAME}",
        "/pub/",
        "/",
        "",
        "/pub/SHA256SUMS",
        f"/pub/{NAME}.sha256",
        f"/pub/{NAME}.MD5",
    ],
)
async def test_what_is_no_file_in_a_directory_is_not_looked_up(path: str) -> None:
    """None for URLs with a query, nor for checksum files themselves."""
    async with beside({}) as place:
        assert await place.find(path, None) == {}
        assert place.asked == []


async def test_a_url_that_makes_no_sense_is_no_error() -> None:
    """Whatever goes wrong means that nothing was found."""
    async with beside({}) as place:
        assert await place.search.find("http://[::1", 1, place.source, "md5") == ()


# -- sidecars ------------------------------------------------------------------------


@pytest.mark.parametrize("ending", SIDECARS)
@pytest.mark.parametrize("size", [BIG, None])
async def test_a_big_file_may_have_a_sidecar(ending: str, size: int | None) -> None:
    """Per-file sidecars only for files over 16 MiB, or of unknown size."""
    path = f"/pub/{NAME}.{ending}"
    async with beside({path: text(HEXES[ending])}) as place:
        assert await place.find(size=size) == {f"{NAME}.{ending}": HEXES[ending]}


@pytest.mark.parametrize("size", [0, SMALL, WORTH_A_SIDECAR])
async def test_a_small_file_is_not_worth_a_sidecar(size: int) -> None:
    """Files of at most 16 MiB are looked up in manifests only."""
    async with beside({f"/pub/{NAME}.md5": text(MD5)}) as place:
        assert await place.find(size=size) == {}
        assert sorted(place.asked) == sorted(manifests())


async def test_a_manifest_spares_the_sidecars() -> None:
    """Where the manifest knows the file, nothing more is asked."""
    there = {"/pub/MD5SUMS": line(MD5), f"/pub/{NAME}.sha256": text(SHA256)}
    async with beside(there) as place:
        assert await place.find(size=BIG) == {"MD5SUMS": MD5}
        assert sorted(place.asked) == sorted(manifests())


@pytest.mark.parametrize(
    ("preferred", "endings"),
    [
        ("md5", ("md5", "sha256", "sha512", "sha1")),
        ("sha1", ("sha1", "sha256", "sha512", "md5")),
        ("sha512", ("sha512", "sha256", "sha1", "md5")),
        ("sha384", ("sha256", "sha512", "sha1", "md5")),
        ("sha3_256", ("sha256", "sha512", "sha1", "md5")),
        ("blake2b", ("sha256", "sha512", "sha1", "md5")),
    ],
)
async def test_sidecars_of_the_preferred_family_come_first(
    preferred: str, endings: tuple[str, ...]
) -> None:
    """One after the other, those of the family of `--typehash` first."""
    async with beside({}) as place:
        assert await place.find(size=BIG, preferred=preferred) == {}
        assert place.asked[len(MANIFESTS) :] == sidecars(*endings)


async def test_the_first_sidecar_is_enough() -> None:
    """The search stops at the first found; what says nothing is not found."""
    there = {
        f"/pub/{NAME}.md5": text("no digest here"),
        f"/pub/{NAME}.sha256": text(SHA256),
        f"/pub/{NAME}.sha512": text(SHA512),
    }
    async with beside(there) as place:
        assert await place.find(size=BIG) == {f"{NAME}.sha256": SHA256}
        assert place.asked[len(MANIFESTS) :] == sidecars("md5", "sha256")


async def test_a_busy_server_is_not_asked_on() -> None:
    """A server in trouble gets no more requests that nobody needs."""
    there = {f"/pub/{NAME}.md5": text(MD5, script=[Status(503)])}
    async with beside(there) as place:
        assert await place.find(size=BIG) == {}
        assert place.asked[len(MANIFESTS) :] == sidecars("md5")


async def test_a_server_that_gives_the_file_for_any_name_has_no_sidecar() -> None:
    """What is too long for a sidecar is not read on."""
    there = {f"/pub/{NAME}.md5": text(MD5 + "\n" * LONGEST_SIDECAR)}
    async with beside(there) as place:
        assert await place.find(size=BIG) == {}


# -- what is believed ----------------------------------------------------------------


async def test_a_redirect_is_followed_to_a_manifest() -> None:
    """Mirrors' redirects lead to manifests as they lead to files."""
    there = {
        "/pub/SHA256SUMS": Resource(redirect="/mirror/SHA256SUMS"),
        "/mirror/SHA256SUMS": line(SHA256),
    }
    async with beside(there) as place:
        assert await place.find() == {"SHA256SUMS": SHA256}


@pytest.mark.parametrize(
    "media_type", ["text/html", "text/html; charset=utf-8", "Text/HTML"]
)
async def test_a_web_page_is_not_believed(media_type: str) -> None:
    """A redirect to a login page yields nothing, even if it looks like a manifest."""
    login = [Relabel((("Content-Type", media_type),))]
    there = {
        "/pub/SHA256SUMS": Resource(redirect="/login"),
        "/login": text(f"{SHA256}  {NAME}\n", script=login),
        "/pub/MD5SUMS": text(f"<html>\n{MD5}  {NAME}\n"),
    }
    async with beside(there) as place:
        assert await place.find() == {}
        assert "/login" in place.asked


@pytest.mark.parametrize(
    "fault",
    [
        Status(404),
        Status(403),
        Status(429),
        Status(503),
        Renumbered(206),
        Renumbered(203),
        Renumbered(416),
        Page(),
        EmptyReply(),
        EmptyReply(reset=True),
        ResetAfter(10),
        Garbage(),
    ],
    ids=repr,
)
async def test_what_goes_wrong_is_not_found(fault: Misbehaviour) -> None:
    """Refusals, faults and pages mean nothing found; other manifests still count."""
    held = text(f"{SHA256}  {NAME}\n", script=[fault])
    there = {"/pub/SHA256SUMS": held, "/pub/MD5SUMS": line(MD5)}
    async with beside(there) as place:
        assert await place.find() == {"MD5SUMS": MD5}


async def test_a_source_that_cannot_be_made_is_not_found() -> None:
    """Whatever our own side refuses means nothing found as well."""

    def refuse(url: str) -> Source:
        raise UsageError(url)

    async with beside({}) as place:
        assert await place.find(size=None, make_source=refuse) == {}


async def test_nobody_there_is_not_found() -> None:
    """Where nobody answers there is nothing to find."""
    async with beside({}) as place:
        gone = Origin({})
        async with gone:
            url = gone.url(f"/pub/{NAME}")
        assert await place.search.find(url, BIG, place.source, "md5") == ()


async def test_a_silent_server_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it has a total timeout; what came until then counts."""
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    silent = text(f"{SHA256}  {NAME}\n", script=[Stall(after=0)])
    there = {
        "/pub/MD5SUMS": line(MD5),
        "/pub/md5checksums.txt": silent,
        "/pub/big.md5": text(MD5, script=[Stall(after=0)]),
    }
    async with beside(there) as place:
        assert await place.find() == {"MD5SUMS": MD5}
        assert await place.find("/pub/big", BIG) == {}
        assert place.asked[len(MANIFESTS) :] == ["/pub/big.md5"]


@pytest.mark.parametrize("length", ["chunked", "known"])
async def test_endless_text_is_cut_off(length: Any) -> None:
    """At most 8 MiB are read of a manifest, and nothing of it is used."""
    head = f"{SHA256}  {NAME}\n".encode()
    endless = Resource(
        Content(1 << 30, literal=head * 20_000),
        length=length,
    )
    async with beside({"/pub/SHA256SUMS": endless}) as place:
        tracemalloc.start()
        assert await place.find() == {}
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 4 * LONGEST_MANIFEST
        await place.origin.until(lambda: not place.origin.busy)
        assert place.origin.served < 64 * MIB


async def test_a_manifest_of_the_longest_size_counts() -> None:
    """Exactly 8 MiB are still read, one byte more is not."""
    last = f"{SHA256}  {NAME}\n".encode()
    full = b"\n" * (LONGEST_MANIFEST - len(last)) + last
    there = {"/a/SHA256SUMS": text(full), "/b/SHA256SUMS": text(b"\n" + full)}
    async with beside(there) as place:
        assert await place.find(f"/a/{NAME}") == {"SHA256SUMS": SHA256}
        assert await place.find(f"/b/{NAME}") == {}
