"""Real files on a real disk, small and large, and what may be in their way."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import resource
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LocalError
from engine.files import QUICK, SMALL_FILE, Disk, FileSink, Names
from engine.model import Block
from engine.sinks import MOST_BUFFERS

SMALL = bytes(range(256)) * 40
LARGE = bytes(range(256)) * (SMALL_FILE // 256 + 1000)
MODIFIED = 1_600_000_000.0


def blocks(data: bytes, *cuts: int) -> list[Block]:
    """The data in blocks that end at the cuts, each in two pieces."""
    found = []
    for start, stop in pairwise([0, *cuts, len(data)]):
        middle = (start + stop) // 2
        pieces = (data[start:middle], memoryview(data)[middle:stop])
        found.append(Block(start, pieces, stop - start))
    return found


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


class Making:
    """The sinks of one engine, in one folder."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory
        self.names = Names()
        self.disk = disk
        self.sinks: list[FileSink] = []

    def __call__(self, name: str = "file.bin") -> FileSink:
        self.sinks.append(FileSink(self.directory, name, self.names, self.disk))
        return self.sinks[-1]

    def content(self) -> dict[str, bytes]:
        """Every file there is, by its name."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}


@pytest.fixture
async def making(tmp_path: Path, disk: Disk) -> AsyncIterator[Making]:
    making = Making(tmp_path / "here", disk)
    making.directory.mkdir()
    yield making
    for sink in making.sinks:
        await sink.close()


async def make(sink: FileSink, data: bytes) -> None:
    """Write a whole file."""
    await sink.open(len(data))
    for block in blocks(data):
        await sink.write(block)
    await sink.finish(len(data), None)


BOTH = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


# -- names -------------------------------------------------------------------


def test_the_first_of_a_name_has_it(tmp_path: Path) -> None:
    """A name that nobody has is taken as it is."""
    assert Names().choose(tmp_path, "a.txt") == tmp_path / "a.txt"


def test_no_two_jobs_choose_one_name(tmp_path: Path) -> None:
    """Also before any of them has made a file, names are numbered."""
    names = Names()
    chosen = [names.choose(tmp_path, "a.txt").name for _ in range(3)]
    assert chosen == ["a.txt", "a (2).txt", "a (3).txt"]


def test_what_is_on_disk_has_its_name(tmp_path: Path) -> None:
    """Files, folders and symlinks to nowhere are all in the way."""
    (tmp_path / "a.txt").touch()
    (tmp_path / "a (2).txt").mkdir()
    (tmp_path / "a (3).txt").symlink_to("nowhere")
    assert Names().choose(tmp_path, "a.txt").name == "a (4).txt"


def test_a_name_can_be_given_back(tmp_path: Path) -> None:
    """A name that is given back is free, and giving back twice is harmless."""
    names = Names()
    target = names.choose(tmp_path, "a.txt")
    names.give_back(target)
    names.give_back(target)
    assert names.choose(tmp_path, "a.txt") == target


def test_one_name_in_two_folders_is_two_names(tmp_path: Path) -> None:
    """Names are counted per folder."""
    names = Names()
    assert names.choose(tmp_path, "a.txt").name == "a.txt"
    assert names.choose(tmp_path / "b", "a.txt").name == "a.txt"


# -- the disk ----------------------------------------------------------------


def run_here(disk: Disk) -> bool:
    """Whether the disk would save in this thread."""
    where: list[int] = []
    disk.save(lambda: where.append(threading.get_ident())).result(5)
    return where == [threading.get_ident()]


def test_a_quick_disk_is_used_here(disk: Disk) -> None:
    """The first file goes to a thread; if that was quick, the next does not."""
    assert not run_here(disk)
    assert run_here(disk)


def test_a_slow_answer_sends_files_to_the_threads(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slow file, and the next goes to a thread, until the disk is quick again."""
    assert not run_here(disk)
    ticks = iter([0.0, QUICK, 0.0, QUICK / 2, 0.0, 0.0])
    monkeypatch.setattr("engine.files.monotonic", lambda: next(ticks))
    assert [run_here(disk) for _ in range(3)] == [True, False, True]


def test_a_failure_is_the_futures(disk: Disk) -> None:
    """Whether it ran here or in a thread, the caller finds the error in one place."""

    def fail() -> None:
        raise LocalError("no")

    for _ in range(2):
        with pytest.raises(LocalError, match="no"):
            disk.save(fail).result(5)
        disk.save(lambda: None).result(5)


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


# -- from open to finish -----------------------------------------------------


@BOTH
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
async def test_a_file_is_what_was_written(
    making: Making, data: bytes, order: int
) -> None:
    """Blocks come in any order, and the whole file has its name and its time."""
    sink = making()
    await sink.open(len(data))
    for block in blocks(data, 1000, 1001, 5000)[::order]:
        await sink.write(block)
    await sink.finish(len(data), MODIFIED)
    assert making.content() == {"file.bin": data}
    assert sink.target.stat().st_mtime == MODIFIED


