"""Streams with a slow reader, and descriptors with an unpleasant one."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.errors import LocalError, ReaderGoneError
from engine.model import Block
from engine.ranges import RangeSet
from engine.sinks import (
    BATCH,
    MOST_BUFFERS,
    SAMPLE,
    FdWriter,
    StreamSink,
    after,
    has_reader,
    unread,
)
from tests.integration.support import until

KIB = 1024
FULL = Path("/dev/full")


def content(size: int, seed: int = 0) -> bytes:
    return bytes((seed + n * 7 + n // 251) % 256 for n in range(size))


FILE = content(4000)


def block(start: int, stop: int, file: bytes = FILE) -> Block:
    return Block(start, (file[start:stop],), stop - start)


def joined(batch: list[Block]) -> bytes:
    return b"".join(bytes(piece) for item in batch for piece in item.buffers)


# -- after -------------------------------------------------------------------


@given(st.lists(st.binary(max_size=8), max_size=8), st.data())
def test_after_is_what_has_not_gone(pieces: list[bytes], data: st.DataObject) -> None:
    """However much was written, the rest is what is left, and nothing empty leads."""
    whole = b"".join(pieces)
    written = data.draw(st.integers(0, len(whole)))
    left = after(pieces, written)
    assert b"".join(map(bytes, left)) == whole[written:]
    assert not left or len(left[0])


def test_after_copies_nothing() -> None:
    """A piece that went in part is a view of what is left of it."""
    memory = bytearray(b"abcdef")
    (left,) = after([memoryview(memory)], 2)
    memory[2] = ord("X")
    assert bytes(left) == b"Xdef"


# -- a stream ----------------------------------------------------------------


async def read_all(sink: StreamSink) -> bytes:
    out = b""
    async for batch in sink.batches():
        out += joined(batch)
    return out


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_stream_comes_out_in_order() -> None:
    """However blocks are written, the reader gets the file."""
    sink = StreamSink(4000)
    for edges in ((3000, 4000), (0, 10), (500, 3000), (10, 500)):
        await sink.write(block(*edges))
    sink.end()
    assert await read_all(sink) == FILE


async def test_head_bytes_leave_at_once() -> None:
    """The block at the front is handed out before the ones behind it are here."""
    sink = StreamSink(4000)
    batches = sink.batches()
    await sink.write(block(0, 1))
    assert joined(await anext(batches)) == FILE[:1]
    await sink.write(block(1, 3))
    assert joined(await anext(batches)) == FILE[1:3]


async def test_a_waiting_reader_is_woken() -> None:
    """A reader who came first gets the block when its turn has come."""
    sink = StreamSink(4000)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read_all(sink))
        await settle()
        await sink.write(block(100, 4000))
        await settle()
        await sink.write(block(0, 100))
        sink.end()
    assert reading.result() == FILE


async def test_a_batch_is_not_endless() -> None:
    """A reader is handed a few blocks at once, and the horizon moves after each."""
    sink = StreamSink(4 * BATCH)
    for number in range(4):
        await sink.write(Block(number * BATCH, (bytes(BATCH),), BATCH))
    batches = sink.batches()
    horizons = []
    for _ in range(4):
        assert sum(item.size for item in await anext(batches)) == BATCH
        horizons.append(sink.horizon // BATCH)
    assert horizons == [4, 5, 6, 7]


async def test_a_batch_is_held_until_the_next_is_asked_for() -> None:
    """While the reader is busy with a batch its memory counts."""
    sink = StreamSink(1000)
    room: list[int] = []
    sink.on_room = lambda: room.append(sink.horizon)
    await sink.write(block(0, 600))
    await sink.write(block(600, 900))
    batches = sink.batches()
    await anext(batches)
    assert (sink.horizon, sink.buffer.held, room) == (1000, 900, [])
    await sink.write(block(900, 1000))
    await anext(batches)
    assert (sink.horizon, sink.buffer.held, room) == (1900, 100, [1900])


async def test_a_block_beyond_the_horizon_waits_for_room() -> None:
    """A lane with too much is held until the reader has read."""
    sink = StreamSink(1000)
    await sink.write(block(0, 600))
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(sink.write(block(600, 1500)))
        await settle()
        assert not writing.done()
        batches = sink.batches()
        await anext(batches)
        assert not writing.done()
        assert len(await anext(batches)) == 1
        assert writing.done()


async def test_the_block_that_is_waited_for_never_waits() -> None:
    """At the cursor a block is taken however large: nothing else could make room."""
    sink = StreamSink(100)
    await sink.write(block(0, 4000))
    sink.end()
    assert await read_all(sink) == FILE


async def test_a_stream_that_breaks_hands_out_what_it_has() -> None:
    """The reader gets the bytes before the break, then the error."""
    sink = StreamSink(4000)
    await sink.write(block(0, 100))
    await sink.write(block(200, 300))
    sink.end(LocalError("broken"))
    batches = sink.batches()
    assert joined(await anext(batches)) == FILE[:100]
    with pytest.raises(LocalError, match="broken"):
        await anext(batches)


async def test_an_error_reaches_a_reader_who_waits() -> None:
    """A reader does not wait for bytes that will never come."""
    sink = StreamSink(4000)

    async def read() -> None:
        with pytest.raises(LocalError, match="broken"):
            await read_all(sink)

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        await settle()
        sink.end(LocalError("broken"))


async def test_an_empty_file_ends_at_once() -> None:
    """A stream without a byte is over as soon as it is said to be."""
    sink = StreamSink(4000)
    sink.end()
    assert await read_all(sink) == b""


def test_a_stream_without_listeners_makes_room_for_nobody() -> None:
    """Nobody needs to be told when the horizon moves."""
    StreamSink(4000).make_room()


# -- what is known of what went out ------------------------------------------


async def sample_of(sink: StreamSink) -> tuple[int, bytes] | None:
    """The sample that a stream keeps: where it begins, and its bytes."""
    sample = await sink.sample(RangeSet())
    if sample is None:
        return None
    assert sample.size == len(joined([sample]))
    return sample.offset, joined([sample])


async def test_what_is_only_held_is_no_sample() -> None:
    """Before the reader has had a byte, none is known to be right."""
    sink = StreamSink(4000)
    await sink.write(block(0, 100))
    assert await sample_of(sink) is None


async def test_the_last_bytes_that_went_out_are_the_sample() -> None:
    """The end of the last block that was handed out is kept, and nothing later."""
    sink = StreamSink(4000)
    batches = sink.batches()
    await sink.write(block(0, 100))
    await sink.write(block(100, 250))
    await anext(batches)
    await sink.write(block(250, 400))
    assert await sample_of(sink) == (100, FILE[100:250])
    await anext(batches)
    assert await sample_of(sink) == (250, FILE[250:400])


async def test_a_sample_is_small() -> None:
    """However large a block is, only its last bytes are kept."""
    data = content(3 * SAMPLE)
    sink = StreamSink(len(data))
    pieces = (data[: SAMPLE - 10], memoryview(data)[SAMPLE - 10 :])
    await sink.write(Block(0, pieces, len(data)))
    await anext(sink.batches())
    assert await sample_of(sink) == (2 * SAMPLE, data[2 * SAMPLE :])


async def test_a_sample_is_a_copy() -> None:
    """The memory of what went out may be used again, the sample stays."""
    memory = bytearray(FILE[:100])
    sink = StreamSink(4000)
    await sink.write(Block(0, (memoryview(memory),), 100))
    await anext(sink.batches())
    memory[:] = bytes(100)
    assert await sample_of(sink) == (0, FILE[:100])


# -- beginning again ---------------------------------------------------------


async def test_a_stream_is_untouched_until_the_reader_has_a_byte() -> None:
    """What is held can be taken back; what was handed out cannot."""
    sink = StreamSink(4000)
    await sink.write(block(0, 100))
    states = [sink.is_untouched]
    await anext(sink.batches())
    states.append(sink.is_untouched)
    assert states == [True, False]


async def test_another_version_comes_instead() -> None:
    """A stream that begins again hands out nothing of what it held."""
    sink = StreamSink(4000)
    for edges in ((0, 100), (200, 300)):
        await sink.write(block(*edges))
    sink.begin_again()
    assert (sink.buffer.held, sink.horizon) == (0, 4000)
    other = content(350, seed=9)
    await sink.write(block(0, 350, other))
    sink.end()
    assert await read_all(sink) == other


# -- two streams -------------------------------------------------------------


async def test_what_one_stream_holds_is_charged_to_the_next() -> None:
    """Two streams share one bound while the first one drains."""
    first = StreamSink(1000)
    second = StreamSink(1000, first)
    await first.write(block(0, 600))
    assert (first.horizon, second.horizon) == (1000, 400)
    batches = first.batches()
    await anext(batches)
    assert second.horizon == 400
    first.end()
    assert [batch async for batch in batches] == []
    assert second.horizon == 1000


async def test_the_next_stream_never_breaks_the_bound() -> None:
    """Not even the first block of the next stream is held beyond the bound."""
    first = StreamSink(1000)
    second = StreamSink(1000, first)
    await first.write(block(0, 1000))
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(second.write(block(0, 100)))
        await settle()
        assert not writing.done()
        assert second.buffer.held == 0
        first.end()
        await read_all(first)
        await settle()
        assert writing.done()


async def test_room_in_one_stream_is_room_in_the_next() -> None:
    """Lanes of the next stream go on as soon as the reader of this one has read."""
    first = StreamSink(1000)
    second = StreamSink(1000, first)
    told: list[int] = []
    second.on_room = lambda: told.append(second.horizon)
    await first.write(block(0, 900))
    first.end()
    await second.write(block(0, 100))
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(second.write(block(100, 900)))
        await settle()
        assert not writing.done()
        assert await read_all(first) == FILE[:900]
        await settle()
        assert writing.done()
    assert told == [1000]


async def test_what_is_taken_back_is_charged_to_nobody() -> None:
    """When a stream begins again, what it held is room for the next at once."""
    first = StreamSink(1000)
    second = StreamSink(1000, first)
    told: list[int] = []
    second.on_room = lambda: told.append(second.horizon)
    await first.write(block(100, 1000))
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(second.write(block(0, 900)))
        await settle()
        assert not writing.done()
        first.begin_again()
        await settle()
        was_written = writing.done()
        writing.cancel()
    assert (was_written, second.horizon, told) == (True, 1000, [1000])


async def test_a_stream_nobody_reads_is_charged_to_nobody() -> None:
    """When the reader has gone on, its memory is the next stream's."""
    first = StreamSink(1000)
    second = StreamSink(1000, first)
    await first.write(block(0, 1000))
    async with asyncio.TaskGroup() as group:
        late = group.create_task(first.write(block(1000, 2000)))
        writing = group.create_task(second.write(block(0, 900)))
        await settle()
        assert not late.done()
        assert not writing.done()
        first.discard()
    assert (first.buffer.held, second.buffer.held, second.horizon) == (0, 900, 1000)


