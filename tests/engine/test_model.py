"""The values that cross, as far as they can do anything."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from engine.model import Block, JobState
from engine.ranges import ByteRange


def content(block: Block) -> bytes:
    return b"".join(bytes(piece) for piece in block.buffers)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """Some bytes in some pieces, of both kinds, at some offset."""
    pieces = draw(st.lists(st.binary(max_size=9), max_size=6))
    views = draw(st.lists(st.booleans(), min_size=6, max_size=6))
    buffers = tuple(
        memoryview(piece) if as_view else piece
        for piece, as_view in zip(pieces, views, strict=False)
    )
    return Block(draw(st.integers(0, 30)), buffers, sum(map(len, pieces)))


HELLO = Block(10, (b"he", b"l", b"lo"), 5)


@pytest.mark.parametrize(
    ("part", "offset", "expected"),
    [
        pytest.param((10, 15), 10, b"hello", id="exactly"),
        pytest.param((0, 99), 10, b"hello", id="around"),
        pytest.param((12, 99), 12, b"llo", id="from the edge of a piece"),
        pytest.param((11, 14), 11, b"ell", id="through pieces"),
        pytest.param((13, 14), 13, b"l", id="inside a piece"),
        pytest.param((0, 11), 10, b"h", id="its beginning"),
        pytest.param((14, 20), 14, b"o", id="its end"),
        pytest.param((15, 20), 15, b"", id="behind it"),
        pytest.param((0, 10), 10, b"", id="before it"),
        pytest.param((12, 12), 12, b"", id="nothing"),
    ],
)
def test_a_cut_holds_the_part(
    part: tuple[int, int], offset: int, expected: bytes
) -> None:
    """Cutting keeps the bytes that lie in the part, at their offset."""
    found = HELLO.cut(ByteRange(*part))
    assert (found.offset, found.size, content(found)) == (
        *(offset, len(expected)),
        expected,
    )


def test_a_whole_block_is_not_cut() -> None:
    """Where nothing goes, the block itself is the result."""
    assert HELLO.cut(ByteRange(10, 15)) is HELLO


def test_a_cut_copies_nothing() -> None:
    """The pieces of a cut are views of the pieces that were there."""
    memory = bytearray(b"hello")
    cut = Block(0, (memoryview(memory),), 5).cut(ByteRange(1, 3))
    memory[1:3] = b"EL"
    assert content(cut) == b"EL"


def test_a_block_stops_where_its_bytes_do() -> None:
    """The stop of a block is its offset and its size."""
    assert HELLO.stop == 15


@given(blocks(), st.integers(0, 80), st.integers(0, 80))
def test_every_cut_is_a_slice(block: Block, one: int, other: int) -> None:
    """For every part, the cut is what slicing the bytes gives."""
    part = ByteRange(min(one, other), max(one, other))
    found = block.cut(part)
    low, high = (max(edge - block.offset, 0) for edge in (part.start, part.stop))
    assert content(found) == content(block)[low:high]
    assert found.size == len(content(found))
    if found.size:
        assert found.offset == max(part.start, block.offset)


@given(blocks(), st.integers(0, 80))
def test_two_cuts_are_the_block(block: Block, at: int) -> None:
    """Cut at one place, a block falls into two that lose nothing."""
    low, high = block.cut(ByteRange(0, at)), block.cut(ByteRange(at, 999))
    assert content(low) + content(high) == content(block)


@pytest.mark.parametrize("state", JobState)
def test_a_state_is_final_or_live_or_waits(state: JobState) -> None:
    """No job is over and running at once."""
    assert not (state.is_final and state.is_live)
    waits = state in {JobState.QUEUED, JobState.PAUSED}
    assert waits == (not state.is_final and not state.is_live)