async def test_a_file_of_unknown_length_is_written_as_it_comes(making: Making) -> None:
    """Without a length a file is not kept in memory, however small it is."""
    sink = making()
    await sink.open(None)
    for block in blocks(SMALL, 5000):
        await sink.write(block)
    assert making.content() == {"file.bin.part": SMALL}
    await sink.finish(len(SMALL), None)
    assert making.content() == {"file.bin": SMALL}


async def test_an_empty_file_is_a_file(making: Making) -> None:
    """A file of no bytes is made like any other."""
    sink = making()
    await sink.open(0)
    await sink.finish(0, MODIFIED)
    assert making.content() == {"file.bin": b""}


async def test_until_it_is_whole_a_file_has_another_name(making: Making) -> None:
    """What is under the final name is always whole."""
    sink = making()
    await sink.open(len(LARGE))
    await sink.write(blocks(LARGE, 5000)[0])
    assert list(making.content()) == ["file.bin.part"]
    assert (sink.target.name, sink.part.name) == ("file.bin", "file.bin.part")


async def test_a_small_file_is_made_when_it_is_whole(making: Making) -> None:
    """Until then nothing is on disk, and nothing is left if it never is."""
    sink = making()
    await sink.open(len(SMALL))
    await sink.write(blocks(SMALL, 5000)[0])
    assert making.content() == {}
    await sink.close()
    assert making.content() == {}


async def test_a_block_in_very_many_pieces_is_written(making: Making) -> None:
    """More pieces than one system call takes are written in several."""
    pieces = tuple(bytes([n % 251]) * 3 for n in range(3 * MOST_BUFFERS + 1))
    data = b"".join(pieces)
    sink = making()
    await sink.open(None)
    await sink.write(Block(0, pieces, len(data)))
    await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data}


async def test_what_a_longer_version_left_is_cut_off(making: Making) -> None:
    """After a restart the file is as long as the version that is whole."""
    sink = making()
    await sink.open(None)
    await sink.write(blocks(LARGE)[0])
    await sink.write(blocks(SMALL)[0])
    await sink.finish(len(SMALL), None)
    assert making.content() == {"file.bin": SMALL}


@BOTH
async def test_what_was_written_can_be_read(making: Making, data: bytes) -> None:
    """A hash that follows reads back what lies before the front."""
    sink = making()
    await sink.open(len(data))
    for block in blocks(data, 3000)[::-1]:
        await sink.write(block)
    assert sink.read(0, 10) == data[:10]
    assert sink.read(2990, 20) == data[2990:3010]
    assert sink.read(len(data) - 5, 100) == data[-5:]


@BOTH
async def test_a_pause_keeps_what_is_here(making: Making, data: bytes) -> None:
    """Opened again, a sink goes on with what it has."""
    sink = making()
    first, second = blocks(data, 5000)
    await sink.open(len(data))
    await sink.write(first)
    await sink.open(len(data))
    await sink.write(second)
    await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data}


async def test_the_folder_is_made(making: Making) -> None:
    """Where files shall go need not exist."""
    making.directory /= "new/deep"
    await make(making(), SMALL)
    assert making.content() == {"file.bin": SMALL}


@BOTH
async def test_two_files_of_one_name_are_two(making: Making, data: bytes) -> None:
    """The second file gets a number, whichever is whole first."""
    sinks = [making(), making()]
    for sink in sinks:
        await sink.open(len(data))
        await sink.write(blocks(data)[0])
    for sink in reversed(sinks):
        await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data, "file (2).bin": data}


@BOTH
async def test_a_name_is_free_when_its_file_was_given_up(
    making: Making, data: bytes
) -> None:
    """A sink that is closed early gives its name back."""
    given_up = making()
    await given_up.open(len(data))
    await given_up.close()
    sink = making()
    await make(sink, data)
    assert sink.target.name == "file.bin"


@BOTH
async def test_wrong_bytes_are_kept_under_another_name(
    making: Making, data: bytes
) -> None:
    """What failed its check is kept for inspection, and not as the file."""
    sink = making()
    await sink.open(len(data))
    await sink.write(blocks(data)[0])
    await sink.condemn()
    await sink.close()
    assert making.content() == {"file.bin.part.bad": data}


async def test_an_open_sink_says_so(making: Making) -> None:
    """Whoever leaves a sink behind knows whether there is something to close."""
    sink = making()
    states = [sink.is_open]
    await sink.open(None)
    states.append(sink.is_open)
    await sink.close()
    states.append(sink.is_open)
    assert states == [False, True, False]


