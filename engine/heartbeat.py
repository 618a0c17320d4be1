"""Whether this machine slept: time has passed that nobody lived through.

A closed lid, a stopped process and a frozen container look alike from inside:
the next beat comes late. On Linux CLOCK_MONOTONIC stands still while a machine
sleeps, so what has passed is read from a clock that goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

SLEPT = 3.0
"""Seconds a beat must be late. A busy loop is late by tenths; a connection outlives
the seconds in between, and is judged by its own silence."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One time on two clocks."""

    active: float
    """Of the clock that everything else here is timed by."""
    passed: float
    """Of one that goes on while the machine sleeps."""

    @classmethod
    def now(cls) -> Moment:
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return cls(time.monotonic(), time.clock_gettime(clock))


class Heartbeat:
    """Told each beat; finds those that are missing."""

    def __init__(self, first: Moment) -> None:
        self._last = first

    def beat(self, moment: Moment) -> float | None:
        """Seconds of the active clock that were slept through, or None while awake."""
        last, self._last = self._last, moment
        if moment.passed - last.passed < SLEPT:
            return None
        return moment.active - last.active
