"""All jobs, one row each; the selection follows the job, not the row.

Columns have fixed widths, the name takes the rest, and where the rest gets too
small, columns go: lanes first, then the time left, the size, the bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from textual.events import Click
from textual.geometry import Size
from textual.message import Message

from engine import EngineSnapshot, JobId, JobSnapshot, JobState
from hydratui.text import (
    bar,
    duration,
    eta,
    fit,
    percent,
    rate,
    safe,
    shorten,
    size,
)
from hydratui.widgets.line import Line, LineWidget, Span, framed, line
from hydratui.widgets.signs import JOB_SIGNS

_FIXED = 1 + 4 + 1 + 1 + 1
"""Cursor, number, a space, sign, a space."""

FRAME_ROWS = 3
"""The frame, and the names of the columns."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide each column is; 0 where it is left out. Widths include the gap before."""

    name: int
    size: int
    bar: int
    percent: int
    speed: int
    eta: int
    lanes: int

    @property
    def tail(self) -> int:
        """What stands after the percentage."""
        return self.speed + self.eta + self.lanes


class QueueTable(LineWidget[EngineSnapshot]):
    """The queue pane; it owns which job is selected and how far it is scrolled."""

    class Selected(Message):
        """The mouse selected another job."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.selected: JobId | None = None
        self._top = 0

    def adopt(self, snapshot: EngineSnapshot) -> JobId | None:
        """The selected job, or the one that is selected when it is gone."""
        if _index(snapshot, self.selected) is None:
            self.selected = _first_choice(snapshot)
        return self.selected

    def move(self, step: int) -> None:
        """Select the job that many rows on, at most the first or the last."""
        if self._value is None or not self._value.jobs:
            return
        index = (_index(self._value, self.selected) or 0) + step
        index = min(max(index, 0), len(self._value.jobs) - 1)
        self.selected = self._value.jobs[index].id

    @property
    def page(self) -> int:
        """How many jobs are seen at once."""
        return max(self.content_size.height - FRAME_ROWS, 1)

    def lay(self, value: EngineSnapshot, size: Size) -> Sequence[Line]:
        rows = max(size.height - FRAME_ROWS, 0)
        self._top = scrolled(
            self._top, _index(value, self.selected), len(value.jobs), rows
        )
        return queue_pane(value, self.selected, self._top, size.width, size.height)

    def on_click(self, event: Click) -> None:
        index = self._top + event.y - 2
        if self._value is not None and event.y >= 2 and index < len(self._value.jobs):
            self.selected = self._value.jobs[index].id
            self.post_message(self.Selected())

    def on_mouse_scroll_up(self) -> None:
        self.move(-1)
        self.post_message(self.Selected())

    def on_mouse_scroll_down(self) -> None:
        self.move(1)
        self.post_message(self.Selected())


def _index(snapshot: EngineSnapshot, job: JobId | None) -> int | None:
    if job is None:
        return None
    return next((i for i, one in enumerate(snapshot.jobs) if one.id == job), None)


def _first_choice(snapshot: EngineSnapshot) -> JobId | None:
    """The first job that lives, else the first one."""
    live = (job.id for job in snapshot.jobs if job.state.is_live)
    return next(live, snapshot.jobs[0].id if snapshot.jobs else None)


def scrolled(top: int, index: int | None, count: int, rows: int) -> int:
    """The first row to show, so that the selected one is seen and no room is lost."""
    if index is not None:
        top = min(max(top, index - rows + 1), index)
    return max(min(top, count - rows), 0)


def queue_pane(
    snapshot: EngineSnapshot, selected: JobId | None, top: int, width: int, height: int
) -> list[Line]:
    count = len(snapshot.jobs)
    title: list[Span] = [("Queue", "title")]
    if not count:
        return framed(width, height, _empty(width - 2), title=title)
    columns = columns_for(width - 2)
    shown = snapshot.jobs[top : top + max(height - FRAME_ROWS, 0)]
    body = [_header(columns, width - 2)]
    body += [
        job_line(job, columns, width - 2, chosen=job.id == selected) for job in shown
    ]
    title.append((f"  {count} {'job' if count == 1 else 'jobs'}", "dim"))
    foot = f"{top + 1}–{top + len(shown)} of {count}" if len(shown) < count else ""  # noqa: RUF001
    return framed(width, height, body, title=title, foot=foot)


def _empty(cells: int) -> list[Line]:
    hint = "hydra-tui URL…"
    return [
        line(cells),
        line(
            cells,
            ("   Nothing queued yet. ", "text"),
            ("Start with ", "dim"),
            (hint, "key"),
        ),
    ]


@lru_cache(maxsize=64)
def columns_for(cells: int) -> Columns:
    """The columns for a row of that many cells."""
    wide = cells >= 98
    widths = {
        "size": 10,
        "bar": 22 if wide else 10,
        "percent": 6,
        "speed": 11,
        "eta": 8 if wide else 7,
        "lanes": 7,
    }
    least = 28 if wide else 20
    for dropped in ("lanes", "eta", "size", "bar"):
        if _name_room(cells, widths) >= least:
            break
        widths[dropped] = 0
    return Columns(name=max(_name_room(cells, widths), 0), **widths)


def _name_room(cells: int, widths: Mapping[str, int]) -> int:
    """What the other columns, and one cell at the right, leave for the name."""
    return cells - _FIXED - sum(widths.values()) - 1


def _header(columns: Columns, cells: int) -> Line:
    text = "".join(
        (
            " " + fit("#", 4, right=True) + "   ",
            fit("NAME", columns.name),
            fit("SIZE", columns.size, right=True),
            fit("  DONE", columns.bar),
            fit("%", columns.percent, right=True),
            fit("SPEED", columns.speed, right=True),
            fit("ETA", columns.eta, right=True),
            fit("LANES", columns.lanes, right=True),
        )
    )
    return line(cells, (text, "head"))


def job_line(job: JobSnapshot, columns: Columns, cells: int, *, chosen: bool) -> Line:
    """One job in one row."""
    sign = JOB_SIGNS[job.state]
    done, rest = _progress(job, max(columns.bar - 2, 0))
    spans: list[Span] = [
        ("▌" if chosen else " ", "key"),
        (f"{job.id:>4} ", "dim"),
        (f"{sign.glyph} ", sign.ink),
        (
            fit(shorten(safe(job.name), columns.name), columns.name),
            _name_ink(job, chosen),
        ),
        (fit(size(job.size), columns.size, right=True), "text"),
        ("  "[: columns.bar], "text"),
        (done, "bar"),
        (rest, "rest"),
        (fit(_percent(job), columns.percent, right=True), "text"),
        *_tail(job, columns),
    ]
    if chosen:
        spans = [(text, f"{ink} chosen") for text, ink in spans]
        return line(cells, *spans, rest="chosen")
    return line(cells, *spans)


def _name_ink(job: JobSnapshot, chosen: bool) -> str:
    if chosen:
        return "strong"
    return "text" if job.state.is_live else "dim"


def _progress(job: JobSnapshot, cells: int) -> tuple[str, str]:
    if not job.done and not job.state.is_live and job.state is not JobState.PAUSED:
        return "", " " * cells
    if job.size is None:
        return "", "·" * cells
    return bar(job.done, job.size, cells)


def _percent(job: JobSnapshot) -> str:
    if not job.done and (job.state.is_final or job.state is JobState.QUEUED):
        return ""
    return percent(job.done, job.size)


def _tail(job: JobSnapshot, columns: Columns) -> list[Span]:
    """Speed, time left and lanes of a running job; of any other one, what it is."""
    if job.state is JobState.RUNNING:
        left = duration(eta(job.done, job.size, job.rate))
        return [
            (fit(rate(job.rate), columns.speed, right=True), "strong"),
            (fit(left, columns.eta, right=True), "text"),
            (fit(str(job.lane_count), columns.lanes, right=True), "dim"),
        ]
    sign = JOB_SIGNS[job.state]
    said = safe(job.verdict) if job.state.is_final else ""
    if not said:
        word = fit(sign.word, columns.speed, right=True)
        return [(word, sign.ink), (" " * (columns.tail - columns.speed), "text")]
    return [("  ", "text"), (fit(said, columns.tail - 2), sign.ink)]
