"""The palette: searching what can be done, and doing it."""

from __future__ import annotations

import pytest
from textual.command import CommandList

from hydratui.screens.help import Help
from hydratui.screens.leave import Leaving
from tests.hydratui.stage import NARROW, WIDE, Stage, few_jobs, staged


async def search(stage: Stage, text: str, first: str) -> None:
    """Type it, and wait until that is the first line that is found."""
    await stage.press("ctrl+p", *text)

    def is_found() -> bool:
        options = stage.top.query_one(CommandList).options
        return bool(options) and str(options[0].prompt).split("\n")[0] == first

    assert await stage.comes(is_found)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])
async def test_what_is_found_is_done(size: tuple[int, int]) -> None:
    """An action as with its key, for the selected job."""
    async with staged(few_jobs(), size=size) as stage:
        await stage.press("j")
        await search(stage, "job.pause", "job.pause")
        await stage.press("enter")
        assert await stage.comes(lambda: stage.calls == [("pause", 2)])
        assert stage.is_home()


@pytest.mark.parametrize(
    ("text", "first", "screen"),
    [("these keys", "app.help", Help), ("asking if jobs run", "app.leave", Leaving)],
)
async def test_actions_of_the_app_are_found_by_what_they_do(
    text: str, first: str, screen: type
) -> None:
    """One need not know how they are called."""
    async with staged(few_jobs()) as stage:
        await search(stage, text, first)
        await stage.press("enter")
        assert await stage.comes(lambda: stage.sees(screen))


@pytest.mark.parametrize(
    ("text", "first", "typed"),
    [
        ("export", ":export FILE", ":export "),
        (":retry", ":retry [JOBS]", ":retry "),
        ("quit!", ":quit!", ":quit!"),
    ],
)
async def test_a_verb_is_typed_for_one(text: str, first: str, typed: str) -> None:
    """The command line opens with it, for what follows or for Enter."""
    async with staged(few_jobs()) as stage:
        await search(stage, text, first)
        await stage.press("enter")
        assert await stage.comes(stage.is_typing)
        assert stage.prompt.value == typed
        assert stage.is_home()


async def test_escape_leaves_it_without_doing_anything() -> None:
    """As from everything else."""
    async with staged(few_jobs()) as stage:
        await search(stage, "job.pause", "job.pause")
        await stage.press("escape")
        assert stage.is_home()
        assert stage.calls == []


async def test_an_action_of_another_view_does_nothing() -> None:
    """The palette offers it all the same; nothing breaks."""
    async with staged(few_jobs()) as stage:
        await search(stage, "find.next", "find.next")
        await stage.press("enter")
        assert await stage.comes(stage.is_home)
        assert stage.calls == []
