"""The whole app on a fake engine, and what can be read off its screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from textual.events import MouseScrollDown, MouseScrollUp, Paste, Resize
from textual.geometry import Size
from textual.pilot import Pilot
from textual.screen import Screen

from engine import Event, EventKind, JobSnapshot, JobSpec
from hydratui.app import HydraApp
from hydratui.screens.main import MainScreen
from hydratui.settings import Settings
from hydratui.widgets.line import LineWidget
from hydratui.widgets.prompt import Prompt
from hydratui.widgets.queue_table import QueueTable
from tests.hydratui.hands import is_over, press, send, settle
from tests.hydratui.support import Call, FakeEngine, mixed_queue

WIDE, NARROW = (120, 36), (80, 24)


class Stage:
    """What a test does to the app, and what it sees of it."""

    def __init__(self, engine: FakeEngine, app: HydraApp, pilot: Pilot[None]) -> None:
        self.engine = engine
        self.app = app
        self.pilot = pilot

    # ----------------------------------------------------------------- doing

    async def press(self, *keys: str) -> None:
        await press(self.app, *keys)

    async def command(self, text: str) -> None:
        """Type it behind a colon, and finish the line."""
        await self.press("colon", *text, "enter")

    async def paste(self, text: str) -> None:
        """As a terminal does it: at once, wherever the focus is."""
        await send(self.app, Paste(text))

    async def wheel(self, x: int, y: int, *, down: bool) -> None:
        kind = MouseScrollDown if down else MouseScrollUp
        keys = (False, False, False)
        await send(self.app, kind(None, x, y, 0, 0, 0, *keys, screen_x=x, screen_y=y))

    async def resize(self, width: int, height: int) -> None:
        size = Size(width, height)
        assert self.app._driver is not None
        self.app._driver._size = (width, height)
        await send(self.app, Resize(size, size))
        self.app._check_resize()  # it waits for more of them
        await self.settle()

    async def settle(self) -> None:
        """Wait until what was sent has arrived, with all that came of it."""
        await settle(self.app)

    async def click(self, selector: str, x: int, y: int = 0, times: int = 1) -> None:
        assert await self.pilot.click(selector, offset=(x, y), times=times)
        await self.settle()

    async def happen(self, *events: Event) -> None:
        """The engine tells of something, and the next tick shows it."""
        for event in events:
            self.app.record(event)
        self.app.tick()
        await self.settle()

    async def comes(self, so: Callable[[], object]) -> bool:
        """Whether it is so before long."""
        for _ in range(200):
            if so():
                return True
            await asyncio.sleep(0.01)
            await self.settle()
        return False

    # --------------------------------------------------------------- reading

    def has_left(self) -> bool:
        """Whether the app is over, or on its way out."""
        return is_over(self.app)

    @property
    def main(self) -> MainScreen:
        return self.app._main

    @property
    def top(self) -> Screen[object]:
        """The screen that is seen."""
        return self.app.screen

    def sees(self, screen: type[Screen[Any]]) -> bool:
        """Whether such a screen is on top."""
        return isinstance(self.top, screen)

    def is_home(self) -> bool:
        """Whether nothing is over the main screen."""
        return self.top is self.main

    def is_typing(self) -> bool:
        return self.prompt.is_open

    def is_zoomed(self) -> bool:
        return self.main.is_zoomed

    @property
    def queue(self) -> QueueTable:
        return self.main.query_one(QueueTable)

    @property
    def prompt(self) -> Prompt:
        return self.main.query_one(Prompt)

    @property
    def calls(self) -> list[Call]:
        return self.engine.calls

    @property
    def selected(self) -> int | None:
        return self.queue.selected

    @property
    def shown(self) -> list[int]:
        """The numbers of the jobs that are shown."""
        return [job.id for job in self.queue.jobs]

    @property
    def latest(self) -> str:
        """What was said last, whether there is room for it or not."""
        entries = self.main._log.entries
        return entries[-1].text if entries else ""

    @property
    def toasts(self) -> list[str]:
        return [
            f"{toast.title}: {toast.message}".removeprefix(": ")
            for toast in self.app._notifications
        ]

    def text(self, widget: str = "*") -> str:
        """The rows of the widgets that are on screen."""
        found = self.app.screen.query(widget).results(LineWidget)
        return "\n".join(
            one.render_line(y).text
            for one in found
            if one.is_on_screen
            for y in range(one.content_size.height)
        )

    @property
    def rows(self) -> list[str]:
        """The whole screen as the terminal gets it, row by row."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(strip.text for strip in row) for row in strips]

    @property
    def picture(self) -> str:
        return "\n".join(self.rows)


@asynccontextmanager
async def staged(
    jobs: Iterable[JobSnapshot],
    *,
    size: tuple[int, int] = WIDE,
    limit: float | None = None,
    settings: Settings | None = None,
    specs: Iterable[JobSpec] = (),
) -> AsyncIterator[Stage]:
    engine = FakeEngine(jobs, limit=limit)
    app = HydraApp(engine, specs, settings=settings, live=False, clock=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        stage = Stage(engine, app, pilot)
        await stage.settle()
        yield stage


def few_jobs() -> list[JobSnapshot]:
    """One job in each state, and four that wait."""
    return mixed_queue()[:12]


def failed(*numbers: int) -> list[Event]:
    return [Event(1000.0, n, EventKind.FAILED, f"job {n}: 404") for n in numbers]
