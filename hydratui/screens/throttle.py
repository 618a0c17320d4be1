"""The dialog for the limit: a number in, or nothing for no limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from engine import parse_size
from hydratui.text import rate


@dataclass(frozen=True, slots=True)
class Limit:
    """What was chosen; None lifts the limit."""

    rate: float | None


class Throttle(ModalScreen[Limit | None]):
    """Asks for a limit; ends with None if it is to stay as it is."""

    AUTO_FOCUS = "#limit"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", show=False)]

    def __init__(self, limit: float | None, now: float) -> None:
        super().__init__(classes="dialog")
        self._limit = limit
        self._now = now

    def compose(self) -> ComposeResult:
        typed = "" if self._limit is None else f"{self._limit / 1e6:g}"
        with Vertical(classes="box") as box:
            box.border_title = Content("Throttle")
            yield Static("For all jobs together.", markup=False, classes="said")
            with Horizontal(classes="field"):
                yield Label("Limit ", markup=False)
                yield Input(
                    typed,
                    placeholder="no limit",
                    compact=True,
                    id="limit",
                    max_length=12,
                )
                yield Label(" MB/s", markup=False)
            yield Static(self._standing(), markup=False, classes="hint", id="standing")
            with Horizontal(classes="answers"):
                yield Button(_label("Apply", "⏎"), id="apply", compact=True)
                yield Button(_label("No limit", ""), id="lift", compact=True)
                yield Button(_label("Leave it", "esc"), id="stay", compact=True)

    def _standing(self) -> str:
        limit = "no limit" if self._limit is None else f"limit {rate(self._limit)}"
        return f"Now {rate(self._now)}, {limit}. 800k or 1.5G work too."

    def on_input_submitted(self) -> None:
        self._apply()

    def on_input_changed(self) -> None:
        standing = self.query_one("#standing", Static)
        standing.remove_class("wrong")
        standing.update(self._standing())

    def on_button_pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "apply":
                self._apply()
            case "lift":
                _ = self.dismiss(Limit(None))
            case _:
                self.action_stay()

    def action_stay(self) -> None:
        _ = self.dismiss(None)

    def _apply(self) -> None:
        try:
            chosen = chosen_limit(self.query_one(Input).value)
        except ValueError as error:
            standing = self.query_one("#standing", Static)
            standing.add_class("wrong")
            standing.update(str(error))
        else:
            _ = self.dismiss(chosen)


def chosen_limit(typed: str) -> Limit:
    """The limit that somebody typed, in MB/s unless it says so."""
    return Limit(float(parse_size(typed, "M")) or None if typed.strip() else None)


def _label(words: str, key: str) -> Content:
    return Content.assemble(words, (f"  {key}" if key else "", "dim"))
