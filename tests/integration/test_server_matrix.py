"""The servers that files really come from: each kind, over all that it speaks.

What is said of a server here holds for every one, through every door it has. One
without ranges gives its files over one connection, from their beginning. The
HAProxy stands before two nodes that have ETags of their own for the same bytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from engine import Config, Engine, JobSpec
from engine.testing import Content, Origin, Resource
from tests.integration.support import (
    KIB,
    MIB,
    PATIENCE,
    SMALL_STEPS,
    Fetch,
    File,
    download,
    hydra,
    run,
    until,
)
from tests.support.servers import (
    APACHE,
    HAPROXY,
    KINDS,
    Answered,
    Door,
    Kind,
    Server,
    before,
    serving,
)

FILE = Content(5 * MIB + 321, seed=41)
TEXT = Content.of(b"".join(b"%d bottles of beer\n" % n for n in range(20_000)))
NAMES = ("with a space.bin", "naïve €.bin", "100%.bin", "%41+b&c=d;e#f.bin")
"""What people and programs call their files; one looks escaped and is not."""
SITE: Mapping[str, Content] = {
    "file.bin": FILE,
    "empty.bin": Content(0),
    "song.txt": TEXT,
    "SHA256SUMS": Content.of(f"{FILE.digest()}  file.bin\n".encode()),
    **{name: Content(64 * KIB + at, seed=at) for at, name in enumerate(NAMES)},
}
NEW = Content(FILE.size, seed=42)
MODIFIED = 1_234_567_890
"""Seconds since the epoch, for every file: long ago."""
LANES: int = SMALL_STEPS["threads"]
QUICK = 30e6
"""Bytes per second, all lanes together: each has time to take its part."""
SLOW = 8e6
"""Bytes per second, all lanes together: time enough to end it in the middle."""
AGAIN = 256 * KIB
"""Bytes that may be fetched twice, to compare or because they were on the way."""
SLOWER = "2M"
"""For a process that is killed once it has written something down, after a second."""

Cell = tuple[Kind, Door]
CELLS = [(kind, door) for kind in KINDS for door in kind.doors]
WIDEST = [(kind, list(kind.doors)[-1]) for kind in KINDS]
"""Each kind once, with the most that it speaks."""
DIRECT = [cell for cell in CELLS if cell[0] is not HAPROXY]
"""Those that serve the folder itself, and no copies."""


def _need(*kinds: Kind) -> None:
    for kind in kinds:
        if kind.executable() is None:
            pytest.skip(kind.skip_reason)


def _named(cell: Cell) -> str:
    kind, door = cell
    return f"{kind.name} {door}"


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder of known files that every server may read, whoever it runs as."""
    with tempfile.TemporaryDirectory(prefix="site-") as folder:
        made = Path(folder)
        made.chmod(0o755)
        for name, content in SITE.items():
            put(made / name, content, MODIFIED)
        yield made


