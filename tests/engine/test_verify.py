"""Digests that follow a real file while it is written."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, strategies as st

from engine.already import Wanted
from engine.disk import Disk
from engine.errors import BadPieces, IntegrityError, LocalError
from engine.files import FileSink
from engine.follower import DigestFollower
from engine.journal import Link
from engine.model import Block, Digest, Pieces, PiecesSnapshot, Promise, RemoteFile
from engine.places import Places
from engine.plan import Plan, Segment
from engine.ranges import ByteRange
from engine.verify import Verifier

STRIDE = 1000
FILE = bytes(n * 7 % 256 for n in range(4300))
SHA256 = Digest("sha256", hashlib.sha256(FILE).hexdigest())
MD5 = Digest("md5", hashlib.md5(FILE).hexdigest())
OTHER = Digest("md5", "0" * 32)
TYPED = Promise(SHA256, "--checksum")
PIECE = 1500
PIECES = Pieces(
    PIECE,
    "sha1",
    tuple(
        hashlib.sha1(FILE[at : at + PIECE]).hexdigest()
        for at in range(0, len(FILE), PIECE)
    ),
)
FIRST, SECOND, LAST = ByteRange(0, 1500), ByteRange(1500, 3000), ByteRange(3000, 4300)
URL = "https://example.org/file"
REMOTE = RemoteFile(url=URL, size=None, ranges=True, name="file")


class Pool(ThreadPoolExecutor):
    """Threads that hash; one of them, where nothing else is asked for.

    `asked` has a permit for each step it was given, `steps` for each it has made.
    """

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads)
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


class Held(Pool):
    """One thread for pieces, and one for a digest, which waits at a gate."""

    def __init__(self) -> None:
        super().__init__(2)
        self.gate = threading.Event()

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        def wait() -> Any:
            self.gate.wait()
            return fn(*args, **kwargs)

        is_digest = isinstance(getattr(fn, "__self__", None), DigestFollower)
        return super().submit(wait) if is_digest else super().submit(fn, *args)


class Meeting(ThreadPoolExecutor):
    """Threads that go on only when all of them have work."""

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        def meet() -> Any:
            self._all_here.wait(10)
            return fn(*args, **kwargs)

        return super().submit(meet)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._all_here = threading.Barrier(threads)


class Download:
    """A file on its way to disk, by one lane; its length is unknown at first."""

    def __init__(self, sink: FileSink, size: int | None = None) -> None:
        self.sink = sink
        self.begin(size)

    def begin(self, size: int | None) -> None:
        """With a plan for all of a file."""
        self.plan = Plan(size)
        self.ask()

    def ask(self) -> None:
        """For the lowest bytes that nobody has asked for."""
        segment = self.plan.lease(0, 1 << 40)
        assert segment is not None
        self.segment: Segment = segment

    async def receive(self, data: bytes) -> None:
        part = self.plan.claim(self.segment, len(data))
        assert part is not None
        await self.sink.write(Block(part.start, (data,), len(data)))
        self.plan.land(self.segment, part)
        if not self.segment.remaining:
            self.plan.release(self.segment)

    async def repair(self) -> None:
        """Fetch what was given back."""
        self.ask()
        await self.receive(FILE[self.segment.start : self.segment.stop])


class Complaints:
    """Hears of bad pieces, and gives them back to the plan."""

    def __init__(self, verifier: Verifier, plan: Plan) -> None:
        self.parts: list[ByteRange] = []
        self.heard = asyncio.Event()
        self._plan = plan
        verifier.on_bad = self._hear

    def _hear(self, part: ByteRange) -> None:
        self.parts.append(part)
        self._plan.reject(part)
        self.heard.set()


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
    assert await sink.open("file", Wanted(remote=REMOTE)) == ""
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


def damaged(part: ByteRange) -> bytes:
    """The file, with one byte of a part wrong."""
    at = part.start + part.size // 2
    return FILE[:at] + bytes([FILE[at] ^ 1]) + FILE[at + 1 :]


def checked(verifier: Verifier) -> tuple[int, int]:
    """How many pieces were found right, and how often one was wrong."""
    level = verifier.pieces_snapshot()
    assert level is not None
    return level.checked, level.bad


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


# -- several promises ----------------------------------------------------------


async def test_every_promise_of_an_origin_is_compared(pool: Pool) -> None:
    """The verdict names each algorithm, and who promised."""
    promises = [Promise(SHA256, "x-goog-hash"), Promise(MD5, "x-goog-hash")]
    verifier = Verifier(pool, promises)
    await verifier.feed(blocks())
    assert verifier.compare() == "verified (sha256 and md5, from x-goog-hash)"
    actual = {level.algorithm: level.actual for level in verifier.snapshots()}
    assert actual == {"sha256": SHA256.hex, "md5": MD5.hex}


async def test_origins_that_differ_are_both_named(pool: Pool) -> None:
    """Promises that came together may come from two places, for one algorithm too."""
    promises = [TYPED, Promise(SHA256, "Repr-Digest"), Promise(MD5, "--checksum")]
    verifier = Verifier(pool, promises)
    await verifier.feed(blocks())
    verdict = "verified (sha256 and md5, from --checksum and Repr-Digest)"
    assert verifier.compare() == verdict
    origins = [(level.algorithm, level.origin) for level in verifier.snapshots()]
    assert origins == [("sha256", "--checksum and Repr-Digest"), ("md5", "--checksum")]


async def test_one_broken_promise_is_enough(pool: Pool) -> None:
    """Every promised digest has to be right; the error names the one that is not."""
    verifier = Verifier(pool, [TYPED, Promise(OTHER, "MD5SUMS")])
    await verifier.feed(blocks())
    with pytest.raises(IntegrityError) as raised:
        verifier.compare()
    said = f"md5 is {MD5.hex}, expected {OTHER.hex} (from MD5SUMS)"
    assert str(raised.value) == said


async def test_the_first_origin_that_promises_decides(pool: Pool) -> None:
    """What others say later is not asked for, and no promise at all is none."""
    verifier = Verifier(pool)
    verifier.expect([])
    verifier.expect([TYPED])
    verifier.expect([Promise(OTHER, "MD5SUMS")])
    assert verifier.promises == (TYPED,)
    await verifier.feed(blocks())
    assert verifier.compare() == "verified (sha256, from --checksum)"


async def test_what_nobody_promised_is_not_hashed(pool: Pool) -> None:
    """Without a promise there is no verdict, and no thread has work."""
    verifier = Verifier(pool)
    assert not verifier.is_wanted
    await verifier.feed(blocks())
    assert verifier.compare() == ""
    assert verifier.snapshots() == ()
    assert pool.asked.locked()


async def test_digests_of_a_stream_are_computed_at_the_same_time() -> None:
    """Each algorithm has a thread of its own, for as many as there are."""
    with Meeting(2) as pool:
        verifier = Verifier(pool, [TYPED, Promise(MD5, "--checksum")])
        await verifier.feed(blocks())
        assert verifier.compare().startswith("verified")


# -- a stream that is promised something late ------------------------------------


async def test_a_stream_is_hashed_for_what_may_yet_be_promised(pool: Pool) -> None:
    """What was speculated from the first byte can be compared; the rest is dropped."""
    verifier = Verifier(pool)
    verifier.speculate(["sha256", "md5"])
    assert verifier.is_wanted
    assert verifier.snapshots() == ()
    first, second = blocks(100)
    await verifier.feed([first])
    assert [await pool.asked.acquire() for _ in range(2)]
    verifier.expect([Promise(SHA256, "SHA256SUMS")])
    await verifier.feed([second])
    assert await pool.asked.acquire()
    assert pool.asked.locked()
    assert verifier.compare() == "verified (sha256, from SHA256SUMS)"


async def test_a_stream_that_is_promised_nothing_is_hashed_no_more(pool: Pool) -> None:
    """When nothing more can be found, what was speculated is given up."""
    verifier = Verifier(pool)
    verifier.speculate(["sha256"])
    verifier.settle_for()
    assert not verifier.is_wanted
    await verifier.feed(blocks())
    assert verifier.compare() == ""


async def test_what_is_promised_is_hashed_to_the_end(pool: Pool) -> None:
    """Where something is promised nothing is speculated, and settling takes nothing."""
    verifier = Verifier(pool, [TYPED])
    verifier.settle_for()
    verifier.speculate(["md5"])
    await verifier.feed(blocks())
    assert await pool.asked.acquire()
    assert pool.asked.locked()
    assert verifier.compare().startswith("verified (sha256,")


async def test_a_promise_that_comes_too_late_for_a_stream_is_none(pool: Pool) -> None:
    """An algorithm that did not see the first byte cannot be compared."""
    verifier = Verifier(pool)
    first, second = blocks(100)
    await verifier.feed([first])
    verifier.speculate(["md5"])
    verifier.expect([TYPED, Promise(OTHER, "--checksum")])
    await verifier.feed([second])
    assert (verifier.promises, verifier.is_wanted) == ((), False)
    assert verifier.compare() == ""


async def test_of_late_promises_those_are_compared_that_can_be(pool: Pool) -> None:
    """One of an origin's algorithms was speculated: that one decides."""
    verifier = Verifier(pool)
    verifier.speculate(["sha256"])
    first, second = blocks(100)
    await verifier.feed([first])
    verifier.expect([Promise(OTHER, "Digest"), Promise(SHA256, "Digest")])
    await verifier.feed([second])
    assert verifier.compare() == "verified (sha256, from Digest)"


