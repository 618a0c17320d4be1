"""What happened, newest last: the log view, and its latest line above the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import Size

from engine import Event
from hydratui.text import fit, safe
from hydratui.widgets.line import Line, LineWidget, framed, line
from hydratui.widgets.signs import EVENT_SIGNS, Sign

KEPT = 1000
"""Entries that the log remembers."""

_NOTE = Sign("»", "accent", "note")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    at: float
    """Seconds since the app began."""
    sign: Sign
    subject: str
    text: str


def event_entry(event: Event, began: float) -> Entry:
    return Entry(
        event.at - began, EVENT_SIGNS[event.kind], f"#{event.job}", safe(event.text)
    )


def note_entry(text: str, at: float) -> Entry:
    """Something that was done here rather than in the engine."""
    return Entry(at, _NOTE, "", safe(text))


class LogView(LineWidget[Sequence[Entry]]):
    """The latest entries, as many as there is room for."""

    def lay(self, value: Sequence[Entry], size: Size) -> Sequence[Line]:
        return log_pane(value, size.width, size.height)


class LogLine(LineWidget[Sequence[Entry]]):
    """The very latest entry."""

    def lay(self, value: Sequence[Entry], size: Size) -> Sequence[Line]:
        return (
            [line(size.width, (" ", "text"), *entry_line(value[-1], size.width - 2))]
            if value
            else [line(size.width)]
        )


def log_pane(entries: Sequence[Entry], width: int, height: int) -> list[Line]:
    shown = entries[-(height - 2) :] if height > 2 else []
    rows: list[Line] = [
        ((" ", "text"), *entry_line(entry, width - 4), (" ", "text")) for entry in shown
    ]
    foot = f"{len(entries)} entries" if entries else ""
    return framed(width, height, rows, title=[("Log", "title")], foot=foot)


def entry_line(entry: Entry, cells: int) -> Line:
    subject = fit(entry.subject, 5) if entry.subject else ""
    return line(
        cells,
        (_clock(entry.at) + " ", "dim"),
        (entry.sign.glyph + " ", entry.sign.ink),
        (subject, "strong"),
        (entry.text, "bad" if entry.sign.ink == "bad" else "text"),
    )


def _clock(seconds: float) -> str:
    whole = max(int(seconds), 0)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
