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
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.notifications import SeverityLevel

from engine import Event, EventKind, JobSpec
from hydratui.driver import PatientDriver, has_hung_up
from hydratui.keymap import WAY_OUT, Keymap, rebound
from hydratui.palette import Commands
from hydratui.pulse import HERTZ, PROBE, Pulse
from hydratui.room import Room
from hydratui.screens.board import Circumstances
from hydratui.screens.help import Help
from hydratui.screens.leave import Leave, Leaving
from hydratui.screens.main import MainScreen
from hydratui.screens.settings import SettingsScreen
from hydratui.settings import Settings, built_in
from hydratui.steering import Helm
from hydratui.text import safe
from hydratui.theme import HYDRA
from hydratui.widgets.entry import harmless
from hydratui.widgets.line import INK_CLASSES

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_HANGUP_CHECK = 5.0
_TOLD: dict[EventKind, SeverityLevel] = {
    EventKind.FAILED: "error",
    EventKind.EXPIRED: "warning",
    EventKind.CHANGED: "warning",
}
"""What is worth a word over everything else."""
_TOASTS = 3
"""Words at a time."""

_NO_KEY = "none"
"""A key that no keyboard has: where none is named, the built-in ones would stay."""


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
        Binding(",".join(WAY_OUT), "leave", show=False, priority=True)
    ]

    def __init__(
        self,
        engine: Helm,
        specs: Iterable[JobSpec] = (),
        *,
        settings: Settings | None = None,
        notice: str = "",
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self._settings = settings = settings or built_in()
        self._notice_given = notice
        self.register_theme(HYDRA)
        self.theme = self._known_theme(settings)
        self.keymap_table = _keymap_of(settings)
        """The actions with the keys they have in this run."""
        self._engine = engine
        self._specs = tuple(specs)
        self._live = live
        self._clock = clock
        self._pulse = Pulse()
        self._budget: float | None = None
        self._output = settings.config.output.absolute()
        self._insecure = settings.config.insecure
        self._room = Room(self._output)
        self._main = MainScreen(engine, self.keymap_table, output=self._output)
        self._is_finishing = self._is_going = False
        self._untold: list[Event] = []

    def get_default_screen(self) -> MainScreen:
        return self._main

    def get_driver_class(self) -> type[Driver]:
        """Ours in place of the one for Linux and macOS; others stay."""
        chosen = super().get_driver_class()
        return PatientDriver if chosen is LinuxDriver else chosen

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """While somebody types, the app's keys are letters as well."""
        return not self._main.is_typing

    def on_mount(self) -> None:
        keys = {one.id: ",".join(one.keys) or _NO_KEY for one in self.keymap_table}
        self.set_keymap(keys)
        if not self._live:
            return
        self._set_budget()
        self._room.start()
        self._handle_signals()
        self.run_worker(self._follow_events())
        self.run_worker(self._probe())
        self.set_interval(1 / HERTZ, self._tick_if_seen)
        self.set_interval(_HANGUP_CHECK, self._check_hangup)

    def on_ready(self) -> None:
        self.tick()
        if self._live:
            _settle_memory()
        self._main.begin(self._specs)

    def on_unmount(self) -> None:
        """Signals stay handled: a second one must not cut off what is being saved."""
        self._room.stop()
        if self._live:
            self._engine.set_turn_budget(None)

    def tick(self) -> None:
        """Look at the engine and show what is there."""
        started = self._clock()
        self._tell()
        self._main.look(
            Circumstances(
                folder=str(self._output),
                free=self._room.free,
                slowed=self._pulse.slowed,
                notice=self._notice,
                insecure=self._insecure,
            )
        )
        self._pulse.drew(self._clock() - started)

    @property
    def _notice(self) -> str:
        return "finishing, then quits" if self._is_finishing else self._notice_given

    # -------------------------------------------------------- what is worth a word

    def record(self, event: Event) -> None:
        """Take an event into the log; the next tick shows it."""
        self._main.record(event)
        if event.kind in _TOLD:
            self._untold.append(event)

    def _tell(self) -> None:
        """Tell of what went wrong also those who look elsewhere; many at once."""
        for event in self._untold[:_TOASTS]:
            title = f"#{event.job} {event.kind}"
            self._toast(safe(event.text), title, _TOLD[event.kind])
        if (rest := len(self._untold) - _TOASTS) > 0:
            self._toast(f"and {rest} more; the log has them all", "", "warning")
        self._untold.clear()
        was_going, self._is_going = self._is_going, self._main.is_going
        if was_going and not self._is_going and self._main.summary:
            self._toast(self._main.summary, "Nothing runs any more", "information")

    def _toast(self, text: str, title: str, severity: SeverityLevel) -> None:
        self.notify(text, title=title, severity=severity, markup=False)

    # ------------------------------------------------------------ what keys ask

    async def action_help(self) -> None:
        await self.push_screen(Help(self.keymap_table, self._main.view))

    async def action_settings(self) -> None:
        await self.push_screen(SettingsScreen(self._settings, self._apply))

    def _apply(self, settings: Settings) -> None:
        """Let count at once what can; what has changed only, as keys may have too."""
        before, self._settings = self._settings, settings
        if settings.config.limit != before.config.limit:
            self._engine.set_timetable(settings.config.timetable)
        self.theme = self._known_theme(settings)

    def _known_theme(self, settings: Settings) -> str:
        theme = settings.theme or HYDRA.name
        if theme not in self.available_themes:
            known = ", ".join(sorted(self.available_themes))
            raise settings.wrong(
                "theme", f"there is no theme {theme!r}; one of {known}"
            )
        return theme

    def action_themes(self) -> None:
        self.search_themes()

    def action_command(self, text: str = "") -> None:
        """Open the command line, with something typed already."""
        self._main.open_command_line(text)

    async def action_palette(self) -> None:
        await self.push_screen(
            CommandPalette(providers=[Commands], placeholder="every command")
        )

    def action_redraw(self) -> None:
        """Draw everything anew, whatever somebody else has written over it."""
        self.screen.refresh(repaint=True, layout=True)

    async def action_leave(self) -> None:
        """Quit; while something is running, ask first. Asking twice is an answer."""
        jobs = self._engine.snapshot().jobs
        is_asked = isinstance(self.screen, Leaving)
        if is_asked or not any(job.state.is_live for job in jobs):
            self.exit(return_code=0)
        else:
            await self.push_screen(Leaving(jobs), self._left)

    def _left(self, answer: Leave | None) -> None:
        """Leaving the engine is what pauses it: the next start goes on from there."""
        self._is_finishing = answer is Leave.FINISH
        if self._is_finishing:
            self._engine.hold()
        else:
            self._engine.release()
        if answer not in {Leave.FINISH, Leave.STAY}:
            self.exit(return_code=0)
        self.tick()

    def _finish(self) -> None:
        """Quit once nothing runs any more, where that was asked for."""
        if self._is_finishing and not self._main.has_live_jobs:
            self.exit(return_code=0)

    # ------------------------------------------------------------------- the pulse

    def _tick_if_seen(self) -> None:
        """Draw, unless the terminal does not read, or something else is on top."""
        self._set_budget()
        driver = self._driver
        if isinstance(driver, PatientDriver):
            if driver.take_stale():
                self.screen.refresh()
            if not driver.is_ready:
                return
        if self.screen_stack[-1:] != [self._main]:  # none at all is possible too
            self._main.sample()
            self._tell()
        elif self._pulse.due():
            self.tick()
        self._finish()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Paste):
            event.text = harmless(event.text)
        is_pressed = isinstance(event, events.Key) and self._live
        if is_pressed:
            self._pulse.pressed(time.monotonic())
            self._set_budget()
        await super().on_event(event)
        if is_pressed:
            await asyncio.sleep(0)  # between two keys that came at once, bytes come too

    def _set_budget(self) -> None:
        """Shorter turns while keys come: what follows one has to wait for some."""
        budget = self._pulse.budget(time.monotonic())
        if budget != self._budget:
            self._budget = budget
            self._engine.set_turn_budget(budget)

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


def _keymap_of(settings: Settings) -> Keymap:
    """The keys that somebody wants; UsageError where they cannot be."""
    try:
        return rebound(settings.keys)
    except ValueError as error:
        raise settings.wrong("keys", str(error)) from None


def _settle_memory() -> None:
    """Take what is here for good out of the collector's way.

    A full collection over a Textual tree stops the loop for some 25 ms; larger
    thresholds make the small ones longer, so they rise only moderately.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()
