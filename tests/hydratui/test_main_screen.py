"""What the keys and the mouse do, on a screen that an engine stands behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from engine import Event, EventKind, JobSpec, JobState
from hydratui.keymap import ACTIONS, VIEWS
from hydratui.screens.add import Add
from hydratui.screens.edit import Edit
from hydratui.screens.help import Help
from hydratui.screens.leave import Leaving
from hydratui.screens.remove import Removing
from hydratui.screens.renew import FreshLink
from hydratui.screens.throttle import Throttle
from hydratui.widgets.line import LineWidget
from tests.hydratui.stage import NARROW, WIDE, Stage, failed, few_jobs, staged
from tests.hydratui.support import (
    NOW,
    Call,
    FakeEngine,
    make_job,
    mixed_queue,
    running_job,
)

A = "https://a.org/a"

# ---------------------------------------------------------------- movement


async def test_the_first_job_that_lives_is_selected() -> None:
    """What moves is what one came to see."""
    over = make_job(1, state=JobState.DONE, share=1.0)
    async with staged([over, running_job(2)]) as stage:
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
            chosen = [row for row in rows if "▌" in row]
            assert len(chosen) == 1
            assert f" {selected} " in chosen[0]


async def test_the_selection_follows_its_job() -> None:
    """A job that goes from above it does not move it to another one."""
    async with staged(mixed_queue()) as stage:
        await stage.press("j", "j")
        del stage.engine.jobs[1]
        stage.app.tick()
        assert stage.selected == 3


async def test_a_job_that_is_gone_hands_the_selection_to_its_neighbour() -> None:
    """The one below it, or at the end the one above."""
    async with staged(few_jobs()) as stage:
        await stage.press("j")
        for gone, selected in ((2, 3), (3, 4)):
            del stage.engine.jobs[gone]
            stage.app.tick()
            assert stage.selected == selected
        await stage.press("G")
        del stage.engine.jobs[12]
        stage.app.tick()
        assert stage.selected == 11


async def test_when_all_jobs_are_gone_none_is_selected() -> None:
    """An empty queue says how to fill it."""
    async with staged([running_job()]) as stage:
        stage.engine.jobs.clear()
        stage.app.tick()
        assert "Nothing queued yet" in stage.text("#queue")
        assert stage.selected is None


@pytest.mark.parametrize("size", [WIDE, NARROW, (60, 15)])
async def test_keys_on_an_empty_queue_do_nothing(size: tuple[int, int]) -> None:
    """No job, no harm."""
    elsewhere = ("app.", "limit.", "job.add", "find.filter", "view.")
    async with staged([], size=size) as stage:
        for view in VIEWS:
            stage.main.see(view)
            for action in ACTIONS:
                if not action.id.startswith(elsewhere):
                    await stage.press(action.keys[0])
            assert stage.is_home()
        assert stage.calls == []


# ------------------------------------------------------------------- marks


async def test_marks_are_made_one_by_one_or_all_at_once() -> None:
    """Marking goes on to the next job; marking all that is marked unmarks it."""
    async with staged(few_jobs()) as stage:
        await stage.press("m", "m", "j", "m")
        assert stage.queue.marked == {1, 2, 4}
        assert stage.selected == 5
        assert "● 3 marked" in stage.text("#queue")
        await stage.press("asterisk")
        assert len(stage.queue.marked) == 12
        await stage.press("asterisk")
        assert stage.queue.marked == set()
        await stage.press("k", "m", "M")
        assert stage.queue.marked == set()


async def test_orders_are_for_the_marked_jobs() -> None:
    """And only for those of them that are shown."""
    async with staged(few_jobs()) as stage:
        await stage.press("m", "m", "m", "p")
        assert stage.calls == [("pause", 1), ("pause", 2), ("pause", 3)]
        stage.calls.clear()
        await stage.press("/", *"shard", "enter", "r")
        assert stage.calls == [("resume", 1), ("resume", 2)]
        assert "1 of them hidden" in stage.text("#queue")


async def test_removing_marked_jobs_asks_once() -> None:
    """For all of them together."""
    async with staged(few_jobs()) as stage:
        await stage.press("m", "m", "d")
        assert stage.sees(Removing)
        assert "Remove 2 jobs?" in stage.picture
        await stage.press("r")
        assert stage.calls == [("remove", 1, False), ("remove", 2, False)]
        assert stage.queue.marked == set()


# ------------------------------------------------------------- their order

MOVES = [
    (["j", "K"], [2, 1, 3, 4]),
    (["J"], [2, 1, 3, 4]),
    (["j", "j", "{"], [3, 1, 2, 4]),
    (["}"], [2, 3, 4, 1]),
    (["j", "m", "m", "K"], [2, 3, 1, 4]),
    (["j", "m", "m", "K", "K"], [2, 3, 1, 4]),
    (["m", "j", "m", "J"], [2, 1, 4, 3]),
    (["m", "j", "m", "}"], [2, 4, 1, 3]),
    (["j", "m", "j", "m", "{"], [2, 4, 1, 3]),
]


async def test_jobs_are_moved_alone_or_together() -> None:
    """Marked ones keep their order and never pass the ends."""
    for keys, order in MOVES:
        jobs = [make_job(n, state=JobState.QUEUED) for n in range(1, 5)]
        async with staged(jobs) as stage:
            await stage.press(*keys)
            assert stage.shown == order, keys


async def test_jobs_are_moved_in_the_queues_own_order_only() -> None:
    """In another order it would not be seen; that is said."""
    async with staged(few_jobs()) as stage:
        await stage.press("s")
        for key in ("J", "K", "{", "}"):
            await stage.press(key)
            assert "sort by # first" in stage.text("#latest")
        assert stage.calls == []


async def test_sorting_goes_from_column_to_column_and_back() -> None:
    """The title says by what, unless it is the queue's own order."""
    async with staged(few_jobs()) as stage:
        seen = []
        for _ in range(8):
            await stage.press("s")
            title = stage.text("#queue").splitlines()[0]
            seen.append(title.partition("sort ")[2].split(" ─")[0].strip())
        assert seen == [
            "name ↑",
            "size ↓",
            "done ↓",
            "speed ↓",
            "eta ↑",
            "state ↑",
            "lanes ↓",
            "",
        ]
        await stage.press("s", "i")
        assert "sort name ↓" in stage.text("#queue")
        assert stage.shown[0] == 7
        assert stage.selected == 1


