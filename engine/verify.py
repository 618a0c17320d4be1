"""Hashing while downloading: the digest follows the front of the file.

A stream is hashed batch by batch while its reader is busy with them. On disk
the hash follows the contiguous front and reads back from the page cache, so
that it ends when the download does and not after a second pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

from engine.digest import hasher
from engine.errors import IntegrityError, LocalError
from engine.files import FileSink
from engine.model import Block, Digest, HashSnapshot
from engine.plan import Plan

LEG = 64 * 1024 * 1024
"""Bytes hashed before the front is looked at again, and most that an end waits for."""
STRIDE = 4 * 1024 * 1024
"""Bytes read back at once: large against a thread hop, small against the cache."""


class Verifier:
    """Computes a digest in the order of the file and compares it at the end."""

    def __init__(self, expected: Digest, pool: Executor) -> None:
        self.expected = expected
        self._pool = pool
        self._follows: tuple[Plan | None, int] = (None, 0)
        """Whose front, and since which of its beginnings."""
        self._actual: str | None = None
        self._moved = asyncio.Event()
        self._step: asyncio.Future[None] | None = None
        self._reset()

    def feed(self, blocks: Iterable[Block]) -> asyncio.Future[None]:
        """Hash blocks that are next in order; done when their memory may go."""
        pieces = [piece for block in blocks for piece in block.buffers]
        return self._start(self._update, pieces)

    async def follow(self, sink: FileSink, plan: Plan) -> None:
        """Hash what lies before the front, for as long as this is not cancelled."""
        while True:
            self._moved.clear()
            await self._catch_up(sink, plan, plan.front - plan.front % STRIDE)
            await self._moved.wait()

    def nudge(self) -> None:
        """The front may have moved."""
        self._moved.set()

    async def conclude(self, sink: FileSink, plan: Plan) -> str:
        """Hash what is left of a file on disk, and compare."""
        await self._catch_up(sink, plan, plan.front)
        return self.compare()

    async def settle(self) -> None:
        """Wait for the thread that still reads the file: then it may be closed."""
        if self._step is not None:
            await asyncio.wait([self._step])
            if not self._step.cancelled():
                self._step.exception()  # whoever waited for it is gone

    def compare(self) -> str:
        """The verdict, for people; raises IntegrityError."""
        self._actual = self._hasher.hexdigest()
        if self._actual != self.expected.hex:
            raise IntegrityError(
                f"{self.expected.algorithm} is {self._actual}, "
                f"expected {self.expected.hex}"
            )
        return f"verified ({self.expected.algorithm}, from --checksum)"

    def snapshot(self) -> HashSnapshot:
        return HashSnapshot(
            algorithm=self.expected.algorithm,
            hashed=self.hashed,
            expected=self.expected.hex,
            actual=self._actual,
        )

    async def _catch_up(self, sink: FileSink, plan: Plan, stop: int) -> None:
        if self._step is not None:
            await asyncio.shield(self._step)
        if (plan, plan.restarts) != self._follows:
            self._follows = (plan, plan.restarts)
            self._reset()
        while self.hashed < stop:
            leg = min(stop, self.hashed + LEG)
            self._step = self._start(self._read_up_to, sink, leg)
            await asyncio.shield(self._step)

    def _start(self, work: Callable[..., None], *args: object) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, work, *args)

    def _read_up_to(self, sink: FileSink, stop: int) -> None:
        """In a thread, all the way: each return to a busy loop costs a turn of it."""
        while self.hashed < stop:
            size = min(STRIDE, stop - self.hashed)
            data = sink.read(self.hashed, size)
            if not data:
                raise LocalError(f"{sink.part}: somebody has shortened it")
            self._update([data])

    def _update(self, pieces: list[bytes | memoryview]) -> None:
        """In a thread. Joined: one release of the interpreter lock, not hundreds."""
        whole = b"".join(pieces)
        self._hasher.update(whole)
        self.hashed += len(whole)

    def _reset(self) -> None:
        self._hasher = hasher(self.expected.algorithm)
        self.hashed = 0
        self._actual = None
