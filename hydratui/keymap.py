"""Every key, once: what it does, how it is shown and what help says about it.

Bindings, the key bar and the help screen are all read from `ACTIONS`. What
begins with "app." is answered by the app, the rest by the main screen: there
"job.pause" is `action_job_pause`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Hint:
    """How an action shows in the key bar."""

    shown: str
    label: str
    rank: int
    """Where the bar is too narrow, the highest ranks go first."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key can do."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them."""
    shown: str
    """The same keys, as people read them."""
    help: str
    _: KW_ONLY
    group: str
    hint: Hint | None = None

    @property
    def command(self) -> str:
        """The action as Textual finds it."""
        return self.id if self.id.startswith("app.") else self.id.replace(".", "_")


VIEWS = ("overview", "lanes", "front", "graphs", "verify", "log")
"""What can be seen of the selected job; the first one has the key 1."""

MOVE, JOB, SPEED, VIEW, APP = "Move", "Job", "Speed", "Views", "App"

ACTIONS = (
    Action("nav.up", ("up", "k"), "↑ k", "one job up", group=MOVE),
    Action("nav.down", ("down", "j"), "↓ j", "one job down", group=MOVE),
    Action("nav.page_up", ("pageup",), "PgUp", "one page up", group=MOVE),
    Action("nav.page_down", ("pagedown",), "PgDn", "one page down", group=MOVE),
    Action("nav.first", ("g", "home"), "g Home", "to the first job", group=MOVE),
    Action("nav.last", ("G", "end"), "G End", "to the last job", group=MOVE),
    Action(
        "job.toggle",
        ("space",),
        "Space",
        "pause or resume the job",
        group=JOB,
        hint=Hint("␣", "Pause", 1),
    ),
    Action("job.pause", ("p",), "p", "pause the job", group=JOB),
    Action("job.resume", ("r",), "r", "resume the job", group=JOB),
    Action(
        "job.cancel",
        ("d", "delete"),
        "d Del",
        "cancel the job, after asking",
        group=JOB,
        hint=Hint("d", "Cancel", 6),
    ),
    Action(
        "queue.toggle",
        ("P",),
        "P",
        "pause all jobs, or resume all",
        group=JOB,
        hint=Hint("P", "All", 5),
    ),
    Action(
        "lanes.more",
        ("plus", "equals_sign"),
        "+",
        "one lane more for the job",
        group=SPEED,
        hint=Hint("+ -", "Lanes", 4),
    ),
    Action("lanes.fewer", ("minus",), "-", "one lane less for the job", group=SPEED),
    Action("lanes.auto", ("0",), "0", "let the window decide", group=SPEED),
    Action(
        "limit.down",
        ("left_square_bracket",),
        "[",
        "limit all, 10 % lower",
        group=SPEED,
        hint=Hint("[ ]", "Limit", 4),
    ),
    Action(
        "limit.up",
        ("right_square_bracket",),
        "]",
        "limit all, 10 % higher",
        group=SPEED,
    ),
    Action(
        "limit.ask",
        ("t",),
        "t",
        "type a limit, or lift it",
        group=SPEED,
        hint=Hint("t", "Throttle", 3),
    ),
    *(
        Action(f"view.{view}", (str(key),), str(key), view, group=VIEW)
        for key, view in enumerate(VIEWS, start=1)
    ),
    Action(
        "app.help",
        ("question_mark", "f1"),
        "? F1",
        "these keys",
        group=APP,
        hint=Hint("?", "Help", 2),
    ),
    Action(
        "app.leave",
        ("q", "ctrl+q", "ctrl+c"),
        "q ^c",
        "quit, asking if jobs run",
        group=APP,
        hint=Hint("q", "Quit", 0),
    ),
)


Groups = tuple[tuple[str, tuple[Action, ...]], ...]


def groups() -> Groups:
    """The actions by group, in the order of the table."""
    return tuple(
        (name, tuple(actions))
        for name, actions in groupby(ACTIONS, key=lambda action: action.group)
    )