# ------------------------------------------------------------------- mouse


async def test_the_mouse_selects_what_it_clicks() -> None:
    """A row is as good as a key; the frame is nothing."""
    async with staged(mixed_queue()) as stage:
        await stage.click("#queue", 20, 5)
        assert stage.selected == 4
        await stage.click("#queue", 20, 0)
        assert stage.selected == 4
        assert stage.queue.sort.is_queue_order


async def test_a_click_on_a_column_sorts_by_it() -> None:
    """A second one turns it round."""
    async with staged(few_jobs()) as stage:
        at = stage.text("#queue").splitlines()[1].index("SIZE")
        await stage.click("#queue", at + 1, 1)
        assert "sort size ↓" in stage.text("#queue")
        await stage.click("#queue", at + 1, 1)
        assert "sort size ↑" in stage.text("#queue")


async def test_two_clicks_see_the_job_alone() -> None:
    """As Enter does."""
    async with staged(few_jobs()) as stage:
        await stage.click("#queue", 20, 3, times=2)
        assert stage.selected == 2
        assert stage.is_zoomed()


async def test_a_click_on_a_hint_is_its_key() -> None:
    """The key bar and the view bar can be clicked."""
    async with staged([running_job()]) as stage:
        await stage.click("#keys", stage.text("#keys").index("Pause"))
        await stage.click("#views", stage.text("#views").index("Lanes"))
        assert stage.calls == [("pause", 1)]
        assert "[2 Lanes]" in stage.text("#views")
        await stage.click("#keys", stage.text("#keys").index("Quit"))
        assert stage.has_left()


