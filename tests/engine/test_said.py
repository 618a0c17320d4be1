"""Much is printed, little is kept, and less is told."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from engine.said import FIRST, KEPT, LINES, LONGEST, PER_SECOND, Said


def numbered(count: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(count))


def test_lines_are_told_and_kept() -> None:
    """What is printed is told line by line, and stays to be looked at."""
    said = Said(0.0)
    assert said.hear(b"one\ntwo\n", 0.0) == ["one", "two"]
    assert said.lines == ("one", "two")
    assert said.last == "two"


def test_a_line_is_told_when_it_is_whole() -> None:
    """It may come in pieces, and it can be looked at before."""
    said = Said(0.0)
    assert said.hear(b"half", 0.0) == []
    assert said.lines == ("half",)
    assert said.hear(b" and half\nmore", 0.0) == ["half and half"]
    assert said.end(0.0) == ["more"]
    assert said.end(0.0) == []


def test_nothing_said_is_nothing() -> None:
    """A silent program has no lines, and no last one."""
    said = Said(0.0)
    assert said.end(0.0) == []
    assert said.lines == ()
    assert said.last == ""


def test_blank_lines_are_not_told() -> None:
    """They are kept, but nobody needs to hear of them, and none is the last word."""
    said = Said(0.0)
    assert said.hear(b"a\n\n  \nb\n\n", 0.0) == ["a", "b"]
    assert said.lines == ("a", "", "  ", "b", "")
    assert said.last == "b"


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"10%\r20%\r30%\n", "30%"),
        (b"10%\r20%\r", "20%"),
        (b"dos\r\n", "dos"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
        ("naïve\n".encode(), "naïve"),
    ],
)
def test_a_line_looks_as_on_a_terminal(printed: bytes, line: str) -> None:
    """What a carriage return overwrites is gone, and any bytes are some text."""
    said = Said(0.0)
    told = [*said.hear(printed, 0.0), *said.end(0.0)]
    assert told == [line]
    assert said.lines == (line,)


def test_a_progress_bar_is_one_line() -> None:
    """It is looked at as it stands, however long it has been moving."""
    said = Said(0.0)
    for percent in range(1000):
        assert said.hear(b"\r%d of 1000" % percent, 0.0) == []
    assert said.lines[-1] == "999 of 1000"
    assert said.hear(b"\n", 0.0) == ["999 of 1000"]


def test_the_last_word_is_one_line() -> None:
    """Whatever a line breaks in, in a message it does not."""
    said = Said(0.0)
    said.hear("a\tb\x0bc\u2028d\n".encode(), 0.0)
    assert said.last == "a b c d"


def test_the_latest_lines_are_kept() -> None:
    """About fifty of them, and none that has lost its beginning."""
    said = Said(0.0)
    said.hear(numbered(100_000), 0.0)
    assert said.lines == tuple(map(str, range(100_000 - LINES, 100_000)))
    said = Said(0.0)
    said.hear(b"begin" + b"x" * KEPT + b"\nend\n", 0.0)
    assert said.lines == ("end",)


def test_a_long_line_is_cut() -> None:
    """Its beginning says what it is, and the rest costs nothing."""
    said = Said(0.0)
    for _ in range(100):
        assert said.hear(b"x" * 10_000, 0.0) == []
    assert said.hear(b"\nnext\n", 0.0) == ["x" * LONGEST, "next"]
    assert said.lines == ("next",)


def test_a_flood_is_told_by_a_few_lines() -> None:
    """The first lines are told, and then a few a second."""
    said = Said(0.0)
    assert len(said.hear(numbered(1000), 0.0)) == FIRST
    assert said.hear(numbered(1000), 0.0) == []
    told = sum(len(said.hear(numbered(1000), step / 10)) for step in range(101))
    assert told == 10 * PER_SECOND


def test_after_silence_all_is_told_again() -> None:
    """Who has been quiet for a while may say a few words at once, not more."""
    said = Said(0.0)
    said.hear(numbered(1000), 0.0)
    assert said.hear(numbered(FIRST), 1000.0) == [str(n) for n in range(FIRST)]
    assert said.hear(b"more\n", 1000.0) == []


def test_what_is_not_told_leaves_no_trace_in_the_next_line() -> None:
    """After lines that were passed over the next one begins at its beginning."""
    said = Said(0.0)
    said.hear(numbered(1000) + b"be", 0.0)
    assert said.hear(b"gun\n", 1.0) == ["begun"]


@given(st.binary(max_size=300), st.data())
def test_pieces_make_no_difference(printed: bytes, data: st.DataObject) -> None:
    """However the output is cut on its way, the same lines come out."""
    whole, cut = Said(0.0), Said(0.0)
    whole.hear(printed, 0.0)
    at = 0
    while at < len(printed):
        size = data.draw(st.integers(1, len(printed) - at))
        cut.hear(printed[at : at + size], 0.0)
        at += size
    assert cut.lines == whole.lines


@given(st.lists(st.binary(max_size=3 * LONGEST), max_size=200))
def test_what_is_kept_is_bounded(pieces: list[bytes]) -> None:
    """However much it is."""
    said = Said(0.0)
    told = [line for piece in pieces for line in said.hear(piece * 20, 0.0)]
    assert len(said.lines) <= LINES
    assert all(len(line) <= LONGEST for line in (*said.lines, *told))
    assert len(said._tail) <= KEPT
    assert len(said._begun) <= LONGEST
    assert len(told) <= FIRST
