"""One line at the foot of the screen to type into: a command, a filter, a search.

What is typed begins with the sign that opened it; deleting that closes it. Above
it everything goes on moving.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from hydratui.commands import completions
from hydratui.widgets.entry import Line

KEPT = 50
"""Lines that are remembered."""


class Completions(Suggester):
    """The rest of a command whose beginning is typed."""

    async def get_suggestion(self, value: str) -> str | None:
        if not value.startswith(":") or len(value) < 2:
            return None
        return next((":" + one.rstrip() for one in completions(value[1:])), None)


class Prompt(Line):
    """Closed until it is opened with a sign: `:` for commands, `/` for a filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False),
        Binding("ctrl+c,ctrl+q", "give_up", show=False, priority=True),
        Binding("tab", "cursor_right", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    class Typing(Message):
        """The line has changed."""

        def __init__(self, sign: str, text: str) -> None:
            super().__init__()
            self.sign, self.text = sign, text

    class Typed(Typing):
        """The line is finished."""

    class Closed(Message):
        """Nobody wants to type any more."""

        def __init__(self, sign: str) -> None:
            super().__init__()
            self.sign = sign

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, suggester=Completions(use_cache=False))
        self.sign = ":"
        self._said: list[str] = []
        self._recalled = 0
        self.can_focus = False

    @property
    def is_open(self) -> bool:
        """Whether what is typed from now on is typed here."""
        return self.is_attached and self.screen.focused is self

    def open(self, sign: str, text: str = "") -> None:
        """Show it, with something typed already."""
        self.sign = sign
        self._recalled = KEPT
        self.can_focus = True
        with self.prevent(Input.Changed):
            self.value = sign + text
        self.cursor_position = len(self.value)
        self.screen.add_class("-typing")
        self.screen.set_focus(self)  # now: the next key may be here already

    def close(self) -> None:
        self.screen.remove_class("-typing")
        self.screen.set_focus(None)
        self.can_focus = False

    def on_hide(self) -> None:
        """A terminal that got too small has no room for it."""
        if self.is_open:
            self.action_give_up()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.is_open:
            return
        if event.value.startswith(self.sign):
            self.post_message(self.Typing(self.sign, event.value[1:]))
        else:
            self.action_give_up()

    async def _on_key(self, event: Key) -> None:
        """Keys may come together: those behind the one that closes it steer again."""
        if self.is_open and event.key not in {"enter", "escape"}:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        if not self.is_open:
            self.app.post_message(Key(event.key, event.character))
        elif event.key == "enter":
            await self.action_submit()
        else:
            self.action_give_up()

    async def action_submit(self) -> None:
        if self.value not in self._said[-1:]:
            self._said = [*self._said, self.value][-KEPT:]
        self.close()
        self.post_message(self.Typed(self.sign, self.value[1:]))

    def action_give_up(self) -> None:
        self.close()
        self.post_message(self.Closed(self.sign))

    def action_recall(self, step: int) -> None:
        """Bring back what was typed before."""
        said = [line for line in self._said if line.startswith(self.sign)]
        now = min(self._recalled, len(said)) + step
        self._recalled = min(max(now, 0), len(said))
        self.value = [*said, self.sign][self._recalled]
        self.cursor_position = len(self.value)
