"""What each interval brought, and what the window makes of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from engine.window import (
    CEILING,
    CUT_SPACING,
    FIRST_SIZE,
    HOLD,
    LONGEST_ANSWER,
    REMEMBERED,
    Seat,
    Window,
)

LONG = 20.0
"""Seconds that are long enough for an interval of any window."""
FLAT = 1_000_000
"""Bytes a second of a host that has no more to give."""


def joined(threads: int | None = None) -> Window:
    window = Window("example.org", 0.0)
    window.join(threads, 0.0)
    return window


def fill(window: Window, now: float) -> None:
    """Let lanes fly until one more is refused."""
    while window.has_room(now):
        window.enter()
    while window.is_over:
        window.leave()


def interval(
    window: Window, now: float, rate: float, seconds: float = LONG, excuse: str = ""
) -> float:
    """One interval with all lanes flying that brings `rate`; when it is over."""
    fill(window, now)
    window.received(int(rate * seconds))
    if excuse:
        window.excuse(excuse)
    window.judge(now + seconds)
    return now + seconds


def sizes(window: Window, rates: Iterable[float]) -> list[int]:
    """The sizes after intervals that bring these rates."""
    now, found = 0.0, []
    for rate in rates:
        now = interval(window, now, rate)
        found.append(window.size)
    return found


def reason(window: Window) -> str:
    return window.snapshot().reason


# -- the ramp ----------------------------------------------------------------


def test_a_window_starts_at_four() -> None:
    """Before anything is known four lanes may fly."""
    window = joined()
    assert (window.size, window.ceiling, window.flying) == (FIRST_SIZE, CEILING, 0)
    assert reason(window) == "starting"


def test_it_doubles_while_that_pays() -> None:
    """Each doubling that brings a quarter more is followed by another one."""
    assert sizes(joined(), [100, 130, 170, 220, 280, 360]) == [8, 16, 32, 64, 128, 128]


def test_the_ramp_says_what_it_does() -> None:
    """People can read why there are more lanes."""
    window = joined()
    interval(window, 0.0, FLAT)
    assert reason(window) == "doubling"


def test_a_doubling_that_does_not_pay_is_taken_back() -> None:
    """Less than a quarter more, and the window goes back and holds."""
    window = joined()
    assert sizes(window, [100, 200, 248]) == [8, 16, 8]
    assert reason(window) == "holding at 8: lanes 9-16 added 24%"


def test_a_window_may_conclude_one() -> None:
    """Where more lanes bring less, cuts leave one lane, and one lane it stays."""
    window = joined()
    for number in range(3):
        window.cut("429", 10.0 * number)
    assert window.size == 1
    now = interval(window, 20.0, FLAT)
    assert window.size == 2
    now = interval(window, now, 0.9 * FLAT)
    assert window.size == 1
    assert reason(window) == "holding at 1: one more added -10%"


def test_after_the_ramp_lanes_come_one_by_one() -> None:
    """When doubling has ended, each step is one lane."""
    window = joined()
    now = 0.0
    for rate in (100, 110):
        now = interval(window, now, rate)
    assert window.size == 4
    for lanes in (5, 6, 7):
        now = interval(window, now, 100 * lanes)
        assert (window.size, reason(window)) == (lanes, "one more")


@pytest.mark.parametrize(
    ("gain", "kept"), [(0.13, True), (0.12, False), (0.0, False), (-0.2, False)]
)
def test_one_more_is_kept_for_half_its_fair_share(gain: float, *, kept: bool) -> None:
    """A fifth lane should bring a quarter more, and is kept for an eighth."""
    window = joined()
    now = interval(window, interval(window, 0.0, FLAT), FLAT)
    now = interval(window, now, FLAT)
    assert window.size == 5
    interval(window, now, FLAT * (1 + gain))
    assert window.size == (6 if kept else 4)


def test_a_window_that_holds_tries_again_now_and_then() -> None:
    """After the hold one more lane is tried: the world may have changed."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    now = interval(window, now, FLAT, seconds=1.0)
    assert window.size == 4
    assert "holding at 4" in reason(window)
    for _ in range(int(HOLD) - 1):
        now = interval(window, now, FLAT, seconds=1.0)
        assert window.size == 4
    interval(window, now, FLAT, seconds=1.0)
    assert window.size == 5


