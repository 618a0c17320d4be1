"""A terminal that stops reading: nobody waits for it, and then it sees all there is."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from tests.integration.support import until
from tests.terminal.support import Terminal, opened, steered

FILE = Content(60_000_007, seed=6)
RATE = 500_000
LONGEST = 1.0
"""Seconds for one turn of the loop: a busy machine is no stalled terminal."""


@pytest.mark.slow
async def test_nothing_waits_for_a_terminal_that_stalls(tmp_path: Path) -> None:
    """Bytes come and keys are taken, under a dialog and a toast, as if it did read."""
    files = {"/file": Resource(FILE, rate=RATE)}
    watched = steered("watched", tmp_path)
    async with Origin(files) as origin:
        urls = [origin.url(path) for path in ("/file", "/nowhere")]
        async with opened(tmp_path, "-t", "4", *urls, program=watched) as terminal:
            await open_a_dialog(terminal)
            terminal.stall()
            terminal.send(signal.SIGUSR1)
            await type_blindly(terminal, origin)
            terminal.attend()
            await terminal.shows("nonsense" * 4, "1 invalid")
            await check_whole(terminal)
            terminal.type("q")
            assert await terminal.ended() == 0
    longest, _ = (tmp_path / "report").read_text().split()
    assert float(longest) < LONGEST


async def open_a_dialog(terminal: Terminal) -> None:
    """And a toast, that somebody might have to take away again."""
    await terminal.shows("404")
    terminal.type("a")
    await terminal.shows("Add downloads", "#2 failed")


async def type_blindly(terminal: Terminal, origin: Origin) -> None:
    """A letter now and then, each of which is drawn: more than any buffer holds."""
    served = origin.served
    for letter in "nonsense" * 20:
        terminal.type(letter)
        served += 4 * RATE // 40
        await origin.until(lambda: origin.served > served)  # noqa: B023


async def check_whole(terminal: Terminal) -> None:
    """What is on screen is what is drawn when all is drawn anew."""
    terminal.type("\x1b")
    await terminal.hides("Add downloads")
    terminal.type("P7")
    await terminal.shows("‖ 1", "[7 Info]", "Nothing runs any more")
    await terminal.hides("#2 failed")
    seen = await still(terminal)
    terminal.forget()
    terminal.type("\x0c")
    await terminal.until(lambda: below_the_top(terminal) == seen)


async def still(terminal: Terminal) -> list[str]:
    """What is seen once it changes no more."""
    seen: list[str] = []
    while (now := below_the_top(terminal)) != seen:
        seen = now
        await asyncio.sleep(0.3)
    return seen


def below_the_top(terminal: Terminal) -> list[str]:
    """All but the first line, in which something always moves."""
    return terminal.picture.splitlines()[1:]


@pytest.mark.slow
async def test_frames_that_nobody_reads_are_left_out(tmp_path: Path) -> None:
    """While 128 lanes move and keys are pressed the loop goes on, with no backlog.

    What changed meanwhile is seen afterwards, whole.
    """
    async with opened(tmp_path, program=steered("moving", tmp_path)) as terminal:
        await terminal.shows("Throughput")
        terminal.stall()
        terminal.send(signal.SIGUSR1)
        terminal.type("134567" * 12 + "2")
        await asyncio.sleep(2.5)  # the stall is what is tested
        before = len(terminal.written)
        terminal.attend()
        await terminal.shows("[2 Lanes]", "q Quit")
        assert len(terminal.written) - before < 600_000
        terminal.type("qq")
        assert await terminal.ended() == 0
    longest, _ = (tmp_path / "report").read_text().split()
    assert float(longest) < LONGEST


async def test_the_end_does_not_wait_either(tmp_path: Path) -> None:
    """SIGTERM ends it within a second or so; what restores the terminal waits in it."""
    async with opened(tmp_path, program=steered("moving", tmp_path)) as terminal:
        await terminal.shows("Throughput")
        terminal.stall()
        await asyncio.sleep(1.0)  # until it is full
        terminal.send(signal.SIGTERM)
        await until(lambda: not terminal.runs, within=2)
        assert await terminal.ended() == 128 + signal.SIGTERM
        assert terminal.is_restored
