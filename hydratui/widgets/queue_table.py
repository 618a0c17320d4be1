"""All jobs, one row each; the selection follows the job, not the row.

Columns have fixed widths, the name takes the rest, and where the rest gets too
small, columns go: lanes first, then the time left, the size, the bar. Behind the
name, where there is room, stand the command that gets the bytes and the job's limit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from textual.events import Click
from textual.geometry import Size
from textual.message import Message

from engine import EngineSnapshot, JobId, JobSnapshot, JobState
from hydratui.listing import Column, Filter, Listing, Marks, Sort
from hydratui.text import (
    bar,
    brief_rate,
    duration,
    eta,
    fit,
    percent,
    rate,
    safe,
    shorten,
    size,
    width as width_of,
)
from hydratui.widgets.line import Line, LineWidget, Span, framed, line
from hydratui.widgets.signs import JOB_SIGNS
from hydratui.widgets.status_bar import Part, joined

MARK = "●"
FRAME_ROWS = 3
"""The frame, and the names of the columns."""

_FIXED = 1 + 1 + 1 + 1 + 1
"""Cursor, mark, a space, sign, a space."""

_WELCOME_ROWS = 7
_WHEEL = 3
_BETWEEN: Span = (" · ", "dim")


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide each column is; 0 where it is left out. Widths include the gap before."""

    number: int
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


@dataclass(frozen=True, slots=True)
class Destination:
    """Where files go, for those who have none yet."""

    folder: str
    free: int | None = None
    """Bytes that are free there."""
    said: str = ""
    """A word about where that was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one picture of the queue shows."""

    rows: Sequence[JobSnapshot]
    """The jobs that the filter admits, in their order."""
    total: int
    """How many jobs there are, shown or not."""
    top: int = 0
    """The first row that is in sight."""
    selected: JobId | None = None
    marked: Marks = frozenset()
    hidden: int = 0
    """How many of the marked ones are not shown."""
    filter: Filter = field(default_factory=Filter)
    sort: Sort = field(default_factory=Sort)
    destination: Destination | None = None