def put(path: Path, content: Content, modified: float) -> None:
    """Write a file as whole files are published: under another name, then renamed."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(content.read())
    os.utime(fresh, (modified, modified))
    fresh.replace(path)


@contextmanager
def node(root: Path) -> Iterator[Server]:
    """An Apache with copies of its own: the same bytes and dates, other ETags."""
    with tempfile.TemporaryDirectory(prefix="node-") as folder:
        copy = shutil.copytree(root, Path(folder, "site"))
        Path(folder).chmod(0o755)
        with serving(APACHE, Door.HTTP, copy) as started:
            yield started


@contextmanager
def running(cell: Cell, root: Path) -> Iterator[Server]:
    kind, door = cell
    _need(*((HAPROXY, APACHE) if kind is HAPROXY else (kind,)))
    with ExitStack() as stack:
        if kind is HAPROXY:
            nodes = [stack.enter_context(node(root)) for _ in range(2)]
            kind = before(*nodes)
        yield stack.enter_context(serving(kind, door, root))


@pytest.fixture(scope="module", params=CELLS, ids=_named)
def server(request: pytest.FixtureRequest, root: Path) -> Iterator[Server]:
    """Each kind of server, through each of its doors."""
    with running(request.param, root) as started:
        yield started


def config(server: Server, folder: Path, **more: Any) -> Config:
    return Config(output=folder, cacert=server.cacert, **(SMALL_STEPS | more))


def assert_whole(file: File, name: str) -> None:
    """Digests, since millions of bytes that differ take long to be printed."""
    assert file.name == name
    assert len(file.data) == SITE[name].size
    assert sha256(file.data).hexdigest() == SITE[name].digest()


async def logged(server: Server, target: str, *, connections: int) -> list[Answered]:
    """What it has answered, once so many connections are in its log."""
    await until(
        lambda: len({a.connection for a in server.answered(target)}) >= connections
    )
    return server.answered(target)


async def half(server: Server, folder: Path, path: str) -> None:
    """Leave what an engine leaves that is closed in the middle."""
    async with Engine(config(server, folder, limit=SLOW)) as engine:
        engine.add(JobSpec(server.url(path)))
        await until(lambda: engine.snapshot().jobs[0].done > MIB)


def claimed(folder: Path) -> int:
    """Bytes that the journal says are safe."""
    journals = list(folder.glob("*.part.hydra"))
    return sum(
        stop - start
        for journal in journals
        for start, stop in json.loads(journal.read_bytes())["done"]
    )


# -- the matrix


async def test_a_file_comes_whole(fetch: Fetch, server: Server) -> None:
    """To disk and as a stream: the same bytes, over many connections where it can."""
    target = f"/file.bin?{'stream' if fetch.is_stream else 'disk'}"
    file = await fetch(server.url(target), cacert=server.cacert, limit=QUICK)
    assert_whole(file, "file.bin")
    if server.kind.ranges:
        answered = await logged(server, target, connections=2)
        parts = [answer for answer in answered if answer.status == 206]
        assert len(answered) - len(parts) <= surprises(server)
    else:
        answered = await logged(server, target, connections=1)
        assert [answer.status for answer in answered] == [200]
    assert {answer.protocol for answer in answered} == {server.door.protocol}


def surprises(server: Server) -> int:
    """How often the whole may come for a part: each lane once meets the other node."""
    return LANES if server.kind.name == HAPROXY.name else 0


async def test_it_keeps_its_date(server: Server, tmp_path: Path) -> None:
    """Last-Modified becomes the date of the file."""
    fetch = Fetch(tmp_path, is_stream=False)
    await fetch(server.url("/file.bin"), cacert=server.cacert)
    assert (tmp_path / "file.bin").stat().st_mtime == MODIFIED


async def test_what_was_ended_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    """An engine that is closed in the middle leaves the next one only the rest."""
    await half(server, tmp_path, "/file.bin")
    await assert_gone_on_with(server, tmp_path, at_least=MIB)


@pytest.mark.slow
@pytest.mark.parametrize("server", WIDEST, ids=_named, indirect=True)
async def test_what_was_killed_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    """A process that is killed in the middle leaves only what it had not yet synced."""
    settings = ("-N", "-t", "4", "--min-chunk-mb", "0.0625", "--limit", SLOWER)
    where = ("-o", str(tmp_path), "--cacert", str(server.cacert))
    with hydra("--no-ui", "-q", *settings, *where, server.url("/file.bin")) as child:
        try:
            await until(lambda: claimed(tmp_path) or child.poll() is not None)
        finally:
            child.kill()
    await assert_gone_on_with(server, tmp_path, at_least=1)


async def assert_gone_on_with(server: Server, folder: Path, *, at_least: int) -> None:
    safe = claimed(folder)
    assert at_least <= safe < FILE.size
    async with Engine(config(server, folder)) as engine:
        file = await download(engine, server.url("/file.bin"))
        received = engine.snapshot().received
    assert_whole(file, "file.bin")
    if server.kind.ranges:
        missing = FILE.size - safe
        assert missing <= received <= missing + AGAIN


@pytest.mark.parametrize("server", DIRECT, ids=_named, indirect=True)
async def test_what_changed_meanwhile_is_begun_anew(
    server: Server, root: Path, tmp_path: Path
) -> None:
    """Another file of that size under that name, between two runs: nothing is mixed."""
    put(root / "moving.bin", FILE, MODIFIED)
    await half(server, tmp_path, "/moving.bin")
    put(root / "moving.bin", NEW, MODIFIED + 60)
    async with Engine(config(server, tmp_path)) as engine:
        file = await download(engine, server.url("/moving.bin"))
    assert sha256(file.data).hexdigest() == NEW.digest()
    assert (tmp_path / file.name).stat().st_mtime == MODIFIED + 60


@pytest.mark.parametrize("name", NAMES)
async def test_every_name_is_kept(server: Server, tmp_path: Path, name: str) -> None:
    """Spaces, other alphabets and percent signs in URLs are the file's own name."""
    fetch = Fetch(tmp_path, is_stream=False)
    file = await fetch(server.url(f"/{quote(name)}"), cacert=server.cacert)
    assert_whole(file, name)


