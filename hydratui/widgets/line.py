"""How everything that moves is painted: lines of inked spans, changed rows only.

A widget turns its value into lines with a plain function of value, width and
height (`lay`), which a test can call without an app. `LineWidget` compares the
lines with those it painted last, repaints the rows that differ and keeps the
very same Strip for those that do not.

An ink is the name of a style in the stylesheet: "bad" is the app's component class
`ink--bad`. Several inks, separated by spaces, lie over each other. The app holds
them for all, since Textual computes a component class for each widget that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.cells import chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from hydratui.text import fit, width

Span = tuple[str, str]
"""Some text and its ink."""
Line = tuple[Span, ...]

INK_CLASSES = {
    f"ink--{ink}"
    for ink in (
        "accent",
        "bad",
        "bar",
        "brand",
        "chosen",
        "dim",
        "flight",
        "flying",
        "frame",
        "good",
        "graph",
        "head",
        "key",
        "limit",
        "rest",
        "strong",
        "tab",
        "text",
        "title",
        "warn",
        "window",
    )
}

Value = TypeVar("Value")


class LineWidget(Widget, Generic[Value], inherit_bindings=False):
    """Paints what `lay` makes of the latest value."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._value: Value | None = None
        self._laid = Size(0, 0)
        self._lines: Sequence[Line] = ()
        self._strips: dict[int, Strip] = {}
        self._styles: dict[str, Style] = {}

    def lay(self, value: Value, size: Size) -> Sequence[Line]:
        """The lines for this value, each as wide as `size`; here, its own words."""
        return [line(size.width, (str(value), "text"))]

    def show(self, value: Value) -> bool:
        """Take a new value; whether it changes any row that is on screen."""
        self._value = value
        return self.is_on_screen and self._relay()

    def again(self) -> bool:
        """Take the same value, looked at otherwise."""
        return self.is_on_screen and self._relay()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._strip(y)
        return strip

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def on_resize(self) -> None:
        self._relay()

    def _relay(self) -> bool:
        """Lay the value out again and mark the rows that came out different."""
        size = self.content_size
        if self._value is None or not size:
            return False
        if size != self._laid:
            self._laid, self._lines = size, ()
            self._strips.clear()
        before, self._lines = self._lines, self.lay(self._value, size)
        changed = [
            y
            for y, line in enumerate(self._lines)
            if y >= len(before) or before[y] != line
        ]
        changed += range(len(self._lines), len(before))
        for y in changed:
            self._strips.pop(y, None)
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))
        return bool(changed)

    def _strip(self, y: int) -> Strip:
        cells = self.content_size.width
        if y >= len(self._lines):
            return Strip([Segment(" " * cells, self._ink("text"))], cells)
        segments = [Segment(text, self._ink(ink)) for text, ink in self._lines[y]]
        return Strip(segments, cells)

    def _ink(self, names: str) -> Style:
        style = self._styles.get(names)
        if style is None:
            style = self.rich_style
            for name in names.split():
                style += self._component(f"ink--{name}")
            self._styles[names] = style
        return style

    def _component(self, name: str) -> Style:
        """What the stylesheet says of an ink, its opacity mixed with what is behind."""
        styles = self.app.get_component_styles(name)
        style = styles.partial_rich_style
        if styles.color.a < 1:
            mixed = self.background_colors[1] + styles.color
            style += Style.from_color(mixed.rich_color)
        return style


def line(cells: int, *spans: Span, rest: str = "text") -> Line:
    """The spans as a line of exactly that many cells, cut or filled at its end."""
    kept: list[Span] = []
    left = cells
    for text, ink in spans:
        taken = width(text)
        if taken > left:
            kept.append((fit(text, left), ink))
            return tuple(kept)
        if taken:
            kept.append((text, ink))
            left -= taken
    if left:
        kept.append((" " * left, rest))
    return tuple(kept)


def spread(cells: int, left: Sequence[Span], right: Sequence[Span]) -> Line:
    """Two groups of spans, at the two ends of a line; the right one gives way."""
    used = sum(width(text) for text, _ in left)
    wanted = sum(width(text) for text, _ in right)
    if used + wanted + 1 > cells:
        return line(cells, *left)
    return line(cells, *left, (" " * (cells - used - wanted), "text"), *right)


def wrapped(text: str, cells: int) -> list[str]:
    """The text in rows of at most that many cells, broken at spaces where it can be."""
    cells = max(cells, 2)
    rows = [""]
    for word in text.split(" "):
        head = rows[-1] + " " if rows[-1] else ""
        if width(head) + width(word) <= cells:
            rows[-1] = head + word
        elif width(word) <= cells:
            rows.append(word)
        else:
            rows[-1:] = [row.rstrip() for row in chop_cells(head + word, cells)]
    return rows


def indented(body: Sequence[Line]) -> list[Line]:
    """The lines with a blank cell at both ends, as they stand in a frame."""
    return [((" ", "text"), *row, (" ", "text")) for row in body]


def framed(
    cells: int,
    height: int,
    body: Sequence[Line],
    *,
    title: Sequence[Span],
    foot: str = "",
) -> list[Line]:
    """Lines of `cells - 2` in a frame with a title above and a word below."""
    edge: Span = ("│", "frame")
    blank = line(cells - 2)
    inside = [*body, *[blank] * (height - 2 - len(body))][: height - 2]
    return [
        _top(cells, title),
        *((edge, *row, edge) for row in inside),
        _bottom(cells, foot),
    ]


def _top(cells: int, title: Sequence[Span]) -> Line:
    spans = _cut(title, cells - 6)
    used = sum(width(text) for text, _ in spans)
    return (
        ("╭─ ", "frame"),
        *spans,
        (" " + "─" * (cells - used - 5) + "╮", "frame"),
    )


def _bottom(cells: int, foot: str) -> Line:
    if not foot or width(foot) > cells - 6:
        return (("╰" + "─" * (cells - 2) + "╯", "frame"),)
    rule = "╰" + "─" * (cells - width(foot) - 5)
    return ((rule + " ", "frame"), (foot, "dim"), (" ─╯", "frame"))


def _cut(spans: Sequence[Span], cells: int) -> list[Span]:
    """As many of the spans as there is room for; only the first is ever cut."""
    kept: list[Span] = []
    for text, ink in spans:
        taken = width(text)
        if taken > cells:
            return kept or [(fit(text, max(cells, 0)), ink)]
        kept.append((text, ink))
        cells -= taken
    return kept
