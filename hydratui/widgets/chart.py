"""A graph with its scale and its axis of time, and how much of the past it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydratui.sampler import LONG_SPAN, SPAN, Track
from hydratui.widgets.line import Line, Span, line
from hydratui.widgets.plot import Series, plot

AXIS = 5
"""Cells that the scale takes at the left."""

FEET = {SPAN: "", LONG_SPAN: "10 minutes", None: "since the start"}
"""What a graph says of its span where that is not the usual one."""

_STEPS = (1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_LEAST = 3
_ROOM = 6
"""Dashes that a level keeps when its name is written into it."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A past that is drawn: as an area, or as a line over what is there already."""

    track: Track
    ink: str
    filled: bool = True


@dataclass(frozen=True, slots=True)
class Level:
    """A value that does not move, as a dashed line with a name."""

    value: float
    dash: str
    name: str
    is_above: bool = False
    """Whether it is drawn over what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A place for a graph with its scale, and the time that it shows."""

    cells: int
    height: int
    now: float
    seconds: float
    blocks: bool

    def rows(
        self,
        curves: Sequence[Curve],
        top: float,
        *,
        unit: float = 1.0,
        levels: Sequence[Level] = (),
    ) -> list[Line]:
        """The curves over each other, with the scale at the left."""
        room = self.cells - AXIS
        series = [
            Series(self._columns(curve, room * 2), curve.ink, curve.filled)
            for curve in curves
            if curve.track.samples
        ]
        rows = plot(series, room, self.height, top, blocks=self.blocks)
        for one in levels:
            _draw_level(rows, one, top)
        return scaled(rows, top / unit, self.cells)

    def _columns(self, curve: Curve, count: int) -> list[float | None]:
        track = curve.track.over(self.seconds)
        return track.columns(count, self.now, self.seconds) if count > 0 else []

    @property
    def time_axis(self) -> Line:
        room = self.cells - AXIS
        half = room // 2
        text = f"-{_span(self.seconds)}".ljust(half - 2)
        text = f"{text}-{_span(self.seconds / 2)}"
        text = text.ljust(room - 3)[: max(room - 3, 0)]
        return line(self.cells, (" " * AXIS + text + "now", "dim"))


def _span(seconds: float) -> str:
    """A span of time as an axis names it: "60s", "10m", "2.5h"."""
    if seconds < 120:
        return f"{seconds:.0f}s"
    if seconds < 7200:
        return f"{seconds / 60:.3g}m"
    return f"{seconds / 3600:.3g}h"


def scaled(rows: Sequence[Sequence[Span]], top: float, cells: int) -> list[Line]:
    labels = {len(rows) - 1: "0", 0: _tick(top)}
    if len(rows) > 3 and len(rows) % 2:
        labels[(len(rows) - 1) // 2] = _tick(top / 2)
    return [
        line(
            cells,
            (f"{labels.get(y, ''):>{AXIS - 1}}", "dim"),
            ("┤" if y in labels else "│", "frame"),
            *row,
        )
        for y, row in enumerate(rows)
    ]


def _tick(value: float) -> str:
    """A number of the scale, in four cells."""
    return f"{value:.4g}" if value < 10_000 else f"{value / 1000:.3g}k"


def _draw_level(rows: list[list[Span]], level: Level, top: float) -> None:
    """A dashed line with its name, where nothing is drawn yet."""
    if not rows:
        return
    y = len(rows) - 1 - min(int(level.value / top * len(rows)), len(rows) - 1)
    row = rows[y]
    if level.is_above and len(rows) > _LEAST:
        row = [(" " * sum(len(text) for text, _ in row), "text")]
    gaps = [index for index, (text, _) in enumerate(row) if not text.strip()]
    widest = max(gaps, key=lambda index: len(row[index][0]), default=None)
    for index in gaps:
        name = f" {level.name} " if index == widest else ""
        row[index] = (_dashes(level.dash, name, len(row[index][0])), "limit")
    rows[y] = row


def _dashes(dash: str, name: str, cells: int) -> str:
    """A dashed line with a name in its middle, if it is long enough."""
    if not name or cells < len(name) + _ROOM:
        return dash * cells
    return (
        dash * ((cells - len(name)) // 2) + name + dash * -(-(cells - len(name)) // 2)
    )


def plot_height(height: int) -> int:
    """Of so many rows those for the graph; the axis of time gives way first."""
    return height - 1 if height >= _LEAST else height


def reach(track: Track, now: float, span: float | None) -> float:
    """How many seconds a graph shows; for all of the past a round number of them."""
    if span is not None:
        return span
    age = 0.0 if track.began is None else now - track.began
    return max(nice_top(age / 60) * 60, SPAN)


def nice_top(peak: float) -> float:
    """A round number a little above the peak, so that the scale seldom moves."""
    if peak <= 0:
        return 1.0
    magnitude = 1.0
    while magnitude * 10 < peak * 1.02:
        magnitude *= 10
    while magnitude > peak * 1.02:
        magnitude /= 10
    return next(step * magnitude for step in _STEPS if step * magnitude >= peak * 1.02)
