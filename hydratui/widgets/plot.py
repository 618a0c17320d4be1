"""Values over time as rows of cells: areas, lines and sparks.

A cell of braille has two columns of four dots; where a terminal's font has no
braille (the Linux console), blocks with eight heights stand in for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from hydratui.sampler import Track
from hydratui.text import level
from hydratui.widgets.line import Span

_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
"""The dots of the left and the right half of a cell, filled from below."""

BLOCKS = " ▁▂▃▄▅▆▇█"
_RUNS = re.compile(" +|[^ ]+")


@dataclass(frozen=True, slots=True)
class Series:
    """One value over time, two columns to a cell."""

    columns: Sequence[float | None]
    ink: str
    filled: bool


def wants_blocks() -> bool:
    """Whether the terminal is one whose font has no braille."""
    return os.environ.get("TERM", "") in {"linux", "vt100", "vt220"}


def plot(
    series: Sequence[Series], width: int, height: int, top: float, *, blocks: bool
) -> list[list[Span]]:
    """The series over each other, as rows of spans; the later ones lie above."""
    if width < 1 or height < 1:
        return []
    layers = [
        (
            _rows(_levels(one, height * _UNITS[blocks], top), one, height, blocks),
            one.ink,
        )
        for one in series
    ]
    return [_laid_over([(rows[y], ink) for rows, ink in layers]) for y in range(height)]


_UNITS = {False: 4, True: 8}
"""How many heights a cell of braille, or of blocks, can have."""

Dots = tuple[int, int]
"""The lowest and the highest dot of a column, from 1; (1, 0) for none."""


def _levels(series: Series, height: int, top: float) -> list[Dots]:
    """The dots of each column."""
    found: list[Dots] = []
    before: int | None = None
    for value in series.columns:
        if value is None:
            found.append((1, 0))
            continue
        high = min(round(value / top * height), height)
        high = max(high, 1 if value > 0 or not series.filled else 0)
        low = 1 if series.filled else _lowest(high, before)
        found.append((low, high if series.filled else max(high, before or 0)))
        before = high
    return found


def _lowest(high: int, before: int | None) -> int:
    """A line that jumps is drawn down to where it came from."""
    return high if before is None or before >= high else before + 1


def _rows(levels: list[Dots], series: Series, height: int, blocks: bool) -> list[str]:
    """The series as rows of text, the highest one first.

    Columns that are alike are drawn once; what is left is joining them.
    """
    pairs = zip(levels[::2], levels[1::2], strict=True)
    if blocks:
        columns = [_block_column(*pair, series.filled, height) for pair in pairs]
    else:
        columns = [_braille_column(*pair, height) for pair in pairs]
    return ["".join(row) for row in zip(*columns, strict=True)]


@lru_cache(maxsize=4096)
def _braille_column(left: Dots, right: Dots, height: int) -> str:
    """One cell's width from the highest row to the lowest."""
    bits = (
        _dots(_LEFT, *left, base) | _dots(_RIGHT, *right, base)
        for base in range((height - 1) * 4, -1, -4)
    )
    return "".join(chr(0x2800 + dots) if dots else " " for dots in bits)


def _dots(half: Sequence[int], low: int, high: int, base: int) -> int:
    if high <= base:
        return 0
    filled = half[min(high - base, 4)]
    return filled if low <= base + 1 else filled & ~half[min(low - 1 - base, 4)]


@lru_cache(maxsize=4096)
def _block_column(left: Dots, right: Dots, filled: bool, height: int) -> str:
    """The same in blocks, of which only the higher half can be seen."""
    low, high = max(left, right, key=lambda pair: pair[1])
    return "".join(
        BLOCKS[min(max(high - base, 0), 8)]
        if filled or (low - 1 < base + 8 and high <= base + 8)
        else " "
        for base in range((height - 1) * 8, -1, -8)
    )


def _laid_over(layers: Sequence[tuple[str, str]]) -> list[Span]:
    """Rows over each other as spans; blanks stay apart, for what lies behind."""
    drawn = [(text, ink) for text, ink in layers if text.strip()]
    if len(drawn) < 2:
        text, ink = drawn[0] if drawn else (layers[0][0] if layers else "", "text")
        return [(run, ink if run.strip() else "text") for run in _RUNS.findall(text)]
    cells = [(" ", "text")] * len(drawn[0][0])
    for text, ink in drawn:
        for x, glyph in enumerate(text):
            if glyph != " ":
                cells[x] = (glyph, ink)
    runs = groupby(cells, key=lambda cell: (cell[1], cell[0] == " "))
    return [("".join(glyph for glyph, _ in run), ink) for (ink, _), run in runs]


def spark(track: Track, cells: int, now: float, top: float | None = None) -> str:
    """One row of blocks; blank where nothing is known yet."""
    if cells < 1:
        return ""
    columns = track.columns(cells, now)
    highest = track.peak if top is None else top
    return "".join(" " if v is None else level(v, highest) for v in columns)
