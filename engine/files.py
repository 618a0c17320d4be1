"""One file while it is made: written in any order, resumed, and whole at the end.

Data goes to `NAME.part` and what of it is durable to the journal beside it;
under its final name a file is always whole. Blocks are written with `pwritev`
by threads that all files share. One process has the part at a time: it is
locked, and a second run on the same target fails at once.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import journal
from engine.already import Wanted
from engine.disk import Disk, flush, lacking, reserve
from engine.errors import LocalError
from engine.journal import Link, Record
from engine.model import Block, OnConflict, RemoteFile
from engine.places import (
    Places,
    drop_set_aside,
    is_free,
    part_of,
    readable,
    set_aside,
)
from engine.plan import OPEN_END
from engine.ranges import ByteRange, RangeSet
from engine.sinks import MOST_BUFFERS, SAMPLE, after

SMALL_FILE = 1024 * 1024
"""Bytes up to which a file is kept in memory and written in one go."""


class FileSink:
    """Blocks of one file, in `NAME.part` until it is whole."""

    in_order = False
    horizon = OPEN_END

    def __init__(
        self,
        directory: Path,
        link: Link,
        places: Places,
        disk: Disk,
        conflict: OnConflict = OnConflict.RENAME,
    ) -> None:
        self.target: Path | None = None
        """Where it will be; None until that is chosen."""
        self._directory = directory
        self._link = link
        self._places = places
        self._disk = disk
        self._conflict = conflict
        self._name = ""
        self._found: Record | None = None
        """What an earlier run left, while it is open."""
        self._is_claimed = False
        self._fd: int | None = None
        self._small: list[Block] | None = None
        self._running: set[Future[Any]] = set()
        self._reserving: Future[Any] | None = None
        """Runs beside the first writes: on some file systems it takes a while."""

    @property
    def part(self) -> str:
        """Where the bytes are until the file is whole."""
        assert self.target is not None
        return part_of(self.target)

    # -- before the first byte -----------------------------------------------

    async def find(self, name: str | None) -> Record | None:
        """Take up what an earlier run left of this link, if it did.

        Raises LocalError where another run is writing it.
        """
        if self._found is None:
            self._found = await self._quick(self._find, name)
        return self._found

    async def leave(self) -> None:
        """Let what was found lie as it is: it is not what this job is about."""
        await self.close()
        self.target = None

    async def set_aside(self) -> None:
        """Keep what there is under another name, until the file is whole."""
        if self.target is not None:
            await self._hop(set_aside, self.target)
        await self.leave()

    async def open(self, name: str, wanted: Wanted) -> str:
        """Choose a free name and make the file; a small one is made when whole.

        Returns why there is nothing to do, or nothing: then it is open. Raises
        LocalError where it cannot be made here.
        """
        await self._settle()
        if self._fd is not None or self._small is not None:
            return ""
        self._name = name
        remote, size = wanted.remote, wanted.remote.size
        if not self._is_claimed:
            run = self._hop if wanted.may_read else self._quick
            if verdict := await run(self._choose, wanted):
                return str(verdict)
        if size is not None and size <= SMALL_FILE:
            self._small = []
        else:
            await self._hop(self._create, remote)
            self._reserving = self._start(reserve, self._fd, size or 0)
        return ""

    # -- while it is made ----------------------------------------------------

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
            return _laid_out(self._small)[offset : offset + size]
        assert self._fd is not None
        return os.pread(self._fd, size, offset)

    async def sample(self, done: RangeSet) -> Block | None:
        """Some bytes that are known to be right: the last ones before the front."""
        front = done.front()
        stop = front or max((part.stop for part in done), default=0)
        start = max(
            stop - SAMPLE, *(part.start for part in done if part.stop == stop), 0
        )
        if start >= stop:
            return None
        data = await self._hop(self.read, start, stop - start)
        return Block(start, (data,), len(data))

    async def checkpoint(self, done: RangeSet, remote: RemoteFile) -> None:
        """Make what is in `done` durable, and only then write that down."""
        covered = tuple(done)
        if self._reserving is not None:
            await self._result(self._reserving)
        if self._small is not None:
            await self._settle()
            await self._spill(remote)
        await self._hop(self._sync, covered, remote)

    async def rest(self, done: RangeSet, remote: RemoteFile) -> None:
        """The last checkpoint, unless what still runs makes it whole."""
        await self._settle()
        if self.is_writable:
            await self.checkpoint(done, remote)

    # -- at the end ----------------------------------------------------------

    async def finish(self, size: int, modified: float | None) -> None:
        """Everything is here: flush it, and give it its final name and time.

        What lies beyond `size` is left over from a longer version.
        """
        await self._settle()
        run = self._hop if self._small is None else self._quick
        await run(self._complete, size, modified)

    async def condemn(self) -> None:
        """The bytes are wrong: keep them for inspection, as `NAME.part.bad`."""
        await self._settle()
        await self._hop(self._rename_bad)

    async def delete(self, target: Path) -> None:
        """Leave nothing that is not whole of what was made for a target, if it is ours.

        It must be closed. Raises LocalError.
        """
        await self._hop(self._delete, target)

    @property
    def is_open(self) -> bool:
        """Whether it holds a file, or a name that others may not take."""
        return self._is_claimed or bool(self._running)

    @property
    def is_writable(self) -> bool:
        """Whether there is something to write down."""
        return self._fd is not None or bool(self._small)

    async def close(self) -> None:
        """Close the file once the threads that still write to it are done."""
        await self._settle()
        self._close()

    async def _settle(self) -> None:
        """Wait for threads whose work nobody waits for any more."""
        while self._running:
            pending = [asyncio.wrap_future(future) for future in tuple(self._running)]
            done, _ = await asyncio.wait(pending)
            for given_up in done:
                if not given_up.cancelled():
                    given_up.exception()

    async def _spill(self, remote: RemoteFile) -> None:
        """A small file that takes long is a file like any other."""
        small = self._small or []
        if self._fd is None:
            await self._hop(self._create, remote)
        written = 0
        while written < len(small):  # it may grow meanwhile
            await self._result(self._disk.move(self._pwrite, small[written]))
            written += 1
        self._small = None

    async def _quick(self, function: Callable[..., Any], *args: object) -> Any:
        """Run what should be quick: here, if it has been."""
        if not self._disk.is_quick(function):
            return await self._hop(self._disk.timed, function, *args)
        with self._told():
            return self._disk.timed(function, *args)

    async def _hop(self, function: Callable[..., Any], *args: object) -> Any:
        return await self._result(self._start(function, *args))

    def _start(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        return self._watched(self._disk.submit(function, *args))

    def _watched(self, future: Future[Any]) -> Future[Any]:
        """While it runs the file must stay open."""
        if not future.done():
            self._running.add(future)
            future.add_done_callback(self._running.discard)
        return future

    async def _result(self, future: Future[Any]) -> Any:
        with self._told():
            return await asyncio.wrap_future(self._watched(future))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the system says, with where it was."""
        try:
            yield
        except OSError as error:
            where = error.filename or (self.part if self.target else self._directory)
            raise LocalError(f"{where}: {error.strerror}") from error

    # -- in a thread ---------------------------------------------------------

    def _find(self, name: str | None) -> Record | None:
        target = self._places.find(self._directory, self._link, name)
        if target is None:
            return None
        self.target, self._is_claimed = target, True
        try:
            self._fd = fd = self._locked(os.O_RDWR)
            record = journal.load(journal.path_of(self.part))
        except FileNotFoundError:
            fd, record = -1, None
        if record is None or not _holds(fd, record):
            set_aside(target)
            self._forget()
            return None
        whole = RangeSet(record.done)
        whole.remove(ByteRange(os.fstat(fd).st_size, OPEN_END))
        if not whole.total:
            self._take_back()  # it would only hold the room that is wanted now
            self._forget()
            return None
        self._name = record.name
        return replace(record, done=tuple(whole))

    def _forget(self) -> None:
        self._close()
        self.target = None

    def _choose(self, wanted: Wanted) -> str:
        if not os.path.isdir(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
        choice = self._places.choose(
            self._directory, self._name, self._conflict, wanted.is_at
        )
        self.target, self._is_claimed = choice.target, not choice.verdict
        return choice.verdict

    def _create(self, remote: RemoteFile) -> None:
        self._fd = self._new_part()
        try:
            self._check_room(remote.size or 0)
            journal.save(journal.path_of(self.part), self._record((), remote))
        except OSError:
            self._take_back()
            raise

    def _delete(self, target: Path) -> None:
        if not self._places.claim(target):
            return  # another job has come to make a file of that name
        self.target, self._is_claimed = target, True
        try:
            record = readable(self.part)
            if record.link.url == self._link.url if record else is_free(self.part):
                with suppress(FileNotFoundError):
                    self._fd = self._locked(os.O_RDWR)
                    os.unlink(self.part)
                journal.remove(journal.path_of(self.part))
                drop_set_aside(target)
                with suppress(FileNotFoundError):
                    os.unlink(bad_of(self.part))
        finally:
            self._close()

    def _new_part(self) -> int:
        """A part of our own, empty; under another name if this one is gone."""
        assert self.target is not None
        if not is_free(self.part):
            self.target = self._places.move_on(self.target)
        if os.path.exists(journal.path_of(self.part)):
            set_aside(self.target)
        return self._locked(os.O_RDWR | os.O_CREAT)

    def _take_back(self) -> None:
        """Leave nothing of a part that holds nothing, and blocks the name."""
        os.unlink(self.part)
        journal.remove(journal.path_of(self.part))
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _locked(self, flags: int) -> int:
        """The part, open and ours alone."""
        part = self.part
        fd = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        problem = ""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = "another run is writing it"
        else:
            if not _is_at(fd, part):
                problem = "another run has just finished it"
        if problem:
            os.close(fd)
            raise LocalError(f"{part}: {problem}")
        return fd

    def _check_room(self, size: int) -> None:
        assert self._fd is not None
        if missing := lacking(self._fd, size):
            raise OSError(
                errno.ENOSPC, f"no space, {missing} of {size} bytes are too many"
            )

    def _pwrite(self, block: Block) -> None:
        assert self._fd is not None
        buffers, at = block.buffers, block.offset
        while buffers:
            batch = buffers[:MOST_BUFFERS]
            written = os.pwritev(self._fd, batch, at)
            at += written
            buffers = (*after(batch, written), *buffers[MOST_BUFFERS:])

    def _sync(self, covered: tuple[ByteRange, ...], remote: RemoteFile) -> None:
        assert self._fd is not None
        flush(self._fd)
        journal.save(journal.path_of(self.part), self._record(covered, remote))

    def _record(self, covered: tuple[ByteRange, ...], remote: RemoteFile) -> Record:
        assert self._fd is not None
        status = os.fstat(self._fd)
        return Record(
            link=self._link,
            name=self._name,
            size=remote.size,
            etag=remote.etag,
            last_modified=remote.last_modified,
            media_type=remote.media_type,
            done=covered,
            device=status.st_dev,
            inode=status.st_ino,
        )

    def _complete(self, size: int, modified: float | None) -> None:
        self._write_small()
        assert self._fd is not None
        assert self.target is not None
        os.ftruncate(self._fd, size)
        if modified is not None:
            os.utime(self._fd, (modified, modified))
        flush(self._fd)
        self._give_name()
        self._close()

    def _give_name(self) -> None:
        """The part becomes the target, wherever one has come to be meanwhile."""
        assert self.target is not None
        part, first = self.part, self.target
        if self._conflict is not OnConflict.OVERWRITE and os.path.lexists(first):
            self.target = self._places.move_on(first)
        os.rename(part, self.target)
        journal.remove(journal.path_of(part))
        drop_set_aside(first)

    def _rename_bad(self) -> None:
        self._write_small()
        os.rename(self.part, bad_of(self.part))
        journal.remove(journal.path_of(self.part))
        self._close()

    def _write_small(self) -> None:
        if self._small is None:
            return
        if self._fd is None:
            self._fd = self._new_part()
        try:
            for block in self._small:
                self._pwrite(block)
        except OSError:
            self._take_back()
            raise

    def _close(self) -> None:
        self._small = self._found = None
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._is_claimed and self.target is not None:
            self._is_claimed = False
            self._places.give_back(self.target)


def _laid_out(blocks: Iterable[Block]) -> bytes:
    """The file that the blocks make; a later one lies over those before it."""
    whole = bytearray()
    for block in blocks:
        data = b"".join(block.buffers)
        whole += bytes(max(block.stop - len(whole), 0))
        whole[block.offset : block.stop] = data
    return bytes(whole)


def bad_of(part: str) -> str:
    """Where wrong bytes are kept."""
    return f"{part}.bad"


def _is_at(fd: int, path: str) -> bool:
    """Whether the path still leads to the open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    return False


def _holds(fd: int, record: Record) -> bool:
    """Whether this is the very file that the journal speaks of.

    Both lie in one folder: the device is the same, whatever number it has today.
    """
    return os.fstat(fd).st_ino == record.inode
