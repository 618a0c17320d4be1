"""A job at work: asking, fetching, and being looked at while it does.

What a job rests with is what it has; this is what it needs to get more: a part of
a host's window, patience with faults, a transfer. Some of it comes and goes with
each request, but the tally of what limits the job outlasts them, so that the word
for it does not flicker.

Somebody looks several times a second (`tick`): time that a limit, the sink or the
machine itself took is nobody's fault, and is excused before it is judged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import count
from time import monotonic

from engine.bottleneck import Signs, Tally
from engine.config import Config
from engine.delivery import Delivery, First
from engine.errors import (
    ChangedError,
    Fault,
    IntegrityError,
    NetworkError,
    RefusedError,
)
from engine.lane import Lane
from engine.limiter import Limiter
from engine.mirrors import Mirror, Mirrors
from engine.model import (
    EventKind,
    Field,
    MirrorSnapshot,
    RemoteFile,
    TellKind,
    WindowChange,
)
from engine.opening import Known, Opened, Opening
from engine.patience import Patience
from engine.plan import Plan
from engine.ranges import ByteRange, RangeSet
from engine.sinks import SAMPLE
from engine.sizes import (
    HASHED_SEGMENT,
    LARGEST_SEGMENT,
    SMALLEST_LEASE,
    FileSizes,
    Sizes,
    StreamSizes,
)
from engine.trail import Trail
from engine.transfer import Transfer
from engine.window import Seat, Window

MANY_LANES = 16
"""How many a stream's buffer is divided among, where nobody typed a number."""
MOST_REPAIRS = 3
"""How often a part of the file is fetched again because it was wrong."""
MOUTHFUL = 256 * 1024
"""Bytes that a reader is busy with, while more could come."""


