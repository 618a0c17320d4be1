"""The log: its view, which follows or is scrolled, and its latest line above the keys."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from hydratui.sampler import Frame
from hydratui.text import fit, width as width_of
from hydratui.widgets.line import Line, LineWidget, Span, framed, indented, line, spread
from hydratui.widgets.log_book import Entry, Level, LogBook, loud

_FRAME_ROWS = 2
_BOTH = 100
"""Cells in which the log line has room for two entries."""


class LogView(LineWidget[LogBook]):
    """The log pane; it owns the entries, and which of them are wanted."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.book = LogBook()
        self._only_one = False
        self._job: int | None = None

    @property
    def entries(self) -> Sequence[Entry]:
        return self.book.entries

    def add(self, entry: Entry) -> None:
        self.book.add(entry)

    def look(self, frame: Frame) -> bool:
        """Show what there is to show; whether any row on screen changed by it."""
        self._job = frame.job.id if frame.job else None
        self._want(self.book.level)
        return self.show(self.book)

    def next_level(self) -> None:
        """All, then warnings and errors, then errors only."""
        self._want(Level((self.book.level + 1) % len(Level)))

    def next_scope(self) -> None:
        """All jobs, or only the selected one."""
        self._only_one = not self._only_one
        self._want(self.book.level)

    def scroll(self, step: int) -> None:
        self.book.scroll(step, self.page)

    def to_end(self) -> None:
        """Follow what comes."""
        self.book.back = 0

    @property
    def page(self) -> int:
        """How many entries are seen at once."""
        return max(self.content_size.height - _FRAME_ROWS, 1)

    def find(self, text: str) -> None:
        self.book.find(text)
        self.book.reveal(self.page)

    def find_again(self, step: int) -> None:
        """The next match, or with -1 the one before."""
        self.book.find_again(step)
        self.book.reveal(self.page)

    def lay(self, value: LogBook, size: Size) -> Sequence[Line]:
        return log_pane(value, size.width, size.height)

    def _want(self, level: Level) -> None:
        self.book.show(level, self._job if self._only_one else None)


class LogLine(LineWidget[Sequence[Entry]]):
    """The latest entry that matters, and where there is room the very latest."""

    def lay(self, value: Sequence[Entry], size: Size) -> Sequence[Line]:
        return [latest_line(value, size.width)]


def latest_line(entries: Sequence[Entry], cells: int) -> Line:
    entry = loud(entries)
    if entry is None:
        return line(cells)
    left: list[Span] = [(" ", "text"), *entry_spans(entry)]
    latest = entries[-1]
    if latest is entry or cells < _BOTH:
        return (*line(cells - 1, *left), (" ", "text"))
    return spread(cells, left, [*entry_spans(latest), (" ", "text")])


def log_pane(book: LogBook, width: int, height: int) -> list[Line]:
    rows = height - _FRAME_ROWS
    body = [
        line(width - 4, *entry_spans(entry, book.sought, is_found=entry is book.found))
        for entry in book.page(rows)
    ]
    if not book.wanted and book.entries and rows > 0:
        body = [line(width - 4, ("nothing of that kind has happened", "dim"))]
    return framed(
        width, height, indented(body), title=_title(book), foot=_foot(book, rows)
    )


def _title(book: LogBook) -> list[Span]:
    title: list[Span] = [("Log", "title")]
    scope = "all jobs" if book.job is None else f"only #{book.job}"
    title.append((f"  {book.level.word} · {scope}", "dim"))
    if book.sought:
        place = (
            f"{book.place + 1} of {len(book.matches)}" if book.matches else "nowhere"
        )
        title.append((f" · /{_brief(book.sought)} {place}", "accent"))
    return title


def _brief(text: str) -> str:
    return fit(text, min(width_of(text), 20))


def _foot(book: LogBook, rows: int) -> str:
    count = len(book.wanted)
    if not count:
        return ""
    if not book.back:
        return f"{count} {'entry' if count == 1 else 'entries'} · follows"
    seen = book.seen(rows)
    below = count - seen.stop
    return f"{seen.start + 1}–{seen.stop} of {count} · ↓ {below}"  # noqa: RUF001


def entry_spans(
    entry: Entry, sought: str = "", *, is_found: bool = False
) -> list[Span]:
    """When, what kind, whose, and what; what is sought stands out."""
    ink = {Level.ERROR: "bad", Level.WARNING: "warn"}.get(entry.level, "text")
    subject = "" if entry.job is None else fit(f"#{entry.job}", 5)
    return [
        (_clock(entry.at) + " ", "dim"),
        (entry.sign.glyph + " ", entry.sign.ink),
        (subject, "strong"),
        *_marked(entry.text, sought, ink, "brand" if is_found else f"{ink} chosen"),
    ]


def _marked(text: str, sought: str, ink: str, mark: str) -> list[Span]:
    """The text with what is sought in another ink."""
    spans: list[Span] = []
    low, wanted, at = text.casefold(), sought.casefold(), 0
    if not wanted or len(low) != len(text):
        return [(text, mark if wanted and wanted in low else ink)]
    while (found := low.find(wanted, at)) >= 0:
        spans += [(text[at:found], ink), (text[found : found + len(wanted)], mark)]
        at = found + len(wanted)
    return [*spans, (text[at:], ink)]


def _clock(seconds: float) -> str:
    whole = max(int(seconds), 0)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
