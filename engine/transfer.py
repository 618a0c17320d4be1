"""The only place where lanes, plan, source, sink and window meet.

A transfer fetches what its plan still wants. Lanes are tasks of one TaskGroup:
each leases a segment, delivers it, and takes the next, until nothing may be
leased; then it helps a late one or lands. New lanes start whenever something
changed and window, plan and horizon allow. The laws that live here:

- a segment is released before its lane naps, so nobody waits for a nap;
- patience belongs to the transfer: new bytes from any lane restore it;
- a segment's stop may move while it is being fetched (steal, race), so a lane
  looks after each read whether it is done;
- what happens to a connection from before the machine slept is nobody's fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic

from engine.bottleneck import Signs
from engine.errors import (
    ChangedError,
    Denied,
    Fault,
    ForgotRange,
    HydraError,
    RefusedError,
    first_of,
)
from engine.identity import Doubt
from engine.inquiry import settle
from engine.lane import Lane
from engine.limiter import Limiter
from engine.mirrors import Mirror, Mirrors
from engine.model import Block, LaneState, RemoteFile
from engine.patience import Patience
from engine.plan import OPEN_END, Plan, Segment
from engine.proofs import Proofs
from engine.ranges import ByteRange
from engine.sinks import Sink
from engine.sizes import LATENCIES, SMALLEST_LEASE, Pace, Sizes
from engine.source import content_range
from engine.transport import Response

DRAINED = 256 * 1024
"""A tail this short is read to its end: cheaper than a new connection."""
YOUNG = 0.3
"""Seconds before a lane's rate says anything about it."""
HELP_COST = 0.1
"""Seconds a new connection must save at least before it relieves another."""
DENIALS = 2
"""How often a lane that is alone is denied before the link counts as expired."""
FORGETFUL = 3
"""Whole files in a row for parts of it, until parts are not asked for any more."""
SILENCE = 2.0
"""Seconds without a byte from anybody: what ends them ends all naps."""
SLOW = 0.5
"""Seconds to a first byte that no distance explains."""
CRAWLING = 8
"""How many times as slow as usual a lane must be to begin anew."""
CRAWLS_FOR = 0.5
"""Seconds until it is judged, unless the way is so long that it is still beginning."""
OUTAGE = 5.0
"""Seconds in which nobody hears anything: that is no server that takes its time."""


