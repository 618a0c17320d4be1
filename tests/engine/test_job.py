"""The life of a download: a table of moves, and rests in each of its phases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from threading import Event as Gate
from time import monotonic
from typing import Any

import pytest

from engine.config import Config
from engine.delivery import FileDelivery, StreamDelivery
from engine.disk import Disk, flush
from engine.errors import (
    ChangedError,
    ExpiredError,
    HydraError,
    IntegrityError,
    NetworkError,
    RefusedError,
)
from engine.files import FileSink
from engine.job import Job
from engine.journal import Link
from engine.life import MOVES
from engine.limiter import Limiter
from engine.model import Digest, EventKind, Field, JobId, JobSpec, JobState, Promise
from engine.places import Places
from engine.sinks import StreamSink
from engine.source import Source
from engine.store import Saved
from engine.testing import Content, Origin, Request, Resource, Script, Stall, Status
from engine.transport import Transport
from engine.verify import Verifier
from engine.window import Window
from tests.integration.support import until

pytestmark = pytest.mark.timeout(15)

MIB = 1 << 20
FILE = Content(3 * MIB + 17, seed=7)
STATES = list(JobState)
PARTIAL = ["file.part", "file.part.hydra"]
STOPS = [JobState.PAUSED, JobState.CANCELLED]


@dataclass
class World:
    """What jobs share, and what they told it."""

    directory: Path
    door: Transport
    disk: Disk
    pool: ThreadPoolExecutor
    places: Places = field(default_factory=Places)
    told: list[tuple[EventKind, str]] = field(default_factory=list)
    fields: list[dict[str, Field]] = field(default_factory=list)
    """What programs are told of each."""
    windows: dict[str, Window] = field(default_factory=dict)
    received: int = 0
    admitted: int = 0

    def job(
        self,
        url: str,
        *,
        stream: StreamSink | None = None,
        config: dict[str, Any] | None = None,
        past: Saved | None = None,
        **settings: Any,
    ) -> Job:
        spec = JobSpec(url, **settings)
        given: dict[str, Any] = {"output": self.directory, "threads": 4}
        given |= {"min_chunk": MIB // 4, "give_up_after": 5.0}
        told = Config(**(given | (config or {})))
        limiter = Limiter()
        return Job(
            1,
            spec,
            config=told,
            make_source=lambda url: Source(self.door, limiter, url),
            limiter=limiter,
            window_of=self.window,
            make_delivery=lambda _: self.delivery(spec, told, stream),
            emit=self.emit,
            count=self.count,
            on_received=self.admit,
            past=past,
        )

    def delivery(
        self, spec: JobSpec, config: Config, stream: StreamSink | None
    ) -> FileDelivery | StreamDelivery:
        promises = [Promise(spec.checksum, "--checksum")] if spec.checksum else []
        verifier = Verifier(self.pool, promises) if promises else None
        if stream is not None:
            return StreamDelivery(stream, verifier)
        link = Link.of(spec.url)
        file = FileSink(
            self.directory, link, self.places, self.disk, config.on_conflict
        )
        return FileDelivery(file, verifier, name=spec.name, restart=config.restart)

    def forget(self) -> None:
        """From now on it is another run of the program."""
        self.places = Places()
        self.windows.clear()
        self.told.clear()

    def names(self) -> list[str]:
        """What there is, in order."""
        return sorted(path.name for path in self.directory.iterdir())

    def content(self) -> dict[str, bytes]:
        """Every file there is, by its name."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def window(self, host: str) -> Window:
        return self.windows.setdefault(host, Window(host, monotonic()))

    def emit(self, _job: JobId, kind: EventKind, text: str, /, **fields: Field) -> None:
        self.told.append((kind, text))
        self.fields.append(fields)

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
            (tmp_path / "files").mkdir()
            yield World(tmp_path / "files", door, disk, pool)


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


