"""How late the event loop is, and how much drawing it can bear.

The engine and the screen share one loop. Two numbers say how that goes: how
late a short sleep comes back (lag), and what a tick costs. From them follow how
many ticks are drawn, and whether the engine is asked to take shorter turns.
Times are seconds; the hands of the clock are moved by the caller.
"""

from __future__ import annotations

from collections import deque

HERTZ = 8
PROBE = 0.05
"""How long a probe sleeps."""

TIGHT_TURN = 0.008
"""What one turn of the loop may spend on the network while it is late."""

_LATE = 0.025
_CALM = 0.012
"""With short turns a busy loop is still this late; less means it is idle again."""

_RECENT = round(1 / PROBE)
_WINDOW = 3 * _RECENT
_DEAR_TICK = 0.012
_MOST_STRIDE = 4


class Pulse:
    """Keeps the last three seconds of lag and an average of the tick's cost."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=_WINDOW)
        self._cost = 0.0
        self._turn = 0
        self._stride = 1
        self.tight = False
        """Whether the engine should take short turns now."""

    def probed(self, lag: float) -> None:
        self._lags.append(max(lag, 0.0))
        recent = list(self._lags)[-_RECENT:]
        if _high(recent) > _LATE:
            self.tight = True
        elif len(self._lags) == _WINDOW and _high(list(self._lags)) < _CALM:
            self.tight = False

    def drew(self, cost: float) -> None:
        """Take note of what a tick cost; the stride follows it."""
        self._cost += (cost - self._cost) * 0.2
        late = _high(list(self._lags)) > 2 * _LATE
        if self._cost > _DEAR_TICK or late:
            self._stride = min(self._stride * 2, _MOST_STRIDE)
        elif self._cost < _DEAR_TICK / 2:
            self._stride = 1

    @property
    def slowed(self) -> bool:
        return self._stride > 1

    def due(self) -> bool:
        """Whether this tick is to be drawn; asked once for each."""
        self._turn += 1
        return self._turn % self._stride == 0


def _high(lags: list[float]) -> float:
    """The ninetieth percentile; one late probe in ten is nobody's fault."""
    if len(lags) < _RECENT:
        return 0.0
    return sorted(lags)[len(lags) * 9 // 10]
