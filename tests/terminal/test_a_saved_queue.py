"""The saved queue and the program: what a crash leaves, and who may have it."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from engine import JobId, JobSpec, JobState, journal, open_store
from engine.store import Saved
from engine.testing import Content, Origin, Resource
from tests.integration.support import until
from tests.support.processes import members
from tests.terminal.support import PATIENCE, Terminal, opened, queue_of

# -- killed ----------------------------------------------------------------------

JOBS = 500
FLYING = range(1, 9)
PIPED = range(9, 12)
"""Into a command, which has been given something when all ends."""
QUEUED = range(12, 251)
STATES = {
    JobState.PAUSED: range(251, 351),
    JobState.DONE: range(351, 431),
    JobState.FAILED: range(431, 471),
    JobState.CANCELLED: range(471, 496),
    JobState.EXPIRED: range(496, 501),
}
"""What has come to rest before."""
LARGE = Content(5_000_003, seed=1)
SMALL = Content(5_003, seed=2)
COMMAND = 'echo $$ >> "begun-$HYDRA_TUI_NAME"; cat > /dev/null'


def resources(rate: float | None) -> dict[str, Resource]:
    small = Resource(SMALL)
    large = Resource(LARGE, rate=rate)
    names = range(1, JOBS + 1)
    return {f"/{job}": large if job < QUEUED.start else small for job in names}


def rows(base: str, home: Path) -> Iterator[Saved]:
    """A queue in which there is everything; who is to run comes early, but not first."""
    ranks = random.Random("ranks").sample(range(JOBS), JOBS)
    for job, rank in enumerate(ranks, start=1):
        spec = JobSpec(
            f"{base}/{job}?key={job}",
            directory=home / "download",
            headers=(("X-Job", str(job)),),
            command=COMMAND if job in PIPED else None,
        )
        yield Saved(
            id=job,
            rank=rank - JOBS * (job < QUEUED.start),
            spec=spec,
            began=spec.url,
            state=state_of(job),
            name=str(job),
            size=SMALL.size if job >= QUEUED.start else None,
            done=job * 10 if job in STATES[JobState.PAUSED] else 0,
            verdict="HTTP 404" if job in STATES[JobState.FAILED] else "",
            target="",
        )


def state_of(job: JobId) -> JobState:
    found = (state for state, jobs in STATES.items() if job in jobs)
    return next(found, JobState.QUEUED)


@pytest.mark.slow
async def test_a_crash_costs_no_job_and_no_mark(tmp_path: Path) -> None:
    """Killed among five hundred jobs: each is there once, as and where it was.

    What ran goes on from its partial; a command is not begun again by itself.
    """
    out = tmp_path / "download"
    async with Origin(resources(rate=60_000)) as origin:
        before = {job.id: job for job in rows(origin.url(""), tmp_path)}
        order = fill(tmp_path, before)
        async with opened(tmp_path, "--jobs", "11") as terminal:
            await run_for_a_while(terminal, origin, out)
            terminal.send(signal.SIGKILL)
            assert await terminal.ended() == 128 + signal.SIGKILL
        groups = [int((out / f"begun-{job}").read_text()) for job in PIPED]
        await until(lambda: not any(map(members, groups)), within=5)
        check_left(tmp_path, before, order)
        there = sum(marks(out, job) for job in FLYING)
        served, origin.resources = origin.served, resources(rate=None)
        async with opened(tmp_path, "--jobs", "11") as terminal:
            await terminal.shows("‖ 100", f"✓ {80 + len(FLYING) + len(QUEUED)}", "! 5")
            terminal.type("q")
            assert await terminal.ended() == 0
        most = len(FLYING) * LARGE.size + len(QUEUED) * SMALL.size
        assert origin.served - served <= most - there
    assert {path.name for path in out.iterdir()} == {
        *map(str, (*FLYING, *QUEUED)),
        *(f"begun-{job}" for job in PIPED),
    }
    assert all((out / str(job)).read_bytes() == LARGE.read() for job in FLYING)
    assert [(out / f"begun-{job}").read_text().count("\n") for job in PIPED] == [1] * 3


def fill(home: Path, jobs: dict[JobId, Saved]) -> list[JobId]:
    """Write the queue, and say in which order it is."""
    store = open_store(queue_of(home))
    store.save(jobs.values(), (), JOBS)
    store.close()
    return sorted(jobs, key=lambda job: jobs[job].rank)


async def run_for_a_while(terminal: Terminal, origin: Origin, out: Path) -> None:
    """Until all that is to run has brought something, and the disk knows it."""
    await terminal.shows("▶ 11", "· 239", "‖ 100", "✓ 80", "! 5")
    await until(lambda: all((out / f"begun-{job}").exists() for job in PIPED))
    await until(lambda: all(marks(out, job) > 100_000 for job in FLYING), PATIENCE)


def marks(out: Path, job: JobId) -> int:
    """How much of a file its journal says is there."""
    record = journal.load(out / f"{job}.part.hydra")
    return sum(part.size for part in record.done) if record else 0


def check_left(home: Path, before: dict[JobId, Saved], order: list[JobId]) -> None:
    jobs = saved(home)
    assert [job.id for job in jobs] == order
    for job in jobs:
        was = before[job.id]
        if job.id in FLYING:
            assert job.state is JobState.QUEUED
        elif job.id in PIPED:
            assert (job.state, "interrupted" in job.verdict) == (JobState.FAILED, True)
        else:
            assert job == was
        assert job.spec == was.spec


# -- whose it is -----------------------------------------------------------------

ONE = Content(2_000_003, seed=4)


async def test_a_second_program_has_a_queue_of_its_own(tmp_path: Path) -> None:
    """With URLs it works beside the first, says so, and leaves the saved queue alone."""
    files = {name: Resource(ONE) for name in ("/one", "/two")}
    async with Origin(files) as origin, opened(tmp_path, origin.url("/one")) as first:
        await first.until(lambda: first.signs == {"one": "✓"})
        async with opened(tmp_path, origin.url("/two")) as second:
            await second.until(lambda: second.signs == {"two": "✓"})
            assert "private queue" in second.picture.splitlines()[0]
            second.type("q")
            assert await second.ended() == 0
        assert first.signs == {"one": "✓"}
    assert [job.name for job in saved(tmp_path)] == ["one"]
    assert (tmp_path / "download" / "two").read_bytes() == ONE.read()


async def test_a_second_program_has_nothing_to_show(tmp_path: Path) -> None:
    """Without URLs it ends with 7, and one line says what holds the queue."""
    async with opened(tmp_path) as first:
        await first.shows("Nothing queued yet")
        async with opened(tmp_path) as second:
            assert await second.ended() == 7
            held = f"hydra-tui: {queue_of(tmp_path)}: another run has it open\r\n"
            assert second.written.decode() == held


async def test_a_known_url_goes_on(tmp_path: Path) -> None:
    """One that is in the queue is not there twice; if it rests, it rests no more."""
    async with Origin({"/one": Resource(ONE, rate=300_000)}) as origin:
        async with opened(tmp_path, origin.url("/one")) as terminal:
            await terminal.until(lambda: terminal.signs == {"one": "▶"})
            terminal.type("p")
            await terminal.until(lambda: terminal.signs == {"one": "‖"})
            terminal.type("q")
            assert await terminal.ended() == 0
        origin.resources["/one"] = Resource(ONE)
        async with opened(tmp_path, origin.url("/one")) as terminal:
            await terminal.until(lambda: terminal.signs == {"one": "✓"})
            await terminal.shows("added 0, 1 already there")
    assert [job.id for job in saved(tmp_path)] == [1]
    assert (tmp_path / "download" / "one").read_bytes() == ONE.read()


async def test_what_was_typed_for_a_job_stays_its_own(tmp_path: Path) -> None:
    """Headers and lanes are still those of the job when it is taken up without them."""
    files = {name: Resource(ONE, rate=100_000) for name in ("/one", "/two")}
    typed = ("-H", "X-Key: mine", "-t", "3", "--no-verify")
    async with Origin(files) as origin:
        async with opened(tmp_path, *typed, origin.url("/one")) as terminal:
            await terminal.until(lambda: terminal.signs == {"one": "▶"})
            await origin.until(lambda: origin.served > 100_000)
            terminal.type("qq")
            assert await terminal.ended() == 0
        first = len(origin.requests)
        async with opened(
            tmp_path, "--jobs", "2", "-N", origin.url("/two")
        ) as terminal:
            await origin.until(
                lambda: len({each.path for each in origin.requests[first:]}) == 2
            )
            terminal.send(signal.SIGTERM)
            assert await terminal.ended() == 143
        keys = {
            (each.path, each.headers.get("x-key")) for each in origin.requests[first:]
        }
        assert keys == {("/one", "mine"), ("/two", None)}
    specs = [(job.spec.threads, job.spec.headers) for job in saved(tmp_path)]
    assert specs == [(3, (("X-Key", "mine"),)), (None, ())]


def saved(home: Path) -> Sequence[Saved]:
    """What is on disk, once the program has ended."""
    store = open_store(queue_of(home))
    store.close()
    return store.jobs