def assert_whole(job: Job, content: Content = FILE) -> None:
    assert job.error is None
    assert job.state is JobState.DONE
    assert job.delivery.file is not None
    assert job.delivery.file.target is not None
    assert job.delivery.file.target.read_bytes() == content.read()


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
    "renew": (lambda job: job.renew("http://127.0.0.1/new"), JobState.QUEUED),
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
    """While a whole file gets its name nobody can pause or cancel it any more.

    The verdict on an expired link is not the last word.
    """
    job = world.job("http://127.0.0.1/file")
    job.state = now
    job.verdict = "size only"
    is_expired = (now, then) == (JobState.EXPIRED, JobState.CANCELLED)
    assert job.may_become(then) is is_expired


async def test_a_file_gets_its_name_when_its_verdict_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nobody can stop the job in between."""
    could_stop: list[bool] = []
    finish = FileSink.finish

    async def watched(sink: FileSink, size: int, modified: float | None) -> None:
        could_stop.extend(job.may_become(state) for state in STOPS)
        await finish(sink, size, modified)

    monkeypatch.setattr(FileSink, "finish", watched)
    async with Origin({"/file": Resource(FILE)}) as origin:
        job = world.job(origin.url("/file"))
        await job.run()
    assert_whole(job, FILE)
    assert could_stop == [False] * len(STOPS)


def test_the_table_makes_sense() -> None:
    """Final states have no way out, every other state has one to each end.

    An expired link is an end that may be undone.
    """
    assert MOVES.keys() == set(STATES)
    for state, ways in MOVES.items():
        assert bool(ways) is (not state.is_final or state is JobState.EXPIRED)
        if ways:
            assert JobState.CANCELLED in ways
        if state.is_live:
            assert {JobState.PAUSED, JobState.FAILED} <= ways
    assert MOVES[JobState.EXPIRED] == {JobState.QUEUED, JobState.CANCELLED}
    assert MOVES[JobState.PAUSED] == {JobState.QUEUED, JobState.CANCELLED}
    reached = {JobState.QUEUED}
    for _ in STATES:
        reached |= {after for before in reached for after in MOVES[before]}
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
    assert job.delivery.file is not None
    assert not job.delivery.file.is_open
    assert world.names() == ["file"]


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
    assert world.names() == ["file.part.bad"]


async def test_nobody_there_fails_when_patience_ends(world: World) -> None:
    """Retries are told while patience lasts; then the job has failed."""
    async with serving() as origin:
        url = origin.url("/file")
    job = world.job(url, config={"give_up_after": 0.05})
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
            assert job.effort.window is None
            assert job.effort.transfer is None
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
    assert job.effort.transfer is None
    assert job.effort.window is None
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
            await until(lambda: len(job.effort.lanes) == 4)
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
    assert job.is_drained


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
        assert job.delivery.file is not None
        assert not job.delivery.file.is_open
    assert world.names() == PARTIAL


async def test_a_cancelled_stream_tells_its_reader(world: World) -> None:
    """A reader never takes a cancelled stream for a whole one."""
    job = world.job("http://127.0.0.1/file", stream=StreamSink(MIB))
    job.cancel()
    with pytest.raises(HydraError, match="cancelled"):
        await _read(job, bytearray())


async def test_a_job_may_be_ended_while_it_gets_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on its way to the disk ends first: then nothing is left to write down."""
    gate, waiting = Gate(), Gate()

    def patient(descriptor: int) -> None:
        waiting.set()
        gate.wait()
        flush(descriptor)

    monkeypatch.setattr("engine.files.flush", patient)
    async with serving() as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await until(waiting.is_set)
            assert job.state is JobState.VERIFYING
            task.cancel()
            await asyncio.sleep(0.05)  # time to do what must not be done
            gate.set()
    assert world.content() == {"file": FILE.read()}


async def test_a_job_of_an_earlier_run_is_as_it_was(world: World) -> None:
    """What is known of it is shown, until a server has been asked."""
    past = Saved(
        id=1,
        rank=0.0,
        spec=JobSpec("http://127.0.0.1/file?sig=2"),
        began="http://127.0.0.1/file?sig=1",
        state=JobState.EXPIRED,
        name="file (2)",
        size=100,
        done=60,
        verdict="HTTP 403",
        target="/out/file (2)",
    )
    job = world.job(past.spec.url, past=past)
    assert world.told == []
    assert (job.name, job.target) == ("file (2)", "/out/file (2)")
    assert (job.size, job.here, job.verdict) == (100, 60, "HTTP 403")
    assert isinstance(job.error, ExpiredError)
    assert job.began == "http://127.0.0.1/file?sig=1"
    assert job.milestones.finished.is_set()
    assert job.is_untouched
    job.renew("http://127.0.0.1/file?sig=3")
    assert not job.milestones.finished.is_set()
    assert job.began == "http://127.0.0.1/file?sig=1"
    assert job.spec.url == "http://127.0.0.1/file?sig=3"