# -- a descriptor ------------------------------------------------------------


class Pipe:
    """A real pipe whose ends may be closed early."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self._open = {self.reading, self.writing}

    def close(self, fd: int) -> None:
        self._open.discard(fd)
        os.close(fd)

    def close_all(self) -> None:
        for fd in list(self._open):
            self.close(fd)

    def fill(self) -> int:
        """Write until nothing more goes in; how much did."""
        os.set_blocking(self.writing, False)
        size = 0
        try:
            while True:
                size += os.write(self.writing, bytes(KIB))
        except BlockingIOError:
            return size
        finally:
            os.set_blocking(self.writing, True)

    def drain(self, size: int, step: int = 4099) -> bytes:
        """Read so many bytes, a few at a time; whoever writes them is not asleep."""
        out = bytearray()
        poll = select.poll()
        poll.register(self.reading, select.POLLIN)
        while len(out) < size:
            assert poll.poll(5000), f"only {len(out)} of {size} bytes came"
            out += os.read(self.reading, min(step, size - len(out)))
        return bytes(out)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close_all()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_batches_are_written_in_the_order_they_are_given(pipe: Pipe) -> None:
    """One thread writes, so nothing overtakes, even if nobody waits in between."""
    writer = FdWriter(pipe.writing)
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(writer.write([f"{number},".encode()]))
    writer.close()
    expected = "".join(f"{number}," for number in range(50)).encode()
    assert pipe.drain(len(expected)) == expected


@pytest.mark.parametrize("size", [1, 1000, 70_001])
async def test_a_batch_is_written_whole(pipe: Pipe, size: int) -> None:
    """However many pieces, however large, and however slow the reader."""
    data = content(300_007)
    writer = FdWriter(pipe.writing)
    cut = pieces(data, size)[: 40 * MOST_BUFFERS]
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.write(cut))
        reading = group.create_task(asyncio.to_thread(pipe.drain, len(b"".join(cut))))
    writer.close()
    assert reading.result() == b"".join(cut)


async def test_views_are_written_too(pipe: Pipe) -> None:
    """Pieces may be views, and some of them empty."""
    writer = FdWriter(pipe.writing)
    await writer.write([b"", memoryview(b"abcdef")[2:4], b"", b"!"])
    await writer.write([])
    await writer.write([b""])
    writer.close()
    assert pipe.drain(3) == b"cd!"


async def test_a_full_pipe_holds_only_its_writer(pipe: Pipe) -> None:
    """While the reader does not read, the event loop goes on."""
    writer = FdWriter(pipe.writing)
    filled = pipe.fill()
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(writer.write([b"last"]))
        await settle()
        assert not writing.done()
        drained = await asyncio.to_thread(pipe.drain, filled + 4)
    writer.close()
    assert drained.endswith(b"last")


async def test_a_reader_who_left_is_noticed_at_the_next_write(pipe: Pipe) -> None:
    """Writing into a closed pipe raises, and so does every write after it."""
    writer = FdWriter(pipe.writing)
    pipe.close(pipe.reading)
    for _ in range(2):
        with pytest.raises(ReaderGoneError):
            await writer.write([b"nobody reads this"])
    writer.close()


async def test_a_reader_who_leaves_a_full_pipe_ends_the_write(pipe: Pipe) -> None:
    """A write that waits for room raises when nobody will ever make any."""
    writer = FdWriter(pipe.writing)
    pipe.fill()

    async def write() -> None:
        with pytest.raises(ReaderGoneError):
            await writer.write([b"nobody reads this"])

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        await settle()
        pipe.close(pipe.reading)
    writer.close()


async def test_a_reader_who_leaves_is_noticed_while_nothing_is_written(
    pipe: Pipe,
) -> None:
    """With nothing to write, the end of the reader is seen all the same."""
    writer = FdWriter(pipe.writing)

    async def watch() -> None:
        with pytest.raises(ReaderGoneError):
            await writer.watch()

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        await settle()
        assert not watching.done()
        pipe.close(pipe.reading)
    writer.close()


async def test_the_descriptor_stays_as_it_was(pipe: Pipe) -> None:
    """It may be shared with others, so it is never made non-blocking."""
    writer = FdWriter(pipe.writing)
    await writer.write([b"x"])
    assert os.get_blocking(pipe.writing)
    writer.close()
    assert os.get_blocking(pipe.writing)


async def test_a_pipe_is_made_large() -> None:
    """A larger pipe saves switches; where that is not allowed it stays as it is."""
    pipe = Pipe()
    before = fcntl.fcntl(pipe.writing, fcntl.F_GETPIPE_SZ)
    writer = FdWriter(pipe.writing)
    assert fcntl.fcntl(pipe.writing, fcntl.F_GETPIPE_SZ) >= before
    writer.close()
    pipe.close_all()


@pytest.fixture
def high_fd(pipe: Pipe) -> Iterator[int]:
    """The pipe's writing end under a number that select(2) cannot take."""
    number = 1500
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= number:
        pytest.skip("too few descriptors are allowed here")
    os.dup2(pipe.writing, number)
    yield number
    os.close(number)


