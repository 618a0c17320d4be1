"""Where the app is put together: ticks, signals, the way out.

The engine lives in the same event loop and outlives the app. A tick looks at it
once and shows what it saw, unless nobody could see it. Whoever sends SIGTERM,
SIGINT or SIGHUP gets the terminal back as it was, and 128 + n as the exit code.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.segment import Segments
from rich.traceback import Traceback
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from engine import Event, JobSnapshot, JobSpec
from hydratui.driver import PatientDriver, has_hung_up
from hydratui.pulse import HERTZ, PROBE, TURN, Pulse
from hydratui.screens.confirm import Choice, Confirm
from hydratui.screens.help import Help
from hydratui.screens.main import MainScreen
from hydratui.steering import Helm
from hydratui.text import rate
from hydratui.theme import HYDRA
from hydratui.widgets.line import INK_CLASSES

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_HANGUP_CHECK = 5.0


class HydraApp(App[None], inherit_bindings=False):
    """The composition root of the screen.

    What is to be downloaded begins once the screen stands: until then building it
    and receiving bytes would only hold each other up.

    With `live` off nothing happens by itself: no ticks, no probes, no signal
    handlers; a test calls `tick` where it wants one.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = INK_CLASSES
    CSS_PATH = "hydra.tcss"
    TITLE = "hydra-tui"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "leave", show=False, priority=True)
    ]

    def __init__(
        self,
        engine: Helm,
        specs: Iterable[JobSpec] = (),
        *,
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.register_theme(HYDRA)
        self.theme = HYDRA.name
        self._engine = engine
        self._specs = tuple(specs)
        self._live = live
        self._clock = clock
        self._pulse = Pulse()
        self._main = MainScreen(engine)
        self._handled: list[signal.Signals] = []

    def get_default_screen(self) -> MainScreen:
        return self._main

    def get_driver_class(self) -> type[Driver]:
        """Ours in place of the one for Linux and macOS; others stay."""
        chosen = super().get_driver_class()
        return PatientDriver if chosen is LinuxDriver else chosen

    def on_mount(self) -> None:
        if not self._live:
            return
        self._engine.set_turn_budget(TURN)
        self._handle_signals()
        self.run_worker(self._follow_events())
        self.run_worker(self._probe())
        self.set_interval(1 / HERTZ, self._tick_if_seen)
        self.set_interval(_HANGUP_CHECK, self._check_hangup)

    def on_ready(self) -> None:
        self.tick()
        if self._live:
            _settle_memory()
        for spec in self._specs:
            self._engine.add(spec)

    def on_unmount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self._handled:
            loop.remove_signal_handler(number)
        if self._live:
            self._engine.set_turn_budget(None)

    def tick(self) -> None:
        """Look at the engine and show what is there."""
        started = self._clock()
        self._main.look(slowed=self._pulse.slowed)
        self._pulse.drew(self._clock() - started)

    def record(self, event: Event) -> None:
        """Take an event into the log; the next tick shows it."""
        self._main.record(event)

    async def action_help(self) -> None:
        await self.push_screen(Help())

    async def action_leave(self) -> None:
        """Quit; while something is running, ask first. Asking twice is an answer."""
        live = [job for job in self._engine.snapshot().jobs if job.state.is_live]
        if not live or isinstance(self.screen, Leaving):
            self.exit()
        else:
            await self.push_screen(Leaving(live), self._left)

    def _left(self, answer: str | None) -> None:
        if answer == "stay":
            self.tick()
            return
        if answer == "pause":
            for job in self._engine.snapshot().jobs:
                if job.state.is_live:
                    self._engine.pause(job.id)
        self.exit()

    def _tick_if_seen(self) -> None:
        """Draw, unless the terminal does not read, or something else is on top."""
        driver = self._driver
        if isinstance(driver, PatientDriver):
            if driver.take_stale():
                self.screen.refresh()
            if not driver.is_ready:
                return
        if self.screen_stack[-1:] != [self._main]:  # none at all is possible too
            self._main.sample()
        elif self._pulse.due():
            self.tick()

    async def _follow_events(self) -> None:
        async for event in self._engine.events():
            self.record(event)

    async def _probe(self) -> None:
        """Measure how late the loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PROBE
            await asyncio.sleep(PROBE)
            self._pulse.probed(loop.time() - due)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._leave_by, number)
                self._handled.append(number)

    def _leave_by(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _check_hangup(self) -> None:
        """A terminal that is gone sends no SIGHUP to those who ignore it."""
        if has_hung_up():
            self._leave_by(signal.SIGHUP)

    def _fatal_error(self) -> None:
        """End with a traceback that shows no values: they may be secrets."""
        traceback = Traceback(show_locals=False, width=None)
        lines = Segments(self.console.render(traceback, self.console.options))
        self._exit_renderables.append(lines)
        self._close_messages_no_wait()


class Leaving(Confirm[str]):
    """Whether to quit while downloads run."""

    def __init__(self, live: list[JobSnapshot]) -> None:
        count = f"{len(live)} live {'download' if len(live) == 1 else 'downloads'}"
        speed = rate(sum(job.rate for job in live))
        super().__init__(
            f"Quit with {count}?",
            (f"{len(live)} running at {speed}.",),
            (
                Choice("y", "Pause and quit", "pause"),
                Choice("escape", "Stay", "stay"),
            ),
            hint="A second q or ctrl+c quits at once.",
        )

    def key_q(self) -> None:
        _ = self.dismiss("quit")


def _settle_memory() -> None:
    """Take what is here for good out of the collector's way.

    A full collection over a Textual tree stops the loop for some 25 ms; larger
    thresholds make the small ones longer, so they rise only moderately.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
