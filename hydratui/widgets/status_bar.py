"""The first row: how fast, within which limit, how many, how long; and its short form.

Its parts give way one after the other where the row is too narrow for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import Size

from engine import JobState
from hydratui.sampler import Frame
from hydratui.text import duration, rate, safe, size, width as width_of
from hydratui.widgets.line import Line, LineWidget, Span, line
from hydratui.widgets.plot import spark
from hydratui.widgets.signs import JOB_SIGNS

_BETWEEN: Span = (" │ ", "frame")
_SPARK = 12
_SCARCE = 1024**3
"""Bytes below which the room on the disk is a worry."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the first row tells: the frame, and how the screen itself does."""

    frame: Frame
    slowed: bool = False
    """Whether frames are left out to leave the loop to the network."""
    free: int | None = None
    """Bytes that are free where files go."""
    notice: str = ""
    """A word that must not be overlooked: FROZEN, private queue."""
    insecure: bool = False
    """Whether any server is trusted."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some spans that stay or go together; the highest rank goes first."""

    rank: int
    spans: tuple[Span, ...]

    @property
    def cells(self) -> int:
        return sum(width_of(text) for text, _ in self.spans)


class StatusBar(LineWidget[Status]):
    def lay(self, value: Status, size: Size) -> Sequence[Line]:
        return [status_line(value, size.width)]


class Strip(LineWidget[Frame]):
    """Throughput, window and heap in one row, where there is no room for panes."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return [strip_line(value, size.width)]


def status_line(status: Status, cells: int) -> Line:
    parts = [part for part in _parts(status) if part.spans]
    return line(cells, *joined(parts, cells, _BETWEEN))


def joined(parts: Sequence[Part], cells: int, between: Span) -> list[Span]:
    """As many parts as fit, in their order."""
    kept = list(parts)
    gap = width_of(between[0])
    while len(kept) > 1 and sum(part.cells + gap for part in kept) - gap > cells:
        kept.remove(max(kept, key=lambda part: part.rank))
    spans: list[Span] = []
    for index, part in enumerate(kept):
        spans += [between] * bool(index) + list(part.spans)
    return spans


def _parts(status: Status) -> list[Part]:
    frame, snapshot = status.frame, status.frame.snapshot
    brand: tuple[Span, ...] = ((" hydra ", "brand"), (" ", "text"))
    slow: tuple[Span, ...] = (("◔ ", "warn"),) if status.slowed else ()
    speed: tuple[Span, ...] = (
        ("↓ ", "accent"),
        (f"{rate(snapshot.rate):>9}", "strong"),
    )
    graph = spark(frame.rates, _SPARK, frame.at)
    limit: tuple[Span, ...] = (("no limit", "dim"),)
    if snapshot.limit is not None:
        limit = (("limit ", "dim"), (rate(snapshot.limit), "warn"))
    lanes = "lane" if snapshot.flying == 1 else "lanes"
    return [
        Part(0, (*brand, *slow, *speed)),
        Part(0, (("insecure", "bad strong"),) if status.insecure else ()),
        Part(1, _notice(status)),
        Part(4, ((graph, "graph"),)),
        Part(3 if snapshot.limit is None else 1, limit),
        Part(1, _counts(frame)),
        Part(2, ((f"{snapshot.flying}", "strong"), (f" {lanes}", "dim"))),
        Part(3, _eta(frame)),
        Part(4, _free(status)),
        Part(5, ((size(snapshot.received), "text"), (" received", "dim"))),
    ]


def _notice(status: Status) -> tuple[Span, ...]:
    return ((safe(status.notice), "warn strong"),) if status.notice else ()


def _free(status: Status) -> tuple[Span, ...]:
    if status.free is None:
        return ()
    ink = "bad" if status.free < _SCARCE else "text"
    return (size(status.free), ink), (" free", "dim")


def _eta(frame: Frame) -> tuple[Span, ...]:
    if frame.eta is None:
        return ()
    return ("ETA ", "dim"), (duration(frame.eta), "strong")


def _counts(frame: Frame) -> tuple[Span, ...]:
    """A sign and a number for each state that there is."""
    live = sum(frame.counts[state] for state in JobState if state.is_live)
    pairs = [(JobState.RUNNING, live)]
    pairs += [(state, frame.counts[state]) for state in _COUNTED]
    spans: list[Span] = []
    for state, count in pairs:
        if count:
            sign = JOB_SIGNS[state]
            spans += [
                ("  " if spans else "", "text"),
                (f"{sign.glyph} ", sign.ink),
                (str(count), "text"),
            ]
    return tuple(spans)


_COUNTED = (
    JobState.QUEUED,
    JobState.PAUSED,
    JobState.DONE,
    JobState.FAILED,
    JobState.EXPIRED,
)


def strip_line(frame: Frame, cells: int) -> Line:
    parts = [
        Part(
            0,
            (
                ("  ", "text"),
                *_sparked(
                    "rate", spark(frame.rates, 12, frame.at), rate(frame.snapshot.rate)
                ),
            ),
        )
    ]
    job = frame.job
    if job is not None and job.window is not None:
        row = spark(frame.window, 10, frame.at, max(frame.window.peak, 4.0))
        parts.append(
            Part(1, _sparked("window", row, f"{job.window.flying}/{job.window.size}"))
        )
    if job is not None and job.front is not None:
        row = spark(frame.waiting, 8, frame.at)
        parts.append(Part(2, _sparked("front", row, size(job.front.waiting))))
    return line(cells, *joined(parts, cells, ("  ", "text")))


def _sparked(label: str, row: str, number: str) -> tuple[Span, ...]:
    return (f"{label} ", "dim"), (row, "graph"), (f" {number}", "strong")
