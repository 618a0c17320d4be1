"""The last row, the keys; and the row of views, both read from the key table.

A click on a key is as good as the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.events import Click
from textual.geometry import Size

from engine import JobState
from hydratui.keymap import ACTIONS, VIEWS, Action
from hydratui.sampler import Frame
from hydratui.text import safe, shorten, width as width_of
from hydratui.widgets.line import Line, LineWidget, Span, line, spread

_GAP = 2
_HINTED = tuple(action for action in ACTIONS if action.hint is not None)


@dataclass(frozen=True, slots=True)
class Place:
    """What the view bar tells: which view, of which job."""

    view: str
    name: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A part of a row that does something when it is clicked."""

    start: int
    spans: tuple[Span, ...]
    command: str

    @property
    def stop(self) -> int:
        return self.start + sum(width_of(text) for text, _ in self.spans)


class KeyBar(LineWidget[Frame]):
    """The keys that matter now."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return [spot_line(key_spots(_state(value), size.width), size.width)]

    async def on_click(self, event: Click) -> None:
        spots = key_spots(_state(self._value), self.content_size.width)
        spot = spot_at(spots, event.x)
        if spot is not None:
            await self.screen.run_action(spot.command)


class ViewBar(LineWidget[Place]):
    """The views, the one that is seen in brackets, and whose views they are."""

    def lay(self, value: Place, size: Size) -> Sequence[Line]:
        return [view_line(value, size.width)]

    async def on_click(self, event: Click) -> None:
        spot = spot_at(view_spots(self._value.view), event.x) if self._value else None
        if spot is not None:
            await self.screen.run_action(spot.command)


def _state(frame: Frame | None) -> JobState | None:
    return frame.job.state if frame and frame.job else None


def key_spots(state: JobState | None, cells: int) -> list[Spot]:
    """As many hints as fit, the least wanted left out."""
    kept = list(_HINTED)
    while len(kept) > 1 and _cells(kept, state) > cells:
        kept.remove(max(kept, key=_rank))
    return _placed([(_hint(action, state), action.command) for action in kept], 1, _GAP)


def view_spots(current: str) -> list[Spot]:
    tabs = []
    for key, view in enumerate(VIEWS, start=1):
        name = view.capitalize()
        spans: tuple[Span, ...] = ((f" {key} ", "key"), (f"{name} ", "dim"))
        if view == current:
            spans = ((f"[{key} {name}]", "tab"),)
        tabs.append((spans, f"view_{view}"))
    return _placed(tabs, 1, 0)


def spot_at(spots: Sequence[Spot], x: int) -> Spot | None:
    return next((spot for spot in spots if spot.start <= x < spot.stop), None)


def spot_line(spots: Sequence[Spot], cells: int) -> Line:
    return line(cells, *_spans(spots))


def view_line(place: Place, cells: int) -> Line:
    left = _spans(view_spots(place.view))
    room = cells - sum(width_of(text) for text, _ in left) - 3
    name = shorten(safe(place.name), max(room, 0))
    return spread(cells, left, [(name, "strong"), ("  ", "text")])


def _spans(spots: Sequence[Spot]) -> list[Span]:
    spans: list[Span] = []
    at = 0
    for spot in spots:
        spans += [(" " * (spot.start - at), "text"), *spot.spans]
        at = spot.stop
    return spans


def _placed(
    parts: Sequence[tuple[tuple[Span, ...], str]], start: int, gap: int
) -> list[Spot]:
    spots: list[Spot] = []
    for spans, command in parts:
        spots.append(Spot(start, spans, command))
        start = spots[-1].stop + gap
    return spots


def _hint(action: Action, state: JobState | None) -> tuple[Span, ...]:
    assert action.hint is not None
    label = action.hint.label
    if action.id == "job.toggle" and state is JobState.PAUSED:
        label = "Resume"
    return (action.hint.shown, "key"), (f" {label}", "dim")


def _rank(action: Action) -> int:
    return action.hint.rank if action.hint else 0


def _cells(actions: Sequence[Action], state: JobState | None) -> int:
    hints = [_hint(action, state) for action in actions]
    used = sum(width_of(text) for hint in hints for text, _ in hint)
    return 1 + used + _GAP * (len(hints) - 1)
