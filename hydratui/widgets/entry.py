"""What one types into: a line, many lines, one of a few words.

They take only text that does nothing on a terminal but be read: what else is
pasted becomes a mark, or goes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, Paste
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, TextArea

from hydratui.pasted import cut
from hydratui.text import MARK, safe, width

_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_INVISIBLE = re.compile(
    "[\xad\u200b-\u200f\u2060-\u2065\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_MOST_SCANNED = 2000
"""Entries of one folder: whoever has more types the name."""


def harmless(text: str) -> str:
    """The text, its lines kept, without what moves a cursor or turns the reading."""
    text = re.sub("\r\n|[\r\u2028\u2029]", "\n", text)
    if text.isascii() and text.isprintable():
        return text
    return _ACTIVE.sub(MARK, _INVISIBLE.sub("", text))


def one_line(text: str) -> str:
    """The same, lines and tabs in a row."""
    return harmless(text).replace("\n", " ").replace("\t", " ")


def at_home(path: str | Path) -> Path:
    """The path with its `~` spelled out, where there is such a user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises


class Line(Input):
    """One line, as high as its text."""

    def __init__(
        self,
        value: str = "",
        *,
        id: str,  # noqa: A002
        placeholder: str = "",
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__(
            value,
            placeholder=placeholder,
            suggester=suggester,
            compact=True,
            id=id,
            select_on_focus=False,
        )

    def validate_value(self, value: str) -> str:
        return one_line(value)

    def fill(self, value: str) -> None:
        """Hold this text, the cursor behind it."""
        self.value = value
        self.cursor_position = len(self.value)

    def on_paste(self, event: Paste) -> None:
        event.prevent_default()
        event.stop()
        first = next(iter(event.text.strip().splitlines()), "")
        self.replace(one_line(first), *self.selection)


class Links(TextArea):
    """Many lines with their numbers, and no more of them than are read at once."""

    def __init__(self, text: str, *, id: str, placeholder: str) -> None:  # noqa: A002
        lines, rest = cut(harmless(text))
        super().__init__(
            "\n".join(lines),
            soft_wrap=False,
            show_line_numbers=True,
            compact=True,
            highlight_cursor_line=False,
            placeholder=placeholder,
            id=id,
        )
        self.is_cut = bool(rest.strip())
        """Whether more was pasted than there is room for."""

    def on_paste(self, event: Paste) -> None:
        event.prevent_default()
        event.stop()
        lines, rest = cut(harmless(event.text))
        self.is_cut = bool(rest.strip())
        self.move_cursor(self.replace("\n".join(lines), *self.selection).end_location)


class Picker(Widget, can_focus=True):
    """A few words, of which one holds."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "step(-1)", show=False),
        Binding("right,down,space", "step(1)", show=False),
    ]

    chosen: reactive[int] = reactive(0, init=False)

    class Changed(Message):
        """Another word holds."""

    def __init__(self, words: Sequence[str], *, id: str, chosen: int = 0) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words = [safe(word) for word in words]
        self.set_reactive(Picker.chosen, chosen)

    def render(self) -> Content:
        return Content("  ").join(map(self._shown, range(len(self._words))))

    def _shown(self, index: int) -> Content:
        word = Content(self._words[index])
        if index != self.chosen:
            return Content.assemble(("( ) ", "dim"), word)
        ink = "bold $background on $primary" if self.has_focus else "bold"
        return Content.assemble(("(•) ", "$primary"), word.stylize(ink))

    def get_content_width(self, *_: object) -> int:
        return sum(width(word) + 6 for word in self._words) - 2

    def watch_chosen(self) -> None:
        _ = self.post_message(self.Changed())

    def action_step(self, step: int) -> None:
        self.chosen = (self.chosen + step) % len(self._words)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: Click) -> None:
        stop = 0
        for index, word in enumerate(self._words):
            stop += width(word) + 6
            if event.x < stop:
                self.chosen = index
                return


class Folders(Suggester):
    """Completes the name of a folder that is there."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        parent, slash, start = value.rpartition("/")
        if not slash:
            return None
        found = min(_folders(parent + slash, start), default=None)
        return None if found is None else parent + slash + found + "/"


def _folders(parent: str, start: str) -> list[str]:
    found = []
    try:
        with os.scandir(at_home(parent)) as entries:
            for entry, _ in zip(entries, range(_MOST_SCANNED), strict=False):
                hidden = entry.name.startswith(".") and not start
                if entry.name.startswith(start) and not hidden and entry.is_dir():
                    found.append(entry.name)
    except (OSError, ValueError):
        return []
    return [name for name in found if name.isprintable()]
