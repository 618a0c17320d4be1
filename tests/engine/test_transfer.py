"""Lanes over real sockets: who flies, who helps, who waits, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import pytest

from engine.bottleneck import Signs
from engine.errors import (
    ChangedError,
    ExpiredError,
    Fault,
    HydraError,
    LocalError,
    NetworkError,
    RefusedError,
)
from engine.limiter import Limiter
from engine.mirrors import Mirror, Mirrors
from engine.model import Block, LaneState, RemoteFile, Tell
from engine.patience import Patience
from engine.plan import OPEN_END, Plan, Segment
from engine.ranges import ByteRange, RangeSet
from engine.sizes import FileSizes
from engine.source import Source
from engine.testing import (
    Content,
    Crawl,
    CutAfter,
    Delay,
    EmptyReply,
    IgnoreRange,
    Origin,
    Overlong,
    Relabel,
    Request,
    ResetAfter,
    Resource,
    Response as Answer,
    Script,
    Stall,
    Status,
)
from engine.testing.answers import LAST_MODIFIED
from engine.transfer import DENIALS, FORGETFUL, OUTAGE, SLOW, Transfer
from engine.transport import Response, Transport
from engine.window import Seat, Window
from tests.integration.support import until
from tests.support.listener import Listener

KIB, MIB = 1 << 10, 1 << 20
STEP = 256 * KIB
"""Bytes a lane asks for at once, if the test says nothing else."""
FILE = Content(4 * MIB + 17, seed=5)
TICK = 0.02
FOR_EVER = 3600.0
"""Seconds no test waits: what would need them has failed."""


pytestmark = pytest.mark.timeout(15)


# -- the doubles ---------------------------------------------------------------


class Memory:
    """A sink that keeps the bytes, and does not take one twice."""

    def __init__(
        self, content: Content, done: Sequence[ByteRange], *, in_order: bool = False
    ) -> None:
        self.in_order = in_order
        self.horizon = OPEN_END
        self.data = bytearray(content.size)
        self.got = RangeSet(done)
        self.written = 0
        """Bytes, those that were written again included."""
        for part in done:
            self.data[part.start : part.stop] = content.read(part.start, part.stop)
        self.error: HydraError | None = None
        self.open = asyncio.Event()
        """While it is not set, blocks wait."""
        self.open.set()

    async def write(self, block: Block) -> None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        part = ByteRange(block.offset, block.stop)
        if self.in_order:
            assert RangeSet(self.got.gaps(part)).total == part.size
        self.got.add(part)
        self.written += part.size
        self.data[part.start : part.stop] = b"".join(block.buffers)

    async def sample(self, done: RangeSet) -> Block | None:
        """The first bytes that are here."""
        first = done.first()
        if first is None:
            return None
        data = bytes(self.data[first.start : first.stop][:KIB])
        return Block(first.start, (data,), len(data))


class Watched(Plan):
    """A plan that remembers who was helped."""

    def __init__(self, size: int | None, done: Sequence[ByteRange] = ()) -> None:
        super().__init__(size, done)
        self.stolen: list[int] = []
        """Where the victim's segment began."""
        self.raced: list[int] = []

    def steal(self, lane: int, victim: Segment, at: int) -> Segment:
        self.stolen.append(victim.start)
        return super().steal(lane, victim, at)

    def race(self, lane: int, victim: Segment) -> Segment:
        self.raced.append(victim.start)
        return super().race(lane, victim)


class Watchful(Patience):
    """A patience that remembers what it took for progress."""

    def __init__(self, typed: float | None, on_retry: Tell) -> None:
        super().__init__(typed, on_retry)
        self.progress = 0

    def progressed(self, size: int) -> None:
        self.progress += size
        super().progressed(size)


class Drowsy(Watchful):
    """A patience for which each fault is worth a nap without an end."""

    def charge(self, fault: Fault, window: Window, *, reached: bool) -> float:
        super().charge(fault, window, reached=reached)
        return FOR_EVER


@dataclass(frozen=True)
class Rig:
    """One transfer, and everything that it meets."""

    transfer: Transfer
    plan: Watched
    sink: Memory
    window: Window
    source: Source
    remote: RemoteFile
    limiter: Limiter
    patience: Watchful
    faults: list[str]
    received: list[int]

    async def run(self, first: tuple[Segment, Response] | None = None) -> None:
        """Run it, looked up by the engine's tick."""
        try:
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(self._tick())
                await self.transfer.run(first)
                ticking.cancel()
        except* HydraError as errors:
            raise errors.exceptions[0] from None

    async def first(self, size: int) -> tuple[Segment, Response]:
        """The probe's: a first segment whose body already flows."""
        segment = self.plan.lease(0, size)
        assert segment is not None
        return segment, await self.source.open(ByteRange(0, size))

    def assert_nothing_flies(self) -> None:
        assert self.transfer.lanes == {}
        assert self.plan.segments == []
        assert self.window.flying == 0

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.transfer.poke()


def made(
    origin: Origin,
    door: Transport,
    *,
    path: str = "/",
    content: Content = FILE,
    threads: int | None = 4,
    window: Window | None = None,
    step: int = STEP,
    in_order: bool = False,
    drowsy: bool = False,
    give_up_after: float = 30.0,
    done: Sequence[ByteRange] = (),
    **remote: Any,
) -> Rig:
    """A transfer of one of an origin's files."""
    known: dict[str, Any] = {"size": content.size, "ranges": True, "name": "file"}
    known |= {"etag": content.etag, "last_modified": LAST_MODIFIED}
    file = RemoteFile(url=origin.url(path), **(known | remote))
    sink = Memory(content, done, in_order=in_order)
    limiter = Limiter()
    source = Source(door, limiter, file.url)
    plan = Watched(file.size, done)
    if window is None:
        window = Window(source.host, monotonic())
    shared = window
    mirrors = Mirrors(
        Mirror(source, Seat(lambda _: shared, threads), file), (), Listener()
    )
    mirrors.begin()
    faults = Listener()
    received: list[int] = []
    patience = (Drowsy if drowsy else Watchful)(give_up_after, faults)
    transfer = Transfer(
        mirrors=mirrors,
        plan=plan,
        sink=sink,
        patience=patience,
        limiter=limiter,
        sizes=FileSizes(step, step),
        threads=threads,
        on_bytes=received.append,
    )
    return Rig(
        transfer=transfer,
        plan=plan,
        sink=sink,
        window=window,
        source=source,
        remote=file,
        limiter=limiter,
        patience=patience,
        faults=faults,
        received=received,
    )


