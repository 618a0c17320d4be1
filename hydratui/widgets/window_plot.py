"""The window of a host over time, with a mark and a reason at each of its moves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from engine import WindowChange, WindowSnapshot
from hydratui.sampler import SPAN, Frame
from hydratui.text import duration, safe
from hydratui.widgets.chart import AXIS, FEET, Chart, Curve, nice_top, reach
from hydratui.widgets.line import Line, Span, framed, indented, line

_MOST = 6
"""Moves that are told in words, where there is room."""

_PLENTY = 9
"""Rows that the graph itself is to have before more than one reason is told."""

_LEAST = 4
"""Rows below which there is no graph, only the reason."""

_CUT: Span = ("▼", "bad")
_GROWN: Span = ("▲", "good")
_BACK: Span = ("v", "warn")
_NEITHER: Span = ("·", "dim")

Move = tuple[WindowChange, Span]
"""A change of a window, and its mark."""


def window_pane(
    frame: Frame, width: int, height: int, *, blocks: bool, span: float | None = SPAN
) -> list[Line]:
    window = frame.job.window if frame.job else None
    if window is None:
        return framed(width, height, [], title=[("Window", "title")])
    told = max(min(height - 2 - _PLENTY, _MOST, len(window.changes)), 1)
    chart = Chart(
        cells=width - 4,
        height=height - 2 - 1 - told,
        now=frame.at,
        seconds=reach(frame.window, frame.at, span),
        blocks=blocks,
    )
    found = moves(window.changes)
    body = _reasons(window, found, chart, told)
    if height - 2 >= _LEAST:
        body = [*_rows(frame, chart), _marks(found, chart), *body]
    title: list[Span] = [
        ("Window", "title"),
        (f"  {window.flying}", "strong"),
        (" of ", "dim"),
        (f"{window.size}", "window"),
        (" flying", "dim"),
        (f" · {safe(window.host)}", "dim"),
    ]
    return framed(width, height, indented(body), title=title, foot=FEET[span])


def _rows(frame: Frame, chart: Chart) -> list[Line]:
    tracks = [track.over(chart.seconds) for track in (frame.window, frame.flying)]
    curves = [
        Curve(frame.flying, "flying"),
        Curve(frame.window, "window", filled=False),
    ]
    return chart.rows(curves, nice_top(max(*(t.peak for t in tracks), 4.0)))


def moves(changes: Sequence[WindowChange]) -> list[Move]:
    """The changes with their marks: cut, grown, a step back, or neither."""
    found = [(first, _CUT if first.cut else _NEITHER) for first in changes[:1]]
    for before, after in pairwise(changes):
        if after.cut:
            found.append((after, _CUT))
        elif after.size == before.size:
            found.append((after, _NEITHER))
        else:
            found.append((after, _GROWN if after.size > before.size else _BACK))
    return found


def _marks(found: Sequence[Move], chart: Chart) -> Line:
    """The time axis with a mark at each move; where two meet, a cut is seen."""
    cells = chart.cells - AXIS
    axis: list[Span] = [("─", "frame")] * cells
    for change, mark in found:
        index = cells - 1 - int((chart.now - change.at) / chart.seconds * cells)
        if 0 <= index < cells and mark is not _NEITHER and axis[index] is not _CUT:
            axis[index] = mark
    runs = ((glyph * len(list(run)), ink) for (glyph, ink), run in groupby(axis))
    return line(chart.cells, (" " * (AXIS - 1) + "└", "frame"), *runs)


def _reasons(
    window: WindowSnapshot, found: Sequence[Move], chart: Chart, count: int
) -> list[Line]:
    """Why the window is what it is: its latest moves, or in one line its last cut."""
    if count == 1:
        return [_caption(window, chart)]
    return [
        line(
            chart.cells,
            mark,
            (f" {_ago(chart.now - change.at):>9}  ", "dim"),
            (f"to {change.size:<4}", "strong"),
            (safe(change.reason), "text"),
        )
        for change, mark in reversed(found[-count:])
    ]


def _caption(window: WindowSnapshot, chart: Chart) -> Line:
    spans: list[Span] = []
    cut = next((change for change in reversed(window.changes) if change.cut), None)
    if cut is not None and chart.now - cut.at < SPAN:
        spans = [_CUT, (f" {_ago(chart.now - cut.at)}  ", "dim")]
    return line(chart.cells, *spans, (safe(window.reason), "text"))


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds < 100 else f"{duration(seconds)} ago"
