"""Which lane fetches which bytes.

Every byte of the file is in exactly one of three places: wanted by nobody yet
(`todo`), leased to a lane (`segments`), or landed (`done`). Only a race holds a
byte twice, on purpose: then whoever claims it first delivers it.

A lane claims bytes as they arrive and lands them when the sink has them; what
is claimed but not landed goes back to `todo` when the segment is released. The
stop of a segment is the plan's to move: a lane must look at it after each read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.ranges import ByteRange, RangeSet

OPEN_END = 1 << 62
"""Stands for the end of a file whose length nobody told."""
SMALLEST_SPLIT = 512 * 1024
"""Bytes that both parts of a split have, where there are as many."""
SMALLEST_PART = 64 * 1024
"""Bytes that both parts of a smaller remainder must have; else it is raced."""

RateOf = Callable[["Segment"], float]


@dataclass(slots=True, eq=False)
class Segment:
    """A range leased to one lane: `[landed, mark)` is on its way to the sink."""

    lane: int
    start: int
    stop: int
    mark: int
    """First byte not yet claimed."""
    landed: int
    """First byte the sink does not have from this lane."""
    rival: Segment | None = None
    """The other segment of a race."""

    @property
    def remaining(self) -> int:
        return max(self.stop - self.mark, 0)

    @property
    def range(self) -> ByteRange:
        return ByteRange(self.start, max(self.stop, self.start))

    def __repr__(self) -> str:
        race = " racing" if self.rival else ""
        return f"<Segment lane {self.lane}: {self.mark} in {self.range}{race}>"


class Plan:
    """The bookkeeping of one file. Nothing here waits, and nothing here fails."""

    def __init__(self, size: int | None, done: Iterable[ByteRange] = ()) -> None:
        self.size = size
        self.done = RangeSet(done)
        self.segments: list[Segment] = []
        self.restarts = 0
        """How often everything that had landed was given up."""
        whole = ByteRange(0, OPEN_END if size is None else size)
        self._todo = RangeSet(self.done.gaps(whole))

    def __repr__(self) -> str:
        return f"<Plan {self.done.total} of {self.size}: {self.segments}>"

    @property
    def finished(self) -> bool:
        return self.done.total == self.size

    @property
    def front(self) -> int:
        """First byte that has not landed."""
        return self.done.front()

    @property
    def unleased(self) -> int:
        """Bytes wanted by nobody yet."""
        return self._todo.total

    def next_gap(self) -> ByteRange | None:
        """The lowest bytes that could be leased."""
        return self._todo.first()

    def lease(
        self, lane: int, want: int, horizon: int = OPEN_END, least: int = 1
    ) -> Segment | None:
        """The lowest free bytes before the horizon, `want` of them at most.

        The horizon makes them fewer than `least` only at the front: one that
        creeps must not be followed in slivers.
        """
        gap = self._todo.first()
        if gap is None or gap.start >= horizon:
            return None
        stop = min(gap.stop, gap.start + want, horizon)
        least = min(least, want, gap.size)
        if stop - gap.start < least and gap.start != self.front:
            return None
        self._todo.remove(ByteRange(gap.start, stop))
        return self._issue(lane, gap.start, stop)

    def lease_rest(self, lane: int) -> Segment | None:
        """All that is free, for a lane that gets the whole file whatever it asks for."""
        first, last = self._todo.first(), self._todo.last()
        if first is None or last is None:
            return None
        self._todo = RangeSet()
        return self._issue(lane, first.start, last.stop)

    def claim(self, segment: Segment, size: int) -> ByteRange | None:
        """Move the mark over `size` bytes; the first part of them that is wanted.

        Where somebody has delivered what follows it, the mark stops at its end, and
        the rest is to be claimed next. Bytes beyond the segment's stop are nobody's
        business and are left out.
        """
        start, stop = segment.mark, min(segment.mark + size, segment.stop)
        start = self.done.front(start)
        rival = segment.rival
        if rival is not None and rival.landed <= start < rival.mark:
            start = self.done.front(rival.mark)
        stop = min(stop, self._next_taken(start, rival) if start < stop else stop)
        segment.mark = max(segment.mark, stop)
        segment.landed = min(start, segment.mark)
        if start >= stop:
            return None
        if rival is not None and stop >= rival.stop:
            rival.stop = rival.mark
        return ByteRange(start, stop)

    def _next_taken(self, start: int, rival: Segment | None) -> int:
        """Where bytes begin that somebody has delivered, or that a rival is delivering."""
        island = self.done.following(start)
        taken = OPEN_END if island is None else island
        if rival is not None and start < rival.landed < rival.mark:
            taken = min(taken, rival.landed)
        return taken

    def land(self, segment: Segment, part: ByteRange) -> None:
        """The sink has `part`."""
        self.done.add(part)
        segment.landed = part.stop

    def release(self, segment: Segment) -> None:
        """End a lease; whatever it did not land is free again."""
        self.segments.remove(segment)
        rival = segment.rival
        if rival is not None:
            rival.rival = None
        stop = max(segment.stop, segment.mark)
        self._free(ByteRange(segment.landed, max(stop, segment.landed)))

    def reject(self, part: ByteRange) -> None:
        """What has landed there is wrong: it is to be fetched again."""
        self.done.remove(part)
        self._free(part)

    def begin_again_without(self, parts: Iterable[ByteRange]) -> None:
        """Some of what has landed is not to be trusted, and so no digest of it."""
        self.restarts += 1
        for part in parts:
            self.reject(part)

    def steal(self, lane: int, victim: Segment, at: int) -> Segment:
        """Take `[at, stop)` of the victim's segment for another lane."""
        if not victim.mark <= at < victim.stop or victim.rival is not None:
            raise ValueError(f"cannot steal from {victim} at {at}")
        stop, victim.stop = victim.stop, at
        return self._issue(lane, at, stop)

    def race(self, lane: int, victim: Segment) -> Segment:
        """Fetch the victim's remaining bytes a second time; the first one delivers."""
        if victim.rival is not None or not victim.remaining:
            raise ValueError(f"cannot race {victim}")
        racer = self._issue(lane, victim.mark, victim.stop)
        racer.rival, victim.rival = victim, racer
        return racer

    def help(
        self, lane: int, rate_of: RateOf, own_rate: float, cost: float, *, head: bool
    ) -> Segment | None:
        """Relieve the segment that will finish last, if that saves more than `cost` seconds.

        With `head` the segment at the front comes first: in a stream everybody
        waits for it. The stolen part is sized so that both finish together.
        """
        running = [s for s in self.segments if s.remaining and s.rival is None]
        if not running:
            return None
        if head:
            victim = min(running, key=lambda s: s.mark)
        else:
            victim = max(running, key=lambda s: s.remaining / max(rate_of(s), 1.0))
        rate = max(rate_of(victim), 1.0)
        together = victim.remaining / (rate + own_rate) + cost
        if victim.remaining / rate - together < cost:
            return None
        kept = int(victim.remaining * rate / (rate + own_rate))
        if victim.remaining >= 2 * SMALLEST_SPLIT:
            kept = min(max(kept, SMALLEST_SPLIT), victim.remaining - SMALLEST_SPLIT)
        elif min(kept, victim.remaining - kept) < SMALLEST_PART:
            return self.race(lane, victim)
        return self.steal(lane, victim, victim.mark + kept)

    def end(self, at: int) -> None:
        """The file turned out to be `at` bytes long."""
        self.size = at
        self._todo.remove(ByteRange(at, OPEN_END))
        for segment in self.segments:
            segment.stop = min(segment.stop, at)

    def restart(self, segment: Segment) -> None:
        """What has landed is not to be trusted: this segment fetches everything."""
        self.restarts += 1
        self.done = RangeSet()
        self._todo = RangeSet()
        segment.start = segment.mark = segment.landed = 0
        segment.stop = OPEN_END if self.size is None else self.size

    def _free(self, part: ByteRange) -> None:
        """Let be leased what of it has not landed, and nobody has leased."""
        taken = RangeSet(self.done)
        for other in self.segments:
            taken.add(ByteRange(other.landed, max(other.stop, other.landed)))
        for gap in taken.gaps(part):
            self._todo.add(gap)

    def _issue(self, lane: int, start: int, stop: int) -> Segment:
        segment = Segment(lane, start, stop, mark=start, landed=start)
        self.segments.append(segment)
        return segment
