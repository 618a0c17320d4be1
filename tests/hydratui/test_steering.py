"""How far one press of a key goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hydratui.steering import stepped_lanes, stepped_limit
from tests.hydratui.support import make_job, running_job


def test_from_auto_the_window_is_the_start() -> None:
    """One more than what the window has found, not one more than nothing."""
    job = running_job(lanes=24)
    assert job.window is not None
    assert stepped_lanes(job, 1) == job.window.size + 1


def test_a_typed_number_is_stepped() -> None:
    """What was asked for counts, not what is there."""
    job = replace(running_job(lanes=24), threads=10)
    assert stepped_lanes(job, -1) == 9


@pytest.mark.parametrize(("threads", "step", "found"), [(1, -1, 1), (128, 1, 128)])
def test_lanes_stay_within_their_bounds(threads: int, step: int, found: int) -> None:
    """At least one, at most as many as a host may see."""
    assert stepped_lanes(replace(make_job(), threads=threads), step) == found


def test_without_a_window_the_open_lanes_are_the_start() -> None:
    """A job that has only just begun can be steered too."""
    assert stepped_lanes(make_job(lane_count=3), 1) == 4
    assert stepped_lanes(make_job(lane_count=0), 1) == 2


def test_a_limit_moves_by_a_tenth() -> None:
    """Down and up by ten percent, to three digits."""
    assert stepped_limit(500e6, 400e6, -1) == 450e6
    assert stepped_limit(450e6, 400e6, 1) == 495e6


def test_without_a_limit_the_rate_is_the_start() -> None:
    """The first press already does something."""
    assert stepped_limit(None, 412.6e6, -1) == 371e6


def test_where_nothing_flows_nothing_is_limited() -> None:
    """A tenth of next to nothing is not a limit anybody wants."""
    assert stepped_limit(None, 0.0, -1) is None
    assert stepped_limit(None, 3e3, -1) is None


def test_a_limit_never_reaches_zero() -> None:
    """Stopping is what pause is for."""
    limit: float | None = 20e3
    for _ in range(50):
        limit = stepped_limit(limit, 1.0, -1)
    assert limit == 10e3
