"""Where the bytes go, and a reader who wants them in order.

A sink names its horizon, the first offset it does not want yet; nothing beyond
is leased, and so memory is bounded however slow the other side is. What may
block for ever (a reader's pipe) has a daemon thread of its own, which cannot
keep the process alive.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import termios
import threading
from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol

from engine.errors import HydraError, LocalError, ReaderGoneError
from engine.model import Block
from engine.ranges import ByteRange, RangeSet
from engine.reorder import ReorderBuffer

Buffers = Sequence[bytes | memoryview]

MOST_BUFFERS = 512
"""Pieces in one writev; IOV_MAX is 1,024 on Linux and macOS."""
BATCH = 2 * 1024 * 1024
"""Bytes a reader is handed at once: large enough that a thread hop is cheap."""
PIPE_SIZE = 1024 * 1024
"""Linux's usual limit for the pipe of an unprivileged process."""
SAMPLE = 64 * 1024
"""Bytes by which two files are told apart where nothing else can."""


class Sink(Protocol):
    """What a transfer needs to know about where the bytes go."""

    @property
    def horizon(self) -> int: ...

    @property
    def in_order(self) -> bool:
        """Whether bytes that were once at the front cannot be taken back."""
        ...

    async def write(self, block: Block) -> None: ...

    async def sample(self, _done: RangeSet, /) -> Block | None:
        """Some bytes that are known to be right, or None where there are none."""
        ...


def after(buffers: Buffers, written: int) -> tuple[bytes | memoryview, ...]:
    """What is left of the buffers once `written` bytes of them have gone."""
    for index, buffer in enumerate(buffers):
        if written < len(buffer):
            return (memoryview(buffer)[written:], *buffers[index + 1 :])
        written -= len(buffer)
    return ()


