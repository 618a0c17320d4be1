"""Patience: which answers may be asked for again, when, and when to stop.

Delays are exponential with full jitter. Failures that fall into one delay are
one storm and count once, so sixteen lanes cut at the same moment do not wait
sixteen times as long. Progress restores patience (RFC 9110 section 15 has the
statuses, section 10.2.3 Retry-After).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525)})
CONGESTION = frozenset({429, 503})
"""Statuses by which a server asks for less at once."""

FIRST_DELAY = 0.25
LONGEST_DELAY = 30.0
LONGEST_RETRY_AFTER = 120.0
PROGRESS = 64 * 1024
"""Bytes since the last failure that restore patience."""


class Backoff:
    """One transfer's patience. `random` gives numbers in [0, 1)."""

    def __init__(
        self, give_up_after: float, now: float, random: Callable[[], float]
    ) -> None:
        self._give_up_after = give_up_after
        self._random = random
        self._storms = 0
        self._storm_ends = 0.0
        self._bytes = 0
        self._progress_at = now

    def progressed(self, size: int, now: float) -> None:
        """Count bytes never seen before."""
        self._bytes += size
        self._progress_at = now
        if self._bytes >= PROGRESS:
            self._storms = 0
            self._storm_ends = 0.0

    def excuse(self, seconds: float) -> None:
        """That long nobody could have made progress: it counts against no one."""
        self._progress_at += seconds

    def failed(self, now: float, patience: float | None = None) -> float | None:
        """Seconds to wait before asking again, or None to give up.

        `patience` replaces the seconds given at the start, for a failure that is
        worth less of it.
        """
        self._bytes = 0
        patience = self._give_up_after if patience is None else patience
        left = self._progress_at + patience - now
        if left <= 0:
            return None
        if now >= self._storm_ends:
            self._storms += 1
            self._storm_ends = now + self._cap()
        return min(self._random() * self._cap(), left)

    def _cap(self) -> float:
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._storms - 1, 10))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds a Retry-After header asks for, in either form, at most two minutes."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