class QueueTable(LineWidget[EngineSnapshot]):
    """The queue pane; what it shows, and what is selected, its listing knows."""

    class Selected(Message):
        """The mouse selected another job, or another order."""

    class Opened(Message):
        """The selected job was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.destination: Destination | None = None
        self._listing = Listing()
        self._top = 0
        self._is_wheeled = False
        """Whether the wheel decides what is in sight, not the selection."""

    # ---------------------------------------------------------------- looks

    def adopt(self, snapshot: EngineSnapshot) -> JobId | None:
        """The selected job, or the one that is selected when it is gone."""
        self._listing.take(snapshot.jobs, snapshot.at)
        return self._listing.selected

    def show(self, value: EngineSnapshot) -> bool:
        self.adopt(value)
        return super().show(value)

    def lay(self, value: EngineSnapshot, size: Size) -> Sequence[Line]:
        listing = self._listing
        self._top = scrolled(
            self._top,
            None if self._is_wheeled else listing.row,
            len(listing.rows),
            max(size.height - FRAME_ROWS, 0),
        )
        view = View(
            rows=listing.rows,
            total=len(value.jobs),
            top=self._top,
            selected=listing.selected,
            marked=listing.marked,
            hidden=listing.hidden,
            filter=listing.filter,
            sort=listing.sort,
            destination=self.destination,
        )
        return queue_pane(view, size.width, size.height)

    @property
    def least_rows(self) -> int:
        """How many rows it wants: for all the jobs, or to say how to get some.

        A filter does not make it smaller: while one types, nothing jumps.
        """
        return len(self._listing.queue) or _WELCOME_ROWS

    @property
    def page(self) -> int:
        """How many jobs are seen at once."""
        return max(self.content_size.height - FRAME_ROWS, 1)

    # ------------------------------------------------------------ selection

    @property
    def selected(self) -> JobId | None:
        return self._listing.selected

    @property
    def jobs(self) -> Sequence[JobSnapshot]:
        """The jobs that are shown, as they are shown."""
        return self._listing.rows

    def move(self, step: int) -> None:
        """Select the job that many rows on, at most the first or the last."""
        self._is_wheeled = False
        self._listing.move(step)

    # ----------------------------------------------------- filter and order

    @property
    def filter(self) -> Filter:
        return self._listing.filter

    def set_filter(self, wanted: Filter) -> None:
        self._is_wheeled = False
        self._listing.set_filter(wanted)

    @property
    def sort(self) -> Sort:
        return self._listing.sort

    @property
    def is_in_queue_order(self) -> bool:
        """Whether rows stand as in the queue, so that moving one makes sense."""
        return self.sort.is_queue_order

    def sort_by(self, column: Column) -> None:
        """Sort by it; by the same again, the other way round."""
        self._is_wheeled = False
        self._listing.sort_by(column)

    def flip(self) -> None:
        """Sort the other way round."""
        self._is_wheeled = False
        self._listing.flip()

    def next_sort(self) -> None:
        """Sort by the next column."""
        self._is_wheeled = False
        self._listing.next_sort()

    # ---------------------------------------------------------------- marks

    @property
    def marked(self) -> frozenset[JobId]:
        return self._listing.marked

    @property
    def targets(self) -> tuple[JobId, ...]:
        """What orders are for: the marked jobs that are shown, else the selected one."""
        return self._listing.targets

    def mark(self) -> None:
        """Mark the selected job, or not, and go to the next."""
        self._is_wheeled = False
        self._listing.mark()

    def mark_all(self) -> None:
        """Mark all that are shown; where they all are, unmark them."""
        self._listing.mark_all()

    def mark_only(self, jobs: Collection[JobId]) -> None:
        """Mark these and no others."""
        self._listing.mark_only(jobs)

    def unmark(self) -> None:
        """Mark none, shown or not."""
        self._listing.mark_only(())

    # ---------------------------------------------------------------- mouse

    def on_click(self, event: Click) -> None:
        row = self._top + event.y - 2
        if event.y == 1 and self.jobs:
            self._click_head(event.x - 1)
        elif event.y >= 2 and row < len(self.jobs):
            self._listing.select(row)
            self.post_message(self.Selected())
            if event.chain == 2:
                self.post_message(self.Opened())

    def _click_head(self, x: int) -> None:
        cells = self.content_size.width - 2
        column = column_at(x, columns_for(cells, self._number_width))
        if column is not None:
            self.sort_by(column)
            self.post_message(self.Selected())

    @property
    def _number_width(self) -> int:
        in_sight = self.jobs[self._top : self._top + self.page]
        return number_width(in_sight, len(self._listing.queue))

    def on_mouse_scroll_up(self) -> None:
        self._wheel(-_WHEEL)

    def on_mouse_scroll_down(self) -> None:
        self._wheel(_WHEEL)

    def _wheel(self, step: int) -> None:
        """Look elsewhere; what is selected stays so, in sight or not."""
        self._is_wheeled = True
        self._top += step
        self._relay()


def scrolled(top: int, index: int | None, count: int, rows: int) -> int:
    """The first row to show, so that the selected one is seen and no room is lost."""
    if index is not None:
        top = min(max(top, index - rows + 1), index)
    return max(min(top, count - rows), 0)


# ------------------------------------------------------------------- pane


def queue_pane(view: View, width: int, height: int) -> list[Line]:
    """The whole pane: rows, or a word about why there are none."""
    cells = width - 2
    title = _title(view, width - 6)
    if not view.rows:
        body = _none_shown(view, cells) if view.total else _welcome(view, cells, height)
        return framed(width, height, body, title=title)
    shown = view.rows[view.top : view.top + max(height - FRAME_ROWS, 0)]
    columns = columns_for(cells, number_width(shown, view.total))
    body = [_header(columns, view.sort, cells)]
    body += [
        job_line(
            job,
            columns,
            cells,
            chosen=job.id == view.selected,
            marked=job.id in view.marked,
        )
        for job in shown
    ]
    foot = ""
    if len(shown) < len(view.rows):
        foot = f"{view.top + 1}–{view.top + len(shown)} of {len(view.rows)}"  # noqa: RUF001
    return framed(width, height, body, title=title, foot=foot)


def _title(view: View, cells: int) -> list[Span]:
    """How many jobs, and whatever is not as it usually is, as far as there is room."""
    jobs = f"{view.total} {'job' if view.total == 1 else 'jobs'}"
    parts = [
        Part(0, (("Queue", "title"), (f"  {jobs if view.total else 'empty'}", "dim")))
    ]
    if not view.sort.is_queue_order:
        said = f"{view.sort.column} {view.sort.arrow}"
        parts.append(Part(3, (("sort ", "dim"), (said, "key"))))
    if view.filter.text:
        parts.append(Part(2, _filter_spans(view, max(cells // 3, 10))))
    if view.marked:
        said = f"{MARK} {len(view.marked)}"
        parts.append(Part(1, ((said, "window"), (" marked", "dim"))))
    if view.hidden:
        parts.append(Part(4, ((f"{view.hidden} of them hidden", "dim"),)))
    return joined(parts, cells, _BETWEEN)


def _filter_spans(view: View, cells: int) -> tuple[Span, ...]:
    said = shorten(safe(view.filter.text), cells)
    return ("filter ", "dim"), (said, "key"), (f" ({len(view.rows)})", "dim")


def _welcome(view: View, cells: int, height: int) -> list[Line]:
    """What to press, and where files go; blank lines give way first."""
    blank = line(cells)
    rows = [
        blank,
        line(cells, ("    Nothing queued yet.", "strong")),
        blank,
        _hint(cells, ("a", "add URLs; pasting a link or a list works too")),
        _hint(cells, (":", "type a command: open FILE reads a list of URLs")),
        _hint(cells, ("?", "keys and commands"), ("^p", "find any of them")),
    ]
    if view.destination is not None:
        rows += [blank, _destination(view.destination, cells)]
    while len(rows) > height - 2 and blank in rows:
        rows.remove(blank)
    return rows


def _hint(cells: int, *pairs: tuple[str, str]) -> Line:
    spans: list[Span] = []
    for key, meaning in pairs:
        spans += [(fit(f"    {key}", 8), "key"), (meaning, "text")]
    return line(cells, *spans)


def _destination(where: Destination, cells: int) -> Line:
    parts = [
        Part(0, (("    Files go to ", "dim"), (safe(where.folder), "text"))),
        Part(1, (("" if where.free is None else f"{size(where.free)} free", "dim"),)),
        Part(2, ((safe(where.said), "dim"),)),
    ]
    said = [part for part in parts if part.cells]
    return line(cells, *joined(said, cells, _BETWEEN))


def _none_shown(view: View, cells: int) -> list[Line]:
    jobs = "the only job" if view.total == 1 else f"any of {view.total} jobs"
    return [
        line(
            cells,
            ("    The filter does not show ", "text"),
            (jobs, "text"),
            (".", "text"),
        ),
        _hint(cells, ("Esc", "clears it"), ("/", "changes it")),
    ]


# ---------------------------------------------------------------- columns


def number_width(shown: Sequence[JobSnapshot], total: int) -> int:
    """What the numbers of the jobs take; the same for nearly all of a queue."""
    highest = max((job.id for job in shown), default=0)
    return max(len(str(max(highest, total))), 3)


@lru_cache(maxsize=64)
def columns_for(cells: int, number: int = 3) -> Columns:
    """The columns for a row of that many cells."""
    wide = cells >= 98
    more = min(max(cells - 118, 0) // 20, 4)
    widths = {
        "size": 10,
        "bar": (22 if wide else 10) + 5 * more,
        "percent": 6,
        "speed": 11 + more,
        "eta": (8 if wide else 7) + more,
        "lanes": 7 + more,
    }
    room = cells - _FIXED - number
    least = 28 if wide else 20
    for dropped in ("lanes", "eta", "size", "bar"):
        if _name_room(room, widths) >= least:
            break
        widths[dropped] = 0
    return Columns(number=number, name=max(_name_room(room, widths), 0), **widths)


def _name_room(room: int, widths: Mapping[str, int]) -> int:
    """What the other columns, and one cell at the right, leave for the name."""
    return room - sum(widths.values()) - 1


Head = tuple[Column, str, int, bool]
"""What a click on it sorts by, its title, its width, whether it stands at the right."""


def _heads(columns: Columns) -> tuple[Head, ...]:
    """The names of the columns, from the left edge on."""
    return (
        (Column.QUEUE, "#", 2 + columns.number, True),
        (Column.STATE, " ", 3, False),
        (Column.NAME, "NAME", columns.name, False),
        (Column.SIZE, "SIZE", columns.size, True),
        (Column.DONE, "  DONE", columns.bar, False),
        (Column.DONE, "%", columns.percent, True),
        (Column.SPEED, "SPEED", columns.speed, True),
        (Column.ETA, "ETA", columns.eta, True),
        (Column.LANES, "LANES", columns.lanes, True),
    )


def column_at(x: int, columns: Columns) -> Column | None:
    """The column whose head is there."""
    for column, _, cells, _ in _heads(columns):
        if 0 <= x < cells:
            return column
        x -= cells
    return None


def _header(columns: Columns, sort: Sort, cells: int) -> Line:
    spans: list[Span] = []
    for column, title, taken, right in _heads(columns):
        sorted_by = column is sort.column and not sort.is_queue_order
        arrow = sort.arrow if sorted_by and title != "  DONE" else ""
        text = fit(title + arrow, taken, right=right)
        spans.append((text, "key" if sorted_by else "head"))
    return line(cells, *spans)


# -------------------------------------------------------------------- row


def job_line(
    job: JobSnapshot,
    columns: Columns,
    cells: int,
    *,
    chosen: bool = False,
    marked: bool = False,
) -> Line:
    """One job in one row."""
    sign = JOB_SIGNS[job.state]
    done, rest = _progress(job, max(columns.bar - 2, 0))
    spans: list[Span] = [
        ("▌" if chosen else " ", "key"),
        (MARK if marked else " ", "window"),
        (f"{job.id:>{columns.number}} ", "dim"),
        (f"{sign.glyph} ", sign.ink),
        *_name(job, columns.name, _name_ink(job, chosen)),
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


def _name(job: JobSnapshot, cells: int, ink: str) -> list[Span]:
    """The name, the command that gets its bytes, and at the end the job's own limit."""
    limit = _limit(job, cells)
    room = cells - width_of(limit)
    if not job.command:
        return [(fit(shorten(safe(job.name), room), room), ink), (limit, "limit")]
    command = f" | {safe(job.command)}"
    name = shorten(safe(job.name), room - min(width_of(command), room // 3))
    command = fit(command, room - width_of(name))
    return [(name, ink), (command, "dim"), (limit, "limit")]


def _limit(job: JobSnapshot, cells: int) -> str:
    """The job's own limit, if it has one and there is room for it."""
    if job.limit is None or job.state.is_final or cells < 24:
        return ""
    return f" ≤ {rate(job.limit)}" if cells >= 40 else f" ≤{brief_rate(job.limit)}"


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
