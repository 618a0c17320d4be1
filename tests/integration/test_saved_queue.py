"""The saved queue: whatever ends a run, the next one has all there was to do."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from engine import (
    CommandError,
    Config,
    Digest,
    Engine,
    EngineSnapshot,
    EventKind,
    ExpiredError,
    HydraError,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
    LocalError,
    QueueHeldError,
    Store,
    UsageError,
    open_store,
)
from engine.testing import Content, CutAfter, Origin, Resource, Stall, Status
from tests.integration.support import (
    FILE,
    KIB,
    MIB,
    PATIENCE,
    ROOT,
    SMALL_STEPS,
    settled,
    stream_all,
    until,
)
from tests.integration.test_engine import has, heard, look

SMALL = Content(5_003, seed=31)
SLOW = Resource(FILE, rate=300_000)
SILENT = Resource(FILE, script=lambda _: Stall(0))
FAR = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "queue.db"


@asynccontextmanager
async def running(
    path: Path, *, held: bool = False, store: Store | None = None, **settings: Any
) -> AsyncIterator[Engine]:
    """A run of the program, as far as the queue is concerned."""
    config = Config(output=path.parent.parent / "out", **(SMALL_STEPS | settings))
    engine = Engine(config, store or open_store(path))
    if held:
        engine.hold()
    async with asyncio.timeout(PATIENCE), engine:
        yield engine


def states(snapshot: EngineSnapshot) -> dict[JobId, JobState]:
    return {job.id: job.state for job in snapshot.jobs}


def rows(path: Path) -> dict[JobId, tuple[float, str]]:
    """What is on disk, as nobody's business but the test's."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT id, rank, job FROM jobs")
        return {number: (rank, job) for number, rank, job in found}


# -- what comes back -------------------------------------------------------------


async def test_a_quiet_queue_is_there_again_as_it_was(path: Path) -> None:
    """Every job in its place, with all that could be seen of it."""
    files = {"/done": Resource(SMALL), "/slow": SLOW}
    async with Origin(files) as origin:
        async with running(path, jobs=1) as engine:
            done, failed, cancelled, paused = (
                engine.add(JobSpec(origin.url(f"/{name}?key=secret"), threads=3))
                for name in ("done", "failed", "cancelled", "slow")
            )
            engine.cancel(cancelled)
            await engine.wait(done)
            with pytest.raises(HydraError):
                await engine.wait(failed)
            await until(has(engine, paused, 100_000))
            engine.pause(paused)
            await settled(engine)
            engine.set_limit(1e6, paused)
            engine.move(paused, -FAR)
            before = engine.snapshot().jobs
        asked = len(origin.requests)
        async with running(path) as engine:
            assert engine.snapshot().jobs == before
            assert [job.state for job in before] == [
                JobState.PAUSED,
                JobState.DONE,
                JobState.FAILED,
                JobState.CANCELLED,
            ]
            assert (await engine.wait(done)).target.endswith("out/done")
            with pytest.raises(HydraError, match="HTTP 404") as raised:
                await engine.wait(failed)
            assert raised.value.about == origin.url("/failed?key=***")
            assert engine.add(JobSpec(origin.url("/done")), paused=True) == 5
        assert len(origin.requests) == asked


async def test_what_ran_goes_on_by_itself(path: Path) -> None:
    """Quitting pauses nobody: the next start goes on with what is on disk."""
    async with Origin({"/a": SLOW, "/b": Resource(SMALL)}) as origin:
        async with running(path, jobs=1) as engine:
            one, two = (engine.add(JobSpec(origin.url(f"/{name}"))) for name in "ab")
            await until(has(engine, one, MIB))
        served = origin.served
        origin.resources["/a"] = Resource(FILE)
        async with running(path, held=True) as engine:
            now = engine.snapshot()
            assert states(now) == {one: JobState.QUEUED, two: JobState.QUEUED}
            assert now.jobs[0].done >= MIB
            assert now.jobs[0].size == FILE.size
            engine.release()
            for job in (one, two):
                await engine.wait(job)
        assert origin.served - served <= FILE.size - MIB + SMALL.size
    assert (path.parent.parent / "out" / "a").read_bytes() == FILE.read()


