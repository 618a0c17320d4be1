"""A file that is gone on with, and a reader who has had what he has had."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine import journal
from engine.delivery import FileDelivery, StreamDelivery, modified
from engine.disk import Disk
from engine.errors import IntegrityError, LocalError
from engine.files import FileSink
from engine.journal import Link
from engine.model import Block, Digest, Promise, RemoteFile
from engine.places import Places
from engine.plan import Plan
from engine.ranges import ByteRange
from engine.sinks import StreamSink
from engine.verify import Verifier

FILE = bytes(n * 7 % 256 for n in range(4000))
SHA256 = Digest("sha256", hashlib.sha256(FILE).hexdigest())
OTHER = Digest("sha256", hashlib.sha256(b"other").hexdigest())
URL = "https://example.org/file.bin"
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
MOMENT = 784_111_777.0
REMOTE = RemoteFile(
    url=URL, size=len(FILE), ranges=True, name="file.bin", last_modified=DATE
)
UNKNOWN = replace(REMOTE, size=None)


def whole(remote: RemoteFile) -> Plan:
    """A plan whose bytes have all landed."""
    return Plan(remote.size, [ByteRange(0, len(FILE))])


def block(start: int, stop: int) -> Block:
    return Block(start, (FILE[start:stop],), stop - start)


# -- the time of a file ------------------------------------------------------


@pytest.fixture
def far_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is not the world's."""
    monkeypatch.setenv("TZ", "UTC+8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "date",
    [
        DATE,
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 10:49:37 +0200",
    ],
)
def test_a_date_is_a_moment_everywhere(far_west: None, date: str) -> None:
    """The three dates of HTTP are the world's time, wherever this machine is."""
    assert modified(replace(REMOTE, last_modified=date)) == MOMENT


@pytest.mark.parametrize("date", [None, "", "yesterday", "0", "32 Foo 2020 99:99:99"])
def test_what_is_no_date_is_no_moment(date: str | None) -> None:
    """A server that tells no time, or nonsense, tells nothing."""
    assert modified(replace(REMOTE, last_modified=date)) is None


@given(st.integers(0, 4_000_000_000))
def test_every_second_can_be_told(seconds: int) -> None:
    """A moment that was written as a date is read as that moment."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    date = format_datetime(at, usegmt=True)
    assert modified(replace(REMOTE, last_modified=date)) == seconds


@given(st.text() | st.text("0123456789:,+- JanGMTSu", max_size=40))
def test_no_date_is_a_surprise(date: str) -> None:
    """Whatever a server sends, it is a moment or none."""
    found = modified(replace(REMOTE, last_modified=date))
    assert found is None or isinstance(found, float)


# -- a file ------------------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


class Delivering:
    """Deliveries of one link to one folder, each of a run of its own."""

    def __init__(self, directory: Path, disk: Disk, pool: Executor) -> None:
        self.directory = directory
        self._disk = disk
        self._pool = pool
        self._made: list[FileDelivery] = []

    def __call__(
        self,
        digest: Digest | None = None,
        *,
        name: str | None = None,
        restart: bool = False,
    ) -> FileDelivery:
        file = FileSink(self.directory, Link.of(URL), Places(), self._disk)
        verifier = (
            Verifier(self._pool, [Promise(digest, "--checksum")]) if digest else None
        )
        self._made.append(FileDelivery(file, verifier, name=name, restart=restart))
        return self._made[-1]

    async def close(self) -> None:
        for delivery in self._made:
            await delivery.close()

    def content(self) -> dict[str, bytes]:
        """Every file there is that is no journal, by its name."""
        return {
            path.name: path.read_bytes()
            for path in self.directory.iterdir()
            if path.suffix != ".hydra"
        }

    def done(self) -> tuple[ByteRange, ...]:
        """What is written down."""
        record = journal.load(self.directory / "file.bin.part.hydra")
        assert record is not None
        return record.done


@pytest.fixture
async def delivering(
    tmp_path: Path, disk: Disk, pool: Executor
) -> AsyncIterator[Delivering]:
    delivering = Delivering(tmp_path / "here", disk, pool)
    delivering.directory.mkdir()
    yield delivering
    await delivering.close()


async def receive(
    delivery: FileDelivery, stop: int = len(FILE), remote: RemoteFile = REMOTE
) -> Plan:
    """Open it, and write the first bytes."""
    assert await delivery.open(remote) == ""
    await delivery.sink.write(block(0, stop))
    return Plan(remote.size, [ByteRange(0, stop)])


async def leave_half(delivering: Delivering, remote: RemoteFile = REMOTE) -> None:
    """An earlier run had 1,000 bytes when it was stopped."""
    delivery = delivering()
    plan = await receive(delivery, 1000, remote)
    await delivery.rest(plan, remote)
    await delivery.close()


async def test_a_file_is_delivered(delivering: Delivering) -> None:
    """What was received has its name and its time, and was judged by its size."""
    delivery = delivering()
    plan = await receive(delivery)
    assert await delivery.check(plan, REMOTE) == "size only"
    await delivery.finish(plan, REMOTE)
    assert delivering.content() == {"file.bin": FILE}
    assert (delivering.directory / "file.bin").stat().st_mtime == MOMENT


async def test_a_file_without_a_length_is_not_checked(delivering: Delivering) -> None:
    """Where the server told no length, the verdict says so."""
    delivery = delivering()
    plan = await receive(delivery, remote=UNKNOWN)
    plan.end(len(FILE))
    assert await delivery.check(plan, UNKNOWN) == "length unknown"
    await delivery.finish(plan, UNKNOWN)
    assert delivering.content() == {"file.bin": FILE}


async def test_a_file_is_checked_by_its_digest(delivering: Delivering) -> None:
    """With a checksum the verdict names it."""
    delivery = delivering(SHA256)
    plan = await receive(delivery)
    verdict = await delivery.check(plan, REMOTE)
    assert verdict == "verified (sha256, from --checksum)"


async def test_wrong_bytes_are_set_apart(delivering: Delivering) -> None:
    """What fails its check is kept for inspection, and is not the file."""
    delivery = delivering(OTHER)
    plan = await receive(delivery)
    with pytest.raises(IntegrityError, match=OTHER.hex):
        await delivery.check(plan, REMOTE)
    await delivery.condemn()
    assert delivering.content() == {"file.bin.part.bad": FILE}


@pytest.mark.parametrize(
    ("typed", "name"),
    [(None, "file.bin"), ("mine.txt", "mine.txt"), ("../../etc/mine", "mine")],
)
async def test_a_file_has_the_typed_name(
    delivering: Delivering, typed: str | None, name: str
) -> None:
    """A typed name comes before the server's, and never leads out of the folder."""
    delivery = delivering(name=typed)
    await delivery.finish(await receive(delivery), REMOTE)
    assert delivering.content() == {name: FILE}


