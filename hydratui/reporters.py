"""Who is told of a run, and how they come to know.

A run has a voice, which speaks on standard error, and a log file. Both hear every
event as it happens, look at the engine once a second, and learn how it ended. Each
of them decides what of that it tells; that nobody can read it is no reason to fail.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic, time

from engine import Engine, EngineSnapshot, Event, scrubbed
from hydratui.exit_codes import BUG, exit_code

INTERVAL = 1.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, for people and without secrets."""

    code: int
    """The exit code it ends with."""
    word: str
    """What programs know it by."""
    reason: str
    about: str = ""
    """The URL it happened to; empty where it is about none."""
    trace: str = ""
    """The traceback, where one is wanted."""


class Reporter:
    """Hears of everything and tells nothing: what another tells, it says."""

    def hear(self, event: Event) -> None:
        """Something has happened."""

    def look(self, snapshot: EngineSnapshot) -> None:
        """A second has passed."""

    def leave(self, snapshot: EngineSnapshot) -> None:
        """The engine ends; there is no later look."""

    def warn(self, text: str) -> None:
        """People should know something before it begins."""

    def fail(self, failure: Failure) -> None:
        """Something went wrong, perhaps with a job that was heard of."""

    def end(self, code: int) -> None:
        """The run is over, with that exit code."""


@asynccontextmanager
async def report(engine: Engine, reporters: Iterable[Reporter]) -> AsyncGenerator[None]:
    """Let them know of the engine while the context lasts; its errors stay as they are."""
    told = tuple(reporters)

    def hear(event: Event) -> None:
        for reporter in told:
            reporter.hear(event)

    failure: Exception | None = None
    with engine.listening(hear):
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_look(engine, told), name="report")
            try:
                yield
            except Exception as error:  # noqa: BLE001  # the group would wrap it
                failure = error
            finally:
                looking.cancel()
                for reporter in told:
                    reporter.leave(engine.snapshot())
    if failure is not None:
        raise failure


async def _look(engine: Engine, reporters: Iterable[Reporter]) -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        snapshot = engine.snapshot()
        for reporter in reporters:
            reporter.look(snapshot)


def failure_of(error: BaseException, *, traced: bool) -> Failure:
    """The error as it is told; with `traced`, and where it came from."""
    error = _alone(error)
    code, reason = exit_code(error), str(error)
    if code == BUG:
        reason = scrubbed(f"unexpected {type(error).__name__}: {reason}")
    trace = "".join(traceback.format_exception(error)) if traced else ""
    word, about = getattr(error, "word", "bug"), getattr(error, "about", "")
    return Failure(code, word, reason, about, scrubbed(trace))


def _alone(error: BaseException) -> BaseException:
    """The error itself, where a group has nothing else in it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        [error] = error.exceptions
    return error


def stamp(at: float | None = None) -> str:
    """RFC 3339 in UTC, with milliseconds; of now, or of an event's time."""
    ago = 0.0 if at is None else monotonic() - at
    seconds, milliseconds = divmod(int((time() - ago) * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """Many things happen in one: it is written out once."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
