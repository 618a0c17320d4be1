"""Real files on a real disk, small and large, and what may be in their way."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import hashlib
import os
import resource
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from engine import journal
from engine.already import Wanted
from engine.disk import PATIENT_THREADS, Disk
from engine.errors import LocalError
from engine.files import SMALL_FILE, FileSink
from engine.journal import Link, Record
from engine.model import Block, Digest, OnConflict, RemoteFile
from engine.places import Places
from engine.ranges import ByteRange, RangeSet
from engine.sinks import MOST_BUFFERS, SAMPLE

SMALL = bytes(range(256)) * 40
LARGE = bytes(range(256)) * (SMALL_FILE // 256 + 1000)
MODIFIED = 1_600_000_000.0
URL = "https://example.org/file.bin?key=1"
FRESH = "https://example.org/file.bin?key=2"
REMOTE = RemoteFile(
    url="https://cdn.example.org/7",
    size=None,
    ranges=True,
    name="file.bin",
    etag='"abc"',
    last_modified="Sun, 13 Sep 2020 12:26:40 GMT",
    media_type="application/zip",
)
HALF = RangeSet([ByteRange(0, 5000)])


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
        self.places = Places()
        self.disk = disk
        self.sinks: list[FileSink] = []

    def __call__(
        self, conflict: OnConflict = OnConflict.RENAME, url: str = URL
    ) -> FileSink:
        sink = FileSink(self.directory, Link.of(url), self.places, self.disk, conflict)
        self.sinks.append(sink)
        return sink

    async def run_again(self) -> None:
        """What is on disk is all that is left: another run begins."""
        for sink in self.sinks:
            await sink.close()
        self.places = Places()

    def content(self) -> dict[str, bytes]:
        """Every file there is, by its name."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def data(self) -> dict[str, bytes]:
        """Every file there is that is no journal, by its name."""
        found = self.content()
        return {name: found[name] for name in found if not name.endswith(".hydra")}

    def journal(self, name: str = "file.bin") -> Record | None:
        return journal.load(self.directory / f"{name}.part.hydra")


@pytest.fixture
async def making(tmp_path: Path, disk: Disk) -> AsyncIterator[Making]:
    making = Making(tmp_path / "here", disk)
    making.directory.mkdir()
    yield making
    for sink in making.sinks:
        await sink.close()


def part_of(sink: FileSink) -> Path:
    """Where its bytes are."""
    return Path(sink.part)


async def begin(sink: FileSink, size: int | None, name: str = "file.bin") -> FileSink:
    """Open it, which this test takes for granted."""
    remote = replace(REMOTE, size=size)
    assert await sink.open(name, Wanted(remote=remote, modified=MODIFIED)) == ""
    return sink


async def make(sink: FileSink, data: bytes) -> None:
    """Write a whole file."""
    await begin(sink, len(data))
    for block in blocks(data):
        await sink.write(block)
    await sink.finish(len(data), None)


async def leave_half(sink: FileSink, data: bytes = LARGE) -> None:
    """Write the first 5,000 bytes, make them durable, and stop."""
    await begin(sink, len(data))
    await sink.write(blocks(data, 5000)[0])
    await sink.checkpoint(HALF, replace(REMOTE, size=len(data)))
    await sink.close()


BOTH = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


# -- from open to finish -----------------------------------------------------


@BOTH
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
async def test_a_file_is_what_was_written(
    making: Making, data: bytes, order: int
) -> None:
    """Blocks come in any order, and the whole file has its name and its time."""
    sink = await begin(making(), len(data))
    for block in blocks(data, 1000, 1001, 5000)[::order]:
        await sink.write(block)
    await sink.finish(len(data), MODIFIED)
    assert making.content() == {"file.bin": data}
    assert sink.target is not None
    assert sink.target.stat().st_mtime == MODIFIED


async def test_a_file_of_unknown_length_is_written_as_it_comes(making: Making) -> None:
    """Without a length a file is not kept in memory, however small it is."""
    sink = await begin(making(), None)
    for block in blocks(SMALL, 5000):
        await sink.write(block)
    assert making.data() == {"file.bin.part": SMALL}
    await sink.finish(len(SMALL), None)
    assert making.content() == {"file.bin": SMALL}


async def test_an_empty_file_is_a_file(making: Making) -> None:
    """A file of no bytes is made like any other."""
    sink = await begin(making(), 0)
    await sink.finish(0, MODIFIED)
    assert making.content() == {"file.bin": b""}


async def test_until_it_is_whole_a_file_has_another_name(making: Making) -> None:
    """What is under the final name is always whole."""
    sink = await begin(making(), len(LARGE))
    await sink.write(blocks(LARGE, 5000)[0])
    assert list(making.data()) == ["file.bin.part"]
    assert sink.target is not None
    assert (sink.target.name, part_of(sink).name) == ("file.bin", "file.bin.part")


async def test_a_small_file_is_made_when_it_is_whole(making: Making) -> None:
    """Until then nothing is on disk, and nothing is left if it never is."""
    sink = await begin(making(), len(SMALL))
    await sink.write(blocks(SMALL, 5000)[0])
    assert making.content() == {}
    await sink.close()
    assert making.content() == {}


