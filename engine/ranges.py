"""Half-open byte ranges, and sorted sets of them.

Everything inside the house is `[start, stop)`. The inclusive ends of HTTP are
made and read at the door (`ByteRange.header`, RFC 9110 section 14.1.2).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes from `start` up to, but without, `stop`."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"not a byte range: [{self.start}, {self.stop})")

    def __str__(self) -> str:
        return f"[{self.start}, {self.stop})"

    @property
    def size(self) -> int:
        """How many bytes it is."""
        return self.stop - self.start

    @property
    def header(self) -> str:
        """The value of a Range header that asks for exactly these bytes."""
        return f"bytes={self.start}-{self.stop - 1}"


class RangeSet:
    """A set of bytes, kept as sorted, disjoint ranges that never touch.

    The starts and stops are two parallel lists, so that each question is one
    bisection and adding at an edge moves nothing.
    """

    __slots__ = ("_starts", "_stops", "_total")

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._total = 0
        for item in ranges:
            self.add(item)

    def __iter__(self) -> Iterator[ByteRange]:
        return map(ByteRange, self._starts, self._stops)

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __contains__(self, offset: int) -> bool:
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._stops[at]

    def __repr__(self) -> str:
        return f"RangeSet({', '.join(map(str, self))})"

    @property
    def total(self) -> int:
        """How many bytes are in the set."""
        return self._total

    def add(self, item: ByteRange) -> None:
        """Put every byte of `item` in, merging with what it touches."""
        if not item.size:
            return
        first = bisect_left(self._stops, item.start)
        last = bisect_right(self._starts, item.stop)
        start, stop = item.start, item.stop
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._replace(first, last, (start,), (stop,))

    def remove(self, item: ByteRange) -> None:
        """Take every byte of `item` out."""
        if not item.size:
            return
        first = bisect_right(self._stops, item.start)
        last = bisect_left(self._starts, item.stop)
        if first >= last:
            return
        left = (self._starts[first], item.start)
        right = (item.stop, self._stops[last - 1])
        kept = [edge for edge in (left, right) if edge[0] < edge[1]]
        starts, stops = [start for start, _ in kept], [stop for _, stop in kept]
        self._replace(first, last, starts, stops)

    def front(self, start: int = 0) -> int:
        """The first offset at or after `start` that is not in the set."""
        at = bisect_right(self._starts, start) - 1
        return self._stops[at] if at >= 0 and start < self._stops[at] else start

    def touches(self, part: ByteRange) -> bool:
        """Whether any byte of `part` is in the set."""
        following = self.following(part.start)
        begins = part.start if part.start in self else following
        return begins is not None and begins < part.stop

    def following(self, offset: int) -> int | None:
        """The start of the first range beyond `offset`, or None."""
        at = bisect_right(self._starts, offset)
        return self._starts[at] if at < len(self._starts) else None

    def last(self) -> ByteRange | None:
        """The highest range, or None where the set is empty."""
        return ByteRange(self._starts[-1], self._stops[-1]) if self._starts else None

    def first(self) -> ByteRange | None:
        """The lowest range, or None where the set is empty."""
        return ByteRange(self._starts[0], self._stops[0]) if self._starts else None

    def gaps(self, within: ByteRange) -> Iterator[ByteRange]:
        """The ranges of `within` that are not in the set, lowest first."""
        at = within.start
        for item in self:
            if item.stop <= at:
                continue
            if item.start >= within.stop:
                break
            if item.start > at:
                yield ByteRange(at, item.start)
            at = item.stop
        if at < within.stop:
            yield ByteRange(at, within.stop)

    def _replace(
        self, first: int, last: int, starts: Sequence[int], stops: Sequence[int]
    ) -> None:
        self._total -= sum(self._stops[first:last]) - sum(self._starts[first:last])
        self._total += sum(stops) - sum(starts)
        self._starts[first:last] = starts
        self._stops[first:last] = stops