def held() -> tuple[Window, float]:
    """A window that was concluded to be enough, and the time by then."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    now = interval(window, now, FLAT, seconds=1.0)
    assert "holding at 4" in reason(window)
    return window, now


@pytest.mark.parametrize(("left", "size"), [(0.6, 4), (0.4, 8)])
def test_a_hold_is_void_when_the_bytes_stay_away(left: float, size: int) -> None:
    """A quick beginning of each connection may be all that was judged."""
    window, now = held()
    now = interval(window, now, FLAT * left, seconds=1.0)
    assert window.size == size
    if size == 8:
        now = interval(window, now, FLAT * left * 2, seconds=1.0)
        assert (window.size, reason(window)) == (16, "doubling")


@pytest.mark.parametrize("excuse", ["limit", "sink"])
def test_a_hold_stands_while_something_else_is_the_limit(excuse: str) -> None:
    """That fewer bytes come says nothing then."""
    window, now = held()
    interval(window, now, FLAT / 10, seconds=1.0, excuse=excuse)
    assert window.size == 4


def test_a_hold_after_a_cut_stands() -> None:
    """Whoever was refused does not take fewer bytes for a reason to ask for more."""
    window, now = held()
    window.cut("HTTP 429", now)
    assert window.size == 2
    interval(window, now, FLAT / 10, seconds=1.0)
    assert window.size == 2


# -- what is judged ----------------------------------------------------------


@pytest.mark.parametrize(
    ("latency", "size", "doubling", "seconds"),
    [
        pytest.param(0.0, 4, True, 0.1, id="quick host"),
        pytest.param(0.25, 4, True, 0.75, id="three round trips"),
        pytest.param(0.0, 5, False, 0.5, id="one lane of few"),
        pytest.param(0.0, 64, False, 4.0, id="one lane of many"),
        pytest.param(0.5, 16, False, 3.0, id="one of many far away"),
    ],
)
def test_an_interval_is_long_enough_to_tell(
    latency: float, size: int, seconds: float, *, doubling: bool
) -> None:
    """A new lane must have brought something, and more than the noise."""
    window = joined(None if doubling else size)
    window.latency = latency
    window.size = size
    window.ceiling = CEILING
    fill(window, 0.0)
    window.received(FLAT)
    window.judge(seconds - 0.01)
    assert window.size == size
    window.judge(seconds)
    assert window.size > size


def stepped() -> tuple[Window, float]:
    """A window of a distant host that has just been doubled for the first time."""
    window = joined()
    window.latency = 1.0
    now = interval(window, 0.0, FLAT)
    fill(window, now)
    assert (window.size, window.flying) == (8, 8)
    return window, now


def test_a_step_is_not_judged_before_it_is_answered() -> None:
    """New lanes bring nothing while they connect: the interval begins after that."""
    window, now = stepped()
    for _ in range(4):
        window.expect()
    window.received(FLAT)
    window.judge(now + 3.5)
    assert window.size == 8
    for _ in range(4):
        window.answered()
    window.judge(now + 3.6)
    window.received(3 * 2 * FLAT)
    window.judge(now + 6.6)
    assert window.size == 16


def test_nobody_waits_for_ever_for_an_answer() -> None:
    """Who has not answered by then counts as bringing nothing."""
    window, now = stepped()
    for _ in range(4):
        window.expect()
    now += LONGEST_ANSWER + 0.1
    window.received(int(FLAT * (LONGEST_ANSWER + 0.1)))
    window.judge(now)
    assert window.size == 4


def test_a_step_that_is_still_rising_is_not_taken_back() -> None:
    """A new connection far away needs many round trips to be fast."""
    window, now = stepped()
    for rates in ((1.0, 1.2), (1.2, 1.2)):
        assert window.size == 8
        for rate in rates:
            window.received(int(rate * 1.5 * FLAT))
            now += 1.5
            window.judge(now)
        fill(window, now)
    assert window.size == 4
    assert reason(window) == "holding at 4: lanes 5-8 added 20%"


def test_a_doubling_that_pays_already_is_not_waited_for() -> None:
    """One round trip is enough to see that it brings a quarter more."""
    window, now = stepped()
    window.received(2 * FLAT)
    window.judge(now + 1.0)
    assert window.size == 16


def test_many_lanes_grow_by_an_eighth() -> None:
    """One lane of many would be lost in the noise."""
    window = joined(64)
    window.resize(64, None, 0.0)
    now = interval(window, 0.0, FLAT)
    assert (window.size, reason(window)) == (72, "8 more")
    interval(window, now, FLAT * 1.05)
    assert reason(window) == "holding at 64: lanes 65-72 added 5%"


@pytest.mark.parametrize("excuse", ["limit", "horizon", "reader"])
def test_what_something_else_limited_is_not_judged(excuse: str) -> None:
    """An interval with an excuse moves nothing, however much or little it brought."""
    window = joined()
    now = interval(window, 0.0, FLAT, excuse=excuse)
    assert window.size == 4
    now = interval(window, now, FLAT)
    now = interval(window, now, 1, excuse=excuse)
    assert window.size == 8
    interval(window, now, 2 * FLAT)
    assert window.size == 16


def test_an_excuse_is_for_one_interval() -> None:
    """The next interval is judged by itself."""
    window = joined()
    now = interval(window, 0.0, FLAT, excuse="limit")
    interval(window, now, FLAT)
    assert window.size == 8


def test_at_the_ceiling_nothing_is_compared() -> None:
    """A window that cannot grow does not shrink for what an interval brought."""
    window = joined()
    assert sizes(window, [100, 200, 400, 800, 1600, 3200]) == [8, 16, 32, 64, 128, 128]
    interval(window, 200.0, 100)
    assert window.size == 128


def test_nobody_wanted_another_lane() -> None:
    """Without a lane that was refused there is no reason to grow."""
    window = joined()
    window.enter()
    assert window.has_room(0.0)
    window.received(FLAT)
    window.judge(LONG)
    assert window.size == 4


def test_what_somebody_wanted_before_does_not_count() -> None:
    """Each interval needs a refused lane of its own."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    assert window.size == 8
    window.received(10 * FLAT)
    window.judge(now + LONG)
    assert window.size == 8


