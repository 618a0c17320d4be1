"""The table of keys."""

from __future__ import annotations

from collections import Counter

import pytest

from hydratui.app import HydraApp
from hydratui.keymap import ACTIONS, VIEWS, Action, groups
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
