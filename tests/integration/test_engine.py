"""The engine as programs use it: the queue, the streams, and what may be seen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from engine import (
    ChangedError,
    Config,
    Digest,
    Engine,
    Event,
    EventKind,
    HydraError,
    IntegrityError,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
    LaneState,
    LocalError,
    ReaderGoneError,
    RefusedError,
    UsageError,
)
from engine.testing import (
    Content,
    CutAfter,
    Origin,
    Relabel,
    Resource,
    Stall,
    Status,
)
from tests.integration.support import (
    FILE,
    KIB,
    MIB,
    PATIENCE,
    SMALL_STEPS,
    File,
    download,
    left_alone,
    pour,
    settled,
    stream_all,
    until,
)

SMALL = Content(100_003, seed=21)
SLOW = 2e6
"""Bytes per second of a connection, where something is to happen meanwhile."""
QUICKLY = {"/a": Resource(FILE)}
SLOWLY = {"/a": Resource(FILE, rate=SLOW)}


@asynccontextmanager
async def running(directory: Path, **settings: Any) -> AsyncIterator[Engine]:
    config = Config(output=directory, **(SMALL_STEPS | settings))
    async with asyncio.timeout(PATIENCE), Engine(config) as engine:
        yield engine


@asynccontextmanager
async def serving(
    directory: Path, files: Mapping[str, Resource], **settings: Any
) -> AsyncIterator[tuple[Origin, Engine]]:
    """An origin with these files, and an engine to fetch them."""
    async with Origin(files) as origin, running(directory, **settings) as engine:
        yield origin, engine


@asynccontextmanager
async def heard(engine: Engine) -> AsyncIterator[list[Event]]:
    """What the engine tells from here on."""
    events: list[Event] = []

    async def listen() -> None:
        async for event in engine.events():
            events.append(event)  # noqa: PERF401  # it never ends

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        await asyncio.sleep(0)  # a subscriber counts from its first step
        yield events
        listening.cancel()


def look(engine: Engine, job: JobId) -> JobSnapshot:
    """One job in detail."""
    snapshots = engine.snapshot(detail=job).jobs
    return next(snapshot for snapshot in snapshots if snapshot.id == job)


def has(engine: Engine, job: JobId, size: int) -> Callable[[], bool]:
    return lambda: look(engine, job).done >= size


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# -- streams


async def test_streams_come_one_after_the_other(tmp_path: Path) -> None:
    """Several URLs come out one after the other, each in order."""
    contents = [FILE, Content(0), SMALL, Content(2 * MIB, seed=5)]
    files = {f"/{n}.bin": Resource(content) for n, content in enumerate(contents)}
    async with serving(tmp_path, files) as (origin, engine):
        came = await stream_all(engine, *map(origin.url, files))
    assert came == [File(f"{n}.bin", c.read()) for n, c in enumerate(contents)]
    assert names(tmp_path) == []


async def test_the_next_stream_begins_while_the_last_one_drains(tmp_path: Path) -> None:
    """The next file is already on its way while the last one drains."""
    files = {"/a": Resource(SMALL), "/b": Resource(SMALL)}
    async with (
        serving(tmp_path, files) as (origin, engine),
        engine.stream(map(origin.url, files)) as streams,
    ):
        _, blocks = await anext(streams)
        assert await anext(blocks)
        await origin.until(lambda: "/b" in {r.path for r in origin.requests})


async def test_leaving_a_stream_early_leaves_nothing(tmp_path: Path) -> None:
    """Leaving early leaves nothing behind: no task, no connection, no memory."""
    files = {"/a": Resource(FILE, rate=SLOW), "/b": Resource(FILE, rate=SLOW)}
    async with serving(tmp_path, files) as (origin, engine):
        before = asyncio.all_tasks()
        async with engine.stream(map(origin.url, files)) as streams:
            _, blocks = await anext(streams)
            assert await anext(blocks)
            await until(lambda: look(engine, 1).lane_count == 4)
            await until(lambda: _waiting(engine) > 0)
        assert not {
            task.get_name()
            for task in asyncio.all_tasks() - before
            if task.get_name().startswith(("job", "lane"))
        }
        assert engine.snapshot().flying == 0
        assert look(engine, 1).state is JobState.CANCELLED
        assert _waiting(engine) == 0
        await left_alone(origin)


async def test_an_error_of_the_reader_ends_the_stream(tmp_path: Path) -> None:
    """What the reader raises comes out as it is, and the stream is left."""

    async def read(engine: Engine, url: str) -> None:
        async with engine.stream([url]) as streams:
            _, blocks = await anext(streams)
            raise ZeroDivisionError(await anext(blocks))

    async with serving(tmp_path, SLOWLY) as (origin, engine):
        with pytest.raises(ZeroDivisionError):
            await read(engine, origin.url("/a"))
        await left_alone(origin)
        assert engine.snapshot().flying == 0


async def test_a_cancelled_reader_ends_the_stream(tmp_path: Path) -> None:
    """A task that is cancelled while it reads leaves nothing behind."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(stream_all(engine, origin.url("/a")))
            await origin.until(lambda: origin.served > MIB)
            reading.cancel()
        await left_alone(origin)
        assert engine.snapshot().flying == 0


