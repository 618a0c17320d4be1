"""The front: how far the file is whole, which lane holds the hole, what waits beyond it.

For a stream this is the reorder heap, its hard bound and the command behind it; for
a file it is what has landed on disk ahead of its turn. Where rows are few, those
that matter most are kept; what is left of many shows the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import Size

from engine import FrontSnapshot, JobSnapshot, JobState, LaneSnapshot, LaneState
from hydratui.sampler import SPAN, Frame
from hydratui.text import bar, duration, fit, percent, rate, size
from hydratui.widgets.blame import hole_lane, is_pressed, slowed_by, standstill
from hydratui.widgets.chart import Chart
from hydratui.widgets.command_part import command_rows, said_rows
from hydratui.widgets.graph import depth_rows, depth_top, depth_words
from hydratui.widgets.lane_cells import sign_of
from hydratui.widgets.line import Line, LineWidget, Span, framed, indented, line, spread
from hydratui.widgets.plot import spark, wants_blocks

LABEL = 10
"""Cells of the words at the left."""

_GRAPH = 6
"""Rows from which on the past is a graph instead of one row."""

_TALL = 14
"""Rows from which on that graph has its place before lesser things have theirs."""

_TINY = 4
_PARKED = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows that stay or go together; the highest rank goes first."""

    rank: int
    rows: Sequence[Line]