async def test_the_wheel_looks_elsewhere_and_selects_nothing() -> None:
    """The next key brings the selection back in sight."""
    async with staged(mixed_queue()) as stage:
        for down in (True, True, False):
            await stage.wheel(5, 5, down=down)
        assert "4–13 of 500" in stage.text("#queue")  # noqa: RUF001
        assert stage.selected == 1
        await stage.press("j")
        assert stage.selected == 2
        assert "2–11 of 500" in stage.text("#queue")  # noqa: RUF001


# -------------------------------------------------------------------- jobs


STEERING: list[tuple[list[str], list[Call]]] = [
    (["space"], [("pause", 1)]),
    (["space", "space"], [("pause", 1), ("resume", 1)]),
    (["p"], [("pause", 1)]),
    (["p", "r"], [("pause", 1), ("resume", 1)]),
    (["r"], []),
    (["R"], []),
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
    async with staged(few_jobs()) as stage:
        jobs = dict(stage.engine.jobs)
        for keys, calls in STEERING:
            stage.engine.jobs, stage.engine.limit = dict(jobs), None
            stage.calls.clear()
            stage.app.tick()
            await stage.press(*keys)
            assert stage.calls == calls
            await stage.press("g")


async def test_what_a_key_has_done_is_said() -> None:
    """The row above the keys answers every press that cannot be seen otherwise."""
    async with staged([running_job()]) as stage:
        await stage.press("left_square_bracket")
        assert "limit 164 MB/s" in stage.text("#latest")
        assert "limit 164 MB/s" in stage.text("#status")
        await stage.press("plus")
        assert "#1 may use 29 lanes" in stage.text("#latest")
        await stage.press("y")
        assert "the URL is in the clipboard" in stage.text("#latest")


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


async def test_removing_asks_first() -> None:
    """The key that opened the question is not the one that answers it."""
    async with staged(few_jobs()) as stage:
        await stage.press("d")
        assert stage.sees(Removing)
        await stage.press("d", "enter")
        assert stage.is_home()
        assert stage.calls == []
        await stage.press("d", "r")
        assert stage.calls == [("remove", 1, False)]
        assert stage.selected == 2
        await stage.press("d", "D")
        assert stage.calls[1:] == [("remove", 2, True)]
        assert "removed #2" in stage.text("#latest")


async def test_what_is_over_is_not_steered() -> None:
    """A finished job has no lanes, no fresh link and nothing to change."""
    async with staged([make_job(1, state=JobState.DONE, share=1.0)]) as stage:
        await stage.press("plus", "minus", "0", "u", "e", "p", "r", "R")
        assert stage.is_home()
        assert stage.calls == []


# --------------------------------------------------------- adding, changing


async def test_pasting_on_the_screen_opens_the_dialog() -> None:
    """With what was pasted in it; blanks alone are nothing."""
    async with staged(few_jobs()) as stage:
        await stage.paste(" \n")
        assert stage.is_home()
        await stage.paste(f"{A}\n{A}b | tar x\n")
        assert stage.sees(Add)
        assert f"{A}b | tar x" in stage.picture
        assert " Add 2  ^s " in stage.picture
        await stage.press("ctrl+s")
        assert stage.calls == [("add", A), ("add", f"{A}b")]
        assert stage.engine.specs[14].command == "tar x"
        assert "added 2" in stage.text("#latest")


async def test_what_is_added_may_come_first_and_paused() -> None:
    """As the dialog was told."""
    async with staged(few_jobs()) as stage:
        await stage.paste(A)
        for picker in ("#place", "#start"):
            stage.top.query_one(picker).focus()
            await stage.press("right")
        await stage.press("ctrl+s")
        assert stage.shown[0] == 13
        assert stage.engine.jobs[13].state is JobState.PAUSED


async def test_good_lines_are_added_while_bad_ones_stay() -> None:
    """And what is in the queue already goes on."""
    async with staged(few_jobs()) as stage:
        await stage.paste(f"{A}\nno link at all\n")
        await stage.press("ctrl+s")
        assert stage.calls == [("add", A)]
        assert stage.sees(Add)
        await stage.press("escape")
        assert stage.is_home()
        assert stage.shown[-1] == 13


async def test_what_is_changed_is_revised() -> None:
    """Nothing changed, nothing done."""
    async with staged(few_jobs()) as stage:
        await stage.press("j", "e")
        assert stage.sees(Edit)
        await stage.press("ctrl+s")
        assert stage.calls == []
        await stage.press("e")
        stage.top.query_one("#limit", Input).value = "5"
        await stage.settle()
        await stage.press("ctrl+s")
        spec = JobSpec("https://cdn.example.org/shards/2?token=secret", limit=5e6)
        assert stage.calls == [("revise", 2, spec)]
        assert "#2 changed" in stage.text("#latest")


async def test_a_fresh_link_renews_the_job() -> None:
    """Escape leaves it as it was."""
    async with staged(few_jobs()) as stage:
        await stage.press("u", "escape")
        assert stage.calls == []
        await stage.press("u")
        assert stage.sees(FreshLink)
        await stage.paste(A)
        await stage.press("enter")
        assert stage.calls == [("renew", 1, A)]
        assert "#1 has a fresh URL" in stage.text("#latest")


# ---------------------------------------------------------------- throttle


async def test_a_limit_is_for_the_job_or_for_all() -> None:
    """t asks for the selected one, T for everything together."""
    async with staged(few_jobs()) as stage:
        await stage.press("T", "2", "5", "enter")
        assert stage.calls == [("set_limit", 25e6)]
        await stage.press("t", "4", "enter")
        assert stage.calls[1:] == [("set_limit", 4e6, 1)]
        assert "limit 4.00 MB/s for #1" in stage.text("#latest")


async def test_a_limit_may_be_for_the_marked_jobs() -> None:
    """Each of them gets it; what is over is left out."""
    async with staged(few_jobs()) as stage:
        await stage.command("mark 1 2 7")
        await stage.press("t")
        assert "2 marked jobs" in stage.picture
        await stage.press("9", "enter")
        assert stage.calls == [("set_limit", 9e6, 1), ("set_limit", 9e6, 2)]


async def test_on_an_empty_queue_a_limit_is_for_all() -> None:
    """There is nobody else."""
    for key in "tT":
        async with staged([]) as stage:
            await stage.press(key, "3", "enter")
            assert stage.calls == [("set_limit", 3e6)]


async def test_the_dialog_starts_from_the_limit_there_is() -> None:
    """Emptying the field lifts it; escape leaves it alone."""
    async with staged([running_job()], limit=1.5e6) as stage:
        await stage.press("T", "9", "escape")
        assert stage.calls == []
        await stage.press("T")
        assert stage.top.query_one(Input).value == "1.5"
        await stage.press("ctrl+u", "enter")
        assert stage.calls == [("set_limit", None)]


async def test_a_limit_that_is_none_is_refused_with_words() -> None:
    """The dialog stays until what is typed makes sense."""
    async with staged([running_job()]) as stage:
        await stage.press("T", "x", "enter")
        assert stage.sees(Throttle)
        assert stage.top.query_one("#standing").has_class("wrong")
        await stage.press("backspace", "5", "enter")
        assert stage.calls == [("set_limit", 5e6)]


# ------------------------------------------------------------------- views


def panes(stage: Stage) -> set[str | None]:
    below = stage.main.query("#detail LineWidget").results(LineWidget)
    return {pane.id for pane in below if pane.is_on_screen}


@pytest.mark.parametrize("size", [WIDE, NARROW, (160, 50), (60, 15)])
async def test_a_view_shows_its_panes(size: tuple[int, int]) -> None:
    """Only what belongs to the view is there, with all the room there is."""
    graphs = {"throughput", "window"}
    graphs |= {"depth", "speeds"} if size[0] >= 100 else set()
    views = [{"lanes"}, {"front"}, graphs, {"verify"}, {"log"}, {"info"}]
    async with staged([running_job()], size=size) as stage:
        await stage.happen(*failed(1))
        for key, expected in enumerate(views, start=2):
            await stage.press(str(key))
            assert panes(stage) == expected
            assert f"[{key} {VIEWS[key - 1].capitalize()}]" in stage.text("#views")
            assert all(stage.text(f"#{pane}").strip() for pane in expected)


@pytest.mark.parametrize(
    ("size", "expected"),
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
    size: tuple[int, int], expected: set[str]
) -> None:
    """Wide terminals have panes, narrow ones a strip, tiny ones a word."""
    async with staged([running_job()], size=size) as stage:
        always = {"status", "queue", "views", "latest", "keys"}
        shown = {
            one.id for one in stage.top.query(LineWidget).results() if one.is_on_screen
        }
        assert shown - always == expected
        if "too-small" in expected:
            assert f"{size[0]}x{size[1]}" in stage.text("#too-small")


async def test_views_go_round() -> None:
    """Left of the first is the last."""
    async with staged([running_job()]) as stage:
        seen = []
        for key in ("left", "left", "right", "tab", "shift+tab"):
            await stage.press(key)
            seen.append(stage.main.view)
        assert seen == ["info", "log", "info", "overview", "info"]


async def test_the_queue_takes_as_many_rows_as_it_needs() -> None:
    """One download leaves the room to its lanes."""
    async with staged([running_job()]) as stage:
        assert stage.queue.size.height == 4
        stage.engine.jobs.update((job.id, job) for job in mixed_queue())
        stage.app.tick()
        await stage.settle()
        assert stage.queue.size.height == 13


# ----------------------------------------------------------- zoom, scrolling


@pytest.mark.parametrize("key", ["enter", "z"])
@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_can_have_the_screen_to_itself(view: str, key: str) -> None:
    """The queue makes room, and comes back with the same key."""
    async with staged([running_job()], size=NARROW) as stage:
        stage.main.see(view)
        before = stage.main.query_one("#detail").size.height
        await stage.press(key)
        assert not stage.queue.is_on_screen
        assert stage.main.query_one("#detail").size.height > before
        await stage.press(key)
        assert stage.queue.is_on_screen


SCROLLED = [("2", "#lanes"), ("6", "#log"), ("7", "#info")]


@pytest.mark.parametrize(("view", "pane"), SCROLLED)
async def test_a_view_alone_is_scrolled_by_the_keys(view: str, pane: str) -> None:
    """A row, a page, to its ends; the selection stays where it is."""
    retries = [Event(NOW, 1, EventKind.RETRY, f"{n} again") for n in range(90)]
    jobs = [running_job(lanes=128), running_job(2)]
    async with staged(jobs, size=(60, 15)) as stage:
        await stage.happen(*retries)
        await stage.press(view, "z", *(["v"] if pane == "#lanes" else []))
        seen = []
        for key in ("g", "j", "pagedown", "G", "k", "pageup", "g"):
            await stage.press(key)
            seen.append(stage.text(pane))
        assert seen[-1] == seen[0]
        assert len(set(seen)) == 6
        assert stage.selected == 1


@pytest.mark.parametrize("view", ["front", "graphs", "verify"])
async def test_what_does_not_scroll_leaves_the_keys_to_the_queue(view: str) -> None:
    """There one goes from job to job."""
    async with staged(few_jobs()) as stage:
        stage.main.see(view)
        await stage.press("z", "j")
        assert stage.selected == 2


async def test_escape_goes_out_of_one_thing_after_the_other() -> None:
    """The picture moves again, then the queue is back, then whole, then unmarked."""
    async with staged(few_jobs()) as stage:
        await stage.press("m", "/", *"shard", "enter", "z", "f")
        assert "FROZEN" in stage.text("#status")
        await stage.press("escape")
        assert "FROZEN" not in stage.text("#status")
        assert stage.is_zoomed()
        await stage.press("escape")
        assert not stage.is_zoomed()
        assert stage.queue.filter.text == "shard"
        await stage.press("escape")
        assert stage.queue.filter.text == ""
        assert stage.queue.marked == {1}
        await stage.press("escape")
        assert stage.queue.marked == set()
        await stage.press("escape")
        assert stage.is_home()


async def test_a_view_can_be_varied() -> None:
    """Lanes in their density and order, graphs in their span, the log in its level."""
    async with staged(few_jobs()) as stage:
        for view, key, pane in (
            ("2", "v", "#lanes"),
            ("2", "V", "#lanes"),
            ("4", "v", "#throughput"),
            ("6", "v", "#log"),
            ("6", "V", "#log"),
        ):
            await stage.press(view)
            before = stage.text(pane)
            await stage.press(key)
            assert stage.text(pane) != before


# ------------------------------------------------------------------- freezing


async def test_a_frozen_picture_stands_still() -> None:
    """The engine goes on, and so do the log and the answers to keys."""
    async with staged(few_jobs()) as stage:
        before = stage.text("#queue") + stage.text("#lanes")
        await stage.press("f")
        stage.engine.jobs[1] = replace(stage.engine.jobs[1], rate=77e6, lanes=())
        await stage.happen(*failed(2))
        assert stage.text("#queue") + stage.text("#lanes") == before
        assert "job 2: 404" in stage.text("#latest")
        await stage.press("plus")
        assert stage.calls == [("set_threads", 1, 29)]
        assert "29 lanes" in stage.text("#latest")
        await stage.press("f")
        assert "77.0 MB/s" in stage.text("#queue")


async def test_a_frozen_picture_can_be_looked_through() -> None:
    """In other views, and scrolled: that is what it was frozen for."""
    async with staged([running_job(lanes=128)], size=NARROW) as stage:
        await stage.press("2", "z", "f", "v", "j")
        assert "FROZEN" in stage.text("#status")
        assert "rows 2–" in stage.text("#lanes")  # noqa: RUF001
        await stage.press("7")
        assert "[7 Info]" in stage.text("#views")
        assert "FROZEN" in stage.text("#status")


@pytest.mark.parametrize("keys", [["j"], ["m"], ["s"], ["/", "x"]])
async def test_who_aims_elsewhere_sees_where(keys: list[str]) -> None:
    """No order is given to a job that is not the one that is seen."""
    async with staged(few_jobs()) as stage:
        await stage.press("f", *keys)
        assert "FROZEN" not in stage.text("#status")


# --------------------------------------------------------------------- words


async def test_what_went_wrong_is_told_over_everything() -> None:
    """Failed, expired and changed; the rest is for the log."""
    async with staged(few_jobs()) as stage:
        kinds = [EventKind.EXPIRED, EventKind.CHANGED, EventKind.DONE, EventKind.RETRY]
        events = [Event(NOW, 2, kind, f"it {kind}") for kind in kinds]
        await stage.happen(*failed(1), *events)
        assert stage.toasts == [
            "#1 failed: job 1: 404",
            "#2 expired: it expired",
            "#2 changed: it changed",
        ]


async def test_many_words_at_once_are_few() -> None:
    """Five hundred failures do not cover the screen."""
    async with staged(few_jobs()) as stage:
        await stage.happen(*failed(*range(1, 501)))
        assert len(stage.toasts) == 4
        assert stage.toasts[-1] == "and 497 more; the log has them all"


async def test_also_those_who_look_elsewhere_are_told() -> None:
    """In settings and help too."""
    async with staged(few_jobs()) as stage:
        await stage.press("?")
        stage.app.record(failed(1)[0])
        stage.app._tick_if_seen()
        await stage.settle()
        assert stage.toasts == ["#1 failed: job 1: 404"]


async def test_the_end_of_it_all_is_told_once() -> None:
    """With how many ended how."""
    jobs = [running_job(1), running_job(2), make_job(3, state=JobState.PAUSED)]
    async with staged(jobs) as stage:
        for number, state in ((1, JobState.DONE), (2, JobState.FAILED)):
            assert stage.toasts == []
            stage.engine._change(number, state=state)
            stage.app.tick()
        stage.app.tick()
        await stage.settle()
        assert stage.toasts == ["Nothing runs any more: 1 done, 1 failed"]


# -------------------------------------------------------------------- others


async def test_help_opens_and_closes() -> None:
    """The same key, or Escape."""
    async with staged([running_job()]) as stage:
        for key in ("question_mark", "f1", "escape", "q", "enter", "space"):
            await stage.press("question_mark")
            assert stage.sees(Help)
            assert "pause or resume" in stage.text()
            await stage.press(key)
            assert stage.is_home()
        assert stage.calls == []


async def test_what_was_asked_for_on_the_way_in_is_said() -> None:
    """So that nobody wonders whether it was understood."""
    async with staged([], specs=[JobSpec(A), JobSpec(f"{A}b")]) as stage:
        assert stage.calls == [("add", A), ("add", f"{A}b")]
        assert "added 2" in stage.text("#latest")


async def test_an_unchanged_row_is_the_very_same_strip() -> None:
    """What did not change is not drawn again."""
    async with staged(mixed_queue()) as stage:
        queue = stage.queue
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
        stage.main.action_job_pause()
        assert painted == ["once"]


# ----------------------------------------------------------------- quitting


async def test_quitting_idle_asks_nothing() -> None:
    """Without a live job there is nothing to lose."""
    async with staged([make_job(1, state=JobState.PAUSED)]) as stage:
        await stage.press("q")
        assert stage.has_left()
        assert stage.app.return_code == 0


async def test_quitting_live_asks_first() -> None:
    """Leaving the engine is what pauses; nothing is told to it before."""
    async with staged(few_jobs()) as stage:
        await stage.press("q")
        assert stage.sees(Leaving)
        assert not stage.has_left()
        await stage.press("y")
        assert stage.has_left()
        assert stage.app.return_code == 0
        assert not [call for call in stage.calls if call[0] == "pause"]


def finish(stage: Stage) -> None:
    """All that lives comes to its end."""
    for number, job in stage.engine.jobs.items():
        if job.state.is_live:
            stage.engine._change(number, state=JobState.DONE)


async def test_what_runs_may_be_finished_first() -> None:
    """Nothing new begins, and the app goes when nothing lives."""
    async with staged(few_jobs()) as stage:
        await stage.press("q", "f")
        assert stage.calls == [("hold",)]
        assert "finishing, then quits" in stage.text("#status")
        stage.app._tick_if_seen()
        assert not stage.has_left()
        finish(stage)
        stage.app._tick_if_seen()
        assert stage.has_left()
        assert stage.app.return_code == 0


async def test_finishing_goes_on_under_a_dialog() -> None:
    """Whoever waits in help is let out too."""
    async with staged(few_jobs()) as stage:
        await stage.press("q", "f", "?")
        finish(stage)
        stage.app._tick_if_seen()
        assert stage.has_left()


async def test_finishing_can_be_taken_back() -> None:
    """Staying lets new jobs begin again, and the end of them is no end."""
    async with staged(few_jobs()) as stage:
        await stage.press("q", "f", "q", "escape")
        assert stage.calls == [("hold",), ("release",)]
        assert "finishing" not in stage.text("#status")
        finish(stage)
        stage.app._tick_if_seen()
        assert not stage.has_left()


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_staying_is_the_answer_that_has_the_focus(key: str) -> None:
    """Escape and a careless Enter change nothing."""
    async with staged(few_jobs()) as stage:
        await stage.press("q", key)
        assert stage.is_home()
        assert not stage.has_left()
        assert not [call for call in stage.calls if call != ("release",)]


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_asking_twice_is_an_answer(key: str) -> None:
    """Whoever insists gets out at once."""
    async with staged(few_jobs()) as stage:
        await stage.press("ctrl+c", key)
        assert stage.has_left()
        assert not [call for call in stage.calls if call[0] == "pause"]


@pytest.mark.parametrize("key", ["T", "a", "e", "u", "d", "?", "comma", "ctrl+p"])
async def test_ctrl_c_leaves_from_everywhere(key: str) -> None:
    """The way out is never hidden behind a field; staying leads back to it."""
    async with staged([running_job()]) as stage:
        await stage.press(key)
        before = stage.top
        await stage.press("ctrl+c")
        assert stage.sees(Leaving)
        await stage.press("escape")
        assert stage.top is before
        assert before not in stage.app.screen_stack[:1]


def test_the_present_is_prepared() -> None:
    """The prepared engine looks at one moment, or pictures would differ."""
    assert FakeEngine().snapshot().at == NOW