def transport(stall_timeout: float = FOR_EVER) -> Transport:
    return Transport(
        browser=None,
        cacert=None,
        insecure=False,
        connect_timeout=5.0,
        stall_timeout=stall_timeout,
    )


@asynccontextmanager
async def rig(
    script: Script = (), resource: Resource | None = None, **settings: Any
) -> AsyncIterator[tuple[Origin, Rig]]:
    """An origin with one file, and a transfer of it."""
    content = settings.get("content", FILE)
    served = replace(resource or Resource(), content=content, script=script)
    async with Origin({"/": served}) as origin, transport() as door:
        yield origin, made(origin, door, **settings)


def starting_at(start: int, fault: Any) -> Callable[[Request], Any]:
    """A script by which the first request for what begins there goes wrong."""
    met: list[Request] = []

    def script(request: Request) -> Any:
        if request.range is None or request.range.start != start or met:
            return None
        met.append(request)
        return fault

    return script


def always(fault: Any) -> Script:
    """A script by which every request goes wrong."""
    return lambda _: fault


def starts(origin: Origin) -> list[int]:
    return [request.range.start for request in origin.requests if request.range]


# -- every byte ------------------------------------------------------------------


async def test_every_byte_is_fetched_once() -> None:
    """Lanes divide a file: nothing twice, nothing left, a connection for each."""
    async with rig() as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert origin.served == sum(it.received) == FILE.size
        assert sorted(starts(origin)) == list(range(0, FILE.size, STEP))
        assert origin.connections <= 4
        it.assert_nothing_flies()


