"""Ranges against the plainest model there is: a set of offsets."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from engine.ranges import ByteRange, RangeSet

END = 48
"""Offsets of the property tests lie below: small, so that ranges meet."""

offsets = st.integers(0, END)
ranges = st.builds(lambda a, b: ByteRange(min(a, b), max(a, b)), offsets, offsets)
moves = st.lists(st.tuples(st.booleans(), ranges), max_size=24)


def offsets_of(item: ByteRange) -> set[int]:
    return set(range(item.start, item.stop))


def both(steps: list[tuple[bool, ByteRange]]) -> tuple[RangeSet, set[int]]:
    """The same steps, True for adding, made in a RangeSet and in its model."""
    real, model = RangeSet(), set[int]()
    for adds, item in steps:
        if adds:
            real.add(item)
            model |= offsets_of(item)
        else:
            real.remove(item)
            model -= offsets_of(item)
    return real, model


def runs_of(model: set[int]) -> list[ByteRange]:
    """The model's maximal runs: what a RangeSet must look like."""
    starts = sorted(n for n in model if n - 1 not in model)
    stops = sorted(n + 1 for n in model if n + 1 not in model)
    return [ByteRange(*edges) for edges in zip(starts, stops, strict=True)]


def some(*pairs: tuple[int, int]) -> RangeSet:
    return RangeSet(ByteRange(*pair) for pair in pairs)


# -- one range ---------------------------------------------------------------


def test_a_range_holds_its_start_and_not_its_stop() -> None:
    """A range of bytes has as many of them as its edges are apart."""
    assert ByteRange(3, 8).size == 5
    assert ByteRange(3, 3).size == 0


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (5, 4), (-3, -2)])
def test_a_range_cannot_be_backwards_or_below_zero(start: int, stop: int) -> None:
    """What is no range of bytes is refused when it is made."""
    with pytest.raises(ValueError, match="not a byte range"):
        ByteRange(start, stop)


def test_a_range_cannot_be_changed() -> None:
    """Ranges cross between stations, so they are frozen."""
    with pytest.raises(FrozenInstanceError):
        ByteRange(0, 1).start = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("item", "header"),
    [
        (ByteRange(0, 1), "bytes=0-0"),
        (ByteRange(0, 500), "bytes=0-499"),
        (ByteRange(500, 1000), "bytes=500-999"),
    ],
)
def test_the_header_has_inclusive_ends(item: ByteRange, header: str) -> None:
    """A Range header asks for exactly these bytes, as RFC 9110 writes them."""
    assert item.header == header


def test_a_range_is_shown_half_open() -> None:
    """People see a range as it is meant: with its start and without its stop."""
    assert str(ByteRange(2, 9)) == "[2, 9)"


def test_ranges_are_ordered_by_where_they_start() -> None:
    """Sorting ranges puts them in the order of the file."""
    shuffled = [ByteRange(5, 6), ByteRange(0, 9), ByteRange(0, 3)]
    assert sorted(shuffled) == [ByteRange(0, 3), ByteRange(0, 9), ByteRange(5, 6)]


# -- a set of ranges, step by step -------------------------------------------


@pytest.mark.parametrize(
    ("before", "item", "expected"),
    [
        pytest.param([], (2, 5), [(2, 5)], id="into nothing"),
        pytest.param([(2, 5)], (7, 9), [(2, 5), (7, 9)], id="beyond"),
        pytest.param([(7, 9)], (2, 5), [(2, 5), (7, 9)], id="before"),
        pytest.param([(2, 5)], (5, 9), [(2, 9)], id="touching its stop"),
        pytest.param([(5, 9)], (2, 5), [(2, 9)], id="touching its start"),
        pytest.param([(2, 6)], (4, 9), [(2, 9)], id="overlapping its stop"),
        pytest.param([(4, 9)], (2, 6), [(2, 9)], id="overlapping its start"),
        pytest.param([(2, 9)], (4, 6), [(2, 9)], id="inside"),
        pytest.param([(4, 6)], (2, 9), [(2, 9)], id="around"),
        pytest.param([(2, 9)], (2, 9), [(2, 9)], id="again"),
        pytest.param([(0, 2), (4, 6)], (2, 4), [(0, 6)], id="filling the hole"),
        pytest.param([(0, 2), (6, 8)], (3, 5), [(0, 2), (3, 5), (6, 8)], id="island"),
        pytest.param([(0, 1), (2, 3), (4, 5)], (0, 9), [(0, 9)], id="around many"),
        pytest.param([(0, 1), (2, 3), (4, 5)], (1, 4), [(0, 5)], id="joining three"),
        pytest.param([(2, 5)], (3, 3), [(2, 5)], id="nothing"),
        pytest.param([], (3, 3), [], id="nothing into nothing"),
    ],
)
def test_adding_merges_what_touches(
    before: list[tuple[int, int]],
    item: tuple[int, int],
    expected: list[tuple[int, int]],
) -> None:
    """Added bytes join every range they overlap or touch."""
    held = some(*before)
    held.add(ByteRange(*item))
    assert list(held) == [ByteRange(*pair) for pair in expected]
    assert held.total == sum(stop - start for start, stop in expected)