async def test_a_block_in_very_many_pieces_is_written(making: Making) -> None:
    """More pieces than one system call takes are written in several."""
    pieces = tuple(bytes([n % 251]) * 3 for n in range(3 * MOST_BUFFERS + 1))
    data = b"".join(pieces)
    sink = await begin(making(), None)
    await sink.write(Block(0, pieces, len(data)))
    await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data}


async def test_what_a_longer_version_left_is_cut_off(making: Making) -> None:
    """After a restart the file is as long as the version that is whole."""
    sink = await begin(making(), None)
    await sink.write(blocks(LARGE)[0])
    await sink.write(blocks(SMALL)[0])
    await sink.finish(len(SMALL), None)
    assert making.content() == {"file.bin": SMALL}


@BOTH
async def test_what_was_written_can_be_read(making: Making, data: bytes) -> None:
    """A hash that follows reads back what lies before the front."""
    sink = await begin(making(), len(data))
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
    for block in (first, second):
        await begin(sink, len(data))
        await sink.write(block)
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
        await begin(sink, len(data))
        await sink.write(blocks(data)[0])
    for sink in reversed(sinks):
        await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data, "file (2).bin": data}


async def test_a_name_is_free_when_its_file_was_given_up(making: Making) -> None:
    """A sink that is closed early, and has left nothing, gives its name back."""
    given_up = await begin(making(), len(SMALL))
    await given_up.close()
    await make(making(), SMALL)
    assert making.content() == {"file.bin": SMALL}


@BOTH
async def test_a_name_is_free_when_its_part_was_set_aside(
    making: Making, data: bytes
) -> None:
    """Setting aside what there is gives the name back, too."""
    given_up = await begin(making(), len(data))
    await given_up.set_aside()
    await make(making(), data)
    assert making.content() == {"file.bin": data}


async def test_who_closes_early_can_be_gone_on_with(making: Making) -> None:
    """What a sink has left keeps its name for the same link."""
    await leave_half(making())
    await make(making(url="https://example.org/other"), LARGE)
    assert making.data() == {"file.bin.part": LARGE[:5000], "file (2).bin": LARGE}


@BOTH
async def test_wrong_bytes_are_kept_under_another_name(
    making: Making, data: bytes
) -> None:
    """What failed its check is kept for inspection, and not as the file."""
    sink = await begin(making(), len(data))
    await sink.write(blocks(data)[0])
    await sink.condemn()
    assert not sink.is_open
    assert making.content() == {"file.bin.part.bad": data}


async def test_nobody_goes_on_with_wrong_bytes(making: Making) -> None:
    """What was condemned is not found again, and the next of them takes its place."""
    for data in (LARGE, LARGE[::-1]):
        sink = making()
        assert await sink.find(None) is None
        await begin(sink, len(data))
        await sink.write(blocks(data)[0])
        await sink.condemn()
    assert making.content() == {"file.bin.part.bad": LARGE[::-1]}


async def test_an_open_sink_says_so(making: Making) -> None:
    """Whoever leaves a sink behind knows whether there is something to close."""
    sink = making()
    states = [sink.is_open]
    await begin(sink, None)
    states.append(sink.is_open)
    await sink.close()
    states.append(sink.is_open)
    assert states == [False, True, False]


async def test_closing_waits_for_the_threads(making: Making) -> None:
    """A write that was given up is ended before its file is closed."""
    sink = await begin(making(), None)
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
    assert making.data() == {"file.bin.part": SMALL}


# -- what may be in the way --------------------------------------------------


async def test_an_empty_part_is_begun_again(making: Making) -> None:
    """An empty `.part` without a journal is what a killed run left, and is ours."""
    (making.directory / "file.bin.part").touch()
    await make(making(), LARGE)
    assert making.content() == {"file.bin": LARGE}


@BOTH
async def test_a_part_of_somebody_is_left_alone(making: Making, data: bytes) -> None:
    """A `.part` that nobody knows keeps its bytes, and ours gets another name."""
    (making.directory / "file.bin.part").write_bytes(b"somebody's")
    await make(making(), data)
    assert making.content() == {
        "file.bin.part": b"somebody's",
        "file (2).bin": data,
    }


@BOTH
async def test_a_part_with_a_damaged_journal_is_begun_again(
    making: Making, data: bytes
) -> None:
    """Such a part was ours, its bytes are not trusted, and in the end it is gone."""
    (making.directory / "file.bin.part").write_bytes(LARGE)
    (making.directory / "file.bin.part.hydra").write_bytes(b"torn")
    sink = making()
    assert await sink.find(None) is None
    await make(sink, data)
    assert making.content() == {"file.bin": data}


async def test_until_it_is_whole_a_damaged_part_is_kept(making: Making) -> None:
    """What is begun again is set aside, and not written over."""
    (making.directory / "file.bin.part").write_bytes(b"damaged")
    (making.directory / "file.bin.part.hydra").write_bytes(b"torn")
    sink = await begin(making(), len(LARGE))
    await sink.write(blocks(LARGE)[0])
    assert making.data() == {"file.bin.part": LARGE, "file.bin.part.old": b"damaged"}


