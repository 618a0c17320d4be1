"""The life of a download: a table of moves, and rests in each of its phases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from threading import Event as Gate
from time import monotonic
from typing import Any

import pytest

from engine.config import Config
from engine.errors import HydraError, IntegrityError, NetworkError
from engine.files import Disk, FileSink, Names
from engine.job import MOVES, Job
from engine.limiter import Limiter
from engine.model import Digest, EventKind, JobId, JobSpec, JobState
from engine.sinks import StreamSink
from engine.source import Source
from engine.testing import Content, Origin, Resource, Script, Stall
from engine.transport import Transport
from engine.verify import Verifier
from engine.window import Window
from tests.integration.support import until

pytestmark = pytest.mark.timeout(15)

MIB = 1 << 20
FILE = Content(3 * MIB + 17, seed=7)
STATES = list(JobState)
STOPS = [JobState.PAUSED, JobState.CANCELLED]


@dataclass
class World:
    """What jobs share, and what they told it."""

    directory: Path
    door: Transport
    disk: Disk
    pool: ThreadPoolExecutor
    told: list[tuple[EventKind, str]] = field(default_factory=list)
    windows: dict[str, Window] = field(default_factory=dict)
    received: int = 0
    admitted: int = 0

    def job(
        self, url: str, *, stream: StreamSink | None = None, **settings: Any
    ) -> Job:
        spec = JobSpec(url, **settings)
        config = Config(
            output=self.directory, threads=4, min_chunk=MIB // 4, give_up_after=5.0
        )
        limiter = Limiter()
        verifier = Verifier(spec.checksum, self.pool) if spec.checksum else None
        names = Names()
        return Job(
            1,
            spec,
            config=config,
            source=Source(self.door, limiter, url),
            limiter=limiter,
            window_of=self.window,
            make_file=lambda name: FileSink(self.directory, name, names, self.disk),
            stream=stream,
            verifier=verifier,
            emit=self.emit,
            count=self.count,
            on_received=self.admit,
        )

    def window(self, host: str) -> Window:
        return self.windows.setdefault(host, Window(host, monotonic()))

    def emit(self, _job: JobId, kind: EventKind, text: str) -> None:
        self.told.append((kind, text))

    def count(self, size: int) -> None:
        self.received += size

    def admit(self) -> None:
        self.admitted += 1

    @property
    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.told]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    door = Transport(
        browser=None,
        cacert=None,
        insecure=False,
        connect_timeout=5.0,
        stall_timeout=3600.0,
    )
    disk = Disk()
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        stack.callback(disk.close)
        async with door:
            yield World(tmp_path, door, disk, pool)


def serving(content: Content = FILE, script: Script = (), **more: Any) -> Origin:
    return Origin({"/file": Resource(content, script=script, **more)})


@asynccontextmanager
async def running(job: Job) -> AsyncIterator[asyncio.Task[None]]:
    """The job's task, which is over when this is."""
    async with asyncio.TaskGroup() as group:
        yield group.create_task(job.run())


def stalled(fine: int, after: int = 0) -> Script:
    """A script by which, after some requests that are answered, none is."""
    return lambda request: Stall(after) if request.number > fine else None


def assert_whole(job: Job) -> None:
    assert job.state is JobState.DONE
    assert job.file is not None
    assert job.file.target.read_bytes() == FILE.read()


# -- the table -------------------------------------------------------------------


@pytest.mark.parametrize(("now", "then"), product(STATES, STATES))
async def test_a_move_is_in_the_table_or_changes_nothing(
    world: World, now: JobState, then: JobState
) -> None:
    """Every move is legal or raises; what raises leaves the state as it was."""
    job = world.job("http://127.0.0.1/file")
    job.state = now
    assert job.may_become(then) is (then in MOVES[now])
    if then in MOVES[now]:
        job._move(then)
        assert job.state is then
        return
    with pytest.raises(ValueError, match=f"a job that is {now} cannot become {then}"):
        job._move(then)
    assert job.state is now


ACTS: dict[str, tuple[Callable[[Job], None], JobState]] = {
    "pause": (Job.pause, JobState.PAUSED),
    "resume": (Job.resume, JobState.QUEUED),
    "cancel": (Job.cancel, JobState.CANCELLED),
}


@pytest.mark.parametrize(("name", "now"), product(ACTS, STATES))
async def test_an_act_that_is_not_legal_does_nothing(
    world: World, name: str, now: JobState
) -> None:
    """Nobody is told of a move that was not made, and nobody's wait ends."""
    act, then = ACTS[name]
    job = world.job("http://127.0.0.1/file")
    job.state = now
    before = list(world.told)
    if then in MOVES[now]:
        act(job)
        assert job.state is then
        return
    with pytest.raises(ValueError, match="cannot become"):
        act(job)
    assert job.state is now
    assert world.told == before
    assert not job.milestones.finished.is_set()


