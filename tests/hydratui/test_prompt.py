"""The line at the foot of the screen: what typing into it does, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.events import AppBlur, AppFocus, Key

from engine import Event, EventKind
from hydratui.keymap import ACTIONS
from hydratui.screens.leave import Leaving
from tests.hydratui.stage import Stage, few_jobs, staged
from tests.hydratui.stand import is_harmless
from tests.hydratui.support import HOSTILE, NOW, running_job

# --------------------------------------------------------------------- typing


async def test_a_colon_opens_it_in_place_of_the_log_line() -> None:
    """And Escape brings the log line back."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon")
        assert stage.is_typing()
        assert stage.rows[-2].startswith(" :")
        await stage.press("escape")
        assert not stage.is_typing()
        assert ":" not in stage.rows[-2]


@pytest.mark.parametrize("sign", ["colon", "slash"])
async def test_every_letter_that_is_typed_is_a_letter(sign: str) -> None:
    """No key steers anything while somebody types, the app's own keys neither."""
    letters = [key for one in ACTIONS for key in one.keys if len(key) == 1]
    signs = ["question_mark", "comma", "colon", "asterisk", "plus", "slash", "space"]
    async with staged(few_jobs()) as stage:
        await stage.press(sign)
        before = stage.prompt.value
        await stage.press(*letters, *signs)
        assert stage.prompt.value == f"{before}{''.join(letters)}?,:*+/ "
        assert stage.is_home()
        assert stage.calls == []
        assert stage.main.view == "overview"
        assert not stage.queue.marked


async def test_letters_that_come_at_once_are_letters_too() -> None:
    """What was typed ahead of the prompt does not pause a job."""
    async with staged(few_jobs()) as stage:
        for key, letter in (("colon", ":"), ("p", "p"), ("q", "q")):
            stage.app.post_message(Key(key, letter))
        assert await stage.comes(lambda: stage.prompt.value == ":pq")
        assert stage.calls == []
        assert stage.is_home()


async def test_a_key_that_comes_with_enter_is_a_key_again() -> None:
    """A slow line brings several at once: what follows the end steers."""
    async with staged(few_jobs()) as stage:
        for key, letter in (("slash", "/"), ("x", "x"), ("enter", "\r"), ("2", "2")):
            stage.app.post_message(Key(key, letter))
        assert await stage.comes(lambda: stage.main.view == "lanes")
        assert stage.queue.filter.text == "x"


async def test_everything_goes_on_above_it() -> None:
    """The prompt is no dialog: ticks are shown while it is open."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", "p")
        stage.engine.jobs[2] = replace(stage.engine.jobs[2], rate=77.7e6)
        stage.app._tick_if_seen()
        await stage.settle()
        assert "77.7 MB/s" in stage.text("#queue")
        assert stage.prompt.value == ":p"


@pytest.mark.parametrize("key", ["escape", "ctrl+c", "ctrl+q"])
async def test_it_is_closed_before_the_app_is(key: str) -> None:
    """Escape gives up, and so do the keys that would leave the app."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", "x", key)
        assert not stage.is_typing()
        assert stage.is_home()
        assert not stage.main.has_class("-typing")
        await stage.press("ctrl+c")
        assert stage.sees(Leaving)


@pytest.mark.parametrize("keys", [["backspace"], ["x", "home", "delete"], ["ctrl+u"]])
async def test_without_its_sign_it_closes(keys: list[str]) -> None:
    """Deleting what opened it is a way out as well."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", *keys)
        assert not stage.is_typing()


async def test_an_empty_line_does_nothing() -> None:
    """Enter alone only closes it."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", "enter")
        assert not stage.is_typing()
        assert stage.latest == ""
        await stage.press("p")
        assert stage.calls == [("pause", 1)]


async def test_a_terminal_that_gets_too_small_closes_it() -> None:
    """Nobody types where nothing is seen; larger again, keys are keys."""
    async with staged(few_jobs()) as stage:
        await stage.press("slash", *"shard")
        await stage.resize(50, 10)
        assert not stage.is_typing()
        assert stage.queue.filter.text == ""
        await stage.resize(120, 36)
        await stage.press("p")
        assert stage.calls == [("pause", 1)]


async def test_looking_at_another_window_leaves_it_open() -> None:
    """Back again, one types on."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", "p")
        stage.app.post_message(AppBlur())
        await stage.settle()
        stage.app.post_message(AppFocus())
        await stage.settle()
        await stage.press("x")
        assert stage.prompt.value == ":px"


async def test_a_click_elsewhere_does_not_lose_what_is_typed() -> None:
    """The row is selected, the line stays, and hints are not keys meanwhile."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", "p")
        await stage.click("#queue", 20, 5)
        await stage.click("#keys", 9)
        assert stage.selected == 4
        assert stage.calls == []
        await stage.press("x")
        assert stage.prompt.value == ":px"


# ------------------------------------------------------- history, completion


