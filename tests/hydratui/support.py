"""An engine that is steered like the real one and has no network behind it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

from engine import (
    Bottleneck,
    ByteRange,
    EngineSnapshot,
    Event,
    EventKind,
    FrontSnapshot,
    HashSnapshot,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
    LaneSnapshot,
    LaneState,
    MirrorSnapshot,
    MirrorState,
    PiecesSnapshot,
    Timetable,
    WindowChange,
    WindowSnapshot,
)
from hydratui.app import HydraApp

MIB = 1024 * 1024
GIB = 1024 * MIB
NOW = 1000.0
"""The moment at which every prepared picture is taken."""

Call = tuple[str, *tuple[object, ...]]

HOSTILE = (
    "\x1b]0;owned\x07evil.iso",
    "\x1b[2Jwiped",
    "\x9b31mred",
    "[/]",
    "x [/nope]",
    "[link=http://x]y",
    "[@click=app.quit]free.iso",
    "two\nlines\r\tand a tab",
    "\u202egpj.exe",
    "a\u200bb\u2066c\ufeffd",
    "數據集分片數據集分片數據集分片數據集分片數據集分片.tar.gz",
    "👩‍👩‍👧 family ⚠️.zip",
    "\udc80\udcff surrogate",
    "\x00nul",
    "z" * 10_000,
    "",
)


METALINK = """<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="one.bin"><url>https://a.org/one.bin</url></file>
  <file name="two.bin"><url>https://a.org/two.bin</url></file>