@pytest.mark.parametrize(("now", "then"), product(STATES, STOPS))
async def test_what_has_a_verdict_cannot_be_stopped(
    world: World, now: JobState, then: JobState
) -> None:
    """While a whole file gets its name nobody can pause or cancel it any more."""
    job = world.job("http://127.0.0.1/file")
    job.state = now
    job.verdict = "size only"
    assert not job.may_become(then)


def test_the_table_makes_sense() -> None:
    """Final states have no way out, and every other state has one to each end."""
    assert MOVES.keys() == set(STATES)
    for state, ways in MOVES.items():
        assert bool(ways) is not state.is_final
        if not state.is_final:
            assert JobState.CANCELLED in ways
        if state.is_live:
            assert {JobState.PAUSED, JobState.FAILED} <= ways
    assert MOVES[JobState.PAUSED] == {JobState.QUEUED, JobState.CANCELLED}
    reached = {JobState.QUEUED}
    for _ in STATES:
        reached |= {then for now in reached for then in MOVES[now]}
    assert reached == set(STATES)


# -- a whole life ----------------------------------------------------------------


async def test_a_life_is_told_in_order(world: World) -> None:
    """Queued, probed, started, verified, done: and each milestone is reached."""
    checksum = Digest("md5", FILE.digest("md5"))
    async with serving() as origin:
        job = world.job(origin.url("/file"), checksum=checksum)
        assert (job.state, job.name) == (JobState.QUEUED, "file")
        await job.run()
    assert_whole(job)
    assert job.error is None
    assert job.verdict == "verified (md5, from --checksum)"
    assert world.kinds == [
        EventKind.QUEUED,
        EventKind.PROBED,
        EventKind.STARTED,
        EventKind.VERIFIED,
        EventKind.DONE,
    ]
    assert world.received == FILE.size
    assert world.admitted == 1
    milestones = job.milestones
    for reached in (milestones.probed, milestones.received, milestones.finished):
        assert reached.is_set()
    assert job.file is not None
    assert not job.file.is_open


async def test_a_failure_is_told_once(world: World) -> None:
    """What fails says why, names its URL masked, and lets everybody go on."""
    async with serving() as origin:
        job = world.job(origin.url("/missing?token=secret"))
        await job.run()
    assert job.state is JobState.FAILED
    assert isinstance(job.error, HydraError)
    assert job.verdict == "HTTP 404"
    assert job.error.about == origin.url("/missing?token=***")
    assert world.kinds == [EventKind.QUEUED, EventKind.FAILED]
    assert job.milestones.probed.is_set()
    assert job.milestones.received.is_set()
    assert job.milestones.finished.is_set()
    assert "secret" not in repr(world.told)


async def test_a_bug_of_ours_is_a_failure_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks in one job, its error is kept and the task ends in peace."""
    job = world.job("http://127.0.0.1/file")

    def broken(_host: str) -> Window:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(job, "_window_of", broken)
    await job.run()
    assert job.state is JobState.FAILED
    assert isinstance(job.error, ZeroDivisionError)


async def test_wrong_bytes_are_kept_aside(world: World) -> None:
    """A digest that does not match fails the job; nothing has the final name."""
    checksum = Digest("md5", "0" * 32)
    async with serving() as origin:
        job = world.job(origin.url("/file"), checksum=checksum)
        await job.run()
    assert isinstance(job.error, IntegrityError)
    assert [path.name for path in world.directory.iterdir()] == ["file.part.bad"]


async def test_nobody_there_fails_when_patience_ends(world: World) -> None:
    """Retries are told while patience lasts; then the job has failed."""
    async with serving() as origin:
        url = origin.url("/file")
    job = world.job(url)
    job._config = Config(output=world.directory, give_up_after=0.05)
    await job.run()
    assert isinstance(job.error, NetworkError)
    assert set(world.kinds[1:-1]) <= {EventKind.RETRY}
    assert world.kinds[-1] is EventKind.FAILED


async def test_a_window_is_left_when_it_is_over(world: World) -> None:
    """Neither success nor failure keeps a part of the host's window."""
    async with serving() as origin:
        for path in ("/file", "/missing"):
            job = world.job(origin.url(path))
            await job.run()
            assert job.window is None
            assert job.transfer is None
        [window] = world.windows.values()
        window.join(None, monotonic())
        assert window.share == window.size
        assert window.flying == 0


# -- rests -----------------------------------------------------------------------


async def rest(job: Job, task: asyncio.Task[None]) -> None:
    """Pause as the engine does: the state first, then the task."""
    job.pause()
    task.cancel()
    await asyncio.wait([task])
    assert job.state is JobState.PAUSED
    assert job.transfer is None
    assert job.window is None
    assert not job.milestones.finished.is_set()


async def test_a_queued_job_may_rest(world: World) -> None:
    """What has not begun yet is paused and resumed without a task."""
    async with serving() as origin:
        job = world.job(origin.url("/file"))
        job.pause()
        job.resume()
        await job.run()
    assert_whole(job)
    assert world.kinds[:3] == [EventKind.QUEUED, EventKind.PAUSED, EventKind.RESUMED]


