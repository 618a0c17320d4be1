"""Every key, once: what it does, how it is shown and what help says about it.

Bindings, the key bar, help, the palette and the command line are all read from
`ACTIONS`. What begins with "app." is answered by the app, the rest by the main
screen: there "job.pause" is `action_job_pause`. A user may bind an action to
other keys by its id; `rebound` makes a table of that, or says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from difflib import get_close_matches
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Hint:
    """How an action shows in the key bar."""

    shown: str
    """The key, in as few cells as can be; that of an action that was not rebound."""
    label: str
    rank: int
    """Where the bar is too narrow, the highest ranks go first."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key can do."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them."""
    help: str
    _: KW_ONLY
    group: str
    hint: Hint | None = None
    views: frozenset[str] = frozenset()
    """The views in which it does something; in all where none is named."""

    @property
    def shown(self) -> str:
        """Its keys, as people read them."""
        return " ".join(map(key_label, self.keys))

    @property
    def command(self) -> str:
        """The action as Textual finds it."""
        return self.id if self.id.startswith("app.") else self.id.replace(".", "_")


VIEWS = ("overview", "lanes", "front", "graphs", "verify", "log", "info")
"""What can be seen of the selected job; the first one has the key 1."""

MOVE, JOB, SPEED, FIND, VIEW, APP = "Move", "Jobs", "Speed", "Find", "Views", "App"

_VARIED = frozenset({"overview", "lanes", "graphs", "log"})
_SEARCHED = frozenset({"log"})

WAY_OUT = ("ctrl+q", "ctrl+c")
"""Keys that leave wherever one is; nothing else may have them."""

ACTIONS = (
    Action("nav.up", ("up", "k"), "one job up", group=MOVE),
    Action("nav.down", ("down", "j"), "one job down", group=MOVE),
    Action("nav.page_up", ("pageup", "ctrl+u"), "one page up", group=MOVE),
    Action("nav.page_down", ("pagedown", "ctrl+d"), "one page down", group=MOVE),
    Action("nav.first", ("g", "home"), "to the first job", group=MOVE),
    Action("nav.last", ("G", "end"), "to the last job", group=MOVE),
    Action("mark.toggle", ("m",), "mark the job, or not", group=MOVE),
    Action("mark.all", ("asterisk",), "mark all that are shown", group=MOVE),
    Action("mark.none", ("M",), "unmark all", group=MOVE),
    Action(
        "job.add",
        ("a",),
        "add URLs; pasting works too",
        group=JOB,
        hint=Hint("a", "Add", 1),
    ),
    Action(
        "job.toggle",
        ("space",),
        "pause or resume",
        group=JOB,
        hint=Hint("␣", "Pause", 1),
    ),
    Action("job.pause", ("p",), "pause", group=JOB),
    Action("job.resume", ("r",), "resume", group=JOB),
    Action("job.retry", ("R",), "try again what failed", group=JOB),
    Action("job.renew", ("u",), "give it a fresh URL", group=JOB),
    Action("job.edit", ("e",), "change what was asked for", group=JOB),
    Action(
        "job.remove",
        ("d", "delete"),
        "remove, after asking",
        group=JOB,
        hint=Hint("d", "Remove", 5),
    ),
    Action("job.up", ("K", "ctrl+up"), "earlier in the queue", group=JOB),
    Action("job.down", ("J", "ctrl+down"), "later in the queue", group=JOB),
    Action("job.first", ("left_curly_bracket",), "first in the queue", group=JOB),
    Action("job.last", ("right_curly_bracket",), "last in the queue", group=JOB),
    Action("job.copy_url", ("y",), "copy its URL", group=JOB),
    Action("job.copy_path", ("Y",), "copy its path", group=JOB),
    Action("job.open_file", ("o",), "open the file", group=JOB),
    Action("job.open_folder", ("O",), "open its folder", group=JOB),
    Action(
        "queue.toggle",
        ("P",),
        "pause all, or resume all",
        group=JOB,
        hint=Hint("P", "All", 6),
    ),
    Action("queue.clear", ("c",), "drop what is done", group=JOB),
    Action(
        "lanes.more",
        ("plus", "equals_sign"),
        "one lane more",
        group=SPEED,
        hint=Hint("+ -", "Lanes", 5),
    ),
    Action("lanes.fewer", ("minus",), "one lane less", group=SPEED),
    Action("lanes.auto", ("0",), "let the window decide", group=SPEED),
    Action(
        "limit.down",
        ("left_square_bracket",),
        "limit all, 10 % lower",
        group=SPEED,
        hint=Hint("[ ]", "Limit", 7),
    ),
    Action(
        "limit.up", ("right_square_bracket",), "limit all, 10 % higher", group=SPEED
    ),
    Action(
        "limit.job",
        ("t",),
        "limit the job",
        group=SPEED,
        hint=Hint("t", "Throttle", 3),
    ),
    Action("limit.all", ("T",), "limit all together", group=SPEED),
    Action(
        "find.filter",
        ("slash",),
        "filter; in the log, search",
        group=FIND,
        hint=Hint("/", "Filter", 4),
    ),
    Action("find.next", ("n",), "next match", group=FIND, views=_SEARCHED),
    Action("find.before", ("N",), "match before", group=FIND, views=_SEARCHED),
    Action("sort.next", ("s",), "sort by the next column", group=FIND),
    Action("sort.flip", ("i",), "the other way round", group=FIND),
    *(
        Action(f"view.{view}", (str(key),), view, group=VIEW)
        for key, view in enumerate(VIEWS, start=1)
    ),
    Action("view.before", ("left", "shift+tab"), "the view before", group=VIEW),
    Action("view.after", ("right", "tab"), "the next view", group=VIEW),
    Action(
        "view.zoom",
        ("enter", "z"),
        "the view alone, scrolled",
        group=VIEW,
        hint=Hint("⏎", "Details", 6),
    ),
    Action(
        "view.vary",
        ("v",),
        "density, span or level",
        group=VIEW,
        views=_VARIED,
    ),
    Action(
        "view.order",
        ("V",),
        "lanes' order, log's jobs",
        group=VIEW,
        views=_VARIED - {"graphs"},
    ),
    Action("view.freeze", ("f",), "hold the picture still", group=VIEW),
    Action("view.back", ("escape",), "back: zoom, filter, marks", group=VIEW),
    Action("app.settings", ("comma",), "settings", group=APP),
    Action("app.themes", ("ctrl+t",), "themes", group=APP),
    Action("app.command", ("colon",), "type a command", group=APP),
    Action("app.palette", ("ctrl+p",), "every command, searched", group=APP),
    Action("app.redraw", ("ctrl+l",), "draw the screen anew", group=APP),
    Action("app.suspend_process", ("ctrl+z",), "stop all, to the shell", group=APP),
    Action(
        "app.help",
        ("question_mark", "f1"),
        "these keys",
        group=APP,
        hint=Hint("?", "Help", 2),
    ),
    Action(
        "app.leave",
        ("q", *WAY_OUT),
        "quit, asking if jobs run",
        group=APP,
        hint=Hint("q", "Quit", 0),
    ),
)

Keymap = Sequence[Action]
Groups = tuple[tuple[str, tuple[Action, ...]], ...]


def groups(keymap: Iterable[Action] = ACTIONS) -> Groups:
    """The actions by group, in the order of the table."""
    return tuple(
        (name, tuple(actions))
        for name, actions in groupby(keymap, key=lambda action: action.group)
    )


# -- how keys are written ----------------------------------------------------------

_SIGNS = {
    "asterisk": "*",
    "colon": ":",
    "comma": ",",
    "equals_sign": "=",
    "left_curly_bracket": "{",
    "left_square_bracket": "[",
    "minus": "-",
    "plus": "+",
    "question_mark": "?",
    "right_curly_bracket": "}",
    "right_square_bracket": "]",
    "slash": "/",
    "backslash": "\\",
    "full_stop": ".",
    "semicolon": ";",
    "apostrophe": "'",
    "quotation_mark": '"',
    "exclamation_mark": "!",
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "commercial_at": "@",
    "circumflex_accent": "^",
    "underscore": "_",
    "grave_accent": "`",
    "vertical_line": "|",
    "tilde": "~",
}
_NAMES = {sign: name for name, sign in _SIGNS.items()}
_LABELS = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "delete": "Del",
    "insert": "Ins",
    "space": "Space",
    "enter": "⏎",
    "escape": "Esc",
    "tab": "Tab",
    "backspace": "Bksp",
}
_MODIFIERS = {"ctrl+": "^", "shift+": "⇧", "alt+": "alt+"}
_TAKEN = frozenset({"ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"})
"""Most terminals send these for Backspace, Tab and Enter."""


def key_label(key: str) -> str:
    """A key as people read it: `^d`, `PgUp`, `[`."""
    for modifier, label in _MODIFIERS.items():
        if key.startswith(modifier):
            return label + key_label(key.removeprefix(modifier))
    if re.fullmatch(r"f\d+", key):
        return key.upper()
    return _SIGNS.get(key) or _LABELS.get(key) or key


def key_named(text: str) -> str:
    """The key that somebody wrote, as Textual names it; ValueError if there is none."""
    modifiers = re.match(r"(?:(?:ctrl|shift|alt)\+)*", text)
    prefix = modifiers[0] if modifiers else ""
    bare = text.removeprefix(prefix)
    bare = _NAMES.get(bare, bare)
    known = bare in _SIGNS or bare in _LABELS or re.fullmatch(r"f\d{1,2}", bare)
    if not known and not re.fullmatch(r"[A-Za-z0-9]", bare):
        raise ValueError(f"{text!r} is not a key; write it as x, ctrl+x, f5 or space")
    if prefix + bare in _TAKEN:
        raise ValueError(f"{text!r} comes as another key from most terminals")
    return prefix + bare


# -- other keys for the same actions -------------------------------------------------


def rebound(keys: Mapping[str, Sequence[str]]) -> tuple[Action, ...]:
    """The table with other keys for some actions.

    Raises ValueError for an unknown action or key, and where one key would do two
    things: taking a key away from an action means giving that one another.
    """
    by_id = {action.id: action for action in ACTIONS}
    for name, given in keys.items():
        if name not in by_id:
            close = get_close_matches(name, by_id, 1)
            hint = f"; is it {close[0]}?" if close else ""
            raise ValueError(f"there is no action {name!r}{hint}")
        named = tuple(_named(name, key) for key in given)
        by_id[name] = _with_keys(by_id[name], named)
    _check_unique(by_id.values())
    return tuple(by_id.values())


def _named(name: str, key: str) -> str:
    try:
        return key_named(key)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _with_keys(action: Action, keys: tuple[str, ...]) -> Action:
    hint = action.hint
    if hint is not None and keys:
        hint = replace(hint, shown=key_label(keys[0]))
    return replace(action, keys=keys, hint=hint if keys else None)


def _check_unique(actions: Iterable[Action]) -> None:
    taken = dict.fromkeys(WAY_OUT, "app.leave")
    for action in actions:
        for key in action.keys:
            other = taken.setdefault(key, action.id)
            if other != action.id:
                raise ValueError(
                    f"{key_label(key)} is bound to {other} and to {action.id}"
                )
