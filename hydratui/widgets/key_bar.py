"""The last row, the keys; and the row of views, both read from the key table.

A click on a key is as good as the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textual.events import Click
from textual.geometry import Size

from engine import JobState
from hydratui.keymap import ACTIONS, VIEWS, Action, Keymap, key_label
from hydratui.sampler import Frame
from hydratui.text import safe, shorten, width as width_of
from hydratui.widgets.line import Line, LineWidget, Span, line, spread

_GAP = 2


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

    def __init__(self, keymap: Keymap = ACTIONS, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._keymap = keymap

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return [spot_line(self._spots(value, size.width), size.width)]

    def _spots(self, value: Frame | None, cells: int) -> list[Spot]:
        return key_spots(_state(value), cells, self._keymap)

    async def on_click(self, event: Click) -> None:
        spots = self._spots(self._value, self.content_size.width)
        spot = spot_at(spots, event.x)
        if spot is not None:
            await self.screen.run_action(spot.command)


class ViewBar(LineWidget[Place]):
    """The views, the one that is seen in brackets, and whose views they are."""

    def lay(self, value: Place, size: Size) -> Sequence[Line]:
        return [view_line(value, size.width)]

    async def on_click(self, event: Click) -> None:
        if self._value is None:
            return
        spots = view_spots(self._value.view, self.content_size.width)
        spot = spot_at(spots, event.x)
        if spot is not None:
            await self.screen.run_action(spot.command)


def _state(frame: Frame | None) -> JobState | None:
    return frame.job.state if frame and frame.job else None


def key_spots(
    state: JobState | None, cells: int, keymap: Keymap = ACTIONS
) -> list[Spot]:
    """As many hints as fit, the least wanted left out."""
    kept = [_acting(action, state, keymap) for action in keymap if action.hint]
    while len(kept) > 1 and _cells(kept) > cells:
        kept.remove(max(kept, key=_rank))
    return _placed([(_hint(action), action.command) for action in kept], 1, _GAP)


def _acting(action: Action, state: JobState | None, keymap: Keymap) -> Action:
    """What stands in the place of pausing, where there is nothing to pause."""
    if action.id != "job.toggle" or action.hint is None or state not in _INSTEAD:
        return action
    name, label = _INSTEAD[state]
    other = next(one for one in keymap if one.id == name)
    shown = key_label(other.keys[0]) if other.keys else ""
    if other is action:
        shown = action.hint.shown
    return replace(other, hint=replace(action.hint, shown=shown, label=label))


_INSTEAD = {
    JobState.PAUSED: ("job.toggle", "Resume"),
    JobState.DONE: ("job.open_file", "Open"),
    JobState.FAILED: ("job.retry", "Retry"),
    JobState.CANCELLED: ("job.retry", "Retry"),
    JobState.EXPIRED: ("job.renew", "Fresh URL"),
}


def view_spots(current: str, cells: int = 80) -> list[Spot]:
    """All of them, closer together where there is little room."""
    spots: list[Spot] = []
    for gap in (" ", ""):
        spots = _placed([_tab(view, current, gap) for view in VIEWS], 1, 0)
        if spots[-1].stop <= cells:
            break
    return spots


def _tab(view: str, current: str, gap: str) -> tuple[tuple[Span, ...], str]:
    key, name = VIEWS.index(view) + 1, view.capitalize()
    spans: tuple[Span, ...] = ((f" {key} ", "key"), (name + gap, "dim"))
    if view == current:
        spans = ((f"[{key} {name}]", "tab"),)
    return spans, f"view_{view}"


def spot_at(spots: Sequence[Spot], x: int) -> Spot | None:
    return next((spot for spot in spots if spot.start <= x < spot.stop), None)


def spot_line(spots: Sequence[Spot], cells: int) -> Line:
    return line(cells, *_spans(spots))


def view_line(place: Place, cells: int) -> Line:
    left = _spans(view_spots(place.view, cells))
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


def _hint(action: Action) -> tuple[Span, ...]:
    assert action.hint is not None
    return (action.hint.shown, "key"), (f" {action.hint.label}", "dim")


def _rank(action: Action) -> int:
    return action.hint.rank if action.hint else 0


def _cells(actions: Sequence[Action]) -> int:
    hints = [_hint(action) for action in actions]
    used = sum(width_of(text) for hint in hints for text, _ in hint)
    return 1 + used + _GAP * (len(hints) - 1)
