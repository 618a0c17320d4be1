"""How fast something flows: an exponentially weighted rate in constant space."""

from __future__ import annotations

from math import exp

TIME_CONSTANT = 1.0
"""Seconds: short enough for the eye, long enough to smooth bursts of a block."""


class Meter:
    """Bytes per second over about the last `TIME_CONSTANT` seconds.

    The weight of the past is divided by how much past there is, so a meter a
    tenth of a second old already tells the truth about that tenth.
    """

    __slots__ = ("_born", "_last", "_level", "total")

    def __init__(self, now: float) -> None:
        self._born = self._last = now
        self._level = 0.0
        self.total = 0
        """Everything ever counted."""

    def add(self, size: int, now: float) -> None:
        self._decay(now)
        self._level += size
        self.total += size

    def rate(self, now: float) -> float:
        self._decay(now)
        weight = 1.0 - exp(-(now - self._born) / TIME_CONSTANT)
        return self._level / (TIME_CONSTANT * weight) if weight > 0 else 0.0

    def _decay(self, now: float) -> None:
        if now > self._last:
            self._level *= exp((self._last - now) / TIME_CONSTANT)
            self._last = now