def test_nothing_came() -> None:
    """An interval without a byte is an outage and tells nothing about lanes."""
    window = joined()
    interval(window, 0.0, 0)
    assert window.size == 4


# -- cuts --------------------------------------------------------------------


def test_congestion_halves() -> None:
    """A cut leaves half of the lanes, says why, and is shown as a cut."""
    window = joined(16)
    window.cut("HTTP 429", 10.0)
    assert window.size == 8
    change = window.snapshot().changes[-1]
    assert (change.at, change.size, change.reason, change.cut) == (
        *(10.0, 8, "HTTP 429"),
        True,
    )


def test_a_step_that_is_refused_is_taken_back() -> None:
    """What was before it works: there is no reason to go below that."""
    window = joined(16)
    window.resize(16, None, 1.0)
    interval(window, HOLD, FLAT)
    assert window.size == 18
    window.cut("HTTP 429", HOLD + LONG + 1.0)
    assert (window.size, reason(window)) == (16, "HTTP 429")
    window.cut("HTTP 429", HOLD + LONG + 3.0)
    assert window.size == 8


def test_one_storm_is_charged_once() -> None:
    """What fails within a second of a cut belongs to it."""
    window = joined(16)
    for at in (10.0, 10.1, 10.999):
        window.cut("HTTP 503", at)
    assert window.size == 8
    window.cut("HTTP 503", 11.0)
    assert window.size == 4


def test_a_window_never_closes() -> None:
    """One lane is the least."""
    window = joined()
    for number in range(9):
        window.cut("HTTP 503", 10.0 * number)
    assert window.size == 1