async def test_a_job_at_rest_holds_nothing(world: World) -> None:
    """Thousands may rest: none of them has a file, a source or a plan yet."""
    job = world.job("http://127.0.0.1/file")
    job.pause()
    job.set_threads(3)
    job.set_limit(5e4)
    job.resume()
    job.cancel()
    await job.close()
    assert job.is_untouched
    assert job.spec == JobSpec("http://127.0.0.1/file", threads=3, limit=5e4)


# -- what a tick tells -----------------------------------------------------------


async def test_a_window_change_is_told_once(world: World) -> None:
    """People are told when the window moves, not each time somebody looks."""
    async with serving(script=stalled(1)) as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await until(lambda: job.effort.transfer is not None and origin.busy)
            job.effort.tick()
            job.effort.tick()
            assert world.kinds.count(EventKind.WINDOW) == 1
            assert job.effort.window is not None
            job.effort.window.cut("HTTP 429", monotonic())
            job.effort.tick()
            job.effort.tick()
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
            window = job.effort.window
            assert window is not None
            assert (window.size, window.ceiling) == (2, 2)
            job.set_threads(5)
            await origin.until(lambda: origin.busy == 5)
            job.set_threads(None)
            assert window.ceiling > 5
            await rest(job, task)
        assert origin.most_concurrent <= 6


# -- what an earlier run left ----------------------------------------------------

NEXT = Content(FILE.size, seed=8)
"""Another version, of the same size."""
OTHER = Content(2 * MIB + 5, seed=9)
LATER = "Thu, 02 Jan 2025 00:00:00 GMT"
CHUNK = MIB // 4


