"""What the keys do, pressed on a screen that an engine stands behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine import JobSnapshot, JobState
from hydratui.app import HydraApp, Leaving
from hydratui.keymap import ACTIONS, VIEWS
from hydratui.screens.confirm import Confirm
from hydratui.screens.help import Help
from hydratui.screens.throttle import Limit, Throttle, chosen_limit
from hydratui.widgets.line import LineWidget
from hydratui.widgets.queue_table import QueueTable
from tests.hydratui.support import (
    NOW,
    Call,
    FakeEngine,
    hostile_queue,
    make_job,
    mixed_queue,
    running_job,
)

WIDE, NARROW = (120, 36), (80, 24)


class Stage:
    """An app on a fake engine, and what can be read off its screen."""

    def __init__(self, engine: FakeEngine, app: HydraApp, pilot: Pilot[None]) -> None:
        self.engine = engine
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    @property
    def calls(self) -> list[Call]:
        return self.engine.calls

    @property
    def selected(self) -> int | None:
        return self.app._main.query_one(QueueTable).selected

    def text(self, widget: str = "*") -> str:
        """The rows of the widgets that are on screen."""
        shown = self.app.screen.query(widget).results(LineWidget)
        return "\n".join(
            one.render_line(y).text
            for one in shown
            if one.is_on_screen
            for y in range(one.content_size.height)
        )


@asynccontextmanager
async def staged(
    jobs: Iterable[JobSnapshot],
    *,
    size: tuple[int, int] = WIDE,
    limit: float | None = None,
) -> AsyncIterator[Stage]:
    engine = FakeEngine(jobs, limit=limit)
    app = HydraApp(engine, live=False, clock=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Stage(engine, app, pilot)


# ---------------------------------------------------------------- movement


async def test_the_first_job_that_lives_is_selected() -> None:
    """What moves is what one came to see."""
    queued = make_job(1, state=JobState.DONE, share=1.0)
    async with staged([queued, running_job(2)]) as stage:
        assert stage.selected == 2


async def test_arrows_and_letters_move_the_selection() -> None:
    """Up, down, pages and ends; never beyond the queue."""
    walk = [("k", 1), ("j", 2), ("down", 3), ("up", 2), ("pagedown", 12), ("pageup", 2)]
    walk += [("G", 500), ("j", 500), ("g", 1), ("end", 500), ("home", 1)]
    async with staged(mixed_queue()) as stage:
        for key, selected in walk:
            await stage.press(key)
            assert stage.selected == selected
            rows = stage.text("#queue").splitlines()
            marked = [row for row in rows if "▌" in row]
            assert len(marked) == 1
            assert f" {selected} " in marked[0]


async def test_the_selection_follows_its_job() -> None:
    """A job that goes from above it does not move it to another one."""
    async with staged(mixed_queue()) as stage:
        await stage.press("j", "j")
        del stage.engine.jobs[1]
        stage.app.tick()
        assert stage.selected == 3


async def test_a_job_that_is_gone_hands_the_selection_on() -> None:
    """There is always one selected while there is any."""
    async with staged(mixed_queue()) as stage:
        await stage.press("G")
        del stage.engine.jobs[500]
        stage.app.tick()
        assert stage.selected == 1


async def test_when_all_jobs_are_gone_none_is_selected() -> None:
    """An empty queue says how to fill it."""
    async with staged([running_job()]) as stage:
        stage.engine.jobs.clear()
        stage.app.tick()
        assert "Nothing queued yet" in stage.text("#queue")
        assert stage.selected is None


async def test_keys_on_an_empty_queue_do_nothing() -> None:
    """No job, no harm."""
    async with staged([]) as stage:
        for action in ACTIONS:
            if not action.id.startswith(("app.", "limit.")):
                await stage.app._main.run_action(action.command)
        assert stage.calls == []


async def test_the_mouse_selects_what_it_clicks() -> None:
    """A row is as good as a key."""
    async with staged(mixed_queue()) as stage:
        await stage.pilot.click("#queue", offset=(20, 5))
        await stage.pilot.pause()
        assert stage.selected == 4
        await stage.pilot.click("#queue", offset=(20, 0))
        assert stage.selected == 4


async def test_a_click_on_a_hint_is_its_key() -> None:
    """The key bar and the view bar can be clicked."""
    async with staged([running_job()]) as stage:
        await stage.pilot.click("#keys", offset=(3, 0))
        await stage.pilot.click("#views", offset=(16, 0))
        await stage.pilot.pause()
        assert stage.calls == [("pause", 1)]
        assert "[2 Lanes]" in stage.text("#views")


# -------------------------------------------------------------------- jobs


STEERING: list[tuple[list[str], list[Call]]] = [
    (["space"], [("pause", 1)]),
    (["space", "space"], [("pause", 1), ("resume", 1)]),
    (["p"], [("pause", 1)]),
    (["r"], [("resume", 1)]),
    (["plus"], [("set_threads", 1, 29)]),
    (["plus", "plus"], [("set_threads", 1, 29), ("set_threads", 1, 30)]),
    (["minus"], [("set_threads", 1, 27)]),
    (["equals_sign", "0"], [("set_threads", 1, 29), ("set_threads", 1, None)]),
    (["left_square_bracket"], [("set_limit", 291e6)]),
    (["right_square_bracket"], [("set_limit", 355e6)]),
    (["j", "space"], [("pause", 2)]),
]


async def test_keys_steer_the_engine() -> None:
    """Each press is one call, and the next one builds on it."""
    async with staged(mixed_queue()) as stage:
        jobs = dict(stage.engine.jobs)
        for keys, calls in STEERING:
            stage.engine.jobs, stage.engine.limit = dict(jobs), None
            stage.calls.clear()
            stage.app.tick()
            await stage.press(*keys)
            assert stage.calls == calls


async def test_what_a_key_has_done_is_said() -> None:
    """The row above the keys answers every press that cannot be seen otherwise."""
    async with staged([running_job()]) as stage:
        await stage.press("left_square_bracket")
        assert "limit 164 MB/s" in stage.text("#latest")
        assert "limit 164 MB/s" in stage.text("#status")
        await stage.press("plus")
        assert "#1 may use 29 lanes" in stage.text("#latest")


async def test_everything_pauses_and_resumes_with_one_key() -> None:
    """While anything goes on, P stops it all; then P lets it go on."""
    jobs = [
        running_job(1),
        make_job(2, state=JobState.QUEUED),
        make_job(3, state=JobState.DONE),
    ]
    async with staged(jobs) as stage:
        await stage.press("P")
        assert stage.calls == [("pause", 1), ("pause", 2)]
        await stage.press("P")
        assert stage.calls[2:] == [("resume", 1), ("resume", 2)]


async def test_cancelling_asks_first() -> None:
    """The key that opened the question is not the one that answers it."""
    async with staged(mixed_queue()) as stage:
        await stage.press("d")
        assert isinstance(stage.app.screen, Confirm)
        await stage.press("d", "enter")
        assert stage.calls == []
        await stage.press("d", "y")
        assert stage.calls == [("cancel", 1)]
        assert "cancelled" in stage.text("#queue")


async def test_a_finished_job_can_not_be_cancelled_or_steered() -> None:
    """What is over is over."""
    async with staged([make_job(1, state=JobState.DONE, share=1.0)]) as stage:
        await stage.press("d", "plus", "minus", "0")
        assert not isinstance(stage.app.screen, Confirm)
        assert stage.calls == []


# ---------------------------------------------------------------- throttle


@pytest.mark.parametrize(
    ("typed", "limit"),
    [
        ("20", 20e6),
        ("1.5G", 1.5e9),
        ("800k", 800e3),
        ("4Mi/s", 4 * 2**20),
        ("0", None),
        ("", None),
        ("   ", None),
    ],
)
def test_a_limit_is_in_megabytes_unless_it_says_otherwise(
    typed: str, limit: float | None
) -> None:
    """As on the command line; nothing, or zero, is no limit."""
    assert chosen_limit(typed) == Limit(limit)


async def test_a_typed_limit_is_set() -> None:
    """Enter applies it and closes the dialog."""
    async with staged([running_job()]) as stage:
        await stage.press("t", "2", "5", "enter")
        assert stage.calls == [("set_limit", 25e6)]
        assert not isinstance(stage.app.screen, Throttle)


async def test_the_dialog_starts_from_the_limit_there_is() -> None:
    """Emptying the field lifts it."""
    async with staged([running_job()], limit=1.5e6) as stage:
        await stage.press("t")
        field = stage.app.screen.query_one(Input)
        assert field.value == "1.5"
        field.value = ""
        await stage.press("enter")
        assert stage.calls == [("set_limit", None)]


async def test_a_limit_that_is_none_is_refused_with_words() -> None:
    """The dialog stays until what is typed makes sense."""
    async with staged([running_job()]) as stage:
        await stage.press("t", "x", "enter")
        assert isinstance(stage.app.screen, Throttle)
        assert stage.app.screen.query_one("#standing").has_class("wrong")
        await stage.press("backspace", "5", "enter")
        assert stage.calls == [("set_limit", 5e6)]


async def test_escape_leaves_the_limit_alone() -> None:
    """Nothing typed, nothing changed."""
    async with staged([running_job()], limit=1e6) as stage:
        await stage.press("t", "9", "escape")
        assert stage.calls == []
        await stage.press("t", "tab", "tab", "enter")
        assert stage.calls == [("set_limit", None)]


# ------------------------------------------------------------------- views


@pytest.mark.parametrize("size", [WIDE, NARROW, (160, 50), (60, 15)])
async def test_a_view_shows_its_panes(size: tuple[int, int]) -> None:
    """Only what belongs to the view is there, with all the room there is."""
    views = [{"lanes"}, {"front"}, {"throughput", "window"}, {"verify"}, {"log"}]
    async with staged([running_job()], size=size) as stage:
        for key, panes in enumerate(views, start=2):
            await stage.press(str(key))
            below = stage.app.screen.query("#detail LineWidget").results(LineWidget)
            assert {pane.id for pane in below if pane.is_on_screen} == panes
            assert f"[{key} {VIEWS[key - 1].capitalize()}]" in stage.text("#views")
            assert all(stage.text(f"#{pane}").strip() for pane in panes)


@pytest.mark.parametrize(
    ("size", "panes"),
    [
        (WIDE, {"lanes", "front", "throughput", "window", "verify"}),
        (NARROW, {"lanes", "strip"}),
        ((120, 24), {"lanes", "throughput", "window", "strip"}),
        ((80, 40), {"lanes", "strip"}),
        ((59, 20), {"too-small"}),
        ((80, 14), {"too-small"}),
    ],
)
async def test_the_overview_keeps_what_there_is_room_for(
    size: tuple[int, int], panes: set[str]
) -> None:
    """Wide terminals have panes, narrow ones a strip, tiny ones a word."""
    async with staged([running_job()], size=size) as stage:
        always = {"status", "queue", "views", "latest", "keys"}
        shown = {
            one.id
            for one in stage.app.screen.query(LineWidget).results()
            if one.is_on_screen
        }
        assert shown - always == panes
        if "too-small" in panes:
            assert f"{size[0]}x{size[1]}" in stage.text("#too-small")


async def test_a_resize_moves_everything_to_its_new_place() -> None:
    """From wide to narrow to tiny and back, nothing is left over."""
    async with staged(mixed_queue()) as stage:
        before = stage.text()
        for size in [(240, 70), NARROW, (60, 15), (50, 10), (1, 1), WIDE]:
            await stage.pilot.resize_terminal(*size)
            await stage.pilot.pause()
            stage.app.tick()
        assert stage.text() == before


async def test_the_queue_takes_as_many_rows_as_it_needs() -> None:
    """One download leaves the room to its lanes."""
    async with staged([running_job()]) as stage:
        queue = stage.app.screen.query_one("#queue")
        assert queue.size.height == 4
        stage.engine.jobs.update((job.id, job) for job in mixed_queue())
        stage.app.tick()
        await stage.pilot.pause()
        assert queue.size.height == 13


async def test_help_opens_and_closes() -> None:
    """The same key, or Escape."""
    async with staged([running_job()]) as stage:
        for key in ("question_mark", "escape"):
            await stage.press("question_mark")
            assert isinstance(stage.app.screen, Help)
            assert "pause or resume the job" in stage.text()
            await stage.press(key)
            assert not isinstance(stage.app.screen, Help)


# ----------------------------------------------------------------- painting


async def test_an_unchanged_row_is_the_very_same_strip() -> None:
    """What did not change is not drawn again."""
    async with staged(mixed_queue()) as stage:
        queue = stage.app.screen.query_one(QueueTable)
        before = [queue.render_line(y) for y in range(13)]
        stage.engine.jobs[2] = replace(stage.engine.jobs[2], rate=1e6)
        stage.app.tick()
        after = [queue.render_line(y) for y in range(13)]
        changed = [y for y in range(13) if before[y] is not after[y]]
        assert changed == [3]
        assert "1.00 MB/s" in after[3].text


async def test_a_key_is_painted_in_the_turn_it_is_handled() -> None:
    """No timer stands between an action and its picture."""
    async with staged(mixed_queue()) as stage:
        painted: list[str] = []
        stage.app.post_display_hook = lambda: painted.append("once")  # type: ignore[method-assign]
        stage.app._main.action_job_pause()
        assert painted == ["once"]


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_hostile_names_reach_no_view_unharmed(size: tuple[int, int]) -> None:
    """In every view, names, verdicts and events are plain text."""
    async with staged(hostile_queue(), size=size) as stage:
        main = stage.app._main
        for _ in hostile_queue():
            for view in VIEWS:
                main._see(view)
                text = stage.text().replace("\n", "")
                assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
            main.action_nav_down()
        await stage.press("d")
        assert isinstance(stage.app.screen, Confirm)


# ----------------------------------------------------------------- quitting


async def test_quitting_idle_asks_nothing() -> None:
    """Without a live job there is nothing to lose."""
    async with staged([make_job(1, state=JobState.PAUSED)]) as stage:
        await stage.press("q")
        assert not stage.app.is_running
        assert stage.app.return_code == 0


async def test_quitting_live_asks_and_can_pause_first() -> None:
    """Yes pauses what runs, and leaves."""
    async with staged(mixed_queue()) as stage:
        await stage.press("q")
        assert isinstance(stage.app.screen, Leaving)
        await stage.press("y")
        assert stage.calls == [("pause", number) for number in (1, 2, 3, 5)]
        assert not stage.app.is_running


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_staying_is_the_answer_that_has_the_focus(key: str) -> None:
    """Escape and a careless Enter change nothing."""
    async with staged(mixed_queue()) as stage:
        await stage.press("q", key)
        assert stage.app.screen is stage.app._main
        assert stage.calls == []


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_asking_twice_is_an_answer(key: str) -> None:
    """Whoever insists gets out at once."""
    async with staged(mixed_queue()) as stage:
        await stage.press("ctrl+c", key)
        assert not stage.app.is_running
        assert stage.calls == []


async def test_ctrl_c_leaves_a_dialog_too() -> None:
    """The way out is never hidden behind a field."""
    async with staged([running_job()]) as stage:
        await stage.press("t", "ctrl+c")
        assert isinstance(stage.app.screen, Leaving)
        await stage.press("escape")
        assert isinstance(stage.app.screen, Throttle)


async def test_arrows_choose_an_answer() -> None:
    """Left and right move the focus, Enter takes it."""
    async with staged(mixed_queue()) as stage:
        await stage.press("q", "left", "enter")
        assert ("pause", 1) in stage.calls


def test_the_present_is_prepared() -> None:
    """The prepared engine looks at one moment, or pictures would differ."""
    assert FakeEngine().snapshot().at == NOW
