"""Digests that follow a real file while it is written."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.disk import Disk
from engine.errors import IntegrityError, LocalError
from engine.files import FileSink
from engine.journal import Link
from engine.model import Block, Digest, Promise, RemoteFile
from engine.places import Places
from engine.plan import Plan, Segment
from engine.verify import Verifier

STRIDE = 1000
FILE = bytes(n * 7 % 256 for n in range(4300))
SHA256 = Digest("sha256", hashlib.sha256(FILE).hexdigest())
TYPED = Promise(SHA256, "--checksum")
URL = "https://example.org/file"
REMOTE = RemoteFile(url=URL, size=None, ranges=True, name="file")


class Pool(ThreadPoolExecutor):
    """One thread that hashes.

    `asked` has a permit for each step it was given, `steps` for each it has made.
    """

    def __init__(self) -> None:
        super().__init__(1)
        self.asked = asyncio.Semaphore(0)
        self.steps = asyncio.Semaphore(0)
        self._loop = asyncio.get_running_loop()

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        self.asked.release()
        step = super().submit(fn, *args, **kwargs)
        step.add_done_callback(
            lambda _: self._loop.call_soon_threadsafe(self.steps.release)
        )
        return step


class Download:
    """A file of unknown length on its way to disk, by one lane."""

    def __init__(self, sink: FileSink) -> None:
        self.sink = sink
        self.plan = Plan(None)
        segment = self.plan.lease(0, 1 << 40)
        assert segment is not None
        self.segment: Segment = segment

    async def receive(self, data: bytes) -> None:
        part = self.plan.claim(self.segment, len(data))
        assert part is not None
        await self.sink.write(Block(part.start, (data,), len(data)))
        self.plan.land(self.segment, part)


@pytest.fixture(autouse=True)
def stride(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are enough where strides are small, and each is a step."""
    monkeypatch.setattr("engine.verify.STRIDE", STRIDE)
    monkeypatch.setattr("engine.follower.STRIDE", STRIDE)
    monkeypatch.setattr("engine.follower.LEG", STRIDE)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    with Pool() as pool:
        yield pool


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


@pytest.fixture
async def download(tmp_path: Path, disk: Disk) -> AsyncIterator[Download]:
    sink = FileSink(tmp_path, Link.of(URL), Places(), disk)
    assert await sink.open("file", REMOTE, None, None) == ""
    yield Download(sink)
    await sink.close()


def hashed(verifier: Verifier, algorithm: str = "sha256") -> int:
    """How far it is with one of the digests that are promised."""
    levels = {level.algorithm: level.hashed for level in verifier.snapshots()}
    return levels[algorithm]


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def blocks(*cuts: int) -> list[Block]:
    edges = [0, *cuts, len(FILE)]
    return [
        Block(start, (FILE[start:stop],), stop - start)
        for start, stop in pairwise(edges)
    ]


# -- a stream ----------------------------------------------------------------


async def test_a_stream_is_hashed_batch_by_batch(pool: Pool) -> None:
    """Blocks that are next in order are hashed as they are handed out."""
    verifier = Verifier(pool, [TYPED])
    first, second, third = blocks(100, 2000)
    await verifier.feed([first, second])
    assert hashed(verifier) == 2000
    await verifier.feed([third])
    assert verifier.compare() == "verified (sha256, from --checksum)"


async def test_other_bytes_are_told(pool: Pool) -> None:
    """The message has the algorithm, what came, and what should have come."""
    verifier = Verifier(pool, [TYPED])
    await verifier.feed(blocks(100)[:1])
    actual = hashlib.sha256(FILE[:100]).hexdigest()
    with pytest.raises(IntegrityError) as raised:
        verifier.compare()
    said = f"sha256 is {actual}, expected {SHA256.hex} (from --checksum)"
    assert str(raised.value) == said


async def test_the_screen_sees_how_far_it_is(pool: Pool) -> None:
    """A snapshot has what was hashed and expected, and in the end the digest."""
    verifier = Verifier(pool, [TYPED])
    await verifier.feed(blocks(100)[:1])
    (level,) = verifier.snapshots()
    assert (level.algorithm, level.hashed, level.expected, level.actual) == (
        *("sha256", 100),
        *(SHA256.hex, None),
    )
    await verifier.feed(blocks(100)[1:])
    verifier.compare()
    assert verifier.snapshots()[0].actual == SHA256.hex