async def test_a_spec_comes_back_whole(path: Path, monkeypatch: Any) -> None:
    """Headers, digest, limits and all; the folder as it was when it was added."""
    monkeypatch.chdir(path.parent.parent)
    spec = JobSpec(
        "http://user:pw@127.0.0.1:1/a?sig=1",
        directory=Path("here"),
        name="mine",
        checksum=Digest("sha256", "0" * 64),
        headers=(("X-Key", "secret"),),
        threads=2,
        limit=5e4,
        command="tar x",
    )
    async with running(path) as engine:
        job = engine.add(spec, paused=True)
        plain = engine.add(JobSpec("http://127.0.0.1:1/b"), paused=True)
    monkeypatch.chdir("/")
    placed = replace(spec, directory=path.parent.parent / "here")
    async with running(path) as engine:
        assert engine.spec(job) == placed
        assert engine.find(placed) == job
        assert engine.spec(plain).directory == path.parent.parent / "out"


async def test_what_was_set_meanwhile_is_saved(path: Path) -> None:
    """Threads, limit, another spec, removal: each change is on disk."""
    spec = JobSpec("http://127.0.0.1:1/a")
    async with running(path) as engine:
        jobs = [engine.add(spec, paused=True) for _ in range(4)]
        engine.set_threads(jobs[0], 7)
        engine.set_limit(5e4, jobs[1])
        engine.revise(jobs[2], replace(spec, name="other"))
        engine.remove(jobs[3])
    async with running(path) as engine:
        specs = [engine.spec(job.id) for job in engine.snapshot().jobs]
        assert [each.threads for each in specs] == [7, None, None]
        assert [each.limit for each in specs] == [None, 5e4, None]
        assert [each.name for each in specs] == [None, None, "other"]
        assert {job.state for job in engine.snapshot().jobs} == {JobState.PAUSED}
        assert engine.add(spec, paused=True) == 5


async def test_a_number_is_for_ever(path: Path) -> None:
    """Also one that was removed in the breath in which it was given."""
    async with running(path) as engine:
        job = engine.add(JobSpec("http://127.0.0.1:1/a"), paused=True)
        engine.remove(job)
    async with running(path) as engine:
        assert not engine.snapshot().jobs
        assert engine.add(JobSpec("http://127.0.0.1:1/a"), paused=True) == job + 1


async def test_a_move_writes_one_row(path: Path) -> None:
    """However long the queue is."""
    async with running(path) as engine:
        for number in range(100):
            engine.add(JobSpec(f"http://127.0.0.1:1/{number}"), paused=True)
    before = rows(path)
    async with running(path) as engine:
        engine.move(50, -30)
        expected = [job.id for job in engine.snapshot().jobs]
    after = rows(path)
    assert [job for job in after if after[job] != before[job]] == [50]
    async with running(path) as engine:
        assert [job.id for job in engine.snapshot().jobs] == expected