def test_a_cut_ends_the_ramp_and_holds() -> None:
    """After a cut the window stands, then comes back one by one."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    window.cut("HTTP 429", now)
    assert window.size == 4
    later = interval(window, now, FLAT, seconds=HOLD - 0.1)
    assert window.size == 4
    interval(window, later, FLAT)
    assert (window.size, reason(window)) == (5, "one more")


def test_a_cut_forgets_the_step_it_interrupts() -> None:
    """The interval after a cut is not compared with what more lanes brought."""
    window = joined()
    now = interval(window, 0.0, 10 * FLAT)
    window.cut("HTTP 429", now)
    interval(window, now, FLAT)
    assert window.size == 5


def test_retry_after_is_for_the_whole_host() -> None:
    """Nobody takes off before the host said, and a shorter wait does not shorten it."""
    window = joined()
    window.close_until(30.0)
    window.close_until(20.0)
    assert not window.has_room(29.9)
    assert window.closed_for(12.0) == 18.0
    assert window.has_room(30.0)
    assert window.closed_for(31.0) == 0.0


def test_nobody_served_leaves_one_lane() -> None:
    """When a host serves no lane any more one finds out why, as soon as that is seen."""
    window = joined(16)
    window.cut("HTTP 429", 10.0)
    window.cut_to_one("HTTP 403", 10.1)
    assert window.size == 1
    change = window.latest
    assert (change.at, change.reason, change.cut) == (10.1, "HTTP 403", True)
    window.cut_to_one("HTTP 403", 10.2)
    assert window.latest is change
    assert window.ceiling == 16


def test_after_one_lane_they_come_back_one_by_one() -> None:
    """What found out that it is served is joined by others after the hold."""
    window = joined(4)
    window.cut_to_one("HTTP 403", 0.0)
    held = interval(window, 0.0, FLAT, seconds=HOLD - 0.1)
    assert window.size == 1
    now = interval(window, held, FLAT)
    assert (window.size, reason(window)) == (2, "one more")
    interval(window, now, 2 * FLAT)
    assert window.size == 3


def test_it_is_known_that_the_host_refused() -> None:
    """For as long as the window holds for it, and for whoever was refused last."""
    window = joined(16)
    assert not window.is_refused(10.0)
    window.cut("HTTP 429", 10.0)
    window.cut("HTTP 429", 10.5)
    assert window.is_refused(10.5 + HOLD - 0.1)
    assert not window.is_refused(10.5 + HOLD)
    window.cut_to_one("HTTP 403", 30.0)
    assert window.is_refused(30.1)
    window.reopen(30.2)
    assert not window.is_refused(30.2)


def test_broken_connections_are_no_refusal() -> None:
    """They cut the window too, but the host said nothing."""
    window = joined(16)
    breaking(window, 10.0, 8)
    assert window.latest.cut
    assert not window.is_refused(10.1)


# -- connections that break --------------------------------------------------


def breaking(window: Window, now: float, lost: int, after: int = FLAT) -> float:
    """An interval in which connections break, and `after` bytes come behind that."""
    fill(window, now)
    window.received(FLAT)
    for _ in range(lost):
        window.lost()
    window.received(after)
    window.judge(now + LONG)
    return now + LONG


@pytest.mark.parametrize(
    ("threads", "lost", "size"),
    [
        (16, 3, 16),
        (16, 4, 8),
        (16, 15, 8),
        (16, 16, 16),
        (4, 1, 4),
        (4, 2, 2),
        (4, 3, 2),
        (4, 4, 4),
        (2, 1, 2),
        (2, 2, 2),
        (1, 1, 1),
    ],
)
def test_a_burst_of_broken_connections_halves(
    threads: int, lost: int, size: int
) -> None:
    """One in four, and two at least, are too many; one is chance, all an outage."""
    window = joined(threads)
    breaking(window, 0.0, lost)
    assert window.size == size
    if size < threads:
        assert reason(window) == f"{lost} connections broke"
        assert window.latest.cut


def test_an_outage_keeps_the_window() -> None:
    """Where nobody goes on when connections break the lanes are not to blame."""
    window = joined(16)
    breaking(window, 0.0, lost=8, after=0)
    assert window.size == 16


def test_broken_connections_are_counted_among_those_that_flew() -> None:
    """That the others land after all have broken makes no burst of an outage."""
    window = joined(4)
    fill(window, 0.0)
    for _ in range(4):
        window.lost()
        window.leave()
    window.received(FLAT)
    window.judge(LONG)
    assert window.size == 4


def test_a_burst_is_counted_among_those_that_flew_when_it_began() -> None:
    """Lanes that land while connections break make no outage of a burst."""
    window = joined(8)
    fill(window, 0.0)
    for flying in (8, 8, 2):
        while window.flying > flying:
            window.leave()
        window.lost()
    window.received(FLAT)
    window.judge(LONG)
    assert (window.size, reason(window)) == (4, "3 connections broke")


def test_one_storm_of_broken_connections_is_charged_once() -> None:
    """A burst within a second of a cut belongs to it, and a later one does not."""
    now = 10.0
    for passed, size in ((CUT_SPACING - 0.1, 2), (CUT_SPACING, 1)):
        window = joined(4)
        window.cut("HTTP 503", now)
        fill(window, now)
        window.enter()
        for _ in range(2):
            window.lost()
        window.received(FLAT)
        window.judge(now + passed)
        assert window.size == size


def test_broken_connections_are_forgotten_with_their_interval() -> None:
    """Few now and few later are not many."""
    window = joined(16)
    now = breaking(window, 0.0, lost=3)
    breaking(window, now, lost=3)
    assert window.size == 16


@pytest.mark.parametrize("gain", [0.5, 1.0, 4.0])
def test_where_connections_broke_lanes_are_not_judged(gain: float) -> None:
    """What one interval with a loss brought is neither a gain nor a poor one."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    assert window.size == 8
    fill(window, now)
    window.lost()
    window.received(int(gain * FLAT * LONG))
    window.judge(now + LONG)
    assert window.size == 8
    interval(window, now + LONG, 2 * FLAT)
    assert window.size == 16


