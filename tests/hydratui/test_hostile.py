"""Names, words and links that mean no good, wherever any of them can be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.screen import Screen

from engine import Event, EventKind, JobSnapshot, JobSpec, JobState
from hydratui.keymap import VIEWS
from hydratui.screens.add import Add
from hydratui.screens.edit import Edit
from hydratui.screens.remove import Removing
from hydratui.screens.renew import FreshLink
from hydratui.screens.throttle import Throttle
from tests.hydratui.pictures import told
from tests.hydratui.stage import NARROW, WIDE, Stage, staged
from tests.hydratui.support import HOSTILE, NOW, running_job

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])

ACTIVE = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0))}
"""What moves a cursor, or begins what does: C0, DEL and C1."""
TURNING = set(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
HALVES = set(map(chr, range(0xD800, 0xE000)))


WORST = (
    "".join(text for text in HOSTILE if len(text) < 100 and "[/" not in text),
    *(text for text in HOSTILE if "[/" in text or len(text) >= 100),
    "",
)
"""The same in fewer names, where each costs a dialog."""


def hostile_jobs(
    texts: Iterable[str] = HOSTILE, states: Iterable[JobState] = (JobState.RUNNING,)
) -> list[JobSnapshot]:
    """All that can be put into words is hostile, in each of the states."""
    jobs: list[JobSnapshot] = []
    for text in texts:
        for state in states:
            job = told(running_job(len(jobs) + 1, lanes=4), text)
            jobs.append(replace(job, state=state))
    return jobs


def is_plain(stage: Stage) -> bool:
    """Whether all that the terminal gets is there to be read."""
    seen = set("".join(stage.rows))
    return not seen & (ACTIVE | TURNING | HALVES)


def events() -> Iterator[Event]:
    for number, text in enumerate(HOSTILE, start=1):
        yield Event(NOW, number, EventKind.FAILED, text)
        yield Event(NOW, number, EventKind.SAID, text)


@SIZES
async def test_every_view_of_a_hostile_job_is_plain(size: tuple[int, int]) -> None:
    """Beside the queue, and in the log."""
    async with staged(hostile_jobs(), size=size) as stage:
        await stage.happen(*events())
        for _ in HOSTILE:
            for view in VIEWS:
                stage.main.see(view)
                assert is_plain(stage)
            stage.main.action_nav_down()
        assert stage.selected == len(HOSTILE)


@SIZES
async def test_a_hostile_job_alone_is_plain(size: tuple[int, int]) -> None:
    """Where a view has the screen to itself there is room for more words."""
    async with staged(hostile_jobs(WORST), size=size) as stage:
        stage.main.zoom(on=True)
        for view in VIEWS:
            stage.main.see(view)
            for _ in WORST:
                assert is_plain(stage)
                stage.queue.move(1)
                stage.app.tick()
            stage.queue.move(-len(WORST))


@SIZES
async def test_hostile_jobs_are_plain_in_every_state(size: tuple[int, int]) -> None:
    """Also when their verdict is all there is to say."""
    async with staged(hostile_jobs(HOSTILE, JobState), size=size) as stage:
        for _ in range(len(HOSTILE) * len(JobState)):
            assert is_plain(stage)
            stage.main.action_nav_down()


@SIZES
async def test_words_over_the_screen_are_plain(size: tuple[int, int]) -> None:
    """What is told of a failure comes from a server."""
    async with staged(hostile_jobs(), size=size) as stage:
        for event in events():
            await stage.happen(event)
            assert is_plain(stage)
            stage.app.clear_notifications()
        assert not stage.has_left()


DIALOGS: dict[str, type[Screen[Any]]] = {
    "d": Removing,
    "u": FreshLink,
    "e": Edit,
    "t": Throttle,
}


@SIZES
async def test_every_dialog_about_a_hostile_job_is_plain(size: tuple[int, int]) -> None:
    """Each of them, for each name; and the questions about all of them."""
    async with staged(hostile_jobs(WORST), size=size) as stage:
        for job in list(stage.engine.jobs.values()):
            stage.engine.specs[job.id] = spec_of(job.name)
            for key, dialog in DIALOGS.items():
                await stage.press(key)
                assert stage.sees(dialog)
                assert is_plain(stage)
                await stage.press("escape")
            await stage.press("j")
        for key in ("q", "*", "d"):
            await stage.press(key)
            assert is_plain(stage)
            await stage.press("escape")


def spec_of(text: str) -> JobSpec:
    return JobSpec(
        f"https://example.org/{text}", name=text, command=text, headers=((text, text),)
    )


@SIZES
@pytest.mark.parametrize("key", ["ctrl+p", "ctrl+t"])
async def test_a_palette_over_hostile_jobs_is_plain(
    key: str, size: tuple[int, int]
) -> None:
    """It lets the screen below be seen, and is searched with what is pasted."""
    async with staged(hostile_jobs(), size=size) as stage:
        for text in WORST:
            await stage.press(key)
            await stage.paste(text)
            assert stage.sees(CommandPalette)
            assert is_plain(stage)
            while not stage.is_home():
                await stage.press("escape")
            await stage.press("j")


async def test_what_is_pasted_is_plain() -> None:
    """Into the dialog that pasting opens."""
    async with staged([], size=NARROW) as stage:
        for text in WORST:
            for pasted in (text, f"https://example.org/{text}", f"curl '{text}'"):
                await stage.paste(pasted)
                if stage.sees(Add):
                    assert is_plain(stage)
                    await stage.press("ctrl+s")
                    assert is_plain(stage)
                while not stage.is_home():
                    await stage.press("escape")
                assert is_plain(stage)


async def test_what_keys_copy_is_what_is_there() -> None:
    """The clipboard gets the link and the path as they are: they are to be used."""
    async with staged(hostile_jobs()) as stage:
        for job in list(stage.engine.jobs.values()):
            stage.engine.specs[job.id] = spec_of(job.name)
            await stage.press("y")
            assert is_plain(stage)
            await stage.press("Y", "o", "O")
            assert is_plain(stage)
            await stage.press("j")