async def test_a_stream_that_passed_unseen_is_not_compared(pool: Pool) -> None:
    """Whoever asks for the hash when the first bytes are gone gets no wrong one."""
    verifier = Verifier(pool)
    _unseen, second = blocks(100)
    verifier.expect([TYPED])
    await verifier.feed([second])
    assert verifier.compare() == ""


async def test_the_hashing_of_a_batch_may_be_given_up() -> None:
    """Who waits for several digests may be cancelled; the threads just end."""
    with Pool(2) as pool:
        verifier = Verifier(pool, [TYPED, Promise(MD5, "--checksum")])
        gate = threading.Event()
        for _ in range(2):
            pool.submit(gate.wait)
        hashing = verifier.feed(blocks())
        hashing.cancel()
        gate.set()
        for _ in range(4):
            await pool.steps.acquire()
        await settle()
        assert hashing.cancelled()
        assert hashed(verifier, "md5") == len(FILE)


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


async def test_a_restart_forgets_what_became_of_a_step(
    pool: Pool, download: Download
) -> None:
    """What a thread found in bytes that were given up is nobody's error."""
    verifier = Verifier(pool, [TYPED])
    await download.receive(bytes(3000))
    gate = threading.Event()
    pool.submit(gate.wait)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        for _ in range(2):
            await pool.asked.acquire()
        os.truncate(download.sink.part, 0)
        download.plan.restart(download.segment)
        gate.set()
        for _ in range(2):
            await pool.steps.acquire()
        await settle()
        await download.receive(FILE)
        verifier.nudge()
        for _ in range(4):
            await pool.steps.acquire()
        await cancel(following)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict.startswith("verified")


