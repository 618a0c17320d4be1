"""The keys and the signs, from the tables they live in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen

from engine import JobState, LaneState
from hydratui.commands import VERBS
from hydratui.filters import SYNTAX
from hydratui.keymap import ACTIONS, VIEWS, Action, Groups, Keymap, groups
from hydratui.text import fit, width as width_of
from hydratui.widgets.line import Line, LineWidget, Span, framed, line
from hydratui.widgets.signs import JOB_SIGNS, LANE_SIGNS, RACING, Sign

_GAP = 2
_KEY = 9
_USAGE = 16
_LEAST = Size(6, 3)
"""A frame, and something in it."""


class HelpText(LineWidget[Groups]):
    """Everything there is to know, in as many columns as fit; it scrolls."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._top = 0

    def lay(self, value: Groups, size: Size) -> Sequence[Line]:
        if size.width < _LEAST.width or size.height < _LEAST.height:
            return [line(size.width, ("esc closes", "dim"))]
        deepest = len(help_rows(value, size.width)) - (size.height - 2)
        self._top = max(min(self._top, deepest), 0)
        return help_pane(value, size.width, size.height, self._top)

    def scroll(self, step: int) -> None:
        self._top += step
        if self._value is not None and self.show(self._value):
            self.refresh()


class Help(ModalScreen[None]):
    """Any of the usual keys closes it; those that move, move it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter,space", "close", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
        Binding("home,g", "scroll(-1000)", show=False),
        Binding("end,G", "scroll(1000)", show=False),
    ]

    def __init__(self, keymap: Keymap = ACTIONS, view: str = VIEWS[0]) -> None:
        super().__init__()
        self._shown = for_view(keymap, view)

    def compose(self) -> ComposeResult:
        yield HelpText(id="help")

    def on_mount(self) -> None:
        self.query_one(HelpText).show(self._shown)

    def on_mouse_scroll_down(self) -> None:
        self.action_scroll(1)

    def on_mouse_scroll_up(self) -> None:
        self.action_scroll(-1)

    def action_scroll(self, step: int) -> None:
        self.query_one(HelpText).scroll(step)

    def action_close(self) -> None:
        _ = self.dismiss()


def for_view(keymap: Keymap, view: str) -> Groups:
    """What is bound, by group; first what is for the view that is seen."""
    own = tuple(one for one in keymap if view in one.views and one.keys)
    bound = [one for one in keymap if one.keys and one not in own]
    first = ((f"Here, in {view}", own),) if own else ()
    return (*first, *groups(bound))


def help_pane(keys: Groups, width: int, height: int, top: int = 0) -> list[Line]:
    rows = help_rows(keys, width)
    shown = rows[top : top + height - 2]
    foot = "esc closes" if len(shown) == len(rows) else "j k scroll · esc closes"
    return framed(width, height, shown, title=[("Help", "title")], foot=foot)


@lru_cache(maxsize=4)
def help_rows(keys: Groups, width: int) -> list[Line]:
    """All of it, as long as it is."""
    columns = 3 if width >= 100 else 2
    cells = (width - 4 - _GAP * (columns - 1)) // columns
    blocks = [
        *(_keys(name, actions, cells) for name, actions in keys),
        _verbs(cells),
        _filters(cells),
        _signs(cells),
    ]
    return [
        ((" ", "text"), *line(width - 4, *row), (" ", "text"))
        for row in _flowed(blocks, columns, cells)
    ]


def _flowed(blocks: Sequence[list[Line]], columns: int, cells: int) -> list[list[Span]]:
    """The blocks in columns of about the same height."""
    stacks = [_stacked(blocks, share, cells) for share in _shared(blocks, columns)]
    deepest = max(map(len, stacks))
    return [
        _joined([_row(stack, y, cells) for stack in stacks]) for y in range(deepest)
    ]


def _shared(blocks: Sequence[list[Line]], columns: int) -> list[list[int]]:
    """Which blocks go into which column: the longest first, where there is most room."""
    shares: list[list[int]] = [[] for _ in range(columns)]
    for index in sorted(range(len(blocks)), key=lambda index: -len(blocks[index])):
        min(shares, key=lambda share: sum(len(blocks[i]) + 1 for i in share)).append(
            index
        )
    return sorted(sorted(share) for share in shares)


def _stacked(
    blocks: Sequence[list[Line]], share: Sequence[int], cells: int
) -> list[Line]:
    stack: list[Line] = []
    for index in share:
        stack += [*([line(cells)] if stack else []), *blocks[index]]
    return stack


def _row(stack: Sequence[Line], y: int, cells: int) -> Line:
    return stack[y] if y < len(stack) else line(cells)


def _joined(rows: Sequence[Line]) -> list[Span]:
    spans: list[Span] = []
    for index, row in enumerate(rows):
        spans += [(" " * _GAP, "text")] * bool(index) + list(row)
    return spans


def _keys(name: str, actions: Sequence[Action], cells: int) -> list[Line]:
    numbered = [one for one in actions if one.help in VIEWS]
    pairs: list[tuple[Span, str]] = [
        ((one.shown + "  ", "key"), one.help) for one in numbered
    ]
    return [
        line(cells, (name, "title")),
        *_two_up("", pairs, cells),
        *(
            line(cells, (fit(action.shown, _KEY) + " ", "key"), (action.help, "text"))
            for action in actions
            if action not in numbered
        ),
    ]


def _verbs(cells: int) -> list[Line]:
    rows = [line(cells, ("Commands", "title"))]
    for verb in VERBS:
        said = fit(f":{verb.usage} ", _USAGE)
        first, *more = wrap(verb.help, max(cells - _USAGE, 1))
        if width_of(verb.usage) > _USAGE - 2:
            rows.append(line(cells, (f":{verb.usage}", "key")))
            said = " " * _USAGE
        rows.append(line(cells, (said, "key"), (first, "text")))
        rows += [line(cells, (" " * _USAGE + one, "text")) for one in more]
    rows.append(line(cells, ("JOBS: 3 5-9, all, or a filter", "dim")))
    return rows


def _filters(cells: int) -> list[Line]:
    rows = [
        line(cells, (fit(written, 16), "key"), (meaning, "text"))
        for written, meaning in SYNTAX
    ]
    return [line(cells, ("Filters", "title")), *rows]


def _signs(cells: int) -> list[Line]:
    jobs = [JOB_SIGNS[state] for state in JobState if state is not JobState.CANCELLED]
    lanes = [*(LANE_SIGNS[state] for state in LaneState), RACING]
    return [
        line(cells, ("Signs", "title")),
        *_two_up("jobs", [_pair(sign) for sign in jobs], cells),
        *_two_up("lanes", [_pair(sign) for sign in lanes], cells),
    ]


def _pair(sign: Sign) -> tuple[Span, str]:
    return (sign.glyph + " ", sign.ink), sign.word


def _two_up(label: str, pairs: Sequence[tuple[Span, str]], cells: int) -> list[Line]:
    """Something short and its meaning, two a row, a label before the first."""
    half = (cells - _KEY - 1) // 2
    rows = []
    for index in range(0, len(pairs), 2):
        spans: list[Span] = [(fit("" if index else label, _KEY) + " ", "dim")]
        for mark, meaning in pairs[index : index + 2]:
            spans += [mark, (fit(meaning, half - len(mark[0])), "text")]
        rows.append(line(cells, *spans))
    return rows
