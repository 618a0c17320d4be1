"""How much a lane leases: bounds first, then reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from engine.sizes import (
    LATENCIES,
    MIB,
    UNKNOWN,
    FileSizes,
    Pace,
    Sizes,
    StreamSizes,
)

ROOM = 1 << 40
"""Bytes that a stream may hold, where that is no matter."""
KNOWN = Pace(unleased=1 << 40, lanes=8, rate=4e6, latency=0.5, limit=None)

paces = st.builds(
    Pace,
    unleased=st.integers(0, 1 << 42),
    lanes=st.integers(0, 128),
    rate=st.floats(0, 1e10),
    latency=st.floats(0, 60),
    limit=st.none() | st.floats(1, 1e12),
)


@st.composite
def policies(draw: st.DrawFn) -> Sizes:
    """Of files, or of a stream with some room."""
    least, most = sorted(draw(st.integers(1, 1 << 30)) for _ in range(2))
    if draw(st.booleans()):
        return FileSizes(least, most)
    return StreamSizes(least, most, draw(st.integers(0, 1 << 40)))


@given(policies(), paces)
def test_a_lease_keeps_its_bounds(sizes: Sizes, pace: Pace) -> None:
    """Never less than the least, never more than the most, whatever is known."""
    assert sizes.least <= sizes.want(pace) <= sizes.most


@given(policies(), paces)
def test_more_lanes_want_no_more_each(sizes: Sizes, pace: Pace) -> None:
    """With another lane no lane's share grows."""
    more = replace(pace, lanes=pace.lanes + 1)
    assert sizes.want(more) <= sizes.want(pace)


@given(policies(), paces)
def test_who_is_near_the_end_wants_no_more(sizes: Sizes, pace: Pace) -> None:
    """With less to do no lane's share grows."""
    less = replace(pace, unleased=pace.unleased // 2)
    assert sizes.want(less) <= sizes.want(pace)


@pytest.mark.parametrize("latency", [0.5, 1.0, 2.0])
def test_a_segment_is_worth_its_request(latency: float) -> None:
    """Far away, asking costs no more than a tenth of the time."""
    pace = replace(KNOWN, latency=latency)
    assert pace.worth == int(pace.rate * LATENCIES * latency)
    for sizes in (FileSizes(1, 64 * MIB), StreamSizes(1, 64 * MIB, ROOM)):
        assert sizes.want(pace) >= min(pace.worth, 64 * MIB)


def test_an_unknown_lane_is_worth_nothing_yet() -> None:
    """Before a rate is known there is nothing to weigh a request against."""
    pace = replace(KNOWN, rate=0.0)
    assert pace.worth == 0
    assert StreamSizes(MIB // 4, 5 * MIB, ROOM).want(pace) == UNKNOWN


def test_files_are_divided_among_their_lanes() -> None:
    """On disk a lane gets two thirds of its even share, so that all end together."""
    pace = replace(KNOWN, unleased=120 * MIB, rate=0.0)
    assert FileSizes(MIB, 64 * MIB).want(pace) == 10 * MIB


def test_a_limited_stream_is_passed_round_in_small_parts() -> None:
    """Under a limit the reader does not see waves."""
    sizes = StreamSizes(1, 64 * MIB, ROOM)
    assert sizes.want(replace(KNOWN, limit=8e6)) < sizes.want(KNOWN) / 10


def test_all_lanes_of_a_stream_find_room() -> None:
    """Together they lease no more than may be held."""
    sizes = StreamSizes(1, 64 * MIB, 64 * MIB)
    assert sizes.want(KNOWN) == 8 * MIB
    assert sizes.want(replace(KNOWN, lanes=64)) == MIB


def test_a_stream_with_room_asks_less_often() -> None:
    """Where half of the room is enough, a request is paid twice over."""
    most = 1024 * MIB
    assert StreamSizes(1, most, 1024 * MIB).want(KNOWN) == 2 * KNOWN.worth
    assert StreamSizes(1, most, 16 * KNOWN.worth).want(KNOWN) == KNOWN.worth