@pytest.fixture
def no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter is always nothing."""
    monkeypatch.setattr("engine.patience.random.random", lambda: 0.0)


async def given_up(world: World, origin: Origin, job: Job, least: int = CHUNK) -> int:
    """Run a job until all its lanes stand still, then end its run; what is here."""
    async with running(job) as task:
        await until(lambda: 0 < origin.busy == len(job.effort.lanes))
        await until(lambda: job.plan.done.total >= least)
        job.cancel()
        task.cancel()
    await origin.until(lambda: not origin.busy)
    world.forget()
    return job.plan.done.total


async def leave_partial(
    world: World, origin: Origin, query: str = "", after: int = 1000, **settings: Any
) -> int:
    """Let an earlier run get some of the file; how much."""
    right = origin.resources["/file"]
    origin.resources["/file"] = replace(
        right, script=lambda request: Stall(after) if request.number % 100 > 1 else None
    )
    job = world.job(origin.url("/file" + query), **settings)
    here = await given_up(world, origin, job, CHUNK + min(after, 1))
    origin.resources["/file"] = right
    return here


@pytest.mark.parametrize("size", [FILE.size, 700_000])
async def test_an_earlier_run_is_gone_on_with(world: World, size: int) -> None:
    """What is on disk is not asked for again, and the file is what it should be."""
    content = Content(size, seed=7)
    async with serving(content) as origin:
        here = await leave_partial(world, origin)
        assert world.names() == PARTIAL
        assert CHUNK < here < size
        asked, served = len(origin.requests), origin.served
        job = world.job(origin.url("/file"))
        await job.run()
        assert_whole(job, content)
        assert origin.served - served == size - here
        first = origin.requests[asked].range
        assert first is not None
        assert first.start > 0
    assert world.names() == ["file"]
    assert world.kinds == [
        EventKind.QUEUED,
        EventKind.PROBED,
        EventKind.RESUMED,
        EventKind.STARTED,
        EventKind.DONE,
    ]


async def test_what_an_earlier_run_left_is_hashed_too(world: World) -> None:
    """The digest is of the whole file, whichever run fetched a byte."""
    async with serving() as origin:
        await leave_partial(world, origin)
        job = world.job(
            origin.url("/file"), checksum=Digest("sha256", FILE.digest("sha256"))
        )
        await job.run()
    assert_whole(job)
    assert job.verdict.startswith("verified (sha256")


async def test_a_name_that_was_typed_finds_its_partial(world: World) -> None:
    """A partial belongs to a link and to the name that was asked for."""
    async with serving() as origin:
        here = await leave_partial(world, origin, name="mine")
        other = world.job(origin.url("/file"), name="yours")
        await other.run()
        served = origin.served
        job = world.job(origin.url("/file"), name="mine")
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert world.names() == ["mine", "yours"]


async def test_who_wants_to_restart_does(world: World) -> None:
    """What an earlier run left is not used, and not kept once the new one is whole."""
    async with serving() as origin:
        await leave_partial(world, origin)
        served = origin.served
        job = world.job(origin.url("/file"), config={"restart": True})
        await job.run()
        assert origin.served - served == FILE.size
    assert_whole(job)
    assert world.names() == ["file"]


async def test_what_is_whole_already_is_not_fetched(world: World) -> None:
    """The file is there, with its size and its date: one question tells."""
    async with serving() as origin:
        await world.job(origin.url("/file")).run()
        world.forget()
        asked = len(origin.requests)
        job = world.job(origin.url("/file"))
        await job.run()
        assert len(origin.requests) == asked + 1
    assert_whole(job)
    assert job.verdict == "already here"
    assert EventKind.STARTED not in world.kinds
    assert job.plan.finished
    assert world.names() == ["file"]


async def test_a_part_that_is_whole_only_gets_its_name(world: World) -> None:
    """A run that ended before the last rename left nothing to fetch."""
    gate = Gate()
    world.pool.submit(gate.wait)
    async with serving() as origin:
        checksum = Digest("md5", FILE.digest("md5"))
        job = world.job(origin.url("/file"), checksum=checksum)
        async with running(job) as task:
            await until(lambda: job.state is JobState.VERIFYING)
            job.cancel()
            task.cancel()
            gate.set()
        assert world.names() == PARTIAL
        world.forget()
        asked = len(origin.requests)
        job = world.job(origin.url("/file"))
        await job.run()
        assert len(origin.requests) == asked + 1
    assert_whole(job)
    assert world.names() == ["file"]


@pytest.mark.parametrize("after", [0, 1000])
async def test_a_server_that_gives_no_parts_any_more_is_gone_on_with(
    world: World, after: int
) -> None:
    """The whole comes again, and what is here is skipped."""
    async with serving() as origin:
        await leave_partial(world, origin, after=after)
        origin.resources["/file"] = Resource(FILE, ranges=False)
        job = world.job(origin.url("/file"))
        await job.run()
    assert_whole(job)
    assert EventKind.CHANGED not in world.kinds


NAMELESS: dict[str, Any] = {"etag": None, "last_modified": None}


async def test_an_unmarked_file_is_gone_on_with_by_its_bytes(world: World) -> None:
    """Where a server tells neither tag nor date what is here is compared."""
    async with serving(**NAMELESS) as origin:
        here = await leave_partial(world, origin)
        served = origin.served
        job = world.job(origin.url("/file"))
        await job.run()
        assert origin.served - served < FILE.size - here + CHUNK
    assert_whole(job)


async def test_a_partial_of_nothing_is_no_riddle(world: World) -> None:
    """A run that was killed before its first byte leaves nothing that needs comparing."""
    async with serving(script=[Stall()] * 9, **NAMELESS) as origin:
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await until(lambda: world.names() == PARTIAL)
            job.cancel()
            task.cancel()
        world.forget()
        origin.resources["/file"] = Resource(FILE, **NAMELESS)
        job = world.job(origin.url("/file"), config={"give_up_after": 0.5})
        await job.run()
    assert_whole(job)


async def test_a_job_that_probes_a_partial_may_rest(world: World) -> None:
    """Paused before the first answer, it goes on with what the earlier run left."""
    async with serving() as origin:
        here = await leave_partial(world, origin)
        origin.resources["/file"] = Resource(FILE, latency=3600.0)
        asked, served = len(origin.requests), origin.served
        job = world.job(origin.url("/file"))
        async with running(job) as task:
            await origin.until(lambda: len(origin.requests) > asked)
            await rest(job, task)
        origin.resources["/file"] = Resource(FILE)
        job.resume()
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert world.names() == ["file"]


# -- links -----------------------------------------------------------------------


async def test_another_query_may_lead_to_the_same_file(world: World) -> None:
    """Links expire: a partial is gone on with by a link that is signed anew."""
    async with serving() as origin:
        here = await leave_partial(world, origin, "?sig=1")
        served = origin.served
        job = world.job(origin.url("/file?sig=2"))
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert world.names() == ["file"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Resource(OTHER), id="another size"),
        pytest.param(Resource(NEXT, last_modified=LATER), id="another date"),
        pytest.param(Resource(NEXT), id="other bytes"),
    ],
)
async def test_another_query_may_lead_to_another_file(
    world: World, other: Resource
) -> None:
    """The partial is left alone, and the file gets a name of its own."""
    async with serving() as origin:
        here = await leave_partial(world, origin, "?id=1")
        partial = world.content()
        origin.resources["/file"] = other
        job = world.job(origin.url("/file?id=2"))
        await job.run()
        assert_whole(job, other.content)
        assert job.name == "file (2)"
        assert EventKind.CHANGED not in world.kinds
        assert {name: world.content().get(name) for name in PARTIAL} == partial
        world.forget()
        origin.resources["/file"] = Resource(FILE)
        served = origin.served
        job = world.job(origin.url("/file?id=1"))
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert world.names() == ["file", "file (2)"]


def expiring(fine: int) -> Script:
    """A script by which the first link works for some requests, and others always."""

    def script(request: Request) -> Any:
        is_old = request.query == "sig=1" and request.number > fine
        return Status(403) if is_old else None

    return script


@pytest.mark.usefixtures("no_naps")
async def test_a_link_that_expires_can_be_renewed(world: World) -> None:
    """The job waits for a fresh link, and then goes on with what it has."""
    async with serving(script=expiring(3)) as origin:
        job = world.job(origin.url("/file?sig=1"))
        await job.run()
        assert job.state is JobState.EXPIRED
        assert isinstance(job.error, ExpiredError)
        assert job.verdict == "HTTP 403"
        assert world.kinds[-1] is EventKind.EXPIRED
        assert job.milestones.finished.is_set()
        assert world.names() == PARTIAL
        here, served = job.plan.done.total, origin.served
        assert here > CHUNK
        job.renew(origin.url("/file?sig=2"))
        renewed: Any = (job.state, job.error, job.verdict)
        assert renewed == (JobState.QUEUED, None, "")
        assert not job.milestones.finished.is_set()
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert world.names() == ["file"]
    assert EventKind.RESUMED in world.kinds


@pytest.mark.usefixtures("no_naps")
async def test_a_renewed_job_has_not_received_everything(world: World) -> None:
    """Whoever waits for the last byte waits again: others are admitted by that."""
    async with serving(script=expiring(3)) as origin:
        job = world.job(origin.url("/file?sig=1"))
        await job.run()
        job.renew(origin.url("/file?sig=2"))
        assert not job.milestones.received.is_set()
        await job.run()
        assert job.milestones.received.is_set()


@pytest.mark.usefixtures("no_naps")
async def test_a_renewed_job_keeps_what_it_has_also_when_it_was_restarted(
    world: World,
) -> None:
    """To begin anew is for what earlier runs left, not for what this one fetched."""
    async with serving(script=expiring(3)) as origin:
        job = world.job(origin.url("/file?sig=1"), config={"restart": True})
        await job.run()
        here, served = job.plan.done.total, origin.served
        job.renew(origin.url("/file?sig=2"))
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)


@pytest.mark.usefixtures("no_naps")
async def test_an_expired_job_may_be_given_up(world: World) -> None:
    """What nobody has a fresh link for is cancelled, and its partial stays."""
    async with serving(script=expiring(3)) as origin:
        job = world.job(origin.url("/file?sig=1"))
        await job.run()
        job.cancel()
    assert job.state is JobState.CANCELLED
    assert world.names() == PARTIAL


async def test_a_link_that_never_worked_is_refused(world: World) -> None:
    """Without a byte here a no is a no, and no fresh link is asked for."""
    marker = world.directory / "asked"
    async with serving(script=expiring(0)) as origin:
        config = {"url_command": f"touch '{marker}'; echo {origin.url('/file')}"}
        job = world.job(origin.url("/file?sig=1"), config=config)
        await job.run()
    assert job.state is JobState.FAILED
    assert type(job.error) is RefusedError
    assert not marker.exists()


async def test_a_partial_whose_link_has_expired_waits_for_a_fresh_one(
    world: World,
) -> None:
    """An earlier run shows that the link has worked."""
    async with serving() as origin:
        here = await leave_partial(world, origin, "?sig=1")
        origin.resources["/file"] = Resource(FILE, script=expiring(0))
        job = world.job(origin.url("/file?sig=1"))
        await job.run()
        assert job.state is JobState.EXPIRED
        served = origin.served
        job.renew(origin.url("/file?sig=2"))
        await job.run()
        assert origin.served - served == FILE.size - here
    assert_whole(job)


def renewing(world: World, url: str) -> dict[str, str]:
    """A configuration whose command counts how often it is asked."""
    count = world.directory.parent / "asked"
    return {"url_command": f"echo x >> '{count}'; echo '{url}'"}


def times_asked(world: World) -> int:
    count = world.directory.parent / "asked"
    return len(count.read_text().split()) if count.exists() else 0


@pytest.mark.usefixtures("no_naps")
async def test_a_command_renews_a_link(world: World) -> None:
    """The user's own command is asked, and the job goes on without a rest."""
    async with serving(script=expiring(3)) as origin:
        config = renewing(world, origin.url("/file?sig=2"))
        job = world.job(origin.url("/file?sig=1"), config=config)
        await job.run()
        assert sum(request.query == "sig=2" for request in origin.requests) > 1
    assert_whole(job)
    assert times_asked(world) == 1
    assert world.kinds.count(EventKind.EXPIRED) == 1
    assert world.kinds[-1] is EventKind.DONE


