"""Where the bytes go: a file, or a reader who wants them in order.

A sink names its horizon, the first offset it does not want yet; nothing beyond
is leased, and so memory is bounded however slow the other side is. Files are
written by a pool of threads with `pwritev`; what may block for ever (a reader's
pipe) has a daemon thread of its own, which cannot keep the process alive.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, Protocol

from engine.errors import HydraError, LocalError, ReaderGoneError
from engine.model import Block
from engine.naming import numbered
from engine.plan import OPEN_END
from engine.reorder import ReorderBuffer

Buffers = Sequence[bytes | memoryview]

MOST_BUFFERS = 512
"""Pieces in one writev; IOV_MAX is 1,024 on Linux and macOS."""
BATCH = 2 * 1024 * 1024
"""Bytes a reader is handed at once: large enough that a thread hop is cheap."""
PIPE_SIZE = 1024 * 1024
"""Linux's usual limit for the pipe of an unprivileged process."""
SMALL_FILE = 1024 * 1024
"""Bytes up to which a file is kept in memory and written in one go."""
QUICK = 0.0005
"""Seconds that all system calls for a small file may keep the event loop."""


class Sink(Protocol):
    """What a transfer needs to know about where the bytes go."""

    @property
    def horizon(self) -> int: ...

    @property
    def in_order(self) -> bool:
        """Whether bytes that were once at the front cannot be taken back."""
        ...

    async def write(self, block: Block) -> None: ...


class Disk:
    """The threads that write files, and a feeling for how fast the disk is.

    A small file is a handful of system calls, and handing them to a thread costs
    more than they do: while they take no time they are made where we are. One
    slow answer, and they go back to the threads until the disk is quick again.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "hydra-file")
        self._cost = QUICK

    def submit(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Run in a thread."""
        return self._pool.submit(function, *args)

    def save(self, function: Callable[..., None], *args: object) -> Future[Any]:
        """Run what should be quick: here, if it has been."""
        if self._cost >= QUICK:
            return self._pool.submit(self._timed, function, *args)
        done: Future[Any] = Future()
        try:
            self._timed(function, *args)
            done.set_result(None)
        except (OSError, HydraError) as error:
            done.set_exception(error)
        return done

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _timed(self, function: Callable[..., None], *args: object) -> None:
        started = monotonic()
        function(*args)
        self._cost = monotonic() - started


class Names:
    """The targets that the jobs of one engine have chosen: no two choose one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[Path] = set()

    def choose(self, directory: Path, name: str) -> Path:
        """The first of `name`, `name (2)`, … that nobody has, on disk or here."""
        with self._lock:
            target, number = directory / name, 1
            while target in self._taken or os.path.lexists(target):
                number += 1
                target = directory / numbered(name, number)
            self._taken.add(target)
            return target

    def give_back(self, target: Path) -> None:
        with self._lock:
            self._taken.discard(target)


class FileSink:
    """Blocks of one file, in `NAME.part` until it is whole."""

    in_order = False
    horizon = OPEN_END

    def __init__(
        self, directory: Path, name: str, names: Names, disk: Disk
    ) -> None:
        self.target = directory / name
        self.part = self.target
        """Where the bytes are until then; the name is chosen with the target."""
        self._name = name
        self._names = names
        self._disk = disk
        self._chosen = False
        self._fd: int | None = None
        self._small: list[Block] | None = None
        self._running: set[Future[Any]] = set()

    async def open(self, size: int | None) -> None:
        """Choose a free name and make the file; a small one is made when whole.

        Raises LocalError where that cannot be done here.
        """
        if size is not None and size <= SMALL_FILE:
            self._small = self._small or []
        elif self._fd is None:
            await self._hop(self._create)

    async def write(self, block: Block) -> None:
        """Put a block at its offset; it is in the page cache when this returns."""
        if self._small is not None:
            self._small.append(block)
        else:
            await self._hop(self._pwrite, block)

    async def read(self, offset: int, size: int) -> bytes:
        """Read back what was written; from the page cache, if it was just now."""
        if self._small is not None:
            ordered = sorted(self._small, key=lambda block: block.offset)
            whole = b"".join(piece for block in ordered for piece in block.buffers)
            return whole[offset : offset + size]
        data: bytes = await self._hop(self._pread, size, offset)
        return data

    async def finish(self, modified: float | None) -> None:
        """Everything is here: flush it, and give it its final name and time."""
        run = self._disk.submit if self._small is None else self._disk.save
        await self._result(run(self._complete, modified))

    async def condemn(self) -> None:
        """The bytes are wrong: keep them for inspection, as `NAME.part.bad`."""
        await self._hop(self._rename_bad)

    async def close(self) -> None:
        """Close the file once the threads that still write to it are done."""
        while self._running:
            pending = [asyncio.wrap_future(future) for future in self._running]
            await asyncio.wait(pending)
        self._close()

    async def _hop(self, function: Callable[..., Any], *args: object) -> Any:
        return await self._result(self._disk.submit(function, *args))

    async def _result(self, future: Future[Any]) -> Any:
        try:
            if future.done():
                return future.result()
            self._running.add(future)
            future.add_done_callback(self._running.discard)
            return await asyncio.wrap_future(future)
        except OSError as error:
            where = error.filename or self.part
            raise LocalError(f"{where}: {error.strerror}") from error

    # -- in a thread ---------------------------------------------------------

    def _create(self) -> None:
        if not self._chosen:
            directory = self.target.parent
            if not os.path.isdir(directory):  # noqa: PTH112  # a tenth of the price
                directory.mkdir(parents=True, exist_ok=True)
            self.target = self._names.choose(directory, self._name)
            self.part = self.target.with_name(self.target.name + ".part")
            self._chosen = True
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.part, flags, 0o666)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(f"{self.part}: another run is writing it") from None
        os.ftruncate(self._fd, 0)

    def _pwrite(self, block: Block) -> None:
        assert self._fd is not None
        buffers, at = block.buffers, block.offset
        while buffers:
            batch = buffers[:MOST_BUFFERS]
            written = os.pwritev(self._fd, batch, at)
            at += written
            buffers = (*after(batch, written), *buffers[MOST_BUFFERS:])

    def _pread(self, size: int, offset: int) -> bytes:
        assert self._fd is not None
        return os.pread(self._fd, size, offset)

    def _complete(self, modified: float | None) -> None:
        self._write_small()
        assert self._fd is not None
        if modified is not None:
            os.utime(self._fd, (modified, modified))
        _flush(self._fd)
        self.part.rename(self.target)

    def _rename_bad(self) -> None:
        self._write_small()
        self.part.rename(self.part.with_name(self.part.name + ".bad"))

    def _write_small(self) -> None:
        if self._fd is None:
            self._create()
        for block in self._small or ():
            self._pwrite(block)

    def _close(self) -> None:
        if self._chosen:
            self._names.give_back(self.target)
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _flush(fd: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(fd, full)
    else:
        os.fdatasync(fd)


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
        self._room = asyncio.Event()
        self._ready = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    @property
    def horizon(self) -> int:
        charged = self._previous.buffer.held if self._previous else 0
        return self.buffer.horizon - charged

    async def write(self, block: Block) -> None:
        """Hold a block until its turn; one beyond the horizon waits for room."""
        while block.stop > self.horizon and block.offset > self.buffer.cursor:
            self._room.clear()
            await self._room.wait()
        self.buffer.push(block)
        if self.buffer.is_ready:
            self._ready.set()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will be written; the reader gets what is left, or `error`."""
        self._ended = True
        self._error = error
        self._ready.set()

    def make_room(self) -> None:
        """The horizon may have moved: the one before drained, or the reader read."""
        self._room.set()
        self.on_room()

    async def batches(self) -> AsyncIterator[list[Block]]:
        """The file in order; a batch counts as held until the next is asked for."""
        while True:
            batch = self.buffer.take(BATCH)
            if batch:
                yield batch
                self.buffer.release(sum(block.size for block in batch))
                self.make_room()
            elif self._error is not None:
                raise self._error
            elif self._ended:
                return
            else:
                self._ready.clear()
                await self._ready.wait()


