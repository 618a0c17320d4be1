"""The queue pane: its columns, its rows, its words, and its mouse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine import EngineSnapshot, JobSnapshot, JobState
from hydratui.listing import Column, Filter, Sort, parse_filter
from hydratui.widgets.line import INK_CLASSES, Line
from hydratui.widgets.queue_table import (
    MARK,
    Destination,
    QueueTable,
    View,
    column_at,
    columns_for,
    queue_pane,
    scrolled,
)
from tests.hydratui.support import (
    GIB,
    HOSTILE,
    NOW,
    hostile_queue,
    make_job,
    mixed_queue,
    running_job,
)

MIXED = tuple(mixed_queue())
PIPED = replace(make_job(3, "data.tar.gz"), command="tar xz -C data", limit=5e6)
HUGE = replace(running_job(123_456), size=2**45, done=2**44, limit=1e12)


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def page_of(lines: Sequence[Line]) -> str:
    return "\n".join(map(text_of, lines))


def view_of(*rows: JobSnapshot, **said: object) -> View:
    known = {"rows": rows, "total": len(rows), "selected": 1, **said}
    return View(**known)  # type: ignore[arg-type]


VIEWS = {
    "mixed": view_of(*MIXED, marked=frozenset({2, 400})),
    "far down": view_of(*MIXED, top=480, selected=490),
    "sorted": view_of(*MIXED[::-1], sort=Sort(Column.LANES, descending=True)),
    "filtered": view_of(*MIXED[:3], total=500, filter=Filter('"a b" ' * 40), hidden=2),
    "hostile": view_of(
        *(replace(job, command=job.name) for job in hostile_queue()),
        filter=Filter("".join(HOSTILE)[:300]),
        marked=frozenset(range(20)),
    ),
    "huge": view_of(HUGE, replace(HUGE, state=JobState.PAUSED), PIPED, total=12_000),
    "none shown": view_of(total=500, filter=Filter("shard")),
    "nothing": view_of(),
    "nothing yet": view_of(
        destination=Destination("/x\x1b" * 90, 9 * GIB, "\u202esaid")
    ),
}


@given(st.sampled_from(list(VIEWS.values())), st.integers(24, 250), st.integers(4, 60))
def test_the_pane_fills_exactly_its_place(view: View, width: int, height: int) -> None:
    """Whatever there is to show, no line is too long and no row too many."""
    lines = queue_pane(view, width, height)
    assert len(lines) == height
    assert {cell_len(text_of(line)) for line in lines} == {width}
    assert all(text_of(line).isprintable() for line in lines)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_all_inks_have_a_style(view: View) -> None:
    """No span is painted in a colour that is not there."""
    inks = {ink for line in queue_pane(view, 120, 12) for _, ink in line}
    assert {f"ink--{one}" for ink in inks for one in ink.split()} <= INK_CLASSES


@given(st.sampled_from([v for v in VIEWS.values() if v.rows]), st.integers(60, 240))
def test_columns_stand_below_each_other(view: View, width: int) -> None:
    """In each row the sign stands where it stands in all, and the size ends there."""
    rows = queue_pane(view, width, 14)[2:-1]
    signs = {line[4][0].rstrip() for line in rows if len(line) > 6}
    starts = {
        sum(cell_len(text) for text, _ in line[:4]) for line in rows if len(line) > 6
    }
    assert len(starts) == 1
    assert all(len(sign) == 1 for sign in signs)


# -------------------------------------------------------------------- rows


def test_each_state_has_a_sign_and_a_word() -> None:
    """Colour alone says nothing."""
    page = page_of(queue_pane(VIEWS["mixed"], 120, 13))
    for piece in (
        "1 ▶ ",
        "3 ◆ ",
        "verifying",
        "4 ‖ ",
        "paused",
        "5 ◌ ",
        "6 ✗ ",
        "404 Not Found",
        "7 ✓ ",
        "sha256 matches",
        "9 · ",
        "queued",
        "1–10 of 500",  # noqa: RUF001
    ):
        assert piece in page


def test_a_running_job_shows_speed_time_and_lanes() -> None:
    """All that a running job is asked for is in its row."""
    row = text_of(queue_pane(VIEWS["mixed"], 120, 13)[2])
    assert row.split()[-6:-1] == ["50.9", "182", "MB/s", "00:12", "24"]


def test_the_selected_row_is_marked_without_colour_too() -> None:
    """A bar at its left says which row it is."""
    rows = queue_pane(replace(VIEWS["mixed"], selected=3), 120, 13)
    marked = [text_of(row) for row in rows if "▌" in text_of(row)]
    assert len(marked) == 1
    assert "ubuntu" in marked[0]


def test_a_marked_row_has_a_sign_of_its_own() -> None:
    """Whether it is selected or not."""
    rows = queue_pane(replace(VIEWS["mixed"], selected=2), 120, 13)[2:]
    marked = [text_of(row) for row in rows if MARK in text_of(row)]
    assert len(marked) == 1
    assert marked[0].startswith(f"│▌{MARK}  2 ▶ ")


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, "| tar x"),
        (80, "data.tar.gz | ta"),
        (120, "data.tar.gz | tar xz -C data"),
    ],
)
def test_the_command_stands_behind_the_name(width: int, shown: str) -> None:
    """As far as there is room; the name is what is cut last."""
    assert shown in page_of(queue_pane(view_of(PIPED), width, 5))


def test_a_long_name_leaves_some_room_for_its_command() -> None:
    """That a job is piped is seen in every row."""
    job = replace(PIPED, name="n" * 300 + ".tar.gz")
    page = page_of(queue_pane(view_of(job), 80, 5))
    assert "ar.gz | ta" in page


@pytest.mark.parametrize(("width", "shown"), [(80, "≤5.0M"), (120, "≤ 5.00 MB/s")])
def test_the_limit_of_a_job_stands_in_its_row(width: int, shown: str) -> None:
    """Until it is over."""
    assert shown in page_of(queue_pane(view_of(PIPED), width, 5))
    over = replace(PIPED, state=JobState.DONE)
    assert "≤" not in page_of(queue_pane(view_of(over), width, 5))


def test_long_numbers_widen_their_column_for_all_rows() -> None:
    """The ten thousandth job does not push its row aside."""
    rows = (make_job(9_999), make_job(10_000), make_job(7))
    lines = [text_of(line) for line in queue_pane(view_of(*rows), 80, 7)[2:5]]
    assert {line.index("▶") for line in lines} == {9}


def test_narrow_queues_drop_columns_before_names() -> None:
    """Lanes go first, then the time left, then the size."""
    heads = [text_of(queue_pane(VIEWS["mixed"], w, 8)[1]) for w in (120, 80, 62)]
    assert "LANES" in heads[0]
    assert "LANES" not in heads[1]
    assert "ETA" in heads[1]
    assert "ETA" not in heads[2]
    assert all("NAME" in head and "%" in head for head in heads)


# ---------------------------------------------------------- title and heads


def test_the_title_says_what_is_not_as_usual() -> None:
    """The order, the filter with what it leaves, and the marks."""
    usual = text_of(queue_pane(view_of(*MIXED), 120, 8)[0])
    assert "Queue  500 jobs ──" in usual
    view = view_of(
        *MIXED[:214],
        total=500,
        sort=Sort(Column.NAME),
        filter=parse_filter("shard"),
        marked=frozenset({1, 2, 400}),
        hidden=1,
    )
    title = text_of(queue_pane(view, 120, 8)[0])
    assert (
        "Queue  500 jobs · sort name ↑ · filter shard (214) · ● 3 marked · 1 of them hidden"
        in title
    )
    narrow = text_of(queue_pane(view, 60, 8)[0])
    assert "filter shard (214)" in narrow
    assert "sort" not in narrow


@pytest.mark.parametrize("column", [c for c in Column if c is not Column.QUEUE])
def test_the_head_of_the_sorted_column_has_an_arrow(column: Column) -> None:
    """Once; in the queue's own order there is none."""
    for sort in (Sort(column), Sort(column, descending=True)):
        head = text_of(queue_pane(view_of(*MIXED, sort=sort), 120, 8)[1])
        assert head.count(sort.arrow) == 1
    plain = text_of(queue_pane(view_of(*MIXED), 120, 8)[1])
    assert not {"↑", "↓"} & set(plain)


