"""The threads that work on files, and what only the operating system can do.

Blocks are written by one thread: it moves gigabytes a second into the page
cache, and a second one would only fight with it and the event loop for the
interpreter's lock. What waits for the disk itself (flush, create, rename) has
threads of its own.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import Any

PATIENT_THREADS = 4
QUICK = 0.0005
"""Seconds that all system calls for a small file may keep the event loop."""
CHANCE = 2
"""Slow answers in a row that are the disk's; one may be a busy machine's."""
KEEP_SIZE = 1
"""FALLOC_FL_KEEP_SIZE of fallocate(2): the file is as long as what was written."""
NO_SUCH_THING = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Disk:
    """Threads for files, and a feeling for how fast the disk is.

    A small file is a handful of system calls, and handing them to a thread costs
    more than they do: while they take no time they are made where we are. Where
    they are slow, they go back to the threads until the disk is quick again. Each
    kind of work is judged by itself: to find a name is quick on the slowest disk.
    """

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, "hydra-write")
        self._pool = ThreadPoolExecutor(PATIENT_THREADS, "hydra-file")
        self._slow: dict[str, int] = {}
        """Slow answers since the last quick one, by what was done."""

    def move(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Run what moves bytes into the page cache."""
        return self._writer.submit(function, *args)

    def submit(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Run what may wait for the disk."""
        return self._pool.submit(function, *args)

    def is_quick(self, function: Callable[..., Any]) -> bool:
        """Whether the event loop may do that itself for a small file."""
        return self._slow.get(function.__name__, CHANCE) < CHANCE

    def timed(self, function: Callable[..., Any], *args: object) -> Any:
        """Do that for a small file, and learn how quick the disk is with it."""
        started, work = monotonic(), function.__name__
        result = function(*args)
        is_slow = monotonic() - started >= QUICK
        self._slow[work] = self._slow.get(work, CHANCE) + 1 if is_slow else 0
        return result

    def close(self) -> None:
        self._writer.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(wait=False, cancel_futures=True)


def flush(descriptor: int) -> None:
    """Return when no power cut can take what was written."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    else:
        os.fdatasync(descriptor)


def lacking(descriptor: int, size: int) -> int:
    """Bytes that the file system has too few of for the file to become `size` long."""
    room = os.fstatvfs(descriptor)
    held = os.fstat(descriptor).st_blocks * 512
    return max(0, size - held - room.f_bavail * room.f_frsize)


def reserve(descriptor: int, size: int) -> None:
    """Reserve the room for `size` bytes, where the file system can.

    Never through the C library's posix_fallocate, which writes every block where
    it cannot. Raises OSError where there is not enough.
    """
    call = _fallocate()
    if call is None or not size:
        return
    while call(descriptor, KEEP_SIZE, 0, size):
        number = ctypes.get_errno()
        if number in NO_SUCH_THING:
            return
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


@cache
def _fallocate() -> Callable[[int, int, int, int], int] | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    with suppress(AttributeError):
        call = library.fallocate64
        call.argtypes = (
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int64,
            ctypes.c_int64,
        )
        return call
    return None