async def test_a_stream_may_be_skipped(tmp_path: Path) -> None:
    """Who goes on to the next file before the end of one gives up the rest of it."""
    files = {
        "/unread": Resource(FILE, rate=SLOW),
        "/begun": Resource(FILE, rate=SLOW),
        "/read": Resource(SMALL),
    }
    came: dict[str, bytes] = {}
    async with serving(tmp_path, files) as (origin, engine):
        async with engine.stream(map(origin.url, files)) as streams:
            async for name, blocks in streams:
                if name == "begun":
                    assert await anext(blocks)
                if name == "read":
                    came[name] = b"".join([block async for block in blocks])
        states = [job.state for job in engine.snapshot().jobs]
    assert came == {"read": SMALL.read()}
    assert states == [JobState.CANCELLED, JobState.CANCELLED, JobState.DONE]


async def test_nothing_follows_a_stream_that_failed(tmp_path: Path) -> None:
    """When one fails, nothing of the next is delivered."""
    files = {"/a": Resource(FILE), "/c": Resource(FILE)}
    came: dict[str, bytearray] = {}
    async with serving(tmp_path, files) as (origin, engine):
        with pytest.raises(RefusedError, match="404"):
            await pour(engine, map(origin.url, ("/a", "/b", "/c")), came)
        assert came == {"a": FILE.read()}
        assert "/c" not in {request.path for request in origin.requests}


async def test_a_failing_stream_delivers_what_was_right(tmp_path: Path) -> None:
    """What came before the error was the file's own beginning."""
    other = Relabel((("ETag", '"other"'), ("Last-Modified", "")))
    files = {"/a": Resource(FILE, script=[None, *[other] * 20])}
    came: dict[str, bytearray] = {}
    async with serving(tmp_path, files) as (origin, engine):
        with pytest.raises(ChangedError):
            await pour(engine, [origin.url("/a")], came)
    assert FILE.read(0, len(came["a"])) == came["a"]


async def test_bad_streams_are_refused_before_anything_starts(tmp_path: Path) -> None:
    """A bad URL anywhere in the list: nothing is started, and the engine lives on."""
    async with serving(tmp_path, {"/a": Resource(SMALL)}) as (origin, engine):
        for bad in ("nonsense", "ftp://x/y", JobSpec("http://x/", headers=(("", ""),))):
            with pytest.raises(UsageError):
                await stream_all(engine, origin.url("/a"), bad)
        assert not origin.requests
        [file] = await stream_all(engine, origin.url("/a"))
        assert file.data == SMALL.read()


async def test_a_stream_goes_to_no_command(tmp_path: Path) -> None:
    """Its bytes have a reader: a command as well is refused, and not forgotten."""
    async with serving(tmp_path, QUICKLY) as (origin, engine):
        spec = JobSpec(origin.url("/a"), command="cat")
        with pytest.raises(UsageError, match="command"):
            async with engine.stream([spec]):
                pass
        assert origin.requests == []


async def test_streams_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Leaving one stream leaves the engine's other streams alone."""
    files = {"/a": Resource(FILE, rate=2e6), "/b": Resource(SMALL)}
    async with serving(tmp_path, files) as (origin, engine):
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(stream_all(engine, origin.url("/a")))
            await origin.until(lambda: origin.served > 0)
            [short] = await stream_all(engine, origin.url("/b"))
        assert short.data == SMALL.read()
        [long] = await reading
        assert long.data == FILE.read()


