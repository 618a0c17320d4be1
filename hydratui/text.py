"""The one door for untrusted text, and how numbers are written.

Names, headers and errors come from servers. `safe` is the only way for them to
reach a screen: what it returns cannot move the cursor, start an escape
sequence, turn the reading direction or break the line. Everything that cuts or
pads counts terminal cells, not characters.

Sizes are binary (MiB, GiB), rates are decimal (MB/s).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, chop_cells, set_cell_size

MARK = "\N{REPLACEMENT CHARACTER}"
"""Stands where something was that is not shown."""

_LONGEST = 2048
"""No line is wider; a header of a megabyte is not measured cell by cell."""

_ELLIPSIS = "…"
_SPACES = {"Zl", "Zp", "Zs"}
_DIRECTIONS = set(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_LONGEST_EXTENSION = 8
_SIZES = ("KiB", "MiB", "GiB", "TiB", "PiB")
_LEVELS = "▁▂▃▄▅▆▇█"


def safe(text: str) -> str:
    """The text as one line that does nothing but be read."""
    return _safe(text[:_LONGEST])


@lru_cache(maxsize=1024)
def _safe(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_safe_character, text))


def _safe_character(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in _SPACES:
        return " "
    if category in {"Cc", "Cs"} or character in _DIRECTIONS:
        return MARK
    if category == "Cf" or _is_variation_selector(character):
        return ""
    return character


def _is_variation_selector(character: str) -> bool:
    """Whether it changes how wide its neighbour is drawn; terminals disagree."""
    return (
        "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    )


def width(text: str) -> int:
    """How many cells the text takes."""
    return len(text) if text.isascii() else cell_len(text)


@lru_cache(maxsize=4096)
def fit(text: str, cells: int, *, right: bool = False) -> str:
    """The text in exactly that many cells: cut at its end, or filled with spaces."""
    cells = max(cells, 0)
    if width(text) > cells:
        kept = set_cell_size(text, max(cells - 1, 0)).rstrip() + _ELLIPSIS
        text = kept if cells else ""
    blank = " " * (cells - width(text))
    return blank + text if right else text + blank


@lru_cache(maxsize=4096)
def shorten(name: str, cells: int) -> str:
    """A name in at most that many cells, its middle left out, its extension kept."""
    if width(name) <= cells:
        return name
    if cells < 2:
        return _ELLIPSIS[: max(cells, 0)]
    tail = _tail(name, (cells - 1) // 2)
    head = (
        chop_cells(name, cells - 1 - width(tail))[0] if cells - 1 > width(tail) else ""
    )
    return head + _ELLIPSIS + tail


def _tail(name: str, cells: int) -> str:
    """The end of a name: a third of the room, or more where an extension needs it."""
    stem, dot, extension = name.rpartition(".")
    wanted = cells * 2 // 3
    if dot and stem and len(extension) <= _LONGEST_EXTENSION:
        wanted = max(wanted, width(extension) + 3)
    wanted = min(wanted, cells)
    taken = 0
    for index in range(len(name) - 1, -1, -1):
        taken += width(name[index])
        if taken > wanted:
            return name[index + 1 :]
    return name


def size(count: int | None) -> str:
    """A number of bytes for people: "4.21 GiB"."""
    if count is None:
        return "?"
    if count < 1024:
        return f"{count} B"
    value, unit = count / 1024, 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{_three(value)} {_SIZES[unit]}"


def rate(per_second: float) -> str:
    """A rate for people: "412.6 MB/s"."""
    if per_second < 99_950:
        return f"{per_second / 1e3:.0f} kB/s"
    if per_second < 999.5e6:
        return f"{_three(per_second / 1e6)} MB/s"
    return f"{_three(per_second / 1e9)} GB/s"


def brief_rate(per_second: float) -> str:
    """A rate where five cells must do: "3.6M" is 3.6 MB/s."""
    if per_second < 999.5e3:
        return f"{per_second / 1e3:.0f}k"
    divisor, letter = (1e6, "M") if per_second < 999.5e6 else (1e9, "G")
    value = per_second / divisor
    return f"{value:.1f}{letter}" if value < 99.95 else f"{value:.0f}{letter}"


def _three(value: float) -> str:
    """Three digits that count."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def percent(done: int, total: int | None) -> str:
    """How much of it is done: "51.0"; never "100" before the last byte."""
    if total is None:
        return "-"
    if done >= total:
        return "100"
    return f"{done * 1000 // total / 10:.1f}"


def duration(seconds: float | None) -> str:
    """A span of time in six cells or fewer: "00:42", "1h02m", "3d04h"."""
    if seconds is None:
        return "-"
    whole = max(int(seconds + 0.5), 0)
    if whole < 3600:
        return f"{whole // 60:02d}:{whole % 60:02d}"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    if whole < 100 * 86_400:
        return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"
    return ">99d"


def eta(done: int, total: int | None, per_second: float) -> float | None:
    """Seconds until the rest is here at this rate, if anybody can know."""
    if total is None or per_second < 1:
        return None
    return max(total - done, 0) / per_second


def bar(done: float, total: float | None, cells: int) -> tuple[str, str]:
    """A bar as its heavy part and its light rest; together exactly `cells` wide."""
    halves = 0
    if total is not None:
        share = min(max(done / total, 0.0), 1.0) if total else 1.0
        halves = int(share * cells * 2)
    full, part = divmod(halves, 2)
    filled = "━" * full + "╸" * part
    return filled, "─" * (cells - len(filled))


def level(value: float, top: float) -> str:
    """One cell that is as high as the value is, between nothing and `top`."""
    if top <= 0:
        return _LEVELS[0]
    index = int(min(max(value / top, 0.0), 1.0) * (len(_LEVELS) - 1) + 0.5)
    return _LEVELS[index]
