"""One file from several places: proven, shared, benched, repaired."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engine import (
    Config,
    Digest,
    Engine,
    EventKind,
    HydraError,
    IntegrityError,
    JobSpec,
    MirrorState,
    Pieces,
    Promise,
    RefusedError,
)
from engine.testing import (
    Content,
    Origin,
    Relabel,
    Request,
    Resource,
    Response,
    Status,
)
from tests.integration.support import until

MIB = 1024 * 1024
FILE = Content(12 * MIB, seed=31)
OTHER = Content(12 * MIB, seed=32)
SHA256 = Digest("sha256", FILE.digest("sha256"))
PIECE = MIB
SLOW = 2e6
PATIENCE = 30.0


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def pieces_of(content: Content) -> Pieces:
    data = content.read()
    parts = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    return Pieces(
        PIECE, "sha1", tuple(hashlib.sha1(part).hexdigest() for part in parts)
    )


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Some megabytes of the file have one wrong byte, whenever they are served."""

    wrong: frozenset[int]

    def answer(
        self, request: Request, behave: Callable[[Request], Response], /
    ) -> Response:
        right = behave(request)
        data = bytearray(FILE.read())
        for number in self.wrong:
            data[number * PIECE + 77] ^= 0xFF
        return replace(right, content=Content.of(bytes(data)))


@dataclass(frozen=True, slots=True)
class Replaced:
    """Other bytes under the same tag."""

    content: Content

    def answer(
        self, request: Request, behave: Callable[[Request], Response], /
    ) -> Response:
        return replace(behave(request), content=self.content)


@asynccontextmanager
async def serving(
    *resources: Resource, **scripts: object
) -> AsyncIterator[list[Origin]]:
    """An origin for each; the script of the n-th is called `s<n>`."""
    async with AsyncExitStack() as stack:
        origins = []
        for number, resource in enumerate(resources):
            script = scripts.get(f"s{number}", ())
            origin = Origin({"/file": resource}, script=script)  # type: ignore[arg-type]
            origins.append(await stack.enter_async_context(origin))
        yield origins


@asynccontextmanager
async def running(directory: Path, **settings: object) -> AsyncIterator[Engine]:
    given = {"output": directory, "min_chunk": MIB // 4, "give_up_after": 5.0}
    config = Config(**(given | {"verify": False} | settings))  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE), Engine(config) as engine:
        yield engine


async def fetched(
    engine: Engine, origins: list[Origin], **spec: object
) -> tuple[str, list[str]]:
    """The verdict, and what was told of mirrors."""
    first, *others = (origin.url("/file") for origin in origins)
    told: list[str] = []

    async def listen() -> None:
        async for event in engine.events():
            if event.kind is EventKind.MIRROR:
                told.append(event.text)  # noqa: PERF401  # it never ends

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        await asyncio.sleep(0)
        job = engine.add(JobSpec(first, mirrors=tuple(others), **spec))  # type: ignore[arg-type]
        try:
            done = await engine.wait(job)
        finally:
            await asyncio.sleep(0)
            listening.cancel()
    return done.verdict, told


async def test_lanes_go_to_every_source_that_serves_the_file(tmp_path: Path) -> None:
    """Sources that were proven share the work, and the file is right."""
    slow = Resource(FILE, rate=SLOW)
    async with serving(slow, slow, slow) as origins, running(tmp_path) as engine:
        verdict, told = await fetched(engine, origins, checksum=SHA256)
        assert all(origin.served >= MIB for origin in origins)
    assert verdict == "verified (sha256, from --checksum)"
    assert sum("is used" in text for text in told) == 2
    assert (tmp_path / "file").read_bytes() == FILE.read()


@pytest.mark.parametrize("other", [OTHER, Content(11 * MIB, seed=31)])
async def test_another_version_is_benched_and_named(
    tmp_path: Path, other: Content
) -> None:
    """A source that serves something else gives no byte to the file."""
    slow, wrong = Resource(FILE, rate=SLOW), Resource(other, rate=SLOW)
    async with serving(slow, wrong) as origins, running(tmp_path) as engine:
        _, told = await fetched(engine, origins)
        assert len(origins[1].requests) == 1
        host = origins[1].url("").removeprefix("http://").rstrip("/")
    [text] = told
    assert f"{host} is benched: another version" in text
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_the_first_source_may_be_dead(tmp_path: Path) -> None:
    """Where the first gives nothing the next one is asked, and becomes the first."""
    async with (
        serving(Resource(FILE), Resource(FILE), s0=lambda _: Status(404)) as origins,
        running(tmp_path) as engine,
    ):
        _, told = await fetched(engine, origins, checksum=SHA256)
    assert "asks another" in told[0]
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_where_all_are_dead_the_job_fails(tmp_path: Path) -> None:
    """Each source is asked once."""
    gone = lambda _: Status(404)  # noqa: E731
    async with (
        serving(Resource(FILE), Resource(FILE), s0=gone, s1=gone) as origins,
        running(tmp_path) as engine,
    ):
        with pytest.raises(BaseExceptionGroup) as raised:
            await fetched(engine, origins)
        assert [len(origin.requests) for origin in origins] == [1, 1]
    assert raised.group_contains(RefusedError, match="HTTP 404")