async def test_closing_waits_for_the_threads(making: Making) -> None:
    """A write that was given up is ended before its file is closed."""
    sink = making()
    await sink.open(None)
    gate = threading.Event()
    making.disk.move(gate.wait)
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(sink.write(blocks(SMALL)[0]))
        await asyncio.sleep(0)
        closer = group.create_task(sink.close())
        await asyncio.sleep(0)
        assert not closer.done()
        gate.set()
    assert writing.done()
    assert making.content() == {"file.bin.part": SMALL}


# -- what may be in the way --------------------------------------------------


async def test_a_part_of_an_earlier_run_is_begun_again(making: Making) -> None:
    """An old `.part` that nobody writes is ours, and its bytes are not trusted."""
    (making.directory / "file.bin.part").write_bytes(LARGE)
    sink = making()
    await sink.open(None)
    await sink.write(blocks(SMALL)[0])
    assert making.content() == {"file.bin.part": SMALL}


@BOTH
async def test_a_symlink_is_not_followed(
    making: Making, tmp_path: Path, data: bytes
) -> None:
    """Nobody can make us write into a file of his choice."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (making.directory / "file.bin.part").symlink_to(victim)
    sink = making()
    with pytest.raises(LocalError, match=r"file\.bin\.part: Too many levels"):
        await make(sink, data)
    assert victim.read_bytes() == b"precious"


@BOTH
async def test_another_run_that_writes_it_keeps_it(making: Making, data: bytes) -> None:
    """A locked `.part` is left alone, and the message says why."""
    part = making.directory / "file.bin.part"
    part.write_bytes(b"the other run's")
    with part.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        sink = making()
        with pytest.raises(LocalError, match="another run is writing it"):
            await make(sink, data)
    await sink.close()
    assert making.content() == {"file.bin.part": b"the other run's"}


async def test_our_part_is_locked(making: Making) -> None:
    """While we write, another run cannot have it; afterwards it can."""
    sink = making()
    await sink.open(None)
    with sink.part.open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await sink.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_file_that_became_whole_meanwhile_is_left_alone(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that finishes while we open its `.part` loses nothing."""
    part = making.directory / "file.bin.part"
    part.write_bytes(b"whole")
    lock = fcntl.flock

    def finish_then_lock(fd: int, operation: int) -> None:
        if part.exists():
            part.rename(making.directory / "file.bin")
        lock(fd, operation)

    monkeypatch.setattr("engine.files.fcntl.flock", finish_then_lock)
    sink = making()
    try:
        await sink.open(None)
    except LocalError:
        pass
    else:
        await sink.write(blocks(SMALL)[0])
    assert making.content()["file.bin"] == b"whole"


@BOTH
async def test_a_folder_that_is_a_file_is_refused(
    making: Making, tmp_path: Path, data: bytes
) -> None:
    """The message names what is in the way."""
    (tmp_path / "file").touch()
    making.directory = tmp_path / "file" / "sub"
    sink = making()
    with pytest.raises(LocalError, match=r"file/sub: Not a directory"):
        await make(sink, data)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_refused(making: Making) -> None:
    """Without permission nothing is made, and the message says so."""
    making.directory.chmod(0o500)
    with pytest.raises(LocalError, match="Permission denied"):
        await making().open(None)
    making.directory.chmod(0o700)


async def test_a_folder_that_went_away_is_told(making: Making) -> None:
    """A file that cannot get its name is an error of this machine."""
    sink = making()
    await sink.open(None)
    await sink.write(blocks(SMALL)[0])
    sink.part.unlink()
    with pytest.raises(LocalError, match="No such file or directory"):
        await sink.finish(len(SMALL), None)


@contextmanager
def little_room() -> Iterator[None]:
    """No file of this process may be larger than a page: not for long, as its own
    output may be one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more_is_told(making: Making) -> None:
    """What the system says about a failed write is what people read."""
    sink = making()
    await sink.open(None)
    with (
        little_room(),
        pytest.raises(LocalError, match=r"file\.bin\.part: File too large"),
    ):
        await sink.write(blocks(SMALL)[0])


async def test_a_write_that_was_given_up_may_fail_in_silence(making: Making) -> None:
    """Nobody is told of the failure of what nobody waits for."""
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    sink = making()
    await sink.open(None)
    gate, begun = threading.Event(), asyncio.Event()

    def fail_late() -> None:
        loop.call_soon_threadsafe(begun.set)
        gate.wait()
        raise OSError(28, "No space left on device")

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(sink._result(making.disk.move(fail_late)))
        await begun.wait()
        writing.cancel()
    async with asyncio.TaskGroup() as group:
        group.create_task(sink.close())
        await asyncio.sleep(0)
        gate.set()
    del writing
    making.disk.move(gc.collect).result(5)
    assert told == []