async def test_somebody_else_may_have_made_it_non_blocking(
    pipe: Pipe, high_fd: int
) -> None:
    """Then the thread waits until the pipe takes more, whatever its number is."""
    writer = FdWriter(high_fd)
    filled = pipe.fill()
    os.set_blocking(pipe.writing, False)
    data = content(100_003) * 40
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.write(pieces(data, 30_000)))
        drained = await asyncio.to_thread(pipe.drain, filled + len(data))
    writer.close()
    assert drained[filled:] == data


async def test_a_regular_file_is_written_and_not_watched(tmp_path: Path) -> None:
    """Nobody reads a file, so nobody can leave."""
    with (tmp_path / "out").open("wb") as file:
        writer = FdWriter(file.fileno())
        assert not writer._is_watched
        await writer.write([b"to", b"disk"])
        writer.close()
    assert (tmp_path / "out").read_bytes() == b"todisk"


@pytest.fixture
def full_fd() -> Iterator[int]:
    """An output that never has space."""
    if not FULL.exists():
        pytest.skip("no /dev/full here")
    with FULL.open("wb", buffering=0) as file:
        yield file.fileno()


async def test_an_output_that_is_full_is_this_machines_fault(full_fd: int) -> None:
    """No space is not the reader's doing, and the message says what it is."""
    writer = FdWriter(full_fd)
    with pytest.raises(LocalError, match="standard output: No space left"):
        await writer.write([b"x"])
    writer.close()


