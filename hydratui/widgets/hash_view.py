"""How far the digest is computed, what it should be and what it is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engine import HashSnapshot, JobSnapshot
from hydratui.sampler import Frame
from hydratui.text import bar, percent, rate, safe, shorten, size
from hydratui.widgets.line import Line, LineWidget, Span, framed, line


class HashView(LineWidget[Frame]):
    """The verify pane."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return hash_pane(value, size.width, size.height)


def hash_pane(frame: Frame, width: int, height: int) -> list[Line]:
    job, cells = frame.job, width - 4
    body = [] if job is None else _body(job, frame.hash_rate, cells, height - 2)
    rows: list[Line] = [((" ", "text"), *row, (" ", "text")) for row in body]
    return framed(width, height, rows, title=[("Verify", "title")])


def _body(job: JobSnapshot, per_second: float, cells: int, height: int) -> list[Line]:
    if job.hash is None:
        said = safe(job.verdict) or "no digest asked for"
        return [line(cells, (said, "dim"))]
    if height < 3:
        return [_progress(job, job.hash, per_second, cells)]
    rows = [_progress(job, job.hash, per_second, cells), line(cells)]
    rows += _digests(job.hash, cells)
    if height > len(rows) + 1:
        rows += [line(cells), _facts(job, job.hash, cells)]
    return rows


def _progress(
    job: JobSnapshot, known: HashSnapshot, per_second: float, cells: int
) -> Line:
    head: Span = (f"{safe(known.algorithm)} ", "strong")
    outcome = _outcome(known)
    tail: list[Span] = [(f" {percent(known.hashed, job.size):>5} %", "text")]
    tail += [outcome] if outcome else [(f"  {rate(per_second):>9}", "dim")]
    room = cells - sum(len(text) for text, _ in (head, *tail))
    if room < 4:
        return line(cells, head, *tail)
    filled, rest = bar(known.hashed, job.size, room)
    return line(cells, head, (filled, "bar"), (rest, "rest"), *tail)


def _outcome(known: HashSnapshot) -> Span | None:
    """Whether it matched; without anything expected, that it is known."""
    if known.actual is None:
        return None
    if known.expected is None:
        return "  ✓ computed", "good"
    if known.actual.lower() == known.expected.lower():
        return "  ✓ matches", "good"
    return "  ✗ differs", "bad"


def _digests(known: HashSnapshot, cells: int) -> list[Line]:
    room = cells - 10
    outcome = _outcome(known)
    ink = "text" if outcome is None else outcome[1]
    return [
        line(
            cells,
            ("expected  ", "dim"),
            (shorten(safe(known.expected or "nothing to compare with"), room), "text"),
        ),
        line(
            cells,
            ("actual    ", "dim"),
            (shorten(safe(known.actual or "not known yet"), room), ink),
        ),
    ]


def _facts(job: JobSnapshot, known: HashSnapshot, cells: int) -> Line:
    behind = job.done - known.hashed
    return line(
        cells,
        ("hashed    ", "dim"),
        (f"{size(known.hashed)} of {size(job.size)}", "text"),
        (f", {size(behind)} behind the download" if behind > 0 else "", "dim"),
    )
