"""What each pane makes of a frame, as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from engine import (
    ByteRange,
    Event,
    EventKind,
    HashSnapshot,
    JobSnapshot,
    JobState,
    LaneState,
    WindowChange,
)
from hydratui.keymap import ACTIONS, groups
from hydratui.sampler import Frame, Sampler
from hydratui.screens.help import help_pane
from hydratui.widgets.front_view import front_pane
from hydratui.widgets.graph import nice_top, throughput_pane, window_pane
from hydratui.widgets.hash_view import hash_pane
from hydratui.widgets.key_bar import (
    Place,
    key_spots,
    spot_at,
    spot_line,
    view_line,
    view_spots,
)
from hydratui.widgets.lane_grid import lane_pane
from hydratui.widgets.line import Line
from hydratui.widgets.log_view import event_entry, log_pane, note_entry
from hydratui.widgets.piece_bar import piece_line, shares
from hydratui.widgets.queue_table import queue_pane, scrolled
from hydratui.widgets.status_bar import Status, status_line, strip_line
from tests.hydratui.support import (
    GIB,
    HOSTILE,
    MIB,
    NOW,
    FakeEngine,
    hostile_queue,
    make_job,
    make_lanes,
    mixed_queue,
    running_job,
)


def frame_of(*jobs: JobSnapshot, limit: float | None = None, looks: int = 60) -> Frame:
    """A frame of the first job after a minute of looking at it."""
    engine = FakeEngine(jobs, limit=limit)
    sampler = Sampler()
    selected = jobs[0].id if jobs else None
    for look in range(looks):
        engine.at = NOW - looks + look
        sampler.sample(engine.snapshot(selected), selected)
    engine.at = NOW
    return sampler.sample(engine.snapshot(selected), selected)


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def page_of(lines: Sequence[Line]) -> str:
    return "\n".join(map(text_of, lines))


def inks_of(lines: Sequence[Line], text: str) -> set[str]:
    return {ink for line in lines for part, ink in line if text in part}


Pane = Callable[[Frame, int, int], Sequence[Line]]

PANES: dict[str, Pane] = {
    "lanes": lambda frame, w, h: lane_pane(frame.job, w, h),
    "bare lanes": lambda frame, w, h: lane_pane(frame.job, w, h, bare=True),
    "throughput": lambda frame, w, h: throughput_pane(frame, w, h, blocks=False),
    "window": lambda frame, w, h: window_pane(frame, w, h, blocks=True),
    "front": front_pane,
    "verify": hash_pane,
    "queue": lambda frame, w, h: queue_pane(frame.snapshot, 1, 0, w, h),
    "log": lambda frame, w, h: log_pane(
        [
            event_entry(Event(NOW, 1, kind, job.name), NOW)
            for job in frame.snapshot.jobs[:20]
            for kind in EventKind
        ],
        w,
        h,
    ),
    "help": lambda _, w, h: help_pane(groups(), w, h),
}

ROWS: dict[str, Callable[[Frame, int], Line]] = {
    "status": lambda frame, w: status_line(Status(frame, slowed=True), w),
    "strip": strip_line,
    "pieces": lambda frame, w: piece_line(frame.job or make_job(), w),
    "views": lambda frame, w: view_line(
        Place("lanes", frame.job.name if frame.job else ""), w
    ),
    "keys": lambda _, w: spot_line(key_spots(None, w), w),
}

FRAMES = {
    "running": frame_of(running_job(lanes=24), limit=200e6),
    "on disk": frame_of(running_job(lanes=128, streaming=False)),
    "mixed": frame_of(*mixed_queue()),
    "queued": frame_of(make_job(state=JobState.QUEUED, size=None), limit=10e3),
    "empty file": frame_of(make_job(state=JobState.DONE, size=0)),
    "huge": frame_of(replace(running_job(), size=2**45, done=2**44)),
    "nothing": frame_of(),
    **{f"hostile {job.id}": frame_of(replace(job, id=1)) for job in hostile_queue()},
}


@pytest.mark.parametrize("name", PANES)
@given(
    frame=st.sampled_from(list(FRAMES.values())),
    width=st.integers(24, 250),
    height=st.integers(4, 60),
)
def test_a_pane_fills_exactly_its_place(
    name: str, frame: Frame, width: int, height: int
) -> None:
    """Whatever there is to show, no line is too long and no row too many."""
    lines = PANES[name](frame, width, height)
    assert len(lines) == height
    assert {cell_len(text_of(line)) for line in lines} == {width}


@pytest.mark.parametrize("name", ROWS)
@given(frame=st.sampled_from(list(FRAMES.values())), width=st.integers(20, 250))
def test_a_row_fills_exactly_its_place(name: str, frame: Frame, width: int) -> None:
    """The single rows keep to their width too."""
    assert cell_len(text_of(ROWS[name](frame, width))) == width


# ------------------------------------------------------------------- queue


def test_each_state_has_a_sign_and_a_word() -> None:
    """Colour alone says nothing."""
    page = page_of(queue_pane(FRAMES["mixed"].snapshot, 1, 0, 120, 13))
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
    row = text_of(queue_pane(FRAMES["mixed"].snapshot, 1, 0, 120, 13)[2])
    assert row.split()[-6:-1] == ["50.9", "182", "MB/s", "00:12", "24"]


def test_the_selected_row_is_marked_without_colour_too() -> None:
    """A bar at its left says which row it is."""
    rows = queue_pane(FRAMES["mixed"].snapshot, 3, 0, 120, 13)
    marked = [text_of(row) for row in rows if "▌" in text_of(row)]
    assert len(marked) == 1
    assert "ubuntu" in marked[0]


def test_narrow_queues_drop_columns_before_names() -> None:
    """Lanes go first, then the time left, then the size."""
    snapshot = FRAMES["mixed"].snapshot
    heads = [text_of(queue_pane(snapshot, 1, 0, w, 8)[1]) for w in (120, 80, 62)]
    assert "LANES" in heads[0]
    assert "LANES" not in heads[1]
    assert "ETA" in heads[1]
    assert "ETA" not in heads[2]
    assert all("NAME" in head and "%" in head for head in heads)


def test_an_empty_queue_says_how_to_fill_it() -> None:
    """Nobody is left alone with an empty screen."""
    page = page_of(queue_pane(FRAMES["nothing"].snapshot, None, 0, 80, 4))
    assert "Nothing queued yet" in page
    assert "hydra-tui URL" in page


@pytest.mark.parametrize(
    ("top", "index", "count", "rows", "found"),
    [
        (0, 0, 5, 10, 0),
        (0, 9, 50, 10, 0),
        (0, 10, 50, 10, 1),
        (20, 3, 50, 10, 3),
        (45, 49, 50, 10, 40),
        (30, None, 5, 10, 0),
    ],
)
def test_scrolling_keeps_the_selected_row_in_sight(
    top: int, index: int | None, count: int, rows: int, found: int
) -> None:
    """It moves no further than it must, and wastes no room at the end."""
    assert scrolled(top, index, count, rows) == found


# ------------------------------------------------------------------- lanes


def test_few_lanes_say_where_they_are() -> None:
    """With room to spare a lane tells its place and what is left of it."""
    page = page_of(lane_pane(running_job(lanes=6), 100, 20))
    assert "MB/s   at " in page
    assert "to go" in page
    assert "429, 4 s" in page


@pytest.mark.parametrize("count", [1, 16, 24, 48, 100, 128])
def test_every_lane_is_in_sight(count: int) -> None:
    """The more lanes there are, the smaller they get; none is left out."""
    page = page_of(lane_pane(running_job(lanes=count), 68, 21)[2:])
    words = page.replace("│", " ").replace("\n", " ")
    for number in range(count):
        assert f" {number}" in words
    assert "+" not in words


def test_where_not_all_lanes_fit_the_rest_is_counted() -> None:
    """What is not shown is at least said."""
    page = page_of(lane_pane(running_job(lanes=128), 60, 6))
    assert "+" in page


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
    assert "auto" in text_of(lane_pane(job, 68, 12)[-1])
    assert "at most 12" in text_of(lane_pane(replace(job, threads=12), 68, 12)[-1])


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


# ------------------------------------------------------------------ graphs


def test_the_limit_is_drawn_and_named() -> None:
    """The line shows how far below it the throughput stays."""
    lines = throughput_pane(frame_of(running_job(), limit=400e6), 60, 12, blocks=False)
    assert "╌╌╌" in page_of(lines)
    assert "limit" in inks_of(lines, "╌")


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


def test_a_cut_of_the_window_is_marked_with_its_age() -> None:
    """When the window was cut, and why it is what it is now."""
    page = page_of(window_pane(FRAMES["running"], 70, 12, blocks=False))
    assert page.count("▼") == 2
    assert "31 s ago" in page
    assert "holding at 28: the 29th added 1 %" in page
    assert "24 of 28 flying" in page


def test_cuts_of_long_ago_leave_the_graph() -> None:
    """The mark leaves with its minute."""
    job = running_job()
    assert job.window is not None
    old = WindowChange(NOW - 90, 3, "reset", cut=True)
    job = replace(job, window=replace(job.window, changes=(old,)))
    assert "▼" not in page_of(window_pane(frame_of(job), 70, 12, blocks=False))


@given(st.floats(1e-3, 1e12))
def test_the_scale_is_a_round_number_above_the_peak(peak: float) -> None:
    """The peak stays in sight and most of the graph in use."""
    top = nice_top(peak)
    assert peak < top <= peak * 1.4


# ------------------------------------------------------------------- front


def test_the_front_names_the_lane_that_holds_the_hole() -> None:
    """Who everybody waits for, how much waits, and what is to blame."""
    page = page_of(front_pane(FRAMES["running"], 68, 6))
    for piece in (
        "reorder heap of the stream",
        "in order  ▶ 1.92 GiB",
        "hole held by lane 14",
        "184 MiB of 512 MiB",
        "23 blocks",
        "slowed by head of line",
    ):
        assert piece in page


def test_on_disk_the_front_speaks_of_ranges() -> None:
    """A file has no heap and no bound."""
    page = page_of(front_pane(FRAMES["on disk"], 68, 6))
    assert "23 ranges" in page
    assert "of 512" not in page


def test_a_tall_front_has_a_graph_up_to_its_bound() -> None:
    """The history is seen against what may wait at most."""
    page = page_of(front_pane(FRAMES["running"], 78, 18))
    assert "512 MiB" in page.splitlines()[4]
    assert "-60s" in page


# ------------------------------------------------------------------ verify


def hashed(actual: str | None, expected: str | None = "ab" * 32) -> Frame:
    known = HashSnapshot(
        algorithm="sha256", hashed=GIB, expected=expected, actual=actual
    )
    job = replace(make_job(state=JobState.DONE, size=GIB, share=1.0), hash=known)
    return frame_of(job)


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        ("AB" * 32, "ab" * 32, "✓ matches"),
        ("cd" * 32, "ab" * 32, "✗ differs"),
        ("cd" * 32, None, "✓ computed"),
    ],
)
def test_the_verdict_is_a_sign_and_a_word(
    actual: str, expected: str | None, said: str
) -> None:
    """Whether the digest is the promised one is seen at once."""
    assert said in page_of(hash_pane(hashed(actual, expected), 60, 3))


def test_the_digests_are_shown_in_full_where_there_is_room() -> None:
    """Both can be compared by eye."""
    page = page_of(hash_pane(hashed("cd" * 32), 100, 10))
    assert "cd" * 32 in page
    assert "ab" * 32 in page


def test_a_job_without_digest_says_so() -> None:
    """Nothing was asked for, nothing is wrong."""
    assert "no digest asked for" in page_of(hash_pane(frame_of(make_job()), 60, 3))


# --------------------------------------------------------------- other rows


def test_the_status_names_speed_limit_counts_and_time() -> None:
    """One glance at the first row is enough."""
    text = text_of(status_line(Status(frame_of(running_job(), limit=500e6)), 120))
    for piece in (
        "hydra",
        "182 MB/s",
        "limit 500 MB/s",
        "▶ 1",
        "24 lanes",
        "ETA 00:12",
    ):
        assert piece in text


def test_a_narrow_status_keeps_what_matters() -> None:
    """Speed and counts stay, ornaments go."""
    text = text_of(status_line(Status(FRAMES["mixed"]), 60))
    assert "323 MB/s" in text
    assert "▶ 4" in text
    assert "received" not in text


def test_left_out_frames_are_confessed() -> None:
    """A slowed screen says that it is slow, not the download."""
    assert "◔" in text_of(status_line(Status(FRAMES["running"], slowed=True), 120))


def test_a_narrow_key_bar_keeps_the_way_out() -> None:
    """Quit and help are the last to go."""
    text = text_of(spot_line(key_spots(None, 24), 24))
    assert "q Quit" in text
    assert "Cancel" not in text


def test_the_first_key_says_what_it_would_do() -> None:
    """Space pauses what runs and resumes what is paused."""
    running = text_of(spot_line(key_spots(JobState.RUNNING, 80), 80))
    paused = text_of(spot_line(key_spots(JobState.PAUSED, 80), 80))
    assert "␣ Pause" in running
    assert "␣ Resume" in paused


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


def test_the_log_shows_the_latest_entries() -> None:
    """Newest last, with its time since the start and its job."""
    entries = [
        event_entry(Event(NOW + n, n, EventKind.STARTED, f"lane {n}"), NOW)
        for n in range(70)
    ]
    page = page_of(log_pane([*entries, note_entry("limit 5 MB/s", 71)], 60, 6))
    assert "00:01:09 ▶ #69" in page
    assert "» limit 5 MB/s" in page
    assert "lane 3 " not in page
    assert "71 entries" in page


@pytest.mark.parametrize("name", HOSTILE)
def test_an_event_cannot_escape(name: str) -> None:
    """The log is written by servers too."""
    entry = event_entry(Event(NOW, 1, EventKind.FAILED, name), NOW)
    assert entry.text.isprintable() or "\ufffd" in entry.text
    assert "\x1b" not in page_of(log_pane([entry], 80, 5))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 25), (132, 25)])
def test_help_holds_every_key_and_sign(width: int, height: int) -> None:
    """At both sizes nothing is cut off."""
    page = page_of(help_pane(groups(), width, height))
    for action in ACTIONS:
        assert action.shown in page
        assert action.help in page
    for word in ("running", "verifying", "failed", "retrying", "racing"):
        assert word in page
    assert "…" not in page


def test_lanes_are_made_for_this_file() -> None:
    """The prepared lanes cover the file, or the tests above would mean little."""
    lanes = make_lanes(24)
    assert lanes[0].range.start == 0
    assert all(lane.range.start <= lane.mark <= lane.range.stop for lane in lanes)
