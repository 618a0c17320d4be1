"""How far the digests are computed, what they should be and what they are.

Every algorithm that is compared has its bar, and says who promised it. Two digests
that differ are shown under each other with a mark at the first difference; a file of
which nobody knows a digest says so, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from textual.geometry import Size

from engine import HashSnapshot, JobSnapshot, JobState, PiecesSnapshot
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
_LEAST_BAR = 4

_SEARCHING = "looking for digests beside the file"
_NOT_YET = {JobState.QUEUED, JobState.PROBING}


class HashView(LineWidget[Frame]):
    """The verify pane."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return hash_pane(value, size.width, size.height)


def hash_pane(frame: Frame, width: int, height: int) -> list[Line]:
    job, cells = frame.job, width - 4
    title: list[Span] = [("Verify", "title")]
    if job is None:
        return framed(width, height, [], title=title)
    if not job.hashes and job.parts is None:
        body = _unknown(job, cells, height - 2)
    else:
        body = _known(job, cells, height - 2)
        if _mismatch_of(job) is not None:
            title.append(("  ✗ MISMATCH", "bad"))
    return framed(width, height, indented(body), title=title)


def is_mismatch(known: HashSnapshot) -> bool:
    """Whether the bytes are not those that were promised."""
    if known.actual is None or known.expected is None:
        return False
    return known.actual.lower() != known.expected.lower()


def _mismatch_of(job: JobSnapshot) -> HashSnapshot | None:
    """The first digest that differs."""
    return next(filter(is_mismatch, job.hashes), None)


# ------------------------------------------------------------- no digest


def _unknown(job: JobSnapshot, cells: int, height: int) -> list[Line]:
    """What was checked instead, and why no more."""
    if job.state is not JobState.DONE:
        return _paragraph(_unpromised(job, cells, height), cells, "dim")
    said = safe(job.verdict) or "size only"
    rows = [line(cells, ("✓ ", "good"), (said, "strong"))]
    if height < _LEAST or "size only" not in said:
        return rows
    why = (
        "The size is right. No digest was typed, and none was found at the server, "
        "so the bytes themselves could not be checked."
    )
    return [*rows, line(cells), *_paragraph(why, cells, "dim"), *_bytes(job, cells)]


def _unpromised(job: JobSnapshot, cells: int, height: int) -> str:
    """The fullest of some sentences that there is room for."""
    if job.verdict and job.state.is_final:
        ways: Sequence[str] = (safe(job.verdict),)
    elif job.searching:
        ways = _SEARCHING, "looking for digests", "looking"
    elif job.state in _NOT_YET:
        ways = "nothing is promised yet", "no promise yet"
    else:
        ways = (
            "nothing is promised: the size is all there is",
            "nothing is promised, size only",
            "size only",
        )
    return next((way for way in ways if len(wrapped(way, cells)) <= height), ways[-1])


def _paragraph(text: str, cells: int, ink: str) -> list[Line]:
    return [line(cells, (row, ink)) for row in wrapped(text, cells)]


def _bytes(job: JobSnapshot, cells: int) -> list[Line]:
    if job.size is None:
        return []
    return [line(cells), _fact("size", f"{job.size:,} bytes", cells)]


# ------------------------------------------------------------- with digests


def _known(job: JobSnapshot, cells: int, height: int) -> list[Line]:
    """In full where there is room, else without blank rows, else a bar for each."""
    if height < _LEAST:
        return _bars(job, cells, height)
    wrong = _mismatch_of(job)
    if wrong is not None:
        return _mismatch(job, wrong, cells, height)
    for gap in ([line(cells)], []):
        rows = _blocks(job, gap, cells)
        if len(rows) <= height:
            break
    else:
        rows = _bars(job, cells, height)
    if height > len(rows) + 1:
        rows += [line(cells), *_facts(job, cells)]
    return rows


def _bars(job: JobSnapshot, cells: int, height: int) -> list[Line]:
    """A row for each algorithm; where not all fit, what differs comes first."""
    known = sorted(job.hashes, key=is_mismatch, reverse=True)
    more = len(known) - height
    rows = [_progress(job, one, cells) for one in known[:height]]
    if more > 0:
        rows[-1] = _progress(job, known[height - 1], cells, f"+{more} ")
    if len(rows) < height and job.searching:
        rows.append(line(cells, (_SEARCHING, "dim")))
    return (rows + _pieces(job, cells, bar_only=True))[:height]


def _blocks(job: JobSnapshot, gap: list[Line], cells: int) -> list[Line]:
    """All that is known of each digest, and of the pieces."""
    blocks = [_block(job, known, gap, cells) for known in job.hashes]
    blocks.append(_pieces(job, cells))
    if job.searching:
        blocks.append([line(cells, (_SEARCHING, "dim"))])
    rows: list[Line] = []
    for block in filter(None, blocks):
        rows += [*gap, *block] if rows else block
    return rows


