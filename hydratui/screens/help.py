"""The keys and the signs, from the tables they live in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen

from engine import JobState, LaneState
from hydratui.keymap import VIEW, Action, Groups, groups
from hydratui.text import fit
from hydratui.widgets.line import Line, LineWidget, Span, framed, line
from hydratui.widgets.signs import JOB_SIGNS, LANE_SIGNS, RACING, Sign

_GAP = 2
_KEY = 7


class HelpText(LineWidget[Groups]):
    """Everything there is to know, in as many columns as fit."""

    def lay(self, value: Groups, size: Size) -> Sequence[Line]:
        return help_pane(value, size.width, size.height)


class Help(ModalScreen[None]):
    """Any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter,space", "close", show=False)
    ]

    def compose(self) -> ComposeResult:
        yield HelpText(id="help")

    def on_mount(self) -> None:
        self.query_one(HelpText).show(groups())

    def action_close(self) -> None:
        _ = self.dismiss()


def help_pane(keys: Groups, width: int, height: int) -> list[Line]:
    columns = 3 if width >= 100 else 2
    cells = (width - 4 - _GAP * (columns - 1)) // columns
    blocks = [
        *(_keys(name, actions, cells) for name, actions in keys),
        _signs(cells),
    ]
    body = _flowed(blocks, columns, cells, height - 2)
    rows: list[Line] = [
        ((" ", "text"), *line(width - 4, *row), (" ", "text")) for row in body
    ]
    return framed(width, height, rows, title=[("Help", "title")], foot="esc closes")


def _flowed(
    blocks: Sequence[list[Line]], columns: int, cells: int, height: int
) -> list[list[Span]]:
    """The blocks in columns of about the same height."""
    stacks = [_stacked(blocks, share, cells) for share in _shared(blocks, columns)]
    deepest = min(max(map(len, stacks)), height)
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
    title = line(cells, (name, "title"))
    if name == VIEW:
        pairs = [((action.shown + "  ", "key"), action.help) for action in actions]
        return [title, *_two_up("", pairs, cells)]
    return [
        title,
        *(
            line(cells, (fit(action.shown, _KEY) + " ", "key"), (action.help, "text"))
            for action in actions
        ),
    ]


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
