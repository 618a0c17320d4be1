"""What all dialogs have in common: they fit the terminal, and label their buttons."""

from __future__ import annotations

from typing import TypeVar

from textual.content import Content
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """Something to answer before anything else; a small terminal gets less of it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(classes="dialog")


def labelled(words: str, key: str) -> Content:
    """What stands on a button: what it does, and its key."""
    return Content.assemble(words, (f"  {key}" if key else "", "dim"))