async def test_a_command_renews_the_link_of_a_partial(world: World) -> None:
    """Also where the link has expired before this run asked for anything."""
    async with serving() as origin:
        here = await leave_partial(world, origin, "?sig=1")
        origin.resources["/file"] = Resource(FILE, script=expiring(0))
        served = origin.served
        config = renewing(world, origin.url("/file?sig=2"))
        job = world.job(origin.url("/file?sig=1"), config=config)
        await job.run()
        assert_whole(job)
        assert origin.served - served < FILE.size - here + CHUNK
    assert times_asked(world) == 1


@pytest.mark.usefixtures("no_naps")
async def test_a_command_renews_the_link_of_a_stream(world: World) -> None:
    """What a reader has had is not given twice."""
    async with serving(script=expiring(1)) as origin:
        config = renewing(world, origin.url("/file?sig=2"))
        job = world.job(
            origin.url("/file?sig=1"), stream=StreamSink(8 * MIB), config=config
        )
        data = bytearray()
        async with running(job), asyncio.TaskGroup() as group:
            group.create_task(_read(job, data))
    assert bytes(data) == FILE.read()
    assert job.state is JobState.DONE


@pytest.mark.usefixtures("no_naps")
async def test_a_command_is_not_asked_in_circles(world: World) -> None:
    """A fresh link that brings nothing is the last one that is asked for."""
    async with serving(script=expiring(3)) as origin:
        config = renewing(world, origin.url("/file?sig=1"))
        job = world.job(origin.url("/file?sig=1"), config=config)
        await job.run()
    assert job.state is JobState.EXPIRED
    assert isinstance(job.error, ExpiredError)
    assert times_asked(world) == 1