async def test_bytes_for_us_are_no_sign_that_the_reader_left() -> None:
    """An output that can also be read, a socket or a terminal, may have input."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = FdWriter(ours.fileno())
        theirs.send(b"input")
        await settle()
        assert not writer._is_watched
        assert not writer._gone.is_set()
        await writer.write([b"output"])
        assert theirs.recv(6) == b"output"
        writer.close()


async def test_a_peer_that_hangs_up_is_a_reader_who_left() -> None:
    """A socket's other end counts as the reader."""
    ours, theirs = socket.socketpair()
    with ours:
        writer = FdWriter(ours.fileno())
        theirs.close()
        with pytest.raises(ReaderGoneError):
            await writer.watch()
        writer.close()


async def test_a_write_that_was_given_up_harms_nobody(pipe: Pipe) -> None:
    """The thread ends what it began, and its answer goes nowhere."""
    writer = FdWriter(pipe.writing)
    filled = pipe.fill()
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(writer.write([b"given up"]))
        await settle()
        writing.cancel()
    await asyncio.to_thread(pipe.drain, filled)
    await writer.write([b" and on"])
    writer.close()
    assert pipe.drain(15) == b"given up and on"


def test_a_thread_outlives_its_loop(pipe: Pipe) -> None:
    """When the loop has gone, what was given is written and nobody is told."""
    threads = set(threading.enumerate())

    async def begin() -> int:
        writer = FdWriter(pipe.writing)
        filled = pipe.fill()
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(writer.write([b"last words"]))
            await settle()
            writing.cancel()
        writer.close()
        return filled

    filled = asyncio.run(begin())
    (thread,) = set(threading.enumerate()) - threads
    assert thread.daemon
    assert pipe.drain(filled + 10).endswith(b"last words")
    thread.join(5)
    assert not thread.is_alive()


