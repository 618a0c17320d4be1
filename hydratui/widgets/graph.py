"""The last minute as a picture: throughput with its limit, the window with its cuts.

A cell of braille has two columns of four dots; where a terminal's font has no
braille (the Linux console), blocks with eight heights stand in for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from textual.geometry import Size

from engine import WindowSnapshot
from hydratui.sampler import SPAN, Frame, Track
from hydratui.text import level, safe
from hydratui.widgets.line import Line, LineWidget, Span, framed, line

_AXIS = 5
_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
"""The dots of the left and the right half of a cell, filled from below."""

_BLOCKS = " ▁▂▃▄▅▆▇█"
_STEPS = (1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Series:
    """One value over time, two columns to a cell."""

    columns: Sequence[float | None]
    ink: str
    filled: bool


class ThroughputGraph(LineWidget[Frame]):
    """All jobs together, and the limit as a line."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return throughput_pane(value, size.width, size.height, blocks=wants_blocks())


class WindowGraph(LineWidget[Frame]):
    """How many lanes may fly to the host of the selected job, and how many do."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return window_pane(value, size.width, size.height, blocks=wants_blocks())


def wants_blocks() -> bool:
    """Whether the terminal is one whose font has no braille."""
    return os.environ.get("TERM", "") in {"linux", "vt100", "vt220"}


def throughput_pane(
    frame: Frame, width: int, height: int, *, blocks: bool
) -> list[Line]:
    cells = width - 4 - _AXIS
    limit = frame.snapshot.limit
    top = nice_top(max(frame.rates.peak, limit or 0.0, 1e6) / 1e6)
    series = Series(
        _scaled(frame.rates, cells * 2, frame.at, 1e-6), "graph", filled=True
    )
    rows = plot([series], cells, height - 3, top, blocks=blocks)
    if limit is not None:
        _draw_limit(rows, limit / 1e6 / top)
    now, mean, peak = frame.snapshot.rate, frame.rates.mean, frame.rates.peak
    title: list[Span] = [
        ("Throughput", "title"),
        (" MB/s", "dim"),
        (f"  now {now / 1e6:.0f}", "strong"),
        (f" · mean {mean / 1e6:.0f}", "dim"),
        (f" · peak {peak / 1e6:.0f}", "dim"),
    ]
    body = [*_with_axis(rows, top, width - 4), _time_axis(width - 4)]
    return framed(width, height, _indented(body), title=title)


def window_pane(frame: Frame, width: int, height: int, *, blocks: bool) -> list[Line]:
    window = frame.job.window if frame.job else None
    if window is None:
        return framed(width, height, [], title=[("Window", "title")])
    cells = width - 4 - _AXIS
    top = nice_top(max(frame.window.peak, frame.flying.peak, 4.0))
    series = [
        Series(_scaled(frame.flying, cells * 2, frame.at), "flying", filled=True),
        Series(_scaled(frame.window, cells * 2, frame.at), "window", filled=False),
    ]
    rows = plot(series, cells, height - 4, top, blocks=blocks)
    body = [
        *_with_axis(rows, top, width - 4),
        _cuts(window, frame.at, cells),
        _caption(window, frame.at, width - 4),
    ]
    title: list[Span] = [
        ("Window", "title"),
        (f"  {window.flying}", "strong"),
        (" of ", "dim"),
        (f"{window.size}", "window"),
        (" flying", "dim"),
        (f" · {safe(window.host)}", "dim"),
    ]
    return framed(width, height, _indented(body), title=title)


def _scaled(
    track: Track, count: int, now: float, factor: float = 1.0
) -> list[float | None]:
    if count < 1:
        return []
    columns = track.columns(count, now)
    return [None if value is None else value * factor for value in columns]


def _caption(window: WindowSnapshot, at: float, cells: int) -> Line:
    """Why the window is what it is, and how long ago it was last cut."""
    spans: list[Span] = []
    cut = next((change for change in reversed(window.changes) if change.cut), None)
    if cut is not None and at - cut.at < SPAN:
        spans = [("▼ ", "bad"), (f"{at - cut.at:.0f} s ago  ", "dim")]
    return line(cells, *spans, (safe(window.reason), "text"))


def _cuts(window: WindowSnapshot, at: float, cells: int) -> Line:
    """The time axis with a mark at each cut of the window."""
    marks = ["─"] * cells
    for change in window.changes:
        index = cells - 1 - int((at - change.at) / SPAN * cells)
        if change.cut and 0 <= index < cells:
            marks[index] = "▼"
    runs = (
        (text * len(list(run)), "bad" if text == "▼" else "frame")
        for text, run in groupby(marks)
    )
    return (" " * (_AXIS - 1) + "└", "frame"), *runs


def _time_axis(cells: int) -> Line:
    room = cells - _AXIS
    half = room // 2
    text = f"-{SPAN:.0f}s".ljust(half - 2) + f"-{SPAN / 2:.0f}s"
    return line(cells, (" " * _AXIS + text.ljust(room - 3)[: room - 3] + "now", "dim"))


def _with_axis(rows: list[list[Span]], top: float, cells: int) -> list[Line]:
    labels = {0: f"{top:g}", len(rows) - 1: "0"}
    if len(rows) > 3:
        labels[(len(rows) - 1) // 2] = f"{top / 2:g}" if len(rows) % 2 else ""
    return [
        line(
            cells,
            (f"{labels.get(y, ''):>{_AXIS - 1}}", "dim"),
            ("┤" if labels.get(y) else "│", "frame"),
            *row,
        )
        for y, row in enumerate(rows)
    ]


def _indented(body: Sequence[Line]) -> list[Line]:
    return [((" ", "text"), *row, (" ", "text")) for row in body]


def _draw_limit(rows: list[list[Span]], share: float) -> None:
    """A dashed line at the limit, where nothing is drawn yet."""
    y = len(rows) - 1 - min(int(share * len(rows)), len(rows) - 1)
    rows[y] = [
        ("╌" * len(text), "limit") if not text.strip() else (text, ink)
        for text, ink in rows[y]
    ]


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


def plot(
    series: Sequence[Series], width: int, height: int, top: float, *, blocks: bool
) -> list[list[Span]]:
    """The series over each other, as rows of spans; the later ones lie above."""
    if width < 1 or height < 1:
        return []
    unit = 8 if blocks else 4
    dots = [(one, _levels(one, height * unit, top)) for one in series]
    glyph = _block_row if blocks else _braille_row
    rows: list[list[Span]] = []
    for y in range(height):
        cells: list[Span] = [(" ", "text")] * width
        for one, levels in dots:
            glyph(cells, one, levels, (height - 1 - y) * unit)
        rows.append(
            [("".join(text for text, _ in run), ink) for ink, run in _runs(cells)]
        )
    return rows


def _runs(cells: list[Span]) -> list[tuple[str, list[Span]]]:
    """Neighbours of one ink together; blanks stay apart, for what lies behind."""
    grouped = groupby(cells, key=lambda cell: (cell[1], cell[0] == " "))
    return [(ink, list(run)) for (ink, _), run in grouped]


def _levels(series: Series, height: int, top: float) -> list[tuple[int, int]]:
    """For each column the lowest and the highest dot, from 1; (1, 0) for none."""
    found: list[tuple[int, int]] = []
    before: int | None = None
    for value in series.columns:
        if value is None:
            found.append((1, 0))
            continue
        high = min(round(value / top * height), height)
        high = max(high, 1 if value > 0 or not series.filled else 0)
        low = 1 if series.filled else _lowest(high, before)
        found.append((low, max(high, before or 0) if not series.filled else high))
        before = high
    return found


def _lowest(high: int, before: int | None) -> int:
    """A line that jumps is drawn down to where it came from."""
    return high if before is None or before >= high else before + 1


def _braille_row(
    cells: list[Span], series: Series, levels: list[tuple[int, int]], base: int
) -> None:
    for x in range(len(cells)):
        bits = _dots(_LEFT, *levels[2 * x], base) | _dots(
            _RIGHT, *levels[2 * x + 1], base
        )
        if bits:
            cells[x] = (chr(0x2800 + bits), series.ink)


def _dots(half: Sequence[int], low: int, high: int, base: int) -> int:
    if high <= base:
        return 0
    filled = half[min(high - base, 4)]
    return filled if low <= base + 1 else filled & ~half[min(low - 1 - base, 4)]


def _block_row(
    cells: list[Span], series: Series, levels: list[tuple[int, int]], base: int
) -> None:
    for x in range(len(cells)):
        low, high = max(levels[2 * x], levels[2 * x + 1], key=lambda pair: pair[1])
        part = min(max(high - base, 0), 8)
        if part and (series.filled or (low - 1 < base + 8 and high <= base + 8)):
            cells[x] = (_BLOCKS[part], series.ink)


def spark(track: Track, cells: int, now: float, top: float | None = None) -> str:
    """One row of blocks; blank where nothing is known yet."""
    if cells < 1:
        return ""
    columns = track.columns(cells, now)
    highest = track.peak if top is None else top
    return "".join(" " if v is None else level(v, highest) for v in columns)
