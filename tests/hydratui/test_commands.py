"""What may be typed after a colon."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from engine import JobState
from hydratui.commands import VERBS, Command, Verb, chosen, completions, parse
from hydratui.keymap import ACTIONS
from hydratui.screens.console import Console
from tests.hydratui.support import make_job, mixed_queue


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_is_answered(verb: Verb) -> None:
    """What is in the table does something."""
    name = verb.name.replace("!", "_at_once")
    assert callable(getattr(Console, f"verb_{name}"))


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("pause", Command("pause")),
        ("  pause   3 5 ", Command("pause", "3 5")),
        ("limit 20M", Command("limit", "20M")),
        ("q", Command("quit")),
        ("q!", Command("quit!")),
        ("rm all", Command("remove", "all")),
        ("add https://x/y | tar x", Command("add", "https://x/y | tar x")),
        ("view.lanes", Command("view.lanes")),
    ],
)
def test_a_command_is_a_verb_and_the_rest(typed: str, command: Command) -> None:
    """Short names and the ids of actions are understood too."""
    assert parse(typed) == command


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("puase", r"no command 'puase'; is it pause\?"),
        ("zzzz", r"no command 'zzzz'; ctrl\+p lists them"),
        ("limit", "limit needs RATE"),
        ("clear all", "clear takes nothing: 'all' is too much"),
        ("view.lanes 3", "no command 'view.lanes'"),
    ],
)
def test_what_is_wrong_is_said(typed: str, said: str) -> None:
    """With the verb, and what is allowed."""
    with pytest.raises(ValueError, match=said):
        parse(typed)


@given(st.text())
def test_any_text_is_a_command_or_a_sentence(text: str) -> None:
    """Nothing that is typed is a crash."""
    said = ""
    try:
        said = parse(text).verb
    except ValueError as error:
        said = str(error)
    assert said


def test_a_beginning_is_completed() -> None:
    """Verbs first, then the ids of actions."""
    assert completions("pau") == ["pause "]
    assert completions("view.l") == ["view.lanes", "view.log"]
    assert {one.strip() for one in completions("")} == {
        *(verb.name for verb in VERBS),
        *(action.id for action in ACTIONS),
    }


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("all", tuple(range(1, 501))),
        ("3", (3,)),
        ("#3 5-7", (3, 5, 6, 7)),
        ("7,3", (3, 7)),
        ("st:paused", (4,)),
        ("ubuntu", (3,)),
        ("499-1000", (499, 500)),
    ],
)
def test_jobs_are_numbers_all_or_a_filter(text: str, ids: tuple[int, ...]) -> None:
    """In the order of the queue, whatever the order they were named in."""
    assert chosen(text, mixed_queue()) == ids


@pytest.mark.parametrize("text", ["9999", "nobody-is-called-this", "st:verifying"])
def test_no_job_is_an_error(text: str) -> None:
    """Better than to have paused nothing without a word."""
    jobs = [make_job(1, state=JobState.PAUSED)]
    with pytest.raises(ValueError, match="no job is"):
        chosen(text, jobs)
