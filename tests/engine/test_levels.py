"""What may be seen of a job, in each phase of its life."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest

from engine.bottleneck import QUORUM, Signs
from engine.config import Config
from engine.delivery import Delivery, FileDelivery, StreamDelivery
from engine.disk import Disk
from engine.effort import MOUTHFUL
from engine.files import FileSink
from engine.job import Job
from engine.journal import Link
from engine.lane import Lane
from engine.levels import snapshot_of
from engine.limiter import Limiter
from engine.mirrors import Mirror, Mirrors
from engine.model import (
    Block,
    Bottleneck,
    Digest,
    FrontSnapshot,
    HashSnapshot,
    Hop,
    JobSpec,
    JobState,
    LaneState,
    Promise,
    RemoteFile,
    SourceSnapshot,
)
from engine.places import Places
from engine.plan import Plan, Segment
from engine.ranges import ByteRange
from engine.sinks import StreamSink
from engine.source import Source
from engine.transfer import Transfer
from engine.transport import Headers, Response, Transport
from engine.verify import Verifier
from engine.window import Seat, Window
from tests.support.listener import Listener

URL = "https://user:pw@example.org/data/file.bin?token=secret"
FOLDER = Path("nowhere")
SIZE = 1000


def _home() -> Mirror:
    """The only source there is."""
    source = Source(cast(Transport, None), Limiter(), URL)
    mirror = Mirror(
        source,
        Seat(lambda host: Window(host, 0.0), None),
        RemoteFile(url=URL, size=SIZE, ranges=True, name="given.bin"),
    )
    mirror.join()
    return mirror


class Flight:
    """A transfer as it is seen: its lanes, and what a look at it finds."""

    def __init__(self, *segments: Segment) -> None:
        self.mirrors = Mirrors(_home(), (), Listener())
        first = self.mirrors.first
        self.lanes = {one.lane: Lane(one, first, 0.0) for one in segments}
        self.segments = segments
        self.seen = Signs()

    def signs(self, _now: float) -> Signs:
        return self.seen

    def poke(self) -> None:
        """Nobody waits for it."""

    def hole_lane(self, front: int) -> int | None:
        for segment in self.segments:
            if segment.landed <= front < segment.stop:
                return segment.lane
        return None


def to(stream: StreamSink | None, verifier: Verifier | None) -> Delivery:
    """A delivery to a stream, else to a file that nobody writes."""
    if stream is not None:
        return StreamDelivery(stream, verifier)
    file = FileSink(FOLDER, Link.of(URL), Places(), cast(Disk, None))
    return FileDelivery(file, verifier)


def job(
    stream: StreamSink | None = None, verifier: Verifier | None = None, **spec: Any
) -> Job:
    """A job that nobody runs."""
    limiter = Limiter()
    return Job(
        7,
        JobSpec(URL, **spec),
        config=Config(threads=4),
        make_source=lambda url: Source(cast(Transport, None), limiter, url),
        limiter=limiter,
        window_of=lambda host: Window(host, 0.0),
        make_delivery=lambda _: to(stream, verifier),
        emit=lambda *_, **__: None,
        count=lambda _: None,
        on_received=lambda: None,
    )


def probed(job: Job, size: int | None = SIZE) -> Job:
    """The job once its first answer is here."""
    job.remote = RemoteFile(url=URL, size=size, ranges=True, name="given.bin")
    job.plan = Plan(size)
    job.state = JobState.RUNNING
    return job


def flying(job: Job, *sizes: int) -> Flight:
    """Give the job's first bytes to as many lanes."""
    segments = [job.plan.lease(number, size) for number, size in enumerate(sizes)]
    flight = Flight(*(segment for segment in segments if segment is not None))
    job.effort.transfer = cast(Transfer, flight)
    return flight


def landed(job: Job, segment: Segment, size: int) -> None:
    part = job.plan.claim(segment, size)
    assert part is not None
    job.plan.land(segment, part)


@pytest.fixture
def running() -> Job:
    """A job on disk: lane 0 has nothing yet, lane 1 is done, lane 2 has begun."""
    running = probed(job())
    flight = flying(running, 300, 200, 400)
    landed(running, flight.segments[1], 200)
    landed(running, flight.segments[2], 100)
    return running


# -- in brief --------------------------------------------------------------------


def test_a_job_that_has_not_begun_knows_little() -> None:
    """Before the first answer there is a name, and no size."""
    seen = snapshot_of(job(), detailed=True)
    assert (seen.id, seen.name, seen.state) == (7, "file.bin", JobState.QUEUED)
    assert (seen.size, seen.done, seen.rate, seen.lane_count) == (None, 0, 0.0, 0)
    assert (seen.window, seen.hashes, seen.lanes, seen.pieces) == (None, (), (), ())
    assert (seen.target, seen.verdict, seen.streaming) == ("", "", False)
    assert seen.bottleneck is Bottleneck.NETWORK


def test_no_secret_is_seen() -> None:
    """Userinfo and the values of the query are masked, in brief and in detail."""
    for detailed in (False, True):
        seen = snapshot_of(job(), detailed=detailed)
        assert seen.url == "https://example.org/data/file.bin?token=***"
        assert "secret" not in repr(seen)
        assert "pw" not in repr(seen)


