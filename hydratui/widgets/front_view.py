"""The front: how far the file is whole, which lane holds the hole, what waits beyond it.

For a stream this is the reorder heap and its hard bound; for a file it is what
has landed on disk ahead of its turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engine import Bottleneck, FrontSnapshot, JobSnapshot, JobState
from hydratui.sampler import SPAN, Frame
from hydratui.text import bar, percent, size
from hydratui.widgets.graph import Series, nice_top, plot, spark, wants_blocks
from hydratui.widgets.line import Line, LineWidget, Span, framed, line, spread

_TALL = 12
"""From this height on the history is a graph instead of a row."""

_MIB = 1024 * 1024

_BLAME = {
    Bottleneck.NETWORK: ("network", "good"),
    Bottleneck.HEAD: ("head of line", "warn"),
    Bottleneck.READER: ("reader", "warn"),
    Bottleneck.DISK: ("disk", "warn"),
    Bottleneck.THROTTLE: ("throttle", "warn"),
    Bottleneck.SERVER: ("server", "warn"),
}


class FrontView(LineWidget[Frame]):
    """The front pane."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return front_pane(value, size.width, size.height)


def front_pane(frame: Frame, width: int, height: int) -> list[Line]:
    job = frame.job
    if job is None or job.front is None:
        return framed(width, height, [], title=[("Front", "title")])
    cells = width - 4
    body = [
        _front(job, job.front, cells),
        _waiting(job, job.front, cells),
        *_history(frame, job.front, cells, height - 2 - 3),
        _blame(job, cells),
    ]
    rows: list[Line] = [((" ", "text"), *row, (" ", "text")) for row in body]
    kind = "reorder heap of the stream" if job.streaming else "file on disk"
    return framed(width, height, rows, title=[("Front", "title"), (f"  {kind}", "dim")])


def _front(job: JobSnapshot, front: FrontSnapshot, cells: int) -> Line:
    share = "" if job.size is None else f"  {percent(front.front, job.size)} %"
    left: list[Span] = [
        ("in order  ", "dim"),
        (f"▶ {size(front.front)}", "strong"),
        (share, "text"),
    ]
    return spread(cells, left, _hole(job, front))


def _hole(job: JobSnapshot, front: FrontSnapshot) -> list[Span]:
    if not job.state.is_live or front.front == job.size:
        return []
    if front.hole_lane is None:
        return [("no lane has the next byte", "dim")]
    return [("hole held by ", "dim"), (f"lane {front.hole_lane}", "accent")]


def _waiting(job: JobSnapshot, front: FrontSnapshot, cells: int) -> Line:
    """How much waits, and how near the heap is to its bound."""
    pieces = "blocks" if job.streaming else "ranges"
    left = f"{size(front.waiting)}"
    if front.capacity is not None:
        left += f" of {size(front.capacity)}"
    tail = f" {front.depth} {pieces}"
    room = cells - len("waiting   ") - len(left) - 1 - len(tail)
    spans: list[Span] = [("waiting   ", "dim"), (left + " ", "strong")]
    if front.capacity is not None and room >= 8:
        full = front.waiting > 0.9 * front.capacity
        filled, rest = bar(front.waiting, front.capacity, room)
        spans += [(filled, "warn" if full else "bar"), (rest, "rest")]
    return line(cells, *spans, (tail, "dim"))


def _history(frame: Frame, front: FrontSnapshot, cells: int, height: int) -> list[Line]:
    if height < 1:
        return []
    label: Span = ("history   ", "dim")
    room = cells - len(label[0])
    top = front.capacity or nice_top(max(frame.waiting.peak, _MIB) / _MIB) * _MIB
    if height + 5 < _TALL:
        row = spark(frame.waiting, room, frame.at, top)
        return [line(cells, label, (row, "graph")), *[line(cells)] * (height - 1)]
    return _graph(frame, top, label, room, height)


def _graph(frame: Frame, top: float, label: Span, room: int, height: int) -> list[Line]:
    columns = frame.waiting.columns(room * 2, frame.at)
    rows = plot(
        [Series(columns, "graph", filled=True)],
        room,
        height - 2,
        top,
        blocks=wants_blocks(),
    )
    cells = room + len(label[0])
    scale: Span = (f"{top / _MIB:>5g} MiB "[:10], "dim")
    blank: Span = (" " * len(label[0]), "dim")
    graph = [
        line(cells, scale if y == 0 else blank, *row) for y, row in enumerate(rows)
    ]
    axis = f"-{SPAN:.0f}s".ljust(room - 3) + "now"
    return [line(cells), *graph, line(cells, label, (axis, "dim"))]


def _blame(job: JobSnapshot, cells: int) -> Line:
    if job.state is not JobState.RUNNING:
        return line(cells)
    word, ink = _BLAME[job.bottleneck]
    return line(cells, ("slowed by ", "dim"), (f"{word}", ink))
