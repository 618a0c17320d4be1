"""What is seen of the queue and of the selected job, and how it is laid out.

The board looks at the engine when it is told to and shows what it saw to whatever
is on screen. It keeps no time of its own, and it changes nothing in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget

from engine import Event, JobSnapshot
from hydratui.keymap import ACTIONS, VIEWS, Keymap
from hydratui.sampler import Frame, Sampler
from hydratui.steering import Helm
from hydratui.widgets.front_view import FrontView
from hydratui.widgets.graph import DepthGraph, ThroughputGraph, WindowGraph
from hydratui.widgets.hash_view import HashView
from hydratui.widgets.info_view import InfoView
from hydratui.widgets.key_bar import KeyBar, Place, ViewBar
from hydratui.widgets.lane_grid import LaneGrid
from hydratui.widgets.line import LineWidget
from hydratui.widgets.log_book import event_entry, note_entry
from hydratui.widgets.log_view import LogLine, LogView
from hydratui.widgets.prompt import Prompt
from hydratui.widgets.queue_table import FRAME_ROWS, Destination, QueueTable
from hydratui.widgets.speed_graph import SpeedGraph
from hydratui.widgets.status_bar import Status, StatusBar, Strip


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the app knows and the engine does not tell."""

    folder: str = ""
    """Where files go."""
    free: int | None = None
    """Bytes that are free there."""
    slowed: bool = False
    """Whether frames are left out to leave the loop to the network."""
    notice: str = ""
    """A word about the queue: that it is private, that it is finishing."""
    insecure: bool = False
    """Whether any server is trusted."""


class TooSmall(LineWidget[str]):
    """All there is where there is no room for anything."""


