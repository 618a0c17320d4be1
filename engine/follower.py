"""What walks through a file behind its front, each follower at a pace of its own.

One kind computes a digest of the whole file, the other compares its pieces. On
disk they read back from the page cache, in a thread, a leg at a time. Between
legs they belong to the event loop, which may set them back.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import Executor
from time import monotonic

from engine.digest import hasher
from engine.errors import IntegrityError, LocalError
from engine.files import FileSink
from engine.meter import Meter
from engine.model import Pieces, PiecesSnapshot
from engine.ranges import ByteRange
from engine.verdict import bad_piece

LEG = 64 * 1024 * 1024
"""Bytes read before the front is looked at again, and most that an end waits for."""
STRIDE = 4 * 1024 * 1024
"""Bytes read back at once: large against a thread hop, small against the cache."""

Step = asyncio.Future[None]
"""A leg, or the hashing of some blocks, in a thread of the pool."""


class Follower(ABC):
    """Reads a file in order, up to where it is told."""

    def __init__(self) -> None:
        self.at = 0
        """First byte that it has not read."""
        self.step: Step | None = None
        """The leg that is on its way, or has ended and was not looked at yet."""

    @property
    def is_stuck(self) -> bool:
        """Whether it goes no further, however far it might."""
        return False

    def set_out(self, pool: Executor, sink: FileSink, reach: int) -> Step | None:
        """Begin a leg towards `reach`, if there is a way to go and none begun."""
        if self.step is not None or self.at >= reach or self.is_stuck:
            return None
        stop = min(reach, self.at + LEG)
        loop = asyncio.get_running_loop()
        self.step = loop.run_in_executor(pool, self._walk, sink, stop)
        return self.step

    def arrive(self) -> None:
        """Look at a leg that has ended. Raises LocalError if it came to nothing."""
        if self.step is not None and self.step.done():
            step, self.step = self.step, None
            step.result()

    def stay_behind(self, front: int) -> None:
        """Between legs: the front went back, so what was read is not to be trusted."""
        if self.step is None and self.at > front:
            self._go_back(front)

    def _walk(self, sink: FileSink, stop: int) -> None:
        """In a thread, all the way: each return to a busy loop costs a turn of it."""
        while self.at < stop and not self.is_stuck:
            data = sink.read(self.at, min(STRIDE, stop - self.at))
            if not data:
                raise LocalError(f"{sink.part}: somebody has shortened it")
            self._take(data)

    @abstractmethod
    def _take(self, data: bytes) -> None:
        """In a thread: what comes next."""

    @abstractmethod
    def _go_back(self, front: int) -> None:
        """To where it can begin again, `front` or before it."""


class DigestFollower(Follower):
    """Computes one digest of the whole file."""

    def __init__(self, algorithm: str) -> None:
        super().__init__()
        self.algorithm = algorithm
        self.actual: str | None = None
        """The digest, once the end was reached."""
        self._hasher = hasher(algorithm)
        self._meter = Meter(monotonic())
        self._measured = 0

    def update(self, buffers: Iterable[bytes | memoryview]) -> None:
        """In a thread. Joined: one release of the interpreter lock, not hundreds."""
        self._take(b"".join(buffers))

    def finish(self) -> str:
        """The digest of all that was read, in hex."""
        self.actual = self._hasher.hexdigest()
        return self.actual

    def arrive(self) -> None:
        super().arrive()
        self.measure()

    def measure(self) -> None:
        """Some bytes were hashed since the last time."""
        at = self.at
        self._meter.add(at - self._measured, monotonic())
        self._measured = at

    @property
    def rate(self) -> float:
        """Bytes per second, lately."""
        return self._meter.rate(monotonic())

    def _take(self, data: bytes) -> None:
        self._hasher.update(data)
        self.at += len(data)

    def _go_back(self, _front: int) -> None:
        self._hasher = hasher(self.algorithm)
        self.at = self._measured = 0
        self.actual = None


class PieceFollower(Follower):
    """Compares piece after piece with its own digest, and stops at a wrong one.

    It stays there until the front has been before that piece: then other bytes
    come in its place.
    """

    def __init__(self, pieces: Pieces, size: int) -> None:
        super().__init__()
        self.is_reported = False
        """Whether somebody was told of the piece that it stopped at."""
        self._pieces = pieces
        self._size = size
        """Of the file."""
        self._wrong: str | None = None
        """What the digest of the piece is, where it is wrong."""
        self._refused = 0
        self._begin(0)

    @property
    def checked(self) -> int:
        """First byte that lies in no piece found right."""
        return self._piece.start

    @property
    def is_stuck(self) -> bool:
        return self._wrong is not None

    @property
    def bad(self) -> ByteRange | None:
        """The piece that it stopped at, as the event loop may know it."""
        return self._piece if self.is_stuck and self.step is None else None

    def report(self) -> ByteRange:
        """The bad piece, to be fetched again; it is told of once."""
        self.is_reported = True
        self._refused += 1
        return self._piece

    @property
    def has_refused(self) -> bool:
        """Whether a piece was ever reported."""
        return self._refused > 0

    def error(self) -> IntegrityError:
        """What is wrong with the piece that it stopped at."""
        assert self._wrong is not None
        return bad_piece(self._pieces, self._number, self._wrong)

    def snapshot(self) -> PiecesSnapshot:
        return snapshot_of(self._pieces, checked=self._number, bad=self._refused)

    def stay_behind(self, front: int) -> None:
        if self.step is None and self.is_stuck and self._piece.start >= front:
            self._go_back(front)
        super().stay_behind(front)

    def _take(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self.is_stuck:
            part = view[: self._piece.stop - self.at]
            self._hasher.update(part)  # type: ignore[arg-type]  # hashlib takes it
            self.at += len(part)
            view = view[len(part) :]
            if self.at == self._piece.stop:
                self._compare()

    def _compare(self) -> None:
        found = self._hasher.hexdigest()
        if found == self._pieces.hexes[self._number]:
            self._begin(self._number + 1)
        else:
            self._wrong = found

    def _go_back(self, front: int) -> None:
        self._wrong, self.is_reported = None, False
        self._begin(min(front // self._pieces.size, self._number))

    def _begin(self, number: int) -> None:
        """With a piece, counted from 0; after the last one comes the end."""
        start = min(number * self._pieces.size, self._size)
        stop = min(start + self._pieces.size, self._size)
        self._number, self._piece = number, ByteRange(start, stop)
        self._hasher = hasher(self._pieces.algorithm)
        self.at = start


def fits(pieces: Pieces, size: int) -> bool:
    """Whether a file of `size` bytes has as many pieces."""
    return pieces.size > 0 and 0 < len(pieces.hexes) == -(-size // pieces.size)


def snapshot_of(pieces: Pieces, *, checked: int = 0, bad: int = 0) -> PiecesSnapshot:
    return PiecesSnapshot(
        algorithm=pieces.algorithm,
        size=pieces.size,
        count=len(pieces.hexes),
        checked=checked,
        bad=bad,
    )


def together(steps: list[Step]) -> Step:
    """Done when all of them are; with the error of one, if there was any."""
    if len(steps) == 1:
        return steps[0]
    whole: Step = asyncio.get_running_loop().create_future()
    left = set(steps)

    def ended(step: Step) -> None:
        left.discard(step)
        if not left and not whole.done():
            _end_like(next(filter(_has_failed, steps), step), whole)

    for step in steps:
        step.add_done_callback(ended)
    if not steps:
        whole.set_result(None)
    return whole


def _has_failed(step: Step) -> bool:
    return step.cancelled() or step.exception() is not None


def _end_like(step: Step, whole: Step) -> None:
    if step.cancelled():
        whole.cancel()
    elif error := step.exception():
        whole.set_exception(error)
    else:
        whole.set_result(None)
