"""The only place where lanes, plan, source, sink and window meet.

A transfer fetches what its plan still wants. Lanes are tasks of one TaskGroup:
each leases a segment, delivers it, and takes the next, until nothing may be
leased; then it helps a late one or lands. New lanes start whenever something
changed and window, plan and horizon allow. The laws that live here:

- a segment is released before its lane naps, so nobody waits for a nap;
- patience belongs to the transfer: new bytes from any lane restore it;
- a segment's stop may move while it is being fetched (steal, race), so a lane
  looks after each read whether it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from engine.errors import ChangedError, Fault, HydraError
from engine.limiter import Limiter
from engine.meter import Meter
from engine.model import Block, LaneSnapshot, LaneState, RemoteFile
from engine.patience import Patience
from engine.plan import OPEN_END, Plan, Segment
from engine.ranges import ByteRange
from engine.sinks import Sink
from engine.sizes import SMALLEST_LEASE, Pace, Sizes
from engine.source import Source, content_range
from engine.transport import Response
from engine.window import Window

DRAINED = 256 * 1024
"""A tail this short is read to its end: cheaper than a new connection."""
YOUNG = 0.3
"""Seconds before a lane's rate says anything about it."""
HELP_COST = 0.1
"""Seconds a new connection must save at least before it relieves another."""


class Lane:
    """One connection's worker, as far as others may look at it."""

    def __init__(
        self, segment: Segment, now: float, response: Response | None = None
    ) -> None:
        self.number = segment.lane
        self.response = response
        """Flowing, or None while there is none: before the answer, and in a nap."""
        self.task: asyncio.Task[None] | None = None
        self.is_dismissed = False
        self.ask(segment, now)

    def ask(self, segment: Segment, now: float) -> None:
        """Begin a request: its rate counts from here, waiting included."""
        self.segment = segment
        self.asked_at = self.heard_at = now
        self.asked_stop = segment.stop
        """Where the answer will end, wherever the segment's stop goes meanwhile."""
        self.meter = Meter(now)
        self.state = LaneState.CONNECTING
        self.note = ""

    @property
    def is_held(self) -> bool:
        """Whether we hold it back ourselves."""
        return self.response is not None and self.response.is_held

    def dismiss(self) -> None:
        """Land now: what is missing of the segment is for somebody else."""
        self.is_dismissed = True
        if self.response is not None:
            self.response.abandon()
        elif self.task is not None:
            self.task.cancel()  # it waits for its answer, or naps

    def snapshot(self, now: float) -> LaneSnapshot:
        return LaneSnapshot(
            number=self.number,
            state=LaneState.HELD if self.is_held else self.state,
            range=self.segment.range,
            mark=min(self.segment.mark, max(self.segment.stop, self.segment.start)),
            rate=self.meter.rate(now),
            racing=self.segment.rival is not None,
            note=self.note,
        )


