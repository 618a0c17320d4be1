"""What happened, newest last: the entries that are kept, and those that are wanted.

The book keeps which of its entries pass the filter and which of those match what is
searched, so that a picture of it costs the rows that are seen, not thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from engine import Event, EventKind, JobId
from hydratui.text import safe
from hydratui.widgets.signs import EVENT_SIGNS, Sign

KEPT = 5000
"""Entries that the log remembers."""

_NOTE = Sign("»", "accent", "note")


class Level(IntEnum):
    """How much an entry matters."""

    ALL = 0
    WARNING = 1
    ERROR = 2

    @property
    def word(self) -> str:
        return ("all", "warnings", "errors")[self]


_LEVELS = {
    EventKind.RETRY: Level.WARNING,
    EventKind.MIRROR: Level.WARNING,
    EventKind.CHANGED: Level.WARNING,
    EventKind.EXPIRED: Level.WARNING,
    EventKind.FAILED: Level.ERROR,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    at: float
    """Seconds since the app began."""
    sign: Sign
    text: str
    job: JobId | None = None
    """None where something was done here rather than in the engine."""
    level: Level = Level.ALL


def event_entry(event: Event, at: float) -> Entry:
    """An event that happened that many seconds after the app began."""
    level = _LEVELS.get(event.kind, Level.ALL)
    sign = EVENT_SIGNS[event.kind]
    return Entry(at, sign, safe(event.text), event.job, level)


def note_entry(text: str, at: float) -> Entry:
    """Something that was done here rather than in the engine."""
    return Entry(at, _NOTE, safe(text))


def loud(
    entries: Sequence[Entry], within: float = 30.0, most: int = 200
) -> Entry | None:
    """The latest entry that matters, or else the latest one.

    Warnings, errors and what a key has done; what is older than `within` before the
    latest entry has had its time.
    """
    if not entries:
        return None
    oldest = entries[-1].at - within
    for entry in reversed(entries[-most:]):
        if entry.at < oldest:
            break
        if entry.level or entry.job is None:
            return entry
    return entries[-1]


class LogBook:
    """The latest entries; which are wanted, which match, which row is the last."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.level = Level.ALL
        self.job: JobId | None = None
        """Whose entries are wanted; None for all."""
        self.sought = ""
        self.wanted: list[Entry] = []
        self.matches: list[Entry] = []
        self.found: Entry | None = None
        """The match that one is at."""
        self.back = 0
        """Wanted entries below the last row that is seen; 0 follows what comes."""

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        if self._is_wanted(entry):
            self.wanted.append(entry)
            self.back += 1 if self.back else 0
            if self._is_match(entry):
                self.matches.append(entry)
        if len(self.entries) > KEPT:
            self._forget(self.entries.pop(0))

    def show(self, level: Level, job: JobId | None) -> None:
        """Want other entries than before."""
        if (level, job) != (self.level, self.job):
            self.level, self.job, self.back = level, job, 0
            self.wanted = [one for one in self.entries if self._is_wanted(one)]
            self.find(self.sought)

    def scroll(self, step: int, rows: int) -> None:
        """That many rows towards the newest, or back."""
        self.back = min(max(self.back - step, 0), max(len(self.wanted) - rows, 0))

    def find(self, text: str) -> None:
        """Search for a text; its latest match is the first that one is at."""
        self.sought = text
        self.matches = [one for one in self.wanted if self._is_match(one)]
        self.found = self.matches[-1] if self.matches else None

    def find_again(self, step: int) -> None:
        """Go to the match after it, or with -1 before it; round the ends."""
        if self.matches:
            self.found = self.matches[(self.place + step) % len(self.matches)]

    @property
    def place(self) -> int:
        """Which of the matches one is at."""
        return _index(self.matches, self.found)

    def reveal(self, rows: int) -> None:
        """Scroll so far that the match one is at is seen in so many rows."""
        if self.found is None:
            return
        below = len(self.wanted) - 1 - _index(self.wanted, self.found)
        if not self.back <= below < self.back + rows:
            self.back = 0
            self.scroll(rows // 2 - below, rows)

    def seen(self, rows: int) -> range:
        """Which of the wanted entries are seen in so many rows."""
        count = len(self.wanted)
        stop = max(count - self.back, min(rows, count))
        return range(max(stop - rows, 0), stop)

    def page(self, rows: int) -> Sequence[Entry]:
        """The entries that are seen in so many rows."""
        seen = self.seen(max(rows, 0))
        return self.wanted[seen.start : seen.stop]

    def _is_wanted(self, entry: Entry) -> bool:
        return entry.level >= self.level and self.job in {None, entry.job}

    def _is_match(self, entry: Entry) -> bool:
        return bool(self.sought) and self.sought.casefold() in entry.text.casefold()

    def _forget(self, entry: Entry) -> None:
        """The oldest entry goes; so it is also the oldest wherever it is."""
        for kept in (self.wanted, self.matches):
            if kept and kept[0] is entry:
                del kept[0]
        if self.found is entry:
            self.found = None
        self.back = min(self.back, max(len(self.wanted) - 1, 0))


def _index(entries: Sequence[Entry], wanted: Entry | None) -> int:
    """Where that very entry is; there may be others that say the same."""
    found = (i for i, entry in enumerate(entries) if entry is wanted)
    return next(found, len(entries) - 1)
