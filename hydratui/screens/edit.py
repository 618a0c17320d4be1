"""The dialog for a job that is there: the fields it was added with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from engine import JobSpec
from hydratui.screens.dialog import Dialog, labelled
from hydratui.text import safe, shorten
from hydratui.widgets.job_form import JobForm, Typed, free_space


class Edit(Dialog[JobSpec | None]):
    """Shows a job's fields; ends with the job as it shall be, or None to leave it."""

    AUTO_FOCUS = "#directory"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("escape", "leave", show=False),
    ]

    def __init__(
        self,
        spec: JobSpec,
        name: str,
        *,
        free: Callable[[Path], int | None] = free_space,
    ) -> None:
        super().__init__()
        self._spec = spec
        self._called = name
        self._form = JobForm(Typed.of(spec), named=True, free=free)

    def compose(self) -> ComposeResult:
        with Vertical(classes="box form short") as box:
            box.border_title = Content(f"Edit {shorten(safe(self._called), 56)}")
            with VerticalScroll(classes="body", can_focus=False):
                yield self._form
                yield Static(self._private(), markup=False, classes="hint")
            with Horizontal(classes="answers"):
                yield Button(labelled("Save", "^s"), id="save", compact=True)
                yield Button(labelled("Cancel", "esc"), id="cancel", compact=True)

    def _private(self) -> str:
        """That there are headers, which may be secrets."""
        count = len(self._spec.headers)
        if not count:
            return "Its link stays; a fresh one is another question."
        return f"Its link and {count} {'header' if count == 1 else 'headers'} stay."

    def on_input_submitted(self) -> None:
        self.action_save()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "save":
            self.action_save()
        else:
            self.action_leave()

    def action_save(self) -> None:
        typed = self._form.typed()
        if typed is None:
            self._form.go_to_wrong()
            return
        spec = replace(
            self._spec,
            directory=typed.directory,
            name=typed.name,
            checksum=typed.checksum,
            threads=typed.threads,
            limit=typed.limit,
            command=typed.command,
        )
        _ = self.dismiss(None if spec == self._spec else spec)

    def action_leave(self) -> None:
        _ = self.dismiss(None)