class Transfer:
    """Fetches what a plan wants into a sink; may be cancelled and begun again."""

    def __init__(
        self,
        *,
        source: Source,
        remote: RemoteFile,
        plan: Plan,
        sink: Sink,
        window: Window,
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
        self._source = source
        self._remote = remote
        self._plan = plan
        self._sink = sink
        self._window = window
        self._patience = patience
        self._limiter = limiter
        self._sizes = sizes
        self._on_bytes = on_bytes
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._usual_rate = 0.0
        self._storing = 0

    async def run(self, first: tuple[Segment, Response] | None = None) -> None:
        """Fetch everything that is missing; `first` is the probe's flowing body.

        Raises what ended it for good: a HydraError that is not a Fault.
        """
        if first is not None and first[1].is_complete and not self._plan.unleased:
            await self._take(*first)
            first = None
        try:
            async with asyncio.TaskGroup() as group:
                if first is not None:
                    self._start(group, *first)
                while not self._plan.finished:
                    self._changed.clear()
                    while self._may_launch() and self._launch(group):
                        pass
                    await self._changed.wait()
                for task in self._tasks:
                    task.cancel()
        except* HydraError as group_of_errors:
            raise _first(group_of_errors) from None

    async def _take(self, segment: Segment, response: Response) -> None:
        """A small file whose only body is already here needs no lanes and no group."""
        with suppress(Fault):
            await self._deliver(Lane(segment, monotonic(), response))

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

    @property
    def waits_for_sink(self) -> bool:
        """Whether most lanes are not receiving because the sink takes its time."""
        return 2 * self._storing > len(self.lanes)

    def hole_lane(self, front: int) -> int | None:
        """The lane that fetches the byte at the front."""
        for segment in self._plan.segments:
            if segment.landed <= front < segment.stop:
                return segment.lane
        return None

    # -- who flies -----------------------------------------------------------

    @property
    def _most(self) -> int:
        """How many lanes this file may have, however large the window is."""
        return 1 if not self._remote.ranges else self._threads or self._window.ceiling

    def _may_launch(self) -> bool:
        if len(self.lanes) >= self._most:
            return False
        has_room = self._window.has_room(monotonic())  # asking shows that one is wanted
        return has_room and len(self.lanes) < self._window.share

    def _launch(self, group: asyncio.TaskGroup) -> bool:
        number = next(n for n in range(len(self.lanes) + 1) if n not in self.lanes)
        segment = self._next_segment(number)
        if segment is not None:
            self._start(group, segment)
        return segment is not None

    def _start(
        self,
        group: asyncio.TaskGroup,
        segment: Segment,
        response: Response | None = None,
    ) -> None:
        lane = self.lanes[segment.lane] = Lane(segment, monotonic(), response)
        self._window.enter()
        task = group.create_task(self._fly(lane), name=f"lane {lane.number}")
        lane.task = task
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._land(lane, task))

    def _land(self, lane: Lane, task: asyncio.Task[None]) -> None:
        """Clean up after a lane; one cancelled before its first step never could."""
        self._tasks.discard(task)
        del self.lanes[lane.number]
        self._window.leave()
        self._let_go(lane)
        self.poke()

    def _next_segment(self, number: int) -> Segment | None:
        plan = self._plan
        if plan.finished:
            return None
        if not self._remote.ranges:
            return plan.lease(number, OPEN_END)
        pace = self._pace()
        want = self._sizes.want(pace)
        least = max(SMALLEST_LEASE, min(want, pace.worth))
        segment = plan.lease(number, want, self._sink.horizon, least)
        self.is_at_horizon = segment is None and plan.unleased > 0
        if self.is_at_horizon:
            self._window.excuse("horizon")
        return segment or self._help(number)

    def _pace(self) -> Pace:
        return Pace(
            unleased=self._plan.unleased,
            lanes=max(len(self.lanes), min(self._most, self._window.share)),
            rate=self._usual_rate,
            latency=self._window.latency,
            limit=self._limiter.tightest,
        )

    def _help(self, number: int) -> Segment | None:
        if any(lane.is_held for lane in self.lanes.values()):
            return None  # a second fetch is held back too, and what it gets is lost
        now = monotonic()
        rates = {lane.number: self._rate(lane, now) for lane in self.lanes.values()}
        known = sorted(rate for rate in rates.values() if rate is not None)
        usual = max(self._usual_rate, known[len(known) // 2] if known else 0.0)
        if not usual:
            return None
        return self._plan.help(
            number,
            lambda segment: _or(rates.get(segment.lane), usual),
            usual,
            max(HELP_COST, 2 * self._window.latency),
            head=self._sink.in_order,
        )

    def _rate(self, lane: Lane, now: float) -> float | None:
        """What a lane brings since it asked; None while it is too young to tell.

        A lane that fell silent brings nothing, whatever it brought before.
        """
        patience = max(YOUNG, 2 * self._window.latency)
        if now - lane.asked_at < patience:
            return None
        return lane.meter.rate(now) if now - lane.heard_at < 2 * patience else 0.0

    # -- one lane ------------------------------------------------------------

    async def _fly(self, lane: Lane) -> None:
        while True:
            try:
                await self._deliver(lane)
            except Fault as fault:
                await self._nap(lane, fault)
            must_land = lane.is_dismissed or self._must_land()
            segment = None if must_land else self._next_segment(lane.number)
            if segment is None:
                return
            lane.ask(segment, monotonic())

    def _must_land(self) -> bool:
        most = min(self._most, self._window.share)
        return len(self.lanes) > most or self._window.is_over

    async def _deliver(self, lane: Lane) -> None:
        """Fetch a lane's segment; whatever happens, the lease ends here."""
        try:
            if lane.response is None:
                lane.response = await self._ask(lane.segment)
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

    async def _ask(self, segment: Segment) -> Response:
        if self._remote.ranges:
            part = ByteRange(segment.mark, segment.stop)
            return await self._source.fetch(part, self._remote)
        self._begin_again(segment)
        return await self._source.fetch(None, self._remote)

    def _begin_again(self, segment: Segment) -> None:
        """Without ranges the whole body comes again from its first byte.

        On disk it is written again. A stream skips what it delivered, if the
        server can show that this is still the same file.
        """
        if not self._sink.in_order:
            self._plan.restart(segment)
        elif not (self._remote.etag or self._remote.last_modified):
            raise ChangedError(
                "the connection broke, and a server without ranges and validators "
                "cannot continue a stream"
            )

    async def _receive(self, lane: Lane, response: Response) -> None:
        segment = lane.segment
        at = segment.mark if self._remote.ranges else 0
        asked = lane.asked_stop
        while pieces := await response.read():
            block = Block(at, pieces, sum(map(len, pieces)))
            at = block.stop
            self._count(lane, block.size)
            await self._store(lane, block)
            if not segment.remaining and self._is_spent(response, asked - at):
                self._learn(lane)
                return
        if lane.is_dismissed:
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
            rate = size / elapsed
            self._usual_rate += 0.3 * (rate - (self._usual_rate or rate))
            self._usual_rate = self._usual_rate or rate

    def _count(self, lane: Lane, size: int) -> None:
        now = monotonic()
        if lane.state is LaneState.CONNECTING:
            self._window.latency = max(now - lane.asked_at, 0.8 * self._window.latency)
        lane.state = LaneState.RECEIVING
        lane.meter.add(size, now)
        lane.heard_at = now
        self._window.received(size)
        self._on_bytes(size)

    async def _store(self, lane: Lane, block: Block) -> None:
        """Claim what of the block is new, hand it to the sink, and land it."""
        segment = lane.segment
        fresh = block.cut(ByteRange(segment.mark, OPEN_END))
        part = self._plan.claim(segment, fresh.size)
        if part is None:
            return
        self._call_off_rival(segment)
        self._patience.progressed(part.size)
        self._storing += 1
        try:
            await self._sink.write(fresh.cut(part))
        finally:
            self._storing -= 1
        self._plan.land(segment, part)
        if self._plan.finished:
            self.poke()

    def _call_off_rival(self, segment: Segment) -> None:
        rival = segment.rival
        if rival is not None and not rival.remaining:
            response = self.lanes[rival.lane].response
            if response is not None:
                response.abandon()

    async def _nap(self, lane: Lane, fault: Fault) -> None:
        delay = self._patience.charge(fault, self._window, reached=True)
        lane.state = LaneState.RETRYING
        lane.note = str(fault)
        await asyncio.sleep(delay)


def _promised(response: Response, segment: Segment) -> int:
    """Where the answer should have ended: a server may give less than was asked for."""
    given = content_range(response)
    if given is None or given.part is None:
        return segment.stop
    return min(segment.stop, given.part.stop)


def _or(rate: float | None, usual: float) -> float:
    return usual if rate is None else rate


def _first(group: BaseExceptionGroup[HydraError]) -> HydraError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HydraError)
    return error
