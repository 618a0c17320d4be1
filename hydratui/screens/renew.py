"""The dialog for a link that has expired: a fresh one for the same file."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote, urlsplit

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Paste
from textual.message import Message
from textual.widgets import Button, Input, Static

from hydratui.copied import is_command
from hydratui.pasted import read
from hydratui.screens.dialog import Dialog, labelled
from hydratui.text import safe, shorten
from hydratui.widgets.entry import Line

_HINT = "What is already here stays; size and validator are compared before it goes on."


class FreshLine(Line):
    """Takes the link out of whatever is pasted, a command too."""

    class Read(Message):
        """Something was pasted: what was made of it."""

        def __init__(self, words: str, *, wrong: bool) -> None:
            super().__init__()
            self.words = words
            self.wrong = wrong

    def on_paste(self, event: Paste) -> None:
        found = read(event.text)
        links = [entry.spec.url for entry in found if entry.spec is not None]
        if not links:
            return  # then the field gets it as it is, and says what is wrong
        event.prevent_default()
        event.stop()
        self.fill(links[0])
        if is_command(event.text.lstrip()):
            _ = self.post_message(
                self.Read("Only its link counts; the headers stay.", wrong=False)
            )
        elif len(links) > 1:
            _ = self.post_message(
                self.Read(f"The first of {len(links)} links.", wrong=False)
            )


class FreshLink(Dialog[str | None]):
    """Asks for a fresh link; ends with None if there is none."""

    AUTO_FOCUS = "#link"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, name: str, expired: str) -> None:
        super().__init__()
        self._called = name
        self._expired = expired

    def compose(self) -> ComposeResult:
        with Vertical(classes="box question") as box:
            box.border_title = Content(f"Fresh link: {shorten(safe(self._called), 52)}")
            yield Static("This one works no more:", markup=False, classes="said")
            yield Static(safe(self._expired), markup=False, id="expired")
            with Horizontal(classes="field"):
                yield FreshLine(id="link", placeholder="https://…  or a cURL command")
            yield Static(_HINT, markup=False, classes="hint", id="standing")
            with Horizontal(classes="answers"):
                yield Button(labelled("Go on", "⏎"), id="go", compact=True)
                yield Button(labelled("Cancel", "esc"), id="cancel", compact=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._say(_doubt(self._expired, event.value) or _HINT)

    def on_fresh_line_read(self, event: FreshLine.Read) -> None:
        self._say(event.words, wrong=event.wrong)

    def on_input_submitted(self) -> None:
        self._go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "go":
            self._go()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        _ = self.dismiss(None)

    def _go(self) -> None:
        found = read(self.query_one("#link", FreshLine).value)
        for entry in found:
            if entry.spec is not None:
                _ = self.dismiss(entry.spec.url)
                return
        self._say(found[0].problem if found else "No link yet.", wrong=True)
        self.query_one("#link").focus()

    def _say(self, words: str, *, wrong: bool = False) -> None:
        about = self.query_one("#standing", Static)
        about.set_class(wrong, "wrong")
        about.update(safe(words))


def _doubt(expired: str, fresh: str) -> str:
    """A word about a link that ends in another name; it may be right all the same."""
    name = _file_name(fresh)
    if not name or name == _file_name(expired):
        return ""
    return f"It ends in another name ({name:.40}); only the same file is taken."


def _file_name(url: str) -> str:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""