class Effort:
    """Fetches what its delivery lacks from where its trail leads.

    `tell` gives every event its fields; `on_bytes` is told of every byte that comes.
    """

    def __init__(
        self,
        trail: Trail,
        delivery: Delivery,
        *,
        config: Config,
        threads: int | None,
        limiter: Limiter,
        size: int | None,
        is_hashed: Callable[[], bool],
        window_of: Callable[[str], Window],
        on_bytes: Callable[[int], None],
        tell: TellKind,
    ) -> None:
        self.tally = Tally()
        self.transfer: Transfer | None = None
        self._trail = trail
        self._delivery = delivery
        self._config = config
        self._threads = threads
        self._limiter = limiter
        self._size = size
        """What the file is said to be long."""
        self._is_hashed = is_hashed
        self._window_of = window_of
        self._seat = Seat(window_of, threads)
        self._first: Mirror | None = None
        self._others: dict[str, Mirror] = {}
        """Every other source that a transfer may ask, by its URL."""
        self._on_bytes = on_bytes
        self._tell = tell
        self._patience: Patience | None = None
        self._repairs: Counter[ByteRange] = Counter()
        """How often a part was wrong."""
        self._told: WindowChange | None = None
        self._denied_before, self._looked_at = 0, monotonic()
        if delivery.stream is not None:
            delivery.stream.on_room = self.poke

    # -- what it does ------------------------------------------------------------

    async def open(self, known: Known | None) -> Opened:
        """Learn what there is to fetch; the first of it may already flow.

        `known` is what the job has itself. Raises ChangedError where what is here is
        of another version.
        """
        for places in count():
            try:
                return await self._open(known, elsewhere=places > 0)
            except (RefusedError, NetworkError, ChangedError) as error:
                host = self._trail.source.host
                if isinstance(error, ChangedError) and not places:
                    raise
                if not self._trail.fall_back(places):
                    raise
                self._tell_mirror(
                    f"{host}: {error}; asks another",
                    host=host,
                    action="left",
                    reason=str(error),
                )
        raise AssertionError("unreachable")

    async def _open(self, known: Known | None, *, elsewhere: bool) -> Opened:
        self._patience = self._new_patience()
        opening = Opening(
            began=self._trail.began,
            delivery=self._delivery,
            source=self._trail.source,
            patience=self._patience,
            join=self._join,
            least=self._first_size,
            size=self._size,
        )
        return await opening.open(known, elsewhere=elsewhere)

    @property
    def _first_size(self) -> int:
        """Bytes to ask for first: a look, where the file is probably here already."""
        least = self._sizes().least
        return min(least, SAMPLE) if self._delivery.is_known else least

    async def fetch(
        self, remote: RemoteFile, plan: Plan, first: First | None
    ) -> RemoteFile:
        """Fetch what the plan wants; the file as it is known then."""
        self._patience = self._new_patience()
        self.transfer = transfer = Transfer(
            mirrors=self._mirrors_for(remote),
            plan=plan,
            sink=self._delivery.sink,
            patience=self._patience,
            limiter=self._limiter,
            sizes=self._sizes(),
            threads=self._threads,
            on_bytes=self._on_bytes,
        )
        await self._delivery.accompany(transfer, first, plan)
        return transfer.remote

    async def insist(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask for something beside the file, again and again while patience lasts."""
        patience = self._new_patience()
        while True:
            try:
                return await ask()
            except Fault as fault:
                nap = patience.charge(fault, self._join(), reached=True)
            await asyncio.sleep(nap)

    def _mirrors_for(self, remote: RemoteFile) -> Mirrors:
        """What was learned of the others stays, however often the first changes."""
        trail = self._trail
        trail.learn(trail.source.links().duplicates)
        for url in trail.mirrors:
            if url not in self._others:
                source = trail.source.elsewhere(url)
                seat = Seat(self._window_of, self._threads)
                self._others[url] = Mirror(source, seat)
        others = [self._others[url] for url in trail.mirrors]
        if self._first is None or self._first.source is not trail.source:
            self._first = Mirror(trail.source, self._seat, remote)
        self._first.remote = remote
        mirrors = Mirrors(self._first, others, self._tell_mirror)
        mirrors.begin()
        return mirrors

    def leave(self) -> RemoteFile | None:
        """Fetch no more; the file as it is known by now, if it was being fetched."""
        if self.transfer is None:
            return None
        remote, self.transfer = self.transfer.remote, None
        return remote

    def part(self) -> None:
        """Take no part in any window."""
        self._seat.leave()
        for mirror in self._others.values():
            mirror.seat.leave()

    def blame(self, part: ByteRange) -> None:
        """What is here of `part` is wrong, and is fetched again.

        Raises IntegrityError where that was done too often.
        """
        assert self.transfer is not None
        self._repairs[part] += 1
        if self._repairs[part] > MOST_REPAIRS:
            raise IntegrityError(f"{part} is wrong, however often it is fetched")
        self.transfer.blame(part)

    def suspects(self) -> RangeSet:
        """What others than the first have brought; they are asked no more."""
        assert self.transfer is not None
        return self.transfer.mirrors.all_from_first()

    # -- what may happen to it meanwhile -----------------------------------------

    def set_threads(self, threads: int | None) -> None:
        """Most lanes from now on; None lets the window find out."""
        for seat in (self._seat, *(one.seat for one in self._others.values())):
            seat.resize(threads)
        self._threads = threads
        if self.transfer is not None:
            self.transfer.set_threads(threads)

    def follow(self) -> None:
        """The trail leads on: what the window had against the old link is void."""
        if self.window is not None:
            self.window.reopen(monotonic())

    def wake(self, slept: float) -> None:
        """The machine has slept for that long: nobody is to blame for the silence."""
        if self._patience is not None:
            self._patience.excuse(slept)
        if self.window is not None:
            self.window.excuse("asleep")
        if self.transfer is not None:
            self.transfer.wake()

    def poke(self) -> None:
        """Something changed that may let lanes start."""
        if self.transfer is not None:
            self.transfer.poke()

    # -- a look at it --------------------------------------------------------------

    @property
    def window(self) -> Window | None:
        """Of the host that is asked first, while there is work."""
        return self._seat.window

    @property
    def mirrors(self) -> tuple[MirrorSnapshot, ...]:
        """Every source, where there are several."""
        if self.transfer is None:
            return ()
        return self.transfer.mirrors.snapshot(monotonic())

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Those that fly, by their numbers."""
        return self.transfer.lanes if self.transfer is not None else {}

    def tick(self) -> None:
        """Look up: time has passed, and something may have been limiting."""
        now = monotonic()
        if self.window is not None and self.transfer is not None:
            self._excuse(self.transfer, now - self._looked_at)
            self._tell_change(self.window)
            self.transfer.sizes = self._sizes()
        self._denied_before, self._looked_at = self._limiter.denials, now
        self.tally.look(self._signs(now), now)
        self.poke()

    def _excuse(self, transfer: Transfer, passed: float) -> None:
        """What held us back since the last look is not held against anybody."""
        throttled = self._limiter.denials > self._denied_before
        if throttled:
            transfer.mirrors.excuse("limit")
        if transfer.waits_for_sink:
            transfer.mirrors.excuse("sink")
        if self._patience and (throttled or transfer.is_held_back):
            self._patience.excuse(passed)

    def _tell_change(self, window: Window) -> None:
        change = window.latest
        if change is not self._told:
            self._told = change
            self._tell(
                EventKind.WINDOW,
                f"{change.size} lanes, {change.reason}",
                host=window.host,
                lanes=change.size,
                reason=change.reason,
                cut=change.cut,
            )

    def _signs(self, now: float) -> Signs:
        """What one look finds of what limits it."""
        seen = self.transfer.signs(now) if self.transfer is not None else Signs()
        return replace(
            seen,
            is_reader_busy=self._is_reader_busy(flying=seen.lanes > 0),
            is_closed=self.window is not None and self.window.closed_for(now) > 0,
        )

    def _is_reader_busy(self, *, flying: bool) -> bool:
        """Whether the reader has enough to use; a trickle he always has in hand."""
        stream = self._delivery.stream
        if stream is None:
            return False
        in_hand = stream.buffer.front - stream.buffer.cursor
        return stream.is_ready or in_hand >= (MOUTHFUL if flying else 1)

    # -- what it works with --------------------------------------------------------

    def _join(self) -> Window:
        """Be counted in the window of the host that the next request goes to."""
        return self._seat.take(self._trail.source.host)

    def _tell_mirror(self, text: str, /, **fields: Field) -> None:
        self._tell(EventKind.MIRROR, text, **fields)

    def _new_patience(self) -> Patience:
        return Patience(self._config.give_up_after, self._retrying)

    def _retrying(self, text: str, /, **fields: Field) -> None:
        self._tell(EventKind.RETRY, text, **fields)

    def _sizes(self) -> Sizes:
        config = self._config
        if self._delivery.stream is not None:
            share = config.buffer // (self._threads or MANY_LANES)
            most = max(SMALLEST_LEASE, min(config.stream_chunk, share))
            return StreamSizes(SMALLEST_LEASE, most, config.buffer)
        most = HASHED_SEGMENT if self._is_hashed() else LARGEST_SEGMENT
        return FileSizes(config.min_chunk, max(most, config.min_chunk))