async def test_a_closed_writer_leaves_no_thread(pipe: Pipe) -> None:
    """Closing ends the thread, if it is not stuck in a write."""
    threads = set(threading.enumerate())
    writer = FdWriter(pipe.writing)
    (thread,) = set(threading.enumerate()) - threads
    await writer.write([b"x"])
    writer.close()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


# -- a pipe of our own -------------------------------------------------------


async def test_an_owned_descriptor_is_closed_when_all_is_written(pipe: Pipe) -> None:
    """Closing lets what was given go out first; then the reader sees the end."""
    writer = FdWriter(os.dup(pipe.writing), owned=True)
    pipe.close(pipe.writing)
    data = content(1000) * 3000
    part = writer.give([data])
    writer.close()
    assert await asyncio.to_thread(pipe.drain, len(data)) == data
    await part
    assert writer.written == len(data)
    assert await asyncio.to_thread(os.read, pipe.reading, 1) == b""


async def test_giving_up_writes_no_more(pipe: Pipe) -> None:
    """What is being written still goes out; what was given after it does not."""
    writer = FdWriter(os.dup(pipe.writing), owned=True)
    pipe.close(pipe.writing)
    data = content(1000) * 8000
    begun, waiting = writer.give([data]), writer.give([b"never"])
    await until(lambda: unread(pipe.reading))
    writer.give_up()
    assert await asyncio.to_thread(_to_the_end, pipe.reading) == data
    await begun
    with pytest.raises(ReaderGoneError):
        await waiting
    assert writer.written == len(data)


