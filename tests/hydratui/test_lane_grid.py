"""Lanes: every one of them is seen, larger or smaller, in the order that is wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from engine import ByteRange, JobSnapshot, JobState, LaneState
from hydratui.widgets.lane_grid import LaneGrid, lane_pane
from hydratui.widgets.lane_heat import lanes_in_a_row
from hydratui.widgets.lane_layout import Density, Look, Order, after, grid_for
from hydratui.widgets.line import Line
from hydratui.widgets.piece_bar import piece_line, shares
from tests.hydratui.pictures import inks_of, page_of, text_of
from tests.hydratui.support import MIB, make_job, make_lanes, mirrored_job, running_job


def numbers_in(lines: Sequence[Line]) -> list[int]:
    """The numbers of the lanes, row by row."""
    page = page_of(lines).replace("│", " ")
    return [int(n) for n in re.findall(r"(?:^| )(\d+) [▶◌‖↻»]", page, re.MULTILINE)]


def heat_of(lines: Sequence[Line]) -> str:
    """The blocks of a heat map, without gaps and labels."""
    return re.sub(r"[^▁▂▃▄▅▆▇█◌‖↻»]", "", page_of(lines))


# ----------------------------------------------------------------- by itself


def test_few_lanes_say_where_they_are() -> None:
    """With room to spare a lane tells its place and what is left of it."""
    page = page_of(lane_pane(running_job(lanes=6), 100, 20))
    assert "MB/s   at " in page
    assert "to go" in page
    assert "429, 4 s" in page


@pytest.mark.parametrize("count", [1, 16, 24, 48])
def test_every_lane_is_in_sight(count: int) -> None:
    """The more lanes there are, the smaller they get; none is left out."""
    found = numbers_in(lane_pane(running_job(lanes=count), 68, 21)[2:])
    assert sorted(found) == list(range(count))


@pytest.mark.parametrize("count", [97, 100, 128])
def test_too_many_lanes_to_read_are_a_heat_map(count: int) -> None:
    """One block for each, and below it in full the few that stand out."""
    lines = lane_pane(running_job(lanes=count), 68, 21)
    assert len(heat_of(lines[2 : 2 + -(-count // 50)])) == count
    assert numbers_in(lines)[:1] == [5]
    assert {9, 12, 14, 0} <= set(numbers_in(lines))
    assert "↻ 1" in page_of(lines)


def test_a_small_place_is_a_heat_map_too() -> None:
    """What cannot be read one by one is at least seen."""
    lines = lane_pane(running_job(lanes=64), 76, 9)
    assert len(heat_of(lines[2:4])) == 64


def test_every_state_of_a_lane_has_its_sign() -> None:
    """Connecting, held, retrying, racing and receiving are told apart."""
    page = page_of(lane_pane(running_job(lanes=24), 68, 16))
    for piece in ("5 ↻ 429, 4 s", "9 ◌", "conn", "12 »", "14 ‖", "held", "0 ▶"):
        assert piece in page


def test_the_slowest_lane_is_named() -> None:
    """Only lanes that receive are compared."""
    job = running_job(lanes=3)
    slow = replace(job.lanes[2], rate=1e3)
    idle = replace(job.lanes[1], rate=0.0, state=LaneState.CONNECTING)
    lanes = (job.lanes[0], idle, slow)
    title = text_of(lane_pane(replace(job, lanes=lanes), 80, 10)[0])
    assert "slowest #2" in title


def test_the_lane_for_which_all_wait_says_so() -> None:
    """Where there is room for words it has them."""
    job = running_job(lanes=6)
    assert job.front is not None
    job = replace(job, front=replace(job.front, hole_lane=3))
    row = next(
        text_of(line) for line in lane_pane(job, 100, 20) if " 3 ▶" in text_of(line)
    )
    assert "next in line" in row


def test_a_lane_names_its_host_where_there_are_mirrors() -> None:
    """Only where a row has room for it, and nothing of a hostile name gets through."""
    job = mirrored_job()
    few = replace(job, lanes=job.lanes[:4])
    assert "mirror.example.net, " in page_of(lane_pane(few, 100, 20))
    assert "example" not in page_of(lane_pane(few, 70, 20))
    assert "example" not in page_of(lane_pane(running_job(lanes=4), 100, 20))
    lanes = tuple(replace(lane, host="\x1b[2Jx" * 9) for lane in few.lanes)
    page = page_of(lane_pane(replace(few, lanes=lanes), 100, 20))
    assert "\x1b" not in page
    assert "MiB to go" in page


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (make_job(state=JobState.PAUSED), "Space resumes"),
        (make_job(state=JobState.QUEUED), "waits for its turn"),
        (make_job(state=JobState.FAILED, verdict="404 Not Found"), "✗ 404 Not Found"),
        (
            make_job(state=JobState.DONE, share=1.0, verdict="md5 matches"),
            "✓ md5 matches",
        ),
    ],
)
def test_a_job_without_lanes_says_why(job: JobSnapshot, said: str) -> None:
    """An empty pane is not an answer."""
    assert said in page_of(lane_pane(job, 68, 12))


def test_the_number_of_lanes_says_who_chose_it() -> None:
    """Auto, or what was typed."""
    job = running_job(lanes=4)
    assert "auto lanes" in text_of(lane_pane(job, 68, 12)[-1])
    assert "at most 12" in text_of(lane_pane(replace(job, threads=12), 68, 12)[-1])


# ------------------------------------------------------------------ by choice


def test_bars_that_do_not_fit_are_scrolled() -> None:
    """The foot says which rows are seen; no lane is seen twice, none is skipped."""
    job = running_job(lanes=64)
    pages = [
        lane_pane(job, 68, 12, look=Look(Density.BARS, top=top)) for top in (0, 9, 18)
    ]
    assert {n for page in pages for n in numbers_in(page)} == set(range(64))
    assert "rows 14–22 of 22 · bars" in text_of(pages[-1][-1])  # noqa: RUF001


def test_nobody_scrolls_past_the_end() -> None:
    """The last rows stay where they are."""
    job = running_job(lanes=64)
    far = lane_pane(job, 68, 12, look=Look(Density.BARS, top=99))
    assert far == lane_pane(job, 68, 12, look=Look(Density.BARS, top=13))


def test_the_slowest_come_first_if_wanted() -> None:
    """Those that receive nothing before them; like ones stay in order."""
    lanes = make_lanes(24)
    job = replace(running_job(), lanes=lanes)
    lines = lane_pane(job, 68, 30, look=Look(order=Order.SPEED))
    assert "slowest first" in text_of(lines[-1])
    found = numbers_in(lane_pane(job, 50, 30, look=Look(Density.BARS, Order.SPEED)))
    rates = [round(lanes[number].rate / 1e5) for number in found]
    assert found[:3] == [5, 9, 14]
    assert rates == sorted(rates)


def test_a_lane_that_is_a_little_faster_keeps_its_place() -> None:
    """Rows that jump about eight times a second cannot be read."""
    lanes = make_lanes(4, rate=5e6)
    steady = [replace(lane, rate=4.21e6) for lane in lanes]
    before = lane_pane(
        replace(running_job(), lanes=tuple(steady)), 60, 9, look=Look(order=Order.SPEED)
    )
    steady[3] = replace(steady[3], rate=4.19e6)
    after_it = lane_pane(
        replace(running_job(), lanes=tuple(steady)), 60, 9, look=Look(order=Order.SPEED)
    )
    assert numbers_in(after_it) == numbers_in(before) == [0, 1, 2, 3]


def test_a_block_is_as_high_as_its_lane_is_fast() -> None:
    """The colour says the same again, in tenths of the highest speed."""
    lanes = tuple(
        replace(lane, rate=rate, state=LaneState.RECEIVING)
        for lane, rate in zip(make_lanes(4), (1e6, 4e6, 6e6, 10e6), strict=True)
    )
    lines = lane_pane(
        replace(running_job(), lanes=lanes), 60, 6, look=Look(Density.HEAT)
    )
    assert heat_of(lines[2:3]) == "▂▄▅█"
    inks = [ink for block in "▂▄▅█" for ink in inks_of(lines[2:3], block)]
    assert inks == ["bad", "warn", "bar", "good"]


def test_without_a_frame_the_facts_have_a_row_of_their_own() -> None:
    """On narrow terminals it is seen as well which rows are shown."""
    look = Look(Density.BARS, Order.SPEED, 3)
    lines = lane_pane(running_job(lanes=64), 76, 9, look=look, bare=True)
    assert "rows 4–10 of 22 · slowest first · bars" in text_of(lines[-1])  # noqa: RUF001
    plain = lane_pane(running_job(lanes=6), 76, 9, bare=True)
    assert text_of(plain[-1]).isspace()


@given(
    st.integers(0, 200),
    st.integers(16, 240),
    st.integers(-2, 70),
    st.sampled_from(Density),
)
def test_a_grid_has_a_place_for_every_lane(
    count: int, width: int, height: int, density: Density
) -> None:
    """However many there are, in whatever place."""
    grid = grid_for(count, width, height, density)
    assert grid.columns >= 1
    assert grid.columns * grid.rows >= count
    assert grid.columns * (grid.rows - 1) < max(count, 1)
    if density is Density.AUTO and grid.draw is not None:
        assert grid.rows <= grid.height


@given(st.integers(1, 240))
def test_a_row_of_the_map_fits(cells: int) -> None:
    """Whole tens where there is room for ten, never more than there is room for."""
    count = lanes_in_a_row(cells)
    assert count >= 1
    assert count + (count - 1) // 10 <= max(cells - 4, 1)
    assert cells < 15 or count % 10 == 0


def test_the_choices_go_round() -> None:
    """One key is enough for all of them."""
    density, seen = Density.AUTO, []
    for _ in Density:
        density = after(density)
        seen.append(density.value)
    assert seen == ["bars", "dense", "heat", "auto"]


def test_changing_the_look_begins_at_the_top() -> None:
    """What was scrolled to is not there any more."""
    grid = LaneGrid()
    grid.scroll(5)
    grid.scroll(-2)
    assert grid.look.top == 3
    grid.next_density()
    assert grid.look == Look(Density.BARS)
    grid.scroll(-1)
    grid.next_order()
    assert grid.look == Look(Density.BARS, Order.SPEED)


# ------------------------------------------------------------------ pieces


def test_a_cell_is_full_only_when_all_of_it_is_here() -> None:
    """Half a cell never looks like a whole one."""
    assert shares((ByteRange(0, 50), ByteRange(75, 100)), 100, 4) == [1, 1, 0, 1]
    assert shares((ByteRange(0, 60),), 100, 4)[2] == pytest.approx(0.4)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30, unique=True).map(sorted))
def test_the_pieces_add_up(edges: list[int]) -> None:
    """What the cells hold together is what is here."""
    pairs = zip(edges[::2], edges[1::2], strict=False)
    pieces = [ByteRange(start, stop) for start, stop in pairs]
    total = sum(piece.stop - piece.start for piece in pieces)
    assert sum(shares(pieces, 1000, 37)) * 1000 / 37 == pytest.approx(total)


def test_a_whole_file_is_one_bar() -> None:
    """When all is here there is no gap to see."""
    done = make_job(state=JobState.DONE, share=1.0)
    assert text_of(piece_line(done, 40)) == "file " + "█" * 27 + "   100 %"


def test_a_file_without_known_end_tells_what_is_here() -> None:
    """No percentage is made up."""
    text = text_of(piece_line(replace(make_job(size=None), done=5 * MIB), 60))
    assert "5.00 MiB so far" in text
    assert "%" not in text


def test_lanes_are_made_for_this_file() -> None:
    """The prepared lanes cover the file, or the tests above would mean little."""
    lanes = make_lanes(24)
    assert lanes[0].range.start == 0
    assert all(lane.range.start <= lane.mark <= lane.range.stop for lane in lanes)
