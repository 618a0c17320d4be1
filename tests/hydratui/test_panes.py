"""Every pane and every row keeps to its place; and the rows of keys and of help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from engine import Event, EventKind, JobState
from hydratui.keymap import ACTIONS, groups
from hydratui.sampler import LONG_SPAN, SPAN, Frame
from hydratui.screens.help import help_pane
from hydratui.widgets.front_view import front_pane
from hydratui.widgets.graph import depth_pane, throughput_pane
from hydratui.widgets.hash_view import hash_pane
from hydratui.widgets.info_view import info_pane, info_rows
from hydratui.widgets.key_bar import (
    Place,
    key_spots,
    spot_at,
    spot_line,
    view_line,
    view_spots,
)
from hydratui.widgets.lane_grid import lane_pane
from hydratui.widgets.lane_layout import Density, Look, Order
from hydratui.widgets.line import Line, wrapped
from hydratui.widgets.log_book import LogBook, event_entry
from hydratui.widgets.log_view import latest_line, log_pane
from hydratui.widgets.piece_bar import piece_line
from hydratui.widgets.speed_graph import speed_pane
from hydratui.widgets.status_bar import Status, status_line, strip_line
from hydratui.widgets.window_plot import window_pane
from tests.hydratui.pictures import FRAMES, page_of, text_of
from tests.hydratui.support import make_job

Pane = Callable[[Frame, int, int], Sequence[Line]]


def book_of(frame: Frame, sought: str = "") -> LogBook:
    """A log in which each of some jobs had everything happen to it."""
    book = LogBook()
    for job, kind in product(frame.snapshot.jobs[:20], EventKind):
        book.add(event_entry(Event(0.0, job.id, kind, job.name), 1.0))
    book.find(sought)
    return book


def lanes_with(density: Density, order: Order, *, bare: bool) -> Pane:
    look = Look(density, order, top=2)
    return lambda frame, w, h: lane_pane(frame.job, w, h, look=look, bare=bare)


def info(frame: Frame, width: int, height: int, *, is_wrapped: bool) -> Sequence[Line]:
    rows = info_rows(frame.job, width - 4, is_wrapped=is_wrapped)
    return info_pane(rows, width, height, 1)


def over(pane: Callable[..., Sequence[Line]]) -> list[Pane]:
    """A graph over each span, in braille and in blocks."""
    return [
        partial(pane, blocks=blocks, span=span)
        for blocks, span in product((False, True), (SPAN, LONG_SPAN, None))
    ]


PANES: dict[str, list[Pane]] = {
    "lanes": [
        lanes_with(density, order, bare=bare)
        for density, order, bare in product(Density, Order, (False, True))
    ],
    "throughput": over(throughput_pane),
    "window": over(window_pane),
    "depth": over(depth_pane),
    "speeds": [speed_pane],
    "front": [front_pane],
    "verify": [hash_pane],
    "info": [partial(info, is_wrapped=False), partial(info, is_wrapped=True)],
    "log": [
        lambda frame, w, h: log_pane(book_of(frame), w, h),
        lambda frame, w, h: log_pane(book_of(frame, "a"), w, h),
    ],
}
"""Each pane, in all the ways in which it can be looked at."""

ROWS: dict[str, Callable[[Frame, int], Line]] = {
    "status": lambda frame, w: status_line(
        Status(frame, slowed=True, free=10**9, notice="FROZEN"), w
    ),
    "strip": strip_line,
    "pieces": lambda frame, w: piece_line(frame.job or make_job(), w),
    "views": lambda frame, w: view_line(
        Place("lanes", frame.job.name if frame.job else ""), w
    ),
    "keys": lambda _, w: spot_line(key_spots(None, w), w),
    "latest": lambda frame, w: latest_line(book_of(frame).entries, w),
}

SIZES = [(20, 3), (24, 4), (60, 9), (68, 20), (76, 14), (120, 36), (240, 70)]


@pytest.mark.parametrize("name", PANES)
@given(
    data=st.data(),
    frame=st.sampled_from(list(FRAMES.values())),
    size=st.sampled_from(SIZES) | st.tuples(st.integers(20, 240), st.integers(3, 70)),
)
def test_a_pane_fills_exactly_its_place(
    name: str, data: st.DataObject, frame: Frame, size: tuple[int, int]
) -> None:
    """Whatever there is to show, no line is too long and no row too many."""
    lines = data.draw(st.sampled_from(PANES[name]))(frame, *size)
    assert len(lines) == size[1]
    assert {cell_len(text_of(line)) for line in lines} == {size[0]}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_no_pane_lets_anything_escape(frame: Frame) -> None:
    """What servers, commands and users wrote cannot move the cursor or turn the text."""
    for panes, size in product(PANES.values(), SIZES):
        page = page_of(panes[0](frame, *size)).replace("\n", "")
        assert not {c for c in page if c < " " or "\x7f" <= c < "\xa0"}
        assert not set(page) & set("\u202e\u2066\u200f\ufeff")


@given(st.sampled_from(list(FRAMES.values())), st.integers(24, 240), st.integers(4, 70))
def test_help_fills_exactly_its_place(frame: Frame, width: int, height: int) -> None:
    """The keys too."""
    lines = help_pane(groups(), width, height)
    assert len(lines) == height
    assert {cell_len(text_of(line)) for line in lines} == {width}


@pytest.mark.parametrize("name", ROWS)
@given(frame=st.sampled_from(list(FRAMES.values())), width=st.integers(20, 250))
def test_a_row_fills_exactly_its_place(name: str, frame: Frame, width: int) -> None:
    """The single rows keep to their width too."""
    assert cell_len(text_of(ROWS[name](frame, width))) == width


@given(st.text("ab 數👩", max_size=60), st.integers(2, 30))
def test_wrapped_text_is_all_there_and_never_too_wide(text: str, cells: int) -> None:
    """It is broken at spaces, or where a word is too long for any row."""
    rows = wrapped(text, cells)
    assert all(cell_len(row) <= cells for row in rows)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")


# -------------------------------------------------------------- keys and help


def test_a_narrow_key_bar_keeps_the_way_out() -> None:
    """Quit and help are the last to go."""
    text = text_of(spot_line(key_spots(None, 24), 24))
    assert "q Quit" in text
    assert "Cancel" not in text


def test_the_first_key_says_what_it_would_do() -> None:
    """Space pauses what runs and resumes what is paused; what is done can be opened."""
    running = text_of(spot_line(key_spots(JobState.RUNNING, 80), 80))
    paused = text_of(spot_line(key_spots(JobState.PAUSED, 80), 80))
    done = text_of(spot_line(key_spots(JobState.DONE, 80), 80))
    assert "␣ Pause" in running
    assert "␣ Resume" in paused
    assert "o Open" in done
    assert "Pause" not in done


def test_a_click_finds_the_key_it_is_on() -> None:
    """The bar can be used without knowing a key."""
    spots = key_spots(JobState.RUNNING, 80)
    text = text_of(spot_line(spots, 80))
    spot = spot_at(spots, text.index("Help"))
    assert spot is not None
    assert spot.command == "app.help"
    assert spot_at(spots, 0) is None


def test_the_current_view_is_in_brackets() -> None:
    """Where one is does not hang on a colour."""
    text = text_of(view_line(Place("front", "file.iso"), 100))
    assert "[3 Front]" in text
    assert "file.iso" in text
    spot = spot_at(view_spots("front"), text.index("Log"))
    assert spot is not None
    assert spot.command == "view_log"


@pytest.mark.parametrize("width", [80, 120, 132])
def test_help_holds_every_key_and_sign(width: int) -> None:
    """Scrolled through to its end, nothing is left out or cut off."""
    page = page_of(help_pane(groups(), width, 200))
    for action in ACTIONS:
        assert action.shown in page
        assert action.help in page
    for word in ("running", "verifying", "failed", "retrying", "racing"):
        assert word in page
