"""Every lane of the selected job: what it does, how far it is, how fast it comes.

As many lanes as there are must be seen at once, so the cells get smaller as the
lanes get more: a bar each, then a short bar, then one block as high as the
lane's speed. Lanes run down the columns, as they are numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from textual.geometry import Size

from engine import JobSnapshot, JobState, LaneSnapshot, LaneState
from hydratui.sampler import Frame
from hydratui.text import bar, brief_rate, fit, level, rate, safe, size
from hydratui.widgets.line import Line, LineWidget, Span, framed, line
from hydratui.widgets.piece_bar import piece_line
from hydratui.widgets.signs import JOB_SIGNS, LANE_SIGNS, RACING

_GAP = 2
_WIDE = 80
"""Cells in which a lane says not only what is left of it but also where it is."""

_WIDEST_BAR = 40

Cell = tuple[Span, ...]


class LaneGrid(LineWidget[Frame]):
    """The lanes pane, with the file's pieces above the lanes."""

    @property
    def is_bare(self) -> bool:
        """Without a frame, where the terminal has no columns to spare."""
        return self.screen.has_class("-narrow")

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return lane_pane(value.job, size.width, size.height, bare=self.is_bare)


def lane_pane(
    job: JobSnapshot | None, width: int, height: int, *, bare: bool = False
) -> list[Line]:
    """The pane; `bare` without a frame but with the same margin."""
    body = _body(job, width - 4, height if bare else height - 2)
    margin: Span = ("  " if bare else " ", "text")
    rows = [(margin, *row, margin) for row in body]
    if bare:
        return rows
    return framed(width, height, rows, title=_title(job), foot=_foot(job))


def _title(job: JobSnapshot | None) -> list[Span]:
    title: list[Span] = [("Lanes", "title")]
    if job is None or not job.lanes:
        return title
    receiving = [lane for lane in job.lanes if lane.state is LaneState.RECEIVING]
    facts = f"  {len(job.lanes)}"
    if len(receiving) > 1:
        mean = sum(lane.rate for lane in receiving) / len(receiving)
        slowest = min(receiving, key=lambda lane: lane.rate)
        facts += f" · mean {rate(mean)} · slowest #{slowest.number}"
    return [*title, (facts, "dim")]


def _foot(job: JobSnapshot | None) -> str:
    if job is None or job.state.is_final:
        return ""
    return "auto" if job.threads is None else f"at most {job.threads}"


def _body(job: JobSnapshot | None, width: int, height: int) -> list[Line]:
    if job is None:
        return [line(width)] * height
    rows = [piece_line(job, width)]
    if job.lanes:
        rows += grid(job.lanes, width, height - 1)
    else:
        rows += _idle(job, width)
    return rows + [line(width)] * (height - len(rows))


def _idle(job: JobSnapshot, width: int) -> list[Line]:
    """What there is to say of a job without lanes."""
    sign = JOB_SIGNS[job.state]
    what = _IDLE.get(job.state, sign.word)
    said = safe(job.verdict) or what if job.state.is_final else what
    rows = [line(width), line(width, (f"{sign.glyph} ", sign.ink), (said, "text"))]
    if job.target:
        rows.append(line(width, ("  ", "dim"), (safe(job.target), "dim")))
    return rows


