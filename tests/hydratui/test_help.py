"""Help: what it tells first, and how it is read."""

from __future__ import annotations

import pytest

from hydratui.keymap import ACTIONS, VIEWS, rebound
from hydratui.screens.help import Help, for_view
from tests.hydratui.stage import NARROW, Stage, few_jobs, staged


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_for_the_view_comes_first(view: str) -> None:
    """Then all the rest; nothing is told twice, and nothing is left out."""
    shown = for_view(ACTIONS, view)
    own = [one for one in ACTIONS if view in one.views]
    assert list(shown[0][1] if own else ()) == own
    told = [action for _, actions in shown for action in actions]
    assert sorted(one.id for one in told) == sorted(one.id for one in ACTIONS)


def test_what_has_no_key_is_not_told_of() -> None:
    """Help is about keys."""
    shown = for_view(rebound({"job.add": []}), "lanes")
    assert "job.add" not in {one.id for _, actions in shown for one in actions}


def top(stage: Stage) -> str:
    return stage.rows[1]


async def test_it_is_scrolled_by_keys_and_wheel_and_stops_at_its_ends() -> None:
    """The usual keys for a row, a page and all of it."""
    async with staged(few_jobs(), size=NARROW) as stage:
        await stage.press("?")
        first = stage.picture
        await stage.press("k", "pageup", "g")
        assert stage.picture == first
        for down, up in (("j", "k"), ("pagedown", "pageup"), ("ctrl+d", "ctrl+u")):
            await stage.press(down)
            assert stage.picture != first
            await stage.press(up)
            assert stage.picture == first
        await stage.press("G")
        last = stage.picture
        await stage.press("j", "pagedown", "end")
        assert stage.picture == last
        await stage.press("home")
        assert stage.picture == first
        await stage.wheel(5, 5, down=True)
        assert stage.picture != first
        await stage.wheel(5, 5, down=False)
        assert stage.picture == first


@pytest.mark.parametrize("size", [(60, 15), (240, 70)])
async def test_it_fits_where_the_terminal_changes(size: tuple[int, int]) -> None:
    """Scrolled down or not, it is all there and closes."""
    async with staged(few_jobs()) as stage:
        await stage.press("?", "G")
        await stage.resize(*size)
        assert {len(row) for row in stage.rows} == {size[0]}
        assert "esc closes" in stage.picture
        await stage.press("escape")
        assert not stage.sees(Help)