@BOTH
async def test_a_symlink_is_not_followed(
    making: Making, tmp_path: Path, data: bytes
) -> None:
    """Nobody can make us write into a file of his choice."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (making.directory / "file.bin.part").symlink_to(victim)
    await make(making(), data)
    assert victim.read_bytes() == b"precious"
    assert (making.directory / "file (2).bin").read_bytes() == data


async def test_a_symlink_that_comes_late_is_not_followed(
    making: Making, tmp_path: Path
) -> None:
    """Not even where a link is made after the name was chosen."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    sink = await begin(making(), len(SMALL))
    await sink.write(blocks(SMALL)[0])
    part_of(sink).symlink_to(victim)
    with suppress(LocalError):
        await sink.finish(len(SMALL), None)
    assert victim.read_bytes() == b"precious"


async def test_a_symlink_is_no_leftover(making: Making, tmp_path: Path) -> None:
    """A link in the place of what an earlier run left is not written through."""
    await leave_half(making())
    await making.run_again()
    part = making.directory / "file.bin.part"
    part.rename(tmp_path / "victim")
    part.symlink_to(tmp_path / "victim")
    with pytest.raises(LocalError, match=r"file\.bin\.part: Too many levels"):
        await making().find(None)
    assert (tmp_path / "victim").read_bytes() == LARGE[:5000]


@contextmanager
def locked(part: Path) -> Iterator[None]:
    """While another run has it."""
    with part.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        yield


async def test_another_run_that_writes_it_keeps_it(making: Making) -> None:
    """A locked `.part` of this link is left alone, and the message says why."""
    await leave_half(making())
    await making.run_again()
    sink = making()
    with (
        locked(making.directory / "file.bin.part"),
        pytest.raises(LocalError, match=r"file\.bin\.part: another run is writing it"),
    ):
        await sink.find(None)
    await sink.close()
    assert making.data() == {"file.bin.part": LARGE[:5000]}
    assert await making().find(None) is not None


async def test_another_run_that_has_just_begun_keeps_it(making: Making) -> None:
    """A `.part` that has no byte and no journal yet may be locked all the same."""
    part = making.directory / "file.bin.part"
    part.touch()
    with (
        locked(part),
        pytest.raises(LocalError, match="another run is writing it"),
    ):
        await begin(making(), len(LARGE))
    assert making.content() == {"file.bin.part": b""}


async def test_another_run_that_came_meanwhile_keeps_it(making: Making) -> None:
    """A small file is made when it is whole, and takes no byte from who was quicker."""
    sink = await begin(making(), len(SMALL))
    await sink.write(blocks(SMALL)[0])
    part_of(sink).write_bytes(b"the other run's")
    with locked(part_of(sink)), suppress(LocalError):
        await sink.finish(len(SMALL), None)
    assert making.content()["file.bin.part"] == b"the other run's"


@pytest.mark.parametrize("takes_long", [False, True])
async def test_what_another_run_left_meanwhile_is_kept(
    making: Making, takes_long: bool
) -> None:
    """A small file that is made late does not end what can be gone on with."""
    sink = await begin(making(), len(SMALL))
    await sink.write(blocks(SMALL)[0])
    other = Making(making.directory, making.disk)
    await leave_half(other(url="https://example.org/other/file.bin"))
    left = making.content()
    with suppress(LocalError):
        if takes_long:
            await sink.checkpoint(HALF, replace(REMOTE, size=len(SMALL)))
        await sink.finish(len(SMALL), None)
    assert left.items() <= making.content().items()


async def test_our_part_is_locked(making: Making) -> None:
    """While we write, another run cannot have it; afterwards it can."""
    sink = await begin(making(), None)
    with part_of(sink).open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await sink.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def before_the_lock(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]
) -> None:
    """Let something happen between a file's opening and its lock."""
    lock = fcntl.flock

    def late(fd: int, operation: int) -> None:
        happens()
        lock(fd, operation)

    monkeypatch.setattr("engine.files.fcntl.flock", late)