@pytest.mark.usefixtures("no_naps")
async def test_a_command_that_fails_leaves_the_job_expired(world: World) -> None:
    """The verdict is what went wrong with the command, and the partial stays."""
    async with serving(script=expiring(3)) as origin:
        config = {"url_command": "exit 3"}
        job = world.job(origin.url("/file?sig=1"), config=config)
        await job.run()
    assert job.state is JobState.EXPIRED
    assert job.verdict == "--url-command ended with 3"
    assert world.names() == PARTIAL


@pytest.mark.usefixtures("no_naps")
async def test_a_stream_whose_link_expires_has_failed(world: World) -> None:
    """Nobody waits for a fresh link with a reader at the other end."""
    async with serving(script=expiring(1)) as origin:
        job = world.job(origin.url("/file?sig=1"), stream=StreamSink(8 * MIB))
        async with running(job):
            with pytest.raises(ExpiredError):
                await _read(job, bytearray())
    assert job.state is JobState.FAILED


# -- files that change -----------------------------------------------------------


def version(content: Content, script: Script = ()) -> Resource:
    """The file as it is served for a while."""
    dates = {FILE: "Wed, 01 Jan 2025 00:00:00 GMT", NEXT: LATER}
    last = dates.get(content, "Fri, 03 Jan 2025 00:00:00 GMT")
    return Resource(content, last_modified=last, script=script)


