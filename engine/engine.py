"""The queue: which jobs run, and what they share.

One transport, one limiter, one window per host and two pools of threads serve
all jobs. A job is admitted while lanes are free: a few big files, or many small
ones. Everything here is called on the event loop that entered the engine.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Self

from engine.config import MOST_JOBS, Config, check_header, check_url
from engine.delivery import Delivery, FileDelivery, StreamDelivery
from engine.disk import Disk
from engine.errors import HydraError, UsageError
from engine.files import FileSink
from engine.heartbeat import Heartbeat, Moment
from engine.job import Job
from engine.journal import Link
from engine.levels import snapshot_of
from engine.limiter import Limiter
from engine.meter import Meter
from engine.model import (
    EngineSnapshot,
    Event,
    EventKind,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
)
from engine.naming import sanitise
from engine.places import Places
from engine.sinks import FdWriter, StreamSink
from engine.source import Source
from engine.transport import Transport
from engine.verify import Verifier
from engine.window import Window

TICK = 0.1
"""Seconds between looks at windows, limits and late lanes."""
HASH_THREADS = 2
REMEMBERED_EVENTS = 10_000
"""Events a slow subscriber may be behind before it loses the oldest."""


class Engine:
    """Downloads what it is given; an async context manager."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._limiter = Limiter(self.config.limit)
        self._jobs: dict[JobId, Job] = {}
        self._tasks: dict[JobId, asyncio.Task[None]] = {}
        self._waiting: deque[Job] = deque()
        self._windows: dict[str, Window] = {}
        self._places = Places()
        self._subscribers: set[asyncio.Queue[Event]] = set()
        self._stack = AsyncExitStack()
        self._transport = Transport(
            browser=self.config.browser,
            cacert=str(self.config.cacert) if self.config.cacert else None,
            insecure=self.config.insecure,
            connect_timeout=self.config.connect_timeout,
            stall_timeout=self.config.stall_timeout,
        )

    async def __aenter__(self) -> Self:
        self._meter = Meter(monotonic())
        self._disk = Disk()
        self._hashes = ThreadPoolExecutor(HASH_THREADS, "hydra-hash")
        await self._stack.enter_async_context(self._transport)
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._ticking = self._group.create_task(self._tick(), name="tick")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.clear()
        self._ticking.cancel()
        for job_id, task in self._tasks.items():
            if not self._jobs[job_id].state.is_final:
                task.cancel()
        await self._stack.aclose()
        for job in self._jobs.values():
            await job.close()
        self._limiter.close()
        self._disk.close()
        self._hashes.shutdown(wait=False, cancel_futures=True)

    # -- the queue -----------------------------------------------------------

    def add(self, spec: JobSpec) -> JobId:
        """Put a file into the queue; it starts as soon as lanes are free.

        Raises UsageError where the spec can never work.
        """
        _check(spec)
        job = self._make_job(spec)
        self._waiting.append(job)
        self._admit()
        return job.id

    async def wait(self, job: JobId) -> JobSnapshot:
        """Wait until a job is over; its last snapshot, or its error raised."""
        await self._jobs[job].milestones.finished.wait()
        error = self._jobs[job].error
        if error is not None:
            raise error
        return snapshot_of(self._jobs[job], detailed=False)

    def pause(self, job: JobId) -> None:
        """Let a job stand still; nothing it has is lost."""
        if self._jobs[job].may_become(JobState.PAUSED):
            self._jobs[job].pause()
            self._take_from_queue(job)

    def resume(self, job: JobId) -> None:
        """Put a paused job back into the queue."""
        if self._jobs[job].state is JobState.PAUSED:
            self._jobs[job].resume()
            self._waiting.append(self._jobs[job])
            self._admit()

    def renew(self, job: JobId, url: str) -> None:
        """Let a job whose link has expired go on with a fresh one for the same file."""
        check_url(url)
        if self._jobs[job].may_become(JobState.QUEUED):
            self._jobs[job].renew(url)
            self._waiting.append(self._jobs[job])
            self._admit()

    def cancel(self, job: JobId) -> None:
        """End a job for good; a partial file stays where it is."""
        if self._jobs[job].may_become(JobState.CANCELLED):
            self._jobs[job].cancel()
            self._take_from_queue(job)
            if job not in self._tasks and self._jobs[job].delivery.file is not None:
                self._group.create_task(self._jobs[job].close(), name=f"close {job}")

    def set_limit(self, rate: float | None) -> None:
        """Most bytes per second for everything together, from now on."""
        self._limiter.rate = rate

    def set_threads(self, job: JobId, threads: int | None) -> None:
        """Most lanes of a job, from now on; None lets the window find out."""
        self._jobs[job].set_threads(threads)

    def set_turn_budget(self, seconds: float | None) -> None:
        """How long one turn of the loop may spend on arriving bytes; None is freely."""
        self._transport.turn.budget = seconds

    # -- streams -------------------------------------------------------------

    @asynccontextmanager
    async def stream(
        self, urls: Iterable[str | JobSpec]
    ) -> AsyncGenerator[AsyncIterator[tuple[str, AsyncIterator[bytes]]]]:
        """The files of `urls`, one after the other, each in order, memory bounded.

        The next file is already on its way while the last one drains. Leaving
        early leaves nothing behind.
        """
        async with aclosing(self._streams(urls)) as jobs:
            yield self._named(jobs)

    async def pipe(self, urls: Iterable[str | JobSpec], fd: int) -> None:
        """Write the files of `urls` to a descriptor, one after the other.

        Raises ReaderGoneError when the reader has closed its end.
        """
        writer = FdWriter(fd)
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(writer.watch())
                await self._write_streams(urls, writer)
                watching.cancel()
        except* HydraError as errors:
            raise errors.exceptions[0] from None
        finally:
            writer.close()

    async def _write_streams(
        self, urls: Iterable[str | JobSpec], writer: FdWriter
    ) -> None:
        async with aclosing(self._streams(urls)) as jobs:
            async for job in jobs:
                async with aclosing(job.batches()) as batches:
                    async for batch in batches:
                        await writer.write(
                            [p for block in batch for p in block.buffers]
                        )

    async def _named(
        self, jobs: AsyncIterator[Job]
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        async for job in jobs:
            yield job.name, _joined(job)

    async def _streams(self, urls: Iterable[str | JobSpec]) -> AsyncGenerator[Job]:
        """Jobs in the order of `urls`, each as soon as its head is known."""
        specs = [JobSpec(url) if isinstance(url, str) else url for url in urls]
        for spec in specs:
            _check(spec)
        begun: list[Job] = []
        coming: asyncio.Queue[Job | None] = asyncio.Queue()
        fetching = self._group.create_task(self._fetch_ahead(specs, begun, coming))
        try:
            while (job := await coming.get()) is not None:
                await job.milestones.probed.wait()
                if job.error is None:
                    yield job
                    if not job.is_drained:
                        self.cancel(job.id)  # its reader has gone on to the next
                    await job.milestones.finished.wait()
                if job.error is not None:
                    raise job.error
        finally:
            fetching.cancel()
            for job in begun:
                self.cancel(job.id)
            tasks = (self._tasks.get(job.id) for job in begun)
            await asyncio.wait([fetching, *filter(None, tasks)])
            for job in begun:
                job.discard()

    async def _fetch_ahead(
        self, specs: list[JobSpec], begun: list[Job], coming: asyncio.Queue[Job | None]
    ) -> None:
        """Begin each file when the one before it is here, if not yet read.

        The one before that must have been: two at a time share the memory.
        """
        for spec in specs:
            previous = begun[-1].delivery.stream if begun else None
            job = self._make_job(spec, StreamSink(self.config.buffer, previous))
            begun.append(job)
            coming.put_nowait(job)
            self._start(job)
            await job.milestones.received.wait()
            if job.error is not None:
                return
            if len(begun) > 1:
                await begun[-2].milestones.finished.wait()
        coming.put_nowait(None)

    # -- levels and edges ----------------------------------------------------

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        """Everything as it is now; one job with its lanes and views."""
        now = monotonic()
        return EngineSnapshot(
            at=now,
            jobs=tuple(
                snapshot_of(job, detailed=job.id == detail)
                for job in self._jobs.values()
            ),
            rate=self._meter.rate(now),
            received=self._meter.total,
            limit=self._limiter.rate,
            flying=sum(window.flying for window in self._windows.values()),
        )

    async def events(self) -> AsyncGenerator[Event]:
        """What happens from now on, in order."""
        queue: asyncio.Queue[Event] = asyncio.Queue(REMEMBERED_EVENTS)
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    def _emit(self, job: JobId, kind: EventKind, text: str) -> None:
        if not self._subscribers:
            return
        event = Event(monotonic(), job, kind, text)
        for queue in self._subscribers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    # -- jobs ----------------------------------------------------------------

    def _make_job(self, spec: JobSpec, stream: StreamSink | None = None) -> Job:
        limiter = Limiter(spec.limit, self._limiter) if spec.limit else self._limiter
        headers = (*self.config.headers, *spec.headers)
        job = Job(
            len(self._jobs) + 1,
            spec,
            config=self.config,
            make_source=lambda url: Source(self._transport, limiter, url, headers),
            limiter=limiter,
            window_of=self._window_of,
            delivery=self._make_delivery(spec, stream),
            emit=self._emit,
            count=self._count,
            on_received=self._admit,
        )
        self._jobs[job.id] = job
        if stream is not None:
            stream.on_room = job.poke
        return job

    def _make_delivery(self, spec: JobSpec, stream: StreamSink | None) -> Delivery:
        config = self.config
        verifier = Verifier(spec.checksum, self._hashes) if spec.checksum else None
        if stream is not None:
            return StreamDelivery(stream, verifier)
        directory = spec.directory or config.output
        link = Link.of(spec.url)
        file = FileSink(directory, link, self._places, self._disk, config.on_conflict)
        return FileDelivery(file, verifier, name=spec.name, restart=config.restart)

    def _window_of(self, host: str) -> Window:
        if host not in self._windows:
            self._windows[host] = Window(host, monotonic())
        return self._windows[host]

    def _count(self, size: int) -> None:
        self._meter.add(size, monotonic())

    def _admit(self) -> None:
        """Start waiting jobs, first come first served, while lanes are free."""
        while self._waiting and self._may_admit(self._waiting[0]):
            self._start(self._waiting.popleft())

    def _may_admit(self, job: Job) -> bool:
        if job.id in self._tasks:
            return False  # paused and resumed before it stood still
        busy = sum(
            not self._jobs[id_].milestones.received.is_set() for id_ in self._tasks
        )
        most = self.config.jobs or MOST_JOBS
        if busy >= most or not busy:
            return not busy
        window = self._window_of(job.host)
        typed = self.config.jobs is not None
        return typed or busy < window.size > window.flying

    def _start(self, job: Job) -> None:
        task = self._group.create_task(job.run(), name=f"job {job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._ended(job))

    def _ended(self, job: Job) -> None:
        del self._tasks[job.id]
        self._admit()

    def _take_from_queue(self, job: JobId) -> None:
        if job in self._tasks:
            self._tasks[job].cancel()
        elif self._jobs[job] in self._waiting:
            self._waiting.remove(self._jobs[job])

    async def _tick(self) -> None:
        heartbeat = Heartbeat(Moment.now())
        while True:
            await asyncio.sleep(TICK)
            now = monotonic()
            if (slept := heartbeat.beat(Moment.now())) is not None:
                for job_id in self._tasks:
                    self._jobs[job_id].wake(slept)
            for window in self._windows.values():
                window.judge(now)
            for job_id in self._tasks:
                self._jobs[job_id].tick()
            self._admit()


def _check(spec: JobSpec) -> None:
    """Refuse what can never work."""
    check_url(spec.url)
    for header in spec.headers:
        check_header(header)
    if spec.name is not None and not sanitise(spec.name):
        raise UsageError(f"not a file name: {spec.name!r}")


async def _joined(job: Job) -> AsyncIterator[bytes]:
    async with aclosing(job.batches()) as batches:
        async for batch in batches:
            yield b"".join(piece for block in batch for piece in block.buffers)
