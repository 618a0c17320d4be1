"""Everything that is known of a job: where it comes from, where it goes, what was asked.

In its place among the other views a value is cut where the row ends. Where the view
has the screen to itself it goes on in the next row, and keys scroll.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.geometry import Size

from engine import JobSnapshot, JobState, MirrorState, SourceSnapshot
from hydratui.sampler import Frame
from hydratui.text import (
    duration,
    eta,
    fit,
    percent,
    rate,
    safe,
    shorten,
    size,
    width,
)
from hydratui.widgets.command_part import status_word
from hydratui.widgets.line import (
    Line,
    LineWidget,
    Span,
    framed,
    indented,
    line,
    wrapped,
)
from hydratui.widgets.signs import JOB_SIGNS, MIRROR_SIGNS

_FRAME_ROWS = 2
_LABEL = 15
_PART = ".part"

Fact = tuple[str, Span]
"""A label and its value; without a label it belongs to the fact before it."""
Section = tuple[str, Sequence[Fact]]


class InfoView(LineWidget[Frame]):
    """The info pane; it owns how far it is scrolled."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._top = 0

    @property
    def is_wrapped(self) -> bool:
        """Whether long values go on in the next row."""
        return self.screen.has_class("-zoom")

    def scroll(self, step: int) -> None:
        """That many rows on; the next picture stops at the ends."""
        self._top = max(self._top + step, 0)

    @property
    def page(self) -> int:
        """How many rows are seen at once."""
        return max(self.content_size.height - _FRAME_ROWS, 1)

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        rows = info_rows(value.job, size.width - 4, is_wrapped=self.is_wrapped)
        self._top = min(self._top, max(len(rows) - size.height + _FRAME_ROWS, 0))
        return info_pane(rows, size.width, size.height, self._top)


def info_pane(
    rows: Sequence[Line], width: int, height: int, top: int = 0
) -> list[Line]:
    """The rows that are seen from the top one on."""
    seen = rows[top : top + height - _FRAME_ROWS]
    foot = ""
    if len(seen) < len(rows):
        foot = f"rows {top + 1}–{top + len(seen)} of {len(rows)}"  # noqa: RUF001
    return framed(width, height, indented(seen), title=[("Info", "title")], foot=foot)


def info_rows(
    job: JobSnapshot | None, cells: int, *, is_wrapped: bool = False
) -> list[Line]:
    """Every section that has something to tell, a blank row between them."""
    if job is None:
        return []
    rows: list[Line] = []
    for title, facts in _sections(job):
        if facts:
            rows += [line(cells)] if rows else []
            rows.append(line(cells, (title, "title")))
            rows += [row for fact in facts for row in _row(fact, cells, is_wrapped)]
    return rows


def _row(fact: Fact, cells: int, is_wrapped: bool) -> list[Line]:
    label, (text, ink) = fact
    head = fit(f"  {label}", _LABEL) + " "
    room = cells - len(head)
    parts = wrapped(text, room) if is_wrapped else [shorten(text, max(room, 0))]
    return [
        line(cells, (" " * len(head) if index else head, "dim"), (part, ink))
        for index, part in enumerate(parts)
    ]


def _sections(job: JobSnapshot) -> Iterator[Section]:
    yield "File", list(_file(job))
    yield "Progress", list(_progress(job))
    yield "Source", list(_source(job))
    yield "Mirrors", list(_mirrors(job))
    yield "Asked for", list(_asked(job))
    yield "Command", list(_command(job))
    yield "Host", list(_host(job))
    if job.source is not None:
        headers = ((safe(name), _text(value)) for name, value in job.source.headers)
        yield "Headers of the answer", list(headers)


def _text(value: str, ink: str = "text") -> Span:
    return safe(value) or "-", ink


# ---------------------------------------------------------------- sections


