"""The dialog for the limit: a number in, or nothing for no limit.

For all jobs together, or for some: whom it is for is chosen in the dialog too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from engine import JobId, parse_size
from hydratui.screens.dialog import Dialog, labelled
from hydratui.text import rate, safe
from hydratui.widgets.entry import Line, Picker

PRESETS = ("1", "5", "10", "50", "100", "500", "1G")
"""In MB/s, as they would be typed."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a limit may be for, and how they stand."""

    words: str
    """ "all jobs", "job 1", "2 marked jobs"."""
    jobs: tuple[JobId, ...]
    """Each of them gets the limit; none means everything together."""
    limit: float | None
    """The one they have; None where there is none, or not one for all of them."""
    now: float
    """How fast they are."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What was chosen; None lifts the limit. Without jobs it is for all together."""

    rate: float | None
    jobs: tuple[JobId, ...] = ()


class Throttle(Dialog[Limit | None]):
    """Asks for a limit; ends with None if it is to stay as it is."""

    AUTO_FOCUS = "#limit"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stay", show=False),
        Binding("up", "preset(1)", show=False),
        Binding("down", "preset(-1)", show=False),
    ]

    def __init__(self, scopes: Sequence[Scope], chosen: int = 0) -> None:
        super().__init__()
        self._scopes = scopes
        words = [scope.words for scope in scopes]
        self._scope = Picker(words, id="scope", chosen=chosen)
        self._shown = _typed(scopes[chosen])

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = Content("Throttle")
            with Horizontal(classes="row"):
                yield Label("For", markup=False, classes="label")
                yield from self._whom()
            with Horizontal(classes="row"):
                yield Label("Limit", markup=False, classes="label")
                yield Line(self._shown, id="limit", placeholder="no limit")
                yield Label("MB/s, or as 800k, 1.5G", markup=False, classes="note")
            with Horizontal(classes="row presets"):
                yield Label("↑ ↓", markup=False, classes="label dim")
                for preset in PRESETS:
                    yield Preset(preset)
            yield Static(self._standing(), markup=False, classes="hint", id="standing")
            with Horizontal(classes="answers"):
                yield Button(labelled("Apply", "⏎"), id="apply", compact=True)
                yield Button(labelled("No limit", ""), id="lift", compact=True)
                yield Button(labelled("Leave it", "esc"), id="stay", compact=True)

    def _whom(self) -> ComposeResult:
        """The scopes to choose from, or the only one there is."""
        if len(self._scopes) > 1:
            yield self._scope
        else:
            yield Label(safe(self._chosen.words), markup=False, classes="whom")

    @property
    def _chosen(self) -> Scope:
        return self._scopes[self._scope.chosen]

    @property
    def _line(self) -> Line:
        return self.query_one("#limit", Line)

    def _standing(self) -> str:
        scope = self._chosen
        limit = "no limit" if scope.limit is None else f"limit {rate(scope.limit)}"
        each = ", each of them" if len(scope.jobs) > 1 else ""
        return f"Now {rate(scope.now)}, {limit}. Empty or 0 is no limit{each}."

    def on_picker_changed(self) -> None:
        """Show the limit of those who were chosen, unless another one was typed."""
        if self._line.value == self._shown:
            self._shown = _typed(self._chosen)
            self._line.fill(self._shown)
        self._say(self._standing())

    def on_input_submitted(self) -> None:
        self._apply()

    def on_input_changed(self, _: Input.Changed) -> None:
        self._say(self._standing())

    def on_button_pressed(self, event: Button.Pressed) -> None:
        match event.button:
            case Preset(preset=preset):
                self._line.fill(preset)
                self._line.focus()
            case Button(id="apply"):
                self._apply()
            case Button(id="lift"):
                _ = self.dismiss(Limit(None, self._chosen.jobs))
            case _:
                self.action_stay()

    def action_stay(self) -> None:
        _ = self.dismiss(None)

    def action_preset(self, step: int) -> None:
        """To the next preset above or below what is typed."""
        try:
            now = chosen_limit(self._line.value).rate or 0.0
        except ValueError:
            now = 0.0
        rates = {preset: chosen_limit(preset).rate or 0.0 for preset in PRESETS}
        if step > 0:
            beyond = [preset for preset in PRESETS if rates[preset] > now][:1]
        else:
            beyond = [preset for preset in PRESETS if rates[preset] < now][-1:]
        if beyond or step < 0:
            self._line.fill("".join(beyond))

    def _apply(self) -> None:
        try:
            self._dismiss_with(chosen_limit(self._line.value))
        except ValueError as error:
            self._say(str(error), wrong=True)
            self._line.focus()

    def _dismiss_with(self, limit: Limit) -> None:
        _ = self.dismiss(Limit(limit.rate, self._chosen.jobs))

    def _say(self, words: str, *, wrong: bool = False) -> None:
        standing = self.query_one("#standing", Static)
        standing.set_class(wrong, "wrong")
        standing.update(words)


class Preset(Button, can_focus=False):
    """A usual limit; for the mouse, as the arrows reach them from the field."""

    def __init__(self, preset: str) -> None:
        super().__init__(Content(preset), id=f"preset-{preset}", compact=True)
        self.preset = preset


def chosen_limit(typed: str) -> Limit:
    """The limit that somebody typed, in MB/s unless it says so."""
    try:
        return Limit(float(parse_size(typed, "M")) or None if typed.strip() else None)
    except OverflowError:
        raise ValueError("that is too much") from None


def _typed(scope: Scope) -> str:
    return "" if scope.limit is None else f"{scope.limit / 1e6:g}"
