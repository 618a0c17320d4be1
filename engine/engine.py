"""The queue: which jobs run, and what they share.

Jobs are admitted in the order of the queue while lanes are free: a few big files,
or many small ones. With a store, the queue is there again after whatever ended
the process. Everything here is called on the event loop that entered the engine.

A number names a job for ever. Tried again, or with another spec, it is made anew
under its number, and begins when the old one has let go of what it held.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
)
from contextlib import (
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Self

from engine.commons import Commons
from engine.config import Config, check_spec, check_url
from engine.crew import Crew, Run
from engine.delivery import LAST_SYNC
from engine.errors import HydraError, LocalError, UsageError
from engine.heartbeat import Heartbeat, Moment
from engine.job import Job
from engine.ledger import Ledger
from engine.levels import Looks, made_anew, saved_of, snapshot_of
from engine.limiter import Limiter
from engine.meter import Meter
from engine.model import (
    EngineSnapshot,
    Event,
    EventKind,
    Field,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
    Prospect,
)
from engine.queue import Queue
from engine.saving import Saver
from engine.scout import Scout
from engine.sinks import StreamSink
from engine.source import Source
from engine.store import Saved, Store
from engine.streams import Streams
from engine.timetable import Timetable
from engine.unfolding import unfold

TICK = 0.1
"""Seconds between looks at windows, limits and late lanes."""
REMEMBERED_EVENTS = 10_000
"""Events a slow subscriber may be behind before it loses the oldest."""
SAVE_EVERY = 3.0
"""Seconds between savings of how far jobs are: their journals know it better."""
BEFORE_A_COMMAND = 1.0
"""Seconds that a command waits for the disk to know that it begins."""
LAST_WRITE = 0.1
"""Seconds for the queue at the end, where the files have taken all the time."""
NOBODY: JobId = 0
"""Stands where an event is about no job."""

_ENDED = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
_ASIDE = frozenset(
    {EventKind.WINDOW, EventKind.RETRY, EventKind.SAID, EventKind.UNSAVED}
)
"""Events after which there is nothing new to write down."""


class Engine:
    """Downloads what it is given; an async context manager.

    Leaving it stops what runs: a file keeps what is here, for the next time, and a
    reader is told with a HydraError. No thread, task or connection of it is left
    then. A number that no job has is a KeyError.

    It owns the store and the ledger it is given, and closes them.
    """

    def __init__(
        self,
        config: Config | None = None,
        store: Store | None = None,
        *,
        ledger: Ledger | None = None,
    ) -> None:
        self.config = config or Config()
        self._store = store
        self._saver: Saver | None = None
        self._commons = Commons(self.config, ledger)
        self._scout = Scout(self.config, self._commons, ledger)
        self._jobs: dict[JobId, Job] = {}
        self._last = store.last if store else 0
        saved = store.jobs if store else ()
        self._queue = Queue(
            {job.id: job.rank for job in saved},
            {job.id for job in saved if job.state is JobState.QUEUED},
        )
        self._crew = Crew(
            self._queue,
            self.config.jobs,
            job_of=self._jobs.__getitem__,
            window_of=self._commons.window_of,
            on_change=self._touch,
        )
        self._looks = Looks(self._queue, self._jobs, self._crew.__contains__)
        self._known: dict[str, list[JobId]] = {}
        """Jobs that have, or had, a URL."""
        self._subscribers: set[asyncio.Queue[Event]] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._meter = Meter(monotonic())
        await self._stack.enter_async_context(self._commons.transport)
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._crew.begin(group)
        self._ticking = group.create_task(self._tick(), name="tick")
        self._streaming = Streams(
            group,
            self.config.buffer,
            begin=self._begin_stream,
            dismiss=self._dismiss,
            ended=self._crew.ended,
        )
        if self._store is not None:
            self._saver = Saver(self._store, self._to_save, self._tell)
            self._restore(self._store.jobs)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        until = monotonic() + LAST_SYNC
        self._crew.is_held = True
        self._ticking.cancel()
        for run in self._crew:
            self._touch(run.job.id)
            if not run.job.state.is_final:
                run.stop()
        for job in self._jobs.values():
            if job.state is JobState.PAUSED and not job.is_untouched:
                job.delivery.end(HydraError("the engine has ended"))
        await self._stack.aclose()
        async with asyncio.TaskGroup() as closing:
            for job in self._jobs.values():
                if not job.is_untouched:
                    closing.create_task(job.close())
        if self._saver is not None:
            await self._saver.close(max(until - monotonic(), LAST_WRITE))
        self._commons.close()

    # -- the queue -----------------------------------------------------------

    def add(self, spec: JobSpec, *, first: bool = False, paused: bool = False) -> JobId:
        """Put a file into the queue; it starts as soon as lanes are free.

        `first` puts it at the head of the queue. Raises UsageError where the spec can
        never work.
        """
        check_spec(spec)
        job = self._make_job(self._placed(spec))
        self._settle_in(job, first=first)
        if paused:
            job.pause()
        else:
            self._crew.line_up(job)
        return job.id

    def find(self, spec: JobSpec) -> JobId | None:
        """The job, not yet over, that fetches the same to the same place."""
        same = (self._jobs.get(job) for job in self._known.get(spec.url, ()))
        return next((job.id for job in same if job and self._is_same(job, spec)), None)

    def spec(self, job: JobId) -> JobSpec:
        """What it was told, and what has been changed since."""
        return self._jobs[job].spec

    def revise(self, job: JobId, spec: JobSpec) -> None:
        """Give a job another spec; it goes on with what is here.

        Its place stays, and it stays paused if it is. Raises UsageError.
        """
        check_spec(spec)
        rests = self._jobs[job].state is JobState.PAUSED
        self._make_anew(self._jobs[job], self._placed(spec), paused=rests)

    def retry(self, job: JobId) -> None:
        """Try again what has not come to a good end."""
        if self._jobs[job].state in _ENDED:
            self._make_anew(self._jobs[job], self._jobs[job].spec, paused=False)

    async def wait(self, job: JobId) -> JobSnapshot:
        """Wait until a job is over; its last snapshot, or its error raised.

        Any HydraError: its class says what may be done about it. A job that was cancelled
        has none, but a state that says so; one that is paused is not over.
        """
        waited: Job | None = None
        while (now := self._jobs.get(job, waited)) is not waited:
            waited = now
            if waited is not None:
                await waited.milestones.finished.wait()
        if waited is None:
            raise KeyError(job)
        if waited.error is not None:
            raise waited.error
        return snapshot_of(waited, detailed=False)

    def pause(self, job: JobId) -> None:
        """Let a job stand still; nothing it has is lost."""
        if self._jobs[job].may_become(JobState.PAUSED):
            self._jobs[job].pause()
            self._crew.stop(self._jobs[job])

    def resume(self, job: JobId) -> None:
        """Let a paused job wait again, at its place in the queue."""
        if self._jobs[job].state is JobState.PAUSED:
            self._jobs[job].resume()
            self._crew.line_up(self._jobs[job])

    def renew(self, job: JobId, url: str) -> None:
        """Let a job whose link has expired go on with a fresh one for the same file.

        Whether it is the same is found out before its bytes count. Raises UsageError.
        """
        check_url(url)
        if self._jobs[job].may_become(JobState.QUEUED):
            self._jobs[job].renew(url)
            self._learn(self._jobs[job])
            self._crew.line_up(self._jobs[job])

    def cancel(self, job: JobId) -> None:
        """End a job for good; a partial file stays where it is."""
        if self._jobs[job].may_become(JobState.CANCELLED):
            self._dismiss(self._jobs[job])

    def remove(self, job: JobId, *, delete: bool = False) -> None:
        """Take a job out of the queue, and end it if it runs.

        With `delete` nothing of it is left on disk, unless the file is whole.
        """
        removed = self._jobs[job]
        self._dismiss(removed, delete=delete)
        self._queue.remove(job)
        del self._jobs[job]
        self._touch(job)
        if not delete:
            self._emit(job, EventKind.REMOVED, f"{removed.name}: removed")

    def move(self, job: JobId, places: int) -> None:
        """Move a job so many places down the queue, or up, as far as it goes."""
        for moved in self._queue.move(job, places):
            self._touch(moved)
        self._crew.admit()

    def hold(self) -> None:
        """Admit no further job; those that run go on."""
        self._crew.is_held = True

    def release(self) -> None:
        """Admit jobs again."""
        self._crew.is_held = False
        self._crew.admit()

    def set_limit(self, rate: float | None, job: JobId | None = None) -> None:
        """Most bytes per second from now on, of one job or of everything together.

        None takes the limit away. For everything it holds until the timetable, if
        there is one, has another rate.
        """
        if job is None:
            self._commons.set_limit(rate)
        else:
            self._jobs[job].set_limit(rate)
            self._touch(job)

    def set_timetable(self, timetable: Timetable) -> None:
        """What everything together may bring at which time of the day, from now on."""
        self._commons.set_limit(timetable)

    def set_threads(self, job: JobId, n: int | None) -> None:
        """Most lanes of a job, from now on; None lets the window find out."""
        self._jobs[job].set_threads(n)
        self._touch(job)

    def set_turn_budget(self, seconds: float | None) -> None:
        """How long one turn of the loop may spend on arriving bytes; None is freely."""
        self._commons.transport.turn.budget = seconds

    def set_trace(self, trace: Callable[[str], None] | None) -> None:
        """Whom to tell, line by line and masked, what curl does with each request."""
        self._commons.transport.trace = trace

    # -- streams -------------------------------------------------------------

    @asynccontextmanager
    async def stream(
        self, urls: Iterable[str | JobSpec]
    ) -> AsyncGenerator[AsyncIterator[tuple[str, AsyncIterator[bytes]]]]:
        """The files of `urls`, one after the other, each in order, memory bounded.

        What comes is pairs: the file's name, and its bytes in blocks of many sizes.
        They are to be read one after the other; who goes on to the next file gives up
        the rest of this one. The next is already on its way while the last one drains,
        and both share `Config.buffer` bytes. Leaving early leaves nothing behind.

        Raises UsageError before anything is started; what ends a file with an error
        is raised where its bytes are read.
        """
        async with aclosing(self._streaming.named(self._specs(urls))) as files:
            yield files

    async def pipe(self, urls: Iterable[str | JobSpec], fd: int) -> None:
        """Write the files of `urls` to a descriptor, one after the other.

        Raises ReaderGoneError when the reader has closed its end.
        """
        await self._streaming.write(self._specs(urls), fd)

    def _specs(self, urls: Iterable[str | JobSpec]) -> list[JobSpec]:
        """All of them are checked before the first is begun."""
        if self._store is not None:
            raise UsageError("what goes to a reader is not for a saved queue")
        specs = [JobSpec(url) if isinstance(url, str) else url for url in urls]
        for spec in specs:
            check_spec(spec)
            if spec.command is not None:
                raise UsageError("what goes to a reader goes to no command")
        return specs

    def _begin_stream(self, spec: JobSpec, stream: StreamSink) -> Job:
        job = self._make_job(spec, stream)
        self._settle_in(job)
        self._crew.start(job, job.run())
        return job

    def look(self, spec: JobSpec, *, to_disk: bool = True) -> AsyncGenerator[Prospect]:
        """What a job would fetch: one file, or all those of a Metalink.

        One request each, and a few for digests; nothing is made, locked or moved. With
        `to_disk` it is also said where the file would go, and what is there. Raises
        UsageError, and what the job would fail with at its first request.
        """
        check_spec(spec)
        return self._scout.look(spec, to_disk=to_disk)

    # -- levels and edges ----------------------------------------------------

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        """Everything as it is now; one job, `detail`, with its lanes and views."""
        now = monotonic()
        return EngineSnapshot(
            at=now,
            jobs=self._looks.take(detail),
            rate=self._meter.rate(now),
            received=self._meter.total,
            limit=self._commons.limiter.rate,
            flying=self._commons.flying,
        )

    async def events(self) -> AsyncGenerator[Event]:
        """What happens from now on, in order, until the caller has heard enough.

        Who is more than 10,000 events behind loses the oldest.
        """
        queue: asyncio.Queue[Event] = asyncio.Queue(REMEMBERED_EVENTS)
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    @contextmanager
    def listening(self, hear: Callable[[Event], None]) -> Generator[None]:
        """Call `hear` with each event at once, so that none is missed.

        It takes no time, raises nothing, and asks nothing of the engine.
        """
        self._listeners.append(hear)
        try:
            yield
        finally:
            self._listeners.remove(hear)

    def _emit(self, job: JobId, kind: EventKind, text: str, /, **fields: Field) -> None:
        if kind not in _ASIDE:
            self._touch(job)
        if not (self._subscribers or self._listeners):
            return
        event = Event(monotonic(), job, kind, text, fields)
        for hear in self._listeners:
            hear(event)
        for queue in self._subscribers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    # -- jobs ----------------------------------------------------------------

    def _make_job(
        self,
        spec: JobSpec,
        stream: StreamSink | None = None,
        past: Saved | None = None,
    ) -> Job:
        commons = self._commons
        limiter = Limiter(spec.limit, commons.limiter)
        self._last += past is None
        job = Job(
            past.id if past else self._last,
            spec,
            config=self.config,
            make_source=lambda url: commons.source(url, spec, limiter),
            limiter=limiter,
            window_of=commons.window_of,
            make_delivery=lambda job: commons.delivery(job, stream),
            emit=self._emit,
            count=self._count,
            on_received=self._crew.admit,
            write_down=self._write_down,
            unfold=self._unfold if stream is None else None,
            search=commons.search,
            past=past,
        )
        self._jobs[job.id] = job
        self._learn(job)
        return job

    def _make_anew(self, old: Job, spec: JobSpec, *, paused: bool) -> None:
        """The same job from its beginning, when the old one has let go."""
        past = made_anew(old, spec, paused=paused)
        self._dismiss(old)
        job = self._make_job(spec, past=past)
        job.tell_queued()
        if not paused:
            self._crew.line_up(job)

    async def _unfold(self, job: Job, source: Source) -> None:
        """A Metalink's files come in the place of the job that found it."""
        first, *more = await unfold(source, job.spec, self._commons.pool)
        for number, spec in enumerate(more, 1):
            added = self.add(spec)
            place = self._queue.place(job.id) + number
            self.move(added, place - self._queue.place(added))
        self._make_anew(job, self._placed(first), paused=False)

    def _settle_in(self, job: Job, *, first: bool = False) -> None:
        """Give it a place in the queue."""
        for placed in self._queue.add(job.id, first=first):
            self._touch(placed)

    def _placed(self, spec: JobSpec) -> JobSpec:
        """A queue that is saved knows no working directory."""
        if self._store is None:
            return spec
        return replace(spec, directory=self.config.directory_of(spec).absolute())

    def _learn(self, job: Job) -> None:
        for url in {job.began, job.spec.url}:
            known = self._known.setdefault(url, [])
            if job.id not in known:
                known.append(job.id)

    def _is_same(self, job: Job, spec: JobSpec) -> bool:
        is_over = job.state in {JobState.DONE, JobState.CANCELLED}
        ours = job.spec
        return (
            not is_over
            and spec.url in {ours.url, job.began}
            and (spec.name, spec.command) == (ours.name, ours.command)
            and self.config.directory_of(spec).absolute()
            == self.config.directory_of(ours).absolute()
        )

    def _count(self, size: int) -> None:
        self._meter.add(size, monotonic())

    def _dismiss(self, job: Job, *, delete: bool = False) -> None:
        """End it, and let go of what it holds."""
        was_over = job.state.is_final
        if job.may_become(JobState.CANCELLED):
            job.cancel()
            self._touch(job.id)
            if not was_over:
                self._crew.stop(job)
        before = self._crew.run_of(job)
        rested = before is None and not (was_over or job.is_untouched)
        if delete or rested:
            self._crew.start(job, self._let_go(job, before, delete=delete))

    async def _let_go(self, job: Job, before: Run | None, *, delete: bool) -> None:
        """After whatever is still under way under its number."""
        if before is not None:
            await asyncio.wait([before.task])
        await job.close()
        if not delete:
            return
        text = "removed, and what there was of it"
        try:
            await job.delete()
        except LocalError as error:
            text = f"removed, but not what there is of it: {error}"
        self._emit(job.id, EventKind.REMOVED, f"{job.name}: {text}")

    # -- what is saved -------------------------------------------------------

    def _restore(self, jobs: Iterable[Saved]) -> None:
        """Take up the queue where the last run of the program left it."""
        for saved in jobs:
            self._make_job(saved.spec, past=saved)
        self._crew.admit()

    def _touch(self, job: JobId) -> None:
        """It has changed: what was seen of it, or saved, holds no more."""
        self._looks.forget(job)
        if self._saver is not None:
            self._saver.touch(job)

    def _to_save(self, job: JobId) -> Saved | None:
        """What is to be written of a job; nothing where it is no more."""
        if job not in self._jobs:
            return None
        return saved_of(self._jobs[job], self._queue.rank(job))

    async def _write_down(self) -> None:
        if self._saver is not None:
            await self._saver.flush(BEFORE_A_COMMAND)

    def _tell(self, text: str) -> None:
        self._emit(NOBODY, EventKind.UNSAVED, text)

    async def _tick(self) -> None:
        heartbeat = Heartbeat(Moment.now())
        saved_at = monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = monotonic()
            if (slept := heartbeat.beat(Moment.now())) is not None:
                for run in self._crew:
                    run.job.effort.wake(slept)
            self._commons.keep_time()
            self._commons.judge(now)
            for run in self._crew:
                run.job.effort.tick()
            if now - saved_at >= SAVE_EVERY:
                saved_at = now
                self._save_progress()
            self._crew.admit()

    def _save_progress(self) -> None:
        for run in self._crew:
            if run.job.state.is_live:
                self._touch(run.job.id)
