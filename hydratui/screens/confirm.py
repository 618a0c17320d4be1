"""One question with a few answers, each with a key of its own.

The answer that loses nothing has the focus, and is what Escape gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Button, Static

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Choice(Generic[Answer]):
    """One answer, its key and its words."""

    key: str
    label: str
    answer: Answer

    @property
    def shown(self) -> str:
        return "esc" if self.key == "escape" else self.key


class Confirm(ModalScreen[Answer]):
    """Asks; ends with the answer that was chosen."""

    AUTO_FOCUS = "#answer-escape"

    def __init__(
        self,
        question: str,
        lines: Sequence[str],
        choices: Sequence[Choice[Answer]],
        *,
        hint: str = "",
    ) -> None:
        super().__init__(classes="dialog")
        self._question = question
        self._text = lines
        self._choices = choices
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = Content(self._question)
            for text in self._text:
                yield Static(text, markup=False, classes="said")
            with Horizontal(classes="answers"):
                for choice in self._choices:
                    label = Content.assemble(choice.label, ("  " + choice.shown, "dim"))
                    yield Button(label, id=f"answer-{choice.key}", compact=True)
            if self._hint:
                yield Static(self._hint, markup=False, classes="hint")

    def on_key(self, event: Key) -> None:
        if event.key in {"left", "right"}:
            step = self.focus_next if event.key == "right" else self.focus_previous
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
