"""One download from the first request to the verdict.

`MOVES` is the whole life of a job; `_move` is the only place where its state
changes, and a move that is not in the table raises and changes nothing. Pausing
cancels the running task from outside: plan and sink stay, and running again
goes on from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import monotonic

from humanize import naturalsize

from engine.config import Config
from engine.errors import HydraError, IntegrityError
from engine.files import FileSink
from engine.limiter import Limiter
from engine.meter import Meter
from engine.model import (
    Block,
    EventKind,
    JobId,
    JobSpec,
    JobState,
    RemoteFile,
    WindowChange,
)
from engine.naming import name_for, sanitise
from engine.patience import Patience
from engine.plan import OPEN_END, Plan, Segment
from engine.probe import probe
from engine.ranges import ByteRange
from engine.sinks import StreamSink
from engine.sizes import (
    HASHED_SEGMENT,
    LARGEST_SEGMENT,
    SMALLEST_LEASE,
    FileSizes,
    Sizes,
    StreamSizes,
)
from engine.source import Source, mask
from engine.transfer import Transfer
from engine.transport import Response
from engine.verify import Verifier
from engine.window import Window

MANY_LANES = 16
"""How many a stream's buffer is divided among, where nobody typed a number."""

_S = JobState
MOVES: dict[JobState, frozenset[JobState]] = {
    _S.QUEUED: frozenset({_S.PROBING, _S.PAUSED, _S.CANCELLED}),
    _S.PROBING: frozenset({_S.RUNNING, _S.PAUSED, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.VERIFYING, _S.PAUSED, _S.FAILED, _S.CANCELLED}),
    _S.VERIFYING: frozenset({_S.DONE, _S.PAUSED, _S.FAILED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}

Emit = Callable[[JobId, EventKind, str], None]


@dataclass(frozen=True, slots=True)
class Milestones:
    """What others wait for; each is set at the latest when the job is over."""

    probed: asyncio.Event = field(default_factory=asyncio.Event)
    """The name is known."""
    received: asyncio.Event = field(default_factory=asyncio.Event)
    """Every byte is here."""
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    """The reader of a stream has had every byte."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Job:
    """A spec on its way; `run` is a task, everything else is called from outside."""

    def __init__(
        self,
        id: JobId,  # noqa: A002  # it is the job's id
        spec: JobSpec,
        *,
        config: Config,
        source: Source,
        limiter: Limiter,
        window_of: Callable[[str], Window],
        make_file: Callable[[str], FileSink],
        stream: StreamSink | None,
        verifier: Verifier | None,
        emit: Emit,
        count: Callable[[int], None],
        on_received: Callable[[], None],
    ) -> None:
        self.id = id
        self.spec = spec
        self.state = JobState.QUEUED
        self.error: BaseException | None = None
        self.verdict = ""
        self.threads = spec.threads or config.threads
        self.limiter = limiter
        self.stream = stream
        self.milestones = Milestones()
        self._config = config
        self._source = source
        self._window_of = window_of
        self._make_file = make_file
        self.verifier = verifier
        self._emit = emit
        self._count = count
        self._on_received = on_received
        self.remote: RemoteFile | None = None
        self.plan = Plan(None)
        self.file: FileSink | None = None
        self.transfer: Transfer | None = None
        self.window: Window | None = None
        self._told: WindowChange | None = None
        self.meter = Meter(monotonic())
        self._denied_before = 0
        self.throttled = False
        self._emit(self.id, EventKind.QUEUED, self.name)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state} {self.name}: {self.plan}>"

    @property
    def name(self) -> str:
        """As typed, or as the server named it, or as the URL looks."""
        if self.file is not None:
            return self.file.target.name
        if self.spec.name:
            return self.spec.name
        if self.remote is not None:
            return self.remote.name
        return name_for(None, self.spec.url)

    @property
    def host(self) -> str:
        """Where its next request goes."""
        return self._source.host

    @property
    def url(self) -> str:
        """As people may see it."""
        return mask(self.spec.url)

    # -- what others may do to it ---------------------------------------------

    def pause(self) -> None:
        """Stand still; the caller cancels the task."""
        self._move(JobState.PAUSED)
        self._emit(self.id, EventKind.PAUSED, "paused")

    def resume(self) -> None:
        """Back into the queue."""
        self._move(JobState.QUEUED)
        self._emit(self.id, EventKind.RESUMED, "resumed")

    def cancel(self) -> None:
        """Give up for good; the caller cancels the task."""
        self._move(JobState.CANCELLED)
        if self.stream is not None:
            self.stream.end(HydraError("cancelled"))
            self.stream.discard()
        self._finish()

    def may_become(self, state: JobState) -> bool:
        """Whether that is a legal move; what has a verdict cannot be stopped any more."""
        stops = state in {JobState.PAUSED, JobState.CANCELLED}
        return state in MOVES[self.state] and not (stops and self.verdict)

    def set_threads(self, threads: int | None) -> None:
        """Most lanes from now on; None lets the window find out."""
        if self.window is not None:
            self.window.resize(self.threads, threads, monotonic())
        self.threads = threads
        if self.transfer is not None:
            self.transfer.set_threads(threads)

    def tick(self) -> None:
        """Look up: time has passed, and something may have been limiting."""
        self.throttled = self.limiter.denials > self._denied_before
        self._denied_before = self.limiter.denials
        if self.window is not None and self.transfer is not None:
            if self.throttled:
                self.window.excuse("limit")
            if self.transfer.waits_for_sink:
                self.window.excuse("sink")
        self._tell_window()
        self.poke()

    def _tell_window(self) -> None:
        if self.window is None or self.transfer is None:
            return
        change = self.window.latest
        if change is not self._told:
            self._told = change
            text = f"{self.name}: {change.size} lanes, {change.reason}"
            self._emit(self.id, EventKind.WINDOW, text)

    def poke(self) -> None:
        """Something changed that may let lanes start."""
        if self.transfer is not None:
            self.transfer.poke()

    # -- the life of a job ----------------------------------------------------

    async def run(self) -> None:
        """Download, verify, finish. Cancelled, it leaves everything to go on from."""
        try:
            await self._download()
        except HydraError as error:
            error.about = self.url
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # our bug; the other jobs go on
            self._fail(error)
        finally:
            self.transfer = None
            if self.window is not None:
                self.window.part(self.threads)
                self.window = None
            if self.state not in {JobState.PAUSED, JobState.QUEUED}:
                await self.close()

    async def close(self) -> None:
        """Let go of the file; what there is of it stays."""
        if self.verifier is not None:
            await self.verifier.settle()
        if self.file is not None and self.file.is_open:
            await asyncio.shield(self.file.close())

    def discard(self) -> None:
        """Forget what a reader who has left will not read."""
        if self.stream is not None:
            self.stream.discard()

    async def batches(self) -> AsyncGenerator[list[Block]]:
        """A streaming job's bytes, in order; hashed while the caller has them."""
        assert self.stream is not None
        async for batch in self.stream.batches():
            hashing = self.verifier.feed(batch) if self.verifier else None
            yield batch
            if hashing is not None:
                await hashing
        self.milestones.drained.set()
        await self.milestones.finished.wait()
        if self.error is not None:
            raise self.error

    async def _download(self) -> None:
        self._move(JobState.PROBING)
        first = None
        if self.remote is None:
            sample = ByteRange(0, self._sizes().least)
            found = await probe(self._source, sample, self._patience(), self._join)
            first = self._learn(*found, sample)
        remote = self.remote
        assert remote is not None
        self._move(JobState.RUNNING)
        self._emit(self.id, EventKind.STARTED, f"{self.name}: started")
        self._join()
        await self._receive(remote, first)
        self._move(JobState.VERIFYING)
        self.verdict = await self._verify()
        if self.file is not None:
            modified = _timestamp(remote.last_modified)
            await self.file.finish(self.plan.done.total, modified)
        self._move(JobState.DONE)
        self._emit(self.id, EventKind.DONE, f"{self.name}: {self.verdict}")
        self._finish()

    def _learn(
        self, remote: RemoteFile, response: Response, first: ByteRange
    ) -> tuple[Segment, Response] | None:
        """Make a plan of what the probe found; its body is the first segment."""
        self.remote = remote
        self.plan = Plan(remote.size)
        self._emit(self.id, EventKind.PROBED, self._description(remote))
        self.milestones.probed.set()
        segment = self.plan.lease(0, first.size if remote.ranges else OPEN_END)
        if segment is None:
            response.close()
            return None
        return segment, response

    async def _receive(
        self, remote: RemoteFile, first: tuple[Segment, Response] | None
    ) -> None:
        sink = await self._open_sink(remote, first)
        window = self.window
        assert window is not None
        self.transfer = Transfer(
            source=self._source,
            remote=remote,
            plan=self.plan,
            sink=sink,
            window=window,
            patience=self._patience(),
            limiter=self.limiter,
            sizes=self._sizes(),
            threads=self.threads,
            on_bytes=self._received,
        )
        if self.verifier is None or not isinstance(sink, FileSink):
            await self.transfer.run(first)
        else:
            await self._receive_and_hash(self.transfer, first, sink, self.verifier)
        self.milestones.received.set()
        self._on_received()
        if self.stream is not None:
            self.stream.end()
            await self.milestones.drained.wait()

    async def _receive_and_hash(
        self,
        transfer: Transfer,
        first: tuple[Segment, Response] | None,
        sink: FileSink,
        verifier: Verifier,
    ) -> None:
        follower = verifier.follow(sink, self.plan)
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(follower)
                await transfer.run(first)
                following.cancel()
        except* HydraError as errors:
            raise errors.exceptions[0] from None

    async def _open_sink(
        self, remote: RemoteFile, first: tuple[Segment, Response] | None
    ) -> FileSink | StreamSink:
        if self.stream is not None:
            return self.stream
        try:
            if self.file is None:
                self.file = self._make_file(sanitise(self.spec.name or remote.name))
            await self.file.open(remote.size)
        except BaseException:
            if first is not None:
                first[1].close()
                self.plan.release(first[0])
            await self.close()
            self.file = None
            raise
        return self.file

    async def _verify(self) -> str:
        if self.verifier is None:
            known = self.remote is not None and self.remote.size is not None
            return "size only" if known else "length unknown"
        try:
            if self.file is None:
                verdict = self.verifier.compare()
            else:
                verdict = await self.verifier.conclude(self.file, self.plan)
        except IntegrityError:
            if self.file is not None:
                await self.file.condemn()
            raise
        self._emit(self.id, EventKind.VERIFIED, verdict)
        return verdict

    def _fail(self, error: Exception) -> None:
        if not self.may_become(JobState.FAILED):
            return
        self._move(JobState.FAILED)
        self.error = error
        self.verdict = str(error)
        self._emit(self.id, EventKind.FAILED, f"{self.name}: {error}")
        if self.stream is not None:
            self.stream.end(error)
        self._finish()

    def _finish(self) -> None:
        self.milestones.probed.set()
        self.milestones.received.set()
        self.milestones.finished.set()

    def _move(self, state: JobState) -> None:
        if not self.may_become(state):
            raise ValueError(f"a job that is {self.state} cannot become {state}")
        self.state = state

    def _join(self) -> Window:
        """Be counted in the window of the host that the next request goes to."""
        window = self._window_of(self._source.host)
        if window is not self.window:
            if self.window is not None:
                self.window.part(self.threads)
            window.join(self.threads, monotonic())
            self.window = window
        return window

    def _patience(self) -> Patience:
        return Patience(self._config.give_up_after, self._retrying)

    def _sizes(self) -> Sizes:
        config = self._config
        if self.stream is not None:
            share = config.buffer // (self.threads or MANY_LANES)
            most = max(SMALLEST_LEASE, min(config.stream_chunk, share))
            return StreamSizes(SMALLEST_LEASE, most)
        most = HASHED_SEGMENT if self.verifier else LARGEST_SEGMENT
        return FileSizes(config.min_chunk, max(most, config.min_chunk))

    def _received(self, size: int) -> None:
        self.meter.add(size, monotonic())
        self._count(size)
        if self.verifier is not None:
            self.verifier.nudge()

    def _retrying(self, note: str) -> None:
        self._emit(self.id, EventKind.RETRY, f"{self.name}: {note}")

    def _description(self, remote: RemoteFile) -> str:
        size = "unknown length"
        if remote.size is not None:
            size = naturalsize(remote.size, binary=True)
        return f"{self.name}: {size}" + ("" if remote.ranges else ", no ranges")


def _timestamp(last_modified: str | None) -> float | None:
    """A Last-Modified field as seconds of the epoch, where it is a date."""
    if last_modified is None:
        return None
    try:
        return parsedate_to_datetime(last_modified).timestamp()
    except (ValueError, OverflowError):
        return None