def test_what_was_asked_for_is_seen() -> None:
    """Threads and limit as typed for this file, else as typed for all."""
    seen = snapshot_of(job(threads=2, limit=5e6, name="mine"), detailed=False)
    assert (seen.threads, seen.limit, seen.name) == (2, 5e6, "mine")
    assert snapshot_of(job(), detailed=False).threads == 4


def test_in_brief_there_are_no_details(running: Job) -> None:
    """A queue of hundreds is looked at often: only what a row shows is made."""
    seen = snapshot_of(running, detailed=False)
    assert (seen.size, seen.done, seen.lane_count) == (SIZE, 300, 3)
    assert (seen.lanes, seen.pieces, seen.front) == ((), (), None)


def test_a_job_that_stands_still_has_no_rate(running: Job) -> None:
    """The rate of the last second is not shown once nothing runs."""
    running.meter.add(1 << 30, running.meter._last + 0.1)
    assert snapshot_of(running, detailed=False).rate > 0
    for state in JobState:
        if not state.is_live:
            running.state = state
            assert snapshot_of(running, detailed=False).rate == 0.0


def test_the_target_is_seen_once_it_is_chosen() -> None:
    """Where the file will be, and its name from then on, numbered or not."""
    chosen = probed(job(name="mine"))
    assert snapshot_of(chosen, detailed=False).target == ""
    assert chosen.delivery.file is not None
    chosen.delivery.file.target = FOLDER / "mine (2)"
    seen = snapshot_of(chosen, detailed=False)
    assert (seen.target, seen.name) == ("nowhere/mine (2)", "mine (2)")


def test_an_expired_job_is_seen_as_it_is() -> None:
    """What is here and why it stopped can be read while a fresh link is awaited."""
    expired = probed(job())
    flight = flying(expired, 300)
    landed(expired, flight.segments[0], 200)
    expired.effort.transfer = None
    expired.state, expired.verdict = JobState.EXPIRED, "HTTP 403"
    seen = snapshot_of(expired, detailed=False)
    assert (seen.state, seen.verdict) == (JobState.EXPIRED, "HTTP 403")
    assert (seen.size, seen.done, seen.lane_count) == (SIZE, 200, 0)


def test_an_unknown_length_stays_unknown() -> None:
    """Nothing is made up where the server did not tell."""
    seen = snapshot_of(probed(job(), size=None), detailed=True)
    assert (seen.size, seen.done) == (None, 0)


# -- in detail -------------------------------------------------------------------


def test_lanes_come_in_the_order_of_their_numbers(running: Job) -> None:
    """Each row of the grid is the same lane, whoever took off last."""
    assert running.effort.transfer is not None
    running.effort.transfer.lanes = dict(
        reversed(running.effort.transfer.lanes.items())
    )
    seen = snapshot_of(running, detailed=True).lanes
    assert [lane.number for lane in seen] == [0, 1, 2]
    assert [lane.range for lane in seen] == [
        ByteRange(0, 300),
        ByteRange(300, 500),
        ByteRange(500, 900),
    ]
    assert [lane.mark for lane in seen] == [0, 500, 600]
    assert {lane.state for lane in seen} == {LaneState.CONNECTING}


def test_a_stolen_part_is_not_shown_twice(running: Job) -> None:
    """A lane's mark stays in its range, also where the range shrank behind it."""
    victim = running.plan.segments[2]
    running.plan.steal(3, victim, victim.mark)
    victim.stop = victim.mark - 50
    seen = snapshot_of(running, detailed=True).lanes[2]
    assert seen.range.start <= seen.mark <= seen.range.stop


def test_on_disk_pieces_wait_beyond_the_front(running: Job) -> None:
    """The front is the first byte that is not here, and its lane holds the hole."""
    seen = snapshot_of(running, detailed=True)
    assert seen.pieces == (ByteRange(300, 600),)
    assert seen.front == FrontSnapshot(
        front=0, waiting=300, depth=0, capacity=None, hole_lane=0
    )
    landed(running, running.plan.segments[0], 50)
    front = snapshot_of(running, detailed=True).front
    assert front == FrontSnapshot(
        front=50, waiting=300, depth=1, capacity=None, hole_lane=0
    )


async def test_in_a_stream_blocks_wait_in_the_heap() -> None:
    """The front is what the reader has had; blocks behind a hole wait for it."""
    sink = StreamSink(SIZE)
    streaming = probed(job(stream=sink))
    flight = flying(streaming, 300, 200)
    landed(streaming, flight.segments[1], 200)
    await sink.write(Block(300, (bytes(200),), 200))
    seen = snapshot_of(streaming, detailed=True)
    assert seen.streaming
    assert seen.front == FrontSnapshot(
        front=0, waiting=200, depth=1, capacity=SIZE, hole_lane=0
    )


def test_the_window_is_seen_while_it_is_joined(running: Job) -> None:
    """How many may fly, and why."""
    window = running.effort._join()
    seen = snapshot_of(running, detailed=True).window
    assert seen == window.snapshot()


