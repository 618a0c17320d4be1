"""Which jobs are shown in which order, which is selected and which are marked.

`arrange` is a plain function. A `Listing` is told of every look at the queue and
arranges anew only where that may come out different: a queue of ten thousand is
looked at many times a second, and nearly all of its jobs rest. A job that rests is
the very same object in the next look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import compress
from operator import is_not, itemgetter
from typing import TYPE_CHECKING, overload

from engine import JobId, JobSnapshot, JobState
from hydratui.filters import (
    SYNTAX,
    Filter,
    Marks,
    folded,
    parse_filter,
    share_of,
)
from hydratui.text import eta

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

__all__ = [
    "SYNTAX",
    "Column",
    "Filter",
    "Listing",
    "Marks",
    "Sort",
    "arrange",
    "column_named",
    "parse_filter",
]

_PATIENCE = 1.0
"""Seconds that an order by something that always moves is kept: rows that jump
with every look cannot be read."""

_MOVING = {"done", "rate", "lane_count"}
_DIGITS = re.compile(r"[0-9]+")


class Column(StrEnum):
    """What the queue can be sorted by."""

    QUEUE = "#"
    NAME = "name"
    SIZE = "size"
    DONE = "done"
    SPEED = "speed"
    ETA = "eta"
    STATE = "state"
    LANES = "lanes"


_ALIASES = {"queue": Column.QUEUE, "%": Column.DONE, "left": Column.ETA}
_HIGHEST_FIRST = {Column.SIZE, Column.DONE, Column.SPEED, Column.LANES}


def column_named(word: str) -> Column:
    """The column that was typed, in full or its beginning."""
    start = word.strip().lower()
    known = {**{column.value: column for column in Column}, **_ALIASES}
    found = next((name for name in known if start and name.startswith(start)), None)
    if found is None:
        columns = ", ".join(Column)
        raise ValueError(f"there is no column {word.strip()!r}; {columns}")
    return known[found]


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of jobs; what is not known comes last either way."""

    column: Column = Column.QUEUE
    descending: bool = False

    @classmethod
    def by(cls, column: Column) -> Sort:
        """What one wants to see of a column first: most, but the soonest and A."""
        return cls(column, column in _HIGHEST_FIRST)

    @property
    def flipped(self) -> Sort:
        return Sort(self.column, not self.descending)

    @property
    def arrow(self) -> str:
        return "↓" if self.descending else "↑"

    @property
    def is_queue_order(self) -> bool:
        return self == Sort()


# ------------------------------------------------------------------- order


def arrange(
    jobs: Sequence[JobSnapshot],
    wanted: Filter,
    sort: Sort,
    marked: Marks = frozenset(),
) -> tuple[JobSnapshot, ...]:
    """The jobs that the filter admits, sorted; equal ones as they stand in the queue."""
    return tuple(jobs[place] for place in _order(jobs, wanted, sort, marked))


def _order(
    jobs: Sequence[JobSnapshot], wanted: Filter, sort: Sort, marked: Marks
) -> Sequence[int]:
    """The places of those jobs in the queue."""
    places: Sequence[int] = range(len(jobs))
    if wanted.terms:
        places = [i for i, job in enumerate(jobs) if wanted.admits(job, marked)]
    if sort.column is Column.QUEUE:
        return places[::-1] if sort.descending else places
    key = _KEYS[sort.column]
    keyed = [(place, key(jobs[place])) for place in places]
    known = [(place, value) for place, value in keyed if value is not None]
    known.sort(key=itemgetter(1), reverse=sort.descending)
    unknown = [place for place, value in keyed if value is None]
    return [place for place, _ in known] + unknown


@lru_cache(maxsize=16_384)
def _natural(name: str) -> str | None:
    """A name so that numbers in it compare as numbers do: by length, then digits."""
    return _DIGITS.sub(_number, folded(name)) or None


def _number(digits: re.Match[str]) -> str:
    shown = digits[0].lstrip("0")
    return f"0{chr(len(shown))}{shown}"


def _speed(job: JobSnapshot) -> float | None:
    return job.rate if job.state is JobState.RUNNING else None


def _left(job: JobSnapshot) -> float | None:
    if job.state is not JobState.RUNNING:
        return None
    return eta(job.done, job.size, job.rate)


def _lanes(job: JobSnapshot) -> int | None:
    return job.lane_count if job.state is JobState.RUNNING else None