async def test_a_stream_may_be_paused(tmp_path: Path) -> None:
    """Pausing a stream loses nothing; its reader waits."""
    async with (
        serving(tmp_path, SLOWLY) as (origin, engine),
        asyncio.TaskGroup() as group,
    ):
        reading = group.create_task(stream_all(engine, origin.url("/a")))
        await origin.until(lambda: origin.served > MIB)
        engine.pause(1)
        await settled(engine)
        assert not reading.done()
        engine.resume(1)
        [file] = await reading
    assert file.data == FILE.read()


async def test_a_cancelled_stream_does_not_look_whole(tmp_path: Path) -> None:
    """A reader whose job is cancelled is told so, rather than given a short file."""
    async with (
        serving(tmp_path, SLOWLY) as (origin, engine),
        asyncio.TaskGroup() as group,
    ):

        async def cancel() -> None:
            await origin.until(lambda: origin.served > MIB)
            engine.cancel(1)

        group.create_task(cancel())
        with pytest.raises(HydraError, match="cancelled"):
            await stream_all(engine, origin.url("/a"))


async def test_a_pipe_gets_the_bytes_in_order(tmp_path: Path) -> None:
    """Ordinary pipes and files both work as output."""
    files = {"/a": Resource(FILE), "/b": Resource(SMALL)}
    path = tmp_path / "out"
    with path.open("wb") as out:
        async with serving(tmp_path, files) as (origin, engine):
            await engine.pipe(map(origin.url, files), out.fileno())
    assert path.read_bytes() == FILE.read() + SMALL.read()
    await until(lambda: "hydra-stdout" not in {t.name for t in threading.enumerate()})


async def test_a_reader_that_goes_is_noticed_at_once(tmp_path: Path) -> None:
    """A reader that closes its end is noticed also while there is nothing to write."""
    stalls = Resource(FILE, script=lambda _: Stall(0))
    async with serving(tmp_path, {"/a": stalls}) as (origin, engine):
        reader, writer = os.pipe()
        gone: list[float] = []

        async def go() -> None:
            await origin.until(lambda: bool(origin.requests))
            os.close(reader)
            gone.append(monotonic())

        async with asyncio.TaskGroup() as group:
            group.create_task(go())
            with pytest.raises(ReaderGoneError):
                await engine.pipe([origin.url("/a")], writer)
        assert monotonic() - gone[0] < 1
        os.close(writer)
        await left_alone(origin)


# -- the queue