class Transfer:
    """Fetches what a plan wants into a sink; may be cancelled and begun again."""

    def __init__(
        self,
        *,
        mirrors: Mirrors,
        plan: Plan,
        sink: Sink,
        patience: Patience,
        limiter: Limiter,
        sizes: Sizes,
        threads: int | None,
        on_bytes: Callable[[int], None],
    ) -> None:
        self.lanes: dict[int, Lane] = {}
        self._threads = threads
        self.is_at_horizon = False
        """Whether a lease was refused because the sink wants nothing more yet."""
        self.mirrors = mirrors
        self._plan = plan
        self._sink = sink
        self._patience = patience
        self._limiter = limiter
        self.sizes = sizes
        """How much a lane leases; may change meanwhile."""
        self._on_bytes = on_bytes
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing = 0
        self._looked_at = 0.0
        self._high_water = plan.done.total
        self._progress_at = self._woke_at = monotonic()
        self._all_clear = asyncio.Event()
        self._proofs = Proofs(mirrors, plan, sink, self.poke)
        self._inquiring, self._inquired_at = asyncio.Lock(), 0.0
        self._denials = 0
        self._forgotten = 0

    async def run(self, first: tuple[Segment, Response] | None = None) -> None:
        """Fetch everything that is missing; `first` is the probe's flowing body.

        Raises what ended it for good: a HydraError that is not a Fault.
        """
        if first is not None and first[1].is_complete and not self._plan.unleased:
            await self._take(*first)
            first = None
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks |= self._proofs.begin(group)
                if first is not None:
                    self._start(group, first[0], self.mirrors.first, first[1])
                while not self._plan.finished:
                    self._changed.clear()
                    self._replace_crawling(monotonic())
                    while self._launch(group):
                        pass
                    await self._changed.wait()
                for task in self._tasks:
                    task.cancel()
        except* HydraError as group_of_errors:
            raise first_of(group_of_errors) from None

    async def _take(self, segment: Segment, response: Response) -> None:
        """A small file whose only body is already here needs no lanes and no group."""
        with suppress(Fault):
            first = self.mirrors.first
            await self._deliver(Lane(segment, first, monotonic(), response))

    @property
    def remote(self) -> RemoteFile:
        """As it is known now: what was found out of it on the way included."""
        return self.mirrors.first.remote

    def set_threads(self, threads: int | None) -> None:
        """Most lanes, or None for as many as the window has; who is over lands now."""
        self._threads = threads
        longest = sorted(self.lanes.values(), key=lambda lane: -lane.segment.remaining)
        for lane in longest[: max(len(longest) - self._most, 0)]:
            lane.dismiss()
        self.poke()

    def poke(self) -> None:
        """Something changed that may let lanes start: room, window, time."""
        self._changed.set()

    def wake(self) -> None:
        """The machine has slept: begin all connections anew."""
        self._woke_at = self._progress_at = monotonic()
        for lane in self.lanes.values():
            lane.renew()

    @property
    def is_held_back(self) -> bool:
        """Whether no progress is our own doing: the limit, the reader or the disk."""
        held = all(lane.is_held for lane in self.lanes.values())
        return held or self.waits_for_sink or self.is_at_horizon

    @property
    def waits_for_sink(self) -> bool:
        """Whether most lanes are not receiving because the sink takes its time."""
        return 2 * self._storing > len(self.lanes)

    def signs(self, now: float) -> Signs:
        """What can be seen just now of what limits it."""
        lanes, window = self.lanes.values(), self.mirrors.first.window
        latency = window.latency
        is_outage = now - self._progress_at > max(OUTAGE, 2 * latency)
        then = now if latency >= SLOW else now - SLOW
        late = 0 if is_outage else sum(lane.waits_since(then) for lane in lanes)
        return Signs(
            lanes=len(lanes),
            throttled=sum(lane.is_throttled for lane in lanes),
            storing=self._storing,
            refused=sum(lane.is_refused for lane in lanes),
            unanswered=late,
            in_order=self._sink.in_order,
            is_at_horizon=self.is_at_horizon,
            is_cut=window.is_refused(now),
        )

    def hole_lane(self, front: int) -> int | None:
        """The lane that fetches the byte at the front."""
        for segment in self._plan.segments:
            if segment.landed <= front < segment.stop:
                return segment.lane
        return None

    # -- who serves ----------------------------------------------------------

    def _bench(self, mirror: Mirror, why: str, *, for_good: bool) -> bool:
        """Ask a source no more, if there are others; its lanes land."""
        if not self.mirrors.bench(mirror, why, for_good=for_good):
            return False
        for lane in self.lanes.values():
            if lane.mirror is mirror:
                lane.dismiss()
        return True

    def blame(self, part: ByteRange) -> None:
        """What is here of `part` is wrong: it is fetched again, elsewhere if possible."""
        self.mirrors.blame(part)
        self._plan.reject(part)
        for lane in self.lanes.values():
            if not lane.mirror.is_used:
                lane.dismiss()
        self.poke()

    # -- who flies -----------------------------------------------------------

    @property
    def _most(self) -> int:
        """How many lanes this file may have, however large the windows are."""
        if not self.remote.ranges:
            return 1
        ceilings = (mirror.window.ceiling for mirror in self.mirrors.used)
        return self._threads or sum(ceilings)

    def _launch(self, group: asyncio.TaskGroup) -> bool:
        """Let one more lane start, if anybody has room for it, and anything is left."""
        if self._plan.finished or len(self.lanes) >= self._most:
            return False
        gap, in_order = self._plan.next_gap(), self._sink.in_order
        mirror = self.mirrors.best(gap, monotonic(), in_order=in_order)
        if mirror is None:
            return False
        number = next(n for n in range(len(self.lanes) + 1) if n not in self.lanes)
        segment = self._next_segment(number, mirror)
        if segment is not None:
            self._start(group, segment, mirror)
        return segment is not None

    def _start(
        self,
        group: asyncio.TaskGroup,
        segment: Segment,
        mirror: Mirror,
        response: Response | None = None,
    ) -> None:
        lane = Lane(segment, mirror, monotonic(), response)
        self.lanes[segment.lane] = lane
        mirror.enter()
        if lane.is_expected:
            mirror.window.expect()
        task = group.create_task(self._fly(lane), name=f"lane {lane.number}")
        lane.task = task
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._land(lane, task))

    def _land(self, lane: Lane, task: asyncio.Task[None]) -> None:
        """Clean up after a lane; one cancelled before its first step never could."""
        self._tasks.discard(task)
        del self.lanes[lane.number]
        self._answered(lane)
        lane.mirror.leave()
        self._let_go(lane)
        self.poke()

    def _next_segment(self, number: int, mirror: Mirror) -> Segment | None:
        plan, in_order = self._plan, self._sink.in_order
        gap = plan.next_gap()
        if plan.finished or not self.mirrors.may_serve(mirror, gap, in_order=in_order):
            return None
        if not self.remote.ranges:
            return plan.lease_rest(number)
        pace = self._pace(mirror)
        want = self.sizes.want(pace)
        least = max(SMALLEST_LEASE, min(want, pace.worth))
        segment = plan.lease(number, want, self._sink.horizon, least)
        self.is_at_horizon = segment is None and plan.unleased > 0
        if self.is_at_horizon:
            self.mirrors.excuse("horizon")
        return segment or self._help(number, mirror)

    def _pace(self, mirror: Mirror) -> Pace:
        shares = sum(one.window.share for one in self.mirrors.used)
        lanes = max(len(self.lanes), min(self._most, shares))
        return Pace(
            unleased=self._plan.unleased,
            lanes=int(lanes * self.mirrors.weight(mirror)),
            rate=mirror.usual_rate,
            latency=mirror.window.latency,
            limit=self._limiter.tightest,
        )

    def _help(self, number: int, mirror: Mirror) -> Segment | None:
        if any(lane.is_held for lane in self.lanes.values()):
            return None  # a second fetch is held back too, and what it gets is lost
        now = monotonic()
        rates = {lane.number: self._rate(lane, now) for lane in self.lanes.values()}
        known = sorted(rate for rate in rates.values() if rate is not None)
        usual = max(mirror.usual_rate, known[len(known) // 2] if known else 0.0)
        if not usual:
            return None
        return self._plan.help(
            number,
            lambda segment: _or(rates.get(segment.lane), usual),
            usual,
            max(HELP_COST, 2 * mirror.window.latency),
            head=self._sink.in_order,
        )

    def _rate(self, lane: Lane, now: float) -> float | None:
        """What a lane brings since it asked; None while it is too young to tell.

        A lane that fell silent brings nothing, whatever it brought before.
        """
        patience = max(YOUNG, 2 * lane.mirror.window.latency)
        if now - lane.asked_at < patience:
            return None
        return lane.meter.rate(now) if now - lane.heard_at < 2 * patience else 0.0

    def _replace_crawling(self, now: float) -> None:
        """Whoever brings next to nothing of what is usual begins anew.

        What it brought counts for what is usual, so that a way that has become slow
        for all is soon believed.
        """
        if now - self._looked_at < YOUNG or not self._may_replace(now):
            return
        self._looked_at = now
        for lane in self.lanes.values():
            if self._is_settled(lane, now):
                self._compare(lane, lane.meter.rate(now))

    def _compare(self, lane: Lane, rate: float) -> None:
        """With what is usual; where that is unknown, it is what this one brings."""
        usual = lane.mirror.usual_rate
        if not usual or CRAWLING * rate < usual:
            lane.mirror.learn(rate)
        if CRAWLING * rate < usual:
            lane.renew()

    def _may_replace(self, now: float) -> bool:
        """Not where we hold lanes back ourselves, nor where nobody hears anything."""
        if self._limiter.tightest is not None or self.waits_for_sink:
            return False
        return self.remote.ranges and now - self._progress_at < YOUNG

    def _is_settled(self, lane: Lane, now: float) -> bool:
        """Whether it receives, and long enough to be as fast as it will be."""
        age = max(CRAWLS_FOR, LATENCIES * lane.mirror.window.latency)
        is_old = now - lane.asked_at > age
        return is_old and lane.state is LaneState.RECEIVING and not lane.is_held

    # -- one lane ------------------------------------------------------------

    async def _fly(self, lane: Lane) -> None:
        while True:
            try:
                await self._deliver(lane)
            except Doubt as doubt:
                await self._inquire(lane, doubt)
            except Fault as fault:
                await self._nap(lane, fault)
            except RefusedError as error:
                if not self._bench(lane.mirror, str(error), for_good=False):
                    raise
            must_land = lane.is_dismissed or self._must_land(lane.mirror)
            segment = (
                None if must_land else self._next_segment(lane.number, lane.mirror)
            )
            if segment is None:
                return
            lane.ask(segment, monotonic())

    def _must_land(self, mirror: Mirror) -> bool:
        window, now = mirror.window, monotonic()
        if len(self.lanes) > self._most or mirror.lanes > window.share:
            return True
        return window.is_over or self.mirrors.is_outclassed(mirror, now)

    async def _deliver(self, lane: Lane) -> None:
        """Fetch a lane's segment; whatever happens, the lease ends here.

        A race may be lost before the first step: then there is nothing to ask for.
        """
        try:
            if lane.response is None and lane.segment.remaining:
                lane.response = await self._ask(lane)
            if lane.response is not None:
                await self._receive(lane, lane.response)
        finally:
            self._let_go(lane)
            self.poke()

    def _let_go(self, lane: Lane) -> None:
        if lane.response is not None:
            lane.response.close()
            lane.response = None
        if lane.segment in self._plan.segments:
            self._plan.release(lane.segment)

    async def _ask(self, lane: Lane) -> Response:
        segment, source = lane.segment, lane.mirror.source
        if self.remote.ranges:
            part = ByteRange(segment.mark, segment.stop)
            response = await source.fetch(part, lane.mirror.remote)
            self._forgotten = 0
        else:
            self._from_the_start(segment)
            response = await source.fetch(None, self.remote)
        self._denials = 0
        return response

    def _from_the_start(self, segment: Segment) -> None:
        """Without ranges the whole body comes again from its first byte.

        What is here already is skipped, if the server can show that this is still
        the same file. If not, a file is written again from its beginning.
        """
        if self.remote.etag or self.remote.last_modified:
            return
        if not self._sink.in_order:
            self._plan.restart(segment)
            self._high_water = max(self._high_water, self._plan.done.total)
        else:
            raise ChangedError(
                "the connection broke, and a server without ranges and validators "
                "cannot continue a stream"
            )

    async def _receive(self, lane: Lane, response: Response) -> None:
        segment = lane.segment
        at = 0 if response.status == 200 else segment.mark
        asked = lane.asked_stop
        while pieces := await response.read():
            block = Block(at, pieces, sum(map(len, pieces)))
            at = block.stop
            self._count(lane, block.size)
            await self._store(lane, block)
            if not segment.remaining and self._is_spent(response, asked - at):
                self._learn(lane)
                return
        if lane.is_dismissed or lane.is_renewed:
            return
        if asked == OPEN_END and at >= segment.mark:
            self._plan.end(at)
        elif at < _promised(response, segment):
            raise Fault("connection closed early")

    def _is_spent(self, response: Response, tail: int) -> bool:
        """Whether to turn away: all is read, or more is coming than draining is worth."""
        return response.is_complete if tail <= 0 else tail > DRAINED

    def _learn(self, lane: Lane) -> None:
        """Remember what a lane of this source usually brings."""
        elapsed = monotonic() - lane.asked_at
        size = lane.segment.mark - lane.segment.start
        if elapsed > 0 and lane.segment.rival is None:
            lane.mirror.learn(size / elapsed)

    def _count(self, lane: Lane, size: int) -> None:
        now, window = monotonic(), lane.mirror.window
        if lane.state is LaneState.CONNECTING:
            window.latency = max(now - lane.asked_at, 0.8 * window.latency)
        self._answered(lane)
        lane.state = LaneState.RECEIVING
        lane.meter.add(size, now)
        lane.heard_at = now
        lane.mirror.received(size, now)
        self._on_bytes(size)

    def _answered(self, lane: Lane) -> None:
        """It has had its first bytes, or never will."""
        if lane.is_expected:
            lane.is_expected = False
            lane.mirror.window.answered()

    async def _store(self, lane: Lane, block: Block) -> None:
        """Claim what of the block is new, hand it to the sink, and land it."""
        segment = lane.segment
        while segment.mark < min(block.stop, segment.stop):
            part = self._plan.claim(segment, block.stop - segment.mark)
            if part is None:
                continue
            self._call_off_rival(segment)
            self._storing += 1
            try:
                await self._sink.write(block.cut(part))
            finally:
                self._storing -= 1
            self._plan.land(segment, part)
            if len(self.mirrors) > 1:
                lane.mirror.brought.add(part)
            self._progressed()
        if self._plan.finished:
            self.poke()

    def _progressed(self) -> None:
        """Bytes that nobody had before: they restore patience, and end a silence."""
        now, gained = monotonic(), self._plan.done.total - self._high_water
        if gained <= 0:
            return
        self._high_water += gained
        self._proofs.begin_to_compare()
        self._patience.progressed(gained)
        if now - self._progress_at > SILENCE:
            self._all_clear.set()
            self._all_clear = asyncio.Event()
        self._progress_at = now

    def _call_off_rival(self, segment: Segment) -> None:
        rival = segment.rival
        if rival is not None and not rival.remaining:
            response = self.lanes[rival.lane].response
            if response is not None:
                response.abandon()

    async def _nap(self, lane: Lane, fault: Fault) -> None:
        if lane.asked_at < self._woke_at:
            return
        if self._is_given_up(lane.mirror, fault):
            return
        if isinstance(fault, Denied):
            self._weigh(lane, fault)
        if isinstance(fault, ForgotRange):
            self._give_up_ranges()
        delay = self._patience.charge(fault, lane.mirror.window, reached=True)
        lane.state = LaneState.RETRYING
        lane.note = str(fault)
        lane.is_refused = fault.status is not None
        told = asyncio.Event() if fault.status else self._all_clear
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await told.wait()

    def _is_given_up(self, mirror: Mirror, fault: Fault) -> bool:
        """Whether others are asked instead of a source that fails again and again."""
        if not mirror.has_failed() or any(
            lane.mirror is mirror and lane.state is LaneState.RECEIVING
            for lane in self.lanes.values()
        ):
            return False
        return self._bench(mirror, str(fault), for_good=False)

    def _weigh(self, lane: Lane, denied: Denied) -> None:
        """Too many connections, or an expired link? Alone, a lane can tell.

        The link is resolved anew before anything is called expired.
        """
        mirror = lane.mirror
        others = [
            other
            for other in self.lanes.values()
            if other is not lane and other.mirror is mirror
        ]
        if not others:
            mirror.source.resolve_again()
            self._denials += 1
            if self._denials > DENIALS:
                raise denied.in_the_end() from denied
        elif all(other.state is LaneState.RETRYING for other in others):
            mirror.window.cut_to_one(str(denied), monotonic())
            for other in others:
                other.dismiss()

    def _give_up_ranges(self) -> None:
        """A server that forgets them again and again is read from the beginning."""
        self._forgotten += 1
        if self._forgotten >= FORGETFUL:
            first = self.mirrors.first
            first.remote = replace(first.remote, ranges=False)

    async def _inquire(self, lane: Lane, doubt: Doubt) -> None:
        """Find out, once for all lanes, whether this is still the same file."""
        lane.state = LaneState.RETRYING
        lane.note = str(doubt)
        mirror = lane.mirror
        if mirror is not self.mirrors.first and self._bench(
            mirror, f"another version: {doubt}", for_good=True
        ):
            return
        try:
            async with self._inquiring:
                if doubt.known == mirror.remote and self._inquired_at < lane.asked_at:
                    self._inquired_at = monotonic()
                    sample = await self._sink.sample(self._plan.done)
                    mirror.remote = await settle(mirror.source, doubt, sample)
            if doubt.known == mirror.remote:
                raise Fault(str(doubt), final=ChangedError)  # noqa: TRY301
        except Fault as fault:
            await self._nap(lane, fault)


def _promised(response: Response, segment: Segment) -> int:
    """Where the answer should have ended: a server may give less than was asked for."""
    given = content_range(response)
    if given is None or given.part is None:
        return segment.stop
    return min(segment.stop, given.part.stop)


def _or(rate: float | None, usual: float) -> float:
    return usual if rate is None else rate