def _file(job: JobSnapshot) -> Iterator[Fact]:
    sign = JOB_SIGNS[job.state]
    yield "name", _text(job.name, "strong")
    yield "state", (f"{sign.glyph} {sign.word}", sign.ink)
    if job.verdict:
        yield "verdict", _text(job.verdict, sign.ink)
    exact = "not known" if job.size is None else f"{job.size:,} bytes"
    yield "size", (f"{exact}  ({size(job.size)})", "text")
    if job.source is not None and job.source.media_type:
        yield "media type", _text(job.source.media_type)
    if job.target:
        yield "target", _text(job.target)
        if job.state is not JobState.DONE:
            yield "partial", _text(job.target + _PART, "dim")


def _progress(job: JobSnapshot) -> Iterator[Fact]:
    yield "here", (f"{job.done:,} bytes  ({percent(job.done, job.size)} %)", "text")
    if job.state.is_live:
        yield "speed", (f"{rate(job.rate)}, {job.lane_count} lanes", "text")
        yield "time left", (duration(eta(job.done, job.size, job.rate)), "text")
    for known in job.hashes:
        if known.expected:
            origin = f"  (from {known.origin})" if known.origin else ""
            yield "digest", _text(f"{known.algorithm} {known.expected}{origin}")


def _source(job: JobSnapshot) -> Iterator[Fact]:
    yield "URL", _text(job.url)
    source = job.source
    if source is None:
        return
    for index, hop in enumerate(source.hops):
        label = "" if index else "way"
        yield label, (f"{hop.status}  {safe(hop.url)}", "text")
    yield "validator", _validator(source)
    if source.last_modified:
        yield "last modified", _text(source.last_modified)
    yield "ranges", ("yes", "good") if source.ranges else _NO_RANGES


_NO_RANGES: Span = ("no: one connection, and no resuming", "warn")


def _validator(source: SourceSnapshot) -> Span:
    """By what it is known that it is still the same file."""
    if source.etag is not None:
        weak = source.etag.startswith("W/")
        kind = "weak, not used for ranges" if weak else "strong"
        return f"ETag {safe(source.etag)}  ({kind})", "text"
    if source.last_modified:
        return "Last-Modified", "text"
    return "none: only the size tells whether it is the same file", "warn"


def _mirrors(job: JobSnapshot) -> Iterator[Fact]:
    """Every source in a row: what is thought of it, and what it brings."""
    hosts = [shorten(safe(mirror.host), _WIDEST_HOST) for mirror in job.mirrors]
    widest = max(map(width, hosts), default=0)
    for host, mirror in zip(hosts, job.mirrors, strict=True):
        sign = MIRROR_SIGNS[mirror.state]
        lanes = f"{mirror.lanes} {'lane' if mirror.lanes == 1 else 'lanes'}"
        brought = f"{size(mirror.received):>8} here"
        row = f"{fit(host, widest)}  {lanes:>9}  {rate(mirror.rate):>9}  {brought}"
        yield f"{sign.glyph} {sign.word}", (row, _MIRROR_INKS.get(mirror.state, "text"))
        if mirror.note:
            yield "", _text(mirror.note, "dim")


_WIDEST_HOST = 26
_MIRROR_INKS = {MirrorState.UNTRIED: "dim", MirrorState.BENCHED: "warn"}


def _asked(job: JobSnapshot) -> Iterator[Fact]:
    lanes = "as many as the window finds" if job.threads is None else f"{job.threads}"
    yield "lanes", (lanes, "text")
    yield "limit", ("none" if job.limit is None else rate(job.limit), "text")
    known = any(one.expected is not None for one in job.hashes)
    yield "checksum", ("compared" if known else "none", "text")


def _command(job: JobSnapshot) -> Iterator[Fact]:
    if not job.command:
        return
    yield "into", _text(f"| {job.command}", "strong")
    if job.piped is not None:
        yield "how it does", (status_word(job.piped.status), "text")
        yield "has taken", (f"{job.piped.fed:,} bytes", "text")


def _host(job: JobSnapshot) -> Iterator[Fact]:
    window = job.window
    if window is None:
        return
    yield "host", _text(window.host)
    yield (
        "window",
        (f"{window.size} lanes, {window.flying} flying, {window.ceiling} most", "text"),
    )
    yield "because", _text(window.reason)
