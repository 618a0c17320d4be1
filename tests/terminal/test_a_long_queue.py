"""Ten thousand jobs: soon there, never in the way, and soon gone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from engine import JobSpec, JobState, open_store
from engine.store import Saved
from tests.terminal.support import Terminal, opened, queue_of, steered

JOBS = 10_000
STATES = (JobState.PAUSED, JobState.DONE, JobState.FAILED, JobState.CANCELLED)
SOON = 3.0
"""Seconds to the first whole screen; a third of that where nobody else works."""
MOST_LAG = 0.1
"""Seconds, in all turns but one in a hundred; a quarter of that where nobody works."""
GIB = 1 << 30


def rows(home: Path) -> Iterator[Saved]:
    for job in range(1, JOBS + 1):
        name, state = f"file-{job:05}.fastq.gz", STATES[job % 4]
        spec = JobSpec(
            f"https://example.org/{job % 37}/{name}?sig={job}", directory=home
        )
        yield Saved(
            id=job,
            rank=job,
            spec=spec,
            began=spec.url,
            state=state,
            name=name,
            size=GIB,
            done=GIB if state is JobState.DONE else job * 1000,
            verdict="HTTP 404" if state is JobState.FAILED else "",
            target=str(home / name),
        )


@pytest.mark.slow
async def test_ten_thousand_jobs(tmp_path: Path) -> None:
    """The screen stands at once, a key that is held down moves on, all can be removed."""
    store = open_store(queue_of(tmp_path))
    store.save(rows(tmp_path), (), JOBS)
    store.close()
    began = monotonic()
    async with opened(tmp_path, program=steered("watched", tmp_path)) as terminal:
        await terminal.shows("Queue  10000 jobs", "q Quit")
        assert monotonic() - began < SOON
        terminal.send(signal.SIGUSR1)
        await hold_down(terminal, presses=200)
        terminal.send(signal.SIGUSR2)
        await remove_all(terminal)
        terminal.type("q")
        assert await terminal.ended() == 0
    _, p99 = (tmp_path / "report").read_text().split()
    assert float(p99) < MOST_LAG
    store = open_store(queue_of(tmp_path))
    store.close()
    assert (store.jobs, store.last) == ([], JOBS)


async def hold_down(terminal: Terminal, *, presses: int) -> None:
    """As fast as the screen follows."""
    for row in range(10, presses + 1, 10):
        terminal.type("j" * 10)
        await terminal.until(lambda: selected(terminal) == row + 1)  # noqa: B023


def selected(terminal: Terminal) -> int:
    return next((job.number for job in terminal.jobs if job.is_selected), 0)


async def remove_all(terminal: Terminal) -> None:
    terminal.type("*d")
    await terminal.shows("Remove 10,000 jobs?")
    terminal.type("r")
    await terminal.shows("Nothing queued yet")
