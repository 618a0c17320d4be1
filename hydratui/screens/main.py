"""The screen that is seen most: the queue, and the views of the selected job.

It looks at the engine when it is told to, shows what it saw to whatever is on
screen, and turns keys into calls on the engine. It keeps no time of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partialmethod
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget

from engine import Event, JobSnapshot, JobState
from hydratui.keymap import ACTIONS, VIEWS
from hydratui.sampler import Frame, Sampler
from hydratui.screens.confirm import Choice, Confirm
from hydratui.screens.throttle import Limit, Throttle
from hydratui.steering import Helm, stepped_lanes, stepped_limit
from hydratui.text import rate, safe, size
from hydratui.widgets.front_view import FrontView
from hydratui.widgets.graph import ThroughputGraph, WindowGraph
from hydratui.widgets.hash_view import HashView
from hydratui.widgets.key_bar import KeyBar, Place, ViewBar
from hydratui.widgets.lane_grid import LaneGrid
from hydratui.widgets.line import LineWidget
from hydratui.widgets.log_view import (
    KEPT,
    Entry,
    LogLine,
    LogView,
    event_entry,
    note_entry,
)
from hydratui.widgets.queue_table import FRAME_ROWS, QueueTable
from hydratui.widgets.status_bar import Status, StatusBar, Strip

_BINDINGS = [
    Binding(
        ",".join(action.keys),
        action.command,
        action.help,
        show=False,
        priority=True,  # nobody types here, and it saves two turns of the loop
        id=action.id,
    )
    for action in ACTIONS
]


class TooSmall(LineWidget[str]):
    """All there is where there is no room for anything."""


class MainScreen(Screen[None]):
    """The queue above, the selected job below."""

    BINDINGS: ClassVar[list[BindingType]] = [*_BINDINGS]
    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-short"), (30, "-tall"), (45, "-high")]  # noqa: RUF012

    def __init__(self, helm: Helm) -> None:
        super().__init__(id="main", classes="-view-overview")
        self._helm = helm
        self._sampler = Sampler()
        self._entries: list[Entry] = []
        self._began: float | None = None
        self._frame: Frame | None = None
        self._view = VIEWS[0]
        self._status = StatusBar(id="status")
        self._queue = QueueTable(id="queue")
        self._views = ViewBar(id="views")
        self._left = (LaneGrid(id="lanes"), FrontView(id="front"))
        self._right = (
            ThroughputGraph(id="throughput"),
            WindowGraph(id="window"),
            HashView(id="verify"),
        )
        self._log = LogView(id="log")
        self._strip = Strip(id="strip")
        self._latest = LogLine(id="latest")
        self._keys = KeyBar(id="keys")
        self._too_small = TooSmall(id="too-small")

    def compose(self) -> ComposeResult:
        yield self._status
        yield self._queue
        yield self._views
        with Horizontal(id="detail"):
            yield Vertical(*self._left, id="left")
            yield Vertical(*self._right, id="right")
            yield self._log
        yield self._strip
        yield self._latest
        yield self._keys
        yield self._too_small

    def on_resize(self) -> None:
        size = f"{self.size.width}x{self.size.height}"
        self._too_small.show(f"terminal too small ({size}), at least 60x15")
        self._fit_queue()

    def look(self, *, slowed: bool = False) -> None:
        """Look at the engine and paint what is new."""
        frame = self.sample()
        self._fit_queue()
        name = frame.job.name if frame.job else ""
        painted: list[tuple[Widget, bool]] = [
            (self._status, self._status.show(Status(frame, slowed))),
            (self._queue, self._queue.show(frame.snapshot)),
            (self._views, self._views.show(Place(self._view, name))),
            (self._latest, self._latest.show(self._entries)),
            (self._log, self._log.show(self._entries)),
            *((pane, pane.show(frame)) for pane in self._panes),
        ]
        self._paint({widget for widget, changed in painted if changed})

    def _paint(self, changed: set[Widget]) -> None:
        """Paint now: left alone, Textual comes to it some six turns of the loop later.

        In a loop that is full of network that is the difference between a screen
        that answers and one that lags.
        """
        if changed:
            self._dirty_widgets.update(changed)
            self._on_timer_update()

    def sample(self) -> Frame:
        """Look at the engine for the graphs' sake, and show nothing."""
        snapshot = self._helm.snapshot(self._queue.selected)
        selected = self._queue.selected
        if self._queue.adopt(snapshot) != selected:
            snapshot = self._helm.snapshot(self._queue.selected)
        if self._began is None:
            self._began = snapshot.at
        self._frame = self._sampler.sample(snapshot, self._queue.selected)
        return self._frame

    def record(self, event: Event) -> None:
        """Take an event into the log; the next look shows it."""
        self._add(event_entry(event, event.at if self._began is None else self._began))

    def _note(self, text: str) -> None:
        """Say what a key has done, and show it at once."""
        at = self._frame.at if self._frame else 0.0
        self._add(note_entry(text, at - (self._began or 0.0)))
        self.look()

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        del self._entries[:-KEPT]

    def _fit_queue(self) -> None:
        """As many rows as there are jobs, up to its share of the height."""
        count = len(self._frame.snapshot.jobs) if self._frame else 1
        rows = min(max(count, 1), max(self.size.height * 5 // 18, 1))
        height = rows + FRAME_ROWS
        if (
            self._queue.styles.height is None
            or self._queue.styles.height.value != height
        ):
            self._queue.styles.height = height

    @property
    def _panes(self) -> tuple[LineWidget[Frame], ...]:
        return (*self._left, *self._right, self._strip, self._keys)

    @property
    def _job(self) -> JobSnapshot | None:
        return self._frame.job if self._frame else None

    def on_queue_table_selected(self) -> None:
        self.look()

    # ------------------------------------------------------------- movement

    def _move(self, step: int) -> None:
        self._queue.move(step)
        self.look()

    action_nav_up = partialmethod(_move, -1)
    action_nav_down = partialmethod(_move, 1)

    def action_nav_page_up(self) -> None:
        self._move(-self._queue.page)

    def action_nav_page_down(self) -> None:
        self._move(self._queue.page)

    def action_nav_first(self) -> None:
        self._move(-len(self._jobs))

    def action_nav_last(self) -> None:
        self._move(len(self._jobs))

    @property
    def _jobs(self) -> Sequence[JobSnapshot]:
        return self._frame.snapshot.jobs if self._frame else ()

    # ------------------------------------------------------------------ jobs

    def action_job_toggle(self) -> None:
        job = self._job
        if job is None:
            return
        if job.state is JobState.PAUSED:
            self.action_job_resume()
        else:
            self.action_job_pause()

    def action_job_pause(self) -> None:
        if self._job is not None:
            self._helm.pause(self._job.id)
            self.look()

    def action_job_resume(self) -> None:
        if self._job is not None:
            self._helm.resume(self._job.id)
            self.look()

    def action_queue_toggle(self) -> None:
        """Pause all that can go on; if nothing can, resume all that is paused."""
        going = [job for job in self._jobs if _is_going(job)]
        paused = [job for job in self._jobs if job.state is JobState.PAUSED]
        for job in going:
            self._helm.pause(job.id)
        for job in paused if not going else []:
            self._helm.resume(job.id)
        self.look()

    async def action_job_cancel(self) -> None:
        job = self._job
        if job is None or job.state.is_final:
            return
        here = f"{size(job.done)} of {size(job.size)} are here."
        question = Confirm(
            "Cancel this download?",
            (safe(job.name), here),
            (Choice("y", "Cancel it", True), Choice("escape", "Keep it", False)),
        )
        await self.app.push_screen(
            question, lambda yes: self._cancel(job, yes=bool(yes))
        )

    def _cancel(self, job: JobSnapshot, *, yes: bool) -> None:
        if yes:
            self._helm.cancel(job.id)
        self.look()

    # ----------------------------------------------------------------- speed

    def _step_lanes(self, step: int) -> None:
        self.sample()
        job = self._job
        if job is None or job.state.is_final:
            return
        count = stepped_lanes(job, step)
        self._helm.set_threads(job.id, count)
        self._note(f"#{job.id} may use {count} {'lane' if count == 1 else 'lanes'}")

    action_lanes_more = partialmethod(_step_lanes, 1)
    action_lanes_fewer = partialmethod(_step_lanes, -1)

    def action_lanes_auto(self) -> None:
        job = self._job
        if job is not None and not job.state.is_final:
            self._helm.set_threads(job.id, None)
            self._note(f"#{job.id} finds its number of lanes itself")

    def _step_limit(self, direction: int) -> None:
        snapshot = self.sample().snapshot
        self._set_limit(stepped_limit(snapshot.limit, snapshot.rate, direction))

    action_limit_down = partialmethod(_step_limit, -1)
    action_limit_up = partialmethod(_step_limit, 1)

    async def action_limit_ask(self) -> None:
        snapshot = self.sample().snapshot
        await self.app.push_screen(
            Throttle(snapshot.limit, snapshot.rate), self._limit_chosen
        )

    def _limit_chosen(self, chosen: Limit | None) -> None:
        if chosen is None:
            self.look()
        else:
            self._set_limit(chosen.rate)

    def _set_limit(self, limit: float | None) -> None:
        self._helm.set_limit(limit)
        self._note("no limit" if limit is None else f"limit {rate(limit)}")

    # ----------------------------------------------------------------- views

    def _see(self, view: str) -> None:
        self.remove_class(f"-view-{self._view}", update=False)
        self.add_class(f"-view-{view}")
        self._view = view
        with self.app.batch_update():
            self._refresh_layout()
        self.look()

    action_view_overview = partialmethod(_see, "overview")
    action_view_lanes = partialmethod(_see, "lanes")
    action_view_front = partialmethod(_see, "front")
    action_view_graphs = partialmethod(_see, "graphs")
    action_view_verify = partialmethod(_see, "verify")
    action_view_log = partialmethod(_see, "log")


def _is_going(job: JobSnapshot) -> bool:
    return job.state.is_live or job.state is JobState.QUEUED