async def test_a_step_that_fails_unseen_is_no_surprise(
    pool: Pool, download: Download
) -> None:
    """When whoever waited for it is gone, its error goes with it."""
    verifier = Verifier(pool, [TYPED])
    surprises: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: surprises.append(context))
    await download.receive(FILE)
    os.truncate(download.sink.part, 0)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await pool.asked.acquire()
        await cancel(following)
    await verifier.settle()
    del verifier, following
    gc.collect()
    assert not surprises


# -- a file that is promised something late ----------------------------------


async def test_a_late_promise_reads_the_file_from_its_beginning(
    pool: Pool, download: Download
) -> None:
    """On disk nothing is too late: the follower wakes, and catches up."""
    verifier = Verifier(pool)
    await download.receive(FILE[:2500])
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await settle()
        assert pool.asked.locked()
        verifier.expect([Promise(SHA256, "SHA256SUMS")])
        for _ in range(2):
            await pool.steps.acquire()
        await cancel(following)
    assert hashed(verifier) == 2000
    await download.receive(FILE[2500:])
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256, from SHA256SUMS)"


async def test_what_is_read_already_is_not_read_again(
    pool: Pool, download: Download
) -> None:
    """Each algorithm is at a place of its own; what was speculated keeps its own."""
    verifier = Verifier(pool)
    verifier.speculate(["sha256"])
    await download.receive(FILE)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        for _ in range(4):
            await pool.steps.acquire()
        await settle()
        verifier.expect([Promise(SHA256, "Digest"), Promise(MD5, "Digest")])
        assert (hashed(verifier, "sha256"), hashed(verifier, "md5")) == (4000, 0)
        for _ in range(4):
            await pool.steps.acquire()
        await cancel(following)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256 and md5, from Digest)"
    for _ in range(2):
        await pool.steps.acquire()
    assert pool.steps.locked()


