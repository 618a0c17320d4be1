"""A job as a level: what the outside may see of it, frozen, made when asked for.

A queue of thousands is looked at many times a second, so only the job on the
screen is looked at in detail: its lanes, pieces, window, front and hash. What is
written down for the next start is a look as well, and so is what another job takes
over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic

from engine.job import Job
from engine.model import (
    Bottleneck,
    FrontSnapshot,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
)
from engine.piping import PipeDelivery
from engine.queue import Queue
from engine.store import Saved

INTERRUPTED = "interrupted; its command is not begun again by itself"


class Looks:
    """At all jobs, in their order: thousands that rest cost a look into a table each."""

    def __init__(
        self,
        order: Queue,
        jobs: Mapping[JobId, Job],
        is_at_work: Callable[[JobId], bool],
    ) -> None:
        self._order = order
        self._jobs = jobs
        self._is_at_work = is_at_work
        self._briefs: dict[JobId, JobSnapshot] = {}
        """Of jobs that rest, since they changed last."""

    def forget(self, job: JobId) -> None:
        """It has changed: what was seen of it holds no more."""
        self._briefs.pop(job, None)

    def take(self, detail: JobId | None) -> tuple[JobSnapshot, ...]:
        """Each in brief, but for one that is looked at in detail."""
        seen, look = self._briefs.get, self._look
        looks = [seen(job) or look(job) for job in self._order]
        if detail is not None and detail in self._jobs:
            job = self._jobs[detail]
            looks[self._order.place(detail)] = snapshot_of(job, detailed=True)
        return tuple(looks)

    def _look(self, job: JobId) -> JobSnapshot:
        seen = snapshot_of(self._jobs[job], detailed=False)
        if not self._is_at_work(job):
            self._briefs[job] = seen
        return seen


def snapshot_of(job: Job, *, detailed: bool) -> JobSnapshot:
    """The job now."""
    brief = JobSnapshot(
        id=job.id,
        name=job.name,
        url=job.url,
        state=job.state,
        size=job.size,
        done=job.here,
        rate=job.meter.rate(monotonic()) if job.state.is_live else 0.0,
        lane_count=0 if job.is_untouched else len(job.effort.lanes),
        threads=job.threads,
        limit=job.spec.limit,
        streaming=job.is_streaming,
        verdict=job.verdict,
        target=job.target,
        command=job.spec.command or "",
        bottleneck=job.effort.tally.word if job.state.is_live else Bottleneck.NETWORK,
    )
    return _with_details(job, brief) if detailed else brief


def saved_of(job: Job, rank: float) -> Saved:
    """The job as it will be when the program starts again, whatever ends it now."""
    state, verdict = _afterwards(job)
    return Saved(
        id=job.id,
        rank=rank,
        spec=job.spec,
        began=job.began,
        state=state,
        name=job.name,
        size=job.size,
        done=job.here,
        verdict=verdict,
        target=job.target,
    )


def made_anew(job: Job, spec: JobSpec, *, paused: bool) -> Saved:
    """The job as another begins in its place; what is here is of the same file only."""
    state = JobState.PAUSED if paused else JobState.QUEUED
    past = replace(saved_of(job, 0.0), spec=spec, state=state, verdict="")
    if spec.command is not None:
        past = replace(past, done=0)
    if _whereabouts(spec) != _whereabouts(job.spec):
        past = replace(past, began=spec.url, name="", target="", size=None, done=0)
    return past


def _whereabouts(spec: JobSpec) -> tuple[str, Path | None, str | None, str | None]:
    """By which what is on disk is found."""
    return spec.url, spec.directory, spec.name, spec.command


def _afterwards(job: Job) -> tuple[JobState, str]:
    if job.state.is_final:
        return job.state, job.verdict
    if job.has_begun:
        return JobState.FAILED, INTERRUPTED
    rests = job.state is JobState.PAUSED
    return JobState.PAUSED if rests else JobState.QUEUED, ""


def _with_details(job: Job, brief: JobSnapshot) -> JobSnapshot:
    now, delivery, verifier = monotonic(), job.delivery, job.delivery.verifier
    lanes, window = sorted(job.effort.lanes.items()), job.effort.window
    return replace(
        brief,
        lanes=tuple(lane.snapshot(now) for _, lane in lanes),
        pieces=tuple(job.plan.done),
        window=window.snapshot() if window else None,
        front=_front(job),
        hashes=verifier.snapshots() if verifier else (),
        searching=job.promises.is_looking,
        parts=verifier.pieces_snapshot() if verifier else None,
        mirrors=job.effort.mirrors,
        source=job.told,
        piped=delivery.snapshot() if isinstance(delivery, PipeDelivery) else None,
    )


def _front(job: Job) -> FrontSnapshot:
    plan, transfer = job.plan, job.effort.transfer
    front = plan.front
    stream = job.delivery.stream
    buffer = stream.buffer if stream else None
    return FrontSnapshot(
        front=front if buffer is None else buffer.cursor,
        waiting=plan.done.total - front if buffer is None else buffer.waiting,
        depth=max(len(plan.done) - 1, 0) if buffer is None else buffer.depth,
        capacity=None if buffer is None else buffer.capacity,
        hole_lane=transfer.hole_lane(front) if transfer else None,
    )
