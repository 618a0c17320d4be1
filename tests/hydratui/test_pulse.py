"""How lag and cost become fewer frames and shorter turns."""

from __future__ import annotations

from hydratui.pulse import Pulse


def fed(*lags: float) -> Pulse:
    pulse = Pulse()
    for lag in lags:
        pulse.probed(lag)
    return pulse


def test_a_late_loop_asks_for_short_turns() -> None:
    """More than 25 ms for a second is late."""
    assert fed(*[0.03] * 20).tight
    assert not fed(*[0.02] * 100).tight


def test_one_late_probe_is_nobodys_fault() -> None:
    """A single collection of garbage does not slow the network."""
    assert not fed(*[0.001] * 19, 0.2, *[0.001] * 19).tight


def test_starting_up_is_not_lag() -> None:
    """The first moments say nothing yet."""
    assert not fed(*[0.3] * 5).tight


def test_short_turns_end_when_it_is_calm_for_seconds() -> None:
    """The lag that short turns themselves leave is not calm."""
    pulse = fed(*[0.05] * 40)
    for _ in range(200):
        pulse.probed(0.015)
    assert pulse.tight
    for _ in range(60):
        pulse.probed(0.002)
    assert not pulse.tight


def test_dear_ticks_are_drawn_less_often() -> None:
    """What a tick costs decides how many there are; cheap ones are all drawn."""
    pulse = Pulse()
    assert [pulse.due() for _ in range(4)] == [True] * 4
    for _ in range(30):
        pulse.drew(0.03)
    assert pulse.slowed
    assert [pulse.due() for _ in range(8)].count(True) == 2
    for _ in range(30):
        pulse.drew(0.001)
    assert not pulse.slowed
