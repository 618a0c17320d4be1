"""The settings, edited with keys and mouse on a screen, and saved in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from hydratui.app import HydraApp
from hydratui.draft import GROUPS, SHOWN
from hydratui.screens.confirm import Confirm
from hydratui.screens.settings import SettingsScreen
from hydratui.settings import Settings, load
from hydratui.widgets.setting import Choice, Lines, SettingRow
from tests.hydratui.hands import press
from tests.hydratui.support import FakeEngine, running_job

MINE = """\
# what I like
limit = "20M"  # the neighbours
header = ["Cookie: hunter2", "A: b"]
on-conflict = "skip"
"""
BOTH_SIZES = pytest.mark.parametrize(
    "size", [(120, 36), (80, 24)], ids=["120x36", "80x24"]
)


class Stage:
    """The screen on an app, the file it edits, and what it told the app."""

    def __init__(self, app: HydraApp, pilot: Pilot[None], path: Path) -> None:
        self.app = app
        self.pilot = pilot
        self._path = path
        self.applied: list[Settings] = []

    @property
    def file(self) -> str:
        return self._path.read_text()

    @file.setter
    def file(self, text: str) -> None:
        self._path.write_text(text)

    @property
    def screen(self) -> SettingsScreen:
        assert isinstance(self.app.screen, SettingsScreen)
        return self.app.screen

    async def press(self, *keys: str) -> None:
        await press(self.app, *keys)

    async def go(self, group: str) -> None:
        """To a group, from wherever one is."""
        groups = self.screen.query_one(OptionList)
        while self.screen._group != group:
            await self.press("pagedown")
        assert groups.highlighted == GROUPS.index(group)

    async def focus(self, name: str) -> SettingRow:
        row = self.screen.query_one(f"#row-{name}", SettingRow)
        row.control.focus()
        await self.pilot.pause()
        return row

    async def type(self, name: str, text: str) -> None:
        await self.focus(name)
        await self.press("ctrl+u", "ctrl+k", *text)

    def standing(self, name: str) -> str:
        row = self.screen.query_one(f"#row-{name}", SettingRow)
        return str(row.query_one(".standing", Static).content)

    @property
    def about(self) -> str:
        return str(self.screen.query_one("#about", Static).content)

    @property
    def text(self) -> str:
        """All that is on the screen."""
        lines = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join("".join(part.text for part in line) for line in lines)


@asynccontextmanager
async def staged(
    folder: Path,
    *,
    text: str = MINE,
    typed: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    size: tuple[int, int] = (80, 24),
    group: str = "Speed",
) -> AsyncIterator[Stage]:
    path = folder / "config.toml"
    path.write_text(text)
    settings = load(typed or {}, file=str(path), environ=environ or {})
    app = HydraApp(FakeEngine([running_job()]), live=False, clock=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        stage = Stage(app, pilot, path)
        await app.push_screen(SettingsScreen(settings, stage.applied.append, group))
        await pilot.pause()
        yield stage


# -- looking


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 36), (240, 70)])
async def test_every_setting_is_there(tmp_path: Path, size: tuple[int, int]) -> None:
    """Each group shows its settings, in every size; PgUp and PgDn go round them."""
    seen = []
    async with staged(tmp_path, size=size, group="Storage") as stage:
        for group in GROUPS:
            assert group in stage.text.splitlines()[0]
            seen += [row.option for row in stage.screen.query(SettingRow)]
            assert str(stage.screen.query(SettingRow).first().option.label) in (
                stage.text
            )
            await stage.press("pagedown")
        assert stage.screen._group == "Storage"
        await stage.press("pageup")
        assert stage.screen._group == "Display"
    assert seen == list(SHOWN)


async def test_a_terminal_of_no_size(tmp_path: Path) -> None:
    """Where there is no room nothing breaks, and it is all there again afterwards."""
    async with staged(tmp_path, size=(12, 4)) as stage:
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert "Limit for everything" in stage.text


async def test_where_values_come_from(tmp_path: Path) -> None:
    """Built-in, file, environment or command line: it is said of each."""
    typed, environ = {"threads": "8"}, {"HYDRA_TUI_JOBS": "3"}
    async with staged(tmp_path, typed=typed, environ=environ) as stage:
        assert stage.standing("min-chunk-mb") == "· built-in"
        assert stage.standing("limit") == "· config.toml"
        assert stage.standing("jobs") == "! environment: 3"
        assert stage.standing("threads") == "! typed: 8"
        await stage.focus("threads")
        assert "saving will not change this run" in stage.about


async def test_secrets_stay_hidden(tmp_path: Path) -> None:
    """Of a cookie only the name is shown, and editing beside it keeps the rest."""
    async with staged(tmp_path, group="Network") as stage:
        assert "hunter2" not in stage.text
        row = await stage.focus("header")
        assert isinstance(row.control, Lines)
        assert row.control.text == "Cookie: ***\nA: b"
        await stage.press("ctrl+end", "down", "end", "c", "ctrl+s")
        assert 'header = ["Cookie: hunter2", "A: bc"]' in stage.file
        await stage.press("enter", *"X-Token: swordfish", "ctrl+s")
        assert '"A: bc", "X-Token: swordfish"]' in stage.file
        assert row.control.text == "Cookie: ***\nA: bc\nX-Token: ***"
        assert "swordfish" not in stage.text
        assert stage.screen._draft.changes() == {}


async def test_text_of_the_file_does_nothing(tmp_path: Path) -> None:
    """What somebody put into the file is only read."""
    text = 'output = "a\\u001b[2Jb[/]"\nurl-command = "\\u202ex"'
    async with staged(tmp_path, text=text, group="Storage") as stage:
        assert "\x1b" not in stage.text
        await stage.go("Network")
        assert "\u202e" not in stage.text
        await stage.press("escape")
        assert not isinstance(stage.app.screen, SettingsScreen)


# -- editing


async def test_saving(tmp_path: Path) -> None:
    """What was edited goes into the file, the rest of it stays, and the app is told."""
    async with staged(tmp_path) as stage:
        await stage.type("limit", "5M")
        assert stage.standing("limit") == "● edited"
        assert stage.file == MINE
        await stage.press("ctrl+s")
        assert stage.file == MINE.replace("20M", "5M")
        [settings] = stage.applied
        assert settings.config.limit == 5e6
        assert stage.standing("limit") == "· config.toml"
        assert stage.about == "Saved: limit at once."
        await stage.press("escape")
        assert not isinstance(stage.app.screen, SettingsScreen)


async def test_saving_nothing(tmp_path: Path) -> None:
    """Without an edit nothing is written, and it says so."""
    async with staged(tmp_path) as stage:
        await stage.press("ctrl+s")
        assert stage.about == "Nothing was changed."
        assert stage.applied == []


async def test_a_wrong_value_is_not_saved(tmp_path: Path) -> None:
    """While one value is wrong nothing is saved; the way leads back to it."""
    async with staged(tmp_path) as stage:
        await stage.type("jobs", "99")
        assert stage.standing("jobs") == "✗ wrong"
        assert stage.about.startswith("✗ 99 is not allowed; 1 to 16")
        await stage.type("limit", "5M")
        await stage.go("Network")
        await stage.press("ctrl+s")
        assert stage.screen._group == "Speed"
        assert stage.about.startswith("✗ 99 is not allowed")
        assert (stage.file, stage.applied) == (MINE, [])
        await stage.type("jobs", "9")
        await stage.press("ctrl+s")
        assert "jobs = 9" in stage.file
        assert 'limit = "5M"' in stage.file


async def test_back_to_the_built_in_value(tmp_path: Path) -> None:
    """Ctrl+r takes the key out of the file, once that is saved."""
    async with staged(tmp_path) as stage:
        await stage.focus("limit")
        await stage.press("ctrl+r")
        assert stage.standing("limit") == "● edited"
        await stage.press("ctrl+s")
        assert "limit" not in stage.file
        assert stage.applied[-1].config.limit is None
        assert stage.standing("limit") == "· built-in"


@pytest.mark.parametrize(
    ("group", "name"),
    [("Storage", "on-conflict"), ("Network", "header"), ("Network", "insecure")],
)
async def test_every_kind_of_field_can_be_reset(
    tmp_path: Path, group: str, name: str
) -> None:
    """Lists, switches and many lines go back as well."""
    text = MINE + "insecure = true\n"
    async with staged(tmp_path, text=text, group=group) as stage:
        await stage.focus(name)
        await stage.press("ctrl+r", "ctrl+s")
        assert name not in stage.file
        assert stage.standing(name) == "· built-in"


async def test_a_value_that_is_overruled(tmp_path: Path) -> None:
    """It is saved for later runs, and this one keeps what was typed."""
    async with staged(tmp_path, typed={"threads": "8"}) as stage:
        await stage.type("threads", "16")
        await stage.press("ctrl+s")
        assert "threads = 16" in stage.file
        assert stage.about == "Saved: threads not in this run."
        assert stage.applied[-1].config.threads == 8
        assert stage.standing("threads") == "! typed: 8"


async def test_edits_survive_other_groups(tmp_path: Path) -> None:
    """Looking elsewhere loses nothing."""
    async with staged(tmp_path) as stage:
        await stage.type("jobs", "7")
        await stage.go("Display")
        await stage.go("Speed")
        assert stage.standing("jobs") == "● edited"
        await stage.press("ctrl+s")
        assert "jobs = 7" in stage.file


async def test_a_file_that_broke_meanwhile(tmp_path: Path) -> None:
    """What cannot be saved is told, and stays an edit."""
    async with staged(tmp_path) as stage:
        await stage.type("jobs", "7")
        stage.file = "threads 8"
        await stage.press("ctrl+s")
        assert "it is not TOML" in stage.about
        assert (stage.file, stage.applied) == ("threads 8", [])
        stage.file = "# mended"
        await stage.press("ctrl+s")
        assert stage.file.splitlines() == ["# mended", "jobs = 7"]


async def test_a_theme_is_shown_when_it_is_chosen(tmp_path: Path) -> None:
    """It comes at once, stays if it is saved, and goes if it is not."""
    async with staged(tmp_path, group="Display") as stage:
        before = stage.app.theme
        row = await stage.focus("theme")
        assert isinstance(row.control, Choice)
        row.control.value = "nord"
        await stage.pilot.pause()
        assert stage.app.theme == "nord"
        await stage.press("escape", "d")
        assert stage.app.theme == before
        assert stage.file == MINE


async def test_a_theme_that_is_saved_stays(tmp_path: Path) -> None:
    """Leaving after saving does not bring the old one back."""
    async with staged(tmp_path, group="Display") as stage:
        row = await stage.focus("theme")
        assert isinstance(row.control, Choice)
        row.control.value = "nord"
        await stage.pilot.pause()
        await stage.press("ctrl+s", "escape")
        assert stage.app.theme == "nord"
        assert stage.applied[-1].theme == "nord"
        assert 'theme = "nord"' in stage.file


# -- getting about


async def test_keys_lead_from_row_to_row(tmp_path: Path) -> None:
    """Enter goes into a group, up and down through it, whatever stands in a row."""
    async with staged(tmp_path, group="Network") as stage:
        await stage.press("enter")
        for name in ("connect-timeout", "stall-timeout", "give-up-after"):
            row = stage.screen._row
            assert row is not None
            assert row.option.name == name
            await stage.press("down")
        await stage.press("down", "down")  # over the list of browsers
        row = stage.screen._row
        assert row is not None
        assert row.option.name == "header"
        assert stage.screen._draft.changes() == {}


async def test_letters_are_typed(tmp_path: Path) -> None:
    """No letter is a command where one types."""
    async with staged(tmp_path, group="Network") as stage:
        await stage.type("url-command", "q, ?/")
        await stage.press("ctrl+s")
        assert stage.applied[-1].config.url_command == "q, ?/"


async def test_the_mouse(tmp_path: Path) -> None:
    """A click chooses a group, a field, a word and a key."""
    async with staged(tmp_path, size=(120, 36)) as stage:
        await stage.pilot.click("#groups", offset=(3, 4))
        await stage.pilot.pause()
        assert stage.screen._group == "Network"
        await stage.pilot.click("#row-insecure .label")
        await stage.pilot.pause()
        row = stage.screen._row
        assert row is not None
        assert row.option.name == "insecure"
        await stage.pilot.click("#set-insecure", offset=(12, 0))
        await stage.pilot.pause()
        assert stage.standing("insecure") == "● edited"
        await stage.pilot.click("#hints", offset=(2, 0))
        await stage.pilot.pause()
        assert "insecure = true" in stage.file


@pytest.mark.parametrize(
    ("key", "saved", "left"),
    [("s", True, True), ("d", False, True), ("escape", False, False)],
)
async def test_leaving_with_edits(
    tmp_path: Path, key: str, saved: bool, left: bool
) -> None:
    """Edits that are not saved are asked about: save, discard, or stay."""
    async with staged(tmp_path) as stage:
        await stage.type("limit", "5M")
        await stage.press("escape")
        assert isinstance(stage.app.screen, Confirm)
        assert "Limit for everything" in stage.text
        await stage.press(key)
        assert (stage.file != MINE) == saved
        assert (not isinstance(stage.app.screen, SettingsScreen)) == left
        if not left:
            assert stage.standing("limit") == "● edited"


async def test_leaving_without_edits(tmp_path: Path) -> None:
    """Who changed nothing is not asked."""
    async with staged(tmp_path) as stage:
        await stage.type("limit", "5M")
        await stage.type("limit", "20M")
        await stage.press("escape")
        assert stage.app.screen is stage.app._main


# -- pictures


class Compare(Protocol):
    """What pytest-textual-snapshot gives."""

    def __call__(
        self,
        app: HydraApp,
        *,
        terminal_size: tuple[int, int],
        run_before: Callable[[Pilot[None]], object],
    ) -> bool: ...


@BOTH_SIZES
@pytest.mark.parametrize("group", ["Speed", "Network"])
def test_pictures(
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    group: str,
) -> None:
    """An edit, a wrong one, one of the file, and one that was typed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    settings = load({"threads": "8", "insecure": "true"}, file=str(path), environ={})
    app = HydraApp(FakeEngine([running_job()]), live=False, clock=lambda: 0.0)

    async def edit(pilot: Pilot[None]) -> None:
        await app.push_screen(SettingsScreen(settings, lambda _: None, group))
        await pilot.pause()
        await pilot.press("enter", "down", *"12", "down", "end", "x")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=edit)
