"""Graphs: the past against its limits, over as much of it as is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from engine import JobSnapshot, WindowChange
from hydratui.sampler import LONG_SPAN, SPAN, Ring, Track
from hydratui.widgets.chart import nice_top, reach
from hydratui.widgets.graph import DepthGraph, depth_pane, throughput_pane
from hydratui.widgets.plot import Series, plot
from hydratui.widgets.speed_graph import speed_pane
from hydratui.widgets.window_plot import moves, window_pane
from tests.hydratui.pictures import FRAMES, frame_of, inks_of, page_of, text_of
from tests.hydratui.support import NOW, make_job, make_lanes, running_job

# -------------------------------------------------------------- throughput


def test_the_limit_is_drawn_and_named() -> None:
    """The line shows how far below it the throughput stays."""
    lines = throughput_pane(frame_of(running_job(), limit=400e6), 60, 12, blocks=False)
    assert "╌ limit ╌" in page_of(lines)
    assert "limit" in inks_of(lines, "╌")


def test_the_limit_of_the_job_is_told_from_that_of_all() -> None:
    """It lies over what all jobs together bring."""
    job = replace(running_job(), limit=120e6)
    frame = frame_of(job, make_job(2, rate=141e6), limit=500e6)
    page = page_of(throughput_pane(frame, 70, 14, blocks=False))
    assert "╌ limit ╌" in page
    assert "┄ limit of #1 ┄" in page


def test_one_of_many_jobs_has_a_line_of_its_own() -> None:
    """Its share of the throughput is seen, in the graph and as a number."""
    alone = throughput_pane(frame_of(running_job()), 70, 14, blocks=False)
    both = frame_of(running_job(), make_job(2, rate=141e6))
    lines = throughput_pane(both, 70, 14, blocks=False)
    assert "flight" not in {ink for line in alone for _, ink in line}
    assert "#1 182" in text_of(lines[0])
    assert "flight" in {ink for line in lines[1:] for _, ink in line}


def test_a_graph_has_a_scale() -> None:
    """Both axes say what they count."""
    page = page_of(throughput_pane(FRAMES["running"], 60, 12, blocks=False))
    for piece in ("MB/s", "now 182", "240┤", "0┤", "-60s", "now"):
        assert piece in page


def test_blocks_stand_in_for_braille() -> None:
    """A font without braille shows a graph all the same."""
    braille = page_of(throughput_pane(FRAMES["running"], 60, 12, blocks=False))
    blocks = page_of(throughput_pane(FRAMES["running"], 60, 12, blocks=True))
    assert any("⠀" < character <= "⣿" for character in braille)
    assert not any("⠀" <= character <= "⣿" for character in blocks)
    assert "█" in blocks


def test_a_flat_pane_keeps_the_graph_and_drops_the_axis_of_time() -> None:
    """A single row is still a picture."""
    page = page_of(throughput_pane(FRAMES["running"], 60, 3, blocks=False))
    assert "⣶⣶⣶" in page
    assert "-60s" not in page


# --------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("span", "axis", "foot"),
    [(SPAN, "-60s", ""), (LONG_SPAN, "-10m", "10 minutes"), (None, "-16m", "start")],
)
def test_the_span_is_said(span: float | None, axis: str, foot: str) -> None:
    """On the axis, and below it where it is not the usual one."""
    frame = frame_of(running_job(), looks=900)
    page = page_of(throughput_pane(frame, 60, 12, blocks=False, span=span))
    assert axis in page
    assert foot in page.splitlines()[-1]


def test_one_key_goes_through_the_spans() -> None:
    """A minute, ten, all of it, and a minute again."""
    graph, seen = DepthGraph(), []
    for _ in range(4):
        seen.append(graph.span)
        graph.next_span()
    assert seen == [SPAN, LONG_SPAN, None, SPAN]


def test_all_of_the_past_is_at_least_a_minute() -> None:
    """A graph that has just begun does not stretch its first seconds."""
    ring = Ring()
    assert reach(ring.track(), NOW, None) == SPAN
    ring.push(NOW, 1.0)
    assert reach(ring.track(), NOW + 5, None) == SPAN
    assert NOW < reach(ring.track(), NOW + NOW, None) <= NOW * 1.4


# ------------------------------------------------------------------- window


def test_a_cut_of_the_window_is_marked_with_its_age() -> None:
    """When the window was cut, and why it is what it is now."""
    page = page_of(window_pane(FRAMES["running"], 70, 11, blocks=False))
    assert page.count("▼") == 2
    assert page.count("▲") == 1
    assert "31 s ago" in page
    assert "holding at 28: the 29th added 1 %" in page
    assert "24 of 28 flying" in page


def test_the_latest_moves_are_told_where_there_is_room() -> None:
    """Newest first, each with its age, its outcome and its reason."""
    page = page_of(window_pane(FRAMES["running"], 70, 18, blocks=False))
    rows = [row.strip("│ ") for row in page.splitlines()]
    listed = [row.split() for row in rows if " ago " in row]
    assert [row[0] for row in listed] == ["▲", "▼", "·"]
    assert listed[1][1:] == ["31", "s", "ago", "to", "12", "429"]


def test_each_kind_of_move_has_its_mark() -> None:
    """A cut, a growth, a step back, and what is neither."""
    sizes = [(4, False), (8, False), (8, False), (6, False), (3, True)]
    changes = [WindowChange(NOW, size, "why", cut) for size, cut in sizes]
    assert [glyph for _, (glyph, _) in moves(changes)] == ["·", "▲", "·", "v", "▼"]


def test_a_cut_is_not_hidden_by_what_came_just_after_it() -> None:
    """Where two marks fall into one cell, it is the cut that is seen."""
    cut = WindowChange(NOW - 30, 4, "429", cut=True)
    grown = WindowChange(NOW - 29.9, 5, "one more", cut=False)
    page = page_of(window_pane(frame_of(with_changes(cut, grown)), 40, 8, blocks=False))
    assert "▼" in page.splitlines()[-3]
    assert "▲" not in page


def test_cuts_of_long_ago_leave_the_graph() -> None:
    """The mark leaves with its minute."""
    old = WindowChange(NOW - 90, 3, "reset", cut=True)
    frame = frame_of(with_changes(old))
    assert "▼" not in page_of(window_pane(frame, 70, 11, blocks=False))
    ten = window_pane(frame, 70, 11, blocks=False, span=LONG_SPAN)
    assert "▼" in page_of(ten)


def with_changes(*changes: WindowChange) -> JobSnapshot:
    job = running_job()
    assert job.window is not None
    return replace(job, window=replace(job.window, changes=changes))


# --------------------------------------------------------- depth and speeds


def test_the_heap_is_drawn_up_to_its_bound() -> None:
    """What may wait at most is the top of the scale."""
    page = page_of(depth_pane(FRAMES["running"], 60, 12, blocks=False))
    assert "Reorder heap MiB" in page
    assert "now 184 · 23 blocks" in page
    assert "512┤" in page


def test_on_disk_there_is_no_bound() -> None:
    """The scale follows what has been seen."""
    page = page_of(depth_pane(FRAMES["on disk"], 60, 12, blocks=False))
    assert "Beyond the front" in page
    assert "200┤" in page


def test_speeds_stand_side_by_side() -> None:
    """The slow lane is the short bar; the numbers say how much it is."""
    lanes = list(make_lanes(8, rate=10e6))
    lanes[2] = replace(lanes[2], rate=1e6)
    frame = frame_of(replace(running_job(), lanes=tuple(lanes)))
    lines = speed_pane(frame, 60, 12)
    assert "min 1 · max" in text_of(lines[0])
    bars = [row[8:40] for row in page_of(lines).splitlines()[1:10]]
    heights = [sum(row[at] == "█" for row in bars) for at in range(0, 32, 4)]
    assert min(heights[:5]) == heights[2] < heights[1] - 3
    assert "↻" in bars[-1]


def test_where_lanes_share_a_bar_the_slowest_is_seen() -> None:
    """A hundred and twenty-eight lanes in forty cells: none that crawls is hidden."""
    lanes = list(make_lanes(128))
    lanes[77] = replace(lanes[77], rate=0.0)
    page = page_of(
        speed_pane(frame_of(replace(running_job(), lanes=tuple(lanes))), 49, 6)
    )
    bottom = page.splitlines()[3][7:47]
    assert bottom.count(" ") == 1


# ----------------------------------------------------------------- the plot


@given(st.floats(1e-3, 1e12))
def test_the_scale_is_a_round_number_above_the_peak(peak: float) -> None:
    """The peak stays in sight and most of the graph in use."""
    top = nice_top(peak)
    assert peak < top <= peak * 1.4


@given(
    st.lists(st.none() | st.floats(0, 10), min_size=60, max_size=60),
    st.integers(1, 12),
    st.booleans(),
)
def test_an_area_is_as_high_as_its_values(
    values: list[float | None], height: int, blocks: bool
) -> None:
    """From the lowest row up, without holes, and nothing where nothing is known."""
    rows = plot([Series(values, "graph", True)], 30, height, 10.0, blocks=blocks)
    page = ["".join(text for text, _ in row) for row in rows]
    for x in range(30):
        known = [v for v in values[2 * x : 2 * x + 2] if v is not None]
        column = [row[x] != " " for row in page]
        assert column == sorted(column)
        assert any(column) == any(known)
        if max(known, default=0) == 10:
            assert all(column)


def test_a_line_lies_over_an_area() -> None:
    """Both are seen, each in its own ink."""
    area = Series([10.0] * 8, "graph", filled=True)
    over = Series([5.0] * 8, "window", filled=False)
    rows = plot([area, over], 4, 4, 10.0, blocks=False)
    assert [ink for row in rows for _, ink in row].count("window") == 1


def test_a_jump_of_a_line_is_one_stroke() -> None:
    """It is drawn down to where it came from, so that no gap is between."""
    line = Series([1.0] * 4 + [9.0] * 4, "window", filled=False)
    rows = plot([line], 4, 5, 10.0, blocks=False)
    column = ["".join(text for text, _ in row)[2] for row in rows]
    assert " " not in column[:4]


@pytest.mark.parametrize("make", [Track, lambda: Ring().track()])
def test_no_past_is_an_empty_graph(make: Callable[[], Track]) -> None:
    """Nothing is made up."""
    frame = replace(FRAMES["running"], rates=make(), job_rates=make())
    page = page_of(throughput_pane(frame, 60, 8, blocks=False))
    assert not any("⠀" < character <= "⣿" for character in page)