class Board(Screen[None]):
    """The queue above, the views of the selected job below."""

    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-short"), (30, "-tall"), (45, "-high")]  # noqa: RUF012

    def __init__(self, helm: Helm, keymap: Keymap = ACTIONS) -> None:
        super().__init__(id="main", classes="-view-overview")
        self.helm = helm
        self._sampler = Sampler()
        self._circumstances = Circumstances()
        self._began: float | None = None
        self._frame: Frame | None = None
        self._view = VIEWS[0]
        self._is_frozen = False
        self._held: tuple[object, ...] = ()
        self._status = StatusBar(id="status")
        self._queue = QueueTable(id="queue")
        self._views = ViewBar(id="views")
        self._lanes = LaneGrid(id="lanes")
        self._front = FrontView(id="front")
        self._graphs = (
            ThroughputGraph(id="throughput"),
            WindowGraph(id="window"),
            DepthGraph(id="depth"),
        )
        self._speeds = SpeedGraph(id="speeds")
        self._verify = HashView(id="verify")
        self._log = LogView(id="log")
        self._info = InfoView(id="info")
        self._strip = Strip(id="strip")
        self._latest = LogLine(id="latest")
        self._prompt = Prompt(id="prompt")
        self._keys = KeyBar(keymap, id="keys")
        self._too_small = TooSmall(id="too-small")

    def compose(self) -> ComposeResult:
        yield self._status
        yield self._queue
        yield self._views
        with Horizontal(id="detail"):
            yield Vertical(self._lanes, self._front, id="left")
            yield Vertical(*self._graphs, self._speeds, self._verify, id="right")
            yield self._log
            yield self._info
        yield self._strip
        yield self._latest
        yield self._prompt
        yield self._keys
        yield self._too_small

    def on_resize(self) -> None:
        size = f"{self.size.width}x{self.size.height}"
        self._too_small.show(f"terminal too small ({size}), at least 60x15")
        self._fit_queue()

    # ---------------------------------------------------------------- looking

    def look(self, circumstances: Circumstances | None = None) -> None:
        """Look at the engine and paint what is new."""
        if circumstances is not None:
            self._circumstances = now = circumstances
            self._queue.destination = Destination(now.folder, now.free)
        frame = self.sample()
        if self._is_frozen and self._aim != self._held:
            self._is_frozen = False  # who aims elsewhere must see where
        painted = self._said(frame)
        painted += self._as_before() if self._is_frozen else self._shown(frame)
        self._paint({widget for widget, changed in painted if changed})

    def sample(self) -> Frame:
        """Look at the engine for the graphs' sake, and show nothing."""
        snapshot = self.helm.snapshot(self._queue.selected)
        selected = self._queue.selected
        if self._queue.adopt(snapshot) != selected:
            snapshot = self.helm.snapshot(self._queue.selected)
        if self._began is None:
            self._began = snapshot.at
        self._frame = self._sampler.sample(snapshot, self._queue.selected)
        return self._frame

    def _said(self, frame: Frame) -> list[tuple[Widget, bool]]:
        """What never stands still: where one is, what happens, what keys have done."""
        name = frame.job.name if frame.job else ""
        return [
            (self._status, self._status.show(self._told(frame))),
            (self._views, self._views.show(Place(self._view, name))),
            (self._latest, self._latest.show(self._log.entries)),
            (self._log, self._log.look(frame)),
        ]

    def _shown(self, frame: Frame) -> list[tuple[Widget, bool]]:
        """Show it to all that is seen; and whether that changes any of them."""
        self._fit_queue()
        return [
            (self._queue, self._queue.show(frame.snapshot)),
            *((pane, pane.show(frame)) for pane in self._panes),
        ]

    def _as_before(self) -> list[tuple[Widget, bool]]:
        """The same as before, perhaps scrolled, or in another order."""
        return [(pane, pane.again()) for pane in (self._lanes, self._info)]

    def _told(self, frame: Frame) -> Status:
        now = self._circumstances
        notice = "FROZEN" if self._is_frozen else now.notice
        return Status(
            frame,
            slowed=now.slowed,
            free=now.free,
            notice=notice,
            insecure=now.insecure,
        )

    def _paint(self, changed: set[Widget]) -> None:
        """Paint now: left alone, Textual comes to it some six turns of the loop later.

        In a loop that is full of network that is the difference between a screen
        that answers and one that lags.
        """
        if changed:
            self._dirty_widgets.update(changed)
            self._on_timer_update()

    def record(self, event: Event) -> None:
        """Take an event into the log; the next look shows it."""
        began = event.at if self._began is None else self._began
        self._log.add(event_entry(event, event.at - began))

    def note(self, text: str) -> None:
        """Say what a key has done, and show it at once; nothing to say only shows."""
        if text:
            at = self._frame.at if self._frame else 0.0
            self._log.add(note_entry(text, at - (self._began or 0.0)))
        self.look()

    def _fit_queue(self) -> None:
        """As many rows as there are jobs, up to its share of the height."""
        most = max(self.size.height * 5 // 18, 1)
        height = min(self._queue.least_rows, most) + FRAME_ROWS
        if (
            self._queue.styles.height is None
            or self._queue.styles.height.value != height
        ):
            self._queue.styles.height = height

    @property
    def _panes(self) -> tuple[LineWidget[Frame], ...]:
        return (
            self._lanes,
            self._front,
            *self._graphs,
            self._speeds,
            self._verify,
            self._info,
            self._strip,
            self._keys,
        )

    @property
    def job(self) -> JobSnapshot | None:
        """The selected job, in detail."""
        return self._frame.job if self._frame else None

    def on_queue_table_selected(self) -> None:
        self.look()

    # ------------------------------------------------------------------ views

    @property
    def view(self) -> str:
        """Which view is seen."""
        return self._view

    @property
    def is_zoomed(self) -> bool:
        """Whether the view has the screen to itself, and keys scroll it."""
        return self.has_class("-zoom")

    def see(self, view: str) -> None:
        self.remove_class(f"-view-{self._view}", update=False)
        self.add_class(f"-view-{view}")
        self._view = view
        self._lay_out()

    def zoom(self, *, on: bool) -> None:
        self.set_class(on, "-zoom")
        self._lay_out()

    def freeze(self, *, on: bool) -> None:
        """Hold the picture still; the engine, the graphs and the log go on."""
        self._is_frozen, self._held = on, self._aim
        self.look()

    @property
    def _aim(self) -> tuple[object, ...]:
        """At which jobs orders are aimed."""
        queue = self._queue
        return queue.selected, queue.marked, queue.filter, queue.sort

    def _lay_out(self) -> None:
        with self.app.batch_update():
            self._refresh_layout()
        self.look()

    @property
    def scrolled(self) -> LaneGrid | LogView | InfoView | None:
        """What the keys scroll, where a view has the screen to itself."""
        if not self.is_zoomed:
            return None
        match self._view:
            case "overview" | "lanes":
                return self._lanes
            case "log":
                return self._log
            case "info":
                return self._info
            case _:
                return None