def test_the_digest_is_seen_from_the_beginning() -> None:
    """What is expected, and how far it has been computed."""
    expected = Digest("md5", "0" * 32)
    hashing = job(verifier=Verifier(cast(Any, None), [Promise(expected, "--checksum")]))
    [seen] = snapshot_of(hashing, detailed=True).hashes
    assert seen == HashSnapshot(
        algorithm="md5", hashed=0, expected=expected.hex, origin="--checksum"
    )


# -- where its bytes come from ---------------------------------------------------


class Head:
    """The head of an answer."""

    status = 206
    url = "https://cdn.example/file.bin?sig=secret"

    def __init__(self, *lines: str) -> None:
        self.headers = Headers()
        for line in lines:
            self.headers.add(line.encode())


def answered(job: Job, *lines: str) -> Job:
    """The job once an answer was believed."""
    job._trail.source.pin(cast(Response, Head(*lines)))
    return job


def test_before_an_answer_nobody_knows_where_bytes_come_from() -> None:
    """A source is seen once it was believed."""
    assert snapshot_of(job(), detailed=True).source is None


def test_what_the_first_answer_told_is_seen() -> None:
    """The way to it, its headers and what they mean; no secret is in it."""
    known = answered(job(), "ETag: v1", "Content-Type: image/png", "Set-Cookie: secret")
    source = snapshot_of(known, detailed=True).source
    assert source == SourceSnapshot(
        hops=(Hop(206, "https://cdn.example/file.bin?sig=***"),),
        headers=(
            ("etag", "v1"),
            ("content-type", "image/png"),
            ("set-cookie", "***"),
        ),
        ranges=True,
        etag="v1",
        media_type="image/png",
    )
    assert snapshot_of(known, detailed=False).source is None


@pytest.mark.parametrize("state", JobState)
def test_it_is_seen_in_every_state(state: JobState) -> None:
    """Also of a job that is paused, has failed, expired, or is done."""
    known = answered(job(), "ETag: v1")
    known.state = state
    source = snapshot_of(known, detailed=True).source
    assert source is not None
    assert source.etag == "v1"


# -- what it waits for -----------------------------------------------------------

STREAMS: list[tuple[set[str], Signs, Bottleneck]] = [
    (set(), Signs(), Bottleneck.NETWORK),
    ({"ready"}, Signs(), Bottleneck.NETWORK),
    (set(), Signs(is_at_horizon=True), Bottleneck.HEAD),
    ({"ready"}, Signs(is_at_horizon=True), Bottleneck.READER),
    ({"taken"}, Signs(is_at_horizon=True), Bottleneck.READER),
    ({"taken", "a little"}, Signs(is_at_horizon=True), Bottleneck.HEAD),
    ({"taken", "released"}, Signs(is_at_horizon=True), Bottleneck.HEAD),
]


def looked_at(job: Job, seen: Signs) -> Job:
    """The job after some looks that found this of its transfer."""
    if job.effort.transfer is not None:
        cast(Flight, cast(object, job.effort.transfer)).seen = seen
    for _ in range(QUORUM):
        job.effort.tick()
    return job


@pytest.mark.parametrize(("reader", "seen", "bottleneck"), STREAMS)
async def test_a_reader_is_busy_while_it_has_bytes(
    reader: set[str], seen: Signs, bottleneck: Bottleneck
) -> None:
    """At the horizon it is the reader, where bytes wait for him or are with him."""
    size = 100 if "a little" in reader else MOUTHFUL
    sink = StreamSink(2 * MOUTHFUL)
    if reader:
        await sink.write(Block(0, (bytes(size),), size))
    if "taken" in reader:
        assert sink.buffer.take(size)
    if "released" in reader:
        sink.buffer.release(size)
    streaming = probed(job(stream=sink))
    flying(streaming, 300)
    looked_at(streaming, replace(seen, lanes=1, in_order=True))
    for detailed in (False, True):
        assert snapshot_of(streaming, detailed=detailed).bottleneck is bottleneck


def test_what_its_lanes_wait_for_is_seen(running: Job) -> None:
    """Of a file in the same words."""
    looked_at(running, Signs(lanes=3, storing=3))
    assert snapshot_of(running, detailed=False).bottleneck is Bottleneck.DISK


def test_a_host_that_wants_to_be_left_alone_is_the_limit() -> None:
    """Before the first answer, too: nobody may ask."""
    asking = job()
    asking.state = JobState.PROBING
    window = asking.effort._join()
    looked_at(asking, Signs())
    assert snapshot_of(asking, detailed=False).bottleneck is Bottleneck.NETWORK
    window.close_until(monotonic() + 60)
    looked_at(asking, Signs())
    assert snapshot_of(asking, detailed=False).bottleneck is Bottleneck.SERVER


def test_what_stands_still_waits_for_nothing(running: Job) -> None:
    """What limited it last is not shown once it is over."""
    looked_at(running, Signs(lanes=3, throttled=3))
    for state in JobState:
        running.state = state
        seen = snapshot_of(running, detailed=True).bottleneck
        assert (seen is Bottleneck.THROTTLE) is state.is_live