async def test_digests_of_a_file_are_computed_at_the_same_time(
    download: Download,
) -> None:
    """Two algorithms read in two threads, neither waiting for the other."""
    with Meeting(2) as pool:
        verifier = Verifier(pool, [TYPED, Promise(MD5, "--checksum")])
        await download.receive(FILE)
        verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256 and md5, from --checksum)"


async def test_a_file_that_is_promised_nothing_is_not_read(
    pool: Pool, download: Download
) -> None:
    """Without a promise there is no verdict, whatever was speculated."""
    verifier = Verifier(pool)
    verifier.speculate(["sha256"])
    await download.receive(FILE)
    assert await verifier.conclude(download.sink, download.plan) == ""
    assert pool.asked.locked()


async def test_the_screen_sees_how_fast_it_is(pool: Pool, download: Download) -> None:
    """The rate of a digest is that of the bytes it has hashed lately."""
    verifier = Verifier(pool, [TYPED])
    assert verifier.snapshots()[0].rate == 0
    await download.receive(FILE)
    await verifier.conclude(download.sink, download.plan)
    assert verifier.snapshots()[0].rate > 0


# -- pieces --------------------------------------------------------------------


async def test_a_file_is_compared_piece_by_piece(
    pool: Pool, download: Download
) -> None:
    """Where only the pieces are promised, they are the verdict; the last is shorter."""
    verifier = Verifier(pool, pieces=PIECES)
    assert verifier.is_wanted
    download.begin(len(FILE))
    await download.receive(FILE)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (pieces, sha1, from Metalink)"
    assert verifier.pieces_snapshot() == PiecesSnapshot(
        algorithm="sha1", size=PIECE, count=3, checked=3, bad=0
    )


async def test_a_digest_of_the_whole_says_more_than_pieces(
    pool: Pool, download: Download
) -> None:
    """Where both are promised both are compared, and the verdict is the digest's."""
    verifier = Verifier(pool, [TYPED], PIECES)
    download.begin(len(FILE))
    await download.receive(FILE)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256, from --checksum)"
    assert checked(verifier) == (3, 0)
    wrong = Verifier(pool, [Promise(OTHER, "Metalink")], PIECES)
    with pytest.raises(IntegrityError, match="md5 is"):
        await wrong.conclude(download.sink, download.plan)


@pytest.mark.parametrize("part", [FIRST, SECOND, LAST])
async def test_a_bad_piece_never_gets_into_a_digest(
    pool: Pool, download: Download, part: ByteRange
) -> None:
    """Everything stops at its start, and goes on when it has come again."""
    verifier = Verifier(pool, [TYPED], PIECES)
    download.begin(len(FILE))
    complaints = Complaints(verifier, download.plan)
    await download.receive(damaged(part))
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    assert complaints.parts == [part]
    assert hashed(verifier) <= part.start
    assert checked(verifier) == (part.start // PIECE, 1)
    await download.repair()
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256, from --checksum)"
    assert complaints.parts == [part]
    assert checked(verifier) == (3, 1)


