"""When the queue is written down: soon, together, and never in the way.

What changes in one turn of the loop is one transaction, in a thread that has
nothing else to do. While it is busy, what changes meanwhile is collected. A disk
that is full costs no download: it is said once, and tried again. The thread is a
daemon: a disk that hangs does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

from engine.errors import LocalError
from engine.model import JobId
from engine.store import Saved, Store

AGAIN = 5.0
"""Seconds until a queue that could not be written is tried again."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """One transaction."""

    changed: Sequence[Saved]
    gone: Sequence[JobId]
    last: JobId


class Saver:
    """Knows which jobs have changed; `look` says what is to be written of one."""

    def __init__(
        self,
        store: Store,
        look: Callable[[JobId], Saved | None],
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._look = look
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._last = store.last
        self._touched: set[JobId] = set()
        self._writing: set[JobId] = set()
        self._due: asyncio.Handle | None = None
        self._is_troubled = self._is_closing = False
        self._idle, self._closed = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        threading.Thread(target=self._run, name="hydra-queue", daemon=True).start()

    def touch(self, job: JobId) -> None:
        """It has changed, or is gone: write that down at the end of this turn."""
        self._last = max(self._last, job)
        self._touched.add(job)
        self._idle.clear()
        if self._due is None and not self._writing:
            self._due = self._loop.call_soon(self._write)

    async def flush(self, within: float) -> bool:
        """Wait until everything is written; whether it was, in that many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._idle.wait()
        return not self._touched and not self._writing

    async def close(self, within: float) -> None:
        """Write what is left, and let go of the store, as soon as the disk lets us."""
        self._is_closing = True
        if self._touched and not self._writing:
            self._write()
        until = self._loop.time() + within
        for stage, follows in ((self._idle, True), (self._closed, False)):
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await stage.wait()
            if follows:
                self._batches.put(None)

    def _write(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._writing, self._touched = self._touched, set()
        looks = [(job, self._look(job)) for job in self._writing]
        changed = [saved for _, saved in looks if saved is not None]
        gone = [job for job, saved in looks if saved is None]
        self._batches.put(_Batch(changed, gone, self._last))

    def _written(self, problem: LocalError | None) -> None:
        if problem is not None:
            self._touched |= self._writing
        self._writing = set()
        self._say(problem)
        if not self._touched or (problem and self._is_closing):
            self._idle.set()
        elif problem is not None:
            self._due = self._loop.call_later(AGAIN, self._write)
        else:
            self._write()

    def _say(self, problem: LocalError | None) -> None:
        """Once that it went wrong, once that it is well again."""
        was_troubled, self._is_troubled = self._is_troubled, problem is not None
        if problem is not None and not was_troubled:
            self._tell(f"the queue cannot be saved: {problem}")
        elif problem is None and was_troubled:
            self._tell("the queue is saved again")

    # -- in the thread -------------------------------------------------------

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            problem: LocalError | None = None
            try:
                self._store.save(batch.changed, batch.gone, batch.last)
            except LocalError as error:
                problem = error
            del batch
            self._call(self._written, problem)
        self._store.close()
        self._call(self._closed.set)

    def _call(self, function: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is gone, and so is who waited
            self._loop.call_soon_threadsafe(function, *args)
