"""How lanes share a place: how large each is drawn, in which order, which are seen.

The richest way in which all of them fit, unless the user chose another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from engine import JobSnapshot, LaneSnapshot
from hydratui.widgets.lane_cells import Cell, Pen, pen_for
from hydratui.widgets.lane_heat import heat_rows, lanes_in_a_row, legend, outstanding
from hydratui.widgets.line import Line, Span, line

_GAP = 2
_MANY = 96
"""Lanes that are too many to be read one by one."""

_ROOM_FOR_LEGEND = 1
_ROOM_FOR_OTHERS = 3

Draw = Callable[[Pen, LaneSnapshot], Cell]


class Density(StrEnum):
    """How large a lane is drawn."""

    AUTO = "auto"
    BARS = "bars"
    DENSE = "dense"
    HEAT = "heat"


class Order(StrEnum):
    """Which lane comes first."""

    NUMBER = "by number"
    SPEED = "slowest first"


@dataclass(frozen=True, slots=True)
class Look:
    """How the lanes are to be seen."""

    density: Density = Density.AUTO
    order: Order = Order.NUMBER
    top: int = 0
    """The first row that is seen, where not all fit."""


@dataclass(frozen=True, slots=True)
class Grid:
    """How the lanes are laid out: drawn how, how many in a row, in how many rows."""

    draw: Draw | None
    """None where a lane is one block of a heat map."""
    columns: int
    rows: int
    height: int

    @property
    def last_top(self) -> int:
        return max(self.rows - self.height, 0)


Choice = TypeVar("Choice", bound=StrEnum)


def after(choice: Choice) -> Choice:
    """The next of its kind, round and round."""
    all_of_them = list(type(choice))
    return all_of_them[(all_of_them.index(choice) + 1) % len(all_of_them)]


def grid_for(count: int, width: int, height: int, density: Density) -> Grid:
    """The richest grid of that density in which all lanes fit, or the smallest."""
    height = max(height, 1)
    kinds = _KINDS[density]
    if density is Density.AUTO and count > _MANY:
        kinds = ()
    for least, draw in kinds:
        columns = -(-max(count, 1) // height)
        if columns * (least + _GAP) - _GAP <= width:
            return Grid(draw, columns, -(-count // columns), height)
    if density in {Density.AUTO, Density.HEAT}:
        columns = lanes_in_a_row(width)
        return Grid(None, columns, -(-count // columns), height)
    least, draw = kinds[-1]
    columns = max((width + _GAP) // (least + _GAP), 1)
    return Grid(draw, columns, -(-count // columns), height)


_WIDE: tuple[int, Draw] = (56, Pen.wide)
_BAR: tuple[int, Draw] = (19, Pen.bar)
_SHORT: tuple[int, Draw] = (10, Pen.short)
_KINDS = {
    Density.AUTO: (_WIDE, _BAR, _SHORT),
    Density.BARS: (_WIDE, _BAR),
    Density.DENSE: (_SHORT,),
    Density.HEAT: (),
}
"""Ways to draw a lane, and the cells that each needs at least; the richest first."""


def grid_rows(job: JobSnapshot, width: int, look: Look, grid: Grid) -> list[Line]:
    """The rows that are seen, from the top one on."""
    lanes = list(job.lanes)
    if look.order is Order.SPEED:
        lanes.sort(key=_steady_rate)
    top = min(look.top, grid.last_top)
    hole = job.front.hole_lane if job.front else None
    if grid.draw is None:
        return _heat(lanes, width, grid, top, labelled=look.order is Order.NUMBER)
    cells = (width + _GAP) // grid.columns - _GAP
    pen = pen_for(lanes, cells, hole)
    seen = range(top, min(top + grid.height, grid.rows))
    return [
        line(width, *_joined([grid.draw(pen, lane) for lane in lanes[y :: grid.rows]]))
        for y in seen
    ]


def _steady_rate(lane: LaneSnapshot) -> tuple[float, int]:
    """Its speed in two digits, so that like ones do not change places all the time."""
    return float(f"{lane.rate:.1e}"), lane.number


def _heat(
    lanes: Sequence[LaneSnapshot], width: int, grid: Grid, top: int, *, labelled: bool
) -> list[Line]:
    """The map, what its signs mean, and the lanes that stand out."""
    pen = pen_for(lanes, 1)
    rows = heat_rows(lanes, pen, width, labelled=labelled)
    rows = rows[top : top + grid.height]
    room = grid.height - len(rows)
    if room >= _ROOM_FOR_LEGEND:
        rows.append(legend(lanes, pen.top, width))
    if room >= _ROOM_FOR_OTHERS:
        rows.append(line(width))
        rows += _outstanding(lanes, pen.top, width, room - 2)
    return rows


def _outstanding(
    lanes: Sequence[LaneSnapshot], top: float, width: int, height: int
) -> list[Line]:
    columns = max((width + _GAP) // (_BAR[0] + _GAP), 1)
    columns = min(columns, -(-len(lanes) // height))
    chosen = outstanding(lanes)[: columns * height]
    pen = replace(pen_for(chosen, (width + _GAP) // columns - _GAP), top=top)
    rows = -(-len(chosen) // columns)
    return [
        line(width, *_joined([pen.bar(lane) for lane in chosen[y::rows]]))
        for y in range(rows)
    ]


def _joined(cells: Sequence[Cell]) -> list[Span]:
    spans: list[Span] = []
    for index, cell in enumerate(cells):
        if index:
            spans.append((" " * _GAP, "text"))
        spans.extend(cell)
    return spans