async def test_a_finished_job_says_what_became_of_it(tmp_path: Path) -> None:
    """Data goes to NAME.part; on success it is renamed, and its time set."""
    async with serving(tmp_path, {"/a.bin": Resource(FILE)}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a.bin?token=secret")))
        done = await engine.wait(job)
    assert done.state is JobState.DONE
    assert done.verdict == "size only"
    assert done.size == done.done == FILE.size
    assert done.url == origin.url("/a.bin?token=***")
    assert not done.streaming
    assert done.target == str(tmp_path / "a.bin")
    assert names(tmp_path) == ["a.bin"]
    status = (tmp_path / "a.bin").stat()
    assert status.st_mtime == 1735689600
    assert status.st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


async def test_an_unknown_length_is_told(tmp_path: Path) -> None:
    """Where only a closed connection marks the end, the verdict says so."""
    resource = Resource(FILE, ranges=False, length="close")
    async with serving(tmp_path, {"/a": resource}) as (origin, engine):
        done = await engine.wait(engine.add(JobSpec(origin.url("/a"))))
    assert done.verdict == "length unknown"


async def test_bad_specs_are_refused(tmp_path: Path) -> None:
    """What can never work is refused, and nothing is started."""
    bad = [
        JobSpec("nonsense"),
        JobSpec("http://x/", name=".."),
        JobSpec("http://x/", name=""),
        JobSpec("http://x/", headers=(("A\nB", "c"),)),
        JobSpec("http://x/", headers=(("A", "b\r\nc: d"),)),
    ]
    async with running(tmp_path) as engine:
        for spec in bad:
            with pytest.raises(UsageError):
                engine.add(spec)
        assert engine.snapshot().jobs == ()


@pytest.mark.parametrize("checked", [False, True])
async def test_a_paused_job_goes_on_where_it_stood(
    tmp_path: Path, *, checked: bool
) -> None:
    """Pausing loses nothing: what is here is not fetched again."""
    digest = Digest("sha256", FILE.digest()) if checked else None
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a"), checksum=digest))
        await until(has(engine, job, 2 * MIB))
        engine.pause(job)
        await settled(engine)
        paused = look(engine, job)
        assert paused.state is JobState.PAUSED
        assert (paused.lanes, paused.lane_count, paused.rate) == ((), 0, 0)
        await until(lambda: names(tmp_path) == ["a.part", "a.part.hydra"])
        engine.resume(job)
        done = await engine.wait(job)
        assert done.done == FILE.size
        assert origin.served < FILE.size + MIB // 2
    assert (tmp_path / "a").read_bytes() == FILE.read()


async def test_a_job_may_be_resumed_before_it_stands(tmp_path: Path) -> None:
    """Pause and resume in one breath: the job goes on, once."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        for size in (MIB // 4, MIB, 2 * MIB):
            await until(has(engine, job, size))
            for _ in range(3):
                engine.pause(job)
                engine.resume(job)
        await engine.wait(job)
        assert origin.served < FILE.size + 2 * MIB
    assert (tmp_path / "a").read_bytes() == FILE.read()


@pytest.mark.parametrize("turns", [0, 1, 5, 20])
@pytest.mark.parametrize(
    "kind", [EventKind.PROBED, EventKind.VERIFIED, EventKind.QUEUED]
)
async def test_a_job_may_be_paused_at_any_moment(
    tmp_path: Path, kind: EventKind, turns: int
) -> None:
    """Between any two steps of its life a job can be paused, and goes on from there."""
    digest = Digest("md5", FILE.digest("md5"))
    async with serving(tmp_path, QUICKLY) as (origin, engine), heard(engine) as events:
        job = engine.add(JobSpec(origin.url("/a"), checksum=digest))
        await until(lambda: kind in {event.kind for event in events}, step=0)
        for _ in range(turns):
            await asyncio.sleep(0)
        engine.pause(job)
        await settled(engine)
        engine.resume(job)
        done = await engine.wait(job)
    assert done.state is JobState.DONE
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == FILE.read()


async def test_a_waiting_job_may_be_paused(tmp_path: Path) -> None:
    """A paused job lets those behind it pass."""
    files = {"/a": Resource(FILE, rate=SLOW), "/b": Resource(SMALL)}
    async with serving(tmp_path, files, jobs=1) as (origin, engine):
        first = engine.add(JobSpec(origin.url("/a")))
        second = engine.add(JobSpec(origin.url("/b")))
        assert look(engine, second).state is JobState.QUEUED
        engine.pause(second)
        assert look(engine, second).state is JobState.PAUSED
        engine.resume(second)
        await until(has(engine, first, 1))
        engine.pause(first)
        done = await engine.wait(second)
        assert done.done == SMALL.size
        assert look(engine, first).state is JobState.PAUSED


async def test_a_cancelled_job_is_over(tmp_path: Path) -> None:
    """Cancelling ends a job for good; a partial file stays where it is."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, MIB))
        engine.cancel(job)
        over = await engine.wait(job)
        assert over.state is JobState.CANCELLED
        await settled(engine)
        await left_alone(origin)
        await until(lambda: _is_free(tmp_path / "a.part"))
        assert names(tmp_path) == ["a.part", "a.part.hydra"]


@pytest.mark.parametrize("before", ["paused", "queued"])
async def test_a_resting_job_may_be_cancelled(tmp_path: Path, before: str) -> None:
    """Cancelling a job that stands still lets go of its file."""
    files = {"/a": Resource(FILE, rate=SLOW), "/b": Resource(FILE, rate=SLOW)}
    async with serving(tmp_path, files, jobs=1) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, MIB))
        engine.pause(job)
        await settled(engine)
        if before == "queued":
            engine.add(JobSpec(origin.url("/b")))
            engine.resume(job)
        assert look(engine, job).state == before
        engine.cancel(job)
        over = await engine.wait(job)
        assert over.state is JobState.CANCELLED
        await until(lambda: _is_free(tmp_path / "a.part"))