@pytest.mark.parametrize("cells", [58, 78, 118, 238])
def test_each_head_is_found_where_it_is_drawn(cells: int) -> None:
    """What is clicked is what is sorted by."""
    head = text_of(queue_pane(view_of(*MIXED), cells + 2, 8)[1])[1:]
    columns = columns_for(cells)
    for title, column in (
        ("#", Column.QUEUE),
        ("NAME", Column.NAME),
        ("SIZE", Column.SIZE),
        ("DONE", Column.DONE),
        ("%", Column.DONE),
        ("SPEED", Column.SPEED),
        ("ETA", Column.ETA),
        ("LANES", Column.LANES),
    ):
        if title in head:
            assert column_at(head.index(title), columns) is column
    assert column_at(cells - 1, columns) is None
    assert column_at(-1, columns) is None
    assert column_at(columns.number + 3, columns) is Column.STATE


# ------------------------------------------------------------ nothing there


@pytest.mark.parametrize("height", [4, 6, 8, 10])
def test_an_empty_queue_says_how_to_fill_it(height: int) -> None:
    """Nobody is left alone with an empty screen."""
    view = view_of(destination=Destination("~/Downloads", 214 * GIB, "the default"))
    page = page_of(queue_pane(view, 80, height))
    assert "Queue  empty" in page
    assert "Nothing queued yet" in page
    assert "a   add URLs" in page
    if height >= 8:
        assert ":   type a command" in page
        assert "?   keys" in page
        assert "~/Downloads · 214 GiB free · the default" in page