_IDLE = {
    JobState.QUEUED: "waits for its turn",
    JobState.PROBING: "asking the server for the file",
    JobState.RUNNING: "no lane is open just now",
    JobState.VERIFYING: "all bytes are here; computing the digest",
    JobState.PAUSED: "paused; Space resumes",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws lanes into cells of one width, the fastest lane being `top`."""

    cells: int
    top: float

    def wide(self, lane: LaneSnapshot) -> Cell:
        """A lane with its rest: `7 ▶ ━━━━━─────  4.20 MB/s   3 MiB to go`."""
        place = f"{size(lane.range.stop - lane.mark)} to go"
        if self.cells >= _WIDE:
            place = f"at {size(lane.mark)}, {place}"
        room = min(self.cells - (50 if self.cells >= _WIDE else 34), _WIDEST_BAR)
        return (
            *_head(lane),
            *_progress(lane, room),
            (fit(_rate(lane, rate), 11, right=True), "text"),
            (fit("   " + (safe(lane.note) or place), self.cells - 16 - room), "dim"),
        )

    def bar(self, lane: LaneSnapshot) -> Cell:
        """A lane with its speed: `7 ▶ ━━━━━─────  4.2M`."""
        if lane.note and lane.state is not LaneState.RECEIVING:
            return (*_head(lane), (fit(safe(lane.note), self.cells - 5), "warn"))
        return (
            *_head(lane),
            *_progress(lane, self.cells - 11),
            (fit(_rate(lane, brief_rate), 6, right=True), "text"),
        )

    def short(self, lane: LaneSnapshot) -> Cell:
        """A lane without its range: `7 ▶▆  4.2M`."""
        return (
            *_head(lane)[:-1],
            (self._height(lane), "bar"),
            (fit(_rate(lane, brief_rate), self.cells - 5, right=True), "text"),
        )

    def block(self, lane: LaneSnapshot) -> Cell:
        """A lane as a block as high as its speed: `7▆`."""
        sign = RACING if lane.racing else LANE_SIGNS[lane.state]
        plain = lane.state is LaneState.RECEIVING and not lane.racing
        glyph: Span = (self._height(lane), "bar") if plain else (sign.glyph, sign.ink)
        return (f"{lane.number:>3}", "dim"), glyph, (" " * (self.cells - 4), "text")

    def _height(self, lane: LaneSnapshot) -> str:
        if lane.state is not LaneState.RECEIVING:
            return " "
        return level(lane.rate, self.top)


_DENSITIES: tuple[tuple[int, Callable[[_Pen, LaneSnapshot], Cell]], ...] = (
    (56, _Pen.wide),
    (19, _Pen.bar),
    (10, _Pen.short),
    (4, _Pen.block),
)
"""Ways to draw a lane, and the cells that each needs at least."""


def grid(lanes: Sequence[LaneSnapshot], width: int, height: int) -> list[Line]:
    """The lanes in the richest way in which all of them fit."""
    if height < 1:
        return []
    columns = -(-len(lanes) // height)
    fitting = (d for d in _DENSITIES if columns * (d[0] + _GAP) - _GAP <= width)
    least, draw = next(fitting, _DENSITIES[-1])
    columns = max(min(columns, (width + _GAP) // (least + _GAP)), 1)
    pen = _Pen((width + _GAP) // columns - _GAP, max(lane.rate for lane in lanes))
    drawn = [draw(pen, lane) for lane in lanes]
    if len(lanes) > columns * height:
        drawn = _with_rest(drawn, columns * height, pen.cells)
    rows = -(-len(drawn) // columns)
    return [line(width, *_joined(drawn[row::rows])) for row in range(rows)]


def _with_rest(drawn: list[Cell], places: int, cell: int) -> list[Cell]:
    """Only as many as there are places for, the last one telling how many more."""
    rest = len(drawn) - places + 1
    return [*drawn[: places - 1], ((fit(f"+{rest}", cell), "dim"),)]


def _joined(cells: Sequence[Cell]) -> list[Span]:
    spans: list[Span] = []
    for index, cell in enumerate(cells):
        if index:
            spans.append((" " * _GAP, "text"))
        spans.extend(cell)
    return spans


def _head(lane: LaneSnapshot) -> tuple[Span, Span, Span]:
    sign = RACING if lane.racing else LANE_SIGNS[lane.state]
    return (f"{lane.number:>2} ", "dim"), (sign.glyph, sign.ink), (" ", "text")


def _progress(lane: LaneSnapshot, cells: int) -> tuple[Span, Span]:
    done, whole = lane.mark - lane.range.start, lane.range.stop - lane.range.start
    return _bar(done * cells * 2 // whole if whole else 0, cells)


@lru_cache(maxsize=1024)
def _bar(halves: int, cells: int) -> tuple[Span, Span]:
    filled, rest = bar(halves, cells * 2, cells)
    return (filled, "bar"), (rest, "rest")


def _rate(lane: LaneSnapshot, write: Callable[[float], str]) -> str:
    if lane.state is LaneState.RECEIVING:
        return write(lane.rate)
    return _WORDS[lane.state]


_WORDS = {
    LaneState.CONNECTING: "conn",
    LaneState.HELD: "held",
    LaneState.RETRYING: "wait",
}