_RANKS = {
    state: rank
    for rank, state in enumerate(
        (
            JobState.RUNNING,
            JobState.VERIFYING,
            JobState.PROBING,
            JobState.QUEUED,
            JobState.PAUSED,
            JobState.EXPIRED,
            JobState.FAILED,
            JobState.DONE,
            JobState.CANCELLED,
        )
    )
}

_KEYS: dict[Column, Callable[[JobSnapshot], SupportsRichComparison | None]] = {
    Column.NAME: lambda job: _natural(job.name),
    Column.SIZE: lambda job: job.size,
    Column.DONE: share_of,
    Column.SPEED: _speed,
    Column.ETA: _left,
    Column.STATE: lambda job: _RANKS[job.state],
    Column.LANES: _lanes,
}

_READS: dict[Column, frozenset[str]] = {
    Column.QUEUE: frozenset(),
    Column.NAME: frozenset({"name"}),
    Column.SIZE: frozenset({"size"}),
    Column.DONE: frozenset({"done"}),
    Column.SPEED: frozenset({"rate"}),
    Column.ETA: frozenset({"rate"}),
    Column.STATE: frozenset({"state"}),
    Column.LANES: frozenset({"lane_count"}),
}


class Rows(Sequence[JobSnapshot]):
    """Some of the jobs in some order, looked up when they are asked for."""

    __slots__ = ("_jobs", "_places")

    def __init__(self, jobs: Sequence[JobSnapshot], places: Sequence[int]) -> None:
        self._jobs = jobs
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> JobSnapshot: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> JobSnapshot | Rows:
        if isinstance(index, slice):
            return Rows(self._jobs, self._places[index])
        return self._jobs[self._places[index]]

    def __iter__(self) -> Iterator[JobSnapshot]:
        return map(self._jobs.__getitem__, self._places)


# ----------------------------------------------------------------- listing


