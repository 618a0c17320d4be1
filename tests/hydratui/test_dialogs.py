"""The short questions: quit, remove, throttle, a fresh link."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from engine import JobState
from hydratui.screens.confirm import Choice, Confirm
from hydratui.screens.leave import Leave, Leaving
from hydratui.screens.remove import Removal, Removing
from hydratui.screens.renew import FreshLink
from hydratui.screens.throttle import PRESETS, Limit, Scope, Throttle, chosen_limit
from tests.hydratui.stand import SIZES, Stand, is_harmless, standing
from tests.hydratui.support import (
    GIB,
    HOSTILE,
    hostile_queue,
    make_job,
    mixed_queue,
    running_job,
)

# -------------------------------------------------------------------- leave


LEAVING = [
    ("y", Leave.PAUSE),
    ("f", Leave.FINISH),
    ("escape", Leave.STAY),
    ("enter", Leave.STAY),
    ("q", Leave.QUIT),
]


@pytest.mark.parametrize(("key", "answer"), LEAVING)
async def test_each_key_is_an_answer_about_quitting(key: str, answer: Leave) -> None:
    """A careless Enter stays; a second q does not ask again."""
    async with standing(Leaving(mixed_queue())) as stand:
        await stand.press(key)
        assert stand.results == [answer]


@pytest.mark.parametrize(
    ("button", "answer"),
    [
        ("#answer-y", Leave.PAUSE),
        ("#answer-f", Leave.FINISH),
        ("#answer-escape", Leave.STAY),
    ],
)
@pytest.mark.parametrize("size", SIZES)
async def test_each_button_is_an_answer_about_quitting(
    button: str, answer: Leave, size: tuple[int, int]
) -> None:
    """All three are there, in small terminals one below the other."""
    async with standing(Leaving(mixed_queue()), size) as stand:
        await stand.click(button)
        assert stand.results == [answer]


async def test_quitting_says_what_still_goes_on() -> None:
    """How many and how fast, and what waits; that files are safe."""
    async with standing(Leaving(mixed_queue())) as stand:
        assert "Quit with 4 live downloads?" in stand.text
        assert "3 running at 323 MB/s, 1 verifying, 492 queued." in stand.text
        assert "Files go on from where they are" in stand.text
        assert "killed" not in stand.text


async def test_quitting_names_the_commands_it_would_kill() -> None:
    """They have taken bytes that nobody can give them again."""
    piped = replace(running_job(1), command="tar x -C data")
    async with standing(Leaving([piped])) as stand:
        assert "Quit with 1 live download?" in stand.text
        assert "1 command would be killed, and can not go on: tar x" in stand.text
        assert "Files go on" not in stand.text
    more = [piped, replace(piped, id=2, command="c" * 200), make_job(3)]
    async with standing(Leaving(more)) as stand:
        words = " ".join(stand.text.replace("│", " ").split())
        assert "2 commands would be killed, and can not go on: tar x" in words
        assert "and 1 more." in words
        assert "Files go on" in stand.text


async def test_a_paused_command_is_not_killed_by_name() -> None:
    """Only what is live is counted."""
    paused = replace(make_job(2, state=JobState.PAUSED), command="tar x")
    async with standing(Leaving([running_job(1), paused])) as stand:
        assert "killed" not in stand.text


async def test_arrows_choose_an_answer() -> None:
    """In any direction, as answers may stand beside or below each other."""
    for keys in (["left"], ["up"], ["right", "right"], ["down", "down"]):
        async with standing(Leaving(mixed_queue())) as stand:
            assert stand.focus == "answer-escape"
            await stand.press(*keys, "enter")
            assert stand.results == [Leave.FINISH]


# ------------------------------------------------------------------- remove


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("r", Removal.KEEP),
        ("D", Removal.DELETE),
        ("escape", Removal.CANCEL),
        ("enter", Removal.CANCEL),
        ("#answer-r", Removal.KEEP),
        ("#answer-D", Removal.DELETE),
        ("#answer-escape", Removal.CANCEL),
    ],
)
async def test_each_key_and_button_is_an_answer_about_removing(
    key: str, answer: Removal
) -> None:
    """The safe one has the focus."""
    async with standing(Removing(mixed_queue()[:2])) as stand:
        await (stand.click(key) if key.startswith("#") else stand.press(key))
        assert stand.results == [answer]


async def test_the_key_that_asked_does_not_answer() -> None:
    """A key held too long deletes nothing."""
    async with standing(Removing(mixed_queue()[:2])) as stand:
        await stand.press("d", "delete", "x", "y")
        assert stand.results == []


async def test_removing_names_jobs_and_what_is_lost() -> None:
    """Up to five, then how many more and how much they have."""
    async with standing(Removing(mixed_queue()[3:8])) as stand:
        rows = stand.text.splitlines()
        assert "Remove 5 jobs?" in stand.text
        assert any(
            "model [Q4_K_M]" in row and "5.63 GiB partial" in row for row in rows
        )
        assert any("archive" in row and "nothing yet" in row for row in rows)
        assert any(
            "weights" in row and "finished, its file stays" in row for row in rows
        )
        assert "more" not in stand.text
    many = [make_job(number, size=4 * GIB, share=0.5) for number in range(1, 10)]
    async with standing(Removing(many)) as stand:
        assert "Remove 9 jobs?" in stand.text
        assert "and 5 more" in stand.text
        assert "10.0 GiB partial" in stand.text


async def test_removing_what_is_piped_says_so() -> None:
    """A command that runs is killed; it has no partial file."""
    live = replace(running_job(1, name="a.tar"), command="tar x")
    over = replace(make_job(2, "b.tar", JobState.FAILED), command="tar x")
    async with standing(Removing([live, over])) as stand:
        assert "its command is killed" in stand.text
        assert "piped" in stand.text
        assert "partial" not in stand.text


async def test_without_partials_nothing_can_be_deleted() -> None:
    """Finished files are never removed from here."""
    done = make_job(1, state=JobState.DONE, share=1.0)
    async with standing(Removing([done])) as stand:
        assert "Remove this job?" in stand.text
        assert "partials" not in stand.text
        await stand.press("D")
        assert stand.results == []
        await stand.press("r")
        assert stand.results == [Removal.KEEP]


# ----------------------------------------------------------------- throttle

SCOPES = (
    Scope("all jobs", (), 500e6, 412e6),
    Scope("job 1", (1,), None, 182e6),
    Scope("2 marked jobs", (1, 2), 20e6, 323e6),
)


def field(stand: Stand) -> Input:
    return stand.dialog.query_one("#limit", Input)


async def test_a_limit_is_for_whom_it_was_asked() -> None:
    """For all together, unless others are chosen first."""
    for chosen, jobs in enumerate([(), (1,), (1, 2)]):
        async with standing(Throttle(SCOPES, chosen)) as stand:
            field(stand).value = "25"
            await stand.press("enter")
            assert stand.results == [Limit(25e6, jobs)]


async def test_whom_it_is_for_can_be_chosen() -> None:
    """The field shows the limit they have, the line below how they stand."""
    async with standing(Throttle(SCOPES)) as stand:
        assert field(stand).value == "500"
        assert "Now 412 MB/s, limit 500 MB/s." in stand.said("#standing")
        await stand.press("shift+tab", "right")
        assert field(stand).value == ""
        assert "Now 182 MB/s, no limit." in stand.said("#standing")
        await stand.press("right")
        assert field(stand).value == "20"
        assert "each of them" in stand.said("#standing")
        await stand.press("tab", "enter")
        assert stand.results == [Limit(20e6, (1, 2))]


async def test_what_was_typed_stays_when_another_scope_is_chosen() -> None:
    """One types first and chooses then, or the other way round."""
    async with standing(Throttle(SCOPES)) as stand:
        field(stand).value = "7"
        await stand.pilot.click("#scope", offset=(16, 0))
        await stand.pilot.pause()
        assert field(stand).value == "7"
        await stand.click("#apply")
        assert stand.results == [Limit(7e6, (1,))]


async def test_one_scope_is_no_question() -> None:
    """It is only said."""
    async with standing(Throttle(SCOPES[:1])) as stand:
        assert "all jobs" in stand.text
        assert "(•)" not in stand.text
        await stand.press("ctrl+u", "tab", "enter")
        assert stand.results == [Limit(None)]


@pytest.mark.parametrize("button", PRESETS)
@pytest.mark.parametrize("size", SIZES[:2])
async def test_a_preset_fills_the_field(button: str, size: tuple[int, int]) -> None:
    """One click, and Enter."""
    async with standing(Throttle(SCOPES), size) as stand:
        await stand.click(f"#preset-{button}")
        assert field(stand).value == button
        assert stand.focus == "limit"
        await stand.press("enter")
        assert stand.results == [chosen_limit(button)]


@pytest.mark.parametrize(
    ("typed", "keys", "value"),
    [
        ("", ["up"], "1"),
        ("20", ["up"], "50"),
        ("20", ["down"], "10"),
        ("500", ["up", "up"], "1G"),
        ("2G", ["up"], "2G"),
        ("2G", ["down"], "1G"),
        ("1", ["down"], ""),
        ("nonsense", ["up"], "1"),
        ("9" * 12, ["down"], "1G"),
    ],
)
async def test_arrows_step_through_the_presets(
    typed: str, keys: list[str], value: str
) -> None:
    """To the next one from where it is; below the lowest there is no limit."""
    async with standing(Throttle(SCOPES)) as stand:
        field(stand).value = typed
        await stand.press("end", *keys)
        assert field(stand).value == value
        await stand.press("backspace")
        assert field(stand).value == value[:-1]


@pytest.mark.parametrize(
    ("way", "result"),
    [
        ("#lift", Limit(None, (1, 2))),
        ("#stay", None),
        ("escape", None),
        ("#apply", Limit(20e6, (1, 2))),
    ],
)
async def test_each_button_of_the_throttle(way: str, result: Limit | None) -> None:
    """Apply, lift, leave it."""
    async with standing(Throttle(SCOPES, 2)) as stand:
        await (stand.click(way) if way.startswith("#") else stand.press(way))
        assert stand.results == [result]


@pytest.mark.parametrize("typed", ["fast", "-1", "9" * 400], ids=range(3))
async def test_a_limit_that_is_none_is_refused_with_words(typed: str) -> None:
    """And can be mended."""
    async with standing(Throttle(SCOPES)) as stand:
        field(stand).value = typed
        await stand.press("enter")
        assert stand.results == []
        assert stand.part("#standing").has_class("wrong")
        await stand.press("end", "ctrl+u", "0", "enter")
        assert stand.results == [Limit(None)]


# --------------------------------------------------------------- fresh link

OLD = "https://a.org/x.iso?sig=***"
NEW = "https://a.org/x.iso?sig=fresh"


@pytest.mark.parametrize("way", ["enter", "#go"])
async def test_a_fresh_link_is_typed_or_pasted(way: str) -> None:
    """Enter or the button, and the job goes on."""
    async with standing(FreshLink("x.iso", OLD)) as stand:
        await stand.paste(f"  <{NEW}>\n")
        await (stand.click(way) if way.startswith("#") else stand.press(way))
        assert stand.results == [NEW]


@pytest.mark.parametrize("way", ["escape", "#cancel"])
async def test_a_job_may_stay_expired(way: str) -> None:
    """Nothing is asked twice."""
    async with standing(FreshLink("x.iso", OLD)) as stand:
        await stand.paste(NEW)
        await (stand.click(way) if way.startswith("#") else stand.press(way))
        assert stand.results == [None]


async def test_of_a_command_only_the_link_counts() -> None:
    """And that is said."""
    async with standing(FreshLink("x.iso", OLD)) as stand:
        await stand.paste(f"curl '{NEW}' \\\n  -H 'cookie: a=b' \\\n  --compressed")
        assert field_of(stand).value == NEW
        assert "Only its link counts" in stand.said("#standing")
        await stand.press("enter")
        assert stand.results == [NEW]


async def test_of_several_links_the_first_counts() -> None:
    """And that is said."""
    async with standing(FreshLink("x.iso", OLD)) as stand:
        await stand.paste(f"{NEW}\nhttps://b.org/x.iso")
        assert "The first of 2 links" in stand.said("#standing")
        assert field_of(stand).value == NEW


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "No link yet."),
        ("a.org/x.iso", "no scheme"),
        ("ftp://a.org/x", "only http and https"),
        ("curl -d x https://a.org/x", "only GET"),
    ],
)
async def test_what_is_no_link_is_refused(typed: str, words: str) -> None:
    """With a reason; the dialog stays."""
    async with standing(FreshLink("x.iso", OLD)) as stand:
        await stand.paste(typed)
        await stand.press("enter")
        assert stand.results == []
        assert words in stand.said("#standing")
        assert stand.part("#standing").has_class("wrong")
        assert stand.focus == "link"


async def test_another_name_is_pointed_out() -> None:
    """It may be the same file; the engine will see."""
    async with standing(FreshLink("x.iso", OLD)) as stand:
        field_of(stand).value = "https://b.org/y.iso"
        await stand.pilot.pause()
        assert "another name (y.iso)" in stand.said("#standing")
        await stand.press("enter")
        assert stand.results == ["https://b.org/y.iso"]


def field_of(stand: Stand) -> Input:
    return stand.dialog.query_one("#link", Input)


# ------------------------------------------------------------------ hostile


async def test_hostile_names_are_harmless_in_every_question() -> None:
    """Names, commands, links and labels are plain text."""
    async with standing(Leaving(hostile_queue())) as stand:
        for job in hostile_queue():
            name, piped = job.name, replace(job, command=job.name)
            no = [Choice("escape", "No", 1)]
            for dialog in (
                Leaving([piped]),
                Throttle([Scope(name, (), None, 0.0), Scope(name, (1,), 1.0, 0.0)]),
                FreshLink(name, name),
                Confirm(name, [name, (name, name)], no, hint=name),
            ):
                await stand.push_screen(dialog)
                await stand.pilot.pause()
                assert stand.screen is dialog
                assert is_harmless(stand.text)
                await stand.pop_screen()


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_paste_is_harmless(text: str) -> None:
    """In the one field there is."""
    async with standing(FreshLink("x", OLD)) as stand:
        await stand.paste(f"https://a.org/{text}")
        assert is_harmless(stand.text)
        await stand.press("enter")
        assert is_harmless(stand.text)
