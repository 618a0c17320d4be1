"""Threads that wait for the disk, and the few things only a file system can do."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from engine import disk as module
from engine.disk import NO_SUCH_THING, QUICK, Disk, flush, lacking, reserve
from engine.errors import LocalError

MIB = 1024 * 1024
HUGE = 1 << 60
"""No machine has that much."""
BLOCK = 4096


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """An empty file that is open for writing."""
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        yield file.fileno()


# -- threads -----------------------------------------------------------------


def find() -> None:
    """Stands for a kind of work."""


def finish() -> None:
    """Stands for another."""


def took(
    disk: Disk,
    work: Callable[[], None],
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> bool:
    """Whether the next of its kind may be done here, after one that took so long."""
    ticks = iter([0.0, seconds])
    with monkeypatch.context() as clock:
        clock.setattr("engine.disk.monotonic", lambda: next(ticks))
        disk.timed(work)
    return disk.is_quick(work)


def test_a_quick_disk_is_used_here(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file goes to a thread; if that was quick, the next does not."""
    assert not disk.is_quick(finish)
    assert took(disk, finish, QUICK / 2, monkeypatch)


def test_a_disk_that_was_always_slow_is_left_to_the_threads(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried here before it was quick in a thread."""
    assert not took(disk, finish, QUICK, monkeypatch)


def test_slow_answers_send_files_to_the_threads(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slow files, and the next goes to a thread, until the disk is quick again."""
    seconds = [0.0, QUICK, 0.0, QUICK, QUICK, QUICK, QUICK / 2]
    here = [took(disk, finish, each, monkeypatch) for each in seconds]
    assert here == [True, True, True, True, False, False, True]


def test_each_kind_of_work_is_judged_by_itself(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that flushes slowly names are found here all the same."""
    assert took(disk, find, 0.0, monkeypatch)
    assert not took(disk, finish, QUICK, monkeypatch)
    assert disk.is_quick(find)
    assert took(disk, find, 0.0, monkeypatch)
    assert not disk.is_quick(finish)


def test_what_was_made_comes_back(disk: Disk) -> None:
    """The caller has the result, or the error."""

    def fail() -> None:
        raise LocalError("no")

    assert disk.timed(divmod, 17, 5) == (3, 2)
    with pytest.raises(LocalError, match="no"):
        disk.timed(fail)


@pytest.mark.parametrize("way", [Disk.move, Disk.submit])
def test_what_the_threads_make_comes_back(
    disk: Disk, way: Callable[..., Future[Any]]
) -> None:
    """Whoever gave work to a thread has its result or its error, never made here."""
    thread = way(disk, threading.get_ident).result(5)
    assert thread != threading.get_ident()
    assert way(disk, divmod, 17, 5).result(5) == (3, 2)
    with pytest.raises(FileNotFoundError):
        way(disk, os.stat, "/nowhere/at/all").result(5)


def test_blocks_are_moved_one_after_the_other(disk: Disk) -> None:
    """One thread writes blocks, in the order in which they were given."""
    order: list[tuple[int, int]] = []
    for number in range(100):
        disk.move(lambda n=number: order.append((n, threading.get_ident())))
    disk.move(lambda: None).result(5)
    assert [number for number, _ in order] == list(range(100))
    assert len({thread for _, thread in order}) == 1


def test_who_waits_for_the_disk_holds_up_no_block(disk: Disk) -> None:
    """Blocks are moved while something else waits for the disk, and so are names."""
    gate = threading.Event()
    waiting = disk.submit(gate.wait)
    assert disk.move(divmod, 7, 2).result(5) == (3, 1)
    assert disk.submit(divmod, 9, 2).result(5) == (4, 1)
    assert not waiting.done()
    gate.set()
    assert waiting.result(5)


def test_the_pools_end_without_waiting() -> None:
    """Closing does not wait for what is stuck."""
    disk = Disk()
    gate = threading.Event()
    running = disk.move(gate.wait)
    queued: Future[Any] = disk.move(lambda: None)
    disk.close()
    assert queued.cancelled()
    gate.set()
    assert running.result(5)


# -- flush -------------------------------------------------------------------


def test_what_was_flushed_is_in_the_file(fd: int, tmp_path: Path) -> None:
    """Flushing changes nothing that a reader sees."""
    os.write(fd, b"data")
    flush(fd)
    assert (tmp_path / "file").read_bytes() == b"data"


def test_what_cannot_be_flushed_is_told() -> None:
    """Nobody may believe that something is safe which is not."""
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError):
            flush(writing)
    finally:
        os.close(reading)
        os.close(writing)


def test_where_a_sync_is_not_enough_the_full_one_is_asked(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS only F_FULLFSYNC makes the drive itself write."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("engine.disk.fcntl.F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(
        "engine.disk.fcntl.fcntl", lambda *args: asked.append((args[0], args[1]))
    )
    flush(fd)
    assert asked == [(fd, 51)]


# -- room --------------------------------------------------------------------


def test_there_is_room_for_a_little(fd: int) -> None:
    """A file that fits lacks nothing, and neither does an empty one."""
    assert lacking(fd, 1) == 0
    assert lacking(fd, 0) == 0


def test_there_is_no_room_for_everything(fd: int) -> None:
    """What no file system has room for lacks nearly all of it."""
    assert HUGE // 2 < lacking(fd, HUGE) <= HUGE


@given(held=st.integers(0, 4), room=st.integers(0, 8), size=st.integers(0, 20 * BLOCK))
def test_what_a_file_holds_it_need_not_find(
    tmp_path_factory: pytest.TempPathFactory, held: int, room: int, size: int
) -> None:
    """The blocks that a file has already count as room for it."""
    path = tmp_path_factory.mktemp("room") / "file"
    path.write_bytes(bytes(held * BLOCK))
    with pytest.MonkeyPatch.context() as patch, path.open("rb") as file:
        blocks = SimpleNamespace(f_bavail=room, f_frsize=BLOCK)
        patch.setattr("engine.disk.os.fstatvfs", lambda _: blocks)
        has = os.fstat(file.fileno()).st_blocks * 512 + room * BLOCK
        assert lacking(file.fileno(), size) == max(0, size - has)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has fallocate(2)")
def test_what_is_reserved_is_no_content(fd: int) -> None:
    """Reserving takes blocks, and leaves the file as long as it was."""
    os.write(fd, b"data")
    reserve(fd, 8 * MIB)
    status = os.fstat(fd)
    assert (status.st_size, os.pread(fd, 100, 0)) == (4, b"data")
    assert status.st_blocks * 512 >= 8 * MIB


def test_reserving_what_is_there_changes_nothing(fd: int) -> None:
    """A file that is longer keeps its bytes, and nothing is a size as well."""
    os.write(fd, bytes(range(100)))
    for size in (0, 1, 100):
        reserve(fd, size)
    assert os.pread(fd, 200, 0) == bytes(range(100))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has fallocate(2)")
def test_what_cannot_be_reserved_is_told(fd: int) -> None:
    """Where there is not enough, nothing is begun that could not be ended."""
    with pytest.raises(OSError) as raised:
        reserve(fd, HUGE)
    assert raised.value.errno in {errno.ENOSPC, errno.EFBIG}


class Library:
    """The C library's fallocate, with answers of ours: an errno, or 0."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[int, int, int, int]] = []

    def __call__(self, *args: int) -> int:
        fd, mode, offset, size = args
        self.calls.append((fd, mode, offset, size))
        number = self.answers.pop(0)
        ctypes.set_errno(number)
        return -1 if number else 0


@pytest.mark.parametrize("number", sorted(NO_SUCH_THING))
def test_a_file_system_need_not_be_able_to(
    fd: int, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Where room cannot be reserved, that is no reason not to begin."""
    library = Library(number)
    monkeypatch.setattr(module, "_fallocate", lambda: library)
    reserve(fd, 1000)
    assert library.calls == [(fd, 1, 0, 1000)]


def test_a_signal_does_not_end_it(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that was interrupted is made again."""
    library = Library(errno.EINTR, errno.EINTR, 0)
    monkeypatch.setattr(module, "_fallocate", lambda: library)
    reserve(fd, 1000)
    assert len(library.calls) == 3


def test_a_full_disk_is_told(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the system's, with its number and its words."""
    monkeypatch.setattr(module, "_fallocate", lambda: Library(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left") as raised:
        reserve(fd, 1000)
    assert raised.value.errno == errno.ENOSPC


def test_another_system_has_no_such_call(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere nothing is reserved, not even what there is no room for."""
    monkeypatch.setattr(module, "_fallocate", lambda: None)
    reserve(fd, HUGE)
    assert os.fstat(fd).st_size == 0