@pytest.mark.parametrize("part", [FIRST, SECOND])
async def test_a_bad_piece_is_told_beside_the_transfer(
    pool: Pool, download: Download, part: ByteRange
) -> None:
    """It is fetched again while the rest comes, and told of once."""
    verifier = Verifier(pool, [TYPED], PIECES)
    download.begin(len(FILE))
    complaints = Complaints(verifier, download.plan)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await download.receive(damaged(part)[:4000])
        verifier.nudge()
        await complaints.heard.wait()
        assert download.plan.front == part.start
        verifier.nudge()
        await settle()
        assert hashed(verifier) <= part.start
        rest = download.segment
        await download.repair()
        verifier.nudge()
        download.segment = rest
        await download.receive(FILE[4000:])
        verifier.nudge()
        await settle()
        await cancel(following)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256, from --checksum)"
    assert complaints.parts == [part]


async def test_a_piece_that_is_bad_again_is_told_again(
    pool: Pool, download: Download
) -> None:
    """What came in its place is compared like the first; that may be wrong too."""
    verifier = Verifier(pool, pieces=PIECES)
    download.begin(len(FILE))
    complaints = Complaints(verifier, download.plan)
    await download.receive(damaged(SECOND))
    for _ in range(2):
        with pytest.raises(BadPieces):
            await verifier.conclude(download.sink, download.plan)
        download.ask()
        await download.receive(bytes(SECOND.size))
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    assert complaints.parts == [SECOND] * 3
    await download.repair()
    assert "pieces" in await verifier.conclude(download.sink, download.plan)
    assert checked(verifier) == (3, 3)


async def test_a_file_with_a_hole_is_not_concluded(
    pool: Pool, download: Download
) -> None:
    """What the follower gave back at the last moment is still to come."""
    verifier = Verifier(pool, pieces=PIECES)
    download.begin(len(FILE))
    complaints = Complaints(verifier, download.plan)
    await download.receive(damaged(SECOND))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await complaints.heard.wait()
        await cancel(following)
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    assert complaints.parts == [SECOND]


async def test_a_bad_piece_that_nobody_hears_of_is_an_error(
    pool: Pool, download: Download
) -> None:
    """The error names the piece, what its digest is, and what it should be."""
    verifier = Verifier(pool, [TYPED], PIECES)
    download.begin(len(FILE))
    data = damaged(SECOND)
    await download.receive(data)
    actual = hashlib.sha1(data[1500:3000]).hexdigest()
    with pytest.raises(IntegrityError) as raised:
        await verifier.conclude(download.sink, download.plan)
    assert str(raised.value) == (
        f"piece 2 of 3, at byte 1500: sha1 is {actual}, "
        f"expected {PIECES.hexes[1]} (from Metalink)"
    )


async def test_a_bad_piece_that_is_let_stand_is_an_error(
    pool: Pool, download: Download
) -> None:
    """Who hears of it and keeps it has given up; it is told of once all the same."""
    verifier = Verifier(pool, pieces=PIECES)
    download.begin(len(FILE))
    told: list[ByteRange] = []
    verifier.on_bad = told.append
    await download.receive(damaged(FIRST))
    for _ in range(2):
        with pytest.raises(IntegrityError, match="piece 1 of 3"):
            await verifier.conclude(download.sink, download.plan)
    assert told == [FIRST]


async def test_a_bad_piece_is_told_when_nobody_reads_the_file(
    download: Download,
) -> None:
    """Whoever hears of it may close the file: every other leg has ended before."""
    with Held() as pool:
        verifier = Verifier(pool, [TYPED], PIECES)
        download.begin(len(FILE))
        complaints = Complaints(verifier, download.plan)
        await download.receive(damaged(SECOND))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(verifier.follow(download.sink, download.plan))
            for _ in range(3):
                await pool.steps.acquire()
            await settle()
            assert not complaints.parts
            pool.gate.set()
            await complaints.heard.wait()
            await cancel(task)
    assert complaints.parts == [SECOND]


async def test_a_piece_of_what_was_given_up_is_not_told(download: Download) -> None:
    """A plan that begins again meanwhile has given up the bad bytes with the rest."""
    with Held() as pool:
        verifier = Verifier(pool, [TYPED], PIECES)
        download.begin(len(FILE))
        complaints = Complaints(verifier, download.plan)
        await download.receive(damaged(SECOND))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(verifier.follow(download.sink, download.plan))
            for _ in range(3):
                await pool.steps.acquire()
            await settle()
            download.plan.begin_again_without([SECOND])
            await download.repair()
            pool.gate.set()
            await pool.steps.acquire()
            await settle()
            await cancel(task)
        verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict.startswith("verified (sha256,")
    assert not complaints.parts