async def test_what_is_expected_can_be_asked(pool: Pool) -> None:
    """Whoever finds a file already here can compare it with what is expected."""
    assert Verifier(pool, [TYPED]).promises == (TYPED,)


# -- a file ------------------------------------------------------------------


async def test_a_file_is_hashed_to_its_end(pool: Pool, download: Download) -> None:
    """Without a follower the whole file is read when it is here."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(FILE)
    download.plan.end(len(FILE))
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256, from --checksum)"
    assert hashed(verifier) == len(FILE)


async def test_a_broken_file_is_told(pool: Pool, download: Download) -> None:
    """One wrong byte is another digest."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(FILE[:-1] + b"?")
    with pytest.raises(IntegrityError, match="sha256 is "):
        await verifier.conclude(download.sink, download.plan)


async def test_a_file_that_somebody_shortened_is_told(
    pool: Pool, download: Download
) -> None:
    """What was written and is not there any more ends the job, not the patience."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(FILE)
    os.truncate(download.sink.part, 1000)
    with pytest.raises(LocalError, match="somebody has shortened it"):
        await verifier.conclude(download.sink, download.plan)


async def test_the_hash_follows_the_front(pool: Pool, download: Download) -> None:
    """Whole strides before the front are hashed, and nothing at or beyond it."""
    verifier = Verifier(pool, [TYPED])
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await download.receive(FILE[:999])
        verifier.nudge()
        await settle()
        assert hashed(verifier) == 0
        await download.receive(FILE[999:2500])
        verifier.nudge()
        for _ in range(2):
            await pool.steps.acquire()
        await settle()
        assert hashed(verifier) == 2000
        await download.receive(FILE[2500:])
        verifier.nudge()
        for _ in range(2):
            await pool.steps.acquire()
        assert hashed(verifier) == 4000
        await cancel(following)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict.startswith("verified")


async def test_what_was_received_before_it_is_hashed_too(
    pool: Pool, download: Download
) -> None:
    """A follower that begins late catches up without being told."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(FILE)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        for _ in range(4):
            await pool.steps.acquire()
        await cancel(following)
    assert hashed(verifier) == 4000


async def test_what_an_earlier_run_left_is_hashed_too(
    pool: Pool, download: Download
) -> None:
    """A file that is gone on with is hashed from its first byte."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(FILE[:2500])
    download.plan = plan = Plan(len(FILE), download.plan.done)
    segment = plan.lease_rest(0)
    assert segment is not None
    download.segment = segment
    await download.receive(FILE[2500:])
    assert (await verifier.conclude(download.sink, plan)).startswith("verified")


async def test_a_step_that_runs_when_it_is_cancelled_counts(
    pool: Pool, download: Download
) -> None:
    """A pause in the middle of a step neither loses nor repeats its bytes."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(FILE)
    gate = threading.Event()
    pool.submit(gate.wait)
    await pool.asked.acquire()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await pool.asked.acquire()
        await cancel(following)
        concluding = group.create_task(verifier.conclude(download.sink, download.plan))
        await settle()
        gate.set()
    assert concluding.result().startswith("verified")
    assert hashed(verifier) == len(FILE)


async def test_a_file_is_not_closed_while_it_is_read(
    pool: Pool, download: Download
) -> None:
    """Settling waits for the step that runs, and there need not be one."""
    verifier = Verifier(pool, [TYPED])
    await verifier.settle()
    await download.receive(FILE)
    gate = threading.Event()
    pool.submit(gate.wait)
    await pool.asked.acquire()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await pool.asked.acquire()
        await cancel(following)
        settling = group.create_task(verifier.settle())
        await settle()
        assert not settling.done()
        gate.set()
    assert hashed(verifier) == STRIDE


async def test_a_restart_begins_the_hash_again(pool: Pool, download: Download) -> None:
    """When what landed is not to be trusted, neither is what was hashed of it."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(bytes(3000))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        for _ in range(3):
            await pool.steps.acquire()
        download.plan.restart(download.segment)
        verifier.nudge()
        await settle()
        assert hashed(verifier) == 0
        await download.receive(FILE)
        verifier.nudge()
        for _ in range(4):
            await pool.steps.acquire()
        await cancel(following)
    download.plan.end(len(FILE))
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict.startswith("verified")