@pytest.mark.parametrize("digest", [None, SHA256])
async def test_a_file_may_be_here(
    delivering: Delivering, digest: Digest | None
) -> None:
    """Its time, or its digest where one is known, tells that nothing is to be done."""
    first = delivering()
    await first.finish(await receive(first), REMOTE)
    remote = replace(REMOTE, last_modified=None) if digest else REMOTE
    assert await delivering(digest).open(remote) == "already here"
    assert await delivering(OTHER).open(REMOTE) == ""


async def test_what_is_here_is_gone_on_with(delivering: Delivering) -> None:
    """A job that stopped has written down what is here, and the next one finds it."""
    await leave_half(delivering)
    assert delivering.done() == (ByteRange(0, 1000),)
    delivery = delivering()
    record = await delivery.find()
    assert record is not None
    assert record.done == (ByteRange(0, 1000),)
    assert await delivery.open(REMOTE) == ""
    await delivery.sink.write(block(1000, 4000))
    await delivery.finish(whole(REMOTE), REMOTE)
    assert delivering.content() == {"file.bin": FILE}


@pytest.mark.parametrize(
    ("restart", "remote"), [(True, REMOTE), (True, UNKNOWN), (False, UNKNOWN)]
)
async def test_what_is_here_may_be_of_no_use(
    delivering: Delivering, restart: bool, remote: RemoteFile
) -> None:
    """Who wants to restart begins anew, and so does a file without a length."""
    await leave_half(delivering, remote)
    delivery = delivering(restart=restart)
    assert await delivery.find() is None
    assert delivering.content() == {"file.bin.part.old": FILE[:1000]}
    await delivery.finish(await receive(delivery), REMOTE)
    assert delivering.content() == {"file.bin": FILE}


async def test_a_typed_name_finds_what_was_left_under_it(
    delivering: Delivering,
) -> None:
    """What was left under another name is not gone on with."""
    await leave_half(delivering)
    assert await delivering(name="other.bin").find() is None
    assert await delivering(name="./file.bin").find() is not None


async def test_what_was_found_can_be_left(delivering: Delivering) -> None:
    """What is of another file stays where it is."""
    await leave_half(delivering)
    delivery = delivering()
    assert await delivery.find() is not None
    await delivery.leave()
    await delivery.finish(await receive(delivery), REMOTE)
    assert delivering.content() == {
        "file.bin.part": FILE[:1000],
        "file (2).bin": FILE,
    }


@pytest.mark.parametrize("received", [0, 1000, 4000])
async def test_a_file_can_always_begin_again(
    delivering: Delivering, received: int
) -> None:
    """However much is here, another version may come instead of it."""
    delivery = delivering()
    assert delivery.can_begin_again
    await delivery.rest(await receive(delivery, received), REMOTE)
    assert delivery.can_begin_again
    await delivery.begin_again()
    await delivery.finish(await receive(delivery), REMOTE)
    assert delivering.content() == {"file.bin": FILE}