def _block(
    job: JobSnapshot, known: HashSnapshot, gap: list[Line], cells: int
) -> list[Line]:
    spaced = gap if len(job.hashes) == 1 else []
    return [_progress(job, known, cells), *spaced, *_digests(known, cells)]


def _progress(
    job: JobSnapshot, known: HashSnapshot, cells: int, note: str = ""
) -> Line:
    names = max(len(safe(one.algorithm)) for one in job.hashes)
    head: Span = (f"{fit(safe(known.algorithm), names)} {note}", "strong")
    outcome = _outcome(known)
    tail: list[Span] = [(f" {percent(known.hashed, job.size):>5} %", "text")]
    tail.append(outcome or (f"  {rate(known.rate):>9}", "dim"))
    return _barred(cells, head, (known.hashed, job.size), tail)


def _barred(
    cells: int, head: Span, share: tuple[int, int | None], tail: Sequence[Span]
) -> Line:
    """A bar between words, where there is room for one."""
    room = cells - sum(len(text) for text, _ in (head, *tail))
    if room < _LEAST_BAR:
        return line(cells, head, *tail)
    filled, rest = bar(*share, room)
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
    rows = [
        _fact("expected", shorten(expected, cells - _LABEL), cells),
        _fact("actual", shorten(actual, cells - _LABEL), cells, ink),
    ]
    if known.origin:
        origin = shorten(safe(known.origin), cells - _LABEL)
        rows.append(_fact("from", origin, cells))
    return rows


def _pieces(job: JobSnapshot, cells: int, *, bar_only: bool = False) -> list[Line]:
    """How many parts have been compared, and which of them had to come again."""
    parts = job.parts
    if parts is None:
        return []
    head: Span = ("pieces ", "strong")
    tail: list[Span] = [(f" {parts.checked:,} of {parts.count:,}", "text")]
    if parts.bad:
        tail.append((f"  ! {parts.bad:,} came again", "warn"))
    elif parts.checked == parts.count:
        tail.append(("  ✓ all right", "good"))
    rows = [_barred(cells, head, (parts.checked, parts.count), tail)]
    return rows if bar_only else [*rows, *_about_pieces(parts, cells)]


def _about_pieces(parts: PiecesSnapshot, cells: int) -> list[Line]:
    rows = [_fact("each", f"{size(parts.size)}, {safe(parts.algorithm)}", cells)]
    if parts.bad:
        were = "was" if parts.bad == 1 else "were"
        said = f"{parts.bad:,} {were} not as promised, and fetched again"
        rows.append(_fact("wrong", said, cells, "warn"))
    return rows


def _facts(job: JobSnapshot, cells: int) -> list[Line]:
    """How far the slowest digest is, and what came of it."""
    rows = []
    known = min(job.hashes, key=lambda one: one.hashed, default=None)
    if known is not None:
        rows += _how_far(job, known, cells)
    if job.verdict:
        rows.append(_fact("verdict", safe(job.verdict), cells))
    return rows


def _how_far(job: JobSnapshot, known: HashSnapshot, cells: int) -> list[Line]:
    behind = job.done - known.hashed
    rows = [
        line(
            cells,
            (fit("hashed", _LABEL), "dim"),
            (f"{size(known.hashed)} of {size(job.size)}", "text"),
            (f", {size(behind)} behind the download" if behind > 0 else "", "dim"),
        )
    ]
    left = eta(known.hashed, job.size, known.rate)
    if known.actual is None and left is not None:
        rows.append(_fact("ETA", duration(left), cells))
    return rows


def _fact(label: str, text: str, cells: int, ink: str = "text") -> Line:
    return line(cells, (fit(label, _LABEL), "dim"), (text, ink))


# ------------------------------------------------------------- a mismatch


def _mismatch(
    job: JobSnapshot, known: HashSnapshot, cells: int, height: int
) -> list[Line]:
    """Said first, then shown, then where the wrong bytes are."""
    expected = safe(known.expected or "").lower()
    actual = safe(known.actual or "").lower()
    rows = _compared(expected, actual, cells, height - 2)
    said = f"✗ {safe(known.algorithm)} differs: this is not the file that was promised"
    body = [line(cells, (said, "bad strong")), *rows]
    if height > len(body):
        body.append(_whereabouts(job, cells))
    if height > len(body) + 1 and known.origin:
        origin = shorten(safe(known.origin), cells - _LABEL)
        body.append(_fact("promised", f"by {origin}", cells))
    if height > len(body) + 1:
        body += [line(cells), *_bars(job, cells, height - len(body) - 1)]
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
