"""Standard error whose reader may stand still, or go away."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from time import monotonic

import pytest

from hydratui.outlet import KEPT, Outlet

LINE = "x" * 99 + "\n"


@pytest.fixture
def ends() -> Iterator[list[int]]:
    """Both ends of a pipe; a test may close one, and take it out."""
    both = list(os.pipe())
    yield both
    for end in both:
        os.close(end)


def outlet(end: int) -> Outlet:
    return Outlet(open(end, "w", closefd=False))


def drained(end: int) -> bytes:
    """Everything that lies in a pipe."""
    os.set_blocking(end, False)
    found = bytearray()
    while True:
        try:
            found += os.read(end, 1 << 16)
        except BlockingIOError:
            return bytes(found)


def test_a_line_is_there_at_once(ends: list[int]) -> None:
    """Nothing is held back from a reader who reads; no text is too strange."""
    outlet(ends[1]).write("one \udcff\n")
    assert os.read(ends[0], 100) == b"one \\udcff\n"


def test_nobody_waits_for_a_reader_who_stands_still(ends: list[int]) -> None:
    """What does not fit is kept, in order, until there is room."""
    out = outlet(ends[1])
    began = monotonic()
    for number in range(2_000):
        out.write(f"{number} {LINE}")
    assert monotonic() - began < 2
    before = drained(ends[0])
    for number in range(2_000, 2_010):
        out.write(f"{number} {LINE}")
    out.close()
    came = before + drained(ends[0])
    numbers = [int(line.split()[0]) for line in came.splitlines()]
    assert numbers == list(range(len(numbers)))
    assert 500 < len(numbers) < 2_000


def test_what_is_kept_is_bounded(ends: list[int]) -> None:
    """Of too many lines the latest are lost."""
    out = outlet(ends[1])
    for _ in range(2 * KEPT):
        out.write(LINE)
    assert len(out._waiting) == KEPT


def test_a_long_line_is_whole(ends: list[int]) -> None:
    """It goes in pieces, and nothing gets between them."""
    out = outlet(ends[1])
    out.write("a" * 30_000 + "\n")
    out.write("b\n")
    assert drained(ends[0]) == b"a" * 30_000 + b"\nb\n"


def test_the_end_waits_only_a_moment(ends: list[int]) -> None:
    """A reader who stands still holds up nobody's end."""
    out = outlet(ends[1])
    for _ in range(2_000):
        out.write(LINE)
    began = monotonic()
    out.close()
    assert monotonic() - began < 1


def test_a_reader_who_has_gone_is_no_trouble(ends: list[int]) -> None:
    """Nor what cannot be written at all."""
    os.close(ends.pop(0))
    out = outlet(ends[0])
    out.write(LINE)
    out.write(LINE)
    out.close()


def test_what_is_no_file_is_written_too() -> None:
    """Somebody may have put something in the place of standard error."""
    text = io.StringIO()
    out = Outlet(text)
    out.write(LINE)
    out.close()
    assert text.getvalue() == LINE
