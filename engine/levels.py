"""A job as a level: what the outside may see of it, frozen, made when asked for.

A queue of hundreds is looked at many times a second, so only the job on the
screen is looked at in detail: its lanes, pieces, window, front and hash.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from engine.job import Job
from engine.model import Bottleneck, FrontSnapshot, JobSnapshot


def snapshot_of(job: Job, *, detailed: bool) -> JobSnapshot:
    """The job now."""
    remote, file = job.remote, job.delivery.file
    brief = JobSnapshot(
        id=job.id,
        name=job.name,
        url=job.url,
        state=job.state,
        size=remote.size if remote else None,
        done=job.plan.done.total if remote else 0,
        rate=job.meter.rate(monotonic()) if job.state.is_live else 0.0,
        lane_count=len(job.transfer.lanes) if job.transfer else 0,
        threads=job.threads,
        limit=job.spec.limit,
        streaming=job.delivery.stream is not None,
        verdict=job.verdict,
        target=str(file.target) if file and file.target else "",
    )
    return _with_details(job, brief) if detailed else brief


def _with_details(job: Job, brief: JobSnapshot) -> JobSnapshot:
    now, verifier = monotonic(), job.delivery.verifier
    lanes = sorted(job.transfer.lanes.items()) if job.transfer else ()
    return replace(
        brief,
        lanes=tuple(lane.snapshot(now) for _, lane in lanes),
        pieces=tuple(job.plan.done),
        window=job.window.snapshot() if job.window else None,
        front=_front(job),
        hash=verifier.snapshot() if verifier else None,
        bottleneck=_bottleneck(job),
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


def _bottleneck(job: Job) -> Bottleneck:
    """What the job waits for most."""
    if job.throttled:
        return Bottleneck.THROTTLE
    stream, transfer = job.delivery.stream, job.transfer
    if stream is not None and transfer is not None and transfer.is_at_horizon:
        return Bottleneck.READER if stream.buffer.is_ready else Bottleneck.HEAD
    if transfer is not None and transfer.waits_for_sink:
        return Bottleneck.DISK if stream is None else Bottleneck.READER
    return Bottleneck.NETWORK