def _is_free(path: Path) -> bool:
    """Whether nobody holds the file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


async def test_moves_that_make_no_sense_are_ignored(tmp_path: Path) -> None:
    """Illegal moves change nothing."""
    async with serving(tmp_path, {"/a": Resource(SMALL)}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        engine.resume(job)
        done = await engine.wait(job)
        engine.pause(job)
        engine.resume(job)
        engine.cancel(job)
        assert await engine.wait(job) == done


async def test_an_engine_ends_with_everything_under_way(tmp_path: Path) -> None:
    """Ending the engine ends its jobs in whatever state: no task or file stays open."""
    files = {f"/{n}": Resource(FILE, rate=SLOW) for n in range(4)}
    files["/silent"] = Resource(FILE, script=lambda _: Stall(0))
    files["/busy"] = Resource(FILE, script=lambda _: Status(503, retry_after=60))
    async with Origin(files) as origin:
        async with running(tmp_path, jobs=4) as engine:
            jobs = [engine.add(JobSpec(origin.url(path))) for path in reversed(files)]
            await until(has(engine, jobs[2], MIB))
            engine.pause(jobs[2])
            await until(lambda: look(engine, jobs[4]).state is JobState.PROBING)
            assert look(engine, jobs[5]).state is JobState.QUEUED
        await left_alone(origin)
    assert all(".part" in name for name in names(tmp_path))


async def test_the_limit_may_change_while_it_holds(tmp_path: Path) -> None:
    """--limit is changeable while running: those who wait learn of it."""
    async with serving(tmp_path, QUICKLY, limit=100_000) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, 10_000))
        await until(lambda: _is_held(look(engine, job)))
        assert engine.snapshot().limit == 100_000
        engine.set_limit(None)
        began = monotonic()
        await engine.wait(job)
        assert monotonic() - began < 3
        assert engine.snapshot().limit is None


def _is_held(job: JobSnapshot) -> bool:
    return any(lane.state is LaneState.HELD for lane in job.lanes)


@pytest.mark.slow
@pytest.mark.parametrize(("threads", "whose"), [(1, "the engine's"), (8, "the job's")])
async def test_the_limit_is_kept(tmp_path: Path, whose: str, threads: int) -> None:
    """--limit holds for everything together, and per-job limits too."""
    rate = 2e6
    content = Content(2_000_000)
    limits = (rate, None) if whose == "the engine's" else (None, rate)
    async with serving(
        tmp_path, {"/a": Resource(content)}, threads=threads, limit=limits[0]
    ) as (origin, engine):
        began = monotonic()
        spec = JobSpec(origin.url("/a"), limit=limits[1])
        await engine.wait(engine.add(spec))
        took = monotonic() - began
        assert origin.served < 1.1 * content.size
    assert 0.9 * content.size / rate < took < 1.3 * content.size / rate


@pytest.mark.slow
async def test_the_number_of_lanes_may_change(tmp_path: Path) -> None:
    """The connections of a job may be set while it runs, up and down."""
    files = {"/a": Resource(Content(4 * MIB), rate=200_000)}
    async with serving(tmp_path, files, threads=1) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(lambda: look(engine, job).lane_count == 1)
        engine.set_threads(job, 6)
        await until(lambda: look(engine, job).lane_count == 6)
        assert look(engine, job).threads == 6
        engine.set_threads(job, 3)
        await until(lambda: look(engine, job).lane_count == 3)
        assert origin.most_concurrent <= 7
        engine.set_threads(job, None)
        assert look(engine, job).threads is None


async def test_lanes_that_are_too_many_land_at_once(tmp_path: Path) -> None:
    """Fewer lanes are fewer now, not when long segments are done; nothing is lost."""
    content = Content(96 * MIB, seed=8)
    files = {
        "/a": Resource(content, rate=lambda number: 100_000 if number < 7 else None)
    }
    async with serving(tmp_path, files, threads=6) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(lambda: look(engine, job).lane_count == 6)
        engine.set_threads(job, 1)
        await until(lambda: look(engine, job).lane_count == 1)
        assert look(engine, job).done < content.size
        engine.set_threads(job, 8)
        await engine.wait(job)
    assert (tmp_path / "a").read_bytes() == content.read()


async def test_the_window_finds_out_how_many_lanes_pay(tmp_path: Path) -> None:
    """Auto ramps by itself while another connection brings measurably more."""
    files = {"/a": Resource(Content(64 * MIB), rate=500_000)}
    async with serving(tmp_path, files, threads=None) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(lambda: look(engine, job).lane_count >= 12)
        window = look(engine, job).window
    assert window is not None
    assert [change.size for change in window.changes[:2]] == [4, 8]


FETCHING = {JobState.PROBING, JobState.RUNNING}


async def test_no_more_jobs_than_asked_run_at_a_time(tmp_path: Path) -> None:
    """--jobs is how many files run at the same time; others wait their turn."""
    files = {f"/{n}": Resource(SMALL, rate=SLOW) for n in range(6)}
    live: list[int] = []
    async with (
        serving(tmp_path, files, jobs=2) as (origin, engine),
        heard(engine) as events,
    ):
        jobs = [engine.add(JobSpec(origin.url(path))) for path in files]
        for job in jobs:
            await engine.wait(job)
            states = [each.state for each in engine.snapshot().jobs]
            live.append(sum(state in FETCHING for state in states))
    assert max(live) <= 2
    probed = [event.job for event in events if event.kind is EventKind.PROBED]
    assert sorted(probed[:2]) == jobs[:2]
    assert sorted(probed) == jobs


async def test_one_host_keeps_no_other_waiting(tmp_path: Path) -> None:
    """What fills the window of one host leaves that of another as it is."""
    many = {f"/{number}": Resource(FILE, rate=20_000) for number in range(4)}
    async with (
        Origin(many) as busy,
        Origin({"/a": Resource(Content(1000))}) as idle,
        running(tmp_path, threads=None) as engine,
    ):
        for path in list(many)[:4]:
            engine.add(JobSpec(busy.url(path)))
        states = [JobState.RUNNING] * 4
        await until(lambda: [job.state for job in engine.snapshot().jobs] == states)
        await engine.wait(engine.add(JobSpec(idle.url("/a"))))
        assert sum(job.state is JobState.DONE for job in engine.snapshot().jobs) == 1


async def test_many_small_files_share_the_lanes(tmp_path: Path) -> None:
    """Auto admits files while lanes are free: many small ones at the same time."""
    contents = {f"/{n}": Content(5_000, seed=n) for n in range(40)}
    files = {path: Resource(c, latency=0.02) for path, c in contents.items()}
    async with serving(tmp_path, files, threads=None) as (origin, engine):
        jobs = [engine.add(JobSpec(origin.url(path))) for path in files]
        for job in jobs:
            await engine.wait(job)
        assert origin.most_concurrent > 1
    for path, content in contents.items():
        assert (tmp_path / path[1:]).read_bytes() == content.read()


async def test_jobs_of_one_name_do_not_meet(tmp_path: Path) -> None:
    """Two jobs with one name get `name (2).ext`; what is there stays."""
    (tmp_path / "file.tar.gz").write_bytes(b"mine")
    contents = {"/a/file.tar.gz": FILE, "/b/file.tar.gz": SMALL}
    files = {path: Resource(c) for path, c in contents.items()}
    async with serving(tmp_path, files) as (origin, engine):
        jobs = [engine.add(JobSpec(origin.url(path))) for path in files]
        targets = [Path((await engine.wait(job)).target) for job in jobs]
    assert sorted(path.name for path in targets) == [
        "file (2).tar.gz",
        "file (3).tar.gz",
    ]
    came = [target.read_bytes() for target in targets]
    assert came == [content.read() for content in contents.values()]
    assert (tmp_path / "file.tar.gz").read_bytes() == b"mine"


async def test_links_are_not_followed(tmp_path: Path) -> None:
    """A symlink at the target is never followed, nor is one at the partial."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").symlink_to(victim)
    (out / "b.part").symlink_to(victim)
    files = {"/a": Resource(FILE), "/b": Resource(FILE)}
    async with serving(out, files) as (origin, engine):
        assert (await download(engine, origin.url("/a"))).name == "a (2)"
        assert (await download(engine, origin.url("/b"))).name == "b (2)"
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("content", [SMALL, FILE], ids=["small", "large"])
@pytest.mark.parametrize("case", ["a file", "below a file", "a locked part"])
async def test_what_cannot_be_written_is_told(
    tmp_path: Path, content: Content, case: str
) -> None:
    """No place for the file: an error of this machine, that names it."""
    (tmp_path / "a file").write_bytes(b"mine")
    (tmp_path / "a locked part").mkdir()
    directory = tmp_path / case.replace("below a file", "a file/below")
    async with Origin({"/x": Resource(content)}) as origin:
        with (tmp_path / "a locked part" / "x.part").open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            async with running(directory) as engine:
                with pytest.raises(LocalError, match=str(tmp_path)):
                    await download(engine, origin.url("/x"))
    assert (tmp_path / "a file").read_bytes() == b"mine"
    assert not (directory / "x").exists()


