"""How late the event loop is, and how much drawing it can bear.

The engine and the screen share one loop, and every frame is time in which no
byte is received. Two numbers say how that goes: how late a short sleep comes
back (lag), and what a tick costs. From them follows how many ticks are drawn.
Keys are not held up by that: what they change is painted at once. Times are
seconds; the hands of the clock are moved by the caller.
"""

from __future__ import annotations

from collections import deque
from statistics import median

HERTZ = 8
PROBE = 0.05
"""How long a probe sleeps."""

TURN = 0.016
"""What one turn of the loop may spend on the network while a screen is shown."""

BRISK_TURN = 0.004
"""The same while somebody presses keys: each press waits for a few turns."""
BRISK_FOR = 1.0
"""Seconds after a press in which the next one is likely."""

_RECENT = 5
"""Probes: a quarter of a second. Their median forgives two late ones."""
_BUSY = 0.004
"""A loop that is this late is saturated: frames cost throughput now."""
_LATE = 0.05
_DEAR_TICK = 0.012


class Pulse:
    """Keeps the last moments of lag and an average of the tick's cost."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=_RECENT)
        self._cost = 0.0
        self._turn = 0
        self._pressed = -BRISK_FOR

    def probed(self, lag: float) -> None:
        self._lags.append(max(lag, 0.0))

    def pressed(self, now: float) -> None:
        """Take note of a key."""
        self._pressed = now

    def budget(self, now: float) -> float:
        """What a turn of the loop may spend on the network at this moment."""
        return BRISK_TURN if now - self._pressed < BRISK_FOR else TURN

    def drew(self, cost: float) -> None:
        """Take note of what a tick cost."""
        self._cost += (cost - self._cost) * 0.2

    @property
    def stride(self) -> int:
        """One in how many ticks is drawn."""
        lag = median(self._lags) if len(self._lags) == _RECENT else 0.0
        if self._cost > _DEAR_TICK or lag > _LATE:
            return 4
        return 2 if lag > _BUSY else 1

    @property
    def slowed(self) -> bool:
        return self.stride > 2

    def due(self) -> bool:
        """Whether this tick is to be drawn; asked once for each."""
        self._turn += 1
        return self._turn % self.stride == 0