async def test_a_file_that_became_whole_meanwhile_is_left_alone(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that finishes while we open its `.part` loses nothing."""
    part = making.directory / "file.bin.part"
    part.touch()

    def finish() -> None:
        part.write_bytes(b"whole")
        part.rename(making.directory / "file.bin")

    before_the_lock(monkeypatch, finish)
    with pytest.raises(LocalError, match="another run has just finished it"):
        await begin(making(), len(LARGE))
    assert making.content() == {"file.bin": b"whole"}


async def test_a_leftover_that_became_whole_meanwhile_is_left_alone(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where we would go on with it, what is whole by now is not touched."""
    await leave_half(making())
    await making.run_again()
    part = making.directory / "file.bin.part"

    def finish() -> None:
        part.rename(making.directory / "file.bin")

    before_the_lock(monkeypatch, finish)
    with pytest.raises(LocalError, match="another run has just finished it"):
        await making().find(None)
    assert making.data() == {"file.bin": LARGE[:5000]}


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
        await begin(making(), None)
    making.directory.chmod(0o700)


async def test_a_folder_that_went_away_is_told(making: Making) -> None:
    """A file that cannot get its name is an error of this machine."""
    sink = await begin(making(), None)
    await sink.write(blocks(SMALL)[0])
    part_of(sink).unlink()
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
    sink = await begin(making(), None)
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
    sink = await begin(making(), None)
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


# -- room --------------------------------------------------------------------


async def test_where_there_is_no_room_nothing_is_begun(making: Making) -> None:
    """A file that cannot fit is refused before its first byte, and leaves nothing."""
    sink = making()
    with pytest.raises(LocalError, match=r"file\.bin\.part: no space, \d+ of \d+"):
        await begin(sink, 1 << 60)
    assert making.content() == {}
    await sink.close()
    await make(making(), SMALL)
    assert making.content() == {"file.bin": SMALL}


async def test_the_room_is_taken_beside_the_first_writes(making: Making) -> None:
    """From its first checkpoint on a file can end, whatever else is written."""
    sink = await begin(making(), len(LARGE))
    await sink.checkpoint(RangeSet(), REMOTE)
    status = part_of(sink).stat()
    assert (status.st_size, status.st_blocks * 512 >= len(LARGE)) == (0, True)


async def test_a_small_file_that_does_not_fit_leaves_nothing(making: Making) -> None:
    """What could not be written whole is no partial, and holds nobody's name."""
    sink = await begin(making(), len(SMALL))
    await sink.write(blocks(SMALL)[0])
    with little_room(), pytest.raises(LocalError, match="File too large"):
        await sink.finish(len(SMALL), None)
    await making.run_again()
    await make(making(), SMALL)
    assert making.content() == {"file.bin": SMALL}


# -- the file may be here ----------------------------------------------------


def put(making: Making, data: bytes, modified: float = MODIFIED) -> None:
    path = making.directory / "file.bin"
    path.write_bytes(data)
    os.utime(path, (modified, modified))


async def verdict_of(
    making: Making,
    size: int | None,
    digest: Digest | None = None,
    modified: float | None = MODIFIED,
) -> str:
    remote = replace(REMOTE, size=size)
    wanted = Wanted(remote=remote, modified=modified, digest=digest)
    return await making().open("file.bin", wanted)


async def test_a_file_of_that_size_and_time_is_here(making: Making) -> None:
    """What was fetched once is not fetched again, and nothing is held open for it."""
    await make(making(), SMALL)
    put(making, SMALL, MODIFIED + 0.5)
    assert await verdict_of(making, len(SMALL)) == "already here"
    assert not making.sinks[-1].is_open
    assert making.content() == {"file.bin": SMALL}


async def test_what_was_finished_is_here(making: Making) -> None:
    """A file that got its time from the server is recognised by it."""
    sink = await begin(making(), len(LARGE))
    await sink.write(blocks(LARGE)[0])
    await sink.finish(len(LARGE), MODIFIED)
    assert await verdict_of(making, len(LARGE)) == "already here"


@pytest.mark.parametrize("later", [-3600.0, -1.0, 1.0])
async def test_a_file_of_another_time_is_not_here(making: Making, later: float) -> None:
    """A version of another second is another version."""
    put(making, SMALL, MODIFIED + later)
    assert await verdict_of(making, len(SMALL)) == ""


@pytest.mark.parametrize("size", [None, 0, len(SMALL) - 1, len(SMALL) + 1])
async def test_a_file_of_another_size_is_not_here(
    making: Making, size: int | None
) -> None:
    """Nothing makes up for another size, and where none is known none agrees."""
    put(making, SMALL)
    digest = Digest("sha256", hashlib.sha256(SMALL).hexdigest())
    assert await verdict_of(making, size) == ""
    assert await verdict_of(making, size, digest) == ""


async def test_a_file_of_no_time_is_not_here(making: Making) -> None:
    """Where the server gives no time, the size alone is no proof."""
    put(making, SMALL)
    assert await verdict_of(making, len(SMALL), modified=None) == ""


@pytest.mark.parametrize("modified", [None, MODIFIED, MODIFIED + 99])
async def test_a_digest_is_stronger_than_a_time(
    making: Making, modified: float | None
) -> None:
    """Where a checksum is known it decides, whatever the times say."""
    put(making, SMALL)
    right = Digest("sha256", hashlib.sha256(SMALL).hexdigest())
    wrong = Digest("sha256", hashlib.sha256(b"other").hexdigest())
    for digest, verdict in ((right, "already here"), (wrong, "")):
        assert await verdict_of(making, len(SMALL), digest, modified) == verdict


async def test_a_link_to_the_file_is_not_the_file(
    making: Making, tmp_path: Path
) -> None:
    """What lies elsewhere is not here."""
    put(making, SMALL)
    (making.directory / "file.bin").rename(tmp_path / "elsewhere")
    (making.directory / "file.bin").symlink_to(tmp_path / "elsewhere")
    assert await verdict_of(making, len(SMALL)) == ""


async def test_a_name_that_is_taken_may_end_it(making: Making) -> None:
    """Whoever wants to skip is told, and nothing is made."""
    put(making, b"other")
    wanted = Wanted(remote=replace(REMOTE, size=len(LARGE)), modified=MODIFIED)
    sink = making(OnConflict.SKIP)
    verdict = await sink.open("file.bin", wanted)
    assert verdict == "skipped, the name is taken"
    with pytest.raises(LocalError, match="--on-conflict is fail"):
        await making(OnConflict.FAIL).open("file.bin", wanted)
    assert making.content() == {"file.bin": b"other"}


@BOTH
async def test_what_is_overwritten_is_there_until_the_end(
    making: Making, data: bytes
) -> None:
    """The old file goes when the new one is whole, and not before."""
    put(making, b"old")
    sink = await begin(making(OnConflict.OVERWRITE), len(data))
    await sink.write(blocks(data)[0])
    assert making.content()["file.bin"] == b"old"
    await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data}