def _to_the_end(descriptor: int) -> bytes:
    came = bytearray()
    while piece := os.read(descriptor, 100_000):
        came += piece
    return bytes(came)


async def test_a_reader_may_be_known_to_be_gone(pipe: Pipe) -> None:
    """Although somebody else still holds the pipe."""
    writer = FdWriter(pipe.writing)
    writer.miss_reader()
    assert writer.is_reader_gone
    with pytest.raises(ReaderGoneError):
        await writer.watch()
    writer.close()


async def test_an_error_names_what_was_written_to(full_fd: int) -> None:
    """Not everything is the standard output."""
    writer = FdWriter(full_fd, "the tape")
    with pytest.raises(LocalError, match="the tape: No space left"):
        await writer.write([b"x"])
    writer.close()


def test_a_pipe_tells_what_waits_in_it(pipe: Pipe) -> None:
    """How much, and whether anybody will ever read it."""
    assert unread(pipe.writing) == 0
    os.write(pipe.writing, b"abc")
    assert unread(pipe.writing) == 3
    assert has_reader(pipe.writing)
    assert pipe.drain(2) == b"ab"
    assert unread(pipe.writing) == 1
    pipe.close(pipe.reading)
    assert not has_reader(pipe.writing)
    assert unread(pipe.writing) == 1


def test_what_is_no_pipe_tells_nothing(tmp_path: Path) -> None:
    """Nothing waits in a file that was written to its end."""
    with (tmp_path / "out").open("wb") as file:
        assert unread(file.fileno()) == 0
        assert has_reader(file.fileno())


async def test_a_reader_may_take_batch_after_batch() -> None:
    """Each is held until it is released, in the order they were taken."""
    sink = StreamSink(100)
    await sink.write(Block(0, (b"abc",), 3))
    first = await sink.next_batch()
    await sink.write(Block(3, (b"de",), 2))
    second = await sink.next_batch()
    assert sink.buffer.held == 5
    sink.release(first)
    assert (sink.buffer.held, sink.horizon) == (2, 103)
    sink.release(second)
    assert (sink.buffer.held, sink.horizon) == (0, 105)
    sink.end()
    assert await sink.next_batch() == []


async def test_waiting_for_a_batch_may_be_called_off() -> None:
    """Nothing is lost by it: whoever asks next gets what comes."""
    sink = StreamSink(100)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sink.next_batch(), 0.01)
    await sink.write(Block(0, (b"abc",), 3))
    assert [block.size for block in await sink.next_batch()] == [3]
