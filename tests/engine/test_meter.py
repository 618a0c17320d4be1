"""A rate out of blocks and times."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given, strategies as st

from engine.meter import TIME_CONSTANT, Meter


def fed(rate: float, seconds: float, step: float = 0.01) -> Meter:
    """A meter born at 0 that is given `rate` in even steps."""
    meter = Meter(0.0)
    for number in range(1, round(seconds / step) + 1):
        meter.add(round(rate * step), number * step)
    return meter


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_an_even_flow_has_its_rate(seconds: float) -> None:
    """However young the meter is, an even flow is shown as fast as it is."""
    assert fed(1e6, seconds).rate(seconds) == pytest.approx(1e6, rel=0.06)


def test_a_silent_meter_shows_nothing() -> None:
    """Without a byte, and at the moment of its birth, the rate is zero."""
    meter = Meter(5.0)
    assert meter.rate(5.0) == 0.0
    meter.add(100, 5.0)
    assert meter.rate(5.0) == 0.0
    assert Meter(5.0).rate(9.0) == 0.0


def test_silence_wears_the_rate_away() -> None:
    """A second after the last byte about a third is left, ten seconds after nothing."""
    meter = fed(1e6, 20.0)
    before = meter.rate(20.0)
    assert meter.rate(20.0 + TIME_CONSTANT) == pytest.approx(before / exp(1))
    assert meter.rate(30.0) < 100


def test_a_change_is_seen_within_seconds() -> None:
    """Three time constants later the old rate hardly counts."""
    meter = fed(1e6, 10.0)
    for number in range(1, 301):
        meter.add(100_000, 10.0 + number * 0.01)
    assert meter.rate(13.0) == pytest.approx(1e7, rel=0.06)


def test_everything_is_counted() -> None:
    """The total never wears away."""
    meter = Meter(0.0)
    for size, at in ((5, 0.0), (7, 1.0), (11, 500.0)):
        meter.add(size, at)
    assert meter.total == 23


def test_looking_changes_nothing() -> None:
    """A rate that is read often is the same as one that is read once."""
    watched, alone = fed(1e6, 1.0), fed(1e6, 1.0)
    for number in range(100):
        watched.rate(1.0 + number / 100)
    assert watched.rate(2.0) == pytest.approx(alone.rate(2.0))


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 1 << 30)), max_size=40),
    st.floats(0, 100),
)
def test_a_rate_is_never_negative(
    blocks: list[tuple[float, int]], silence: float
) -> None:
    """Whatever comes and whenever, the rate is not below zero, and the total is exact."""
    meter, now = Meter(0.0), 0.0
    for passed, size in blocks:
        now += passed
        meter.add(size, now)
        assert meter.rate(now) >= 0
    assert meter.rate(now + silence) >= 0
    assert meter.total == sum(size for _, size in blocks)
