"""The table of keys."""

from __future__ import annotations

from collections import Counter

import pytest

from hydratui.app import HydraApp
from hydratui.keymap import (
    ACTIONS,
    VIEWS,
    Action,
    groups,
    key_label,
    key_named,
    rebound,
)
from hydratui.screens.main import MainScreen


def test_no_key_does_two_things() -> None:
    """Each key and each id is in the table once."""
    keys = Counter(key for action in ACTIONS for key in action.keys)
    ids = Counter(action.id for action in ACTIONS)
    assert max(keys.values()) == 1
    assert max(ids.values()) == 1


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_answered(action: Action) -> None:
    """What is in the table does something, on the screen or in the app."""
    owner, _, name = action.command.rpartition(".")
    answering = HydraApp if owner == "app" else MainScreen
    assert callable(getattr(answering, f"action_{name}"))


def test_the_table_is_what_is_bound() -> None:
    """There is no key that help does not know."""
    bound = {binding.key for binding in MainScreen.BINDINGS}  # type: ignore[union-attr]
    assert bound == {",".join(action.keys) for action in ACTIONS}


def test_no_key_that_terminals_take_for_another() -> None:
    """ctrl+h, i, j, m and [ are Backspace, Tab, Enter and Escape to most terminals."""
    keys = {key for action in ACTIONS for key in action.keys}
    assert not keys & {"ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m", "ctrl+s"}


def test_groups_hold_the_whole_table_in_its_order() -> None:
    """Help shows every action, those of a kind together."""
    assert [action for _, actions in groups() for action in actions] == list(ACTIONS)
    assert len({name for name, _ in groups()}) == len(groups())


def test_views_are_numbered_from_one() -> None:
    """The first view has the key 1."""
    keys = {action.id: action.keys for action in ACTIONS}
    assert [keys[f"view.{view}"] for view in VIEWS] == [
        (str(number),) for number in range(1, len(VIEWS) + 1)
    ]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_a_key_may_be_written_as_it_is_read(action: Action) -> None:
    """The names in the table are ones that a user may write."""
    assert tuple(map(key_named, action.keys)) == action.keys


@pytest.mark.parametrize(
    ("written", "key", "label"),
    [
        ("x", "x", "x"),
        ("X", "X", "X"),
        ("[", "left_square_bracket", "["),
        (",", "comma", ","),
        ("ctrl+x", "ctrl+x", "^x"),
        ("ctrl+up", "ctrl+up", "^↑"),
        ("shift+tab", "shift+tab", "⇧Tab"),
        ("pageup", "pageup", "PgUp"),
        ("f12", "f12", "F12"),
    ],
)
def test_keys_are_written_and_shown(written: str, key: str, label: str) -> None:
    """By their sign or by their name; shown as short as can be."""
    assert key_named(written) == key
    assert key_label(key) == label


def test_an_action_moves_to_another_key() -> None:
    """What the bar shows is the new one."""
    table = {action.id: action for action in rebound({"job.add": ["A", "ctrl+a"]})}
    assert table["job.add"].keys == ("A", "ctrl+a")
    assert table["job.add"].shown == "A ^a"
    hint = table["job.add"].hint
    assert hint is not None
    assert hint.shown == "A"
    assert [one.id for one in ACTIONS] == list(table)


def test_two_actions_may_swap_their_keys() -> None:
    """All of what is bound counts at once."""
    swapped = rebound({"job.pause": ["r"], "job.resume": ["p"]})
    table = {one.id: one.keys for one in swapped}
    assert table["job.pause"] == ("r",)
    assert table["job.resume"] == ("p",)


def test_an_action_may_lose_its_key() -> None:
    """It stays in the palette, and no hint is shown for it."""
    table = {one.id: one for one in rebound({"queue.toggle": []})}
    assert table["queue.toggle"].keys == ()
    assert table["queue.toggle"].hint is None


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"job.paus": ["x"]}, r"no action 'job.paus'; is it job.pause\?"),
        ({"job.pause": ["hyper+x"]}, r"job.pause: 'hyper\+x' is not a key"),
        ({"job.pause": [""]}, "job.pause: '' is not a key"),
        ({"job.pause": ["ctrl+m"]}, "comes as another key"),
        ({"job.pause": ["r"]}, "r is bound to job.pause and to job.resume"),
    ],
)
def test_what_cannot_be_bound_is_named(keys: dict[str, list[str]], said: str) -> None:
    """The action, the key, and what is wrong."""
    with pytest.raises(ValueError, match=said):
        rebound(keys)