@pytest.mark.parametrize("rest", ["in this run", "in the next"])
async def test_an_expired_job_may_be_renewed(
    path: Path, rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partial is known by the link it began with, wherever the fresh one leads."""
    monkeypatch.setattr("engine.patience.random.random", lambda: 0.0)
    expiring = Resource(
        FILE, script=lambda request: Status(403) if request.number > 3 else None
    )
    async with Origin({"/a": expiring, "/fresh": SILENT}) as origin:
        async with running(path) as engine:
            job = engine.add(JobSpec(origin.url("/a?sig=1")))
            await until(lambda: look(engine, job).state is JobState.EXPIRED)
            if rest == "in this run":
                engine.renew(job, origin.url("/fresh?sig=2"))
                await until(lambda: "/fresh" in {r.path for r in origin.requests})
        async with running(path) as engine:
            if rest == "in the next":
                assert look(engine, job).state is JobState.EXPIRED
                with pytest.raises(ExpiredError, match="403"):
                    await engine.wait(job)
                engine.renew(job, origin.url("/fresh?sig=2"))
        served = origin.served
        origin.resources["/fresh"] = Resource(FILE)
        async with running(path) as engine:
            assert engine.spec(job).url == origin.url("/fresh?sig=2")
            assert engine.find(JobSpec(origin.url("/a?sig=1"))) == job
            await engine.wait(job)
        assert origin.served - served < FILE.size - 256 * KIB
    assert [each.name for each in (path.parent.parent / "out").iterdir()] == ["a"]


async def test_a_restored_partial_may_be_deleted(path: Path) -> None:
    """The job of another run is removed with what it left."""
    async with Origin({"/a": SLOW}) as origin:
        async with running(path) as engine:
            job = engine.add(JobSpec(origin.url("/a")))
            await until(has(engine, job, 100_000))
            engine.pause(job)
        out = path.parent.parent / "out"
        assert len(list(out.iterdir())) == 2
        async with running(path) as engine, heard(engine) as events:
            engine.remove(job, delete=True)
            await until(lambda: events)
        assert list(out.iterdir()) == []
    assert rows(path) == {}


async def test_what_goes_to_a_reader_is_not_saved(path: Path) -> None:
    """A stream is over with the process that reads it."""
    async with running(path) as engine:
        with pytest.raises(UsageError, match="saved queue"):
            await stream_all(engine, "http://127.0.0.1:1/a")


# -- commands --------------------------------------------------------------------


def begun(directory: Path) -> int:
    """How often the command was begun."""
    marks = directory / "begun"
    return len(marks.read_text().split()) if marks.exists() else 0


@pytest.mark.parametrize("paused", [False, True])
async def test_a_command_is_not_begun_again_by_itself(
    path: Path, *, paused: bool
) -> None:
    """What it was given is gone with it; only somebody's own wish begins it anew."""
    out = path.parent.parent / "out"
    command = "echo x >> begun; cat > got"
    async with Origin({"/a": SLOW}) as origin:
        async with running(path) as engine:
            job = engine.add(JobSpec(origin.url("/a"), command=command))
            await until(lambda: begun(out))
            if paused:
                engine.pause(job)
        origin.resources["/a"] = Resource(FILE)
        async with running(path) as engine:
            seen = look(engine, job)
            assert seen.state is JobState.FAILED
            assert "interrupted" in seen.verdict
            with pytest.raises(HydraError, match="interrupted"):
                await engine.wait(job)
            assert begun(out) == 1
            engine.retry(job)
            assert (await engine.wait(job)).state is JobState.DONE
    assert begun(out) == 2
    assert (out / "got").read_bytes() == FILE.read()


async def test_a_command_that_had_not_begun_waits(path: Path) -> None:
    """Nobody has had a byte: it goes on waiting, and is begun then."""
    out = path.parent.parent / "out"
    async with Origin({"/a": Resource(FILE, latency=3600.0)}) as origin:
        async with running(path) as engine:
            spec = JobSpec(origin.url("/a"), command="echo x >> begun; cat > got")
            job = engine.add(spec)
            await until(lambda: bool(origin.requests))
        origin.resources["/a"] = Resource(FILE)
        async with running(path) as engine:
            assert look(engine, job).state is not JobState.FAILED
            await engine.wait(job)
    assert begun(out) == 1
    assert (out / "got").read_bytes() == FILE.read()


async def test_a_command_begins_when_the_disk_knows(path: Path) -> None:
    """A crash right after its first breath must not have it begun again."""
    out = path.parent.parent / "out"
    known: list[str] = []
    command = f"cp '{path}' copy; cp '{path}-wal' copy-wal; cat > got; exit 3"
    async with Origin({"/a": Resource(SMALL)}) as origin:
        async with running(path) as engine:
            with pytest.raises(CommandError):
                await engine.wait(
                    engine.add(JobSpec(origin.url("/a"), command=command))
                )
        known.extend(json.loads(job)["state"] for _, job in rows(out / "copy").values())
    assert known == ["failed"]


# -- a disk that does not do what it should --------------------------------------


class Unwilling(Store):
    """A store whose disk is full, or hangs, for as long as one likes."""

    def __init__(self, store: Store) -> None:
        super().__init__(
            store.path, store._connection, jobs=store.jobs, last=store.last
        )
        self.is_full = False
        self.moves = threading.Event()
        self.moves.set()
        self.tries = 0

    def save(self, *what: Any) -> None:
        self.tries += 1
        self.moves.wait(PATIENCE)
        if self.is_full:
            raise LocalError(f"{self.path}: database or disk is full")
        super().save(*what)


async def test_a_full_disk_costs_no_download(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, tried again, and said again when it is well."""
    monkeypatch.setattr("engine.saving.AGAIN", 0.05)
    store = Unwilling(open_store(path))
    store.is_full = True
    async with (
        Origin({"/a": Resource(SMALL)}) as origin,
        running(path, store=store) as engine,
        heard(engine) as events,
    ):
        for _ in range(5):
            await engine.wait(engine.add(JobSpec(origin.url("/a"))))
        await until(lambda: store.tries > 3)
        [told] = [event for event in events if event.kind is EventKind.UNSAVED]
        assert told.job == 0
        assert "full" in told.text
        store.is_full = False
        await until(lambda: events[-1] is not told and events[-1].job == 0)
        assert events[-1].text == "the queue is saved again"
        tries = store.tries
        engine.set_limit(1e6, 1)
        await until(lambda: store.tries > tries)
    async with running(path) as engine:
        assert set(states(engine.snapshot()).values()) == {JobState.DONE}
        assert engine.spec(1).limit == 1e6


async def test_a_disk_that_hangs_holds_nobody_up(path: Path) -> None:
    """Neither the downloads nor the end of the program waits for it."""
    store = Unwilling(open_store(path))
    store.moves.clear()
    async with Origin({"/a": Resource(SMALL)}) as origin:
        async with running(path, store=store) as engine:
            await engine.wait(engine.add(JobSpec(origin.url("/a"))))
            began = monotonic()
        assert monotonic() - began < 1
    store.moves.set()
    await until(lambda: is_free(path))


def is_free(path: Path) -> bool:
    try:
        open_store(path).close()
    except QueueHeldError:
        return False
    return True


async def test_one_turn_is_one_transaction(path: Path) -> None:
    """A paste of a thousand links is written once, not a thousand times."""
    store = Unwilling(open_store(path))
    async with running(path, store=store) as engine:
        for number in range(1000):
            engine.add(JobSpec(f"http://127.0.0.1:1/{number}"), paused=True)
    assert store.tries == 1
    assert len(rows(path)) == 1000


async def test_the_queue_has_one_owner(path: Path) -> None:
    """For as long as the engine lives, and not a moment longer."""
    async with running(path):
        with pytest.raises(QueueHeldError):
            open_store(path)
    assert is_free(path)


async def test_ten_thousand_jobs_come_back(path: Path) -> None:
    """In order, each as it was, and looking again describes none of them anew."""
    async with running(path, held=True) as engine:
        for number in range(10_000):
            spec = JobSpec(f"http://127.0.0.1:1/data/{number}.bin?sig={number}")
            engine.add(spec, paused=number % 3 == 0, first=number % 1000 == 999)
        for job in range(1, 10_000, 100):
            engine.move(job, job * 7919 % 5000 - 2500)
        before = engine.snapshot().jobs
    async with running(path, held=True) as engine:
        after = engine.snapshot().jobs
        assert after == before
        assert all(
            one is two for one, two in zip(after, engine.snapshot().jobs, strict=True)
        )
        assert [job.id for job in after] != sorted(job.id for job in after)


# -- a crash ---------------------------------------------------------------------

CHILD = """
import asyncio, json, sys
from tests.integration.test_saved_queue import crashing
asyncio.run(crashing(*sys.argv[1:]))
"""
JOBS = 500
DONE = range(1, 81)
FAILED = range(81, 121)
CANCELLED = range(121, 141)
EXPIRED = range(141, 144)
PIPED = range(144, 147)
"""Jobs that end in a command; it is given its first bytes, and then has to wait."""
FLYING = range(147, 155)
PAUSED = range(155, 255)
"""What is behind them is queued."""
COMMAND = 'echo x >> "begun-$HYDRA_TUI_NAME"; cat > /dev/null'


def crash_spec(base: str, job: JobId) -> JobSpec:
    headers = (("X-Job", str(job)),)
    spec = JobSpec(f"{base}/{job}?key={job}", headers=headers, threads=1)
    return replace(spec, command=COMMAND) if job in PIPED else spec


def crash_script(request: Any) -> Any:
    job = int(request.path[1:])
    if job in FAILED:
        return Status(404)
    if job in EXPIRED:
        return CutAfter(100_000) if request.number == 1 else Status(403)
    return None


def crash_origin() -> Origin:
    small = Resource(SMALL, script=crash_script)
    large = Resource(FILE, script=crash_script, rate=20_000)
    brisk = Resource(FILE, script=crash_script)
    files = {f"/{job}": small for job in range(1, JOBS + 1)}
    files |= {f"/{job}": large for job in (*PIPED, *FLYING)}
    return Origin(files | {f"/{job}": brisk for job in EXPIRED})


def acts(seed: str) -> Iterable[tuple[str, JobId, int]]:
    """What is done to the queue, the same for whoever knows the seed."""
    dice = random.Random(seed)
    while True:
        act = dice.choice(["move", "move", "pause", "resume", "limit"])
        job = dice.choice(PAUSED if act != "limit" else range(1, JOBS + 1))
        yield act, job, dice.choice([-FAR, FAR, dice.randint(-40, 40)])


def steer(engine: Engine, act: str, job: JobId, number: int) -> None:
    match act:
        case "move":
            engine.move(job, number)
        case "pause":
            engine.pause(job)
        case "resume":
            engine.resume(job)
        case _:
            engine.set_limit(abs(number) + 1.0, job)


async def crashing(path: str, base: str, seed: str) -> None:
    """In the process that is killed: five hundred jobs in all states, steered about."""
    jobs = len(PIPED) + len(FLYING)
    out = Path(path).parent.parent / "out"
    config = Config(output=out, jobs=jobs, give_up_after=1.0, **SMALL_STEPS)
    async with Engine(config, open_store(Path(path))) as engine:
        for job in range(1, PIPED.start):
            engine.add(crash_spec(base, job), paused=job in CANCELLED)
        for job in CANCELLED:
            engine.cancel(job)
        await until(lambda: all_in(engine, [*DONE], JobState.DONE))
        await until(lambda: all_in(engine, [*FAILED], JobState.FAILED))
        await until(lambda: all_in(engine, [*EXPIRED], JobState.EXPIRED))
        for job in range(PIPED.start, JOBS + 1):
            engine.add(crash_spec(base, job), paused=job in PAUSED)
        await until(lambda: all_in(engine, [*PIPED, *FLYING], JobState.RUNNING))
        engine.hold()  # or a job would be done that is to be paused
        saver = engine._saver
        assert saver is not None
        for count, act in enumerate(acts(seed)):
            steer(engine, *act)
            await saver.flush(PATIENCE)
            print(count + 1, flush=True)  # noqa: T201


def all_in(engine: Engine, jobs: list[JobId], state: JobState) -> bool:
    now = states(engine.snapshot())
    return all(now[job] is state for job in jobs)


def expected(
    seed: str, count: int
) -> tuple[list[JobId], set[JobId], dict[JobId, float]]:
    """Order, who is paused, and limits, when so much has been done."""
    order, paused = list(range(1, JOBS + 1)), set(PAUSED)
    limits: dict[JobId, float] = {}
    for _, (act, job, number) in zip(range(count), acts(seed), strict=False):
        match act:
            case "move":
                at = order.index(job)
                order.remove(job)
                order.insert(min(max(at + number, 0), JOBS - 1), job)
            case "pause":
                paused.add(job)
            case "resume":
                paused.discard(job)
            case _:
                limits[job] = abs(number) + 1.0
    return order, paused, limits


async def killed(path: Path, base: str, seed: str) -> int:
    """Let the child run, and kill it in the middle of something; how far it had come."""
    command = [sys.executable, "-c", CHILD, str(path), base, seed]
    log = path.parent.parent / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, cwd=ROOT) as child,  # noqa: ASYNC220
    ):
        try:
            async with asyncio.timeout(60):
                while log.stat().st_size == 0:
                    assert child.poll() is None
                    await asyncio.sleep(0.01)
            await asyncio.sleep(random.Random(seed).random())
        finally:
            child.kill()
    lines = log.read_text().splitlines(keepends=True)
    return int([line for line in lines if line.endswith("\n")][-1])


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", ["a", "b", "c"])
async def test_a_crash_loses_nothing(path: Path, seed: str) -> None:
    """Killed at any moment: nothing is lost, nothing is there twice, all is as promised.

    What was confirmed is on disk; the one act that was not may have been.
    """
    out = path.parent.parent / "out"
    async with crash_origin() as origin:
        count = await killed(path, origin.url(""), seed)
        origin.sever()
        async with running(path, held=True, jobs=16) as engine:
            jobs = engine.snapshot().jobs
            found = [
                [job.id for job in jobs],
                {job.id for job in jobs if job.state is JobState.PAUSED},
                {job.id: job.limit for job in jobs if job.limit is not None},
            ]
            assert found in [list(expected(seed, n)) for n in (count, count + 1)]
            check_crashed(engine, origin.url(""), jobs)
            assert all((out / str(job)).read_bytes() == SMALL.read() for job in DONE)
            for job in (*PIPED, *FLYING):
                origin.resources[f"/{job}"] = Resource(FILE)
            engine.release()
            for job in FLYING:
                engine.set_limit(None, job)
                await engine.wait(job)
            assert all((out / str(job)).read_bytes() == FILE.read() for job in FLYING)
            assert [begun_by(out, job) for job in PIPED] == [1, 1, 1]


def check_crashed(engine: Engine, base: str, jobs: tuple[JobSnapshot, ...]) -> None:
    """Specs and states are what they must be after a crash."""
    out = engine.config.output.absolute()
    for job in jobs:
        spec = replace(crash_spec(base, job.id), directory=out, limit=job.limit)
        assert engine.spec(job.id) == spec
        assert job.state in allowed(job.id), job
    assert all("404" in job.verdict for job in jobs if job.id in FAILED)
    assert all("interrupted" in job.verdict for job in jobs if job.id in PIPED)


def allowed(job: JobId) -> set[JobState]:
    """Once a paused one has been resumed it is queued, or even done by now."""
    if job in PAUSED:
        return {JobState.PAUSED, JobState.QUEUED, JobState.DONE}
    if job in FAILED or job in PIPED:
        return {JobState.FAILED}
    for jobs, state in (
        (DONE, JobState.DONE),
        (CANCELLED, JobState.CANCELLED),
        (EXPIRED, JobState.EXPIRED),
        (FLYING, JobState.QUEUED),
    ):
        if job in jobs:
            return {state}
    return {JobState.QUEUED, JobState.DONE}


def begun_by(out: Path, job: JobId) -> int:
    return len((out / f"begun-{job}").read_text().split())