async def test_what_was_typed_before_comes_back() -> None:
    """Up goes back, down forth and at last to the empty line; never the same twice."""
    async with staged(few_jobs()) as stage:
        for said in ("pause 2", "view log", "view log", "view lanes"):
            await stage.command(said)
        await stage.press("colon")
        seen = []
        for key in ("up", "up", "up", "up", "down", "down", "down", "down"):
            await stage.press(key)
            seen.append(stage.prompt.value)
        assert seen == [
            ":view lanes",
            ":view log",
            ":pause 2",
            ":pause 2",
            ":view log",
            ":view lanes",
            ":",
            ":",
        ]


async def test_commands_and_filters_are_remembered_apart() -> None:
    """Up behind a slash brings back filters."""
    async with staged(few_jobs()) as stage:
        await stage.command("pause 2")
        await stage.press("slash", *"shard", "enter")
        await stage.press("slash", "up")
        assert stage.prompt.value == "/shard"
        await stage.press("escape", "colon", "up")
        assert stage.prompt.value == ":pause 2"
        await stage.press("enter")
        assert stage.calls == [("pause", 2)]


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("set", ":settings"), ("vi", ":view"), ("job.cop", ":job.copy_url"), ("x", ":x")],
)
async def test_tab_completes_a_command(typed: str, completed: str) -> None:
    """The rest that is shown behind the cursor is taken."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon", *typed)
        await stage.press("tab")
        assert stage.prompt.value == completed
        assert stage.is_typing()


async def test_nothing_is_suggested_before_anything_is_typed() -> None:
    """Neither for a filter: names are not commands."""
    async with staged(few_jobs()) as stage:
        await stage.press("colon")
        assert stage.prompt._suggestion == ""
        await stage.press("escape", "slash", *"pau")
        assert stage.prompt._suggestion == ""


# -------------------------------------------------------------------- filters


async def test_a_filter_shows_while_it_is_typed() -> None:
    """Every letter counts at once, and Escape takes all of it back."""
    async with staged(few_jobs()) as stage:
        await stage.press("slash", *"ubu")
        assert stage.shown == [3]
        await stage.press("escape")
        assert len(stage.shown) == 12
        await stage.press("slash", *"st:fa", "enter")
        assert stage.shown == [6]
        await stage.press("slash", *" x")
        assert stage.shown == []
        await stage.press("escape")
        assert stage.shown == [6]
        assert stage.queue.filter.text == "st:fa"


async def test_the_filter_there_is_can_be_changed() -> None:
    """It is typed already; deleting its sign closes the line and keeps it."""
    async with staged(few_jobs()) as stage:
        await stage.press("slash", *"ubu", "enter", "slash")
        assert stage.prompt.value == "/ubu"
        await stage.press("ctrl+u")
        assert stage.queue.filter.text == "ubu"


async def test_a_filter_that_makes_no_sense_is_said() -> None:
    """Once it is finished; while it is typed, the last one that did stays."""
    async with staged(few_jobs()) as stage:
        await stage.press("slash", *"ubu >")
        assert stage.shown == [3]
        await stage.press("enter")
        assert "> is no size" in stage.text("#latest")
        assert stage.shown == [3]


# --------------------------------------------------------- searching the log


async def log_of(stage: Stage, count: int) -> None:
    events = (
        Event(NOW + n, 1, EventKind.RETRY, f"lane {n}: refused") for n in range(count)
    )
    await stage.happen(*events)


async def test_a_slash_in_the_log_searches_it() -> None:
    """The queue stays as it is; n and N go from match to match."""
    async with staged([running_job()]) as stage:
        await log_of(stage, 100)
        await stage.press("6", "slash", *"lane 7")
        assert "/lane 7 11 of 11" in stage.text("#log")
        await stage.press("enter")
        assert stage.shown == [1]
        for key, place in (("n", 1), ("n", 2), ("N", 1), ("N", 11), ("N", 10)):
            await stage.press(key)
            assert f"/lane 7 {place} of 11" in stage.text("#log")
        assert "lane 78" in stage.text("#log")


async def test_escape_forgets_the_search() -> None:
    """As it was before the slash."""
    async with staged([running_job()]) as stage:
        await log_of(stage, 10)
        await stage.press("6", "slash", *"lane", "escape")
        assert "/lane" not in stage.text("#log")
        await stage.press("n")
        assert stage.is_home()


async def test_searching_the_log_leaves_the_filter_alone() -> None:
    """They are two things behind one key."""
    async with staged(few_jobs()) as stage:
        await stage.press("slash", *"shard", "enter", "6", "slash")
        assert stage.prompt.value == "/"
        await stage.press(*"lane", "escape")
        assert stage.queue.filter.text == "shard"


# -------------------------------------------------------------------- hostile


@pytest.mark.parametrize("sign", ["colon", "slash"])
async def test_a_hostile_paste_is_harmless(sign: str) -> None:
    """What is pasted is shown as text, and so is what is said about it."""
    async with staged(few_jobs()) as stage:
        for text in HOSTILE:
            await stage.press(sign)
            await stage.paste(text)
            assert is_harmless(stage.picture)
            await stage.press("enter")
            assert is_harmless(stage.picture)


async def test_of_many_lines_the_first_is_taken() -> None:
    """A prompt is one line; a pasted list has a dialog of its own."""
    async with staged([]) as stage:
        await stage.press("colon")
        await stage.paste("view log\nquit!\n")
        assert stage.prompt.value == ":view log"
        assert stage.app.is_running
