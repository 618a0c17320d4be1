"""However it ends: its exit code, a sane terminal, and a queue that is all there."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import Config, Engine, JobSpec, JobState, open_store
from engine.testing import Content, Origin, Resource
from tests.integration.support import until
from tests.support.processes import members
from tests.terminal.support import (
    PROGRAM,
    Terminal,
    opened,
    queue_of,
    steered,
)

FILE = Content(40_000_003, seed=3)
FINISHING = "echo $$ > pid; cat > got; touch finished"
"""Leaves `finished` only where its input has come to an end."""
OBSTINATE = f"trap '' TERM; {FINISHING}"
"""Takes a while to be ended."""
WITHIN = 1.0
"""Seconds from a signal to the end."""
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@dataclass(frozen=True, slots=True)
class Busy:
    """The program with a file, a command and a paused job under way."""

    home: Path
    terminal: Terminal
    origin: Origin
    group: int
    """The process group of the command."""

    def check_saved(self) -> None:
        """Each job is in its place, and its partial too; nobody is left behind."""
        store = open_store(queue_of(self.home))
        store.close()
        assert [(job.name, job.state) for job in store.jobs] == [
            ("paused", JobState.PAUSED),
            ("file", JobState.QUEUED),
            ("piped", JobState.FAILED),
        ]
        file, piped = store.jobs[1:]
        assert 0 < file.done <= (self.home / "download" / "file.part").stat().st_size
        assert "interrupted" in piped.verdict
        assert not members(self.group)
        assert not (self.home / "download" / "finished").exists()


@asynccontextmanager
async def busy(
    home: Path, program: tuple[str, ...] = PROGRAM, *, command: str = FINISHING
) -> AsyncIterator[Busy]:
    names = ("paused", "file", "piped")
    files = {f"/{name}": Resource(FILE, rate=400_000) for name in names}
    async with Origin(files) as origin:
        await fill(home, [origin.url(path) for path in files], command)
        arguments = ("--jobs", "2")
        async with opened(home, *arguments, program=program) as terminal:
            pid = home / "download" / "pid"
            await terminal.until(
                lambda: list(terminal.signs.values()) == ["‖", "▶", "▶"]
            )
            await until(lambda: pid.exists() and pid.read_text())
            await until(lambda: origin.served > 1_000_000)
            yield Busy(home, terminal, origin, int(pid.read_text()))


async def fill(home: Path, urls: list[str], command: str) -> None:
    """A saved queue: one that rests, one for the disk, one for a command."""
    paused, file, piped = urls
    config = Config(output=home / "download")
    async with Engine(config, open_store(queue_of(home))) as engine:
        engine.hold()
        engine.add(JobSpec(paused), paused=True)
        engine.add(JobSpec(file))
        engine.add(JobSpec(piped, command=command))


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_a_signal_ends_it_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """128 and the signal within a second, a sane terminal, and the queue is saved."""
    async with busy(tmp_path) as run:
        run.terminal.send(number)
        assert await run.terminal.ended(WITHIN) == SIGNALS[number]
        assert run.terminal.is_restored
        run.check_saved()


async def test_further_signals_cut_nothing_off(tmp_path: Path) -> None:
    """A window that is closed sends SIGHUP twice, the second to whoever is saving."""
    async with busy(tmp_path, command=OBSTINATE) as run:
        while run.terminal.runs:
            run.terminal.send(signal.SIGHUP)
            await asyncio.sleep(0.01)
        assert await run.terminal.ended() == 129
        run.check_saved()


async def test_a_closed_window_ends_it_at_once(tmp_path: Path) -> None:
    """The terminal is gone: 129, the queue is saved, and no command goes on."""
    async with busy(tmp_path) as run:
        run.terminal.hang_up()
        assert await run.terminal.ended(WITHIN) == 129
        run.check_saved()


async def test_ctrl_c_twice_ends_it_at_once(tmp_path: Path) -> None:
    """Asking twice is an answer: 0, as whoever quits means it."""
    async with busy(tmp_path) as run:
        run.terminal.type("\x03")
        await run.terminal.shows("Quit with 2 live downloads?")
        run.terminal.type("\x03")
        assert await run.terminal.ended(WITHIN) == 0
        assert run.terminal.is_restored
        run.check_saved()


@pytest.mark.parametrize("kind", ["breaking", "collapsing"])
async def test_a_bug_of_ours_costs_nobody_anything(kind: str, tmp_path: Path) -> None:
    """1, a sane terminal, a saved queue, and a word without values: they may be secret."""
    async with busy(tmp_path, steered(kind, tmp_path)) as run:
        run.terminal.send(signal.SIGUSR1)
        assert await run.terminal.ended() == 1
        assert run.terminal.is_restored
        run.check_saved()
        assert "RuntimeError: a bug with 7 letters" in run.terminal.last_words
        assert b"hunter2" not in run.terminal.written