def test_a_filter_that_shows_nothing_says_how_to_lift_it() -> None:
    """The jobs are not gone."""
    page = page_of(queue_pane(VIEWS["none shown"], 80, 8))
    assert "any of 500 jobs" in page
    assert "Esc clears it" in " ".join(page.split())
    assert "filter shard (0)" in page


# ------------------------------------------------------------------- scroll


@pytest.mark.parametrize(
    ("top", "index", "count", "rows", "found"),
    [
        (0, 0, 5, 10, 0),
        (0, 12, 50, 10, 3),
        (20, 12, 50, 10, 12),
        (45, 49, 50, 10, 40),
        (7, None, 50, 10, 7),
        (70, None, 50, 10, 40),
        (3, None, 0, 10, 0),
    ],
)
def test_the_selected_row_is_kept_in_sight(
    top: int, index: int | None, count: int, rows: int, found: int
) -> None:
    """With as little scrolling as can be, and no room lost."""
    assert scrolled(top, index, count, rows) == found


# ------------------------------------------------------------------- widget


def seen(*jobs: JobSnapshot) -> EngineSnapshot:
    return EngineSnapshot(at=NOW, jobs=jobs, rate=0.0, received=0, limit=None, flying=0)


class Stage(App[None]):
    """A queue and nothing else."""

    COMPONENT_CLASSES = INK_CLASSES
    CSS = "QueueTable { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.queue = QueueTable()
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.queue

    def on_queue_table_selected(self) -> None:
        self.told.append("selected")

    def on_queue_table_opened(self) -> None:
        self.told.append("opened")

    def look(self, *jobs: JobSnapshot) -> None:
        self.queue.show(seen(*jobs))

    def text(self, y: int) -> str:
        return self.queue.render_line(y).text


@asynccontextmanager
async def staged(*jobs: JobSnapshot) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    stage = Stage()
    async with stage.run_test(size=(120, 13)) as pilot:
        stage.look(*jobs)
        yield stage, pilot