def _nobody() -> None:
    """Stands where nobody waits for room."""


class FdWriter:
    """Writes to a descriptor that may block for ever, from a daemon thread.

    Raises ReaderGoneError as soon as the reader has closed its end, also while
    there is nothing to write. The descriptor is never made non-blocking: it
    may be shared with other processes.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._jobs: SimpleQueue[tuple[Buffers, asyncio.Future[None]]] = SimpleQueue()
        self._is_watched = self._watch()
        _enlarge(fd)
        threading.Thread(target=self._run, name="hydra-stdout", daemon=True).start()

    async def write(self, buffers: Buffers) -> None:
        """Write all of it, however long the reader takes."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((buffers, done))
        await done

    async def watch(self) -> None:
        """Raise ReaderGoneError when the reader closes its end."""
        await self._gone.wait()
        raise ReaderGoneError("the reader closed the stream")

    def close(self) -> None:
        if self._is_watched:
            self._loop.remove_reader(self._fd)

    def _watch(self) -> bool:
        try:
            self._loop.add_reader(self._fd, self._look)
        except OSError:
            return False  # a regular file: nobody reads it
        return True

    def _look(self) -> None:
        poll = select.poll()
        poll.register(self._fd, 0)
        if poll.poll(0):
            self._gone.set()
        self._loop.remove_reader(self._fd)
        self._is_watched = False

    # -- in the thread -------------------------------------------------------

    def _run(self) -> None:
        while True:
            buffers, done = self._jobs.get()
            error: HydraError | None = None
            try:
                self._write(buffers)
            except BrokenPipeError:
                error = ReaderGoneError("the reader closed the stream")
            except OSError as problem:
                error = LocalError(f"standard output: {problem.strerror}")
            del buffers
            with suppress(RuntimeError):  # the loop is gone, and so is who asked
                self._loop.call_soon_threadsafe(_settle, done, error)

    def _write(self, buffers: Buffers) -> None:
        left = tuple(buffers)
        while left:
            batch = left[:MOST_BUFFERS]
            try:
                written = os.writev(self._fd, batch)
            except BlockingIOError:  # somebody else made it non-blocking
                select.select([], [self._fd], [])
                continue
            left = (*after(batch, written), *left[MOST_BUFFERS:])


def _settle(done: asyncio.Future[None], error: HydraError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _enlarge(fd: int) -> None:
    """Fewer switches between us and the reader, where the system lets us."""
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is not None:
        with suppress(OSError):
            fcntl.fcntl(fd, set_size, PIPE_SIZE)
