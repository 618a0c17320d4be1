"""A job as a level: what the outside may see of it, frozen, made when asked for.

A queue of thousands is looked at many times a second, so only the job on the
screen is looked at in detail: its lanes, pieces, window, front and hash. What is
written down for the next start is a look as well.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from engine.job import Job
from engine.model import Bottleneck, FrontSnapshot, JobSnapshot, JobState
from engine.piping import PipeDelivery
from engine.store import Saved

INTERRUPTED = "interrupted; its command is not begun again by itself"


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
        lane_count=len(job.transfer.lanes) if job.transfer else 0,
        threads=job.threads,
        limit=job.spec.limit,
        streaming=job.is_streaming,
        verdict=job.verdict,
        target=job.target,
        command=job.spec.command or "",
        bottleneck=job.tally.word if job.state.is_live else Bottleneck.NETWORK,
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


def _afterwards(job: Job) -> tuple[JobState, str]:
    if job.state.is_final:
        return job.state, job.verdict
    if job.has_begun:
        return JobState.FAILED, INTERRUPTED
    rests = job.state is JobState.PAUSED
    return JobState.PAUSED if rests else JobState.QUEUED, ""


def _with_details(job: Job, brief: JobSnapshot) -> JobSnapshot:
    now, delivery, verifier = monotonic(), job.delivery, job.delivery.verifier
    lanes = sorted(job.transfer.lanes.items()) if job.transfer else ()
    return replace(
        brief,
        lanes=tuple(lane.snapshot(now) for _, lane in lanes),
        pieces=tuple(job.plan.done),
        window=job.window.snapshot() if job.window else None,
        front=_front(job),
        hash=verifier.snapshot() if verifier else None,
        source=job.told,
        piped=delivery.snapshot() if isinstance(delivery, PipeDelivery) else None,
    )


def _front(job: Job) -> FrontSnapshot:
    plan = job.plan
    front = plan.front
    stream = job.delivery.stream
    buffer = stream.buffer if stream else None
    return FrontSnapshot(
        front=front if buffer is None else buffer.cursor,
        waiting=plan.done.total - front if buffer is None else buffer.waiting,
        depth=max(len(plan.done) - 1, 0) if buffer is None else buffer.depth,
        capacity=None if buffer is None else buffer.capacity,
        hole_lane=job.transfer.hole_lane(front) if job.transfer else None,
    )
