"""The sources of one file, and which of them a lane asks next.

A file may be had in several places. Each place is used through the window of its
own host, so that each ramps by itself, and lanes go where bytes come fastest:

1. Bytes of two sources are mixed only after it was shown that they serve the same
   file: the same length, and the same bytes where some are here already.
2. A source without a lane gets one, to be measured; further lanes go to the one
   that brings most with each.
3. One that fails again and again is benched for a while, one that serves another
   file for good; either is named, with the reason.
4. Who brought what is remembered. Bytes that turn out wrong are fetched elsewhere,
   and one that is wrong too often is benched.

As long as nobody else can be asked nobody is benched: then patience decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from time import monotonic

from engine.errors import Fault, RefusedError
from engine.inquiry import begins_with
from engine.masking import mask
from engine.meter import Meter
from engine.model import Block, MirrorSnapshot, MirrorState, RemoteFile, Tell
from engine.ranges import ByteRange, RangeSet
from engine.source import Source, describe
from engine.window import Seat, Window

FAILURES = 3
"""In a row, without a byte between them, after which a source rests."""
REST = 30.0
"""Seconds on the bench after the first time; doubled each time."""
WRONG_PARTS = 3
"""Wrong parts that may be chance; beyond that their share counts."""
WRONG_SHARE = 0.1
HOPELESS = 8
"""How many times as fast another source must be, that nobody waits for this one."""
BETTER = 1.5
"""How many times as fast another source must be for a lane to change over."""


class DisagreesError(RefusedError):
    """A source serves another file than the one that is known."""


class Mirror:
    """One source of a file, as a transfer uses it."""

    def __init__(
        self, source: Source, seat: Seat, remote: RemoteFile | None = None
    ) -> None:
        self.source = source
        self.seat = seat
        self.window: Window
        self.state = MirrorState.UNTRIED if remote is None else MirrorState.USED
        self.note = ""
        self.lanes = 0
        self.usual_rate = 0.0
        """Bytes per second of one of its lanes; 0 while unknown."""
        self.brought = RangeSet()
        """What came from here."""
        self.distrusted = RangeSet()
        """What came from here and was wrong."""
        self.rests = 0.0
        """Seconds until it may be tried again, once benched; 0 for good."""
        self._remote = remote
        self._off = asyncio.Event()
        """Set while it is benched."""
        self._meter = Meter(monotonic())
        self._failures = self._benched = self._wrong = 0

    @property
    def remote(self) -> RemoteFile:
        """The file as this source tells of it; its tags are its own."""
        assert self._remote is not None
        return self._remote

    @remote.setter
    def remote(self, remote: RemoteFile) -> None:
        self._remote = remote

    @property
    def host(self) -> str:
        return self.source.host

    def join(self) -> None:
        """Be counted in the window of the host it leads to, which a redirect changes.

        Not while lanes fly: each leaves the window that it entered.
        """
        if not self.lanes:
            self.window = self.seat.take(self.source.host)

    @property
    def is_used(self) -> bool:
        return self.state is MirrorState.USED

    def take_back(self) -> None:
        """Use it: it was proven, or is all there is."""
        self.state, self.note = MirrorState.USED, ""
        self._off.clear()

    def enter(self) -> None:
        """A lane of this file takes off."""
        self.lanes += 1
        self.window.enter()

    def leave(self) -> None:
        self.lanes -= 1
        self.window.leave()

    async def until_benched(self) -> None:
        await self._off.wait()

    def has_room(self, now: float) -> bool:
        """Whether one more lane of this file may fly there."""
        window = self.window
        return window.has_room(now) and self.lanes < window.share

    def received(self, size: int, now: float) -> None:
        """Bytes have come: it works."""
        self._failures = 0
        self._meter.add(size, now)
        self.window.received(size)

    def learn(self, rate: float) -> None:
        """Remember what one lane usually brings."""
        before = self.usual_rate or rate
        self.usual_rate = before + 0.3 * (rate - before)

    def has_failed(self) -> bool:
        """Count a failure; whether there have been too many in a row."""
        self._failures += 1
        return self._failures >= FAILURES

    def blame(self, part: ByteRange) -> bool:
        """A part that was wrong came from here; whether it is one too many."""
        self.brought.remove(part)
        self.distrusted.add(part)
        self._wrong += 1
        wrong = self.distrusted.total
        self.note = f"{self._wrong} wrong parts" if self._wrong > 1 else "a wrong part"
        share = wrong / max(wrong + self.brought.total, 1)
        return self._wrong > WRONG_PARTS and share > WRONG_SHARE

    def bench(self, why: str, *, for_good: bool) -> None:
        self.state, self.note = MirrorState.BENCHED, why
        self.rests = 0.0 if for_good else REST * 2.0**self._benched
        self._benched += 1
        self._failures = 0
        self._off.set()

    async def prove(self, known: RemoteFile, sample: Block) -> None:
        """Show that it serves the file that is known, of which a sample is here.

        Raises DisagreesError where it does not, RefusedError or Fault where it
        serves nothing.
        """
        self.state = MirrorState.PROVING
        self.join()
        window = self.window
        window.enter()
        try:
            self.remote = await _proven(self.source, known, sample)
        except BaseException:
            self.state = MirrorState.UNTRIED
            raise
        finally:
            window.leave()
        self.join()
        self.take_back()

    def snapshot(self, now: float) -> MirrorSnapshot:
        return MirrorSnapshot(
            url=mask(self.source.url),
            host=self.host,
            state=self.state,
            lanes=self.lanes,
            rate=self._meter.rate(now) if self.lanes else 0.0,
            received=self._meter.total,
            note=self.note,
        )


class Mirrors:
    """All sources of one file; the first is the one that the job follows."""

    def __init__(self, first: Mirror, more: Iterable[Mirror], tell: Tell) -> None:
        self.first = first
        self._all = (first, *more)
        self._tell = tell

    def __iter__(self) -> Iterator[Mirror]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def begin(self) -> None:
        """Be counted where lanes may fly; somebody there must be."""
        if not self.used:
            self.first.take_back()
        for mirror in self.used:
            mirror.join()

    @property
    def used(self) -> list[Mirror]:
        """Those that lanes may ask."""
        if not self.first.remote.ranges:
            return [self.first]
        return [mirror for mirror in self._all if mirror.is_used]

    def are_others(self, mirror: Mirror) -> bool:
        """Whether lanes could do without it."""
        return any(other is not mirror for other in self.used)

    def weight(self, mirror: Mirror) -> float:
        """How many times as fast as one of its lanes the lanes of all are, on average."""
        used, own = self.used, mirror.usual_rate
        lanes = sum(one.window.share for one in used)
        if len(used) == 1 or not own or not lanes:
            return 1.0
        rates = (one.window.share * (one.usual_rate or own) for one in used)
        return sum(rates) / (own * lanes)

    def best(
        self, gap: ByteRange | None, now: float, *, in_order: bool = False
    ) -> Mirror | None:
        """Whom the next lane asks, if anybody has room; `gap` is what it would fetch."""
        able = [one for one in self.used if self.may_serve(one, gap, in_order=in_order)]
        free = [mirror for mirror in able if mirror.has_room(now)]
        return max(free, key=lambda one: (not one.lanes, one.usual_rate), default=None)

    def is_outclassed(self, mirror: Mirror, now: float) -> bool:
        """Whether a lane does better elsewhere, and there is room for it."""
        return len(self._all) > 1 and any(
            other.usual_rate > BETTER * mirror.usual_rate > 0 and other.has_room(now)
            for other in self.used
            if other is not mirror
        )

    def may_serve(
        self, mirror: Mirror, gap: ByteRange | None, *, in_order: bool = False
    ) -> bool:
        """Not what it was wrong about, as long as somebody else can be asked.

        Where all wait for each part, `in_order`, nothing if it is hopelessly slow.
        """
        if in_order and self._is_hopeless(mirror):
            return False
        if gap is None or not mirror.distrusted.touches(gap):
            return True
        others = (other for other in self.used if other is not mirror)
        return all(other.distrusted.touches(gap) for other in others)

    def _is_hopeless(self, mirror: Mirror) -> bool:
        now = monotonic()
        open_ = (one for one in self.used if not one.window.closed_for(now))
        fastest = max((one.usual_rate for one in open_), default=0.0)
        return 0 < HOPELESS * mirror.usual_rate < fastest

    def bench(self, mirror: Mirror, why: str, *, for_good: bool = False) -> bool:
        """Ask it no more, if others can be asked; whether that is so."""
        if not self.are_others(mirror):
            return False
        self.refuse(mirror, why, for_good=for_good)
        return True

    def refuse(self, mirror: Mirror, why: str, *, for_good: bool) -> None:
        """It was not proven, or is benched."""
        mirror.bench(why, for_good=for_good)
        text = f"{mirror.host} is benched: {why}"
        self._tell(text, host=mirror.host, action="benched", reason=why)

    def tell_proven(self, mirror: Mirror) -> None:
        why = "serves the same file"
        text = f"{mirror.host} {why}, and is used"
        self._tell(text, host=mirror.host, action="used", reason=why)

    def excuse(self, reason: str) -> None:
        """What held us back is not held against any of their windows."""
        for mirror in self.used:
            mirror.window.excuse(reason)

    def blame(self, part: ByteRange) -> None:
        """A part has turned out wrong: let those who brought it not bring it again."""
        for mirror in self._all:
            if mirror.brought.touches(part):
                why = f"brought wrong bytes: {part}"
                text = f"{mirror.host} {why}"
                self._tell(text, host=mirror.host, action="blamed", reason=why)
                if mirror.blame(part):
                    self.bench(mirror, mirror.note, for_good=True)

    def all_from_first(self) -> RangeSet:
        """Ask nobody but the first from now on; what the others have brought."""
        suspect = RangeSet()
        for mirror in self._all[1:]:
            for part in mirror.brought:
                suspect.add(part)
            mirror.brought = RangeSet()
            mirror.bench("the digest of the whole did not match", for_good=True)
        if suspect.total:
            why = "the digest does not match: all that others brought comes again"
            self._tell(why, host=None, action="blamed", reason=why)
        return suspect

    def snapshot(self, now: float) -> tuple[MirrorSnapshot, ...]:
        if len(self._all) == 1:
            return ()
        return tuple(mirror.snapshot(now) for mirror in self._all)


async def _proven(source: Source, known: RemoteFile, sample: Block) -> RemoteFile:
    """The file as a source tells of it, after comparing."""
    response = await source.open(ByteRange(sample.offset, sample.stop))
    try:
        seen = describe(response)
        if seen.size != known.size:
            raise DisagreesError(
                f"another version: {seen.size} bytes long, not {known.size}"
            )
        if not seen.ranges:
            raise DisagreesError("it serves no parts of files")
        if not await begins_with(response, sample):
            raise DisagreesError("another version: its bytes differ")
    finally:
        response.close()
    if response.status != 206:
        raise Fault(f"HTTP {response.status} to a range request")
    source.pin(response)
    return seen
