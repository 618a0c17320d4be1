"""Every key of every action, pressed; and that each can be found and be moved.

`TRIALS` says for each action what is seen once its key was pressed, and was not
seen before. An action that is added to the table of keys needs a row here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from textual._compositor import LayoutUpdate
from textual.app import App
from textual.command import CommandList, CommandPalette
from textual.screen import Screen

from engine import JobSnapshot, UsageError
from hydratui.app import HydraApp
from hydratui.commands import VERBS
from hydratui.keymap import ACTIONS, VIEWS, Action, key_label
from hydratui.screens.add import Add
from hydratui.screens.edit import Edit
from hydratui.screens.help import Help
from hydratui.screens.leave import Leaving
from hydratui.screens.remove import Removing
from hydratui.screens.renew import FreshLink
from hydratui.screens.settings import SettingsScreen
from hydratui.screens.throttle import Throttle
from hydratui.settings import Settings, built_in
from tests.hydratui.stage import NARROW, WIDE, Stage, failed, staged
from tests.hydratui.support import Call, FakeEngine, mixed_queue

Seen = Callable[[Stage], object]


def queue() -> list[JobSnapshot]:
    """More than two pages of jobs; the file of the first one is there."""
    jobs = mixed_queue()[:40]
    return [replace(jobs[0], target=__file__), *jobs[1:]]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is so once the key was pressed, and was not so before."""

    seen: Seen
    before: tuple[str, ...] = ()
    """What to press first."""
    failing: tuple[int, ...] = ()
    """Jobs of which the log tells that they failed, before."""


def calls(*wanted: Call) -> Seen:
    return lambda stage: stage.calls == list(wanted)


def selects(job: int) -> Seen:
    return lambda stage: stage.selected == job


def marks(*jobs: int) -> Seen:
    return lambda stage: stage.queue.marked == set(jobs)


def opens(screen: type[Screen[Any]]) -> Seen:
    return lambda stage: stage.sees(screen)


def says(text: str, widget: str = "#latest") -> Seen:
    return lambda stage: text in stage.text(widget)


def views(name: str) -> Seen:
    return lambda stage: f"{name}]" in stage.text("#views")


def copies(text: str) -> Seen:
    return lambda stage: stage.app.clipboard == text


def has_opened(path: str) -> Seen:
    """What the opener of the desktop, an impostor, was given."""
    opened = Path("opened")
    return lambda _: opened.exists() and opened.read_text() == path


def prompts(text: str) -> Seen:
    return lambda stage: stage.is_typing() and stage.prompt.value == text


ALL = tuple(range(1, 41))

