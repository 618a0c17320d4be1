"""The whole file in one row: what is here, what is being fetched, what is missing.

A cell stands for its share of the file. It is full only when all of that share
is here; a lane at work in it shows even where almost everything is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from engine import ByteRange, JobSnapshot, LaneSnapshot
from hydratui.text import percent, size
from hydratui.widgets.line import Line, Span, line

_MISSING: Span = ("░", "rest")
_SOME: Span = ("▒", "bar")
_FULL: Span = ("█", "bar")
_FLIGHT: Span = ("▓", "flight")


def piece_line(job: JobSnapshot, cells: int) -> Line:
    """The bar with its percentage; without a known size, how much there is."""
    if job.size is None:
        return line(
            cells, ("file ", "dim"), (f"{size(job.done)} so far, end unknown", "text")
        )
    share = f"{percent(job.done, job.size):>5} %"
    room = cells - 5 - 1 - len(share)
    if room < 4:
        return line(cells, (share, "strong"))
    return line(
        cells, ("file ", "dim"), *_bar(job, job.size, room), (" " + share, "strong")
    )


def _bar(job: JobSnapshot, total: int, cells: int) -> list[Span]:
    if job.done >= total:
        return [("█" * cells, "bar")]
    looks = [_look(share) for share in shares(_pieces(job), total, cells)]
    for index in _flights(job.lanes, total, cells):
        if looks[index] is not _FULL:
            looks[index] = _FLIGHT
    return [(glyph * len(list(run)), ink) for (glyph, ink), run in groupby(looks)]


def _pieces(job: JobSnapshot) -> Sequence[ByteRange]:
    """What is here; where nobody says, as if it lay at the beginning."""
    if job.pieces or not job.done:
        return job.pieces
    return (ByteRange(0, job.done),)


def _look(share: float) -> Span:
    if share >= 1:
        return _FULL
    return _SOME if share > 0 else _MISSING


def _flights(lanes: Sequence[LaneSnapshot], total: int, cells: int) -> list[int]:
    """The cells that the lanes' marks are in."""
    return [
        min(lane.mark * cells // total, cells - 1)
        for lane in lanes
        if lane.mark < lane.range.stop
    ]


def shares(pieces: Sequence[ByteRange], total: int, cells: int) -> list[float]:
    """How much of each cell's bytes is here, 0 to 1; the pieces lowest first."""
    filled = [0.0] * cells
    for piece in pieces:
        first = piece.start * cells // total
        last = min((piece.stop * cells - 1) // total, cells - 1)
        if last - first > 1:
            filled[first + 1 : last] = [1.0] * (last - first - 1)
        if first == last:
            filled[first] += (piece.stop - piece.start) * cells / total
            continue
        for index in (first, last):
            low = max(piece.start * cells, index * total)
            high = min(piece.stop * cells, (index + 1) * total)
            filled[index] += (high - low) / total
    return [1.0 if share > 1 - 1e-9 else share for share in filled]
