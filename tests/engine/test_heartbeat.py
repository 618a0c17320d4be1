"""Beats that come late: closed lids, and processes that only were busy."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from engine.heartbeat import SLEPT, Heartbeat, Moment

START = Moment(100.0, 5000.0)


def later(seconds: float, asleep: float = 0.0) -> Moment:
    """So many seconds after the start, and some more that only one clock counted."""
    return Moment(START.active + seconds, START.passed + seconds + asleep)


@pytest.mark.parametrize("gap", [0.0, 0.25, 1.0, SLEPT - 0.25])
def test_a_beat_that_is_a_little_late_is_no_sleep(gap: float) -> None:
    """A busy loop is late too, and nobody slept."""
    assert Heartbeat(START).beat(later(gap)) is None


@pytest.mark.parametrize("gap", [SLEPT, 60.0, 86_400.0])
def test_a_stopped_process_is_noticed(gap: float) -> None:
    """Where the clock went on without us, what it counted is what we slept."""
    assert Heartbeat(START).beat(later(gap)) == gap


def test_a_machine_that_slept_is_noticed() -> None:
    """Where our clock stood still, we slept, and it counted only what we were awake."""
    assert Heartbeat(START).beat(later(0.25, asleep=3600.0)) == 0.25


def test_a_sleep_in_no_time_is_a_sleep() -> None:
    """A clock that stood still all the while says nought, and not that we were awake."""
    assert Heartbeat(START).beat(later(0.0, asleep=3600.0)) == 0.0


def test_who_slept_once_is_awake_again() -> None:
    """Every beat is measured from the one before it."""
    heart = Heartbeat(START)
    moments = [later(1), later(2), later(100), later(101), later(102, asleep=50)]
    assert [heart.beat(moment) for moment in moments] == [None, None, 98, None, 1]


@given(st.lists(st.integers(0, 10), min_size=1))
def test_every_gap_is_judged_alone(gaps: list[int]) -> None:
    """Whatever came before, a beat is a sleep if it alone was late enough."""
    heart = Heartbeat(START)
    at = 0
    for gap in gaps:
        at += gap
        assert heart.beat(later(at)) == (gap if gap >= SLEPT else None)


def test_now_is_read_from_clocks_that_never_go_back() -> None:
    """Both clocks of a moment only go forward, and the active one is our timer's."""
    before = time.monotonic()
    moments = [Moment.now() for _ in range(100)]
    assert all(
        one.active <= other.active and one.passed <= other.passed
        for one, other in pairwise(moments)
    )
    assert before <= moments[0].active
    assert moments[-1].active <= time.monotonic()


def test_one_clock_goes_on_while_the_machine_sleeps() -> None:
    """On Linux what has passed is counted from the boot, sleep included."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("no clock here tells sleep")
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= Moment.now().passed <= time.clock_gettime(time.CLOCK_BOOTTIME)
