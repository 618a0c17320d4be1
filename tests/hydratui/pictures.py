"""Frames to lay out, and lines as text: what the tests of all panes need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine import (
    CommandSnapshot,
    Hop,
    JobSnapshot,
    JobState,
    SourceSnapshot,
    WindowChange,
)
from hydratui.sampler import Frame, Sampler
from hydratui.widgets.line import Line
from tests.hydratui.support import (
    GIB,
    MIB,
    NOW,
    FakeEngine,
    hostile_queue,
    make_job,
    mirrored_job,
    mixed_queue,
    promised_job,
    running_job,
)


def frame_of(
    *jobs: JobSnapshot, limit: float | None = None, looks: int = 60, moving: bool = True
) -> Frame:
    """A frame of the first job after a minute of looking at it; its front may move."""
    engine = FakeEngine(jobs, limit=limit)
    sampler = Sampler()
    selected = jobs[0].id if jobs else None
    for step in range(looks, 0, -1):
        engine.at = NOW - step
        if jobs:
            engine.jobs[jobs[0].id] = _before(jobs[0], step * moving)
        sampler.sample(engine.snapshot(selected), selected)
    engine.at, engine.jobs = NOW, {job.id: job for job in jobs}
    return sampler.sample(engine.snapshot(selected), selected)


def _before(job: JobSnapshot, step: int) -> JobSnapshot:
    if job.front is None:
        return job
    front = max(job.front.front - step * 8 * MIB, 0)
    return replace(job, front=replace(job.front, front=front))


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def page_of(lines: Sequence[Line]) -> str:
    return "\n".join(map(text_of, lines))


def inks_of(lines: Sequence[Line], text: str) -> set[str]:
    return {ink for line in lines for part, ink in line if text in part}


def told(job: JobSnapshot, text: str = "plain text") -> JobSnapshot:
    """The job with all that a server, a command or a user can put into words."""
    window = job.window
    if window is not None:
        change = WindowChange(NOW - 3, 7, text, cut=True)
        changes = (*window.changes, change)
        window = replace(window, host=text, reason=text, changes=changes)
    return replace(
        job,
        name=text,
        url=f"https://example.org/{text}",
        verdict=text,
        target=text,
        command=text,
        lanes=tuple(replace(lane, note=text, host=text) for lane in job.lanes),
        window=window,
        source=SourceSnapshot(
            hops=(Hop(302, text), Hop(206, text)),
            headers=(("Server", text), (text, "x")),
            etag=text,
            last_modified=text,
            media_type=text,
        ),
        piped=CommandSnapshot(fed=5 * MIB, status=-9, said=(text, text)),
        hashes=tuple(
            replace(known, expected=text, actual=text[::-1], origin=text)
            for known in job.hashes
        ),
        mirrors=tuple(
            replace(mirror, url=text, host=text, note=text) for mirror in job.mirrors
        ),
    )


FRAMES = {
    "running": frame_of(running_job(lanes=24), limit=200e6),
    "still": frame_of(running_job(lanes=24), moving=False),
    "on disk": frame_of(running_job(lanes=128, streaming=False)),
    "mixed": frame_of(replace(running_job(), limit=9e6), *mixed_queue()[1:]),
    "promised": frame_of(promised_job()),
    "mirrored": frame_of(mirrored_job()),
    "told of mirrors": frame_of(told(mirrored_job())),
    "searching": frame_of(replace(running_job(), hashes=(), searching=True)),
    "pieces only": frame_of(replace(promised_job(), hashes=())),
    "queued": frame_of(make_job(state=JobState.QUEUED, size=None), limit=10e3),
    "empty file": frame_of(make_job(state=JobState.DONE, size=0)),
    "size only": frame_of(
        make_job(state=JobState.DONE, size=GIB, share=1.0, verdict="size only")
    ),
    "huge": frame_of(replace(running_job(), size=2**45, done=2**44)),
    "told": frame_of(told(running_job())),
    "nothing": frame_of(),
    **{
        f"hostile {job.id}": frame_of(told(replace(job, id=1), job.name), looks=3)
        for job in hostile_queue()
    },
}
