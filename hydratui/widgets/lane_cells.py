"""One lane, drawn in as few cells as there are: with its place, with a bar, with a block.

All lanes of a picture are drawn by one pen, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from engine import LaneSnapshot, LaneState
from hydratui.text import bar, brief_rate, fit, level, rate, safe, shorten, size
from hydratui.widgets.line import Span
from hydratui.widgets.signs import LANE_SIGNS, RACING, Sign

_WIDE = 80
"""Cells in which a lane says not only what is left of it but also where it is."""

_WIDEST_BAR = 40
_INKS = ("bad", "bad", "warn", "warn", "warn", "bar", "bar", "bar", "good", "good")
"""For each tenth of the highest speed; a block's height says the same."""

Cell = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws lanes into cells of one width, the fastest lane being `top`."""

    cells: int
    top: float
    digits: int = 2
    hole: int | None = None
    """The lane for which all others wait."""

    def wide(self, lane: LaneSnapshot) -> Cell:
        """A lane with its rest: `7 ▶ ━━━━━─────  4.20 MB/s   3 MiB to go`."""
        head = self._head(lane)
        room = min(self.cells - (50 if self.cells >= _WIDE else 34), _WIDEST_BAR)
        rest = self.cells - self.digits - 14 - room
        return (
            *head,
            *_progress(lane, room),
            (fit(_rate(lane, rate), 11, right=True), "text"),
            (
                fit("   " + (safe(lane.note) or self._place(lane, rest - 3)), rest),
                "dim",
            ),
        )

    def bar(self, lane: LaneSnapshot) -> Cell:
        """A lane with its speed: `7 ▶ ━━━━━─────  4.2M`."""
        head, room = self._head(lane), self.cells - self.digits - 3
        if lane.note and lane.state is not LaneState.RECEIVING:
            return (*head, (fit(safe(lane.note), room), "warn"))
        return (
            *head,
            *_progress(lane, room - 6),
            (fit(_rate(lane, brief_rate), 6, right=True), "text"),
        )

    def short(self, lane: LaneSnapshot) -> Cell:
        """A lane without its range: `7 ▶▆  4.2M`."""
        height = level(lane.rate, self.top) if is_receiving(lane) else " "
        room = self.cells - self.digits - 3
        return (
            *self._head(lane)[:-1],
            (height, "bar"),
            (fit(_rate(lane, brief_rate), room, right=True), "text"),
        )

    def block(self, lane: LaneSnapshot) -> Span:
        """A lane in one cell, as high as its speed, or the sign of what it does."""
        if is_receiving(lane) and not lane.racing:
            share = lane.rate / self.top if self.top > 0 else 0.0
            return level(lane.rate, self.top), _INKS[min(int(share * 10), 9)]
        sign = sign_of(lane)
        return sign.glyph, sign.ink

    def _head(self, lane: LaneSnapshot) -> tuple[Span, Span, Span]:
        sign = sign_of(lane)
        number = f"{lane.number:>{self.digits}} "
        return (number, "dim"), (sign.glyph, sign.ink), (" ", "text")

    def _place(self, lane: LaneSnapshot, room: int) -> str:
        """What is left of it, and in a wide row who serves it, or where it is."""
        place = f"{size(lane.range.stop - lane.mark)} to go"
        if lane.number == self.hole:
            place = f"next in line, {place}"
        if self.cells < _WIDE:
            return place
        if lane.host:
            host = shorten(safe(lane.host), max(room - len(place) - 2, 0))
            return f"{host}, {place}" if host else place
        if lane.number == self.hole:
            return place
        return f"at {size(lane.mark)}, {place}"


def pen_for(lanes: Sequence[LaneSnapshot], cells: int, hole: int | None = None) -> Pen:
    """A pen to which the fastest of these lanes is the top."""
    top = max((lane.rate for lane in lanes), default=0.0)
    digits = max((len(str(lane.number)) for lane in lanes), default=0)
    return Pen(cells, top, max(digits, 2), hole)


def sign_of(lane: LaneSnapshot) -> Sign:
    return RACING if lane.racing else LANE_SIGNS[lane.state]


def is_receiving(lane: LaneSnapshot) -> bool:
    return lane.state is LaneState.RECEIVING


def merged(cells: Sequence[Span]) -> list[Span]:
    """Neighbours of one ink as one span."""
    return [
        ("".join(text for text, _ in run), ink)
        for ink, run in groupby(cells, key=lambda cell: cell[1])
    ]


def _progress(lane: LaneSnapshot, cells: int) -> tuple[Span, Span]:
    done, whole = lane.mark - lane.range.start, lane.range.stop - lane.range.start
    cells = max(cells, 0)
    return _bar(done * cells * 2 // whole if whole else 0, cells)


@lru_cache(maxsize=1024)
def _bar(halves: int, cells: int) -> tuple[Span, Span]:
    filled, rest = bar(halves, cells * 2, cells)
    return (filled, "bar"), (rest, "rest")


def _rate(lane: LaneSnapshot, write: Callable[[float], str]) -> str:
    if is_receiving(lane):
        return write(lane.rate)
    return _WORDS[lane.state]


_WORDS = {
    LaneState.CONNECTING: "conn",
    LaneState.HELD: "held",
    LaneState.RETRYING: "wait",
}
