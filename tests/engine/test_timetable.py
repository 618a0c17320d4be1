"""Limits by the time of day."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from engine import Config, Engine
from engine.timetable import MINUTES, Timetable
from tests.integration.support import until

EIGHT, ELEVEN = 8 * 60, 23 * 60
minutes = st.integers(0, MINUTES - 1)
rates = st.none() | st.floats(1, 1e12)


def test_each_rate_holds_until_the_next() -> None:
    """And the last of a day until the first of the next."""
    timetable = Timetable(((ELEVEN, None), (EIGHT, 2e6)))
    assert [timetable.at(m) for m in (EIGHT, EIGHT + 1, ELEVEN - 1)] == [2e6] * 3
    assert [timetable.at(m) for m in (ELEVEN, MINUTES - 1, 0, EIGHT - 1)] == [None] * 4


@given(st.dictionaries(minutes, rates, min_size=1, max_size=5), minutes)
def test_it_is_the_latest_that_has_begun(
    entries: dict[int, float | None], now: int
) -> None:
    """Going back in time, past midnight if need be, one comes to it."""
    expected = next(
        entries[minute % MINUTES]
        for minute in range(now, now - MINUTES, -1)
        if minute % MINUTES in entries
    )
    assert Timetable(tuple(entries.items())).at(now) == expected


@given(rates, minutes)
def test_one_rate_may_hold_always(rate: float | None, now: int) -> None:
    """Whatever time it is."""
    assert Timetable.always(rate).at(now) == rate


@pytest.mark.parametrize(
    "entries", [(), ((-1, None),), ((MINUTES, None),), ((5, 1.0), (5, 2.0))]
)
def test_what_is_no_timetable_is_refused(
    entries: tuple[tuple[int, float | None], ...],
) -> None:
    """No times, times that no clock shows, and one time twice."""
    with pytest.raises(ValueError, match="time"):
        Timetable(entries)


async def test_an_engine_keeps_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with what holds now; a rate that is typed holds until the next time."""
    clock = [EIGHT - 1]
    monkeypatch.setattr("engine.commons._minute", lambda: clock[0])
    table = Timetable(((EIGHT, 2e6), (ELEVEN, None)))
    async with Engine(Config(limit=table)) as engine:

        def limit() -> float | None:
            return engine.snapshot().limit

        assert limit() is None
        clock[0] = EIGHT
        await until(lambda: limit() == 2e6)
        engine.set_limit(5e6)
        clock[0] = ELEVEN - 1
        await until(lambda: engine.snapshot().limit == 5e6)
        clock[0] = ELEVEN
        await until(lambda: limit() is None)
        engine.set_timetable(Timetable.always(3e6))
        assert limit() == 3e6