# -- typed numbers and several jobs ------------------------------------------


def test_a_typed_number_is_where_it_starts() -> None:
    """With `-t 16` sixteen lanes may fly at once, and never more."""
    window = joined(16)
    assert (window.size, window.ceiling, reason(window)) == (16, 16, "as asked")
    assert sizes(window, [FLAT, 2 * FLAT, 4 * FLAT]) == [16, 16, 16]


def test_a_typed_number_yields_to_congestion_alone() -> None:
    """What the lanes bring does not take away a lane that was asked for."""
    window = joined(16)
    assert sizes(window, [100, 50, 10, 1]) == [16, 16, 16, 16]
    window.cut("HTTP 429", 100.0)
    assert window.size == 8


def test_a_typed_number_comes_back_one_by_one() -> None:
    """After a cut it grows again, up to what was typed."""
    window = joined(4)
    window.cut("HTTP 429", 0.0)
    now = HOLD
    found = []
    for rate in (2, 3, 4, 5, 6):
        now = interval(window, now, rate * FLAT)
        found.append(window.size)
    assert found == [3, 4, 4, 4, 4]


def test_no_host_sees_more_than_128() -> None:
    """However many jobs and numbers there are, the ceiling holds."""
    window = joined(100)
    window.join(100, 0.0)
    assert (window.size, window.ceiling) == (CEILING, CEILING)


def test_each_job_gets_a_lane() -> None:
    """Ten files from one host need ten lanes, whatever the window was."""
    window = joined()
    for _ in range(9):
        window.join(None, 1.0)
    assert (window.size, reason(window)) == (10, "a lane for each file")
    assert window.ceiling == CEILING


def test_a_lane_goes_with_its_job() -> None:
    """Files that are done no longer count."""
    window = joined()
    for _ in range(9):
        window.join(None, 1.0)
        window.part(None)
    assert window.size == FIRST_SIZE
    assert window.share == FIRST_SIZE


