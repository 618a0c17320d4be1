"""Who holds a job up: the one to blame, in a word and in a sentence.

A stream that stands still is not to be a riddle. What the engine knows as one word
is told with its facts: which lane, how fast, what limit, whose command.
"""

from __future__ import annotations

from engine import Bottleneck, JobSnapshot, JobState, LaneSnapshot, LaneState
from hydratui.sampler import Frame
from hydratui.text import duration, rate, safe
from hydratui.widgets.line import Line, line, wrapped
from hydratui.widgets.signs import LANE_SIGNS

_STILL = 2.0
"""Seconds after which a front that does not move is said to stand still."""

_FULL = 0.9
"""The share of its bound from which on the heap counts as full."""

_LABEL = "slowed by "


def slowed_by(
    frame: Frame, job: JobSnapshot, cells: int
) -> tuple[list[Line], list[Line]]:
    """The word, and the sentence: in the same row if it fits there, or below it."""
    if job.state is not JobState.RUNNING:
        return [], []
    word = job.bottleneck.value
    ink = "good" if job.bottleneck is Bottleneck.NETWORK else "warn"
    sentence = "" if _stands_still(frame, job) else _sentence(frame, job)
    together = f"{word}: {sentence}"
    if sentence and len(_LABEL) + len(together) <= cells:
        rest = (together[len(word) :], "text")
        return [line(cells, (_LABEL, "dim"), (word, ink), rest)], []
    indent = (" " * len(_LABEL), "dim")
    rows = wrapped(sentence, cells - len(_LABEL)) if sentence else []
    return (
        [line(cells, (_LABEL, "dim"), (word, ink))],
        [line(cells, indent, (text, "text")) for text in rows],
    )


def standstill(frame: Frame, job: JobSnapshot, cells: int) -> list[Line]:
    """Who is to blame for a front that does not move; nothing if it does."""
    if not _stands_still(frame, job):
        return []
    text = f"stands still, {duration(frame.still)}: {_culprit(frame, job)}"
    return [
        line(cells, ("‖ " if index == 0 else "  ", "bad"), (row, "bad"))
        for index, row in enumerate(wrapped(text, cells - 2))
    ]


def is_pressed(job: JobSnapshot) -> bool:
    """Whether something behind the network holds it back: a full heap, a slow sink."""
    front = job.front
    if front is not None and front.capacity and front.waiting > _FULL * front.capacity:
        return True
    by_us = {Bottleneck.HEAD, Bottleneck.READER, Bottleneck.DISK}
    held = any(lane.state is LaneState.HELD for lane in job.lanes)
    return held and job.bottleneck in by_us


def hole_lane(job: JobSnapshot) -> LaneSnapshot | None:
    """The lane that fetches the first missing byte."""
    wanted = job.front.hole_lane if job.front else None
    return next((lane for lane in job.lanes if lane.number == wanted), None)


def _stands_still(frame: Frame, job: JobSnapshot) -> bool:
    """Whether nothing comes out; the front of a file may wait while the rest comes."""
    if job.state is not JobState.RUNNING or frame.still < _STILL:
        return False
    return job.streaming or bool(job.command) or job.rate < 1


def _sentence(frame: Frame, job: JobSnapshot) -> str:
    """What the word means for this job now."""
    match job.bottleneck:
        case Bottleneck.NETWORK:
            return "the lanes bring what the way brings"
        case Bottleneck.SERVER:
            return "it refuses, or takes its time to answer"
        case Bottleneck.HEAD:
            return f"the others wait; {_head(job)}"
        case Bottleneck.READER:
            return f"{_reader(job)} takes less than the network brings"
        case Bottleneck.DISK:
            return "it takes less than the network brings"
        case Bottleneck.THROTTLE:
            return f"{_limit(frame, job)} is reached"


def _culprit(frame: Frame, job: JobSnapshot) -> str:
    """Who brings or takes nothing."""
    match job.bottleneck:
        case Bottleneck.NETWORK:
            return "no lane brings the next byte" if job.lanes else "no lane is open"
        case Bottleneck.SERVER:
            return "the server gives nothing"
        case Bottleneck.HEAD:
            return _head(job)
        case Bottleneck.READER:
            return f"{_reader(job)} takes nothing"
        case Bottleneck.DISK:
            return "the disk takes nothing"
        case Bottleneck.THROTTLE:
            return f"{_limit(frame, job)} lets nothing through"


def _reader(job: JobSnapshot) -> str:
    return "the command" if job.command else "the reader"


def _head(job: JobSnapshot) -> str:
    lane = hole_lane(job)
    if lane is None:
        return "no lane has the next byte"
    how = safe(lane.note) or LANE_SIGNS[lane.state].word
    if lane.state is LaneState.RECEIVING:
        how = f"at {rate(lane.rate)}"
    return f"lane {lane.number} has the next byte, {how}"


def _limit(frame: Frame, job: JobSnapshot) -> str:
    limit = frame.snapshot.limit
    if job.limit is not None and (limit is None or job.limit <= limit):
        return f"its limit of {rate(job.limit)}"
    return "the limit" if limit is None else f"the limit of {rate(limit)} for all"