async def test_an_error_about_a_piece_waits_until_nobody_reads_the_file(
    download: Download,
) -> None:
    """The file may be set apart as soon as it is raised."""
    with Held() as pool:
        verifier = Verifier(pool, [TYPED], PIECES)
        download.begin(len(FILE))
        await download.receive(damaged(SECOND))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:

            async def conclude() -> None:
                with pytest.raises(IntegrityError, match="piece 2"):
                    await verifier.conclude(download.sink, download.plan)

            task = group.create_task(conclude())
            for _ in range(3):
                await pool.steps.acquire()
            await settle()
            assert not task.done()
            loop.call_soon(pool.gate.set)


async def test_a_bad_piece_does_not_wait_for_a_digest_that_lags(
    pool: Pool, download: Download
) -> None:
    """In the end too it is fetched again at once, wherever the hash is."""
    verifier = Verifier(pool, pieces=PIECES)
    download.begin(len(FILE))
    Complaints(verifier, download.plan)
    await download.receive(damaged(LAST))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        for _ in range(4):
            await pool.steps.acquire()
        await cancel(following)
    verifier.expect([TYPED])
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    assert hashed(verifier) <= 2000


@pytest.mark.parametrize(
    "pieces",
    [
        Pieces(PIECE, "sha1", PIECES.hexes[:2]),
        Pieces(PIECE, "sha1", (*PIECES.hexes, PIECES.hexes[0])),
        Pieces(0, "sha1", PIECES.hexes),
        Pieces(PIECE, "sha1", ()),
    ],
)
async def test_pieces_that_do_not_fit_are_none(
    pool: Pool, download: Download, pieces: Pieces
) -> None:
    """Pieces of a file of another length say nothing about this one."""
    verifier = Verifier(pool, pieces=pieces)
    download.begin(len(FILE))
    await download.receive(FILE)
    assert await verifier.conclude(download.sink, download.plan) == ""
    assert verifier.pieces_snapshot() is None
    assert not verifier.is_wanted


async def test_pieces_wait_until_the_size_is_known(
    pool: Pool, download: Download
) -> None:
    """Until then nothing is hashed that they might object to."""
    verifier = Verifier(pool, [TYPED], PIECES)
    await download.receive(FILE)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(verifier.follow(download.sink, download.plan))
        await settle()
        assert pool.asked.locked()
        assert checked(verifier) == (0, 0)
        download.plan.end(len(FILE))
        verifier.nudge()
        for _ in range(4):
            await pool.steps.acquire()
        await cancel(following)
    assert (await verifier.conclude(download.sink, download.plan)).startswith("ver")
    assert checked(verifier) == (3, 0)


async def test_pieces_of_a_file_without_a_length_are_none(
    pool: Pool, download: Download
) -> None:
    """Where the size is not known in the end, nobody knows which pieces there are."""
    verifier = Verifier(pool, [TYPED], PIECES)
    await download.receive(FILE)
    verdict = await verifier.conclude(download.sink, download.plan)
    assert verdict == "verified (sha256, from --checksum)"
    assert verifier.pieces_snapshot() is None


async def test_a_restart_compares_every_piece_again(
    pool: Pool, download: Download
) -> None:
    """A piece of what was given up says nothing about what came in its place."""
    verifier = Verifier(pool, [TYPED], PIECES)
    download.begin(len(FILE))
    complaints = Complaints(verifier, download.plan)
    await download.receive(FILE)
    await verifier.conclude(download.sink, download.plan)
    download.plan.begin_again_without([LAST])
    download.ask()
    await download.receive(damaged(LAST)[3000:])
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    assert complaints.parts == [LAST]
    await download.repair()
    assert (await verifier.conclude(download.sink, download.plan)).startswith("ver")


