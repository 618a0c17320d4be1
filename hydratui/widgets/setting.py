"""One setting as a row: its name, what one types or chooses, where it comes from.

The row shows text and hands over text; what it means is the draft's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Paste
from textual.message import Message
from textual.widgets import Input, Select, Static, TextArea

from hydratui.draft import Draft
from hydratui.kinds import Headers, Switch
from hydratui.table import Option
from hydratui.text import safe
from hydratui.widgets.entry import Line, Picker, harmless

_ON = ("false", "true")


class Toggle(Picker, inherit_bindings=False):
    """Off or on; up and down are for getting to other rows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False),
        Binding("right,space,enter", "step(1)", show=False),
    ]

    @property
    def value(self) -> str:
        return _ON[self.chosen]


class Choice(Select[str], inherit_bindings=False):
    """One of a list that drops down; up and down are for getting to other rows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "show_overlay", show=False)
    ]


class Lines(TextArea):
    """Several lines, one value each."""

    def on_paste(self, event: Paste) -> None:
        event.prevent_default()
        event.stop()
        pasted = harmless(event.text.strip())
        self.move_cursor(self.replace(pasted, *self.selection).end_location)


Control = Line | Lines | Choice | Toggle


class SettingRow(Horizontal):
    """A row of the settings screen."""

    class Edited(Message):
        """Somebody typed or chose something."""

        def __init__(self, row: SettingRow) -> None:
            super().__init__()
            self.row = row

    def __init__(
        self, option: Option, text: str, choices: Sequence[str] | None = None
    ) -> None:
        super().__init__(id=f"row-{option.name}")
        self.option = option
        self._known = text
        self.control = _control(option, text, choices or option.kind.choices)
        self._shown = self._value
        self._standing = Static(markup=False, classes="standing")

    def compose(self) -> ComposeResult:
        yield Static(self.option.label, markup=False, classes="label")
        yield self.control
        yield Static(self.option.kind.unit, markup=False, classes="unit")
        yield self._standing

    @property
    def text(self) -> str:
        """What is typed or chosen, the secrets back in their place."""
        if self._value == self._shown:
            return self._known
        return self.option.kind.revealed(self._value, self._known)

    def reset(self) -> None:
        """Show the built-in value."""
        match self.control:
            case Toggle():
                self.control.chosen = _ON.index(self.option.default)
            case Lines():
                self.control.text = ""
            case Choice():
                self.control.value = self.option.default
            case Line():
                self.control.value = ""

    def adopt(self, text: str) -> None:
        """Take this, which was saved, as what the file says; its secrets are hidden."""
        self._known = text
        shown = harmless(self.option.kind.masked(text))
        if isinstance(self.control, Lines) and self.control.text != shown:
            self.control.text = shown
        self._shown = self._value

    def say(self, draft: Draft) -> None:
        """Say where the value comes from, and whether it can be what it is."""
        words, ink = draft.standing(self.option)
        self._standing.update(safe(words), layout=False)
        self._standing.set_classes(f"standing {ink}")
        self.control.set_class(ink == "bad", "wrong")

    @property
    def _value(self) -> str:
        match self.control:
            case Lines():
                return self.control.text
            case Choice():
                return str(self.control.value)
            case _:
                return self.control.value

    def on_click(self) -> None:
        self.control.focus()

    def _edited(self) -> None:
        _ = self.post_message(self.Edited(self))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._edited()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._edited()

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self._edited()

    def on_picker_changed(self, event: Picker.Changed) -> None:
        event.stop()
        self._edited()


def _control(option: Option, text: str, choices: Sequence[str]) -> Control:
    name = f"set-{option.name}"
    shown = option.kind.masked(text)
    if isinstance(option.kind, Switch):
        is_on = option.kind.parse(text or option.default)
        return Toggle(("off", "on"), id=name, chosen=int(bool(is_on)))
    if isinstance(option.kind, Headers):
        return Lines(
            harmless(shown),
            soft_wrap=False,
            compact=True,
            highlight_cursor_line=False,
            placeholder="Name: value",
            id=name,
        )
    value = text or option.default
    if value in choices:
        return Choice(
            [(safe(choice), choice) for choice in choices],
            value=value,
            allow_blank=False,
            compact=True,
            id=name,
        )
    return Line(shown, id=name, placeholder=option.default or "none")
