"""Hashing while downloading: digests follow the front of the file.

A stream is hashed batch by batch while its reader is busy with them. On disk
the hashes follow the contiguous front and read back from the page cache, so
that they end when the download does and not after a second pass. Each is at a
place of its own: one that is promised late begins at the first byte and catches
up. Where the pieces of a file have digests too, no hash passes a piece that has
not been compared, so that bad bytes never get into one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

from engine import verdict
from engine.errors import BadPieces
from engine.files import FileSink
from engine.follower import (
    STRIDE,
    DigestFollower,
    Follower,
    PieceFollower,
    Step,
    fits,
    snapshot_of,
    together,
)
from engine.model import Block, HashSnapshot, Pieces, PiecesSnapshot, Promise
from engine.plan import Plan
from engine.ranges import ByteRange


class Verifier:
    """Computes what is promised of one file, and compares it at the end.

    `on_bad` is called on the event loop for each piece that is wrong, on disk. It
    takes the piece out of the plan's front; where it lets it stand, that is an
    IntegrityError in the end, as it is where nobody listens.
    """

    def __init__(
        self,
        pool: Executor,
        promises: Iterable[Promise] = (),
        pieces: Pieces | None = None,
    ) -> None:
        self.on_bad: Callable[[ByteRange], None] | None = None
        self.pool = pool
        """Threads that compute."""
        self._promises: tuple[Promise, ...] = ()
        self._pieces = pieces
        self._unfitted = pieces
        """The pieces, for as long as the size is unknown that they should fit."""
        self._hashing: dict[str, DigestFollower] = {}
        self._checking: PieceFollower | None = None
        self._follows: tuple[Plan | None, int] = (None, 0)
        """Whose front, and since which of its beginnings."""
        self._fed = 0
        """Where the next block of a stream begins."""
        self._moved = asyncio.Event()
        self._running: set[Step] = set()
        """What still reads the file."""
        self.expect(promises)

    # -- what is promised ----------------------------------------------------

    @property
    def promises(self) -> tuple[Promise, ...]:
        """What is compared."""
        return self._promises

    @property
    def is_wanted(self) -> bool:
        """Whether the bytes must be hashed, for what is or may be promised."""
        return bool(self._hashing or self._checking or self._unfitted)

    def expect(self, promises: Iterable[Promise]) -> None:
        """More is known: what is promised first decides, and all of it is compared.

        In a stream that has begun, what was not hashed from its first byte cannot be.
        """
        if self._promises:
            return
        self._promises = tuple(p for p in promises if self._hash(p.digest.algorithm))
        if self._promises:
            self.settle_for()

    def speculate(self, algorithms: Iterable[str]) -> None:
        """Hash for what may yet be promised, until `settle_for()`."""
        if not self._promises:
            for algorithm in algorithms:
                self._hash(algorithm)

    def settle_for(self) -> None:
        """Nothing more will be promised: stop hashing what nobody promised."""
        promised = [promise.digest.algorithm for promise in self._promises]
        self._hashing = {name: self._hashing[name] for name in promised}

    def _hash(self, algorithm: str) -> bool:
        """Whether it can be computed; on disk that is never too late."""
        if algorithm not in self._hashing and not self._fed:
            self._hashing[algorithm] = DigestFollower(algorithm)
            self._moved.set()
        return algorithm in self._hashing

    # -- a stream ------------------------------------------------------------

    def feed(self, blocks: Iterable[Block]) -> asyncio.Future[None]:
        """Hash blocks that are next in order; done when their memory may go.

        Costs nothing while nothing is wanted, but tells that they have passed: a
        promise that comes later is then known to be too late.
        """
        batch = list(blocks)
        if batch:
            if batch[0].offset != self._fed:  # something has passed unseen
                self._promises, self._hashing = (), {}
            self._fed = batch[-1].stop
        buffers = [buffer for block in batch for buffer in block.buffers]
        hashing = self._hashing.values()
        return together([self._update(follower, buffers) for follower in hashing])

    def _update(
        self, follower: DigestFollower, buffers: list[bytes | memoryview]
    ) -> Step:
        loop = asyncio.get_running_loop()
        step = loop.run_in_executor(self.pool, follower.update, buffers)
        step.add_done_callback(lambda _: follower.measure())
        return step

    # -- a file --------------------------------------------------------------

    async def follow(self, sink: FileSink, plan: Plan) -> None:
        """Hash what lies before the front, for as long as this is not cancelled."""
        while True:
            self._moved.clear()
            while await self._advance(sink, plan, STRIDE):
                pass
            await self._moved.wait()

    def nudge(self) -> None:
        """The front may have moved."""
        self._moved.set()

    async def conclude(self, sink: FileSink, plan: Plan) -> str:
        """Hash what is left of a file on disk, and compare; the verdict, for people.

        Raises IntegrityError, or BadPieces where some parts were given back to the
        plan: once they are here again, this goes on.
        """
        self.settle_for()
        self._attend(plan)
        if plan.size is None:
            self._unfitted = None
        while await self._advance(sink, plan, 1):
            await self._object(plan)
        await self._object(plan)
        return self.compare()

    async def settle(self) -> None:
        """Wait for the threads that still read the file: then it may be closed."""
        while self._running:
            await asyncio.wait(self._running)

    async def _advance(self, sink: FileSink, plan: Plan, grain: int) -> bool:
        """Go on until a leg ends; whether there was any way to go.

        The way leads to the last multiple of `grain` before the front.
        """
        self._attend(plan)
        steps = self._set_out(sink, plan.front, grain)
        if steps:
            await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            if self._is_of(plan):
                for follower in self._followers():
                    follower.arrive()
        await self._report(plan)
        return bool(steps)

    def _attend(self, plan: Plan) -> None:
        """Where it is another plan, or begins anew, so does all of this."""
        if not self._is_of(plan):
            self._follows = (plan, plan.restarts)
            self._hashing = {name: DigestFollower(name) for name in self._hashing}
            self._unfitted, self._checking = self._pieces, None
        if self._unfitted is not None and plan.size is not None:
            if fits(self._unfitted, plan.size):
                self._checking = PieceFollower(self._unfitted, plan.size)
            self._unfitted = None

    def _set_out(self, sink: FileSink, front: int, grain: int) -> set[Step]:
        """Send everybody on a leg who has a way to go; all legs that run."""
        for follower in self._followers():
            follower.stay_behind(front)
        reach = front - front % grain
        if self._checking is not None:
            self._send(self._checking, sink, reach)
            reach = min(reach, self._checking.checked - self._checking.checked % grain)
        if self._unfitted is None:
            for hashing in self._hashing.values():
                self._send(hashing, sink, reach)
        return {follower.step for follower in self._followers() if follower.step}

    def _send(self, follower: Follower, sink: FileSink, reach: int) -> None:
        step = follower.set_out(self.pool, sink, reach)
        if step is not None:
            self._running.add(step)
            step.add_done_callback(self._running.discard)
            step.add_done_callback(_look_at)

    async def _report(self, plan: Plan) -> None:
        """Tell of a piece that is wrong, when nobody reads the file."""
        checking = self._checking
        if self.on_bad is None or checking is None or checking.is_reported:
            return
        if checking.bad is not None:
            await self.settle()
            if self._is_of(plan):
                self.on_bad(checking.report())
                checking.stay_behind(plan.front)

    async def _object(self, plan: Plan) -> None:
        """Raise what keeps the file from being whole.

        Nobody reads it any more when it is wrong for good: it may be set apart.
        """
        checking = self._checking
        if checking is None:
            return
        bad = checking.bad
        if bad is not None and plan.front > bad.start:
            await self.settle()
            raise checking.error()
        if checking.has_refused and plan.size is not None and plan.front < plan.size:
            raise BadPieces("fetches again the pieces that were wrong")

    def _is_of(self, plan: Plan) -> bool:
        return self._follows == (plan, plan.restarts)

    def _followers(self) -> list[Follower]:
        checking = [self._checking] if self._checking else []
        return [*checking, *self._hashing.values()]

    # -- how it ends ---------------------------------------------------------

    def compare(self) -> str:
        """The verdict, for people; empty where nothing was promised.

        Raises IntegrityError.
        """
        actual = {name: one.finish() for name, one in self._hashing.items()}
        if self._promises or self._checking is None or self._pieces is None:
            return verdict.compare(self._promises, actual)
        return verdict.verdict_of(self._pieces)

    # -- a look at it --------------------------------------------------------

    def snapshots(self) -> tuple[HashSnapshot, ...]:
        """One for each algorithm that is compared."""
        names = dict.fromkeys(promise.digest.algorithm for promise in self._promises)
        return tuple(map(self._snapshot, names))

    def pieces_snapshot(self) -> PiecesSnapshot | None:
        if self._checking is not None:
            return self._checking.snapshot()
        return snapshot_of(self._unfitted) if self._unfitted else None

    def _snapshot(self, algorithm: str) -> HashSnapshot:
        said = [p for p in self._promises if p.digest.algorithm == algorithm]
        follower = self._hashing[algorithm]
        return HashSnapshot(
            algorithm=algorithm,
            hashed=follower.at,
            expected=said[0].digest.hex,
            actual=follower.actual,
            origin=verdict.listed(promise.origin for promise in said),
            rate=follower.rate,
        )


def _look_at(step: Step) -> None:
    """Whoever waited for it may be gone; its error is nobody's surprise."""
    if not step.cancelled():
        step.exception()
