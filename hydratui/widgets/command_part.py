"""The command behind a stream: what it is, what it took, how it does, what it says."""

from __future__ import annotations

import signal

from engine import CommandSnapshot, JobSnapshot
from hydratui.text import fit, safe, shorten, size, width
from hydratui.widgets.line import Line, Span, line

_LABEL = 10
_LATEST = 6


def command_rows(job: JobSnapshot, cells: int) -> list[Line]:
    """The command, and at the right how it does, which is never cut."""
    if not job.command:
        return []
    right: list[Span] = []
    if job.piped is not None:
        right = [_status(job.piped), (f"  took {size(job.piped.fed)}", "text")]
    used = sum(width(text) for text, _ in right)
    room = max(cells - _LABEL - used - 2, 0)
    command = fit(shorten(f"| {safe(job.command)}", room), room)
    return [
        line(cells, ("into      ", "dim"), (command, "strong"), ("  ", "text"), *right)
    ]


def said_rows(job: JobSnapshot, cells: int) -> list[Line]:
    """The latest lines of its output."""
    said = job.piped.said[-_LATEST:] if job.piped else ()
    return [
        line(cells, (fit("" if index else "says", _LABEL), "dim"), (safe(text), "text"))
        for index, text in enumerate(said)
    ]


def _status(piped: CommandSnapshot) -> Span:
    word = status_word(piped.status)
    if piped.status is None:
        return f"▶ {word}", "good"
    return (f"✓ {word}", "good") if piped.status == 0 else (f"✗ {word}", "bad")


def status_word(status: int | None) -> str:
    """How a command does: "runs", "ended with 2", "killed by SIGTERM"."""
    if status is None:
        return "runs"
    if status >= 0:
        return f"ended with {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