class FrontView(LineWidget[Frame]):
    """The front pane."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return front_pane(value, size.width, size.height)


def front_pane(frame: Frame, width: int, height: int) -> list[Line]:
    title: list[Span] = [("Front", "title")]
    job = frame.job
    if job is None:
        return framed(width, height, [], title=title)
    if job.command:
        title.append(("  stream into a command", "dim"))
    elif job.front is not None:
        kind = "reorder heap of the stream" if job.streaming else "file on disk"
        title.append((f"  {kind}", "dim"))
    body = _body(frame, job, width - 4, height - 2)
    return framed(width, height, indented(body), title=title)


def _body(frame: Frame, job: JobSnapshot, cells: int, height: int) -> list[Line]:
    """What fits of it, in the order in which it is read."""
    still = standstill(frame, job, cells)[: None if height > _TINY else 1]
    above = [Part(0, still), *_above(frame, job, cells)]
    below = _below(frame, job, cells)
    kept = fitting([*above, *below], height - _reserved(height))
    past = height - sum(len(part.rows) for part in kept)
    return [
        *(row for part in above if part in kept for row in part.rows),
        *(_history(frame, cells, past) if job.front else ()),
        *(row for part in below if part in kept for row in part.rows),
    ]


def _reserved(height: int) -> int:
    """Rows that the past is given whatever else there is."""
    if height < _TINY:
        return 0
    return _GRAPH if height >= _TALL else 1


def fitting(parts: Sequence[Part], height: int) -> list[Part]:
    """The parts for which there is room, the lowest ranks first."""
    kept = []
    for part in sorted(parts, key=lambda part: part.rank):
        if 0 < len(part.rows) <= height:
            kept.append(part)
            height -= len(part.rows)
    return kept


def _above(frame: Frame, job: JobSnapshot, cells: int) -> list[Part]:
    if job.front is None:
        return []
    return [
        Part(2, [_front(frame, job, job.front, cells)]),
        Part(5, _hole(job, job.front, cells)),
        Part(3, [_waiting(job, job.front, cells)]),
    ]


def _below(frame: Frame, job: JobSnapshot, cells: int) -> list[Part]:
    word, sentence = slowed_by(frame, job, cells)
    return [
        Part(1, word),
        Part(6, sentence),
        Part(7, _pressure(job, cells)),
        Part(4, command_rows(job, cells)),
        Part(8, said_rows(job, cells)),
        Part(9, _parked(job, cells)),
    ]


# ---------------------------------------------------------------- the front


def _front(frame: Frame, job: JobSnapshot, front: FrontSnapshot, cells: int) -> Line:
    left: list[Span] = [
        ("in order  ", "dim"),
        (f"▶ {size(front.front)}", "strong"),
    ]
    if job.size is not None:
        left.append((f"  {percent(front.front, job.size)} %", "text"))
    if job.state is JobState.RUNNING:
        left.append((f"  {rate(frame.front_rate)}", "dim"))
    return spread(cells, left, _holder(job, front))


def _holder(job: JobSnapshot, front: FrontSnapshot) -> list[Span]:
    if not job.state.is_live or front.front == job.size:
        return []
    if front.hole_lane is None:
        return [("no lane has the next byte", "dim")]
    return [("hole held by ", "dim"), (f"lane {front.hole_lane}", "accent")]


def _hole(job: JobSnapshot, front: FrontSnapshot, cells: int) -> list[Line]:
    """How much is missing before the next piece, who brings it, and how soon."""
    start, stop = hole(job, front)
    lane = hole_lane(job)
    if lane is None or stop is None or not job.state.is_live:
        return []
    spans: list[Span] = [
        ("hole      ", "dim"),
        (size(stop - start), "strong"),
        (f" at {size(start)} · ", "dim"),
        (f"lane {lane.number}", "accent"),
        (f" {sign_of(lane).glyph}", sign_of(lane).ink),
        (f" {rate(lane.rate)}", "text"),
    ]
    left = min(stop, lane.range.stop) - lane.mark
    if lane.rate >= 1 and start <= lane.mark <= stop:
        spans.append((f" · its part is filled in {duration(left / lane.rate)}", "dim"))
    return [line(cells, *spans)]


def hole(job: JobSnapshot, front: FrontSnapshot) -> tuple[int, int | None]:
    """The first missing byte, and the first one after it that is here, or the end."""
    start = front.front
    for piece in job.pieces:
        if piece.start > start:
            return start, piece.start
        start = max(start, piece.stop)
    return start, job.size


def _waiting(job: JobSnapshot, front: FrontSnapshot, cells: int) -> Line:
    """How much waits, and how near the heap is to its bound."""
    left = f"{size(front.waiting)}"
    if front.capacity is not None:
        left += f" of {size(front.capacity)}"
    tail = f" {depth_words(job, front)}"
    room = cells - LABEL - len(left) - 1 - len(tail)
    spans: list[Span] = [("waiting   ", "dim"), (left + " ", "strong")]
    if front.capacity is not None and room >= 8:
        filled, rest = bar(front.waiting, front.capacity, room)
        spans += [(filled, "warn" if is_pressed(job) else "bar"), (rest, "rest")]
    return line(cells, *spans, (tail, "dim"))


def _pressure(job: JobSnapshot, cells: int) -> list[Line]:
    """Whether the reader, the disk or the hole holds the lanes back."""
    if job.state is not JobState.RUNNING:
        return []
    held = sum(lane.state is LaneState.HELD for lane in job.lanes)
    spans: list[Span] = [("pressure  ", "dim")]
    if is_pressed(job):
        spans.append(("on", "warn"))
        spans.append((f"  {held} of {len(job.lanes)} lanes are held back", "text"))
    else:
        spans += [("off", "good"), ("  no lane is held back by it", "dim")]
    return [line(cells, *spans)]


# ----------------------------------------------------------------- the past


def _history(frame: Frame, cells: int, height: int) -> list[Line]:
    """A graph where there is room for one, else a row, else nothing."""
    if height < 1:
        return []
    if height < _GRAPH:
        top = depth_top(frame, SPAN)
        row = spark(frame.waiting, cells - LABEL, frame.at, top)
        return [line(cells, ("history   ", "dim"), (row, "graph"))]
    chart = Chart(
        cells=cells,
        height=height - 1,
        now=frame.at,
        seconds=SPAN,
        blocks=wants_blocks(),
    )
    return depth_rows(frame, chart)


# --------------------------------------------------------------- the others


def _parked(job: JobSnapshot, cells: int) -> list[Line]:
    """The lanes that are furthest ahead of the front: theirs is what waits longest."""
    if job.front is None or job.state is not JobState.RUNNING:
        return []
    front = job.front.front
    ahead = [lane for lane in job.lanes if lane.range.start > front]
    ahead.sort(key=lambda lane: -lane.range.start)
    return [
        line(cells, (fit("" if index else "ahead", LABEL), "dim"), *_ahead(lane, front))
        for index, lane in enumerate(ahead[:_PARKED])
    ]


def _ahead(lane: LaneSnapshot, front: int) -> list[Span]:
    sign = sign_of(lane)
    return [
        (f"{lane.number:>3} ", "accent"),
        (f"{sign.glyph} ", sign.ink),
        (f"{size(lane.range.start - front):>9} ahead", "text"),
        (f"{size(lane.mark - lane.range.start):>11} here", "dim"),
        (f"{rate(lane.rate):>11}", "text"),
    ]
