"""One download from the first request to the verdict.

`MOVES` is the whole life of a job; `_move` is the only place where its state
changes, and a move that is not in the table raises and changes nothing. Pausing
cancels the running task from outside: plan and delivery stay, and running again
goes on from them.

Thousands may rest in the queue: what only a job at work needs is made when it is
first needed.

A job begins at most three times: anew, with what an earlier run left, or, once,
with another version of a file that changed under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import monotonic

from humanize import naturalsize

from engine.config import Config
from engine.delivery import Delivery, First, StreamDelivery
from engine.effort import Effort
from engine.errors import (
    BadPieces,
    ChangedError,
    ExpiredError,
    HydraError,
    IntegrityError,
    first_of,
)
from engine.life import MOVES, Milestones
from engine.limiter import Limiter
from engine.masking import mask, scrubbed
from engine.meter import Meter
from engine.model import (
    Block,
    Emit,
    EventKind,
    Field,
    JobId,
    JobSpec,
    JobState,
    RemoteFile,
    SourceSnapshot,
)
from engine.naming import name_for
from engine.opening import Opened
from engine.plan import Plan
from engine.promises import Promises
from engine.ranges import ByteRange
from engine.search import Search
from engine.source import Source
from engine.store import Saved
from engine.trail import Trail
from engine.unfolding import is_metalink
from engine.verdict import ORIGIN_OF_PIECES, listed
from engine.verify import Verifier
from engine.window import Window


async def _keep_nothing() -> None:
    """Stands where no queue is saved."""


class Job:
    """A spec on its way; `run` is a task, everything else is called from outside."""

    def __init__(
        self,
        id: JobId,  # noqa: A002  # it is the job's id
        spec: JobSpec,
        *,
        config: Config,
        make_source: Callable[[str], Source],
        limiter: Limiter,
        window_of: Callable[[str], Window],
        make_delivery: Callable[[Job], Delivery],
        emit: Emit,
        count: Callable[[int], None],
        on_received: Callable[[], None],
        write_down: Callable[[], Awaitable[None]] = _keep_nothing,
        unfold: Callable[[Job, Source], Awaitable[None]] | None = None,
        search: Search | None = None,
        past: Saved | None = None,
    ) -> None:
        self.id = id
        self.spec = spec
        self.state = past.state if past else JobState.QUEUED
        self.error: BaseException | None = None
        self.verdict = past.verdict if past else ""
        self.threads = spec.threads or config.threads
        self.limiter = limiter
        self.has_begun = False
        """Whether the command that gets its bytes may have been started."""
        self._config = config
        self._past = past
        self._known = (past.size, past.done) if past else (None, 0)
        """Size, and how much of it is here, for as long as no server was asked."""
        self._trail = Trail(
            past.began if past else spec.url,
            spec.url,
            make_source,
            config.url_command,
            spec.mirrors,
        )
        self._unfold = unfold
        self._search = search
        self._make_delivery = make_delivery
        self._write_down = write_down
        self._window_of = window_of
        self._emit = emit
        self._count = count
        self._on_received = on_received
        self.remote: RemoteFile | None = None
        self.meter = Meter(monotonic())
        self._worked_since: float | None = None
        self._has_changed = False
        self._present()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state} {self.name}: {self.plan}>"

    # -- what is made when it is needed -----------------------------------------

    @cached_property
    def delivery(self) -> Delivery:
        made = self._make_delivery(self)
        if self.state is JobState.CANCELLED:
            made.end(HydraError("cancelled"))
        return made

    @cached_property
    def effort(self) -> Effort:
        return Effort(
            self._trail,
            self.delivery,
            config=self._config,
            threads=self.threads,
            limiter=self.limiter,
            size=self.spec.size,
            is_hashed=lambda: self.promises.may_hash,
            window_of=self._window_of,
            on_bytes=self._received,
            tell=self._tell,
        )

    @cached_property
    def plan(self) -> Plan:
        return Plan(None)

    @cached_property
    def milestones(self) -> Milestones:
        made = Milestones()
        if self._past is not None and self._past.state.is_final:
            made.finish()
        return made

    @property
    def is_new(self) -> bool:
        """Whether nothing of an earlier attempt can be here that is its own."""
        return self._past is None

    @property
    def is_untouched(self) -> bool:
        """Whether it has never been at work, and so holds nothing."""
        return "delivery" not in self.__dict__

    # -- what may be known of it ------------------------------------------------

    @property
    def name(self) -> str:
        """As typed, or as the server named it, or as the URL looks."""
        target, past = self._target, self._past
        if target is not None:
            return target.name
        if past is not None and past.target:
            return past.name
        if self.spec.name:
            return self.spec.name
        if self.remote is not None:
            return self.remote.name
        return past.name if past and past.name else self._name_of_url

    @cached_property
    def _name_of_url(self) -> str:
        return name_for(None, self.began)

    @property
    def target(self) -> str:
        """Where the file is, or will be, as far as that is known."""
        if self._target is not None:
            return str(self._target)
        return self._past.target if self._past else ""

    @property
    def size(self) -> int | None:
        return self.remote.size if self.remote else self._known[0]

    @property
    def here(self) -> int:
        """How many bytes of it there are."""
        return self.plan.done.total if self.remote else self._known[1]

    @property
    def is_streaming(self) -> bool:
        if self.is_untouched and not self.state.is_live:
            return self.spec.command is not None
        return self.delivery.stream is not None

    @property
    def began(self) -> str:
        """The URL by which what is on disk is known."""
        return self._trail.began

    @property
    def host(self) -> str:
        """Where its next request goes."""
        return self._trail.source.host

    @property
    def url(self) -> str:
        """As people may see it."""
        return mask(self.spec.url)

    @property
    def _target(self) -> Path | None:
        file = None if self.is_untouched else self.delivery.file
        return file.target if file is not None else None

    @property
    def told(self) -> SourceSnapshot | None:
        """What its first answer said of itself."""
        return self._trail.source.told

    # -- what others may do to it ---------------------------------------------

    def pause(self) -> None:
        """Stand still; the caller cancels the task."""
        self._move(JobState.PAUSED)
        self._tell(EventKind.PAUSED, "paused", done=self.here)

    def resume(self) -> None:
        """Back into the queue."""
        self._move(JobState.QUEUED)
        self._tell(EventKind.RESUMED, "resumed", done=self.here)

    def renew(self, url: str) -> None:
        """Back into the queue with a fresh link to the same file."""
        self._move(JobState.QUEUED)
        self._follow(url)
        self.error, self.verdict = None, ""
        self.milestones.withdraw()
        self._tell(EventKind.RESUMED, "has a fresh link", done=self.here)

    def cancel(self) -> None:
        """Give up for good; the caller cancels the task."""
        self._move(JobState.CANCELLED)
        if not self.is_untouched:
            self.delivery.end(HydraError("cancelled"))
        self.discard()
        self.milestones.finish()

    def may_become(self, state: JobState) -> bool:
        """Whether that is a legal move; what has a verdict cannot be stopped any more."""
        stops = state in {JobState.PAUSED, JobState.CANCELLED}
        is_judged = bool(self.verdict) and self.state is not JobState.EXPIRED
        return state in MOVES[self.state] and not (stops and is_judged)

    def set_threads(self, threads: int | None) -> None:
        """Most lanes from now on; None lets the window find out."""
        self.threads = threads
        self.spec = replace(self.spec, threads=threads)
        if not self.is_untouched:
            self.effort.set_threads(threads)

    def set_limit(self, rate: float | None) -> None:
        """Most bytes per second of its own, from now on."""
        self.limiter.rate = rate
        self.spec = replace(self.spec, limit=rate)

    def tell_queued(self) -> None:
        """It waits for its turn."""
        fields: dict[str, Field] = {"name": self.name, "url": self.url}
        self._emit(self.id, EventKind.QUEUED, self.name, **fields)

    def tell_said(self, line: str) -> None:
        """The command that gets its bytes printed a line."""
        self._tell(EventKind.SAID, line, line=line)

    # -- the life of a job ----------------------------------------------------

    async def run(self) -> None:
        """Download, verify, finish. Cancelled, it leaves everything to go on from."""
        self._worked_since = self._worked_since or monotonic()
        try:
            await self._download()
        except HydraError as error:
            error.about = self.url
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # our bug; the other jobs go on
            self._fail(error)
        finally:
            await self._come_to_rest()

    async def close(self) -> None:
        """Let go of the file; what there is of it stays."""
        if not self.is_untouched:
            await self.delivery.close()

    async def delete(self) -> None:
        """Leave nothing of it but a file that is whole; it must be closed.

        Raises LocalError.
        """
        file, target = self.delivery.file, self.target
        if file is not None and target and self.state is not JobState.DONE:
            await file.delete(Path(target))

    def discard(self) -> None:
        """Forget what a reader who has left will not read."""
        if not self.is_untouched and self.delivery.stream is not None:
            self.delivery.stream.discard()

    @property
    def is_drained(self) -> bool:
        """Whether the reader of a stream has had every byte."""
        delivery = self.delivery
        return isinstance(delivery, StreamDelivery) and delivery.drained.is_set()

    async def batches(self) -> AsyncGenerator[list[Block]]:
        """A streaming job's bytes, in order; hashed while the caller has them."""
        assert isinstance(self.delivery, StreamDelivery)
        async for batch in self.delivery.batches():
            yield batch
        await self.milestones.finished.wait()
        if self.error is not None:
            raise self.error

    async def _come_to_rest(self) -> None:
        self.remote = self.effort.leave() or self.remote
        self.effort.part()
        if self.state is not JobState.DONE:
            await self.delivery.rest(self.plan, self.remote)
        if self.state not in {JobState.PAUSED, JobState.QUEUED}:
            await self.close()
        if self.state is JobState.EXPIRED:
            self._known = self.size, self.here
            self.remote = None  # the next link finds what is there

    async def _download(self) -> None:
        self._move(JobState.PROBING)
        while True:
            try:
                await self._attempt()
            except ChangedError as change:
                await self._begin_again(change)
            except ExpiredError as expired:
                await self._renew(expired)
            else:
                return

    async def _attempt(self) -> None:
        remote, first = await self._begin()
        if (unfold := self._unfold) is not None and is_metalink(remote):
            self._drop(first)
            await self.effort.insist(lambda: unfold(self, self._trail.source))
            await asyncio.sleep(0)  # its files came in its place: it ends here
        self.promises.told(self._trail.source)
        verdict = await self._open(remote, first)
        self._move(JobState.RUNNING)
        if verdict:
            await self._have_all()
            self.verdict = verdict
        else:
            await self._fetch(remote, first)
        self._move(JobState.DONE)
        self._tell_done()
        self.milestones.finish()

    async def _fetch(self, remote: RemoteFile, first: First | None) -> None:
        """Fetch, and compare, and again what turned out wrong."""
        fields = {"target": self.target or None, "size": self.size, "done": self.here}
        self._tell(EventKind.STARTED, "started", **fields)
        try:
            async with asyncio.TaskGroup() as group:
                self._look_for_digests(group, remote)
                await self._fetch_what_is_right(remote, first)
        except* IntegrityError as errors:
            await self.delivery.condemn()
            raise first_of(errors) from None
        except* HydraError as errors:
            raise first_of(errors) from None

    async def _fetch_what_is_right(
        self, remote: RemoteFile, first: First | None
    ) -> None:
        while True:
            remote = await self.effort.fetch(remote, self.plan, first)
            first = None
            try:
                await self._have_all()
                self.verdict = await self._check(remote)
            except BadPieces as bad:
                fields = {"host": self.host, "reason": str(bad)}
                self._tell(EventKind.RETRY, str(bad), **fields, status=None, wait=0)
                self._move(JobState.RUNNING)
            else:
                await self.delivery.finish(self.plan, remote)
                return

    async def _have_all(self) -> None:
        """Others may begin: a file that waits for its digests counts as at work."""
        if self.delivery.file is not None:
            await self.promises.wait()
        self._received_all()
        await self.delivery.drain()
        self._move(JobState.VERIFYING)

    async def _begin(self) -> tuple[RemoteFile, First | None]:
        """Learn what there is to fetch; the first of it may already flow."""
        if self.remote is not None and not self._trail.is_fresh:
            return self.remote, None
        known = None if self.remote is None else (self.remote, self.plan)
        opened = await self.effort.open(known)
        self.remote, self.plan = opened.remote, opened.plan
        self._trail.is_fresh = False
        self._tell_opened(opened, is_new=known is None)
        self.milestones.probed.set()
        return opened.remote, opened.first

    def _tell_opened(self, opened: Opened, *, is_new: bool) -> None:
        if is_new:
            remote = opened.remote
            self._tell(EventKind.PROBED, _description(remote), **_facts(remote))
        if here := opened.plan.done.total:
            size = naturalsize(here, binary=True)
            self._tell(EventKind.RESUMED, f"{size} are here", done=here)

    # -- what may happen on the way -------------------------------------------

    async def _begin_again(self, change: ChangedError) -> None:
        """Once, with the new version; what is here of the old one is kept until then."""
        if self._has_changed or not self.delivery.can_begin_again:
            raise change
        self._has_changed = True
        self._leave_transfer()
        text = f"{change}; begins again"
        self._tell(EventKind.CHANGED, text, reason=str(change))
        await self.delivery.begin_again()
        self.remote, self._known = None, (None, 0)
        self.plan = Plan(None)
        self._follow(self.spec.url)

    async def _renew(self, expired: ExpiredError) -> None:
        """Ask the user's command for a fresh link, if the last one brought anything."""
        here = self.plan.done.total
        if not self._trail.may_ask(here):
            raise expired
        self._leave_transfer()
        self._tell_expired(expired, final=False)
        self._follow(await self._trail.ask(here))

    def _follow(self, url: str) -> None:
        self._trail.follow(url)
        self.spec = replace(self.spec, url=url)
        if not self.is_untouched:
            self.effort.follow()

    def _leave_transfer(self) -> None:
        """Back to the first request, with what was learned about the file."""
        if self.state is not JobState.PROBING:
            self._move(JobState.PROBING)
        self.remote = self.effort.leave() or self.remote

    # -- the bytes --------------------------------------------------------------

    async def _open(self, remote: RemoteFile, first: First | None) -> str:
        """Open the delivery; why there is nothing to fetch, if so."""
        try:
            if self.spec.command is not None and not self.has_begun:
                self.has_begun = True
                await self._write_down()
            verdict = await self.delivery.open(remote, first[1] if first else None)
        except BaseException:
            self._drop(first)
            raise
        if verdict:
            self._drop(first)
            self.plan = Plan(remote.size, [ByteRange(0, remote.size or 0)])
        return verdict

    def _drop(self, first: First | None) -> None:
        if first is not None:
            first[1].close()
            self.plan.release(first[0])

    def _received_all(self) -> None:
        self.milestones.received.set()
        self._on_received()

    async def _check(self, remote: RemoteFile) -> str:
        await self.promises.wait()
        try:
            verdict = await self.delivery.check(self.plan, remote)
        except IntegrityError:
            suspects = self.effort.suspects()
            if not suspects.total or not self.delivery.can_begin_again:
                raise
            self.plan.begin_again_without(suspects)
            raise BadPieces("fetches again what other sources brought") from None
        verifier = self.delivery.verifier
        if verifier is not None and verifier.is_wanted:
            self._tell(EventKind.VERIFIED, verdict, **_proof(verifier))
        return verdict

    # -- what its digest should be ------------------------------------------------

    @cached_property
    def promises(self) -> Promises:
        verifier = self.delivery.verifier
        if verifier is not None:
            verifier.on_bad = self.effort.blame
        return Promises(verifier, self._search, self._config.typehash)

    def _look_for_digests(self, group: asyncio.TaskGroup, remote: RemoteFile) -> None:
        source, found = self._trail.source, self.delivery.received
        self.promises.look(group, self.began, remote, source, found)
        if self.is_streaming:
            self.promises.speculate()

    def _fail(self, error: Exception) -> None:
        expired = isinstance(error, ExpiredError) and self.delivery.file is not None
        state = JobState.EXPIRED if expired else JobState.FAILED
        if not self.may_become(state):
            return
        self._move(state)
        self.error = error
        self.verdict = _reason(error)
        if isinstance(error, ExpiredError) and expired:
            self._tell_expired(error, final=True)
        else:
            self._tell_failed(error)
        self.delivery.end(error)
        self.milestones.finish()

    def _present(self) -> None:
        """A new one is told; of the error of an earlier one only the verdict is known."""
        if self._past is None:
            self.tell_queued()
        elif self.state in {JobState.FAILED, JobState.EXPIRED}:
            kind = ExpiredError if self.state is JobState.EXPIRED else HydraError
            self.error = error = kind(self.verdict)
            error.about = self.url

    def _move(self, state: JobState) -> None:
        if not self.may_become(state):
            raise ValueError(f"a job that is {self.state} cannot become {state}")
        self.state = state

    def _received(self, size: int) -> None:
        self.meter.add(size, monotonic())
        self._count(size)
        self.delivery.received()

    # -- what is told of it -------------------------------------------------------

    def _tell(self, kind: EventKind, text: str, /, **fields: Field) -> None:
        self._emit(self.id, kind, f"{self.name}: {text}", **fields)

    def _tell_done(self) -> None:
        now = monotonic()
        self._tell(
            EventKind.DONE,
            self.verdict,
            verdict=self.verdict,
            target=self.target or None,
            size=self.plan.done.total,
            received=self.meter.total,
            seconds=now - (self._worked_since or now),
        )

    def _tell_failed(self, error: Exception) -> None:
        self._tell(
            EventKind.FAILED,
            self.verdict,
            url=self.url,
            error=getattr(error, "word", HydraError.word),
            reason=self.verdict,
            status=getattr(error, "status", None),
        )

    def _tell_expired(self, error: ExpiredError, *, final: bool) -> None:
        fields = {"url": self.url, "reason": str(error), "status": error.status}
        self._tell(EventKind.EXPIRED, str(error), **fields, final=final)


def _reason(error: Exception) -> str:
    """Why it failed; what a bug says may hold anything."""
    if isinstance(error, HydraError):
        return str(error)
    return scrubbed(f"unexpected {type(error).__name__}: {error}")


def _facts(remote: RemoteFile) -> dict[str, Field]:
    return {
        "url": mask(remote.url),
        "name": remote.name,
        "size": remote.size,
        "ranges": remote.ranges,
        "etag": remote.etag,
        "last_modified": remote.last_modified,
        "media_type": remote.media_type,
    }


def _proof(verifier: Verifier) -> dict[str, Field]:
    """What was compared, and who promised it."""
    hashes, parts = verifier.snapshots(), verifier.pieces_snapshot()
    return {
        "digests": {one.algorithm: one.actual or "" for one in hashes},
        "pieces": parts.algorithm if parts else None,
        "origin": listed(one.origin for one in hashes) if hashes else ORIGIN_OF_PIECES,
    }


def _description(remote: RemoteFile) -> str:
    size = "unknown length"
    if remote.size is not None:
        size = naturalsize(remote.size, binary=True)
    return size + ("" if remote.ranges else ", no ranges")