async def test_there_may_be_nothing_to_write_down(delivering: Delivering) -> None:
    """A job that stops before it knows the file, or has a byte, leaves nothing."""
    delivery = delivering()
    await delivery.rest(Plan(None), None)
    await delivery.rest(Plan(None), REMOTE)
    assert await delivery.open(REMOTE) == ""
    await delivery.rest(Plan(len(FILE)), REMOTE)
    await delivery.close()
    assert list(delivering.directory.iterdir()) == []


async def test_a_rest_that_fails_is_no_failure(delivering: Delivering) -> None:
    """Where the end cannot be written down, the journal before it holds."""
    await leave_half(delivering)
    delivery = delivering()
    assert await delivery.find() is not None
    (delivering.directory / "file.bin.part.hydra.new").mkdir()
    await delivery.rest(whole(REMOTE), REMOTE)
    assert delivering.done() == (ByteRange(0, 1000),)


async def test_a_file_has_a_sink_and_no_stream(delivering: Delivering) -> None:
    """Whoever asks where the bytes go is told: to a file."""
    delivery = delivering()
    assert (delivery.file, delivery.stream) == (delivery.sink, None)


async def test_a_delivery_can_be_closed_twice(delivering: Delivering) -> None:
    """What there is of the file stays, and it can be gone on with."""
    await leave_half(delivering)
    delivery = delivering(SHA256)
    assert await delivery.find() is not None
    for _ in range(2):
        await delivery.close()
    assert await delivering().find() is not None


# -- a stream ----------------------------------------------------------------


def streaming(verifier: Verifier | None = None) -> StreamDelivery:
    return StreamDelivery(StreamSink(len(FILE)), verifier)


async def read(delivery: StreamDelivery) -> bytes:
    """Be the reader."""
    out = b""
    async for batch in delivery.batches():
        out += b"".join(bytes(piece) for item in batch for piece in item.buffers)
    return out


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_stream_can_begin_again_until_it_was_read() -> None:
    """What has gone out to the reader cannot be taken back."""
    delivery = streaming()
    await delivery.sink.write(block(0, 100))
    assert delivery.can_begin_again
    await delivery.begin_again()
    await delivery.sink.write(block(0, 4000))
    await anext(delivery.batches())
    assert not delivery.can_begin_again


async def test_nothing_is_left_of_a_stream() -> None:
    """A stream has no earlier run, and always something to do."""
    delivery = streaming()
    assert await delivery.find() is None
    await delivery.leave()
    assert await delivery.open(REMOTE) == ""
    assert (delivery.file, delivery.stream) == (None, delivery.sink)


async def test_a_stream_ends_when_its_reader_has_everything() -> None:
    """It is not drained while the reader is busy with the last batch."""
    delivery = streaming()
    await delivery.sink.write(block(0, 4000))
    async with asyncio.TaskGroup() as group:
        draining = group.create_task(delivery.drain())
        await settle()
        batches = delivery.batches()
        await anext(batches)
        await settle()
        assert not draining.done()
        assert [batch async for batch in batches] == []
    assert delivery.drained.is_set()


async def test_a_stream_is_hashed_as_it_is_read(pool: Executor) -> None:
    """When the reader has everything, the digest is known."""
    delivery = streaming(Verifier(pool, [Promise(SHA256, "--checksum")]))
    await delivery.sink.write(block(1000, 4000))
    await delivery.sink.write(block(0, 1000))
    async with asyncio.TaskGroup() as group:
        group.create_task(delivery.drain())
        reading = group.create_task(read(delivery))
    assert reading.result() == FILE
    verdict = await delivery.check(whole(REMOTE), REMOTE)
    assert verdict == "verified (sha256, from --checksum)"
    await delivery.close()


@pytest.mark.parametrize(
    ("remote", "verdict"), [(REMOTE, "size only"), (UNKNOWN, "length unknown")]
)
async def test_a_stream_without_a_digest_is_judged_by_its_size(
    remote: RemoteFile, verdict: str
) -> None:
    """Where there is no checksum, the verdict says what is known."""
    assert await streaming().check(whole(remote), remote) == verdict


async def test_the_reader_is_told_of_the_end() -> None:
    """A stream that fails hands out what it has, and then the error."""
    delivery = streaming()
    await delivery.sink.write(block(0, 100))
    delivery.end(LocalError("broken"))
    batches = delivery.batches()
    assert await anext(batches) == [block(0, 100)]
    with pytest.raises(LocalError, match="broken"):
        await anext(batches)
    assert not delivery.drained.is_set()
