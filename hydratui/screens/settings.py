"""The settings, to be looked at and changed while everything runs.

Left the groups, right their rows, below what there is to know about the row that
has the focus. What is edited is `config.toml`, and nothing counts before it is saved;
only a theme is shown as soon as it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Click
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option as Item

from engine import HydraError
from hydratui.draft import GROUPS, SHOWN, Draft, explained, saved_words
from hydratui.screens.confirm import Choice, Confirm
from hydratui.settings import Settings, save
from hydratui.table import Option
from hydratui.text import safe
from hydratui.widgets.key_bar import Spot, spot_at, spot_line
from hydratui.widgets.line import Line, LineWidget
from hydratui.widgets.setting import SettingRow

_HINTS = (
    ("^s", "Save", "save"),
    ("^r", "Built-in value", "reset"),
    ("PgUp PgDn", "Group", "group(1)"),
    ("esc", "Back", "back"),
)


class Groups(OptionList, inherit_bindings=False):
    """The names of the groups; the keys for pages are the screen's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter,right", "select", show=False),
    ]


class Rows(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The rows of one group."""


class Hints(LineWidget[tuple[Spot, ...]]):
    """The keys of this screen; a click on one is as good as the key."""

    def lay(self, value: tuple[Spot, ...], size: Size) -> Sequence[Line]:
        return [spot_line(value, size.width)]

    async def on_click(self, event: Click) -> None:
        spot = spot_at(self._value or (), event.x)
        if spot is not None:
            await self.screen.run_action(spot.command)


class SettingsScreen(Screen[None]):
    """Shows and saves settings; `apply` is told what holds after each saving."""

    AUTO_FOCUS = "#groups"
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (76, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", show=False),
        Binding("ctrl+r", "reset", show=False),
        Binding("pageup", "group(-1)", show=False),
        Binding("pagedown", "group(1)", show=False),
        Binding("up", "row(-1)", show=False),
        Binding("down", "row(1)", show=False),
        Binding("escape", "back", show=False),
    ]

    def __init__(
        self, settings: Settings, apply: Callable[[Settings], None], group: str = ""
    ) -> None:
        super().__init__(id="settings")
        self._draft = Draft(settings)
        self._apply = apply
        self._group = group or GROUPS[0]
        self._theme = ""
        self._groups = Groups(
            *(Item(f" {name}", id=name) for name in GROUPS),
            id="groups",
            compact=True,
            markup=False,
        )
        self._rows = Rows(id="rows")
        self._about = Static(markup=False, id="about")
        self._page = Vertical(self._rows, self._about, id="page")
        self._hints = Hints(id="hints")

    def compose(self) -> ComposeResult:
        with Horizontal(id="panes"):
            yield self._groups
            yield self._page
        yield self._hints

    async def on_mount(self) -> None:
        self._theme = self.app.theme
        self._groups.border_title = Content("Settings")
        self._page.border_subtitle = Content(safe(_homely(self._draft.settings.path)))
        self._groups.highlighted = GROUPS.index(self._group)
        self._hints.show(_spots())
        await self._show_group()

    # ---------------------------------------------------------------- groups

    async def on_option_list_option_highlighted(
        self, event: OptionList.OptionHighlighted
    ) -> None:
        if event.option_list is self._groups and event.option_id != self._group:
            self._group = event.option_id or self._group
            await self._show_group()

    async def _show_group(self) -> None:
        self._page.border_title = Content(self._group)
        await self._rows.remove_children()
        options = (option for option in SHOWN if option.group == self._group)
        await self._rows.mount_all(
            SettingRow(option, self._draft.text(option), self._choices(option.name))
            for option in options
        )
        self._tell()

    def _choices(self, name: str) -> Sequence[str] | None:
        return sorted(self.app.available_themes) if name == "theme" else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list is self._groups:
            self._focus_row(0)

    def action_group(self, step: int) -> None:
        index = (GROUPS.index(self._group) + step) % len(GROUPS)
        self._groups.focus()
        self._groups.highlighted = index

    # ------------------------------------------------------------------ rows

    @property
    def _shown(self) -> list[SettingRow]:
        return list(self._rows.query_children(SettingRow))

    @property
    def _row(self) -> SettingRow | None:
        """The row that has the focus."""
        return next((row for row in self._shown if row.has_focus_within), None)

    def action_row(self, step: int) -> None:
        if self._row is not None:
            self._focus_row(self._shown.index(self._row) + step)

    def _focus_row(self, index: int) -> None:
        if 0 <= index < len(self._shown):
            self._shown[index].control.focus()

    def on_descendant_focus(self) -> None:
        self._tell()

    def on_setting_row_edited(self, event: SettingRow.Edited) -> None:
        row = event.row
        if row.is_attached:
            self._draft.edit(row.option, row.text)
            self._preview()
            self._tell()

    def action_reset(self) -> None:
        """Take the built-in value, and the key out of the file once that is saved."""
        if self._row is not None:
            self._row.reset()
            self._draft.edit(self._row.option, "")
            self._tell()

    def _tell(self, said: str = "", *, wrong: bool = False) -> None:
        """Say of all rows where they stand, and what there is to know about one."""
        for each in self._shown:
            each.say(self._draft)
        row = self._row
        if not said and row is not None:
            problem = self._draft.problem(row.option)
            lines = explained(self._draft, row.option)
            said = "\n".join([f"✗ {problem}", *lines] if problem else lines)
            wrong = problem is not None
        self._about.set_class(wrong, "wrong")
        self._about.update("\n".join(map(safe, (said or _WELCOME).split("\n"))))

    def _preview(self) -> None:
        """Show a theme that is chosen, as long as it is one."""
        option = next(option for option in SHOWN if option.name == "theme")
        wanted = self._draft.text(option) or option.default
        shown = wanted if self._draft.is_changed(option) else self._theme
        if shown in self.app.available_themes:
            self.app.theme = shown

    # ---------------------------------------------------------------- saving

    async def action_save(self) -> None:
        await self._save()

    async def _save(self) -> bool:
        """Save all edits, if all of them can be; whether there is nothing left to."""
        wrong = self._draft.wrong()
        if wrong:
            await self._go_to(wrong[0])
            return False
        changes, before = self._draft.changes(), self._draft.settings
        if not changes:
            self._tell("Nothing was changed.")
            return True
        try:
            save(before.path, changes)
            settings = before.again()
        except HydraError as error:
            self._tell(f"✗ {error}", wrong=True)
            return False
        self._adopt(settings)
        self._tell(saved_words(changes, before))
        return True

    async def _go_to(self, option: Option) -> None:
        self._group = option.group
        self._groups.highlighted = GROUPS.index(option.group)
        await self._show_group()
        self.query_one(f"#row-{option.name}", SettingRow).control.focus()

    def _adopt(self, settings: Settings) -> None:
        """Go on from what was saved."""
        self._draft = Draft(settings)
        for row in self._shown:
            row.adopt(self._draft.text(row.option))
        self._apply(settings)
        self._theme = self.app.theme

    async def action_back(self) -> None:
        """Leave; with edits that are not saved, ask first."""
        changed = [o.label for o in SHOWN if self._draft.is_changed(o)]
        if not changed:
            self._leave()
            return
        question = Confirm(
            "Leave without saving?",
            (f"Not saved yet: {', '.join(changed)}.",),
            (
                Choice("s", "Save", "save"),
                Choice("d", "Discard", "discard"),
                Choice("escape", "Stay", "stay"),
            ),
        )
        await self.app.push_screen(question, self._answered)

    async def _answered(self, answer: str | None) -> None:
        if answer == "discard" or (answer == "save" and await self._save()):
            self._leave()

    def _leave(self) -> None:
        self.app.theme = self._theme
        _ = self.dismiss()


_WELCOME = "What can be set, and where each value comes from."


def _spots() -> tuple[Spot, ...]:
    spots: list[Spot] = []
    start = 1
    for key, words, command in _HINTS:
        spots.append(Spot(start, ((key, "key"), (f" {words}", "dim")), command))
        start = spots[-1].stop + 2
    return tuple(spots)


def _homely(path: Path) -> str:
    """The path as people write it."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (RuntimeError, ValueError):
        return str(path)
