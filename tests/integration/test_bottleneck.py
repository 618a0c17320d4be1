"""What limits a job is named in one word, and the word can be relied on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engine import Bottleneck, ByteRange, Config, Engine, JobSpec, ReaderGoneError
from engine.disk import Disk
from engine.model import Block
from engine.testing import (
    Content,
    Crawl,
    Fault,
    Origin,
    Request,
    Resource,
    Script,
    Stall,
    Status,
)
from tests.integration.support import KIB, MIB, until

pytestmark = pytest.mark.slow

LARGE = Content(256 * MIB, seed=41)
"""Nobody is done with it before a test is."""
STEADY = 1.2
"""Seconds in which the word must not change: twelve looks."""
MUD = ByteRange(MIB + 7, 2 * MIB)
"""Where whoever comes there is slow."""


def word(engine: Engine) -> Bottleneck:
    return engine.snapshot().jobs[0].bottleneck


async def is_named(engine: Engine, expected: Bottleneck) -> None:
    """Wait for a word, and see that it stays."""
    await until(lambda: word(engine) is expected)
    seen, end = [expected], time.monotonic() + STEADY

    def looked() -> bool:
        seen.append(word(engine))
        return time.monotonic() > end

    await until(looked)
    assert set(seen) == {expected}


@asynccontextmanager
async def fetching(
    origin: Origin, directory: Path, *, is_stream: bool = False, **settings: Any
) -> AsyncIterator[Engine]:
    """An engine with one job: to disk, or to a reader who is quick."""
    config = Config(output=directory, **({"threads": 4, "buffer": 8 * MIB} | settings))
    async with Engine(config) as engine, asyncio.TaskGroup() as group:
        if is_stream:
            reading = group.create_task(swallow(engine, origin.url("/")))
        else:
            reading = None
            engine.add(JobSpec(origin.url("/")))
        await until(lambda: engine.snapshot().received)
        yield engine
        if reading is not None:
            reading.cancel()


async def swallow(engine: Engine, url: str) -> None:
    async with engine.stream([url]) as files:
        async for _, blocks in files:
            async for _ in blocks:
                pass


both = pytest.mark.parametrize("is_stream", [False, True], ids=["disk", "stream"])


@both
async def test_a_limit(tmp_path: Path, *, is_stream: bool) -> None:
    """While a limit of ours binds it is the throttle, and no longer."""
    async with (
        Origin({"/": Resource(LARGE, rate=5e6)}) as origin,
        fetching(origin, tmp_path, is_stream=is_stream, limit=4e6) as engine,
    ):
        await is_named(engine, Bottleneck.THROTTLE)
        engine.set_limit(None)
        await is_named(engine, Bottleneck.NETWORK)


@both
async def test_connections_that_bring_what_they_bring(
    tmp_path: Path, *, is_stream: bool
) -> None:
    """Where each lane has its rate, and nothing of ours is in the way, it is the network."""
    async with (
        Origin({"/": Resource(LARGE, rate=3e6)}) as origin,
        fetching(origin, tmp_path, is_stream=is_stream) as engine,
    ):
        await is_named(engine, Bottleneck.NETWORK)


@both
async def test_a_limit_that_does_not_bind(tmp_path: Path, *, is_stream: bool) -> None:
    """A limit above what the network brings limits nobody."""
    async with (
        Origin({"/": Resource(LARGE, rate=1e6)}) as origin,
        fetching(origin, tmp_path, is_stream=is_stream, limit=20e6) as engine,
    ):
        await is_named(engine, Bottleneck.NETWORK)


# -- the reader ------------------------------------------------------------------


async def test_a_reader_who_has_stopped() -> None:
    """All that may be fetched is here, and nobody takes it."""
    async with (
        Origin({"/": Resource(LARGE)}) as origin,
        Engine(Config(threads=4, buffer=8 * MIB)) as engine,
        engine.stream([origin.url("/")]) as files,
    ):
        _, blocks = await anext(files)
        await anext(blocks)
        await is_named(engine, Bottleneck.READER)


@pytest.mark.parametrize("threads", [1, 8])
async def test_a_pipe_that_is_read_slowly(threads: int) -> None:
    """Whoever is behind the pipe takes a little at a time: lanes come and go."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    async with (
        Origin({"/": Resource(LARGE)}) as origin,
        Engine(Config(threads=threads, buffer=8 * MIB)) as engine,
        asyncio.TaskGroup() as group,
    ):
        piping = group.create_task(pour(engine, origin.url("/"), write))
        sipping = group.create_task(sip(read))
        await until(lambda: engine.snapshot().jobs)
        await is_named(engine, Bottleneck.READER)
        sipping.cancel()
        os.close(read)
        await piping
        os.close(write)


async def pour(engine: Engine, url: str, fd: int) -> None:
    with suppress(ReaderGoneError):
        await engine.pipe([url], fd)


