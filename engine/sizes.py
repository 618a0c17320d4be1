"""How much one lane leases at once: a policy for files, and one for streams.

A request costs a latency in which its connection carries nothing, so a segment
should last at least ten of them. Beyond that the two part: on disk large
segments ask less often and the last ones shrink so that all lanes end together;
in a stream small segments keep the front moving, because everything that is
ahead of a hole takes room that nobody else can use.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB = 1024, 1024 * 1024
SMALLEST_LEASE = 256 * KIB
"""Bytes: a creeping horizon is not followed in smaller steps."""
LARGEST_SEGMENT = 64 * MIB
HASHED_SEGMENT = 8 * MIB
"""While a hash follows the front, the front must not lie far behind."""
UNKNOWN = MIB
"""What a stream's lane gets before anybody knows how fast lanes are."""
LATENCIES = 10
SHORTEST = 0.2
"""Seconds a segment should last where there is no latency: five requests a second
and lane are no burden to anybody."""
ROUND = 0.2
"""Seconds that the segments of all lanes of a throttled stream last together: the
reader sees the limit in waves of that size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What the transfer knows when it leases; rates in bytes per second."""

    unleased: int
    """Bytes nobody has leased."""
    lanes: int
    """That share the file, those that fly and those that may: so many like this one."""
    rate: float
    """Of a usual lane; 0 while unknown."""
    latency: float
    """Seconds from a request to its first byte."""
    limit: float | None
    """On everything together."""

    @property
    def worth(self) -> int:
        """Bytes that make the price of a request disappear; 0 while unknown."""
        return int(self.rate * max(SHORTEST, LATENCIES * self.latency))


@dataclass(frozen=True, slots=True)
class FileSizes:
    """Two thirds of an even share of what is left, so that all lanes end together."""

    least: int
    most: int

    def want(self, pace: Pace) -> int:
        share = 2 * pace.unleased // (3 * max(pace.lanes, 1))
        return _within(self.least, max(share, _last(pace, pace.worth)), self.most)


@dataclass(frozen=True, slots=True)
class StreamSizes:
    """What a request is worth, twice that where half of the room is enough for it.

    It is less for three reasons: all lanes should find room before the horizon, all
    should end the last round together, and a limit should not reach the reader in waves.
    """

    least: int
    most: int
    room: int
    """Bytes that may be held: how much of it is free just now is the horizon's business."""

    def want(self, pace: Pace) -> int:
        part = self.room // max(pace.lanes, 1)
        worth = max(pace.worth, min(2 * pace.worth, part // 2))
        share = _last(pace, min(worth or UNKNOWN, part))
        if pace.limit is not None:
            share = min(share, int(pace.limit * ROUND / max(pace.lanes, 1)))
        return _within(self.least, share, self.most)


Sizes = FileSizes | StreamSizes


def _last(pace: Pace, share: int) -> int:
    """Less in the last round: what a late lane still fetches alone, all wait for."""
    return min(share, max(pace.unleased // max(pace.lanes, 1), share // 2))


def _within(least: int, wanted: int, most: int) -> int:
    return max(least, min(wanted, most))
