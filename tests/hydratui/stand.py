"""An app with nothing in it, for one dialog to stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widget import Widget

import hydratui
from hydratui.theme import HYDRA
from tests.hydratui.hands import press, send

SIZES = [(120, 36), (80, 24), (60, 15)]


class Stand(App[None]):
    """Shows a dialog, and keeps how it ended."""

    CSS_PATH = Path(hydratui.__file__).parent / "hydra.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, dialog: ModalScreen[Any]) -> None:
        super().__init__()
        self.register_theme(HYDRA)
        self.theme = HYDRA.name
        self.dialog = dialog
        self.results: list[object] = []
        """How it ended; empty while it is open."""
        self.pilot: Pilot[None]

    async def on_mount(self) -> None:
        await self.push_screen(self.dialog, self.results.append)

    async def press(self, *keys: str) -> None:
        await press(self, *keys)

    async def paste(self, text: str) -> None:
        """As a terminal does it: at once, wherever the focus is."""
        await send(self, Paste(text))

    async def click(self, selector: str) -> None:
        assert await self.pilot.click(selector)
        await self.pilot.pause()

    def part(self, selector: str) -> Widget:
        return self.dialog.query_one(selector)

    def said(self, selector: str) -> str:
        """The words of a part of the dialog."""
        return str(self.part(selector).render())

    @property
    def focus(self) -> str:
        """The id of what has the focus."""
        return (self.focused.id if self.focused else None) or ""

    @property
    def text(self) -> str:
        """Everything that is on screen."""
        strips = self.screen._compositor.render_strips()
        return "\n".join(
            "".join(strip.text for strip in row).rstrip() for row in strips
        )


@asynccontextmanager
async def standing(
    dialog: ModalScreen[Any], size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Stand]:
    app = Stand(dialog)
    async with app.run_test(size=size) as pilot:
        app.pilot = pilot
        await pilot.pause()
        yield app


def is_harmless(text: str) -> bool:
    """Whether nothing in it moves a cursor or turns the reading."""
    return not any(
        ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066"
        for c in text.replace("\n", "")
    )
