"""Every command, typed: what it does, or the sentence that says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import JobSnapshot, JobSpec, JobState, UsageError
from hydratui.commands import VERBS
from hydratui.screens.add import Add
from hydratui.screens.help import Help
from hydratui.screens.leave import Leaving
from hydratui.screens.remove import Removing
from hydratui.screens.settings import SettingsScreen
from tests.hydratui.stage import Stage, few_jobs, staged
from tests.hydratui.stand import is_harmless
from tests.hydratui.support import HOSTILE, make_job

Seen = Callable[[Stage], object]


def calls(*wanted: tuple[object, ...]) -> Seen:
    return lambda stage: stage.calls == list(wanted)


def says(text: str) -> Seen:
    return lambda stage: text in stage.text("#latest")


def opens(screen: type[Any]) -> Seen:
    return lambda stage: stage.sees(screen)


def shows(*jobs: int) -> Seen:
    return lambda stage: stage.shown == list(jobs)


def marks(*jobs: int) -> Seen:
    return lambda stage: stage.queue.marked == set(jobs)


def both(*seen: Seen) -> Seen:
    return lambda stage: all(one(stage) for one in seen)


A = "https://a.org/a"
WAITING = (9, 10, 11, 12)
TWO = [("pause", 1), ("pause", 2)]

DONE: list[tuple[str, Seen]] = [
    (f"add {A}", both(calls(("add", A)), says("added 1"))),
    (f"add {A}  {A}b", calls(("add", A), ("add", f"{A}b"))),
    (f"add {A} | tar x", lambda stage: stage.engine.specs[13].command == "tar x"),
    ("add nothing like a link", opens(Add)),
    ("open list.txt", opens(Add)),
    ("pause", both(calls(("pause", 1)), says("paused #1"))),
    ("pause 1 2", both(calls(*TWO), says("paused 2 jobs"))),
    ("pause #1-3", calls(*TWO, ("pause", 3))),
    ("pause st:queued", calls(*(("pause", number) for number in WAITING))),
    ("resume all", both(calls(("resume", 4)), says("resumed #4"))),
    ("retry all", both(calls(("retry", 6), ("retry", 8)), says("tried again 2 jobs"))),
    ("remove 2", both(opens(Removing), calls())),
    ("rm", opens(Removing)),
    ("limit 20M", both(calls(("set_limit", 20e6)), says("limit 20.0 MB/s"))),
    ("limit 20", calls(("set_limit", 20e6))),
    ("limit 800k 1 2", calls(("set_limit", 800e3, 1), ("set_limit", 800e3, 2))),
    ("limit off", both(calls(("set_limit", None)), says("no limit"))),
    ("limit 0M", calls(("set_limit", None))),
    ("limit none 2", both(calls(("set_limit", None, 2)), says("no limit for #2"))),
    ("lanes 8", both(calls(("set_threads", 1, 8)), says("#1 may use 8 lanes"))),
    ("workers 1 2", both(calls(("set_threads", 2, 1)), says("#2 may use 1 lane"))),
    ("lanes auto 1 7", calls(("set_threads", 1, None))),
    ("pipe tar x", both(says("#1 goes into | tar x"), says("tar x"))),
    ("pipe | tar x", lambda stage: stage.engine.specs[1].command == "tar x"),
    ("pipe off", both(says("goes to a file"))),
    ("move 3", both(shows(2, 3, 1, *range(4, 13)), says("#1 is number 3"))),
    ("mark", marks(1)),
    ("mark shard", marks(1, 2, *WAITING)),
    ("sort name", both(lambda stage: "sort name ↑" in stage.text("#queue"))),
    ("sort si", lambda stage: "sort size ↓" in stage.text("#queue")),
    ("filter ubuntu", shows(3)),
    ("filter", shows(*range(1, 13))),
    ("view lanes", lambda stage: stage.main.view == "lanes"),
    ("view 6", lambda stage: stage.main.view == "log"),
    ("theme nord", both(lambda stage: stage.app.theme == "nord", says("theme nord"))),
    ("export out.txt", both(says("wrote 12 URLs to out.txt"))),
    ("clear", both(calls(("remove", 7, False), ("remove", 8, False)), says("removed"))),
    ("help", opens(Help)),
    ("h", opens(Help)),
    ("settings", opens(SettingsScreen)),
    ("quit", both(opens(Leaving), lambda stage: not stage.has_left())),
    ("q", opens(Leaving)),
    ("quit!", lambda stage: stage.has_left() and stage.app.return_code == 0),
    ("q!", lambda stage: stage.has_left()),
    ("job.pause", calls(("pause", 1))),
    ("view.log", lambda stage: stage.main.view == "log"),
    ("app.help", opens(Help)),
]

REFUSED: list[tuple[str, str]] = [
    ("pauze", "there is no command 'pauze'; is it pause?"),
    ("xyzzy", "there is no command 'xyzzy'; ctrl+p lists them"),
    ("add", "add needs URL…: put URLs into the queue"),
    ("open", "open needs FILE"),
    ("open no-such-file", "no-such-file: No such file or directory"),
    ("open ~nobody-of-that-name/list", "No such file or directory"),
    ("open .", ".: it is not a file"),
    ("open data.bin", "data.bin: it is not text"),
    ("pause 99", "no job is '99'"),
    ("pause , ,", "no job is ', ,'"),
    ("resume no-such-name", "no job is 'no-such-name'"),
    ("retry st:nonsense", "no state is called 'nonsense'"),
    ("remove ~(", "no regular expression"),
    ("limit", "limit needs RATE|off [JOBS]"),
    ("limit fast", "limit 'fast': a number is needed"),
    ("limit -5", "limit '-5'"),
    (f"limit {'9' * 400}", "limit '999"),
    ("limit 5 99", "no job is '99'"),
    ("lanes", "lanes needs N|auto [JOBS]"),
    ("lanes 0", "'0' is not a number from 1 to 128"),
    ("lanes 129", "'129' is not a number from 1 to 128"),
    ("lanes many", "'many' is not a number from 1 to 128"),
    ("lanes ²", "'²' is not a number from 1 to 128"),
    ("pipe", "pipe needs COMMAND|off"),
    ("pipe |", "pipe needs a command"),
    ("move", "move needs PLACE"),
    ("move 13", "'13' is not a number from 1 to 12"),
    ("move up", "'up' is not a number from 1 to 12"),
    ("mark no-such-name", "no job is 'no-such-name'"),
    ("sort", "sort needs COLUMN"),
    ("sort colour", "there is no column 'colour'"),
    ("filter >", "> is no size"),
    ("filter <1e999", "<1e999 is no size"),
    ("view", "view needs VIEW"),
    ("view 8", "there is no view '8'; overview, lanes"),
    ("theme", "theme needs NAME"),
    ("theme beige", "there is no theme 'beige'"),
    ("export", "export needs FILE"),
    ("export list.txt", "list.txt: File exists"),
    ("export no/such/folder", "no/such/folder: No such file or directory"),
    ("clear 3", "clear takes nothing: '3' is too much"),
    ("help me", "help takes nothing: 'me' is too much"),
    ("quit now", "quit takes nothing: 'now' is too much"),
    ("view.lanes 3", "there is no command 'view.lanes'"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere to read lists from and to write them to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text(f"{A}\n{A}b\n")
    (tmp_path / "data.bin").write_bytes(b"\xff\x00")
    return tmp_path


def test_every_verb_is_tried() -> None:
    """Each of them does something above, and refuses something where it can."""
    named = {typed.split(" ")[0] for typed, _ in DONE}
    refused = {typed.split(" ")[0] for typed, _ in REFUSED}
    assert {verb.name for verb in VERBS} <= named
    assert {verb.name for verb in VERBS if verb.takes} <= refused


@pytest.mark.parametrize(("typed", "seen"), DONE, ids=[typed for typed, _ in DONE])
async def test_a_command_does_what_it_says(typed: str, seen: Seen) -> None:
    """As it is typed, with Enter behind it."""
    async with staged(few_jobs()) as stage:
        await stage.command(typed)
        assert seen(stage)


async def test_what_makes_no_sense_is_answered_and_changes_nothing() -> None:
    """With a sentence in the log line; nothing is lost and nothing is done."""
    async with staged(few_jobs()) as stage:
        before = dict(stage.engine.jobs)
        for typed, said in REFUSED:
            await stage.command(typed)
            assert said in stage.latest, typed
            assert stage.text("#latest").strip(), typed
            assert stage.is_home()
        assert stage.calls == []
        assert stage.engine.jobs == before
        assert stage.queue.filter.text == ""


ON_NOTHING = [
    *("pause", "resume", "retry", "remove", "mark", "clear", "filter", "sort name"),
    *("pipe x", "move 1", "lanes 3", "lanes auto", "limit 5 all", "pause all"),
    *("view.zoom", "job.edit", "job.renew", "job.remove", "job.copy_url"),
]


async def test_commands_on_an_empty_queue_do_nothing() -> None:
    """No job, no harm."""
    async with staged([]) as stage:
        for typed in ON_NOTHING:
            await stage.command(typed)
            assert stage.is_home()
        assert stage.calls == []


async def test_a_list_is_opened_in_the_add_dialog() -> None:
    """So that it can be looked at before it counts."""
    async with staged(few_jobs()) as stage:
        await stage.command("open list.txt")
        await stage.press("ctrl+s")
        assert stage.calls == [("add", A), ("add", f"{A}b")]


async def test_what_cannot_be_added_can_be_mended() -> None:
    """The dialog opens with what was typed; mended, it is added."""
    async with staged(few_jobs()) as stage:
        await stage.command("add ftp://a.org/a")
        assert stage.sees(Add)
        await stage.press("home", "delete", "delete", "delete", *"https", "ctrl+s")
        assert stage.calls == [("add", A)]


async def test_an_export_is_a_list_again(folder: Path) -> None:
    """With the links as they are, secrets and all, and so for the user alone."""
    async with staged(few_jobs()[:2]) as stage:
        await stage.command("export out.txt")
    assert (folder / "out.txt").read_text().splitlines() == [
        "https://cdn.example.org/shards/1?token=secret",
        "https://cdn.example.org/shards/2?token=secret",
    ]
    assert (folder / "out.txt").stat().st_mode & 0o077 == 0


async def test_commands_are_for_the_marked_jobs() -> None:
    """Where no job is named, as for keys."""
    async with staged(few_jobs()) as stage:
        await stage.command("mark 1-2")
        await stage.command("pause")
        assert stage.calls == TWO


async def test_lanes_are_only_for_what_is_not_over() -> None:
    """A finished job has no lanes to give."""
    async with staged([make_job(1, state=JobState.DONE, share=1.0)]) as stage:
        await stage.command("lanes 5")
        assert stage.calls == []


async def test_what_the_engine_refuses_is_said() -> None:
    """The app goes on."""
    async with staged(few_jobs()) as stage:

        def refuse(job: int, spec: JobSpec) -> None:
            raise UsageError("not a command")

        stage.engine.revise = refuse  # type: ignore[method-assign]
        await stage.command("pipe tar x")
        assert "not a command" in stage.text("#latest")


@pytest.mark.parametrize("verb", ["add", "open", "pipe", "mark", "theme"])
async def test_hostile_arguments_are_harmless(verb: str) -> None:
    """Whatever is typed or pasted behind a verb, what is said is text."""
    async with staged(few_jobs()) as stage:
        for text in HOSTILE:
            await stage.press("colon", *verb, "space")
            await stage.paste(text)
            await stage.press("enter")
            assert is_harmless(stage.picture)
            if not stage.is_home():
                await stage.press("escape", "escape")


def queue_of(count: int) -> list[JobSnapshot]:
    return [replace(make_job(number), rate=0.0) for number in range(1, count + 1)]


async def test_a_command_for_many_jobs_is_one_sentence() -> None:
    """Not one for each."""
    async with staged(queue_of(300)) as stage:
        await stage.command("pause all")
        assert len(stage.calls) == 300
        assert stage.latest == "paused 300 jobs"