def test_typed_numbers_add_up() -> None:
    """Two jobs of eight lanes share a window of sixteen."""
    window = joined(8)
    window.join(8, 1.0)
    assert (window.size, window.ceiling) == (16, 16)


def test_a_job_that_comes_after_a_cut_does_not_undo_it() -> None:
    """What the host refused is not asked for again because a file was added."""
    window = joined(16)
    window.cut("HTTP 429", 10.0)
    window.join(16, 11.0)
    assert (window.size, window.ceiling) == (8, 32)


def test_a_smaller_number_holds_after_a_cut_too() -> None:
    """The window is never larger than what was typed."""
    window = joined()
    sizes(window, [100, 200, 400])
    window.cut("HTTP 429", 100.0)
    assert window.size == 16
    window.part(None)
    window.join(2, 101.0)
    assert (window.size, window.ceiling) == (2, 2)


def test_the_next_job_begins_with_what_the_last_one_learned() -> None:
    """A window is remembered for its host."""
    window = joined()
    sizes(window, [100, 200, 400])
    window.part(None)
    window.join(None, 100.0)
    assert window.size == 32


def test_a_number_goes_with_the_job_it_was_typed_for() -> None:
    """What is left behind by a typed number may grow again."""
    window = joined()
    window.join(4, 0.0)
    assert window.ceiling == 4
    window.part(4)
    assert window.ceiling == CEILING
    interval(window, HOLD, FLAT)
    assert window.size > 4


@pytest.mark.parametrize(("jobs", "share"), [(1, 16), (2, 8), (3, 6), (16, 1), (20, 1)])
def test_the_jobs_of_a_host_share_its_window(jobs: int, share: int) -> None:
    """No job keeps the lanes that another one on the same host waits for."""
    window = joined(16)
    for _ in range(jobs - 1):
        window.join(None, 1.0)
    assert window.share == share


# -- steering ----------------------------------------------------------------


def test_the_user_may_have_another_number() -> None:
    """A new number counts at once, in both directions, also after a cut."""
    window = joined(16)
    window.cut("HTTP 429", 1.0)
    window.resize(16, 32, 2.0)
    assert (window.size, window.ceiling) == (32, 32)
    window.resize(32, 2, 3.0)
    assert (window.size, window.ceiling) == (2, 2)


def test_the_choice_may_be_given_back() -> None:
    """Without a number the window goes on from where it is."""
    window = joined(16)
    window.resize(16, None, 1.0)
    assert (window.size, window.ceiling) == (16, CEILING)
    interval(window, HOLD, FLAT)
    assert (window.size, reason(window)) == (18, "2 more")


@pytest.mark.parametrize("threads", [2, 16])
def test_what_the_user_asks_for_is_not_judged(threads: int) -> None:
    """A number typed in the middle of a step is not taken back for bringing less."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    assert (window.size, reason(window)) == (8, "doubling")
    window.resize(None, threads, now)
    interval(window, now, FLAT / 10)
    assert (window.size, reason(window)) == (threads, "as asked")


def test_a_file_that_comes_in_the_middle_of_a_step_is_not_its_gain() -> None:
    """When jobs change the window, the next interval begins a new comparison."""
    window = joined()
    now = interval(window, 0.0, FLAT)
    for _ in range(19):
        window.join(None, now)
    assert window.size == 20
    interval(window, now, FLAT)
    assert window.size == 40


# -- a job's seat ------------------------------------------------------------


class Hosts:
    """The windows of all hosts, each made when somebody asks for it."""

    def __init__(self) -> None:
        self.windows: dict[str, Window] = {}

    def of(self, host: str) -> Window:
        return self.windows.setdefault(host, Window(host, 0.0))

    @property
    def typed(self) -> dict[str, int]:
        """For how many lanes there are seats, by the host; 0 where none is typed."""
        return {host: window._typed for host, window in self.windows.items()}


def test_a_seat_is_in_no_window_until_it_is_taken() -> None:
    """A job counts nowhere before it asks a host."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    assert seat.window is None
    assert hosts.windows == {}