async def test_a_front_that_goes_back_takes_the_hashes_with_it(
    pool: Pool, download: Download
) -> None:
    """What was hashed beyond it is not trusted, whoever gave it back."""
    verifier = Verifier(pool, [TYPED], PIECES)
    download.begin(len(FILE))
    await download.receive(bytes(1000) + FILE[1000:])
    verifier.on_bad = download.plan.reject
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    await download.repair()
    await verifier.conclude(download.sink, download.plan)
    download.plan.reject(ByteRange(1600, 1700))
    with pytest.raises(BadPieces):
        await verifier.conclude(download.sink, download.plan)
    assert hashed(verifier) <= 1500
    await download.repair()
    assert (await verifier.conclude(download.sink, download.plan)).startswith("ver")


# -- in any order ----------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """Some bytes come: by which of two lanes, how many, whether wrong."""

    lane: int
    size: int
    is_wrong: bool
    waits: int
    """Turns of the loop that pass before the next bytes come."""


ARRIVALS = st.builds(
    Arrival, st.integers(0, 1), st.integers(1, 2500), st.booleans(), st.integers(0, 9)
)


class Adventure:
    """A download by two lanes, of bytes that may be wrong."""

    def __init__(self, sink: FileSink, verifier: Verifier) -> None:
        self.plan = Plan(len(FILE))
        self._sink = sink
        self._verifier = verifier
        verifier.on_bad = self.plan.reject
        self._lanes: dict[int, Segment] = {}

    async def live(self, arrivals: list[Arrival], late: list[Promise]) -> str:
        """What comes beside the follower, and what comes after; the verdict."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._verifier.follow(self._sink, self.plan))
            for arrival in arrivals:
                await self._receive(arrival)
            self._verifier.expect(late)
            await cancel(task)
        while True:
            for lane in (0, 1):
                await self._receive(Arrival(lane, len(FILE), False, 0))
            if self.plan.finished:
                with suppress(BadPieces):
                    return await self._verifier.conclude(self._sink, self.plan)

    async def _receive(self, arrival: Arrival) -> None:
        segment = self._segment(arrival.lane)
        part = self.plan.claim(segment, arrival.size) if segment else None
        if segment is None or part is None:
            return
        data = FILE[part.start : part.stop]
        if arrival.is_wrong:
            data = bytes([data[0] ^ 1]) + data[1:]
        await self._sink.write(Block(part.start, (data,), len(data)))
        self.plan.land(segment, part)
        if not segment.remaining:
            self.plan.release(self._lanes.pop(arrival.lane))
        self._verifier.nudge()
        for _ in range(arrival.waits):
            await asyncio.sleep(0)

    def _segment(self, lane: int) -> Segment | None:
        if lane not in self._lanes:
            segment = self.plan.lease(lane, 1800)
            if segment is None:
                return None
            self._lanes[lane] = segment
        return self._lanes[lane]


def content_of(sink: FileSink) -> bytes:
    return Path(sink.part).read_bytes()


async def adventure(
    directory: Path, arrivals: list[Arrival], early: list[Promise], late: list[Promise]
) -> tuple[str, bytes]:
    """Its verdict, and what is in the file."""
    disk = Disk()
    sink = FileSink(directory, Link.of(URL), Places(), disk)
    await sink.open("file", Wanted(remote=REMOTE))
    with ThreadPoolExecutor(2) as pool:
        verifier = Verifier(pool, early, PIECES)
        verdict = await Adventure(sink, verifier).live(arrivals, late)
        content = content_of(sink)
        await verifier.settle()
    await sink.close()
    disk.close()
    return verdict, content


PROMISES = st.lists(st.sampled_from([TYPED, Promise(MD5, "--checksum")]), unique=True)


@given(st.lists(ARRIVALS, max_size=20), PROMISES, PROMISES)
def test_whatever_comes_and_is_wrong_ends_with_the_right_digest(
    arrivals: list[Arrival], early: list[Promise], late: list[Promise]
) -> None:
    """However bytes land, are wrong and come again, the file and its verdict are right."""
    with TemporaryDirectory() as directory:
        verdict, content = asyncio.run(
            adventure(Path(directory), arrivals, early, late)
        )
    names = " and ".join(p.digest.algorithm for p in early or late)
    origin = "--checksum" if names else "Metalink"
    assert verdict == f"verified ({names or 'pieces, sha1'}, from {origin})"
    assert content == FILE