</metalink>
"""


class FakeEngine:
    """Jobs that change state when they are told to; what it was told is kept."""

    def __init__(
        self,
        jobs: Iterable[JobSnapshot] = (),
        *,
        rate: float | None = None,
        limit: float | None = None,
        events: Iterable[Event] = (),
    ) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.specs: dict[JobId, JobSpec] = {}
        self.limit = limit
        self.at = NOW
        self.calls: list[Call] = []
        self.happened = list(events)
        self._rate = rate

    @property
    def rate(self) -> float:
        if self._rate is not None:
            return self._rate
        return sum(job.rate for job in self.jobs.values())

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        return EngineSnapshot(
            at=self.at,
            jobs=tuple(
                job if job.id == detail else brief(job) for job in self.jobs.values()
            ),
            rate=self.rate,
            received=sum(job.done for job in self.jobs.values()),
            limit=self.limit,
            flying=sum(job.lane_count for job in self.jobs.values()),
        )

    async def events(self) -> AsyncIterator[Event]:
        for event in self.happened:
            yield event
        await asyncio.Event().wait()

    def add(self, spec: JobSpec, *, first: bool = False, paused: bool = False) -> JobId:
        self.calls.append(("add", spec.url))
        number = max(self.jobs, default=0) + 1
        state = JobState.PAUSED if paused else JobState.QUEUED
        job = make_job(number, spec.url.rpartition("/")[2], state, size=None)
        job = replace(job, url=spec.url, command=spec.command or "", limit=spec.limit)
        self.specs[number] = spec
        others = self.jobs
        self.jobs = {number: job, **others} if first else {**others, number: job}
        return number

    def find(self, spec: JobSpec) -> JobId | None:
        known = (n for n, one in self.specs.items() if one.url == spec.url)
        return next(known, None)

    def spec(self, job: JobId) -> JobSpec:
        return self.specs.get(job, JobSpec(self.jobs[job].url + "?token=secret"))

    def revise(self, job: JobId, spec: JobSpec) -> None:
        self.calls.append(("revise", job, spec))
        self.specs[job] = spec
        self.jobs[job] = replace(
            self.jobs[job], command=spec.command or "", limit=spec.limit
        )

    def pause(self, job: JobId) -> None:
        self.calls.append(("pause", job))
        if not self.jobs[job].state.is_final:
            self._change(job, state=JobState.PAUSED)

    def resume(self, job: JobId) -> None:
        self.calls.append(("resume", job))
        if self.jobs[job].state is JobState.PAUSED:
            self._change(job, state=JobState.RUNNING)

    def retry(self, job: JobId) -> None:
        self.calls.append(("retry", job))
        if self.jobs[job].state.is_final:
            self._change(job, state=JobState.QUEUED)

    def renew(self, job: JobId, url: str) -> None:
        self.calls.append(("renew", job, url))
        self._change(job, state=JobState.QUEUED)

    def remove(self, job: JobId, *, delete: bool = False) -> None:
        self.calls.append(("remove", job, delete))
        del self.jobs[job]

    def move(self, job: JobId, places: int) -> None:
        self.calls.append(("move", job, places))
        order = list(self.jobs)
        place = min(max(order.index(job) + places, 0), len(order) - 1)
        order.remove(job)
        order.insert(place, job)
        self.jobs = {number: self.jobs[number] for number in order}

    def hold(self) -> None:
        self.calls.append(("hold",))

    def release(self) -> None:
        self.calls.append(("release",))

    def set_limit(self, rate: float | None, job: JobId | None = None) -> None:
        if job is None:
            self.calls.append(("set_limit", rate))
            self.limit = rate
        else:
            self.calls.append(("set_limit", rate, job))
            self.jobs[job] = replace(self.jobs[job], limit=rate)

    def set_timetable(self, timetable: Timetable) -> None:
        self.calls.append(("set_timetable", timetable))

    def set_threads(self, job: JobId, n: int | None) -> None:
        self.calls.append(("set_threads", job, n))
        self.jobs[job] = replace(self.jobs[job], threads=n)

    def set_turn_budget(self, seconds: float | None) -> None:
        self.calls.append(("set_turn_budget", seconds))

    def _change(self, job: JobId, *, state: JobState) -> None:
        self.jobs[job] = replace(
            self.jobs[job], state=state, rate=0.0, lane_count=0, lanes=()
        )


def brief(job: JobSnapshot) -> JobSnapshot:
    """A job that nobody asked for in detail."""
    return replace(
        job,
        lanes=(),
        pieces=(),
        window=None,
        front=None,
        hashes=(),
        searching=False,
        parts=None,
        mirrors=(),
        source=None,
        piped=None,
    )


def make_job(
    number: int = 1,
    name: str | None = None,
    state: JobState = JobState.RUNNING,
    *,
    size: int | None = 4 * GIB,
    share: float = 0.0,
    rate: float = 0.0,
    lane_count: int = 0,
    verdict: str = "",
) -> JobSnapshot:
    """A job without detail."""
    name = f"dataset-shard-{number:05d}-of-00500.parquet" if name is None else name
    return JobSnapshot(
        id=number,
        name=name,
        url=f"https://cdn.example.org/shards/{number}",
        state=state,
        size=size,
        done=int((size or GIB) * share),
        rate=rate,
        lane_count=lane_count,
        threads=None,
        limit=None,
        streaming=False,
        verdict=verdict,
        target=f"download/{number}.parquet",
    )


def make_lanes(
    count: int, size: int = 4 * GIB, rate: float = 3.8e6
) -> tuple[LaneSnapshot, ...]:
    """Lanes spread over the file, no two alike, one of each odd kind."""
    length = size // count
    lanes = []
    for number in range(count):
        start = number * length
        mark = start + length * (number * 37 % 100) // 100
        lane = LaneSnapshot(
            number=number,
            state=LaneState.RECEIVING,
            range=ByteRange(start, start + length),
            mark=mark,
            rate=rate * (0.8 + number * 29 % 40 / 100),
        )
        lanes.append(_odd(lane))
    return tuple(lanes)


def _odd(lane: LaneSnapshot) -> LaneSnapshot:
    match lane.number:
        case 5:
            return replace(lane, state=LaneState.RETRYING, rate=0.0, note="429, 4 s")
        case 9:
            return replace(
                lane, state=LaneState.CONNECTING, mark=lane.range.start, rate=0.0
            )
        case 12:
            return replace(lane, racing=True)
        case 14:
            return replace(lane, state=LaneState.HELD, rate=0.0, note="")
        case _:
            return lane


def running_job(
    number: int = 1,
    *,
    lanes: int = 24,
    share: float = 0.51,
    streaming: bool = True,
    name: str | None = None,
) -> JobSnapshot:
    """A job in the middle of its work, with all the detail there is."""
    job = make_job(number, name, share=share, rate=182e6, lane_count=lanes)
    size = job.size or 0
    front = int(size * share * 0.94)
    parts = range(front + 24 * MIB, min(front + 400 * MIB, size - 16 * MIB), 40 * MIB)
    pieces = [
        ByteRange(0, front),
        *(ByteRange(start, start + 16 * MIB) for start in parts),
    ]
    return replace(
        job,
        lanes=make_lanes(lanes),
        pieces=tuple(pieces),
        streaming=streaming,
        window=WindowSnapshot(
            host="cdn.example.org",
            size=lanes + 4,
            flying=lanes,
            ceiling=128,
            reason=f"holding at {lanes + 4}: the {lanes + 5}th added 1 %",
            changes=(
                WindowChange(NOW - 50, 8, "each step brings more", cut=False),
                WindowChange(NOW - 31, lanes // 2, "429", cut=True),
                WindowChange(NOW - 8, lanes + 4, "added one", cut=False),
            ),
        ),
        front=FrontSnapshot(
            front=front,
            waiting=184 * MIB,
            depth=23,
            capacity=512 * MIB if streaming else None,
            hole_lane=14,
        ),
        hashes=(
            HashSnapshot(
                algorithm="sha256",
                hashed=front - 8 * MIB,
                expected="9f86d081" * 8,
                origin="SHA256SUMS",
                rate=178e6,
            ),
        ),
        bottleneck=Bottleneck.HEAD,
    )


def mirrored_job() -> JobSnapshot:
    """A job from four sources, of which one is benched, and one not asked yet."""
    job = running_job()
    sources = (
        ("cdn.example.org", MirrorState.USED, 16, ""),
        ("mirror.example.net", MirrorState.USED, 7, ""),
        ("ftp.example.edu", MirrorState.BENCHED, 0, "another file: 3.99 GiB long"),
        ("far.example.com", MirrorState.UNTRIED, 0, ""),
    )
    mirrors = tuple(
        MirrorSnapshot(
            url=f"https://{host}/shards/1",
            host=host,
            state=state,
            lanes=lanes,
            rate=lanes * 7.6e6,
            received=lanes * 93 * MIB,
            note=note,
        )
        for host, state, lanes, note in sources
    )
    lanes = tuple(
        replace(lane, host=sources[lane.number % 3 == 2][0]) for lane in job.lanes
    )
    return replace(job, lanes=lanes, mirrors=mirrors)


def promised_job() -> JobSnapshot:
    """A job of which two digests are promised, and those of its pieces."""
    job = running_job()
    [first] = job.hashes
    second = replace(first, algorithm="md5", expected="d41d8cd9" * 4, origin="Metalink")
    parts = PiecesSnapshot(
        algorithm="sha1", size=16 * MIB, count=256, checked=121, bad=2
    )
    return replace(job, hashes=(first, second), parts=parts)


def mixed_queue() -> list[JobSnapshot]:
    """One job in each state, and more behind them."""
    named = [
        running_job(1),
        make_job(2, share=0.269, rate=141e6, lane_count=32),
        make_job(
            3,
            "ubuntu-26.04-live-server-amd64.iso",
            JobState.VERIFYING,
            size=3 * GIB,
            share=0.998,
        ),
        make_job(
            4, "model [Q4_K_M] v1.2.gguf", JobState.PAUSED, size=42 * GIB, share=0.134
        ),
        make_job(5, "archive-2025-11.tar.zst", JobState.PROBING, size=None),
        make_job(
            6,
            "release-notes.pdf",
            JobState.FAILED,
            size=1_150_000,
            verdict="404 Not Found",
        ),
        make_job(
            7, "weights.safetensors", JobState.DONE, share=1.0, verdict="sha256 matches"
        ),
        make_job(8, "old.iso", JobState.CANCELLED, share=0.2),
    ]
    return named + [make_job(number, state=JobState.QUEUED) for number in range(9, 501)]


def hostile_queue() -> list[JobSnapshot]:
    """Names and verdicts from servers that mean no good."""
    return [
        replace(
            running_job(number, lanes=4, name=name),
            verdict=name,
            target=name,
        )
        for number, name in enumerate(HOSTILE, start=1)
    ]


def story(engine: FakeEngine) -> list[Event]:
    """Some events of job 1, up to now."""
    at = engine.at
    return [
        Event(at - 50, 1, EventKind.PROBED, "4.00 GiB, ranges, strong validator"),
        Event(at - 49, 1, EventKind.STARTED, "24 lanes to cdn.example.org"),
        Event(at - 31, 1, EventKind.WINDOW, "24 → 12: 429 from cdn.example.org"),
        Event(at - 2, 1, EventKind.RETRY, "lane 5: 429, asks again in 4 s"),
    ]


def live_a_minute(app: HydraApp, engine: FakeEngine) -> None:
    """Let the app see the minute that ends now; the engine must not be there yet."""
    jobs = dict(engine.jobs)
    for step in range(60, 0, -2):
        engine.at = NOW - step
        engine.jobs = {number: _wave(job, step) for number, job in jobs.items()}
        app.tick()
    engine.at, engine.jobs = NOW, jobs
    for event in story(engine):
        app.record(event)
    app.tick()


def _wave(job: JobSnapshot, step: int) -> JobSnapshot:
    """The job as it was that many seconds ago: now faster, now slower."""
    if job.window is None or job.front is None:
        return job
    size = 20 + (60 - step) // 6 if step > 31 else 10 + (31 - step) // 2
    swing = 1 + math.sin(step / 5)
    return replace(
        job,
        rate=job.rate * (0.6 + 0.2 * swing),
        window=replace(job.window, size=size, flying=size - step % 3),
        front=replace(
            job.front,
            front=max(job.front.front - step * 80 * MIB, 0),
            waiting=int(job.front.waiting * swing),
        ),
        hashes=tuple(
            replace(known, hashed=max(known.hashed - step * 80 * MIB, 0))
            for known in job.hashes
        ),
    )
