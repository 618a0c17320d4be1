"""Lanes as a heat map: one block each, as high as its speed, and what stands out.

A hundred lanes are not read one by one. One looks for the few that are different:
below the map, where there is room, those are told in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine import LaneSnapshot
from hydratui.text import rate, width
from hydratui.widgets.lane_cells import Pen, is_receiving, merged, sign_of
from hydratui.widgets.line import Line, Span, line

_LABEL = 4
_TEN = 10


def lanes_in_a_row(cells: int) -> int:
    """Whole tens with a gap between them; fewer where not even ten fit."""
    room = cells - _LABEL
    tens = max(room + 1, 0) // (_TEN + 1)
    return tens * _TEN if tens else max(room, 1)


def heat_rows(
    lanes: Sequence[LaneSnapshot], pen: Pen, cells: int, *, labelled: bool
) -> list[Line]:
    """The map; where the lanes are in order each row begins with its first number."""
    count = lanes_in_a_row(cells)
    rows = []
    for start in range(0, len(lanes), count):
        row = lanes[start : start + count]
        label = str(row[0].number) if labelled else ""
        blocks: list[Span] = []
        for index, lane in enumerate(row):
            if index and index % _TEN == 0:
                blocks.append((" ", "text"))
            blocks.append(pen.block(lane))
        rows.append(line(cells, (f"{label:>{_LABEL - 1}} ", "dim"), *merged(blocks)))
    return rows


def legend(lanes: Sequence[LaneSnapshot], top: float, cells: int) -> Line:
    """What a full block is, and how many lanes do something else."""
    spans: list[Span] = [
        (" " * _LABEL, "dim"),
        ("▁", "bad"),
        ("▃", "warn"),
        ("▅", "bar"),
        ("█", "good"),
        (f" {rate(top)}", "dim"),
    ]
    others = Counter(
        sign_of(lane) for lane in lanes if lane.racing or not is_receiving(lane)
    )
    words = [f" {count} {sign.word}" for sign, count in others.items()]
    used = sum(map(width, words)) + 3 * len(words) + _LABEL + 5 + len(rate(top))
    for sign, count in others.items():
        spans += [("  ", "text"), (sign.glyph, sign.ink), (f" {count}", "text")]
        if used <= cells:
            spans.append((f" {sign.word}", "dim"))
    return line(cells, *spans)


def outstanding(lanes: Sequence[LaneSnapshot]) -> list[LaneSnapshot]:
    """The lanes that do something else than receive, then the slowest ones."""
    return sorted(
        lanes,
        key=lambda lane: (is_receiving(lane) and not lane.racing, lane.rate),
    )