@pytest.mark.parametrize(
    ("before", "item", "expected"),
    [
        pytest.param([], (2, 5), [], id="from nothing"),
        pytest.param([(2, 5)], (2, 5), [], id="exactly"),
        pytest.param([(2, 5)], (0, 9), [], id="around"),
        pytest.param([(2, 5)], (5, 9), [(2, 5)], id="touching its stop"),
        pytest.param([(5, 9)], (2, 5), [(5, 9)], id="touching its start"),
        pytest.param([(2, 9)], (2, 4), [(4, 9)], id="its beginning"),
        pytest.param([(2, 9)], (4, 9), [(2, 4)], id="its end"),
        pytest.param([(2, 9)], (4, 6), [(2, 4), (6, 9)], id="its middle"),
        pytest.param([(2, 6)], (0, 4), [(4, 6)], id="from before it"),
        pytest.param([(2, 6)], (4, 9), [(2, 4)], id="to behind it"),
        pytest.param([(0, 4), (6, 9)], (4, 6), [(0, 4), (6, 9)], id="the hole"),
        pytest.param([(0, 4), (6, 9)], (3, 7), [(0, 3), (7, 9)], id="over the hole"),
        pytest.param([(0, 2), (4, 6), (8, 9)], (1, 9), [(0, 1)], id="many"),
        pytest.param([(2, 5)], (3, 3), [(2, 5)], id="nothing"),
    ],
)
def test_removing_splits_what_it_hits(
    before: list[tuple[int, int]],
    item: tuple[int, int],
    expected: list[tuple[int, int]],
) -> None:
    """Removed bytes leave what lies before and behind them."""
    held = some(*before)
    held.remove(ByteRange(*item))
    assert list(held) == [ByteRange(*pair) for pair in expected]
    assert held.total == sum(stop - start for start, stop in expected)


@pytest.mark.parametrize(
    ("start", "front"),
    [(0, 3), (2, 3), (3, 3), (4, 4), (5, 8), (7, 8), (8, 8), (99, 99)],
)
def test_the_front_is_the_first_byte_missing(start: int, front: int) -> None:
    """The front is the first offset from `start` on that is not in the set."""
    assert some((0, 3), (5, 8)).front(start) == front


def test_the_front_of_a_file_without_its_beginning_is_zero() -> None:
    """What waits beyond a hole does not move the front."""
    assert some((1, 9)).front() == 0
    assert RangeSet().front() == 0


@pytest.mark.parametrize(
    ("within", "gaps"),
    [
        ((0, 12), [(0, 2), (4, 6), (9, 12)]),
        ((2, 4), []),
        ((3, 7), [(4, 6)]),
        ((4, 6), [(4, 6)]),
        ((5, 6), [(5, 6)]),
        ((5, 5), []),
        ((9, 11), [(9, 11)]),
        ((0, 1), [(0, 1)]),
        ((7, 8), []),
        ((7, 10), [(9, 10)]),
    ],
)
def test_gaps_are_what_is_missing_in_order(
    within: tuple[int, int], gaps: list[tuple[int, int]]
) -> None:
    """The gaps of a range are its bytes that are not in the set, lowest first."""
    held = some((2, 4), (6, 9))
    assert list(held.gaps(ByteRange(*within))) == [ByteRange(*gap) for gap in gaps]


def test_first_is_the_lowest_range() -> None:
    """The first range is the lowest, and an empty set has none."""
    assert some((7, 9), (2, 4)).first() == ByteRange(2, 4)
    assert RangeSet().first() is None


def test_last_is_the_highest_range() -> None:
    """The last range is the highest, and an empty set has none."""
    assert some((7, 9), (2, 4)).last() == ByteRange(7, 9)
    assert RangeSet().last() is None


@pytest.mark.parametrize(
    ("offset", "start"),
    [(0, 2), (1, 2), (2, 7), (4, 7), (6, 7), (7, None), (8, None), (99, None)],
)
def test_what_follows_begins_beyond(offset: int, start: int | None) -> None:
    """What follows an offset is where the next range starts, and not the one it is in."""
    assert some((2, 4), (7, 9)).following(offset) == start
    assert RangeSet().following(offset) is None