def test_a_seat_brings_what_was_typed() -> None:
    """The window of the host that is asked is as large as was typed."""
    window = Seat(Hosts().of, 6).take("one.example")
    assert (window.host, window.size, window.share) == ("one.example", 6, 6)


def test_a_seat_is_taken_once() -> None:
    """Asking the same host again does not count the job twice."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    assert seat.take("one.example") is seat.take("one.example")
    assert hosts.typed == {"one.example": 6}


def test_another_host_is_another_window() -> None:
    """Whoever goes on at another host is counted there, and no more at the first."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    first, second = seat.take("one.example"), seat.take("two.example")
    assert seat.window is second is not first
    assert hosts.typed == {"one.example": 0, "two.example": 6}
    assert first.ceiling == CEILING


def test_a_host_keeps_the_others_that_ask_it() -> None:
    """One job that goes elsewhere leaves its share to those that stay."""
    hosts = Hosts()
    leaving, staying = Seat(hosts.of, None), Seat(hosts.of, None)
    window = leaving.take("one.example")
    assert staying.take("one.example").share == FIRST_SIZE // 2
    leaving.take("two.example")
    assert window.share == FIRST_SIZE


def test_a_seat_may_be_left() -> None:
    """A job that ends is counted nowhere, however often it is told to go."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    seat.take("one.example")
    seat.leave()
    seat.leave()
    assert seat.window is None
    assert hosts.typed == {"one.example": 0}


def test_a_seat_may_be_taken_again() -> None:
    """A job that comes back is counted as before."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    seat.take("one.example")
    seat.leave()
    assert seat.take("one.example").size == 6
    assert hosts.typed == {"one.example": 6}