@pytest.mark.parametrize("size", [1, STEP, STEP + 1])
async def test_small_files_arrive_too(size: int) -> None:
    """A file of less than a lane's share needs no more lanes than parts."""
    content = Content(size, seed=9)
    async with rig(content=content) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == content.read()
        assert origin.connections <= -(-size // STEP)


async def test_nothing_to_fetch_is_done_at_once() -> None:
    """An empty file is finished before anybody flies."""
    async with rig(content=Content(0)) as (origin, it):
        await it.run()
        assert origin.requests == []


async def test_the_probes_body_is_the_first_segment() -> None:
    """What the probe asked for is not asked for again."""
    async with rig() as (origin, it):
        await it.run(await it.first(STEP))
        assert bytes(it.sink.data) == FILE.read()
        assert sorted(starts(origin)) == list(range(0, FILE.size, STEP))


@pytest.mark.parametrize("fault", [None, CutAfter(1000)])
async def test_a_body_that_is_already_here_needs_no_lane(
    monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    """A small file's only body is taken as it is; what it lacks is fetched."""
    content = Content(40_000, seed=1)
    async with rig([fault], content=content) as (origin, it):
        first = await it.first(content.size)
        await until(lambda: first[1].is_complete)
        flown: list[bool] = []
        monkeypatch.setattr(it.window, "enter", lambda: flown.append(True))
        monkeypatch.setattr(it.window, "leave", lambda: None)
        await it.run(first)
        assert len(flown) == (0 if fault is None else 1)
        assert bytes(it.sink.data) == content.read()
        assert starts(origin) == ([0] if fault is None else [0, 1000])
        it.assert_nothing_flies()


async def test_the_window_learns_how_far_the_host_is() -> None:
    """Seconds to the first byte are measured where they pass."""
    async with rig(resource=Resource(latency=0.05), step=4 * MIB) as (_, it):
        await it.run()
        assert it.window.latency >= 0.05


async def test_what_flowed_before_tells_nothing_of_the_way() -> None:
    """The probe's body has been answered long ago: it is not measured again."""
    slow = Resource(latency=0.2)
    async with rig(resource=slow, threads=1, step=4 * MIB) as (_, it):
        first = await it.first(FILE.size)
        await it.run(first)
        assert it.window.latency == 0.0


async def test_who_has_not_been_answered_is_expected() -> None:
    """The window knows of lanes that have taken off and bring nothing yet."""
    go_on = asyncio.Event()
    delayed = always(Stall(until=go_on))
    async with rig(delayed) as (origin, it), asyncio.TaskGroup() as group:
        running = group.create_task(it.run())
        await origin.until(lambda: origin.busy == 4)
        assert it.window._unanswered == 4
        go_on.set()
        await running
        assert it.window._unanswered == 0


async def test_a_lane_that_crawls_begins_anew() -> None:
    """Far slower than usual, it goes on over another connection."""
    content = Content(3 * MIB, seed=2)
    crawling = starting_at(0, Crawl(40_000, after=1))
    settled = rig(crawling, content=content, threads=1, step=3 * MIB)
    async with settled as (origin, it):
        it.transfer.mirrors.first.usual_rate = 100e6
        await it.run()
        assert bytes(it.sink.data) == content.read()
        assert it.faults == []
        assert len(origin.requests) > 1


async def test_what_is_usual_is_known_before_a_segment_ends() -> None:
    """Who is slow brings none to its end, and must be known to be slow all the same."""
    slow = Resource(rate=200_000)
    settled = rig(resource=slow, content=Content(300_000), threads=1, step=MIB)
    async with settled as (_, it), asyncio.TaskGroup() as group:
        running = group.create_task(it.run())
        await until(lambda: it.transfer.mirrors.first.usual_rate > 0)
        assert not it.plan.finished
        await running


async def test_under_a_limit_nobody_crawls() -> None:
    """Who is held back by a limit is not replaced for being slow."""
    content = Content(200_000, seed=2)
    async with rig(content=content, threads=1, step=MIB) as (origin, it):
        it.transfer.mirrors.first.usual_rate = 100e6
        it.limiter.rate = 150_000
        await it.run()
        assert len(origin.requests) == 1


async def test_a_shorter_part_is_no_fault() -> None:
    """A server may give less than was asked for; the rest is asked for."""

    class Short:
        def answer(
            self, request: Request, behave: Callable[[Request], Answer], /
        ) -> Answer:
            assert request.range is not None
            start = request.range.start
            return behave(replace(request, range=ByteRange(start, start + 1000)))

    async with rig(starting_at(STEP, Short())) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.faults == []
        assert STEP + 1000 in starts(origin)


async def test_bytes_beyond_the_part_are_ignored() -> None:
    """A server that says more than it was asked does not disturb the neighbours."""
    async with rig(starting_at(STEP, Overlong(3000))) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.faults == []


async def test_a_body_that_breaks_is_continued() -> None:
    """What had arrived counts; the rest is asked for again, from where it broke."""
    async with rig(starting_at(STEP, CutAfter(5000))) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert STEP + 5000 in starts(origin)
        assert origin.served == FILE.size


# -- who flies -------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
async def test_a_typed_number_is_never_exceeded(threads: int) -> None:
    """However large the window is, a file has no more connections than typed."""
    async with Origin({"/": Resource(FILE)}) as origin, transport() as door:
        window = Window("host", monotonic())
        window.join(16, monotonic())
        it = made(origin, door, threads=threads, window=window)
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert origin.most_concurrent <= threads
        assert max(request.busy for request in origin.requests) <= threads


async def test_the_window_is_never_exceeded() -> None:
    """Nobody flies who has no room in the window."""
    go_on = asyncio.Event()
    async with (
        rig(always(Stall(until=go_on)), threads=None) as (origin, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await origin.until(lambda: origin.busy == it.window.size)
        it.transfer.poke()
        assert it.window.flying == it.window.size == 4
        go_on.set()
        await running
        assert max(request.busy for request in origin.requests) == 4


async def test_two_files_share_the_window() -> None:
    """Each job on a host has its part, and all of it once the other is gone."""
    go_on = asyncio.Event()
    stalled = Resource(FILE, script=always(Stall(until=go_on)))
    paths = dict.fromkeys(("/a", "/b"), stalled)
    async with Origin(paths) as origin, transport() as door:
        window = Window("host", monotonic())
        one = made(origin, door, path="/a", threads=None, window=window)
        two = made(origin, door, path="/b", threads=None, window=window)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(one.run())
            second = group.create_task(two.run())
            await origin.until(lambda: origin.busy == window.size == 4)
            asked = [request.path for request in origin.requests]
            assert (asked.count("/a"), asked.count("/b")) == (2, 2)
            first.cancel()
            await asyncio.wait([first])
            window.part(None)
            await origin.until(lambda: len(two.transfer.lanes) == 4)
            go_on.set()
            await second
        assert bytes(two.sink.data) == FILE.read()
        assert window.flying == 0


async def test_the_number_of_lanes_may_change() -> None:
    """More fly as soon as that is said, and those over land with their parts undone."""
    go_on = asyncio.Event()
    stalls = [Stall(2000, until=go_on), Stall(1000), Stall(1000)]
    async with rig(stalls, threads=1) as (origin, it), asyncio.TaskGroup() as group:
        running = group.create_task(it.run())
        await until(lambda: len(it.received) == 1)
        it.window.resize(1, 3, monotonic())
        it.transfer.set_threads(3)
        await until(lambda: len(it.received) == 3)
        it.window.resize(3, 1, monotonic())
        it.transfer.set_threads(1)
        await origin.until(lambda: origin.busy == 1)
        await until(lambda: list(it.transfer.lanes) == [0])
        go_on.set()
        await running
        assert bytes(it.sink.data) == FILE.read()
        assert {request.busy for request in origin.requests[3:]} == {1}
        assert {STEP + 1000, 2 * STEP + 1000} <= set(starts(origin))


@pytest.mark.parametrize(
    ("trouble", "faults"), [(Delay(FOR_EVER), 0), (EmptyReply(), 1)]
)
async def test_who_is_over_lands_at_once(trouble: Any, faults: int) -> None:
    """A lane that waits for its answer, or naps, keeps nobody waiting for it."""
    script = [Stall(1000), trouble]
    async with (
        rig(script, threads=2, drowsy=True) as (origin, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await origin.until(lambda: len(origin.requests) == 2)
        await until(lambda: it.received and len(it.faults) == faults)
        it.transfer.set_threads(1)
        await until(lambda: list(it.transfer.lanes) == [0])
        await origin.until(lambda: origin.busy == 1)
        assert [segment.lane for segment in it.plan.segments] == [0]
        running.cancel()
    it.assert_nothing_flies()


async def test_nobody_flies_through_a_closed_window() -> None:
    """Until the host may be asked again no lane starts."""
    async with rig(threads=2) as (origin, it):
        opens = monotonic() + 0.1
        it.window.close_until(opens)
        await it.run()
        assert min(request.at for request in origin.requests) >= opens


async def test_nothing_beyond_the_horizon_is_asked_for() -> None:
    """Back-pressure is a lease refused, until the sink wants more."""
    async with rig() as (origin, it), asyncio.TaskGroup() as group:
        it.sink.horizon = MIB
        running = group.create_task(it.run())
        await origin.until(lambda: origin.served == MIB and not origin.busy)
        await until(lambda: it.transfer.is_at_horizon and not it.transfer.lanes)
        assert it.sink.got.total == MIB
        it.sink.horizon = OPEN_END
        it.transfer.poke()
        await running
        assert not it.transfer.is_at_horizon
        assert bytes(it.sink.data) == FILE.read()


# -- what a look finds -----------------------------------------------------------


def look(it: Rig, later: float = 0.0) -> Signs:
    return it.transfer.signs(monotonic() + later)


async def test_lanes_that_a_limit_holds_back_are_counted() -> None:
    """Those whose body waits for tokens, not those that may go on."""
    async with rig(threads=2) as (_, it), asyncio.TaskGroup() as group:
        it.limiter.rate = 1.0
        running = group.create_task(it.run())
        await until(lambda: look(it).throttled == 2)
        it.limiter.rate = None
        await running
        assert look(it) == Signs()


async def test_lanes_that_wait_for_the_sink_are_counted() -> None:
    """And whether the sink is a reader's."""
    async with (
        rig(threads=2, in_order=True) as (_, it),
        asyncio.TaskGroup() as group,
    ):
        it.sink.open.clear()
        running = group.create_task(it.run())
        await until(lambda: look(it).storing == 2)
        assert look(it).in_order
        it.sink.open.set()
        await running


async def test_lanes_that_were_turned_away_are_counted() -> None:
    """A nap after another status is the server's doing, one after a reset is not."""
    script = (Status(503), ResetAfter(0))
    async with (
        rig(script, threads=2, drowsy=True) as (_, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await until(lambda: len(it.faults) == 2)
        seen = look(it)
        assert (seen.lanes, seen.refused, seen.is_cut) == (2, 1, True)
        running.cancel()


async def test_lanes_that_wait_long_for_a_first_byte_are_counted() -> None:
    """Half a second is long, and any time is where the host is known to be slow.

    Where nobody has heard anything for seconds, it is no server that is slow.
    """
    script = [Stall(), Stall()]
    async with rig(script, threads=2) as (origin, it), asyncio.TaskGroup() as group:
        running = group.create_task(it.run())
        await origin.until(lambda: len(origin.requests) == 2)
        assert look(it).unanswered == 0
        assert look(it, later=SLOW).unanswered == 2
        assert look(it, later=OUTAGE + SLOW).unanswered == 0
        it.window.latency = OUTAGE
        assert look(it).unanswered == 2
        assert look(it, later=OUTAGE + SLOW).unanswered == 2
        running.cancel()


async def test_the_horizon_is_seen() -> None:
    """Nothing more may be fetched, and there would be more."""
    async with rig(threads=2) as (_, it), asyncio.TaskGroup() as group:
        it.sink.horizon = MIB
        running = group.create_task(it.run())
        await until(lambda: look(it) == Signs(is_at_horizon=True))
        running.cancel()


# -- helping ---------------------------------------------------------------------


async def test_a_large_remainder_is_stolen() -> None:
    """Half of what a lane that stands still has left goes to an idle one.

    The rest is raced when it is too small to split: the slow lane holds up nothing.
    """
    step = 2 * MIB
    slow = starting_at(0, Stall(64 * KIB))
    async with rig(slow, threads=2, step=step) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.stolen == [0]
        assert it.plan.raced == [0]
        assert it.faults == []
        assert origin.served <= FILE.size + MIB
        it.assert_nothing_flies()


async def test_a_small_remainder_is_raced() -> None:
    """What is too small to split is fetched twice, and the first to deliver wins."""
    async with rig(starting_at(STEP, Stall(1000)), threads=3) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.stolen == []
        assert it.plan.raced == [STEP]
        assert starts(origin)[-1] == STEP + 1000
        assert origin.served == FILE.size
        it.assert_nothing_flies()


async def test_a_loser_is_called_off() -> None:
    """Whoever wins a race frees the other lane, long before the file is whole."""
    async with (
        rig(starting_at(0, Stall(1000)), threads=2) as (origin, it),
        asyncio.TaskGroup() as group,
    ):
        it.sink.horizon = 2 * STEP
        running = group.create_task(it.run())
        await until(lambda: it.plan.done.total == 2 * STEP)
        assert it.plan.raced == [0]
        await origin.until(lambda: origin.open_connections < origin.connections)
        await until(lambda: not it.transfer.lanes)
        it.sink.horizon = OPEN_END
        it.transfer.poke()
        await running
        assert bytes(it.sink.data) == FILE.read()


async def test_who_has_lost_before_it_asks_does_not_ask() -> None:
    """The other may deliver all before a racer's first step; an empty range is none.

    Asked for one, servers give the whole file.
    """
    async with rig(starting_at(STEP, Stall(1000)), threads=3) as (origin, it):
        race = it.plan.race

        def lost(lane: int, victim: Segment) -> Segment:
            racer = race(lane, victim)
            if len(it.plan.raced) == 1:
                racer.stop = racer.mark
            return racer

        it.plan.race = lost  # type: ignore[method-assign]
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.raced == [STEP, STEP]
        assert all(request.range for request in origin.requests)
        assert it.faults == []
        it.assert_nothing_flies()


async def test_in_a_stream_the_head_of_the_line_is_helped_first() -> None:
    """Where everybody waits for the front, it is relieved before what ends later."""
    stuck = {0: Stall(STEP // 4), STEP: Stall(1000), 2 * STEP: Stall(1000)}

    def script(request: Request) -> Any:
        assert request.range is not None
        return stuck.pop(request.range.start, None)

    async with rig(script, threads=4, in_order=True) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.raced == [0, STEP, 2 * STEP]


async def test_on_disk_who_ends_last_is_helped_first() -> None:
    """Where nobody waits for the front, the lane that would be the last is relieved."""
    stuck = {0: Stall(STEP // 4), STEP: Stall(1000)}

    def script(request: Request) -> Any:
        assert request.range is not None
        return stuck.pop(request.range.start, None)

    async with rig(script, threads=3) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.raced == [STEP, 0]


async def test_nobody_helps_a_lane_that_we_hold_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the limit is what is slow, a second fetch would only cost."""
    monkeypatch.setattr("engine.transfer.YOUNG", 0.0)
    content = Content(2 * STEP)
    async with rig(content=content, threads=2) as (origin, it):
        it.limiter.rate = 1.0
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.run())
            await until(lambda: it.received and _all_are(LaneState.HELD, it))
            assert it.transfer._next_segment(2, it.transfer.mirrors.first) is None
            assert len(origin.requests) == 2
            it.limiter.rate = None
            await running
        it.limiter.close()
        assert bytes(it.sink.data) == content.read()


@pytest.mark.parametrize(("tail", "connections"), [(100 * KIB, 1), (3 * MIB, 2)])
async def test_a_short_tail_is_cheaper_than_a_connection(
    tail: int, connections: int
) -> None:
    """What was stolen is read along where that is little, else the lane hangs up."""
    go_on = asyncio.Event()
    async with (
        rig([Stall(1000, until=go_on)], threads=1, step=4 * MIB) as (origin, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await until(lambda: it.received)
        [victim] = it.plan.segments
        stolen = it.plan.steal(1, victim, victim.stop - tail)
        it.plan.release(stolen)
        go_on.set()
        await running
        assert bytes(it.sink.data) == FILE.read()
        assert starts(origin) == [0, 4 * MIB - tail]
        assert origin.connections == connections


# -- naps ------------------------------------------------------------------------


async def test_nobody_waits_for_a_nap() -> None:
    """The segment of a lane that naps is fetched by another one at once."""
    script = starting_at(0, EmptyReply())
    async with rig(script, threads=2, drowsy=True) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert starts(origin).count(0) == 2
        assert len(it.faults) == 1
        it.assert_nothing_flies()


async def test_a_nap_can_be_seen() -> None:
    """A lane that naps says why; its number stays, its connection does not."""
    async with (
        rig([EmptyReply()], threads=1, drowsy=True) as (_, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await until(lambda: it.faults)
        [lane] = it.transfer.lanes.values()
        seen = lane.snapshot(monotonic())
        assert (seen.number, seen.state, seen.note) == (
            0,
            LaneState.RETRYING,
            "empty reply",
        )
        assert lane.response is None
        assert it.plan.segments == []
        running.cancel()
    it.assert_nothing_flies()


async def test_patience_ends_it_for_all() -> None:
    """When patience is out the transfer ends with what the last fault becomes."""
    async with rig(always(EmptyReply()), give_up_after=0.0) as (_, it):
        with pytest.raises(NetworkError, match="empty reply"):
            await it.run()
        it.assert_nothing_flies()


# -- ends ------------------------------------------------------------------------


async def test_a_sink_that_fails_ends_it() -> None:
    """No space on the disk: the error as it is, nobody flying, the leases given back."""
    async with rig() as (_, it):
        it.sink.error = LocalError("no space")
        with pytest.raises(LocalError, match="no space"):
            await it.run()
        it.assert_nothing_flies()
        assert it.plan.unleased == FILE.size


PHASES = ["connecting", "receiving", "storing", "napping", "held"]


@pytest.mark.parametrize("phase", PHASES)
async def test_it_may_be_cancelled_and_begun_again(phase: str) -> None:
    """Whatever its lanes do, cancelling frees everything, and nothing has to be redone."""
    go_on = asyncio.Event()
    script: dict[str, Script] = {
        "connecting": always(Stall(until=go_on)),
        "receiving": always(Stall(1000, until=go_on)),
        "napping": [EmptyReply(), EmptyReply()],
    }
    async with rig(script.get(phase, ()), threads=2, drowsy=phase == "napping") as (
        origin,
        it,
    ):
        if phase == "storing":
            it.sink.open.clear()
        if phase == "held":
            it.limiter.rate = 1.0
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.run())
            await origin.until(lambda: len(origin.requests) == 2)
            await _reached(phase, it)
            running.cancel()
        it.assert_nothing_flies()
        landed = it.plan.done.total
        assert it.sink.got.total == landed
        assert landed + it.plan.unleased == FILE.size
        go_on.set()
        it.sink.open.set()
        it.limiter.rate = None
        await it.run()
        it.limiter.close()
        assert bytes(it.sink.data) == FILE.read()


async def _reached(phase: str, it: Rig) -> None:
    wanted = {
        "connecting": LaneState.CONNECTING,
        "receiving": LaneState.RECEIVING,
        "napping": LaneState.RETRYING,
        "held": LaneState.HELD,
    }
    if phase == "storing":
        await until(lambda: it.transfer.waits_for_sink)
    else:
        await until(lambda: _all_are(wanted[phase], it))


def _all_are(state: LaneState, it: Rig) -> bool:
    """Whether two lanes fly, and both do this."""
    lanes = [lane.snapshot(monotonic()) for lane in it.transfer.lanes.values()]
    return [lane.state for lane in lanes] == [state] * 2


async def test_a_sink_that_takes_its_time_is_seen() -> None:
    """While most lanes store, it is the sink that the transfer waits for."""
    async with rig(threads=2) as (_, it), asyncio.TaskGroup() as group:
        it.sink.open.clear()
        running = group.create_task(it.run())
        await until(lambda: it.transfer.waits_for_sink)
        assert it.transfer.hole_lane(0) is not None
        it.sink.open.set()
        await running
        assert not it.transfer.waits_for_sink
        assert it.transfer.hole_lane(0) is None


# -- servers that cannot do it ---------------------------------------------------

UNABLE = Resource(ranges=False)
ENDLESS = Resource(ranges=False, length="chunked")


@pytest.mark.parametrize("resource", [UNABLE, ENDLESS])
async def test_without_ranges_there_is_one_lane(resource: Resource) -> None:
    """A server that gives no parts gives all of it to one lane, length known or not."""
    size = FILE.size if resource is UNABLE else None
    async with rig(resource=resource, ranges=False, size=size) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.size == FILE.size
        assert origin.connections == len(origin.requests) == 1


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("gone", ["etag", "last_modified", ""])
async def test_without_ranges_nothing_here_is_thrown_away(
    gone: str, *, in_order: bool
) -> None:
    """What is here is skipped, if the server can show that this is still the file."""
    marks: dict[str, Any] = {gone: None} if gone else {}
    resource = replace(UNABLE, **marks)
    async with rig(
        [CutAfter(MIB)], resource, ranges=False, in_order=in_order, **marks
    ) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.restarts == 0
        assert it.sink.written == FILE.size
        assert len(origin.requests) == 2
        assert it.faults[0].startswith("connection closed early")


NAMELESS: dict[str, Any] = {"etag": None, "last_modified": None}
"""What a server that marks no files tells of one."""
UNMARKED = replace(UNABLE, **NAMELESS)


async def test_without_ranges_and_validators_a_file_begins_again() -> None:
    """On disk what may be of another version is written again."""
    async with rig([CutAfter(MIB)], UNMARKED, ranges=False, **NAMELESS) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.plan.restarts > 0
        assert len(origin.requests) == 2


async def test_islands_are_kept_without_ranges() -> None:
    """What is here in the middle of a file is neither lost nor written twice."""
    done = [ByteRange(100, 2000), ByteRange(MIB, 3 * MIB)]
    async with rig([CutAfter(MIB // 2)], UNABLE, ranges=False, done=done) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.sink.written == FILE.size - 1900 - 2 * MIB
        assert it.plan.restarts == 0


async def test_what_follows_the_last_gap_is_not_fetched() -> None:
    """A lane that gets the whole file turns away when it has what is missing."""
    content = Content(64 * MIB, seed=8)
    done = [ByteRange(MIB, content.size)]
    async with rig((), UNABLE, content=content, ranges=False, done=done) as (
        origin,
        it,
    ):
        await it.run()
        assert bytes(it.sink.data[:MIB]) == content.read(0, MIB)
        assert origin.served < 48 * MIB


async def test_progress_is_what_nobody_had_before() -> None:
    """Bytes that are fetched a second time do not restore patience."""
    cuts = [CutAfter(MIB), CutAfter(2 * MIB), CutAfter(MIB)]
    async with rig(cuts, UNMARKED, ranges=False, **NAMELESS) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.sink.written > it.patience.progress == FILE.size


async def test_a_file_that_always_breaks_at_one_place_is_given_up() -> None:
    """Beginning again and again is no progress."""
    async with rig(
        always(CutAfter(MIB)), UNMARKED, ranges=False, give_up_after=0.2, **NAMELESS
    ) as (_, it):
        with pytest.raises(NetworkError, match="connection closed early"):
            await it.run()
        it.assert_nothing_flies()


async def test_without_ranges_and_validators_a_stream_ends() -> None:
    """What cannot be shown to be the same file is not put behind what was delivered."""
    async with rig(
        [CutAfter(MIB)], UNMARKED, ranges=False, in_order=True, **NAMELESS
    ) as (_, it):
        segment = it.plan.lease(0, OPEN_END)
        assert segment is not None
        body = await it.source.open(None)
        with pytest.raises(ChangedError, match="cannot continue a stream"):
            await it.run((segment, body))
        it.assert_nothing_flies()
        assert it.sink.got.total == MIB


# -- servers that forget ranges --------------------------------------------------


@pytest.fixture
def no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter is always nothing."""
    monkeypatch.setattr("engine.patience.random.random", lambda: 0.0)


ISLANDS = [ByteRange(1000, 300_000), ByteRange(2 * MIB, 3 * MIB)]


@pytest.mark.usefixtures("no_naps")
@pytest.mark.parametrize("done", [[], ISLANDS])
@pytest.mark.parametrize("threads", [1, 4])
async def test_who_forgets_ranges_is_read_from_the_beginning(
    threads: int, done: list[ByteRange]
) -> None:
    """Three wholes in a row for parts, and one lane reads it all, skipping what is here."""
    script = always(IgnoreRange())
    async with rig(script, threads=threads, done=done) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.sink.written == FILE.size - sum(part.size for part in done)
        assert it.plan.restarts == 0
        assert not it.transfer.remote.ranges
        forgotten = [request for request in origin.requests if request.range]
        assert FORGETFUL <= len(forgotten) < FORGETFUL + threads
        assert len(origin.requests) == len(forgotten) + 1
        assert origin.requests[-1].range is None
        assert len(it.faults) == len(forgotten)
        it.assert_nothing_flies()


@pytest.mark.usefixtures("no_naps")
async def test_only_ranges_forgotten_in_a_row_count() -> None:
    """A server that gives parts in between is asked for parts."""
    forget = [IgnoreRange()] * (FORGETFUL - 1)
    async with rig([*forget, None, *forget, None, *forget], threads=1) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.transfer.remote.ranges
        assert all(request.range for request in origin.requests)
        assert len(it.faults) == 3 * len(forget)


@pytest.mark.usefixtures("no_naps")
async def test_a_part_that_comes_after_ranges_were_given_up_is_a_part() -> None:
    """An answer belongs to its question, whatever was found out meanwhile."""
    late = starting_at(STEP, Delay(0.5))

    def script(request: Request) -> Any:
        first = request.number == 1 or request.range is None
        return None if first else late(request) or IgnoreRange()

    async with rig(script, step=MIB) as (_, it):
        await it.run(await it.first(STEP))
        assert bytes(it.sink.data) == FILE.read()
        assert it.sink.written == FILE.size


# -- servers that say no ---------------------------------------------------------


async def test_who_is_denied_while_others_are_served_makes_do_with_fewer() -> None:
    """Too many connections: the window shrinks, and those that fly are left alone."""
    go_on = asyncio.Event()

    def script(request: Request) -> Any:
        if request.busy > 2:
            return Status(403)
        return None if go_on.is_set() else Stall(1000, until=go_on)

    async with rig(script, threads=2) as (origin, it), asyncio.TaskGroup() as group:
        running = group.create_task(it.run())
        await until(lambda: it.received and _all_are(LaneState.RECEIVING, it))
        it.window.resize(2, 4, monotonic())
        it.transfer.set_threads(4)
        await until(lambda: it.window.size == 2 and len(it.transfer.lanes) == 2)
        assert it.window.latest.reason == "HTTP 403"
        go_on.set()
        await running
        assert bytes(it.sink.data) == FILE.read()
        assert starts(origin).count(0) == starts(origin).count(STEP) == 1
        it.assert_nothing_flies()


@pytest.mark.usefixtures("no_naps")
@pytest.mark.parametrize("status", [401, 403, 410])
@pytest.mark.parametrize("threads", [1, 4])
async def test_who_is_denied_alone_has_an_expired_link(
    status: int, threads: int
) -> None:
    """Where nobody is served one lane asks on; denied again and again, it ends."""
    async with rig(always(Status(status)), threads=threads) as (origin, it):
        with pytest.raises(ExpiredError, match=f"HTTP {status}") as raised:
            await it.run()
        assert raised.value.status == status
        assert it.window.size == 1
        last = origin.requests[-DENIALS - 1 :]
        assert {request.busy for request in last} == {1}
        assert len(origin.requests) <= threads + DENIALS + 1
        it.assert_nothing_flies()
        assert it.plan.unleased == FILE.size


@pytest.mark.usefixtures("no_naps")
async def test_what_is_not_found_any_more_is_no_expired_link() -> None:
    """A file that is gone for good is refused: no fresh link would help."""
    async with rig(always(Status(404))) as (_, it):
        with pytest.raises(RefusedError, match="HTTP 404") as raised:
            await it.run()
        assert type(raised.value) is RefusedError
        it.assert_nothing_flies()


@pytest.mark.usefixtures("no_naps")
async def test_denials_that_pass_are_forgotten() -> None:
    """Each part that is served shows that the link is good."""
    deny = [Status(403)] * DENIALS
    async with rig([*deny, None, *deny, None, *deny], threads=1) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert len(it.faults) == 3 * DENIALS


@pytest.mark.usefixtures("no_naps")
async def test_a_link_is_resolved_anew_before_it_counts_as_expired() -> None:
    """Where a redirect led may expire by itself: the link that was given may not."""
    signed = Resource(FILE, script=[None, *[Status(403)] * 99])
    paths = {"/": Resource(redirect="/1"), "/1": signed, "/2": Resource(FILE)}
    async with Origin(paths) as origin, transport() as door:
        it = made(origin, door, threads=1)
        it.source.pin(await _closed(it.source))
        assert it.source.url == origin.url("/1")
        origin.resources["/"] = Resource(redirect="/2")
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.source.url == origin.url("/2")
        assert [fault.split(",")[0] for fault in it.faults] == ["HTTP 403"]


async def _closed(source: Source) -> Response:
    """An answer that nobody reads."""
    response = await source.open(ByteRange(0, 1))
    response.close()
    return response


# -- answers about other files ---------------------------------------------------

HERE = [ByteRange(0, STEP)]
"""Some bytes by which the file can be told from another."""


def looks(origin: Origin) -> list[Request]:
    """The requests that find out what is true: without a condition."""
    return [one for one in origin.requests if "if-range" not in one.headers]


async def test_another_tag_is_settled_once_for_all_lanes() -> None:
    """Where bytes agree the tag is dropped, and nobody is charged for the question."""
    async with rig(resource=Resource(etag='"node 2"'), done=HERE) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.transfer.remote == replace(it.remote, etag=None)
        assert it.faults == []
        assert len(looks(origin)) == 1
        asked = [one.headers["if-range"] for one in origin.requests[-4:]]
        assert set(asked) == {LAST_MODIFIED}
        it.assert_nothing_flies()


async def test_another_file_ends_it_for_all_lanes() -> None:
    """Bytes that are others are another version: one look, and nobody asks on."""
    other = Resource(Content(FILE.size, seed=99), etag='"v2"')
    async with Origin({"/": other}) as origin, transport() as door:
        it = made(origin, door, done=HERE)
        with pytest.raises(ChangedError, match='it is "v2"'):
            await it.run()
        assert len(looks(origin)) == 1
        assert len(origin.requests) <= 5
        assert it.sink.written == 0
        it.assert_nothing_flies()


async def test_two_looks_at_another_version_end_it() -> None:
    """Another tag and another date, twice, are another file."""
    later = "Thu, 02 Jan 2025 00:00:00 GMT"
    served = Resource(etag='"v2"', last_modified=later)
    async with rig(resource=served) as (origin, it):
        with pytest.raises(ChangedError):
            await it.run()
        assert len(looks(origin)) == 1
        assert len(origin.requests) <= 5
        it.assert_nothing_flies()


WRONG = Relabel((("ETag", '"v2"'), ("Last-Modified", "another day")))


async def test_one_answer_about_another_file_is_a_hiccup() -> None:
    """Where a second look shows the file that is known nothing is lost."""
    async with rig(starting_at(STEP, WRONG)) as (_, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.transfer.remote == it.remote
        assert it.sink.written == FILE.size


@pytest.mark.usefixtures("no_naps")
async def test_a_server_that_contradicts_itself_is_given_up() -> None:
    """Parts of another file and looks at this one: that costs patience, and ends."""

    def script(request: Request) -> Any:
        return WRONG if "if-range" in request.headers else None

    async with rig(script, threads=1, give_up_after=0.2) as (origin, it):
        async with asyncio.timeout(3.0):
            with pytest.raises(HydraError):
                await it.run()
        assert it.faults
        assert origin.requests
        it.assert_nothing_flies()


async def test_before_a_byte_is_here_nobody_is_believed() -> None:
    """Another tag of the same day costs a nap until there are bytes to compare."""
    script = starting_at(0, Stall(until=(go_on := asyncio.Event())))
    async with (
        rig(script, threads=2, etag='"node 1"', drowsy=True) as (_, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run(await it.first(STEP)))
        await until(lambda: it.faults)
        assert "before a byte was here" in it.faults[0]
        go_on.set()
        await until(lambda: it.plan.done.total >= STEP)
        running.cancel()
    it.assert_nothing_flies()


@pytest.mark.usefixtures("no_naps")
async def test_a_web_page_in_between_is_asked_away() -> None:
    """A portal that answers for a while says nothing about the file."""
    page = Relabel((("Content-Type", "text/html"), ("ETag", '"portal"')))
    portal = [page] * 6
    kind: dict[str, Any] = {"media_type": "application/octet-stream"}
    async with rig(portal, threads=2, **kind) as (origin, it):
        await it.run()
        assert bytes(it.sink.data) == FILE.read()
        assert it.transfer.remote == it.remote
        assert {fault.split(",")[0] for fault in it.faults} == {
            "a web page came instead of the file"
        }
        assert looks(origin) == []


# -- sleep and silence -----------------------------------------------------------


async def test_a_machine_that_woke_begins_its_connections_anew() -> None:
    """Each lane goes on where it was over a new connection, and nobody is charged."""
    stalls: list[Any] = [Stall(1000)] * 4
    async with rig(stalls) as (origin, it), asyncio.TaskGroup() as group:
        running = group.create_task(it.run())
        await until(lambda: it.sink.got.total == 4000)
        it.transfer.wake()
        await running
        assert bytes(it.sink.data) == FILE.read()
        assert it.sink.written == FILE.size
        assert it.faults == []
        assert origin.connections >= 8
        begun = {number * STEP + 1000 for number in range(4)}
        assert begun <= set(starts(origin))
        it.assert_nothing_flies()


async def test_what_breaks_from_before_the_sleep_is_nobodys_fault() -> None:
    """A question that was on its way when the machine slept is asked again at once."""
    silent = [Delay(FOR_EVER)] * 2
    async with (
        rig(silent, threads=2, drowsy=True) as (origin, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await origin.until(lambda: len(origin.requests) == 2)
        it.transfer.wake()
        origin.sever()
        await running
        assert bytes(it.sink.data) == FILE.read()
        assert it.faults == []
        assert it.window.size == 2


async def test_what_breaks_after_the_sleep_counts() -> None:
    """Only connections from before it are excused."""
    async with rig([Stall(1000), EmptyReply()], threads=1) as (_, it):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.run())
            await until(lambda: it.received)
            it.transfer.wake()
            await running
        assert bytes(it.sink.data) == FILE.read()
        assert len(it.faults) == 1


@pytest.mark.parametrize("resource", [UNABLE, ENDLESS])
async def test_without_ranges_a_woken_lane_loses_nothing(resource: Resource) -> None:
    """What is here is kept, and where it broke off is not taken for the end."""
    size = FILE.size if resource is UNABLE else None
    async with rig([Stall(MIB)], resource, ranges=False, size=size) as (_, it):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.run())
            await until(lambda: it.sink.got.total == MIB)
            it.transfer.wake()
            await running
        assert bytes(it.sink.data) == FILE.read()
        assert it.sink.written == FILE.size
        assert it.faults == []


@pytest.mark.parametrize(
    ("silence", "trouble", "naps"),
    [
        pytest.param(0.0, EmptyReply(), False, id="the first byte after a silence"),
        pytest.param(FOR_EVER, EmptyReply(), True, id="no silence"),
        pytest.param(0.0, Status(500), True, id="the server's own word"),
    ],
)
async def test_an_all_clear_ends_naps(
    monkeypatch: pytest.MonkeyPatch, silence: float, trouble: Any, *, naps: bool
) -> None:
    """Bytes after a silence show that an outage is over; not what a server asked for."""
    monkeypatch.setattr("engine.transfer.SILENCE", silence)
    go_on = asyncio.Event()
    script: list[Any] = [Stall(until=go_on), trouble, *[Stall()] * 9]
    async with (
        rig(script, threads=2, drowsy=True) as (origin, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await until(lambda: it.faults)
        assert origin.busy == 1
        go_on.set()
        await until(lambda: it.plan.done.total == STEP)
        await origin.until(lambda: origin.busy == (1 if naps else 2))
        states = {lane.state for lane in it.transfer.lanes.values()}
        assert (LaneState.RETRYING in states) is naps
        running.cancel()
    it.assert_nothing_flies()


async def test_who_is_held_back_by_ourselves_is_known() -> None:
    """The limit, the sink and the horizon are our own doing; a slow server is not."""
    async with rig(threads=2) as (_, it), asyncio.TaskGroup() as group:
        it.sink.open.clear()
        running = group.create_task(it.run())
        await until(lambda: it.transfer.waits_for_sink)
        assert it.transfer.is_held_back
        it.sink.open.set()
        await running
    go_on = asyncio.Event()
    async with (
        rig(always(Stall(1000, until=go_on)), threads=2) as (_, it),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(it.run())
        await until(lambda: it.received and _all_are(LaneState.RECEIVING, it))
        assert not it.transfer.is_held_back
        go_on.set()
        await running
