"""How lag and cost become fewer frames."""

from __future__ import annotations

from hydratui.pulse import BRISK_FOR, BRISK_TURN, TURN, Pulse


def fed(*lags: float) -> Pulse:
    pulse = Pulse()
    for lag in lags:
        pulse.probed(lag)
    return pulse


def drawn(pulse: Pulse) -> int:
    """How many of the next eight ticks are drawn."""
    return [pulse.due() for _ in range(8)].count(True)


def test_a_calm_loop_draws_every_tick() -> None:
    """Nothing is skipped while there is time."""
    assert drawn(fed(*[0.001] * 5)) == 8


def test_a_saturated_loop_draws_every_other_tick() -> None:
    """While the network keeps the loop busy, frames would cost throughput."""
    pulse = fed(*[0.008] * 5)
    assert drawn(pulse) == 4
    assert not pulse.slowed


def test_a_late_loop_draws_one_tick_in_four() -> None:
    """Half a tenth of a second late is trouble, and the status bar says so."""
    pulse = fed(*[0.06] * 5)
    assert drawn(pulse) == 2
    assert pulse.slowed


def test_two_late_probes_are_nobodys_fault() -> None:
    """A collection of garbage does not slow the screen."""
    assert fed(0.2, 0.001, 0.001, 0.2, 0.001).stride == 1


def test_starting_up_is_not_lag() -> None:
    """The first moments say nothing yet."""
    assert fed(*[0.3] * 4).stride == 1


def test_dear_ticks_are_drawn_less_often() -> None:
    """What a tick costs decides how many there are; cheap ones are all drawn."""
    pulse = Pulse()
    for _ in range(30):
        pulse.drew(0.03)
    assert pulse.slowed
    assert drawn(pulse) == 2
    for _ in range(30):
        pulse.drew(0.001)
    assert not pulse.slowed


def test_turns_are_short_while_keys_come() -> None:
    """Somebody who steers is answered at once; left alone, the network has its time."""
    pulse = Pulse()
    assert pulse.budget(100.0) == TURN
    pulse.pressed(100.0)
    assert pulse.budget(100.0 + BRISK_FOR / 2) == BRISK_TURN
    assert pulse.budget(100.0 + BRISK_FOR) == TURN
