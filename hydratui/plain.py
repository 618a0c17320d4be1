"""Progress as lines of text on standard error, for people without a screen.

One line per event, and one per second while something moves. On a terminal the
moving line is written over itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TextIO

from engine import Engine, EngineSnapshot, Event, EventKind
from hydratui.text import duration, eta, fit, percent, rate, safe, size

INTERVAL = 1.0
TOLD = frozenset(
    {
        EventKind.PROBED,
        EventKind.RESUMED,
        EventKind.RETRY,
        EventKind.MIRROR,
        EventKind.CHANGED,
        EventKind.EXPIRED,
        EventKind.DONE,
    }
)
"""Failures are told by whoever knows the exit code."""


@asynccontextmanager
async def report(engine: Engine, out: TextIO, *, quiet: bool) -> AsyncGenerator[None]:
    """Write progress for as long as the context lasts; its errors stay as they are."""
    if quiet:
        yield
        return
    lines = _Lines(out)
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        telling = [
            group.create_task(_tell_events(engine, lines)),
            group.create_task(_tell_progress(engine, lines)),
        ]
        await asyncio.sleep(0)
        try:
            yield
        except Exception as error:  # noqa: BLE001  # the group would wrap it
            failure = error
        finally:
            for task in telling:
                task.cancel()
            lines.end()
    if failure is not None:
        raise failure


class _Lines:
    """Lines that stay, and one that moves where the output is a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._moves = out.isatty()
        self._is_moving = False

    def stay(self, text: str) -> None:
        self._write(f"{self._over()}{safe(text)}\n")
        self._is_moving = False

    def move(self, text: str) -> None:
        self._write(f"{self._over()}{safe(text)}" + ("" if self._moves else "\n"))
        self._is_moving = self._moves

    def end(self) -> None:
        if self._is_moving:
            self._write("\n")

    def _over(self) -> str:
        return "\r\x1b[K" if self._is_moving else ""

    def _write(self, text: str) -> None:
        with suppress(OSError):  # that nobody reads this is no reason to fail
            self._out.write(text)
            self._out.flush()


async def _tell_events(engine: Engine, lines: _Lines) -> None:
    async for event in engine.events():
        if event.kind in TOLD:
            lines.stay(_sentence(event))


def _sentence(event: Event) -> str:
    return f"{event.kind:>8}  {event.text}"


async def _tell_progress(engine: Engine, lines: _Lines) -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        lines.move(progress(engine.snapshot()))


def progress(snapshot: EngineSnapshot) -> str:
    """One line for everything that is under way."""
    live = [job for job in snapshot.jobs if job.state.is_live]
    over = sum(job.state.is_final for job in snapshot.jobs)
    sizes = [job.size for job in live]
    total = None if None in sizes else sum(filter(None, sizes))
    done = sum(job.done for job in live)
    left = duration(eta(done, total, snapshot.rate))
    name = live[0].name if len(live) == 1 else f"{over} of {len(snapshot.jobs)} files"
    return (
        f"{percent(done, total):>7}%  {fit(size(done), 9, right=True)} of {size(total)}  "
        f"{rate(snapshot.rate)}  {snapshot.flying} lanes  eta {left}  {name}"
    )
