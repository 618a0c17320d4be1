"""Patience in numbers: clocks and dice are values here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from engine.retry import (
    CONGESTION,
    FIRST_DELAY,
    LONGEST_DELAY,
    LONGEST_RETRY_AFTER,
    PROGRESS,
    TRANSIENT,
    Backoff,
    retry_after,
)

NOW = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)


def patient(give_up_after: float = 1e9, dice: float = 0.5) -> Backoff:
    """A backoff born at time 0 whose every throw is `dice`."""
    return Backoff(give_up_after, 0.0, lambda: dice)


def storms(backoff: Backoff, count: int, start: float = 0.0) -> list[float | None]:
    """The delays of failures that are each a minute apart."""
    return [backoff.failed(start + 60.0 * number) for number in range(count)]


# -- which statuses ----------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 524])
def test_what_may_pass_is_asked_again(status: int) -> None:
    """Overload, timeouts and broken gateways are transient."""
    assert status in TRANSIENT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 501, 505, 519, 525])
def test_what_will_not_pass_is_not_asked_again(status: int) -> None:
    """What the server means for good is not transient."""
    assert status not in TRANSIENT


def test_asking_for_less_is_a_thing_that_may_pass() -> None:
    """Every status that cuts the window is also one to ask again after."""
    assert CONGESTION < TRANSIENT


# -- how long ----------------------------------------------------------------


def test_delays_double_up_to_half_a_minute() -> None:
    """Each storm doubles the longest delay, which is thirty seconds at most."""
    assert storms(patient(dice=1.0), 10) == [
        *(0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
        *(30.0, 30.0, 30.0),
    ]


@pytest.mark.parametrize(
    ("dice", "delay"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0), (0.999, 3.996)]
)
def test_jitter_is_full(dice: float, delay: float) -> None:
    """A delay is anything between nothing and the longest of its storm."""
    backoff = patient(dice=dice)
    assert storms(backoff, 5)[4] == pytest.approx(delay)


def test_failures_at_the_same_moment_are_one_storm() -> None:
    """Sixteen lanes cut at once do not wait sixteen times as long."""
    backoff = patient(dice=1.0)
    assert {backoff.failed(0.0) for _ in range(16)} == {FIRST_DELAY}


def test_failures_within_a_delay_belong_to_its_storm() -> None:
    """A new storm begins when the delay of the one before it is over."""
    backoff = patient(dice=1.0)
    moments = (0.0, 0.2499, 0.25, 0.7499, 0.75, 1.7499, 1.75)
    assert [backoff.failed(at) for at in moments] == [0.25, 0.25, 0.5, 0.5, 1.0, 1.0, 2]


def test_a_long_bad_time_does_not_overflow() -> None:
    """After thousands of storms the delay is still half a minute."""
    backoff = patient(dice=1.0)
    assert storms(backoff, 3000)[-1] == LONGEST_DELAY


# -- what restores it --------------------------------------------------------


def test_enough_bytes_make_the_next_delay_short() -> None:
    """64 KiB since the last failure end the series of storms."""
    backoff = patient(dice=1.0)
    storms(backoff, 6)
    backoff.progressed(PROGRESS - 1, 400.0)
    assert backoff.failed(400.0) == 16.0
    backoff.progressed(PROGRESS, 500.0)
    assert backoff.failed(500.0) == FIRST_DELAY


def test_bytes_of_several_blocks_count_together() -> None:
    """It does not matter in how many blocks the bytes came."""
    backoff = patient(dice=1.0)
    storms(backoff, 6)
    for _ in range(16):
        backoff.progressed(PROGRESS // 16, 400.0)
    assert backoff.failed(400.0) == FIRST_DELAY


def test_bytes_before_a_failure_do_not_count_after_it() -> None:
    """A server that always breaks after a few bytes is asked less and less often."""
    backoff = patient(dice=1.0)
    delays = []
    for number in range(5):
        backoff.progressed(PROGRESS - 1, 60.0 * number)
        delays.append(backoff.failed(60.0 * number))
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0]


# -- when it ends ------------------------------------------------------------


def test_patience_ends_without_progress() -> None:
    """After the given seconds without a new byte there is no next time."""
    backoff = patient(300.0, dice=0.0)
    assert backoff.failed(299.9) == 0.0
    assert backoff.failed(300.0) is None


def test_no_delay_is_longer_than_what_is_left() -> None:
    """The last nap ends when patience does, so that there is one last try."""
    backoff = patient(10.0, dice=1.0)
    storms_of_ten = [backoff.failed(at) for at in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert storms_of_ten == [0.25, 0.5, 1.0, 2.0, 2.0]


def test_a_new_byte_restarts_the_clock() -> None:
    """Patience is counted from the last byte that nobody had before."""
    backoff = patient(300.0)
    backoff.progressed(1, 200.0)
    assert backoff.failed(499.0) is not None
    assert backoff.failed(500.0) is None


def test_what_is_excused_does_not_count() -> None:
    """Seconds in which nobody could have made progress are given back."""
    backoff = patient(300.0)
    backoff.excuse(200.0)
    backoff.excuse(50.0)
    assert backoff.failed(549.0) is not None
    assert backoff.failed(550.0) is None


def test_an_excuse_is_no_progress() -> None:
    """Who is excused waits as long as before: the storms are not over."""
    backoff = patient(dice=1.0)
    storms(backoff, 5)
    backoff.excuse(1000.0)
    assert backoff.failed(300.0) == 8.0


def test_a_failure_may_be_worth_less_patience() -> None:
    """A host that nobody ever reached is given up earlier, if the caller says so."""
    backoff = patient(300.0)
    assert backoff.failed(9.0, patience=10.0) is not None
    assert backoff.failed(10.0, patience=10.0) is None
    assert backoff.failed(10.0) is not None


def test_no_patience_is_no_second_try() -> None:
    """With a patience of zero the first failure is the last."""
    assert patient(0.0).failed(0.0) is None


failures = st.lists(
    st.tuples(st.floats(0.0, 100.0), st.integers(0, PROGRESS)), max_size=40
)


@given(failures, st.floats(0.0, 1000.0), st.floats(0.0, 1000.0))
def test_an_excuse_is_worth_its_seconds(
    steps: list[tuple[float, int]], give_up_after: float, excused: float
) -> None:
    """Excused for so long at once, patience lasts exactly so much longer."""
    excusing, longer = patient(give_up_after), patient(give_up_after + excused)
    excusing.excuse(excused)
    now = 0.0
    for passed, _ in steps:
        now += passed
        assert (excusing.failed(now) is None) == (longer.failed(now) is None)


@given(failures, st.floats(0, 1, exclude_max=True), st.floats(0.0, 1000.0))
def test_delays_keep_their_bounds(
    steps: list[tuple[float, int]], dice: float, give_up_after: float
) -> None:
    """Whatever happens, a delay lies between zero, its cap, and what is left."""
    backoff, now, progress_at = patient(give_up_after, dice), 0.0, 0.0
    for passed, size in steps:
        now += passed
        if size:
            backoff.progressed(size, now)
            progress_at = now
        left = progress_at + give_up_after - now
        delay = backoff.failed(now)
        assert (delay is None) == (left <= 0)
        assert delay is None or 0 <= delay <= min(left, LONGEST_DELAY)


# -- Retry-After -------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("4", 4.0),
        (" 17 ", 17.0),
        ("120", 120.0),
        ("121", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("Wed, 01 Jan 2025 12:00:30 GMT", 30.0),
        ("Wed, 01 Jan 2025 12:00:30 -0000", 30.0),
        ("Wed, 01 Jan 2025 13:00:30 +0100", 30.0),
        ("Wednesday, 01-Jan-25 12:00:30 GMT", 30.0),
        ("Wed Jan  1 12:00:30 2025", 30.0),
        ("Wed, 01 Jan 2025 12:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Wed, 01 Jan 2025 11:59:59 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Wed, 99 Jan 2025 12:00:30 GMT", None),
        ("Wed, 01 Jan 99999999999999999999 12:00:30 GMT", None),
        ("Wed, 01 Jan 2025 12:00:30 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_in_both_forms(
    value: str | None, seconds: float | None
) -> None:
    """Seconds or a date, two minutes at most; what is neither is no answer."""
    assert retry_after(value, NOW) == seconds


def test_a_date_is_measured_against_the_clock() -> None:
    """Without another clock the date is compared with the time it is."""
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    assert retry_after("Fri, 31 Dec 9999 00:00:00 GMT") == LONGEST_RETRY_AFTER


@given(st.text() | st.from_regex(r"Wed, \d+ Jan \d+ \d+:\d+:\d+ [+-]?\d*"))
def test_no_retry_after_is_a_surprise(value: str) -> None:
    """Whatever a server writes there, the answer is seconds or None."""
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER
