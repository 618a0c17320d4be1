"""The dialog for new downloads: whatever is pasted, and how to fetch it.

What makes no sense never keeps the rest waiting: the good lines are added, the
others stay in the box with a word on each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Label, Static

from engine import JobSpec
from hydratui.pasted import MOST_LINES, Pasted, read
from hydratui.screens.dialog import Dialog, labelled
from hydratui.text import safe
from hydratui.widgets.entry import Links, Picker, at_home
from hydratui.widgets.job_form import JobForm, Typed, free_space

_HINT = "One link a line, a list, or a cURL command copied from a browser."
_QUICK = 20_000
"""Characters that are read at every key; longer text waits for a pause."""
_PAUSE = 0.3
_MOST_SAID = 3


@dataclass(frozen=True, slots=True)
class Added:
    """What is to be added, and how."""

    specs: tuple[JobSpec, ...]
    _: KW_ONLY
    first: bool = False
    """Before all that waits, instead of behind it."""
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The lines of the box, sorted."""

    fresh: tuple[JobSpec, ...] = ()
    queued: int = 0
    """Already in the queue."""
    twice: int = 0
    """In the box more than once."""
    bad: tuple[Pasted, ...] = ()
    runs: tuple[tuple[int, str], ...] = ()
    """Commands that stand in the box, with their line numbers: a paste may hide them."""
    notes: tuple[tuple[int, str], ...] = ()
    """What else is easily overlooked, with line numbers."""


class Add(Dialog[Added | None]):
    """Asks for links; ends with those that are still to be added, or None.

    What is added while the dialog stays open is handed to `take`.
    """

    AUTO_FOCUS = "#links"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "add", show=False, priority=True),
        Binding("escape", "leave", show=False),
    ]

    def __init__(
        self,
        text: str,
        directory: Path,
        *,
        known: Callable[[JobSpec], bool],
        take: Callable[[Added], object],
        free: Callable[[Path], int | None] = free_space,
    ) -> None:
        super().__init__()
        self._known = known
        self._take = take
        self._typed = Typed(directory=directory.absolute())
        self._links = Links(text, id="links", placeholder="https://…")
        self._form = JobForm(self._typed, free=free)
        self._place = Picker(("at the end", "next"), id="place")
        self._start = Picker(("in turn", "paused"), id="start")
        self._reading = Reading()
        self._later: Timer | None = None
        self._asked = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="box form") as box:
            box.border_title = Content("Add downloads")
            with VerticalScroll(classes="body", can_focus=False):
                yield self._links
                yield Static(id="summary", markup=False)
                yield Static(id="problems", markup=False)
                yield Static(id="runs", markup=False)
                yield Static(id="notes", markup=False)
                yield self._form
                with Horizontal(classes="pair"):
                    yield _row("Position", self._place)
                    yield _row("Start", self._start)
            with Horizontal(classes="answers"):
                yield Button(labelled("Add", "^s"), id="add", compact=True)
                yield Button(labelled("Cancel", "esc"), id="cancel", compact=True)

    def on_mount(self) -> None:
        self._read()
        self._links.move_cursor(self._links.document.end)

    def on_text_area_changed(self) -> None:
        self._asked = False
        self._read_soon()

    def on_input_changed(self) -> None:
        self._read_soon()

    def _read_soon(self) -> None:
        """At once, or where that takes a while, when the typing pauses."""
        if self._later is not None:
            self._later.stop()
        if len(self._links.text) <= _QUICK:
            self._read()
        else:
            self._later = self.set_timer(_PAUSE, self._read)

    def on_input_submitted(self) -> None:
        self.action_add()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "add":
            self.action_add()
        else:
            self.action_leave()

    def action_add(self) -> None:
        typed = self._form.typed()
        self._read()
        fresh = self._reading.fresh
        if typed is None:
            self._form.go_to_wrong()
        elif not fresh:
            self._say("Nothing to add yet." if self._reading.bad else "Nothing new.")
            self._links.focus()
        elif typed.checksum is not None and len(fresh) > 1:
            self._form.complain("checksum", f"for one link, not {len(fresh)}")
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Add the good lines; the bad ones, if any, stay."""
        added = Added(
            self._reading.fresh,
            first=self._place.chosen == 1,
            paused=self._start.chosen == 1,
        )
        bad = self._reading.bad
        if not bad:
            _ = self.dismiss(added)
            return
        _ = self._take(added)
        with self.prevent(Links.Changed):
            self._links.text = "\n".join(entry.source for entry in bad)
        self._read()
        many = len(added.specs)
        self._say(f"{many} added. What is left makes no sense yet.")
        self._links.focus()

    def action_leave(self) -> None:
        """Leave, but give up many lines only when asked twice."""
        lines = sum(1 for line in self._links.text.splitlines() if line.strip())
        if lines < 2 or self._asked:
            _ = self.dismiss(None)
        else:
            self._asked = True
            self._say(f"Esc once more gives up these {lines} lines.")

    def _read(self) -> None:
        """Read the box again, and say what is in it."""
        self._typed = self._form.typed() or self._typed
        self._reading = sorted_out(read(self._links.text), self._typed, self._known)
        reading = self._reading
        self.query_one("#summary", Static).update(self._summary())
        self._list("#problems", [(bad.line, bad.problem) for bad in reading.bad])
        self._list("#runs", reading.runs)
        self._list("#notes", reading.notes)
        count = f" {len(reading.fresh)}" if reading.fresh else ""
        button = self.query_one("#add", Button)
        button.label = labelled(f"Add{count}", "^s")
        button.refresh(layout=True)  # or it stays as wide as its first words

    def _summary(self) -> Content:
        reading = self._reading
        parts = [
            Content.styled(f"{count} {word}", ink)
            for count, word, ink in (
                (len(reading.fresh), "ok", "$success"),
                (len(reading.bad), "invalid", "$error"),
                (reading.queued, "already queued", "$warning"),
                (reading.twice, "twice here", "$warning"),
            )
            if count
        ]
        if self._links.is_cut:
            cut = f"only {MOST_LINES:,} lines or 1 MiB of it are here"
            parts.append(Content.styled(cut, "$error"))
        return Content(" · ").join(parts) if parts else Content.styled(_HINT, "dim")

    def _say(self, words: str) -> None:
        self.query_one("#summary", Static).update(
            Content.styled(words, "bold $warning")
        )

    def _list(self, where: str, said: Sequence[tuple[int, str]]) -> None:
        """The first few of them, each on a row of its own."""
        more = len(said) - _MOST_SAID
        shown = said if more <= 0 else said[: _MOST_SAID - 1]
        rows = [f"line {line}  {safe(words)}" for line, words in shown]
        if more > 0:
            rows.append(f"and {more + 1:,} more")
        part = self.query_one(where, Static)
        part.display = bool(rows)
        part.update("\n".join(rows))


def sorted_out(
    entries: tuple[Pasted, ...], typed: Typed, known: Callable[[JobSpec], bool]
) -> Reading:
    """The entries as jobs, apart from those that need not or can not be added."""
    specs = [merged(entry.spec, typed) for entry in entries if entry.spec]
    once = dict.fromkeys(specs)
    fresh = tuple(spec for spec in once if not known(spec))
    return Reading(
        fresh,
        queued=len(once) - len(fresh),
        twice=len(specs) - len(once),
        bad=tuple(entry for entry in entries if entry.spec is None),
        runs=tuple(
            (entry.line, f"runs {entry.spec.command}")
            for entry in entries
            if entry.spec and entry.spec.command
        ),
        notes=tuple((entry.line, note) for entry in entries for note in _notes(entry)),
    )


def _notes(entry: Pasted) -> Iterator[str]:
    if entry.spec and entry.spec.directory is not None:
        yield f"goes to {entry.spec.directory}"
    if entry.spec and entry.spec.mirrors:
        count = len(entry.spec.mirrors)
        yield f"and {count} more {'source' if count == 1 else 'sources'} of it"
    yield from entry.notes


def merged(spec: JobSpec, typed: Typed) -> JobSpec:
    """The job with what the fields say where the paste says nothing."""
    directory = typed.directory
    if spec.directory is not None:
        own = at_home(spec.directory)
        directory = own if directory is None else directory / own
    return replace(
        spec,
        directory=directory,
        checksum=spec.checksum or typed.checksum,
        threads=typed.threads,
        limit=typed.limit if spec.limit is None else spec.limit,
        command=spec.command or typed.command,
    )


def _row(label: str, picker: Picker) -> Horizontal:
    return Horizontal(
        Label(label, markup=False, classes="label"), picker, classes="row"
    )
