"""Limits by the time of day.

Each rate holds from its minute of the local day until the next one's, and the last of
a day into the next day.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Timetable:
    """At least one minute of the day, and bytes per second from then; None is no limit."""

    entries: tuple[tuple[int, float | None], ...]
    """By minute, from 0 to 1439."""

    def __post_init__(self) -> None:
        minutes = [minute for minute, _ in self.entries]
        if not minutes or not 0 <= min(minutes) <= max(minutes) < MINUTES:
            raise ValueError("a timetable has times from 00:00 to 23:59")
        if len(set(minutes)) < len(minutes):
            raise ValueError("a time stands there twice")
        object.__setattr__(self, "entries", tuple(sorted(self.entries, key=_minute)))

    @classmethod
    def always(cls, rate: float | None) -> Timetable:
        """One rate, whatever time it is."""
        return cls(((0, rate),))

    def at(self, minute: int) -> float | None:
        """Bytes per second in that minute of the day; None is no limit."""
        earlier = bisect_right(self.entries, minute, key=_minute)
        return self.entries[earlier - 1][1]


def _minute(entry: tuple[int, float | None]) -> int:
    return entry[0]
