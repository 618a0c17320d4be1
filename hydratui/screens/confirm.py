"""One question with a few answers, each with a key of its own.

The answer that loses nothing has the focus, and is what Escape gives. What is
asked about may come from a server: all words go through `safe` here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.widgets import Button, Static

from hydratui.screens.dialog import Answer, Dialog, labelled
from hydratui.text import safe

Said = str | tuple[str, str]
"""A sentence, or a name and what there is to say about it."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[Answer]):
    """One answer, its key and its words."""

    key: str
    label: str
    answer: Answer

    @property
    def shown(self) -> str:
        return "esc" if self.key == "escape" else self.key


class Confirm(Dialog[Answer]):
    """Asks; ends with the answer that was chosen."""

    AUTO_FOCUS = "#answer-escape"

    def __init__(
        self,
        question: str,
        lines: Sequence[Said],
        choices: Sequence[Choice[Answer]],
        *,
        hint: str = "",
    ) -> None:
        super().__init__()
        self._question = question
        self._said = lines
        self._choices = choices
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box question") as box:
            box.border_title = Content(safe(self._question))
            with VerticalScroll(classes="body", can_focus=False):
                for said in self._said:
                    yield from _shown(said)
            with Horizontal(classes="answers"):
                for choice in self._choices:
                    yield Button(
                        labelled(choice.label, choice.shown),
                        id=f"answer-{choice.key}",
                        compact=True,
                    )
            if self._hint:
                yield Static(safe(self._hint), markup=False, classes="hint")

    def on_key(self, event: Key) -> None:
        if event.key in _STEPS:
            step = self.focus_next if _STEPS[event.key] > 0 else self.focus_previous
            step(Button)
        elif event.key not in {choice.key for choice in self._choices}:
            return
        event.stop()  # or the screen below takes the key as its own
        self._answer(event.key)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self._answer((event.button.id or "").removeprefix("answer-"))

    def _answer(self, key: str) -> None:
        for choice in self._choices:
            if choice.key == key:
                _ = self.dismiss(choice.answer)
                return


_STEPS = {"left": -1, "up": -1, "right": 1, "down": 1}


def _shown(said: Said) -> Iterator[Static | Horizontal]:
    if isinstance(said, str):
        yield Static(safe(said), markup=False, classes="said")
        return
    name, about = said
    yield Horizontal(
        Static(safe(name), markup=False, classes="name"),
        Static(safe(about), markup=False, classes="about"),
        classes="row",
    )
