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

from engine.errors import HydraError

PATIENT_THREADS = 4
QUICK = 0.0005
"""Seconds that all system calls for a small file may keep the event loop."""
KEEP_SIZE = 1
"""FALLOC_FL_KEEP_SIZE of fallocate(2): the file is as long as what was written."""
NO_SUCH_THING = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Disk:
    """Threads for files, and a feeling for how fast the disk is.

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

    def quick(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Run what should be quick: here, if it has been."""
        if self._cost >= QUICK:
            return self._pool.submit(self._timed, function, *args)
        done: Future[Any] = Future()
        try:
            done.set_result(self._timed(function, *args))
        except (OSError, HydraError) as error:
            done.set_exception(error)
        return done

    def close(self) -> None:
        self._writer.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _timed(self, function: Callable[..., Any], *args: object) -> Any:
        started = monotonic()
        result = function(*args)
        self._cost = monotonic() - started
        return result


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