async def test_a_source_that_dies_is_done_without(tmp_path: Path) -> None:
    """One that fails again and again is benched; the others bring the rest."""
    slow = Resource(FILE, rate=SLOW)

    def dies(request: Request) -> Status | None:
        return Status(500) if request.number > 2 else None

    async with serving(slow, slow, s1=dies) as origins, running(tmp_path) as engine:
        _, told = await fetched(engine, origins, checksum=SHA256)
    assert any("is benched: HTTP 500" in text for text in told)
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_the_first_source_may_die_as_well(tmp_path: Path) -> None:
    """What the first no longer serves the others bring."""
    slow = Resource(FILE, rate=SLOW)

    def dies(request: Request) -> Status | None:
        return Status(410) if request.number > 4 else None

    async with serving(slow, slow, s0=dies) as origins, running(tmp_path) as engine:
        await fetched(engine, origins, checksum=SHA256)
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_bad_pieces_are_fetched_elsewhere(tmp_path: Path) -> None:
    """A part whose digest is wrong comes again from another source, and no more of it."""
    slow = Resource(FILE, rate=SLOW)
    corrupt = Corrupt(frozenset({0, 3, 7, 11}))
    async with (
        serving(slow, slow, s1=lambda _: corrupt) as origins,
        running(tmp_path) as engine,
    ):
        verdict, _ = await fetched(
            engine,
            origins,
            pieces=pieces_of(FILE),
            promises=(Promise(SHA256, "Metalink"),),
            size=FILE.size,
        )
    assert verdict == "verified (sha256, from Metalink)"
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_a_piece_that_stays_wrong_fails(tmp_path: Path) -> None:
    """Where nobody has the right bytes the job ends, and they are set apart."""
    corrupt = Corrupt(frozenset({5}))
    async with (
        serving(Resource(FILE), s0=lambda _: corrupt) as origins,
        running(tmp_path) as engine,
    ):
        with pytest.raises(BaseExceptionGroup) as raised:
            await fetched(engine, origins, pieces=pieces_of(FILE))
    assert raised.group_contains(IntegrityError, match="however often")
    assert names(tmp_path) == ["file.part.bad"]


async def test_without_pieces_what_others_brought_comes_again(tmp_path: Path) -> None:
    """A digest that does not match costs what the others brought, not all."""
    slow = Resource(FILE, rate=SLOW)
    corrupt = Corrupt(frozenset(range(1, 12)))
    async with (
        serving(slow, slow, s1=lambda _: corrupt) as origins,
        running(tmp_path) as engine,
    ):
        verdict, told = await fetched(engine, origins, checksum=SHA256)
    assert verdict.startswith("verified")
    assert any("comes again" in text for text in told)
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_a_stream_comes_from_all_of_them(tmp_path: Path) -> None:
    """In order, whoever brings which part."""
    slow = Resource(FILE, rate=SLOW)
    async with serving(slow, slow) as origins, running(tmp_path) as engine:
        first, second = (origin.url("/file") for origin in origins)
        spec = JobSpec(first, mirrors=(second,), checksum=SHA256)
        came = bytearray()
        async with engine.stream([spec]) as files:
            async for _, blocks in files:
                async for block in blocks:
                    came += block
        assert origins[1].served >= MIB
    assert came == FILE.read()


async def test_what_is_private_goes_to_its_own_origin_only(tmp_path: Path) -> None:
    """Headers given for a URL are not sent to its mirrors."""
    slow = Resource(FILE, rate=SLOW)
    async with serving(slow, slow) as origins, running(tmp_path) as engine:
        await fetched(engine, origins, headers=(("X-Secret", "1"),))
        assert all("x-secret" in one.headers for one in origins[0].requests)
        assert origins[1].requests
        assert not any("x-secret" in one.headers for one in origins[1].requests)