# -- digests

DIGESTS = ["md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"]


@pytest.mark.parametrize("content", [Content(0), SMALL, FILE], ids=lambda c: c.size)
@pytest.mark.parametrize("algorithm", DIGESTS)
async def test_the_right_digest_is_verified(
    tmp_path: Path, algorithm: str, content: Content
) -> None:
    """Every finished job with a digest says how it was verified."""
    digest = Digest(algorithm, content.digest(algorithm))
    async with serving(tmp_path, {"/a": Resource(content)}) as (origin, engine):
        spec = JobSpec(origin.url("/a"), checksum=digest)
        done = await engine.wait(engine.add(spec))
        [streamed] = await stream_all(engine, spec)
        verdicts = [job.verdict for job in engine.snapshot().jobs]
    assert verdicts == [f"verified ({algorithm}, from --checksum)"] * 2
    assert (tmp_path / "a").read_bytes() == streamed.data == content.read()
    assert done.verdict in verdicts


@pytest.mark.parametrize("content", [Content(0), SMALL, FILE], ids=lambda c: c.size)
async def test_a_wrong_digest_is_no_success(tmp_path: Path, content: Content) -> None:
    """On a mismatch disk jobs keep the data as NAME.part.bad, and fail."""
    wrong = Digest("sha256", "0" * 64)
    async with serving(tmp_path, {"/a": Resource(content)}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a"), checksum=wrong))
        with pytest.raises(IntegrityError, match=content.digest()):
            await engine.wait(job)
        assert look(engine, job).state is JobState.FAILED
    assert names(tmp_path) == ["a.part.bad"]
    assert (tmp_path / "a.part.bad").read_bytes() == content.read()


async def test_a_stream_with_a_wrong_digest_says_so(tmp_path: Path) -> None:
    """A stream has already delivered, so it says so."""
    wrong = Digest("sha256", "0" * 64)
    came: dict[str, bytearray] = {}
    async with serving(tmp_path, QUICKLY) as (origin, engine):
        with pytest.raises(IntegrityError):
            await pour(engine, [JobSpec(origin.url("/a"), checksum=wrong)], came)
    assert came == {"a": FILE.read()}


async def test_a_digest_survives_a_new_beginning(tmp_path: Path) -> None:
    """Where the body comes again from its first byte, so does the digest."""
    script = [CutAfter(2 * MIB), None, CutAfter(2 * MIB)]
    resource = Resource(FILE, ranges=False, script=script)
    digest = Digest("sha256", FILE.digest())
    async with serving(tmp_path, {"/a": resource}) as (origin, engine):
        spec = JobSpec(origin.url("/a"), checksum=digest)
        done = await engine.wait(engine.add(spec))
        [file] = await stream_all(engine, spec)
        assert len(origin.requests) == 4
    assert done.verdict.startswith("verified")
    assert file.data == FILE.read()


# -- what may be seen


async def test_events_tell_a_life_in_order(tmp_path: Path) -> None:
    """Events are the edges of a job's life, in order, each with a sentence."""
    digest = Digest("md5", FILE.digest("md5"))
    files = {"/a": Resource(FILE, script=[Status(503)], rate=SLOW)}
    async with serving(tmp_path, files) as (origin, engine), heard(engine) as events:
        job = engine.add(JobSpec(origin.url("/a"), checksum=digest))
        await until(has(engine, job, MIB))
        engine.pause(job)
        await settled(engine)
        engine.resume(job)
        await engine.wait(job)
        bad = engine.add(JobSpec(origin.url("/nothing")))
        with pytest.raises(RefusedError):
            await engine.wait(bad)
        await until(lambda: events[-1].kind is EventKind.FAILED)
    told = [event for event in events if event.kind is not EventKind.WINDOW]
    kinds = [event.kind for event in told if event.job == job]
    assert kinds == [
        EventKind.QUEUED,
        EventKind.RETRY,
        EventKind.PROBED,
        EventKind.STARTED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.STARTED,
        EventKind.VERIFIED,
        EventKind.DONE,
    ]
    kinds = [event.kind for event in events if event.job == bad]
    assert kinds == [EventKind.QUEUED, EventKind.FAILED]
    assert all(before.at <= after.at for before, after in pairwise(events))
    assert all(event.text for event in events)


async def test_a_change_of_the_window_is_told_with_its_reason(tmp_path: Path) -> None:
    """When a host asks for less, the log says so."""
    busy = [None, Status(429), None]
    files = {"/a": Resource(FILE, script=busy, rate=SLOW)}
    async with serving(tmp_path, files) as (origin, engine), heard(engine) as events:
        await engine.wait(engine.add(JobSpec(origin.url("/a"))))
    told = [event.text for event in events if event.kind is EventKind.WINDOW]
    assert any("HTTP 429" in text for text in told)


@asynccontextmanager
async def three_lanes(directory: Path) -> AsyncIterator[Engine]:
    """An engine whose job 1 is under way on three lanes, with a digest to check."""
    content = Content(8 * MIB, seed=3)
    spec = JobSpec("", checksum=Digest("sha256", content.digest()))
    files = {"/a": Resource(content, rate=SLOW)}
    async with serving(directory, files, threads=3) as (origin, engine):
        engine.add(replace(spec, url=origin.url("/a")))
        await until(has(engine, 1, MIB))
        await until(lambda: look(engine, 1).lane_count == 3)
        yield engine


async def test_a_snapshot_shows_the_lanes(tmp_path: Path) -> None:
    """Each connection: its range, how far it is, its speed, its state."""
    async with three_lanes(tmp_path) as engine:
        seen = look(engine, 1)
    lanes = sorted(seen.lanes, key=lambda lane: lane.range.start)
    assert [lane.number for lane in seen.lanes] == [0, 1, 2]
    assert all(a.range.stop <= b.range.start for a, b in pairwise(lanes))
    for lane in lanes:
        assert lane.range.start <= lane.mark <= lane.range.stop
        assert lane.rate < 2 * SLOW
        assert not lane.racing
    assert sum(piece.size for piece in seen.pieces) == seen.done
    assert seen.window is not None
    assert (seen.window.size, seen.window.flying, seen.window.ceiling) == (3, 3, 3)
    assert seen.window.host in seen.url
    assert seen.window.reason == "as asked"


async def test_a_snapshot_shows_front_and_hash(tmp_path: Path) -> None:
    """How far the file is whole, who holds the hole, and how far it is hashed."""
    async with three_lanes(tmp_path) as engine:
        seen = look(engine, 1)
    assert seen.front is not None
    assert seen.front.front == seen.pieces[0].stop
    assert seen.front.waiting == seen.done - seen.front.front
    assert seen.front.depth == len(seen.pieces) - 1
    assert seen.front.capacity is None
    holes = [lane.number for lane in seen.lanes if lane.mark == seen.front.front]
    assert holes == [seen.front.hole_lane]
    [hashing] = seen.hashes
    assert hashing.algorithm == "sha256"
    assert hashing.hashed <= seen.front.front
    assert hashing.actual is None


async def test_a_snapshot_of_everything_is_brief(tmp_path: Path) -> None:
    """Lanes, pieces and views are there for the job asked for, and for no other."""
    async with three_lanes(tmp_path) as engine:
        seen = engine.snapshot()
    [job] = seen.jobs
    assert (job.lanes, job.pieces) == ((), ())
    assert (job.window, job.front, job.hashes) == (None, None, ())
    assert job.lane_count == seen.flying == 3
    assert seen.received >= job.done
    assert 0 < seen.rate < 10 * SLOW


async def test_a_snapshot_shows_the_hole_of_a_stream(tmp_path: Path) -> None:
    """In a stream the front shows what waits in the heap, and who holds it up."""
    hold = asyncio.Event()
    files = {"/a": Resource(FILE, script=[Stall(100_000, until=hold)])}
    async with (
        serving(tmp_path, files) as (origin, engine),
        asyncio.TaskGroup() as group,
    ):
        reading = group.create_task(stream_all(engine, origin.url("/a")))
        await origin.until(lambda: origin.served > 2 * MIB)
        await until(lambda: _waiting(engine) > MIB and _front(engine) > 0)
        front = look(engine, 1).front
        hold.set()
        [file] = await reading
    assert file.data == FILE.read()
    assert front is not None
    assert 0 < front.front <= 256 * KIB
    assert front.depth > 0
    assert front.waiting <= 4 * MIB
    assert front.capacity == 4 * MIB


def _front(engine: Engine) -> int:
    front = look(engine, 1).front
    return front.front if front is not None else 0


def _waiting(engine: Engine) -> int:
    front = look(engine, 1).front
    return front.waiting if front is not None else 0