@BOTH
async def test_a_link_is_overwritten_and_not_its_target(
    making: Making, tmp_path: Path, data: bytes
) -> None:
    """Where a link has the name, the file comes in its place."""
    (tmp_path / "victim").write_bytes(b"precious")
    (making.directory / "file.bin").symlink_to(tmp_path / "victim")
    await make(making(OnConflict.OVERWRITE), data)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (making.directory / "file.bin").is_symlink()
    assert making.content() == {"file.bin": data}


KEEPING = [item for item in OnConflict if item is not OnConflict.OVERWRITE]


@BOTH
@pytest.mark.parametrize("conflict", KEEPING)
async def test_a_file_that_came_meanwhile_is_kept(
    making: Making, conflict: OnConflict, data: bytes
) -> None:
    """What appears under the name while ours is made is not written over."""
    sink = await begin(making(conflict), len(data))
    await sink.write(blocks(data)[0])
    put(making, b"came meanwhile")
    await sink.finish(len(data), None)
    assert making.content() == {"file.bin": b"came meanwhile", "file (2).bin": data}
    assert sink.target == making.directory / "file (2).bin"


@BOTH
@pytest.mark.parametrize("conflict", KEEPING)
async def test_files_that_came_meanwhile_are_kept(
    making: Making, conflict: OnConflict, data: bytes
) -> None:
    """Also where the next name is taken, no byte of anybody is lost."""
    sink = await begin(making(conflict), len(data))
    await sink.write(blocks(data)[0])
    there = {"file.bin": b"came meanwhile", "file (2).bin": b"came too"}
    for name, other in there.items():
        (making.directory / name).write_bytes(other)
    with suppress(LocalError):
        await sink.finish(len(data), None)
    assert there.items() <= making.content().items()
    assert data in making.content().values()


async def test_whoever_wants_to_overwrite_overwrites(making: Making) -> None:
    """With `overwrite` also what came meanwhile is replaced."""
    sink = await begin(making(OnConflict.OVERWRITE), len(LARGE))
    await sink.write(blocks(LARGE)[0])
    put(making, b"came meanwhile")
    await sink.finish(len(LARGE), None)
    assert making.content() == {"file.bin": LARGE}


# -- what is written down ----------------------------------------------------


async def test_a_part_has_a_journal_from_the_beginning(making: Making) -> None:
    """Before its first byte it is known whose it is, and that nothing is here."""
    sink = await begin(making(), len(LARGE))
    status = part_of(sink).stat()
    assert making.journal() == Record(
        link=Link.of(URL),
        name="file.bin",
        size=len(LARGE),
        etag=REMOTE.etag,
        last_modified=REMOTE.last_modified,
        media_type=REMOTE.media_type,
        done=(),
        device=status.st_dev,
        inode=status.st_ino,
    )


async def test_only_what_is_said_to_be_here_is_written_down(making: Making) -> None:
    """A checkpoint knows of no byte but those it was given."""
    sink = await begin(making(), len(LARGE))
    await sink.write(blocks(LARGE)[0])
    done = RangeSet([ByteRange(10, 20), ByteRange(4000, 5000)])
    await sink.checkpoint(done, replace(REMOTE, size=len(LARGE)))
    record = making.journal()
    assert record is not None
    assert record.done == (ByteRange(10, 20), ByteRange(4000, 5000))


async def test_what_comes_during_a_checkpoint_is_not_written_down(
    making: Making,
) -> None:
    """What a checkpoint says was here before its flush began."""
    sink = await begin(making(), len(LARGE))
    done = RangeSet(HALF)
    gate = threading.Event()
    stuck = [making.disk.submit(gate.wait) for _ in range(16)]
    async with asyncio.TaskGroup() as group:
        group.create_task(sink.checkpoint(done, replace(REMOTE, size=len(LARGE))))
        await asyncio.sleep(0)
        done.add(ByteRange(5000, 9000))
        gate.set()
    assert all(future.result(5) for future in stuck)
    record = making.journal()
    assert record is not None
    assert record.done == tuple(HALF)


async def test_a_checkpoint_has_what_is_known_by_then(making: Making) -> None:
    """What is learnt of the remote file on the way is written down with the rest."""
    sink = await begin(making(), None)
    await sink.write(blocks(SMALL)[0])
    await sink.checkpoint(HALF, replace(REMOTE, size=len(SMALL), etag='"new"'))
    record = making.journal()
    assert record is not None
    assert (record.size, record.etag) == (len(SMALL), '"new"')