TRIALS: dict[str, Trial] = {
    "nav.up": Trial(selects(2), before=("j", "j")),
    "nav.down": Trial(selects(2)),
    "nav.page_up": Trial(selects(10), before=("pagedown", "pagedown", "k")),
    "nav.page_down": Trial(selects(11)),
    "nav.first": Trial(selects(1), before=("j", "j")),
    "nav.last": Trial(selects(40)),
    "mark.toggle": Trial(marks(1)),
    "mark.all": Trial(marks(*ALL)),
    "mark.none": Trial(marks(), before=("m", "m")),
    "job.add": Trial(opens(Add)),
    "job.toggle": Trial(calls(("pause", 1))),
    "job.pause": Trial(calls(("pause", 1))),
    "job.resume": Trial(calls(("resume", 4)), before=("j", "j", "j")),
    "job.retry": Trial(calls(("retry", 6)), before=("j",) * 5),
    "job.renew": Trial(opens(FreshLink)),
    "job.edit": Trial(opens(Edit)),
    "job.remove": Trial(opens(Removing)),
    "job.up": Trial(calls(("move", 2, -1)), before=("j",)),
    "job.down": Trial(calls(("move", 1, 1))),
    "job.first": Trial(lambda stage: stage.shown[0] == 3, before=("j", "j")),
    "job.last": Trial(lambda stage: stage.shown[-1] == 1),
    "job.copy_url": Trial(
        copies("https://cdn.example.org/shards/2?token=secret"), before=("j",)
    ),
    "job.copy_path": Trial(copies("download/2.parquet"), before=("j",)),
    "job.open_file": Trial(has_opened(__file__)),
    "job.open_folder": Trial(has_opened(str(Path(__file__).parent))),
    "queue.toggle": Trial(lambda stage: ("pause", 40) in stage.calls),
    "queue.clear": Trial(calls(("remove", 7, False), ("remove", 8, False))),
    "lanes.more": Trial(calls(("set_threads", 1, 29))),
    "lanes.fewer": Trial(calls(("set_threads", 1, 27))),
    "lanes.auto": Trial(calls(("set_threads", 1, None))),
    "limit.down": Trial(calls(("set_limit", 291e6))),
    "limit.up": Trial(calls(("set_limit", 355e6))),
    "limit.job": Trial(opens(Throttle)),
    "limit.all": Trial(opens(Throttle)),
    "find.filter": Trial(prompts("/")),
    "find.next": Trial(
        says("1 of 3", "#log"), before=("6", "/", *"404", "enter"), failing=(1, 2, 3)
    ),
    "find.before": Trial(
        says("2 of 3", "#log"), before=("6", "/", *"404", "enter"), failing=(1, 2, 3)
    ),
    "sort.next": Trial(says("sort name ↑", "#queue")),
    "sort.flip": Trial(says("sort # ↓", "#queue")),
    **{
        f"view.{view}": Trial(
            views(view.capitalize()), before=("2" if at == 4 else str(8 - at),)
        )
        for at, view in enumerate(VIEWS, start=1)
    },
    "view.before": Trial(views("Info")),
    "view.after": Trial(views("Lanes")),
    "view.zoom": Trial(lambda stage: not stage.queue.is_on_screen),
    "view.vary": Trial(says("bars", "#lanes")),
    "view.order": Trial(says("slowest first", "#lanes")),
    "view.freeze": Trial(says("FROZEN", "#status")),
    "view.back": Trial(lambda stage: stage.queue.is_on_screen, before=("z",)),
    "app.settings": Trial(opens(SettingsScreen)),
    "app.themes": Trial(opens(CommandPalette)),
    "app.command": Trial(prompts(":")),
    "app.palette": Trial(opens(CommandPalette)),
    "app.redraw": Trial(lambda stage: "everything" in drawn(stage)),
    "app.suspend_process": Trial(lambda stage: stage.app.sub_title == "suspended"),
    "app.help": Trial(opens(Help)),
    "app.leave": Trial(opens(Leaving)),
}

PRESSES = [(action, key) for action in ACTIONS for key in action.keys]


def drawn(stage: Stage) -> list[str]:
    """Whether everything was drawn, or only parts, since the trial began."""
    return stage.app.drawn  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop that only writes down what it is to open; nobody is stopped."""
    monkeypatch.chdir(tmp_path)
    for name in ("xdg-open", "open"):
        opener = tmp_path / "bin" / name
        opener.parent.mkdir(exist_ok=True)
        opener.write_text('#!/bin/sh\nprintf %s "$1" > new && mv new opened\n')
        opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)

    def suspend(app: App[None]) -> None:
        app.sub_title = "suspended"

    monkeypatch.setattr(App, "action_suspend_process", suspend)


def watch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.app.drawn = []  # type: ignore[attr-defined]
    display = stage.app._display

    def watched(screen: Screen[object], update: Any) -> None:
        whole = isinstance(update, LayoutUpdate)
        drawn(stage).append("everything" if whole else "some of it")
        display(screen, update)

    monkeypatch.setattr(stage.app, "_display", watched)


def test_every_action_has_its_trial() -> None:
    """There is no key without a row in the table above, and no row without a key."""
    assert set(TRIALS) == {action.id for action in ACTIONS}


@pytest.mark.parametrize(
    ("action", "key"),
    PRESSES,
    ids=[f"{one.id}:{key_label(key)}" for one, key in PRESSES],
)
async def test_a_key_does_what_it_is_for(
    action: Action, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has an effect that was not there before."""
    trial = TRIALS[action.id]
    async with staged(queue()) as stage:
        await stage.happen(*failed(*trial.failing))
        await stage.press(*trial.before)
        watch(stage, monkeypatch)
        assert not trial.seen(stage)
        await stage.press(key)
        assert await stage.comes(lambda: trial.seen(stage))


# --------------------------------------------------- where each can be found


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])
async def test_help_tells_of_every_key(size: tuple[int, int]) -> None:
    """Scrolled through, in the view it is for; also of every command and sign."""
    async with staged(queue(), size=size) as stage:
        for view in VIEWS:
            stage.main.see(view)
            page = await all_of_help(stage)
            for action in ACTIONS:
                assert f"{action.shown} " in page
                assert action.help in page
            for verb in VERBS:
                assert f":{verb.usage}" in page
            own = [one for one in ACTIONS if view in one.views]
            assert (f"Here, in {view}" in page) is bool(own)