async def test_an_empty_file_is_a_file(fetch: Fetch, server: Server) -> None:
    """It is no part of itself: 416, 200 of no length, or whatever is said of it."""
    file = await fetch(server.url("/empty.bin"), cacert=server.cacert)
    assert_whole(file, "empty.bin")


async def test_what_could_be_compressed_is_not(fetch: Fetch, server: Server) -> None:
    """A server that is keen to compress is asked for the bytes as they are."""
    if server.kind.compresses:
        assert await asyncio.to_thread(_coding, server) == "gzip"
    file = await fetch(server.url("/song.txt"), cacert=server.cacert)
    assert_whole(file, "song.txt")


def _coding(server: Server) -> str:
    """What a client that takes gzip is given."""
    keen = {"Accept-Encoding": "gzip"}
    request = urllib.request.Request(server.url("/song.txt"), headers=keen)
    trusting = ssl.create_default_context(cafile=server.cacert)
    with urllib.request.urlopen(request, context=trusting, timeout=PATIENCE) as answer:
        return str(answer.headers["Content-Encoding"])


@pytest.mark.parametrize("server", WIDEST, ids=_named, indirect=True)
async def test_a_manifest_is_found(server: Server, tmp_path: Path) -> None:
    """Where nothing is set, and no browser's looks are borrowed, it is verified."""
    plain = Config(output=tmp_path, cacert=server.cacert, browser=None)
    async with Engine(plain) as engine:
        done = await engine.wait(engine.add(JobSpec(server.url("/file.bin"))))
    assert done.verdict == "verified (sha256, from SHA256SUMS)"


@pytest.mark.parametrize("server", WIDEST, ids=_named, indirect=True)
async def test_the_program_streams_it(server: Server) -> None:
    """The program as it is, asked for a stream: on stdout there is the file."""
    where = ("--cacert", str(server.cacert), server.url("/file.bin?program"))
    ran = await run("--stream", "--quiet", *where)
    assert (ran.code, ran.err) == (0, "")
    assert sha256(ran.out).hexdigest() == FILE.digest()
    answered = await logged(server, "/file.bin?program", connections=1)
    assert {answer.protocol for answer in answered} == {server.door.protocol}


# -- what only some can do


@pytest.mark.parametrize("door", HAPROXY.doors)
async def test_a_node_may_go_down(root: Path, tmp_path: Path, door: Door) -> None:
    """One of two nodes behind a balancer ends in the middle; the other is enough."""
    _need(HAPROXY, APACHE)
    url = f"/file.bin?{door}"
    with ExitStack() as doomed, ExitStack() as lasting:
        nodes = [stack.enter_context(node(root)) for stack in (doomed, lasting)]
        server = lasting.enter_context(serving(before(*nodes), door, root))
        async with Engine(config(server, tmp_path, limit=SLOW)) as engine:
            job = engine.add(JobSpec(server.url(url)))
            await until(lambda: engine.snapshot().jobs[0].done > MIB)
            assert all([await logged(each, url, connections=1) for each in nodes])
            await asyncio.to_thread(doomed.close)
            done = await engine.wait(job)
        assert_whole(File(done.name, (tmp_path / done.name).read_bytes()), "file.bin")


async def test_plain_http_is_not_to_become_http_2(fetch: Fetch) -> None:
    """No browser asks to go on in HTTP/2 where there is no TLS; some servers balk."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        await fetch(origin.url("/file"))
    for request in origin.requests:
        assert not {"upgrade", "http2-settings"} & set(request.headers)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_versions(kind: Kind) -> None:
    """Which servers these are is known: `pytest -rP` shows it."""
    _need(kind)
    version = kind.told_version()
    sys.stdout.write(f"{kind.name} {version}\n")
    assert version