async def sip(fd: int) -> None:
    """Some 6 MB a second."""
    while True:
        with suppress(BlockingIOError):
            os.read(fd, 64 * KIB)
        await asyncio.sleep(0.01)


async def test_the_end_of_a_stream_that_nobody_reads() -> None:
    """When everything has come it still is the reader that keeps a job from its end."""
    async with (
        Origin({"/": Resource(Content(2 * MIB))}) as origin,
        Engine(Config(threads=2)) as engine,
        engine.stream([origin.url("/")]) as files,
    ):
        await anext(files)
        await until(lambda: not engine.snapshot().flying)
        await is_named(engine, Bottleneck.READER)


# -- the head of the line --------------------------------------------------------


def crawl(request: Request) -> Fault | None:
    """Whoever comes into the mud is slow from there on."""
    part = request.range
    if part is None or part.start >= MUD.stop or part.stop <= MUD.start:
        return None
    return Crawl(20e3, after=max(0, MUD.start - part.start))


async def test_one_lane_that_crawls_in_front_of_all_others(tmp_path: Path) -> None:
    """All else has come that there is room for, and the reader waits for one lane."""
    async with (
        Origin({"/": Resource(LARGE, script=crawl)}) as origin,
        fetching(origin, tmp_path, is_stream=True) as engine,
    ):
        await is_named(engine, Bottleneck.HEAD)
        seen = engine.snapshot(detail=1).jobs[0].front
        assert seen is not None
        assert seen.hole_lane is not None


async def test_on_disk_nobody_waits_for_the_head(tmp_path: Path) -> None:
    """The same lane holds up nobody else there."""
    resource = Resource(LARGE, script=crawl, rate=2e6)
    async with (
        Origin({"/": resource}) as origin,
        fetching(origin, tmp_path) as engine,
    ):
        await is_named(engine, Bottleneck.NETWORK)


# -- the server ------------------------------------------------------------------


@both
async def test_a_server_that_wants_few_connections(
    tmp_path: Path, *, is_stream: bool
) -> None:
    """More lanes would bring more, and are turned away."""
    resource = Resource(LARGE, rate=1e6)
    async with (
        Origin({"/": resource}, max_connections=2, refusal=Status(429)) as origin,
        fetching(origin, tmp_path, is_stream=is_stream, threads=8) as engine,
    ):
        await is_named(engine, Bottleneck.SERVER)


async def test_a_server_that_asks_to_be_left_alone(tmp_path: Path) -> None:
    """Until Retry-After is over nobody may ask, and what flew has landed."""
    script: Script = (Crawl(1e6), *[Status(503, retry_after=60)] * 30)
    async with (
        Origin({"/": Resource(LARGE, script=script)}) as origin,
        fetching(origin, tmp_path) as engine,
    ):
        await is_named(engine, Bottleneck.SERVER)


@both
async def test_a_server_that_takes_its_time(tmp_path: Path, *, is_stream: bool) -> None:
    """Most of the time most lanes wait for a first byte."""
    async with (
        Origin({"/": Resource(LARGE, latency=2.5)}) as origin,
        fetching(origin, tmp_path, is_stream=is_stream, buffer=64 * MIB) as engine,
    ):
        await is_named(engine, Bottleneck.SERVER)


async def test_a_server_that_is_a_long_way_off(tmp_path: Path) -> None:
    """A first byte after a fifth of a second is distance: that is the network."""
    async with (
        Origin({"/": Resource(LARGE, latency=0.2, rate=2e6)}) as origin,
        fetching(origin, tmp_path) as engine,
    ):
        await is_named(engine, Bottleneck.NETWORK)


async def test_an_outage(tmp_path: Path) -> None:
    """Where nobody hears anything any more it is not the server that is slow.

    For the first moment nobody can tell.
    """

    def silence(request: Request) -> Fault | None:
        return Stall() if request.number > 5 else None

    async with (
        Origin({"/": Resource(LARGE, script=silence)}) as origin,
        fetching(origin, tmp_path) as engine,
    ):
        await until(lambda: word(engine) is Bottleneck.SERVER)
        await is_named(engine, Bottleneck.NETWORK)


# -- the disk --------------------------------------------------------------------


class SlowDisk(Disk):
    """A disk that writes what it is given, at 10 MB a second: a memory card."""

    def move(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        return super().move(self._slowly, function, *args)

    def _slowly(self, function: Callable[..., Any], block: Block) -> None:
        function(block)
        time.sleep(block.size / 10e6)


@pytest.mark.parametrize("threads", [1, 8])
async def test_a_slow_disk(tmp_path: Path, threads: int) -> None:
    """Lanes have bytes, and wait until the disk has taken them."""
    async with (
        Origin({"/": Resource(LARGE)}) as origin,
        Engine(Config(output=tmp_path, threads=threads)) as engine,
    ):
        engine._commons.disk = SlowDisk()
        engine.add(JobSpec(origin.url("/")))
        await is_named(engine, Bottleneck.DISK)