async def test_sources_are_seen(tmp_path: Path) -> None:
    """Each with its state, its lanes, and what it brought."""
    slow, wrong = Resource(FILE, rate=SLOW), Resource(OTHER)
    async with serving(slow, slow, wrong) as origins, running(tmp_path) as engine:
        first, *others = (origin.url("/file") for origin in origins)
        job = engine.add(JobSpec(first, mirrors=tuple(others)))

        def states() -> list[MirrorState]:
            return [one.state for one in engine.snapshot(job).jobs[0].mirrors]

        await until(lambda: states()[1:] == [MirrorState.USED, MirrorState.BENCHED])
        [seen] = engine.snapshot(job).jobs
        assert {lane.host for lane in seen.lanes} <= {one.host for one in seen.mirrors}
        await engine.wait(job)
    assert seen.mirrors[2].note.startswith("another version")


async def test_a_metalink_stands_for_its_files(tmp_path: Path) -> None:
    """A URL that gives a Metalink gives the files it tells of, each verified."""
    async with Origin({}) as origin:
        origin.resources |= {
            "/a": Resource(FILE),
            "/b": Resource(OTHER),
            "/set.meta4": Resource(Content.of(_metalink(origin).encode())),
        }
        async with running(tmp_path) as engine:
            job = engine.add(JobSpec(origin.url("/set.meta4")))
            done = await engine.wait(job)
            jobs = [one.id for one in engine.snapshot().jobs]
            for one in jobs:
                await engine.wait(one)
    assert (done.id, len(jobs)) == (job, 2)
    assert done.verdict == "verified (sha256, from Metalink)"
    assert (tmp_path / "one.bin").read_bytes() == FILE.read()
    assert (tmp_path / "two.bin").read_bytes() == OTHER.read()


def _metalink(origin: Origin) -> str:
    files = "".join(
        f'<file name="{name}"><size>{content.size}</size>'
        f'<hash type="sha-256">{content.digest("sha256")}</hash>'
        f"<url>{origin.url(path)}</url></file>"
        for name, path, content in (("one.bin", "/a", FILE), ("two.bin", "/b", OTHER))
    )
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{files}</metalink>'


async def test_a_metalink_that_is_none_fails(tmp_path: Path) -> None:
    """What cannot be read is refused, and nothing is left."""
    resource = Resource(Content.of(b"<!DOCTYPE x><metalink/>"))
    async with Origin({"/x.meta4": resource}) as origin, running(tmp_path) as engine:
        with pytest.raises(HydraError, match="Metalink"):
            await engine.wait(engine.add(JobSpec(origin.url("/x.meta4"))))
    assert names(tmp_path) == []


async def test_links_in_headers_tell_of_mirrors_and_digests(tmp_path: Path) -> None:
    """`Link` fields name duplicates, and a Metalink that describes the file."""
    async with (
        Origin({}) as origin,
        Origin({"/file": Resource(FILE, rate=SLOW)}) as two,
    ):
        link = (
            f"<{two.url('/file')}>; rel=duplicate; pri=1, "
            '</file.meta4>; rel=describedby; type="application/metalink4+xml"'
        )
        told = Relabel((("Link", link),))
        document = _described(origin).encode()
        origin.resources |= {
            "/file": Resource(FILE, rate=SLOW, script=lambda _: told),
            "/file.meta4": Resource(Content.of(document)),
        }
        async with running(tmp_path, verify=True) as engine:
            done = await engine.wait(engine.add(JobSpec(origin.url("/file"))))
        assert two.served >= MIB
    assert done.verdict == "verified (sha256, from Metalink)"


def _described(origin: Origin) -> str:
    return (
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="file">'
        f'<hash type="sha-256">{SHA256.hex}</hash>'
        f"<url>{origin.url('/file')}</url></file></metalink>"
    )


async def test_a_small_file_is_repaired_too(tmp_path: Path) -> None:
    """What is held in memory has the bytes that came last."""
    small = Content(300_000, seed=9)
    data = small.read()
    wrong = bytearray(data)
    wrong[150_000] ^= 0xFF
    parts = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
    pieces = Pieces(
        100_000, "sha1", tuple(hashlib.sha1(part).hexdigest() for part in parts)
    )
    first = Replaced(Content.of(bytes(wrong)))
    async with (
        serving(Resource(small), s0=[first]) as origins,
        running(tmp_path) as engine,
    ):
        verdict, _ = await fetched(engine, origins, pieces=pieces)
    assert verdict == "verified (pieces, sha1, from Metalink)"
    assert (tmp_path / "file").read_bytes() == data
