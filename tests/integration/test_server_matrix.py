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
from engine.testing import Content
from tests.integration.support import (
    KIB,
    MIB,
    PATIENCE,
    SMALL_STEPS,
    Fetch,
    File,
    download,
    hydra,
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
    **{name: Content(64 * KIB + at, seed=at) for at, name in enumerate(NAMES)},
}
MODIFIED = 1_234_567_890
"""Seconds since the epoch, for every file: long ago."""
LANES: int = SMALL_STEPS["threads"]
QUICK = 40e6
"""Bytes per second, all lanes together: each has time to take its part."""
SLOW = 8e6
"""Bytes per second, all lanes together: time enough to end it in the middle."""
SLOWER = "2M"
"""For a process that is killed once it has written something down, after a second."""

Cell = tuple[Kind, Door]
CELLS = [(kind, door) for kind in KINDS for door in kind.doors]
WIDEST = [(kind, list(kind.doors)[-1]) for kind in KINDS]
"""Each kind once, with the most that it speaks."""


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
            (made / name).write_bytes(content.read())
            os.utime(made / name, (MODIFIED, MODIFIED))
        yield made


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
    """To disk and as a stream: the same bytes, and every lane a connection."""
    target = f"/file.bin?{'stream' if fetch.is_stream else 'disk'}"
    file = await fetch(server.url(target), cacert=server.cacert, limit=QUICK)
    assert_whole(file, "file.bin")
    lanes = LANES if server.kind.ranges else 1
    answered = await logged(server, target, connections=lanes)
    assert {answer.protocol for answer in answered} == {server.door.protocol}
    whole = [answer for answer in answered if answer.status == 200]
    if not server.kind.ranges:
        assert answered == whole
        assert len(whole) == 1
    else:
        assert len(whole) <= (LANES if server.kind.name == HAPROXY.name else 0)
        assert {answer.status for answer in answered} <= {200, 206}


async def test_it_keeps_its_date(server: Server, tmp_path: Path) -> None:
    """Last-Modified becomes the date of the file."""
    fetch = Fetch(tmp_path, is_stream=False)
    await fetch(server.url("/file.bin"), cacert=server.cacert)
    assert (tmp_path / "file.bin").stat().st_mtime == MODIFIED


async def test_what_was_ended_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    """An engine that is closed in the middle leaves the next one only the rest."""
    url = server.url("/file.bin")
    async with Engine(config(server, tmp_path, limit=SLOW)) as engine:
        engine.add(JobSpec(url))
        await until(lambda: engine.snapshot().jobs[0].done > MIB)
    await assert_gone_on_with(server, tmp_path, at_least=MIB)


@pytest.mark.slow
@pytest.mark.parametrize("server", WIDEST, ids=_named, indirect=True)
async def test_what_was_killed_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    """A process that is killed in the middle leaves only what it had not yet synced."""
    settings = ("-N", "-t", "4", "--min-chunk-mb", "0.0625", "--limit", SLOWER)
    where = ("-o", str(tmp_path), "--cacert", str(server.cacert))
    with hydra("--no-ui", "-q", *settings, *where, server.url("/file.bin")) as child:
        try:
            await until(lambda: claimed(tmp_path))
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
        assert received <= FILE.size - safe + MIB // 4


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


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_versions(kind: Kind) -> None:
    """Which servers these are is known: `pytest -rP` shows it."""
    _need(kind)
    version = kind.told_version()
    sys.stdout.write(f"{kind.name} {version}\n")
    assert version