@pytest.mark.parametrize(
    ("threads", "typed", "ceiling"), [(9, 9, 9), (2, 2, 2), (None, 0, CEILING)]
)
def test_another_number_counts_where_the_seat_is(
    threads: int | None, typed: int, ceiling: int
) -> None:
    """A number that is typed later counts at once, and at the next host too."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    window = seat.take("one.example")
    seat.resize(threads)
    assert (hosts.typed["one.example"], window.ceiling) == (typed, ceiling)
    assert seat.take("two.example").ceiling == ceiling
    assert hosts.typed == {"one.example": 0, "two.example": typed}


def test_a_number_may_be_typed_before_a_seat_is_taken() -> None:
    """What is typed while nobody is asked counts from the first request on."""
    hosts = Hosts()
    seat = Seat(hosts.of, 6)
    seat.resize(3)
    assert seat.take("one.example").size == 3


# -- what people see ---------------------------------------------------------


def test_a_snapshot_shows_the_window() -> None:
    """The level and the latest moves, oldest first."""
    window = joined(2)
    window.enter()
    window.cut("HTTP 503", 5.0)
    shown = window.snapshot()
    assert (shown.host, shown.size, shown.flying) == ("example.org", 1, 1)
    assert [(c.size, c.cut) for c in shown.changes] == [
        (4, False),
        (2, False),
        (1, True),
    ]
    window.leave()
    assert window.snapshot().flying == 0


def test_not_every_move_is_remembered() -> None:
    """The latest moves are enough for a graph."""
    window = joined()
    for number in range(200):
        window.cut("HTTP 503", 10.0 * number)
    changes = window.snapshot().changes
    assert len(changes) == REMEMBERED
    assert changes[-1].at == 1990.0


def test_as_many_fly_as_the_window_has() -> None:
    """There is room until the window is full, and none beyond."""
    window = joined(3)
    for _ in range(3):
        assert window.has_room(0.0)
        window.enter()
    assert not window.has_room(0.0)
    assert not window.is_over


def test_one_too_many_must_land() -> None:
    """After a cut more fly than should, until enough of them have landed."""
    window = joined(4)
    fill(window, 0.0)
    window.cut("HTTP 503", 5.0)
    landed = 0
    while window.is_over:
        window.leave()
        landed += 1
    assert (landed, window.flying, window.size) == (2, 2, 2)


# -- whatever happens --------------------------------------------------------


class AnyHistory(RuleBasedStateMachine):
    """Jobs come and go, lanes fly, hosts refuse, time passes."""

    @initialize(latency=st.floats(0.0, 2.0))
    def begin(self, latency: float) -> None:
        self.now = 50.0
        self.window = Window("example.org", self.now)
        self.window.latency = latency
        self.jobs: list[int | None] = []
        self.cuts: list[float] = []

    @rule(threads=st.none() | st.integers(1, 128))
    def join(self, threads: int | None) -> None:
        self.window.join(threads, self.now)
        self.jobs.append(threads)
        self.check_typed()

    @precondition(lambda self: self.jobs)
    @rule()
    def part(self) -> None:
        self.window.part(self.jobs.pop())

    @precondition(lambda self: self.jobs)
    @rule(threads=st.none() | st.integers(1, 128))
    def resize(self, threads: int | None) -> None:
        self.window.resize(self.jobs.pop(), threads, self.now)
        self.jobs.append(threads)
        self.check_typed()
        if threads is not None:
            assert self.window.size >= min(threads, CEILING)

    @precondition(lambda self: self.jobs)
    @rule(rate=st.integers(0, 10**9), excuse=st.sampled_from(["", "", "limit"]))
    def pass_time(self, rate: int, excuse: str) -> None:
        """An interval, in which the window may move, unless it has an excuse."""
        before = self.window.size
        seconds = self.window._needed() + 1.0
        self.now = interval(self.window, self.now, rate, seconds, excuse)
        if excuse or not rate:
            assert self.window.size == before
        assert self.window.size <= 2 * before

    @rule(passed=st.floats(0, 3))
    def cut(self, passed: float) -> None:
        """A refusal takes back a step, or halves, but not twice within a second."""
        self.now += passed
        before, step = self.window.size, self.window._base
        self.window.cut("HTTP 429", self.now)
        recent = self.cuts and self.now - self.cuts[-1] < CUT_SPACING
        less = max(1, before // 2) if step is None else step[0]
        assert self.window.size == (before if recent else less)
        if not recent:
            self.cuts.append(self.now)

    @precondition(lambda self: self.jobs)
    @rule(lost=st.integers(1, 128), after=st.sampled_from([0, 1000]))
    def break_off(self, lost: int, after: int) -> None:
        """Connections break: that halves at most, and never adds a lane."""
        before, now = self.window.size, self.now
        fill(self.window, now)
        lost = min(lost, self.window.flying)
        is_outage = not after or lost == self.window.flying
        self.window.received(1000)
        for _ in range(lost):
            self.window.lost()
        self.window.received(after)
        self.now += self.window._needed() + CUT_SPACING
        self.window.judge(self.now)
        assert self.window.size in {before, max(1, before // 2)}
        if is_outage or lost == 1:
            assert self.window.size == before
        elif self.window.size < before:
            self.cuts.append(self.now)

    @rule(passed=st.floats(0, 3))
    def cut_to_one(self, passed: float) -> None:
        """Nobody is served: whatever there was, one lane is left."""
        self.now += passed
        if self.window.size > 1:
            self.cuts.append(self.now)
        self.window.cut_to_one("HTTP 403", self.now)
        assert self.window.size == 1

    @rule(wait=st.floats(0, 5))
    def close(self, wait: float) -> None:
        self.window.close_until(self.now + wait)
        assert self.window.closed_for(self.now) >= wait - 1e-9

    @invariant()
    def size_is_within_bounds(self) -> None:
        """One lane at least, and no more than the ceiling at most."""
        assert 1 <= self.window.size <= self.window.ceiling <= CEILING

    @invariant()
    def the_latest_reason_is_the_windows(self) -> None:
        """Every change of size has its entry."""
        assert self.window.snapshot().changes[-1].size == self.window.size

    def check_typed(self) -> None:
        """Who comes with numbers gets no more than they add up to."""
        typed = sum(threads or 0 for threads in self.jobs)
        if typed:
            assert self.window.size <= max(typed, len(self.jobs))


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.__doc__ = """Whatever happens, the window keeps its bounds."""