class Listing:
    """Follows the queue; the selection stays on its job, wherever its row goes."""

    def __init__(self) -> None:
        self.filter = Filter()
        self.sort = Sort()
        self.selected: JobId | None = None
        self.marked: frozenset[JobId] = frozenset()
        self.queue: Sequence[JobSnapshot] = ()
        """All the jobs, as they stand in the queue."""
        self.rows: Sequence[JobSnapshot] = ()
        """Those that are shown, as they are shown."""
        self._row = 0
        self._places: Sequence[int] = range(0)
        self._at = 0.0
        self._arranged = 0.0
        self._chosen: JobId | None = None
        self._hidden: int | None = None

    # ---------------------------------------------------------------- looks

    def take(self, queue: Sequence[JobSnapshot], at: float) -> None:
        """A look at the queue at that time."""
        before, shown, selected = self.queue, self.rows, self.selected
        self.queue, self._at = queue, at
        if queue is before:
            return
        changes = _changes(before, queue) if self.marked or not self._is_plain else []
        if changes is None and self.marked:
            self.marked &= {job.id for job in queue}
        if self._is_plain or changes is None or self._is_due(changes):
            self._arrange()
        else:
            self.rows = Rows(queue, self._places)
        self._settle(shown)
        if self.selected not in {selected, None}:
            self._chosen = self.selected

    @property
    def _is_plain(self) -> bool:
        return not self.filter.terms and self.sort.is_queue_order

    def _is_due(self, changes: Iterable[tuple[JobSnapshot, JobSnapshot]]) -> bool:
        """Whether what has changed may change what is shown, and not too soon."""
        reads = self.filter.reads | _READS[self.sort.column]
        if reads & _MOVING and not 0 <= self._at - self._arranged < _PATIENCE:
            return True
        steady = [name for name in reads - _MOVING if name]
        return any(
            getattr(old, name) != getattr(new, name)
            for old, new in changes
            for name in steady
        )

    def _arrange(self) -> None:
        self._arranged, self._hidden = self._at, None
        self._places = _order(self.queue, self.filter, self.sort, self.marked)
        self.rows = self.queue if self._is_plain else Rows(self.queue, self._places)

    # ------------------------------------------------------------ selection

    @property
    def row(self) -> int | None:
        """Where the selected job is shown."""
        return None if self.selected is None else self._row

    def move(self, step: int) -> None:
        """Select the job that many rows on, at most the first or the last."""
        self.select(self._row + step)

    def select(self, row: int) -> None:
        if self.rows:
            self._row = min(max(row, 0), len(self.rows) - 1)
            self.selected = self._chosen = self.rows[self._row].id

    def _settle(self, shown: Sequence[JobSnapshot]) -> None:
        """Find the selected job's row; where it has none, select what was nearest."""
        row = self._find(self.selected)
        if row is None and self.selected is not None:
            row = self._find(self._nearest(shown))
        if row is None:
            live = (row for row, job in enumerate(self.rows) if job.state.is_live)
            row = next(live, 0)
        self._row = row
        self.selected = self.rows[row].id if self.rows else None

    def _find(self, wanted: JobId | None) -> int | None:
        if wanted is None:
            return None
        if self._row < len(self.rows) and self.rows[self._row].id == wanted:
            return self._row
        found = (row for row, job in enumerate(self.rows) if job.id == wanted)
        return next(found, None)

    def _nearest(self, shown: Sequence[JobSnapshot]) -> JobId | None:
        """Of what was shown and still is, the nearest to the selected row."""
        still = {job.id for job in self.rows}
        rows = (row for row, job in enumerate(shown) if job.id in still)
        at = self._row
        row = min(rows, key=lambda row: (abs(row - at), row < at), default=None)
        return None if row is None else shown[row].id

    # ----------------------------------------------------- filter and order

    def set_filter(self, wanted: Filter) -> None:
        """Show what it admits; a job that another filter had hidden is selected again."""
        self.filter = wanted
        shown = self._rearrange()
        if self._find(self._chosen) is not None:
            self.selected = self._chosen
        self._settle(shown)

    def sort_by(self, column: Column) -> None:
        """Sort by it; by the same again, the other way round."""
        same = column is self.sort.column
        self._set_sort(self.sort.flipped if same else Sort.by(column))

    def flip(self) -> None:
        self._set_sort(self.sort.flipped)

    def next_sort(self) -> None:
        columns = list(Column)
        now = columns.index(self.sort.column)
        self._set_sort(Sort.by(columns[(now + 1) % len(columns)]))

    def _set_sort(self, sort: Sort) -> None:
        self.sort = sort
        self._settle(self._rearrange())

    def _rearrange(self) -> Sequence[JobSnapshot]:
        """Arrange at once; what was shown before."""
        shown = self.rows
        self._arrange()
        return shown

    # ---------------------------------------------------------------- marks

    def mark(self) -> None:
        """Mark the selected job, or not, and go to the next."""
        marked = self.selected
        if marked is not None:
            self._set_marked(self.marked ^ {marked})
            self.move(1 if self.selected == marked else 0)

    def mark_all(self) -> None:
        """Mark all that are shown; where they all are, unmark them."""
        shown = {job.id for job in self.rows}
        self._set_marked(
            self.marked - shown if shown <= self.marked else self.marked | shown
        )

    def mark_only(self, jobs: Iterable[JobId]) -> None:
        self._set_marked(frozenset(jobs) & {job.id for job in self.queue})

    def _set_marked(self, marked: frozenset[JobId]) -> None:
        self.marked, self._hidden = marked, None
        if "" in self.filter.reads:
            self._settle(self._rearrange())

    @property
    def targets(self) -> tuple[JobId, ...]:
        """What orders are for: the marked jobs that are shown, else the selected one.

        Nobody means jobs that are out of sight.
        """
        if self.marked:
            shown = tuple(job.id for job in self.rows if job.id in self.marked)
            if shown:
                return shown
        return () if self.selected is None else (self.selected,)

    @property
    def hidden(self) -> int:
        """How many marked jobs are not shown."""
        if not self.marked or not self.filter.terms:
            return 0
        if self._hidden is None:
            shown = sum(job.id in self.marked for job in self.rows)
            self._hidden = len(self.marked) - shown
        return self._hidden


def _changes(
    before: Sequence[JobSnapshot], after: Sequence[JobSnapshot]
) -> list[tuple[JobSnapshot, JobSnapshot]] | None:
    """What was and is, of the jobs that changed; None where other jobs stand there."""
    if len(before) != len(after):
        return None
    differs = map(is_not, before, after)
    pairs = list(compress(zip(before, after, strict=True), differs))
    return None if any(old.id != new.id for old, new in pairs) else pairs