async def test_a_probing_job_may_rest(world: World) -> None:
    """A probe that is paused is asked again."""
    async with serving(latency=3600.0) as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await origin.until(lambda: len(origin.requests) == 1)
            assert job.state is JobState.PROBING
            await rest(job, task)
        origin.resources["/file"] = Resource(FILE)
        job.resume()
        await job.run()
    assert_whole(job)


@pytest.mark.parametrize("after", [0, 1000])
async def test_a_running_job_may_rest(world: World, after: int) -> None:
    """What has arrived stays: it is not asked for again, and the rest fits to it."""
    async with serving(script=stalled(1, after)) as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await until(lambda: job.transfer and len(job.transfer.lanes) == 4)
            await until(lambda: origin.busy == 4)
            await until(lambda: job.plan.done.total >= MIB // 4 + 4 * after)
            await rest(job, task)
        here = job.plan.done.total
        assert job.plan.segments == []
        await origin.until(lambda: not origin.busy)
        served = origin.served
        origin.resources["/file"] = Resource(FILE)
        job.resume()
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert world.kinds.count(EventKind.PROBED) == 1


async def test_a_verifying_job_may_rest(world: World) -> None:
    """A digest goes on where it stood, without a byte from the network."""
    gate = Gate()
    world.pool.submit(gate.wait)
    checksum = Digest("sha256", FILE.digest())
    async with serving() as origin:
        job = world.job(origin.url("/file"), checksum=checksum)
        async with running(job) as task:
            await until(lambda: job.state is JobState.VERIFYING)
            job.pause()
            task.cancel()
            gate.set()
            await asyncio.wait([task])
        asked = len(origin.requests)
        job.resume()
        await job.run()
        assert len(origin.requests) == asked
    assert_whole(job)


async def test_a_stream_may_rest(world: World) -> None:
    """A paused stream goes on behind what its reader had."""
    sink = StreamSink(8 * MIB)
    async with serving(script=stalled(2)) as origin:
        job = world.job(origin.url("/file"), stream=sink)
        data = bytearray()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(job.run())
            reading = group.create_task(_read(job, data))
            await until(lambda: len(data) >= MIB // 4 and origin.busy)
            await rest(job, task)
            origin.resources["/file"] = Resource(FILE)
            job.resume()
            await job.run()
            await reading
    assert bytes(data) == FILE.read()
    assert job.milestones.drained.is_set()


async def _read(job: Job, into: bytearray) -> None:
    async for batch in job.batches():
        for block in batch:
            assert block.offset == len(into)
            into += b"".join(block.buffers)


async def test_a_cancelled_job_keeps_its_partial(world: World) -> None:
    """Giving up for good ends the wait of others and closes the file."""
    async with serving(script=stalled(1, 1000)) as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await until(lambda: job.plan.done.total > MIB // 4)
            job.cancel()
            task.cancel()
        assert job.state is JobState.CANCELLED
        assert job.milestones.finished.is_set()
        assert job.file is not None
        assert not job.file.is_open
    assert [path.name for path in world.directory.iterdir()] == ["file.part"]


async def test_a_cancelled_stream_tells_its_reader(world: World) -> None:
    """A reader never takes a cancelled stream for a whole one."""
    job = world.job("http://127.0.0.1/file", stream=StreamSink(MIB))
    job.cancel()
    with pytest.raises(HydraError, match="cancelled"):
        await _read(job, bytearray())


# -- what a tick tells -----------------------------------------------------------


async def test_a_window_change_is_told_once(world: World) -> None:
    """People are told when the window moves, not each time somebody looks."""
    async with serving(script=stalled(1)) as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await until(lambda: job.transfer is not None and origin.busy)
            job.tick()
            job.tick()
            assert world.kinds.count(EventKind.WINDOW) == 1
            assert job.window is not None
            job.window.cut("HTTP 429", monotonic())
            job.tick()
            job.tick()
            assert world.told[-1] == (EventKind.WINDOW, "file: 2 lanes, HTTP 429")
            assert world.kinds.count(EventKind.WINDOW) == 2
            await rest(job, task)


async def test_a_number_of_lanes_may_be_given_at_any_time(world: World) -> None:
    """Before it runs, while it runs, and taken back: the window follows."""
    hashed = Digest("md5", "0" * 32)  # its segments are small: enough for all lanes
    async with serving(Content(64 * MIB), stalled(1)) as origin:
        job = world.job(origin.url("/file"), checksum=hashed)
        job.set_threads(2)
        async with running(job) as task:
            await origin.until(lambda: origin.busy == 2)
            window = job.window
            assert window is not None
            assert (window.size, window.ceiling) == (2, 2)
            job.set_threads(5)
            await origin.until(lambda: origin.busy == 5)
            job.set_threads(None)
            assert window.ceiling > 5
            await rest(job, task)
        assert origin.most_concurrent <= 6
