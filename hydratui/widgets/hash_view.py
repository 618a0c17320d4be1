"""How far the digest is computed, what it should be and what it is.

Two digests that differ are shown under each other with a mark at the first
difference; a file of which nobody knows a digest says so, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from textual.geometry import Size

from engine import HashSnapshot, JobSnapshot, JobState
from hydratui.sampler import Frame
from hydratui.text import bar, duration, eta, fit, percent, rate, safe, shorten, size
from hydratui.widgets.line import (
    Line,
    LineWidget,
    Span,
    framed,
    indented,
    line,
    wrapped,
)

_LABEL = 10
_BAD = ".part.bad"
_LEAST = 3


class HashView(LineWidget[Frame]):
    """The verify pane."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return hash_pane(value, size.width, size.height)


def hash_pane(frame: Frame, width: int, height: int) -> list[Line]:
    job, cells = frame.job, width - 4
    title: list[Span] = [("Verify", "title")]
    if job is None:
        return framed(width, height, [], title=title)
    if job.hash is None:
        body = _unknown(job, cells, height - 2)
    else:
        body = _known(job, job.hash, frame.hash_rate, cells, height - 2)
        if is_mismatch(job.hash):
            title.append(("  ✗ MISMATCH", "bad"))
    return framed(width, height, indented(body), title=title)


def is_mismatch(known: HashSnapshot) -> bool:
    """Whether the bytes are not those that were promised."""
    if known.actual is None or known.expected is None:
        return False
    return known.actual.lower() != known.expected.lower()


# ------------------------------------------------------------- no digest


def _unknown(job: JobSnapshot, cells: int, height: int) -> list[Line]:
    """What was checked instead, and why no more."""
    if job.state is not JobState.DONE:
        what = "no digest asked for, and none known: only the size will be checked"
        return _paragraph(safe(job.verdict) or what, cells, "dim")
    said = safe(job.verdict) or "size only"
    rows = [line(cells, ("✓ ", "good"), (said, "strong"))]
    if height < _LEAST or "size only" not in said:
        return rows
    why = (
        "The size is right. No digest was typed, and neither the server nor a file "
        "beside it told one, so the bytes themselves could not be checked."
    )
    return [*rows, line(cells), *_paragraph(why, cells, "dim"), *_bytes(job, cells)]


def _paragraph(text: str, cells: int, ink: str) -> list[Line]:
    return [line(cells, (row, ink)) for row in wrapped(text, cells)]


def _bytes(job: JobSnapshot, cells: int) -> list[Line]:
    if job.size is None:
        return []
    return [line(cells), _fact("size", f"{job.size:,} bytes", cells)]


# ------------------------------------------------------------- with digest


def _known(
    job: JobSnapshot, known: HashSnapshot, per_second: float, cells: int, height: int
) -> list[Line]:
    progress = _progress(job, known, per_second, cells)
    if height < _LEAST:
        return [progress]
    if is_mismatch(known):
        return _mismatch(job, known, cells, height, progress)
    rows = [progress, line(cells), *_digests(known, cells)]
    if height > len(rows) + 1:
        rows += [line(cells), *_facts(job, known, per_second, cells)]
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
    return ("  ✗ differs", "bad") if is_mismatch(known) else ("  ✓ matches", "good")


def _digests(known: HashSnapshot, cells: int) -> list[Line]:
    ink = "text" if known.actual is None else "good"
    expected = safe(known.expected or "nothing to compare with")
    actual = safe(known.actual or "not known yet")
    return [
        _fact("expected", shorten(expected, cells - _LABEL), cells),
        _fact("actual", shorten(actual, cells - _LABEL), cells, ink),
    ]


def _facts(
    job: JobSnapshot, known: HashSnapshot, per_second: float, cells: int
) -> list[Line]:
    behind = job.done - known.hashed
    rows = [
        line(
            cells,
            (fit("hashed", _LABEL), "dim"),
            (f"{size(known.hashed)} of {size(job.size)}", "text"),
            (f", {size(behind)} behind the download" if behind > 0 else "", "dim"),
        )
    ]
    left = eta(known.hashed, job.size, per_second)
    if known.actual is None and left is not None:
        rows.append(_fact("ETA", duration(left), cells))
    if job.verdict:
        rows.append(_fact("verdict", safe(job.verdict), cells))
    return rows


def _fact(label: str, text: str, cells: int, ink: str = "text") -> Line:
    return line(cells, (fit(label, _LABEL), "dim"), (text, ink))


# ------------------------------------------------------------- a mismatch


def _mismatch(
    job: JobSnapshot, known: HashSnapshot, cells: int, height: int, progress: Line
) -> list[Line]:
    """Said first, then shown, then where the wrong bytes are."""
    expected = safe(known.expected or "").lower()
    actual = safe(known.actual or "").lower()
    rows = _compared(expected, actual, cells, height - 2)
    said = f"✗ {safe(known.algorithm)} differs: this is not the file that was promised"
    body = [line(cells, (said, "bad strong")), *rows]
    if height > len(body):
        body.append(_whereabouts(job, cells))
    if height > len(body) + 1:
        body += [line(cells), progress]
    return body


def _whereabouts(job: JobSnapshot, cells: int) -> Line:
    if job.streaming or job.command or not job.target:
        return line(cells, ("its bytes have been delivered already", "warn"))
    room = cells - _LABEL
    return _fact("kept as", shorten(safe(job.target) + _BAD, room), cells, "warn")


def _compared(expected: str, actual: str, cells: int, height: int) -> list[Line]:
    """Both under each other, in as many rows as they need, and where they part."""
    room = max(cells - _LABEL, 1)
    pairs = zip(expected, actual, strict=False)
    at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    longest = max(len(expected), len(actual))
    starts = list(range(0, longest, room)) or [0]
    if len(starts) * 3 > height:
        starts = [max(min(at - room // 2, longest - room), 0)]
    rows = []
    for start in starts:
        labels = ("expected", "actual") if start == starts[0] else ("", "")
        parts = expected[start : start + room], actual[start : start + room]
        rows.append(_fact(labels[0], parts[0], cells))
        rows.append(_differing(labels[1], parts[1], at - start, cells))
        if 0 <= at - start < room:
            rows.append(_fact("", _pointer(at - start, room, at + 1), cells, "bad"))
    return rows


def _pointer(at: int, room: int, digit: int) -> str:
    """A mark under the first difference, and its place in words where they fit."""
    words = f"digit {digit}"
    if at + 2 + len(words) <= room:
        return " " * at + f"▲ {words}"
    return f"{words} ▲".rjust(at + 1) if at > len(words) else " " * at + "▲"


def _differing(label: str, text: str, at: int, cells: int) -> Line:
    at = max(at, 0)
    return line(
        cells, (fit(label, _LABEL), "dim"), (text[:at], "text"), (text[at:], "bad")
    )
