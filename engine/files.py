"""Files while they are made: names, threads that write, and the way to a whole file.

Data goes to `NAME.part`; under its final name a file is always whole. Blocks are
written with `pwritev` by a pool of threads that all files share.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

from engine.errors import HydraError, LocalError
from engine.model import Block
from engine.naming import numbered
from engine.plan import OPEN_END
from engine.sinks import MOST_BUFFERS, after

SMALL_FILE = 1024 * 1024
"""Bytes up to which a file is kept in memory and written in one go."""
PATIENT_THREADS = 4
QUICK = 0.0005
"""Seconds that all system calls for a small file may keep the event loop."""


class Disk:
    """The threads that work on files, and a feeling for how fast the disk is.

    Blocks are written by one thread: it moves gigabytes a second into the page
    cache, and a second one would only fight with it and the event loop for the
    interpreter's lock. What waits for the disk itself (flush, create, rename) has
    threads of its own.

    A small file is a handful of system calls, and handing them to a thread costs
    more than they do: while they take no time they are made where we are. One
    slow answer, and they go back to the threads until the disk is quick again.
    """

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, "hydra-write")
        self._pool = ThreadPoolExecutor(PATIENT_THREADS, "hydra-file")
        self._cost = QUICK

    def move(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Run what moves bytes into the page cache."""
        return self._writer.submit(function, *args)

    def submit(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Run what may wait for the disk."""
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
        self._writer.shutdown(wait=False, cancel_futures=True)
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

    def __init__(self, directory: Path, name: str, names: Names, disk: Disk) -> None:
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
            await self._result(self._disk.move(self._pwrite, block))

    def read(self, offset: int, size: int) -> bytes:
        """Read back what was written; to be called in a thread while this is open.

        Comes from the page cache, if it was written just now.
        """
        if self._small is not None:
            ordered = sorted(self._small, key=lambda block: block.offset)
            whole = b"".join(piece for block in ordered for piece in block.buffers)
            return whole[offset : offset + size]
        assert self._fd is not None
        return os.pread(self._fd, size, offset)

    async def finish(self, size: int, modified: float | None) -> None:
        """Everything is here: flush it, and give it its final name and time.

        What lies beyond `size` is left over from a longer version.
        """
        run = self._disk.submit if self._small is None else self._disk.save
        await self._result(run(self._complete, size, modified))

    async def condemn(self) -> None:
        """The bytes are wrong: keep them for inspection, as `NAME.part.bad`."""
        await self._hop(self._rename_bad)

    @property
    def is_open(self) -> bool:
        """Whether it holds a file, or a name that others may not take."""
        return self._fd is not None or self._chosen or bool(self._running)

    async def close(self) -> None:
        """Close the file once the threads that still write to it are done."""
        while self._running:
            pending = [asyncio.wrap_future(future) for future in tuple(self._running)]
            done, _ = await asyncio.wait(pending)
            for given_up in done:
                if not given_up.cancelled():
                    given_up.exception()  # whoever waited for it is gone
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
        if not _is_at(self._fd, self.part):
            raise LocalError(f"{self.part}: another run has just finished it")
        os.ftruncate(self._fd, 0)

    def _pwrite(self, block: Block) -> None:
        assert self._fd is not None
        buffers, at = block.buffers, block.offset
        while buffers:
            batch = buffers[:MOST_BUFFERS]
            written = os.pwritev(self._fd, batch, at)
            at += written
            buffers = (*after(batch, written), *buffers[MOST_BUFFERS:])

    def _complete(self, size: int, modified: float | None) -> None:
        self._write_small()
        assert self._fd is not None
        os.ftruncate(self._fd, size)
        if modified is not None:
            os.utime(self._fd, (modified, modified))
        _flush(self._fd)
        self.part.rename(self.target)
        self._close()

    def _rename_bad(self) -> None:
        self._write_small()
        self.part.rename(self.part.with_name(self.part.name + ".bad"))

    def _write_small(self) -> None:
        if self._fd is None:
            self._create()
        for block in self._small or ():
            self._pwrite(block)

    def _close(self) -> None:
        self._small = None
        if self._chosen:
            self._names.give_back(self.target)
            self._chosen = False
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _is_at(fd: int, path: Path) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _flush(fd: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(fd, full)
    else:
        os.fdatasync(fd)