@pytest.mark.parametrize(
    ("part", "touches"),
    [
        pytest.param((0, 2), False, id="before"),
        pytest.param((0, 3), True, id="its first byte"),
        pytest.param((3, 9), True, id="its last byte"),
        pytest.param((4, 7), False, id="between"),
        pytest.param((0, 9), True, id="around"),
        pytest.param((9, 12), False, id="beyond"),
    ],
)
def test_a_part_touches_with_one_byte(part: tuple[int, int], *, touches: bool) -> None:
    """A set touches a part that shares a byte with it; lying next to it is not enough."""
    assert some((2, 4), (7, 9)).touches(ByteRange(*part)) is touches


def test_sets_are_equal_when_they_hold_the_same_bytes() -> None:
    """How a set came about does not matter to what it is."""
    assert some((0, 2), (2, 4)) == some((0, 4))
    assert some((0, 4)) != some((0, 5))
    assert some((0, 4)) != [ByteRange(0, 4)]


def test_a_set_that_changes_has_no_hash() -> None:
    """A set of ranges cannot be a key, as it may change under it."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(RangeSet())


def test_a_set_shows_its_ranges() -> None:
    """The repr of a set reads as its ranges."""
    assert repr(some((0, 2), (5, 9))) == "RangeSet([0, 2), [5, 9))"
    assert repr(RangeSet()) == "RangeSet()"


def test_a_copy_goes_its_own_way() -> None:
    """A set made from another one shares nothing with it."""
    held = some((0, 4))
    copy = RangeSet(held)
    copy.add(ByteRange(4, 9))
    assert (held, copy) == (some((0, 4)), some((0, 9)))


# -- a set of ranges, against the model --------------------------------------


@given(moves)
def test_a_set_holds_what_was_added_and_not_removed(
    steps: list[tuple[bool, ByteRange]],
) -> None:
    """Whatever is added and removed in whatever order, the bytes are the model's."""
    real, model = both(steps)
    assert list(real) == runs_of(model)
    assert real.total == len(model)
    assert len(real) == len(runs_of(model))
    assert [n in real for n in range(-1, END + 2)] == [
        n in model for n in range(-1, END + 2)
    ]


@given(moves)
def test_ranges_of_a_set_never_touch(steps: list[tuple[bool, ByteRange]]) -> None:
    """A set is the shortest list of its ranges: sorted, not empty, never touching."""
    real, _ = both(steps)
    held = list(real)
    assert all(item.size for item in held)
    assert all(one.stop < other.start for one, other in pairwise(held))


@given(moves, offsets)
def test_the_front_is_the_models(
    steps: list[tuple[bool, ByteRange]], start: int
) -> None:
    """From everywhere, the front is the first byte that the model lacks."""
    real, model = both(steps)
    assert real.front(start) == min(set(range(start, END + 1)) - model)


@given(moves, offsets)
def test_what_follows_is_the_models(
    steps: list[tuple[bool, ByteRange]], offset: int
) -> None:
    """From everywhere, what follows is the next of the model's runs."""
    real, model = both(steps)
    starts = [run.start for run in runs_of(model) if run.start > offset]
    assert real.following(offset) == min(starts, default=None)


@given(moves, ranges)
def test_what_touches_is_the_models(
    steps: list[tuple[bool, ByteRange]], part: ByteRange
) -> None:
    """A set touches every part that shares a byte with the model, and no other."""
    real, model = both(steps)
    assert real.touches(part) == bool(model & offsets_of(part))


@given(moves, ranges)
def test_gaps_are_the_models(
    steps: list[tuple[bool, ByteRange]], within: ByteRange
) -> None:
    """In every range, the gaps are the runs of bytes that the model lacks."""
    real, model = both(steps)
    assert list(real.gaps(within)) == runs_of(offsets_of(within) - model)


@given(moves, ranges)
def test_filling_the_gaps_fills_the_range(
    steps: list[tuple[bool, ByteRange]], within: ByteRange
) -> None:
    """Adding the gaps of a range is the same as adding the range."""
    filled, _ = both(steps)
    added, _ = both(steps)
    for gap in list(filled.gaps(within)):
        filled.add(gap)
    added.add(within)
    assert filled == added


@given(moves)
def test_a_set_is_what_it_iterates(steps: list[tuple[bool, ByteRange]]) -> None:
    """A set made of a set's ranges is that set, also when they come backwards."""
    real, model = both(steps)
    assert RangeSet(real) == real == RangeSet(reversed(list(real)))
    assert real.first() == next(iter(runs_of(model)), None)
    assert real.last() == next(reversed(runs_of(model)), None)