def standing(after: int = 1000) -> Script:
    """A script by which every body stands still after some bytes, if it has more."""
    return lambda request: (
        Stall(after) if request.range and request.range.size > after else None
    )


async def change(origin: Origin, resource: Resource) -> None:
    """Serve something else from now on, on new connections."""
    await origin.until(lambda: origin.busy == 4)
    origin.resources["/file"] = resource
    origin.sever()


@pytest.mark.parametrize("new", [Resource(NEXT), Resource(OTHER), version(NEXT)])
async def test_a_file_that_has_changed_begins_again(
    world: World, new: Resource
) -> None:
    """What an earlier run left of another version is replaced by the new one."""
    async with serving() as origin:
        await leave_partial(world, origin)
        origin.resources["/file"] = new
        job = world.job(origin.url("/file"))
        await job.run()
    assert_whole(job, new.content)
    assert world.names() == ["file"]
    assert world.kinds.count(EventKind.CHANGED) == 1


@pytest.mark.usefixtures("no_naps")
async def test_a_file_that_changes_begins_again_once(world: World) -> None:
    """The old version is kept until the new one is whole."""
    async with Origin({"/file": version(FILE, standing(MIB // 8))}) as origin:
        job = world.job(origin.url("/file"))
        async with running(job):
            await until(lambda: job.plan.done.total >= 4 * MIB // 8)
            await change(origin, version(NEXT, standing()))
            await until(lambda: EventKind.CHANGED in world.kinds)
            await until(lambda: {"file.part.old", PARTIAL[0]} <= set(world.names()))
            kept = (world.directory / "file.part.old").read_bytes()
            assert kept[: MIB // 8] == FILE.read(0, MIB // 8)
            await change(origin, version(NEXT))
    assert_whole(job, NEXT)
    assert world.names() == ["file"]
    assert world.kinds.count(EventKind.CHANGED) == 1


@pytest.mark.usefixtures("no_naps")
async def test_a_file_that_keeps_changing_is_given_up(world: World) -> None:
    """The second change is the end, and says what the difference was."""
    async with Origin({"/file": version(FILE, standing())}) as origin:
        job = world.job(origin.url("/file"))
        async with running(job):
            await change(origin, version(NEXT, standing()))
            await until(lambda: EventKind.CHANGED in world.kinds)
            await until(lambda: job.state is JobState.RUNNING and job.plan.done.total)
            await change(origin, version(OTHER))
    assert job.state is JobState.FAILED
    assert isinstance(job.error, ChangedError)
    assert f"it was {NEXT.size}, it is {OTHER.size}" in job.verdict
    assert world.kinds.count(EventKind.CHANGED) == 1


@pytest.mark.usefixtures("no_naps")
async def test_the_digest_begins_again_with_the_file(world: World) -> None:
    """What was hashed of the old version is not part of the new one's digest."""
    old, new = Content(12 * MIB, seed=1), Content(12 * MIB, seed=2)
    checksum = Digest("sha256", new.digest())
    stands = Resource(old, script=stands_at(8 * MIB))
    async with Origin({"/file": stands}) as origin:
        job = world.job(origin.url("/file"), checksum=checksum, threads=1)
        verifier = job.delivery.verifier
        assert verifier is not None
        async with running(job):
            await until(lambda: verifier.snapshots()[0].hashed)
            await until(lambda: job.plan.done.total > 8 * MIB and origin.busy)
            origin.resources["/file"] = Resource(new, last_modified=LATER)
            origin.sever()
    assert_whole(job, new)


def stands_at(offset: int) -> Script:
    """A script by which what begins there or later stands still at once."""
    return lambda request: (
        Stall(1000) if request.range and request.range.start >= offset else None
    )


@pytest.mark.usefixtures("no_naps")
async def test_a_stream_that_changes_before_it_is_read_begins_again(
    world: World,
) -> None:
    """As long as the reader has had nothing all can be taken back."""
    data = bytearray()
    async with Origin({"/file": version(FILE, standing())}) as origin:
        job = world.job(origin.url("/file"), stream=StreamSink(8 * MIB), threads=1)
        async with running(job):
            await until(lambda: job.plan.done.total)
            origin.resources["/file"] = version(NEXT)
            origin.sever()
            await until(lambda: EventKind.CHANGED in world.kinds)
            await until(lambda: job.plan.finished)
            await _read(job, data)
    assert bytes(data) == NEXT.read()
    assert job.state is JobState.DONE


@pytest.mark.usefixtures("no_naps")
async def test_a_stream_that_changes_while_it_is_read_has_failed(
    world: World,
) -> None:
    """What has gone out cannot be taken back: two versions are never spliced."""
    data = bytearray()
    async with Origin({"/file": version(FILE, standing())}) as origin:
        job = world.job(origin.url("/file"), stream=StreamSink(8 * MIB), threads=1)
        async with running(job), asyncio.TaskGroup() as group:
            reading = group.create_task(_expect(job, data, ChangedError))
            await until(lambda: data)
            origin.resources["/file"] = version(NEXT)
            origin.sever()
            await reading
    assert job.state is JobState.FAILED
    assert bytes(data) == FILE.read(0, len(data))
    assert EventKind.CHANGED not in world.kinds


async def _expect(job: Job, data: bytearray, error: type[HydraError]) -> None:
    with pytest.raises(error):
        await _read(job, data)


# -- time ------------------------------------------------------------------------


async def test_a_job_that_slept_goes_on_over_new_connections(world: World) -> None:
    """Nobody is blamed for the time asleep: no retry is told, nothing is lost."""
    async with serving(script=[None, *[Stall(1000)] * 4]) as origin:
        job = world.job(origin.url("/file"))
        async with running(job):
            await until(lambda: job.plan.done.total >= CHUNK + 4000)
            served = origin.served
            here = job.plan.done.total
            job.effort.wake(3600.0)
        assert origin.served - served == FILE.size - here
    assert_whole(job)
    assert EventKind.RETRY not in world.kinds


async def test_a_job_that_waits_sleeps_in_peace(world: World) -> None:
    """What does not run yet, or not any more, has nothing to renew."""
    async with serving() as origin:
        job = world.job(origin.url("/file"))
        job.effort.wake(3600.0)
        await job.run()
        job.effort.wake(3600.0)
    assert_whole(job)


@pytest.mark.parametrize("is_looked_after", [True, False])
async def test_what_we_hold_back_costs_no_patience(
    world: World, *, is_looked_after: bool
) -> None:
    """Seconds in which the limit holds all lanes are excused, tick by tick."""
    async with serving(script=[None, *[Stall(1000)] * 4]) as origin:
        job = world.job(origin.url("/file"), config={"give_up_after": 0.4})
        async with running(job):
            await until(lambda: job.plan.done.total >= CHUNK + 4000)
            assert job.effort.lanes
            for lane in job.effort.lanes.values():
                assert lane.response is not None
                lane.response._is_throttled = True
            began = monotonic()
            while monotonic() - began < 0.6:
                if is_looked_after:
                    job.effort.tick()
                await asyncio.sleep(0.05)
            origin.sever()
    if is_looked_after:
        assert_whole(job)
    else:
        assert isinstance(job.error, NetworkError)