async def test_a_click_on_a_row_selects_it() -> None:
    """A second one at once opens it; the frame is no row."""
    async with staged(*MIXED) as (stage, pilot):
        await pilot.click(QueueTable, offset=(20, 4))
        assert stage.queue.selected == 3
        assert stage.told == ["selected"]
        await pilot.double_click(QueueTable, offset=(20, 5))
        assert stage.queue.selected == 4
        assert stage.told[-1] == "opened"
        stage.told.clear()
        await pilot.click(QueueTable, offset=(20, 0))
        assert not stage.told


async def test_a_click_on_a_head_sorts_by_it() -> None:
    """The second one turns it round; the selected job stays selected."""
    async with staged(*MIXED) as (stage, pilot):
        for arrow in "↑↓":
            await pilot.click(QueueTable, offset=(12, 1))
            stage.look(*MIXED)
            assert f"NAME{arrow}" in stage.text(1)
            assert stage.queue.selected == 1
            assert not stage.queue.is_in_queue_order
        await pilot.click(QueueTable, offset=(119, 1))
        assert stage.queue.sort == Sort(Column.NAME, descending=True)


async def test_the_wheel_looks_elsewhere_without_selecting() -> None:
    """The next key brings the selected row back into sight."""
    async with staged(*MIXED) as (stage, _):
        for _ in range(9):
            stage.queue.on_mouse_scroll_down()
        assert " 28 " in stage.text(2)
        assert stage.queue.selected == 1
        stage.look(*MIXED)
        assert " 28 " in stage.text(2)
        stage.queue.on_mouse_scroll_up()
        assert " 25 " in stage.text(2)
        stage.queue.move(1)
        stage.look(*MIXED)
        assert "▌" in stage.text(2)
        assert stage.queue.selected == 2


async def test_what_is_marked_and_filtered_is_on_screen_at_the_next_look() -> None:
    """The lead's keys call these, then look."""
    async with staged(*MIXED) as (stage, _):
        stage.queue.mark()
        stage.queue.mark()
        selected = stage.queue.selected
        assert stage.queue.targets == (1, 2)
        stage.queue.set_filter(parse_filter("is:marked"))
        stage.look(*MIXED)
        assert "filter is:marked (2) · ● 2 marked" in stage.text(0)
        assert [job.id for job in stage.queue.jobs] == [1, 2]
        assert stage.queue.least_rows == 500
        stage.queue.unmark()
        stage.look(*MIXED)
        assert "any of 500 jobs" in stage.text(1)
        assert stage.queue.selected is None
        stage.queue.set_filter(Filter())
        assert stage.queue.jobs[2].id == selected == stage.queue.adopt(seen(*MIXED))
        stage.queue.mark_all()
        assert len(stage.queue.marked) == 500
        stage.queue.mark_only({5})
        assert stage.queue.marked == {5}


async def test_sorts_go_round() -> None:
    """One key leads through all columns, another turns the order."""
    async with staged(*MIXED) as (stage, _):
        seen = []
        for _ in Column:
            stage.queue.next_sort()
            seen.append(stage.queue.sort.column)
        assert set(seen) == set(Column)
        assert stage.queue.is_in_queue_order
        stage.queue.flip()
        stage.look(*MIXED)
        assert "#↓" in stage.text(1)
        assert stage.queue.jobs[0].id == 500


async def test_an_empty_queue_has_room_for_its_words() -> None:
    """It asks for the rows that they take; nothing there is clicked."""
    async with staged() as (stage, pilot):
        assert stage.queue.least_rows > 4
        await pilot.click(QueueTable, offset=(20, 1))
        await pilot.click(QueueTable, offset=(20, 3))
        assert not stage.told
        assert stage.queue.targets == ()
        stage.queue.move(1)
        stage.queue.mark()
        assert stage.queue.selected is None


async def test_rows_that_rest_are_the_very_same_strips() -> None:
    """What did not change is not drawn again."""
    async with staged(*MIXED) as (stage, _):
        before = [stage.queue.render_line(y) for y in range(13)]
        stage.look(MIXED[0], replace(MIXED[1], rate=1e6), *MIXED[2:])
        after = [stage.queue.render_line(y) for y in range(13)]
        assert [y for y in range(13) if before[y] is not after[y]] == [3]