class StreamSink:
    """The reorder buffer between the lanes and one reader.

    While an earlier stream still drains, what it holds is charged to this one:
    together they keep the bound.
    """

    in_order = True

    def __init__(self, capacity: int, previous: StreamSink | None = None) -> None:
        self.buffer = ReorderBuffer(capacity)
        self.on_room: Callable[[], None] = _nobody
        """Called when the horizon moves."""
        self._previous = previous
        self._next: StreamSink | None = None
        if previous is not None:
            previous._next = self
        self._room = asyncio.Event()
        self._ready = asyncio.Event()
        self._ended = False
        self._is_discarded = False
        self._last: Block | None = None
        """The last bytes that went out."""
        self._error: BaseException | None = None

    @property
    def horizon(self) -> int:
        return self.buffer.horizon - self._charged

    async def write(self, block: Block) -> None:
        """Hold a block until its turn; one beyond the horizon waits for room."""
        while not self._has_room_for(block):
            self._room.clear()
            await self._room.wait()
        if self._is_discarded:
            return
        self.buffer.push(block)
        if self.buffer.is_ready:
            self._ready.set()

    async def sample(self, _done: RangeSet) -> Block | None:
        return self._last

    @property
    def is_untouched(self) -> bool:
        """Whether the reader has had nothing yet, so that all can be taken back."""
        return self.buffer.front == 0

    @property
    def is_ready(self) -> bool:
        """Whether what comes next is here."""
        return self.buffer.is_ready

    def begin_again(self) -> None:
        """Forget what is held: another version of the file comes instead."""
        self.buffer = ReorderBuffer(self.buffer.capacity)
        self.make_room()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will be written; the reader gets what is left, or `error`."""
        self._ended = True
        self._error = error
        self._ready.set()

    def discard(self) -> None:
        """The reader has gone on: nothing is held for it, and nobody is charged."""
        self._is_discarded = True
        self.buffer = ReorderBuffer(self.buffer.capacity, self.buffer.cursor)
        self.make_room()

    def make_room(self) -> None:
        """The horizon may have moved: the one before drained, or the reader read."""
        self._room.set()
        self.on_room()
        if self._next is not None:
            self._next.make_room()

    async def batches(self) -> AsyncIterator[list[Block]]:
        """The file in order; a batch counts as held until the next is asked for."""
        while batch := await self.next_batch():
            yield batch
            self.release(batch)

    async def next_batch(self) -> list[Block]:
        """What is next in line, held until it is released; nothing at the end."""
        while not (batch := self.buffer.take(BATCH)):
            if self._error is not None:
                raise self._error
            if self._ended:
                return []
            self._ready.clear()
            await self._ready.wait()
        self._last = _tail(batch[-1])
        return batch

    def release(self, batch: list[Block]) -> None:
        """The reader is done with it."""
        self.buffer.release(sum(block.size for block in batch))
        self.make_room()

    @property
    def _charged(self) -> int:
        return self._previous.buffer.held if self._previous else 0

    def _has_room_for(self, block: Block) -> bool:
        """The block that the reader waits for always has: nothing else makes room."""
        is_awaited = block.offset <= self.buffer.cursor and not self._charged
        return self._is_discarded or is_awaited or block.stop <= self.horizon


def _tail(block: Block) -> Block:
    """A copy of its last bytes, so that the block itself may go."""
    kept = block.cut(ByteRange(max(block.offset, block.stop - SAMPLE), block.stop))
    return Block(kept.offset, (b"".join(kept.buffers),), kept.size)


def _nobody() -> None:
    """Stands where nobody waits for room."""


class FdWriter:
    """Writes to a descriptor that may block for ever, from a daemon thread.

    Raises ReaderGoneError as soon as the reader has closed its end, also while
    there is nothing to write. The descriptor is never made non-blocking: it
    may be shared with other processes. One that is `owned` is closed by the
    thread when it ends: nobody else knows when its number is free.
    """

    def __init__(
        self, fd: int, whose: str = "standard output", *, owned: bool = False
    ) -> None:
        self.written = 0
        self._fd = fd
        self._whose = whose
        self._is_owned = owned
        self._is_given_up = False
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._jobs: SimpleQueue[tuple[Buffers, asyncio.Future[None]] | None]
        self._jobs = SimpleQueue()
        self._is_watched = self._watch()
        _enlarge(fd)
        threading.Thread(target=self._run, name="hydra-writer", daemon=True).start()

    async def write(self, buffers: Buffers) -> None:
        """Write all of it, however long the reader takes."""
        await self.give(buffers)

    def give(self, buffers: Buffers) -> asyncio.Future[None]:
        """Have all of it written, after what was given before."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((buffers, done))
        return done

    async def watch(self) -> None:
        """Raise ReaderGoneError when the reader closes its end."""
        await self._gone.wait()
        raise ReaderGoneError("the reader closed the stream")

    def close(self) -> None:
        """Let the thread end once it has written what it was given."""
        self._jobs.put(None)
        self._unwatch()

    def give_up(self) -> None:
        """Let the thread end without writing any more than what it is writing now."""
        self._is_given_up = True
        self.close()

    @property
    def is_reader_gone(self) -> bool:
        return self._gone.is_set()

    def miss_reader(self) -> None:
        """The reader is known to be gone, whoever else holds the pipe."""
        self._gone.set()

    def _watch(self) -> bool:
        try:
            self._loop.add_reader(self._fd, self._look)
        except OSError:
            return False  # a regular file: nobody reads it
        return True

    def _look(self) -> None:
        if not has_reader(self._fd):
            self._gone.set()
        self._unwatch()

    def _unwatch(self) -> None:
        if self._is_watched:
            self._loop.remove_reader(self._fd)
        self._is_watched = False

    # -- in the thread -------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        finally:
            if self._is_owned:
                os.close(self._fd)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            buffers, done = job
            error: HydraError | None = None
            try:
                self._write(buffers)
            except BrokenPipeError:
                error = ReaderGoneError("the reader closed the stream")
            except OSError as problem:
                error = LocalError(f"{self._whose}: {problem.strerror}")
            del job, buffers
            with suppress(RuntimeError):  # the loop is gone, and so is who asked
                self._loop.call_soon_threadsafe(_settle, done, error)

    def _write(self, buffers: Buffers) -> None:
        left = tuple(buffers)
        while left:
            if self._is_given_up:
                raise BrokenPipeError
            batch = left[:MOST_BUFFERS]
            try:
                written = os.writev(self._fd, batch)
            except BlockingIOError:  # somebody else made it non-blocking
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()
                continue
            self.written += written
            left = (*after(batch, written), *left[MOST_BUFFERS:])


def _settle(done: asyncio.Future[None], error: HydraError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def has_reader(fd: int) -> bool:
    """Whether anybody can still read what is written."""
    poll = select.poll()
    poll.register(fd, 0)
    return not poll.poll(0)


def unread(fd: int) -> int:
    """Bytes that wait in a pipe for its reader, where the system tells."""
    number = array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(fd, termios.FIONREAD, number)
    return number[0]


def _enlarge(fd: int) -> None:
    """Fewer switches between us and the reader, where the system lets us."""
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is not None:
        with suppress(OSError):
            fcntl.fcntl(fd, set_size, PIPE_SIZE)
