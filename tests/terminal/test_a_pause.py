"""Stopped by the shell or by anybody: the terminal is theirs, and then ours again."""

from __future__ import annotations

import asyncio
import hashlib
import shlex
import signal
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from tests.terminal.support import PROGRAM, Terminal, opened, steered

FILE = Content(8_000_011, seed=7)
SHELL = ("bash", "--norc", "--noprofile", "-i")
STALL_TIMEOUT = 1.0


@pytest.mark.slow
async def test_a_shell_has_it_stopped_and_goes_on_with_it(tmp_path: Path) -> None:
    """ctrl+z, another command, and fg: longer than any connection would be waited for.

    The terminal is the shell's meanwhile, then the screen is whole, and so is the file.
    """
    slow = {"/file": Resource(FILE, rate=800_000)}
    async with (
        Origin(slow) as origin,
        opened(tmp_path, program=SHELL, PS1="ready> ") as terminal,
    ):
        await terminal.shows("ready>")
        as_before = terminal.modes
        command = [*PROGRAM, "--stall-timeout", "1", origin.url("/file")]
        terminal.type(shlex.join(command) + "\r")
        await origin.until(lambda: origin.served > 1_000_000)
        assert terminal.modes != as_before
        terminal.type("\x1a")
        await terminal.shows("Stopped")
        await terminal.until(lambda: terminal.is_given_back)
        assert terminal.modes == as_before
        terminal.forget()
        terminal.type("echo $((6 * 7))\r")
        await terminal.shows("\n42\n")
        await asyncio.sleep(2 * STALL_TIMEOUT)  # the pause is what is tested
        terminal.type("fg\r")
        await terminal.shows("Queue  1 job", "Throughput")
        await terminal.until(lambda: terminal.signs == {"file": "✓"})
        terminal.type("6")
        assert "↻" not in await terminal.shows("[6 Log]", "size only")
        terminal.type("q")
        await terminal.shows("ready>")
        assert terminal.is_given_back
        assert terminal.modes == as_before
        terminal.type("exit\r")
        assert await terminal.ended() == 0
    data = (tmp_path / "download" / "file").read_bytes()
    assert hashlib.sha256(data).hexdigest() == FILE.digest()


async def test_stopping_at_any_moment_is_as_good(tmp_path: Path) -> None:
    """In the middle of a frame too; each time the terminal is given back."""
    async with opened(tmp_path, program=steered("moving", tmp_path)) as terminal:
        await terminal.shows("Throughput")
        for view in "1234567":
            terminal.type(view)
            terminal.send(signal.SIGTSTP)
            await terminal.stops()
            await terminal.until(lambda: terminal.is_restored)
            await go_on(terminal, f"[{view} ")
        await end(terminal)


async def test_whoever_stops_it_unasked_does_no_harm(tmp_path: Path) -> None:
    """SIGSTOP gives no time to clean up; keys are still read once, and the end is sane."""
    async with opened(tmp_path, program=steered("moving", tmp_path)) as terminal:
        await terminal.shows("Throughput")
        for _ in range(3):
            terminal.send(signal.SIGSTOP)
            await terminal.stops()
            await go_on(terminal, "Throughput")
        terminal.type(":filter of-a-few-words-typed-at-once")
        await terminal.shows(":filter of-a-few-words-typed-at-once")
        await end(terminal)


async def go_on(terminal: Terminal, text: str) -> None:
    """As `fg` does; the screen was somebody else's, and is whole again."""
    terminal.forget()
    terminal.send(signal.SIGCONT)
    await terminal.shows(text, "Queue", "Quit")


async def end(terminal: Terminal) -> None:
    terminal.send(signal.SIGTERM)
    assert await terminal.ended() == 143
    assert terminal.is_restored
