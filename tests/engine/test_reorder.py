"""Any order in, the order of the file out, and never more held than allowed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from engine.model import Block
from engine.reorder import ReorderBuffer

FILE = bytes(range(1, 121))
EVERYTHING = 1 << 30


def block(start: int, stop: int) -> Block:
    """These bytes of the file, in two pieces where there are as many."""
    middle = (start + stop) // 2
    pieces = (FILE[start:middle], FILE[middle:stop])
    return Block(start, tuple(filter(None, pieces)), stop - start)


def joined(blocks: Iterable[Block]) -> bytes:
    return b"".join(bytes(piece) for item in blocks for piece in item.buffers)


def taken(buffer: ReorderBuffer, most: int = EVERYTHING) -> list[tuple[int, int]]:
    return [(item.offset, item.stop) for item in buffer.take(most)]


# -- step by step ------------------------------------------------------------


def test_nothing_leaves_an_empty_buffer() -> None:
    """A new buffer holds nothing and waits for its first byte."""
    buffer = ReorderBuffer(50)
    assert (buffer.cursor, buffer.front, buffer.horizon) == (0, 0, 50)
    assert (buffer.held, buffer.waiting, buffer.depth) == (0, 0, 0)
    assert not buffer.is_ready
    assert buffer.take(EVERYTHING) == []


def test_the_block_at_the_front_may_leave_at_once() -> None:
    """What is next in line is ready as soon as it is here."""
    buffer = ReorderBuffer(50)
    buffer.push(block(0, 10))
    assert buffer.is_ready
    assert taken(buffer) == [(0, 10)]


def test_a_block_beyond_a_hole_waits() -> None:
    """Blocks behind a hole stay until it is filled, then leave in order."""
    buffer = ReorderBuffer(50)
    buffer.push(block(20, 30))
    buffer.push(block(10, 20))
    assert not buffer.is_ready
    assert taken(buffer) == []
    buffer.push(block(0, 10))
    assert taken(buffer) == [(0, 10), (10, 20), (20, 30)]


def test_a_second_hole_stops_the_line_again() -> None:
    """Only what is contiguous with the front leaves."""
    buffer = ReorderBuffer(50)
    for edges in ((30, 40), (0, 10), (10, 20)):
        buffer.push(block(*edges))
    assert taken(buffer) == [(0, 10), (10, 20)]
    assert buffer.front == 20
    assert buffer.depth == 1


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, []),
        (1, [(0, 10)]),
        (10, [(0, 10)]),
        (11, [(0, 10), (10, 20)]),
        (99, [(0, 10), (10, 20), (20, 30)]),
    ],
)
def test_a_batch_ends_with_the_block_that_fills_it(
    most: int, expected: list[tuple[int, int]]
) -> None:
    """About as much is taken as was asked for: blocks are not cut."""
    buffer = ReorderBuffer(50)
    for edges in ((0, 10), (10, 20), (20, 30)):
        buffer.push(block(*edges))
    assert taken(buffer, most) == expected


def test_taken_bytes_are_held_until_they_are_released() -> None:
    """Memory is in use, and the horizon stands, while the reader has the bytes."""
    buffer = ReorderBuffer(50)
    buffer.push(block(0, 10))
    buffer.push(block(20, 25))
    buffer.take(EVERYTHING)
    assert (buffer.cursor, buffer.front, buffer.horizon) == (0, 10, 50)
    assert (buffer.held, buffer.waiting, buffer.depth) == (15, 5, 1)
    buffer.release(10)
    assert (buffer.cursor, buffer.front, buffer.horizon) == (10, 10, 60)
    assert (buffer.held, buffer.waiting, buffer.depth) == (5, 5, 1)


def test_a_part_of_what_was_taken_may_be_released() -> None:
    """The horizon follows the reader byte by byte."""
    buffer = ReorderBuffer(50)
    buffer.push(block(0, 10))
    buffer.take(EVERYTHING)
    buffer.release(4)
    assert (buffer.held, buffer.cursor, buffer.horizon) == (6, 4, 54)


def test_what_has_left_cannot_come_again() -> None:
    """A block behind the front is a mistake of ours, and changes nothing."""
    buffer = ReorderBuffer(50)
    buffer.push(block(0, 10))
    buffer.take(EVERYTHING)
    with pytest.raises(ValueError, match="block at 9 is behind 10"):
        buffer.push(block(9, 12))
    assert (buffer.held, buffer.depth) == (10, 0)


def test_a_stream_may_begin_in_the_middle() -> None:
    """With another cursor everything counts from there."""
    buffer = ReorderBuffer(50, cursor=30)
    assert (buffer.front, buffer.horizon) == (30, 80)
    with pytest.raises(ValueError, match="behind 30"):
        buffer.push(block(0, 40))
    buffer.push(block(30, 40))
    assert taken(buffer) == [(30, 40)]


# -- in any order ------------------------------------------------------------

cuts = st.sets(st.integers(1, len(FILE) - 1), max_size=30)


@st.composite
def shuffled_files(draw: st.DrawFn) -> list[Block]:
    """The file in blocks of any sizes, in any order."""
    edges = [0, *sorted(draw(cuts)), len(FILE)]
    blocks = [block(*pair) for pair in pairwise(edges)]
    return draw(st.permutations(blocks))


@given(shuffled_files())
def test_any_order_of_arrival_yields_the_file(arriving: list[Block]) -> None:
    """However the blocks come, the file comes out."""
    buffer = ReorderBuffer(len(FILE))
    out = b""
    for item in arriving:
        buffer.push(item)
        out += joined(buffer.take(EVERYTHING))
        assert out == FILE[: buffer.front]
    assert out == FILE


@given(shuffled_files(), st.integers(1, 40))
def test_batches_lose_nothing(arriving: list[Block], most: int) -> None:
    """Taken in batches of any size, the file comes out all the same."""
    buffer = ReorderBuffer(len(FILE))
    for item in arriving:
        buffer.push(item)
    batches = list(iter(lambda: buffer.take(most), []))
    assert b"".join(map(joined, batches)) == FILE
    assert all(len(joined(batch[:-1])) < most for batch in batches)


class BoundedStream(RuleBasedStateMachine):
    """Lanes that respect the horizon, and a reader with a mind of its own."""

    @initialize(capacity=st.integers(1, len(FILE)))
    def begin(self, capacity: int) -> None:
        self.buffer = ReorderBuffer(capacity)
        self.coming: list[Block] = []
        self.asked = 0
        self.out = b""
        self.reading = b""

    @precondition(lambda self: self.room())
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """A lane leases bytes that lie before the horizon."""
        stop = self.asked + data.draw(st.integers(1, self.room()))
        self.coming.append(block(self.asked, stop))
        self.asked = stop

    @precondition(lambda self: self.coming)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Some block that was asked for is here."""
        item = data.draw(st.sampled_from(self.coming))
        self.coming.remove(item)
        self.buffer.push(item)

    @precondition(lambda self: not self.reading)
    @rule(most=st.integers(1, 50))
    def take(self, most: int) -> None:
        self.reading = joined(self.buffer.take(most))

    @precondition(lambda self: self.reading)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """The reader has finished some of what it took."""
        size = data.draw(st.integers(1, len(self.reading)))
        self.out += self.reading[:size]
        self.reading = self.reading[size:]
        self.buffer.release(size)

    @invariant()
    def memory_is_bounded(self) -> None:
        """Never more is held than the capacity, wherever the hole is."""
        assert 0 <= self.buffer.held <= self.buffer.capacity
        assert 0 <= self.buffer.waiting <= self.buffer.held

    @invariant()
    def what_left_is_the_beginning(self) -> None:
        """The reader has the file as far as the cursor, and no byte beyond."""
        assert self.out == FILE[: self.buffer.cursor]
        assert self.out + self.reading == FILE[: self.buffer.front]

    @invariant()
    def what_is_held_is_counted(self) -> None:
        """Held is what arrived and has not been released."""
        missing = sum(item.size for item in self.coming)
        assert self.buffer.held == self.asked - missing - self.buffer.cursor
        assert self.buffer.held - self.buffer.waiting == len(self.reading)

    def teardown(self) -> None:
        """Nothing deadlocks: whatever happened, the rest can still come out."""
        for item in self.coming:
            self.buffer.push(item)
        self.buffer.release(len(self.reading))
        self.out += self.reading
        self.pull()
        while room := self.room():
            self.buffer.push(block(self.asked, self.asked + room))
            self.asked += room
            self.pull()
        assert self.out == FILE

    def room(self) -> int:
        """Bytes that may be asked for at this moment."""
        return min(self.buffer.horizon, len(FILE)) - self.asked

    def pull(self) -> None:
        for item in self.buffer.take(EVERYTHING):
            self.out += joined([item])
            self.buffer.release(item.size)


TestBoundedStream = BoundedStream.TestCase
TestBoundedStream.__doc__ = """While the horizon is respected, memory is bounded."""
