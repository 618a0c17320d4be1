"""How fast each lane is just now, side by side: the slow ones are seen at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from textual.geometry import Size

from engine import LaneSnapshot
from hydratui.sampler import Frame
from hydratui.widgets.chart import AXIS, nice_top, scaled
from hydratui.widgets.lane_cells import is_receiving, pen_for
from hydratui.widgets.line import Line, LineWidget, Span, framed, indented, line
from hydratui.widgets.plot import BLOCKS

_WIDEST = 4
"""Cells for one lane, its gap included."""

_ROOM_FOR_NUMBERS = 3


class SpeedGraph(LineWidget[Frame]):
    """The lanes of the selected job, a bar each."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return speed_pane(value, size.width, size.height)


def speed_pane(frame: Frame, width: int, height: int) -> list[Line]:
    lanes = frame.job.lanes if frame.job else ()
    title: list[Span] = [("Lane speed", "title"), (" MB/s", "dim")]
    if not lanes:
        return framed(width, height, [], title=title)
    rates = [lane.rate / 1e6 for lane in lanes if is_receiving(lane)]
    if rates:
        title += [
            (f"  median {median(rates):.3g}", "strong"),
            (f" · min {min(rates):.3g} · max {max(rates):.3g}", "dim"),
        ]
    numbered = height - 2 >= _ROOM_FOR_NUMBERS
    bars = _bars(lanes, max(width - 4 - AXIS, 1), nice_top(max(rates, default=0.0)))
    body = _rows(bars, height - 3 if numbered else height - 2, width - 4)
    if numbered:
        body.append(_numbers(bars, width - 4))
    return framed(width, height, indented(body), title=title)


@dataclass(frozen=True, slots=True)
class _Bars:
    """The lanes that are drawn, and how."""

    lanes: Sequence[LaneSnapshot]
    top: float
    """The speed of a full bar, in MB/s."""
    cells: int
    gap: int

    @property
    def step(self) -> int:
        return self.cells + self.gap


def _bars(lanes: Sequence[LaneSnapshot], room: int, top: float) -> _Bars:
    """A bar for each lane; where several must share one, it is that of the slowest."""
    if len(lanes) > room:
        shares = (
            (i * len(lanes) // room, (i + 1) * len(lanes) // room) for i in range(room)
        )
        lanes = [min(lanes[a:b], key=lambda lane: lane.rate) for a, b in shares]
    step = min(max(room // len(lanes), 1), _WIDEST)
    return _Bars(lanes, top, max(step - 1, 1), 1 if step > 1 else 0)


def _rows(bars: _Bars, height: int, cells: int) -> list[Line]:
    """The bars as rows; lanes of one ink that stand side by side are one span."""
    pen = replace(pen_for(bars.lanes, 1), top=bars.top * 1e6)
    rows: list[list[Span]] = [[] for _ in range(height)]
    looks = [(lane, *pen.block(lane)) for lane in bars.lanes]
    for ink, run in groupby(looks, key=lambda look: look[2]):
        columns = [_column(bars, lane, sign, height) for lane, sign, _ in run]
        for row, texts in zip(rows, zip(*columns, strict=True), strict=True):
            row.append(("".join(texts), ink))
    return scaled(rows, bars.top, cells)


def _column(bars: _Bars, lane: LaneSnapshot, sign: str, height: int) -> list[str]:
    """A lane from the highest row to the lowest; its sign if it receives nothing."""
    gap = " " * bars.gap
    if not is_receiving(lane):
        blank = " " * bars.step
        return [*[blank] * (height - 1), sign.ljust(bars.step)]
    full, part = divmod(round(lane.rate / 1e6 / bars.top * height * 8), 8)
    tip = [BLOCKS[part] * bars.cells + gap] if full < height else []
    body = [BLOCKS[-1] * bars.cells + gap] * min(full, height)
    return [" " * bars.step] * (height - len(body) - len(tip)) + tip + body


def _numbers(bars: _Bars, cells: int) -> Line:
    """The numbers of the lanes, as many as can be told apart."""
    text = ""
    for index, lane in enumerate(bars.lanes):
        at, number = index * bars.step, str(lane.number)
        is_due = index % 5 == 0 or bars.step >= _WIDEST
        if is_due and len(text) + bool(text) <= at <= cells - AXIS - len(number):
            text = text.ljust(at) + number
    return line(cells, (" " * AXIS, "dim"), (text, "dim"))