async def test_a_numbered_part_is_written_down_with_its_name(making: Making) -> None:
    """The journal has the name that was wanted, so that the wanted name finds it."""
    put(making, b"other")
    await leave_half(making())
    record = making.journal("file (2).bin")
    assert record is not None
    assert record.name == "file.bin"


async def test_a_small_file_that_takes_long_is_a_file(making: Making) -> None:
    """A checkpoint puts on disk what was in memory, and what comes then follows it."""
    first, second, third = blocks(SMALL, 3000, 5000)
    sink = await begin(making(), len(SMALL))
    for block in (first, second):
        await sink.write(block)
    await sink.checkpoint(HALF, replace(REMOTE, size=len(SMALL)))
    record = making.journal()
    assert record is not None
    assert record.done == tuple(HALF)
    assert making.data() == {"file.bin.part": SMALL[:5000]}
    assert sink.read(2990, 20) == SMALL[2990:3010]
    await sink.write(third)
    await sink.finish(len(SMALL), MODIFIED)
    assert making.content() == {"file.bin": SMALL}


async def test_what_comes_while_a_small_file_is_put_on_disk_is_in_it(
    making: Making,
) -> None:
    """No block is lost between memory and disk, and each can be read all the while."""
    first, *more = blocks(SMALL, *range(1000, len(SMALL), 1000))
    sink = await begin(making(), len(SMALL))
    await sink.write(first)
    remote = replace(REMOTE, size=len(SMALL))
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(sink.checkpoint(RangeSet(), remote))
        for block in more:
            await sink.write(block)
            assert sink.read(block.offset, 10) == SMALL[block.offset :][:10]
            await asyncio.sleep(0)
        await keeping
    assert making.data() == {"file.bin.part": SMALL}
    await sink.finish(len(SMALL), None)
    assert making.content() == {"file.bin": SMALL}


async def test_a_small_file_on_disk_has_a_name_that_is_free(making: Making) -> None:
    """A small file that is put on disk late leaves alone what came meanwhile."""
    sink = await begin(making(), len(SMALL))
    await sink.write(blocks(SMALL)[0])
    part_of(sink).write_bytes(b"the other run's")
    with locked(part_of(sink)), suppress(LocalError):
        await sink.checkpoint(HALF, replace(REMOTE, size=len(SMALL)))
    assert making.content()["file.bin.part"] == b"the other run's"


class Watched(Disk):
    """A disk that tells when a block is given to it."""

    def __init__(self) -> None:
        super().__init__()
        self.moving = asyncio.Event()

    def move(self, function: Callable[..., Any], *args: object) -> Future[Any]:
        self.moving.set()
        return super().move(function, *args)


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_small_file_may_end_while_it_is_put_on_disk(tmp_path: Path) -> None:
    """A checkpoint that was given up half way is no hindrance to the end."""
    making = Making(tmp_path, disk := Watched())
    sink = await begin(making(), len(SMALL))
    for block in blocks(SMALL, 5000):
        await sink.write(block)
    gate = threading.Event()
    Disk.move(disk, gate.wait)
    async with asyncio.TaskGroup() as group:
        remote = replace(REMOTE, size=len(SMALL))
        keeping = group.create_task(sink.checkpoint(HALF, remote))
        await disk.moving.wait()
        keeping.cancel()
        await settle()
        gate.set()
    try:
        await sink.finish(len(SMALL), None)
    finally:
        await sink.close()
        disk.close()
    assert making.content() == {"file.bin": SMALL}