async def all_of_help(stage: Stage) -> str:
    """Every row of it, once it has been scrolled to its end."""
    await stage.press("question_mark")
    rows: list[str] = []
    while not set(stage.rows) <= set(rows):
        rows += stage.rows
        await stage.press("pagedown")
    await stage.press("escape")
    return "\n".join(rows)


async def test_the_palette_offers_every_action_and_every_verb() -> None:
    """But not itself, nor the line that it types into."""
    async with staged(queue()) as stage:
        await stage.press("ctrl+p")
        offered = await offers(stage)
        actions = {one.id for one in ACTIONS} - {"app.palette", "app.command"}
        assert {one for one in offered if one[0] != ":"} == actions
        assert {one for one in offered if one[0] == ":"} == {
            f":{verb.usage}" for verb in VERBS
        }


async def offers(stage: Stage) -> dict[str, str]:
    """What the palette lists, and what it says about it."""
    found = stage.top.query_one(CommandList)
    await stage.comes(lambda: found.option_count > len(ACTIONS))
    prompts = [str(option.prompt) for option in found.options]
    return dict(prompt.split("\n") for prompt in prompts)


async def test_the_palette_says_which_keys_there_are() -> None:
    """Also those that would be markup."""
    async with staged(queue()) as stage:
        await stage.press("ctrl+p")
        told = await offers(stage)
        for action in ACTIONS:
            if action.id in told:
                assert (
                    told[action.id] == f"{action.help} ({action.group}, {action.shown})"
                )


# ------------------------------------------------------------- other keys


def bound(keys: Mapping[str, tuple[str, ...]]) -> Settings:
    return built_in()._replace(keys=keys)


async def test_an_action_has_the_keys_that_somebody_wants() -> None:
    """The new one does it and the old one does nothing; the bar and help say so."""
    async with staged(queue(), settings=bound({"job.add": ("x", "ctrl+x")})) as stage:
        assert "x Add" in stage.text("#keys")
        assert "a Add" not in stage.text("#keys")
        assert "x ^x      add URLs" in await all_of_help(stage)
        await stage.press("a")
        assert stage.is_home()
        for key in ("x", "ctrl+x"):
            await stage.press(key)
            assert stage.sees(Add)
            await stage.press("escape")


async def test_two_actions_may_have_each_others_keys() -> None:
    """What was p is r, and what was r is p."""
    keys = {"job.pause": ("r",), "job.resume": ("p",)}
    async with staged(queue(), settings=bound(keys)) as stage:
        await stage.press("r", "p")
        assert stage.calls == [("pause", 1), ("resume", 1)]


async def test_an_action_may_have_no_key() -> None:
    """Then its keys do nothing, nobody tells of them, and the palette still has it."""
    settings = bound({"job.pause": (), "job.add": (), "app.leave": ()})
    async with staged(queue(), settings=settings) as stage:
        await stage.press("p", "a", "q")
        assert stage.calls == []
        assert stage.is_home()
        assert "Add" not in stage.text("#keys")
        assert "Quit" not in stage.text("#keys")
        assert "add URLs" not in await all_of_help(stage)
        await stage.press("ctrl+p")
        assert (await offers(stage))["job.add"] == "add URLs; pasting works too (Jobs)"


async def test_the_way_out_stays_where_it_is() -> None:
    """Whatever keys leaving has: ctrl+c and ctrl+q are its keys too."""
    async with staged(queue(), settings=bound({"app.leave": ("x",)})) as stage:
        for key in ("x", "ctrl+c", "ctrl+q"):
            await stage.press(key)
            assert stage.sees(Leaving)
            await stage.press("escape")


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
def test_the_way_out_can_not_be_taken(key: str) -> None:
    """It would never do anything else."""
    engine = FakeEngine()
    settings = bound({"app.leave": ("q",), "job.pause": (key,)})
    with pytest.raises(UsageError, match=r"is bound to app\.leave and to job\.pause"):
        HydraApp(engine, settings=settings)


@pytest.mark.parametrize("action", ACTIONS[::5], ids=lambda one: one.id)
async def test_any_action_can_be_moved(
    action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is free does what its own keys did."""
    trial = TRIALS[action.id]
    settings = bound({action.id: ("f12",)})
    async with staged(queue(), settings=settings) as stage:
        await stage.happen(*failed(*trial.failing))
        await stage.press(*[_moved(key, action) for key in trial.before])
        watch(stage, monkeypatch)
        await stage.press("f12")
        assert await stage.comes(lambda: trial.seen(stage))


def _moved(key: str, action: Action) -> str:
    return "f12" if key in {*action.keys, *map(key_label, action.keys)} else key