async def test_a_journal_that_comes_late_is_not_left(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a file is whole, no thread writes down any more what is here of it."""
    sink = await begin(making(), len(LARGE))
    await sink.write(blocks(LARGE)[0])
    loop = asyncio.get_running_loop()
    gate, begun = threading.Event(), asyncio.Event()

    def slow(_: int) -> None:
        loop.call_soon_threadsafe(begun.set)
        gate.wait()

    async def end(keeping: asyncio.Task[None]) -> None:
        keeping.cancel()
        await asyncio.wait([keeping])
        await sink.finish(len(LARGE), None)

    monkeypatch.setattr("engine.journal.os.fsync", slow)
    async with asyncio.TaskGroup() as group:
        remote = replace(REMOTE, size=len(LARGE))
        keeping = group.create_task(sink.checkpoint(HALF, remote))
        await begun.wait()
        for _ in range(PATIENT_THREADS - 2):
            making.disk.submit(gate.wait)
        group.create_task(end(keeping))
        await settle()
        await asyncio.wrap_future(making.disk.submit(lambda: None))
        gate.set()  # the one thread that was left has done what it was given
    await sink.close()
    assert making.content() == {"file.bin": LARGE}


async def test_what_cannot_be_written_down_is_told(making: Making) -> None:
    """A journal that cannot be replaced is an error, and the last one holds."""
    sink = await begin(making(), len(LARGE))
    before = making.journal()
    (making.directory / "file.bin.part.hydra.new").mkdir()
    with pytest.raises(LocalError, match=r"file\.bin\.part\.hydra\.new: "):
        await sink.checkpoint(HALF, replace(REMOTE, size=len(LARGE)))
    assert making.journal() == before


@BOTH
async def test_there_may_be_nothing_to_write_down(making: Making, data: bytes) -> None:
    """A file that is not open, or of which no byte is here, needs no journal."""
    sink = making()
    states = [sink.is_writable]
    await begin(sink, len(data))
    await sink.write(blocks(data)[0])
    states.append(sink.is_writable)
    await sink.close()
    states.append(sink.is_writable)
    assert states == [False, True, False]


async def test_a_small_file_without_a_byte_is_not_worth_a_journal(
    making: Making,
) -> None:
    """Where memory holds nothing yet, there is nothing to make durable."""
    assert not (await begin(making(), len(SMALL))).is_writable


# -- going on ----------------------------------------------------------------


@BOTH
async def test_another_run_goes_on(making: Making, data: bytes) -> None:
    """What an earlier run wrote down is found, and only the rest is to be fetched."""
    await leave_half(making(), data)
    await making.run_again()
    sink = making()
    record = await sink.find(None)
    assert record is not None
    assert (record.done, record.size) == (tuple(HALF), len(data))
    assert sink.is_open
    await begin(sink, len(data))
    await sink.write(blocks(data, 5000)[1])
    await sink.finish(len(data), MODIFIED)
    assert making.content() == {"file.bin": data}


async def test_the_same_run_goes_on(making: Making) -> None:
    """What one job of an engine left, the next of the same link takes up."""
    await leave_half(making())
    first, second = making(), making()
    assert await first.find(None) is not None
    assert await second.find(None) is None
    assert second.target is None


@BOTH
async def test_a_part_that_was_only_begun_gives_its_room_back(
    making: Making, data: bytes
) -> None:
    """What was closed before its first checkpoint is of no use to anybody."""
    sink = await begin(making(), None)
    await sink.write(blocks(data)[0])
    await making.run_again()
    assert await making().find(None) is None
    assert making.content() == {}


async def test_where_nothing_is_left_nothing_is_found(making: Making) -> None:
    """A link that was never fetched has left nothing, and nothing is made."""
    for directory in (making.directory, making.directory / "new"):
        making.directory = directory
        sink = making()
        assert await sink.find(None) is None
        assert (sink.target, sink.is_open) == (None, False)
    assert not making.directory.exists()


async def test_a_fresh_link_goes_on(making: Making) -> None:
    """A link with another query finds what the expired one left, and takes it over."""
    await leave_half(making())
    await making.run_again()
    sink = making(url=FRESH)
    assert await sink.find(None) is not None
    await sink.checkpoint(HALF, replace(REMOTE, size=len(LARGE)))
    record = making.journal()
    assert record is not None
    assert record.link == Link.of(FRESH)


async def test_a_typed_name_goes_on_with_its_own(making: Making) -> None:
    """Who wants another name begins anew, beside what was left under this one."""
    await leave_half(making())
    await making.run_again()
    assert await making().find("other.bin") is None
    assert await making().find("file.bin") is not None


async def test_bytes_that_are_not_there_are_not_done(making: Making) -> None:
    """What was written down is believed only as far as the file is long."""
    sink = await begin(making(), len(LARGE))
    await sink.write(blocks(LARGE, 9000)[0])
    done = RangeSet([ByteRange(0, 1000), ByteRange(2000, 4000), ByteRange(6000, 9000)])
    await sink.checkpoint(done, replace(REMOTE, size=len(LARGE)))
    await making.run_again()
    os.truncate(making.directory / "file.bin.part", 3000)
    record = await making().find(None)
    assert record is not None
    assert record.done == (ByteRange(0, 1000), ByteRange(2000, 3000))


@BOTH
async def test_a_part_that_is_another_file_is_begun_anew(
    making: Making, data: bytes
) -> None:
    """Where another file has the name of the part, its bytes are not ours."""
    await leave_half(making(), data)
    await making.run_again()
    part = making.directory / "file.bin.part"
    (making.directory / "copy").write_bytes(part.read_bytes())
    (making.directory / "copy").rename(part)
    sink = making()
    assert await sink.find(None) is None
    assert (sink.target, sink.is_open) == (None, False)
    assert making.content() == {"file.bin.part.old": data[:5000]}
    await make(sink, data)
    assert making.content() == {"file.bin": data}


async def test_a_journal_whose_part_is_gone_is_forgotten(making: Making) -> None:
    """Where only the journal is left, the file is begun anew under its name."""
    await leave_half(making())
    await making.run_again()
    (making.directory / "file.bin.part").unlink()
    sink = making()
    assert await sink.find(None) is None
    assert making.content() == {}
    await make(sink, LARGE)
    assert making.content() == {"file.bin": LARGE}


async def test_what_was_found_is_locked(making: Making) -> None:
    """Who goes on with a part has it for himself."""
    await leave_half(making())
    await making.run_again()
    sink = making()
    assert await sink.find(None) is not None
    with (
        part_of(sink).open("rb") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_what_was_found_can_be_left(making: Making) -> None:
    """What turns out to be of another file lies as it was, and can be found again."""
    await leave_half(making())
    await making.run_again()
    before = making.content()
    sink = making()
    assert await sink.find(None) is not None
    await sink.leave()
    assert (sink.target, sink.is_open, making.content()) == (None, False, before)
    await make(sink, SMALL)
    assert making.content() == before | {"file (2).bin": SMALL}
    assert await making().find(None) is not None


@BOTH
async def test_another_version_begins_anew(making: Making, data: bytes) -> None:
    """What is here of the old version is kept until the new one is whole."""
    await leave_half(making(), LARGE)
    await making.run_again()
    sink = making()
    assert await sink.find(None) is not None
    await sink.set_aside()
    assert (sink.target, sink.is_open) == (None, False)
    await begin(sink, len(data))
    await sink.write(blocks(data)[0])
    assert making.content()["file.bin.part.old"] == LARGE[:5000]
    await sink.finish(len(data), None)
    assert making.content() == {"file.bin": data}


async def test_a_version_that_was_set_aside_is_not_gone_on_with(
    making: Making,
) -> None:
    """Of what is set aside nothing is believed in a later run."""
    await leave_half(making())
    sink = making()
    assert await sink.find(None) is not None
    await sink.set_aside()
    await making.run_again()
    assert await making().find(None) is None


async def test_there_may_be_nothing_to_set_aside(making: Making) -> None:
    """Before a file is open, and while it is small, nothing is on disk to be kept."""
    sink = making()
    await sink.set_aside()
    await begin(sink, len(SMALL))
    await sink.write(blocks(SMALL)[0])
    await sink.set_aside()
    assert (making.content(), sink.is_open) == ({}, False)
    await make(sink, LARGE)
    assert making.content() == {"file.bin": LARGE}


cuts = st.lists(st.integers(1, 2999), unique=True, max_size=6).map(sorted)


@settings(max_examples=60)
@given(cuts=cuts, known=st.booleans(), data=st.data())
def test_a_power_cut_costs_only_what_was_not_written_down(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    known: bool,
    data: st.DataObject,
) -> None:
    """Whatever came in whatever order, what is written down is there, and the rest
    can be anything: the next run makes the same file.
    """
    file = LARGE[:3000]
    parts = data.draw(st.permutations(blocks(file, *cuts)))
    kept = data.draw(st.integers(0, len(parts)))
    disk = Disk()
    making = Making(tmp_path_factory.mktemp("cut"), disk)

    async def stop() -> None:
        sink = await begin(making(), len(file) if known else None)
        done = RangeSet()
        for number, block in enumerate(parts):
            if number == kept:
                await sink.checkpoint(done, REMOTE)
            await sink.write(block)
            done.add(ByteRange(block.offset, block.stop))
        await making.run_again()

    async def go_on() -> None:
        sink = making()
        record = await sink.find(None)
        done = RangeSet(record.done if record else ())
        assert done == RangeSet(
            ByteRange(b.offset, b.stop) for b in parts[:kept] if kept < len(parts)
        )
        missing = list(done.gaps(ByteRange(0, len(file))))
        spoil(making.directory, missing)
        await begin(sink, len(file))
        for gap in missing:
            piece = file[gap.start : gap.stop]
            await sink.write(Block(gap.start, (piece,), len(piece)))
        await sink.finish(len(file), None)
        await sink.close()

    asyncio.run(stop())
    asyncio.run(go_on())
    disk.close()
    assert making.content() == {"file.bin": file}


def spoil(directory: Path, missing: list[ByteRange]) -> None:
    """Let what was not written down be anything."""
    for part in directory.glob("*.part"):
        with part.open("r+b") as file:
            for gap in missing:
                file.seek(gap.start)
                file.write(b"?" * gap.size)


# -- a sample ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([(0, 100)], (0, 100), id="a little"),
        pytest.param([(0, 3 * SAMPLE)], (2 * SAMPLE, 3 * SAMPLE), id="much"),
        pytest.param([(0, 100), (500, 900)], (0, 100), id="before the hole"),
        pytest.param([(500, 900)], (500, 900), id="no front"),
        pytest.param([(5, 9), (500, 900)], (500, 900), id="the last island"),
        pytest.param(
            [(5, 3 * SAMPLE)], (2 * SAMPLE, 3 * SAMPLE), id="the end of an island"
        ),
    ],
)
@pytest.mark.parametrize("size", [len(LARGE), SMALL_FILE], ids=["large", "small"])
async def test_a_sample_is_what_was_last_before_the_front(
    making: Making,
    done: list[tuple[int, int]],
    expected: tuple[int, int] | None,
    size: int,
) -> None:
    """The last bytes that follow from the beginning are known, or else the last."""
    sink = await begin(making(), size)
    await sink.write(blocks(LARGE[: 4 * SAMPLE])[0])
    sample = await sink.sample(RangeSet(ByteRange(*pair) for pair in done))
    if expected is None:
        assert sample is None
    else:
        assert sample is not None
        assert (sample.offset, sample.stop) == expected
        assert b"".join(sample.buffers) == LARGE[slice(*expected)]


async def test_what_an_earlier_run_left_has_a_sample(making: Making) -> None:
    """What was found can be compared with what the server has now."""
    await leave_half(making())
    await making.run_again()
    sink = making()
    record = await sink.find(None)
    assert record is not None
    sample = await sink.sample(RangeSet(record.done))
    assert sample == Block(0, (LARGE[:5000],), 5000)
