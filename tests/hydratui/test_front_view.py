"""The front: what is whole, who holds the hole, and who is to blame if nothing moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import (
    Bottleneck,
    ByteRange,
    CommandSnapshot,
    JobSnapshot,
    JobState,
    LaneState,
)
from hydratui.widgets.blame import is_pressed
from hydratui.widgets.command_part import status_word
from hydratui.widgets.front_view import front_pane, hole
from tests.hydratui.pictures import FRAMES, frame_of, inks_of, page_of, text_of
from tests.hydratui.support import GIB, MIB, make_job, running_job


def with_hole(state: LaneState = LaneState.RECEIVING, rate: float = 2e6) -> JobSnapshot:
    """A stream whose lane 14 has the next 24 MiB, of which 4 are here."""
    job = running_job()
    assert job.front is not None
    front = job.front.front
    lane = replace(
        job.lanes[14],
        state=state,
        rate=rate,
        range=ByteRange(front, front + 64 * MIB),
        mark=front + 4 * MIB,
    )
    lanes = tuple(lane if one.number == 14 else one for one in job.lanes)
    return replace(job, lanes=lanes, bottleneck=Bottleneck.HEAD)


def piped(status: int | None = None, said: tuple[str, ...] = ()) -> JobSnapshot:
    """A stream into a command that takes nothing."""
    return replace(
        running_job(),
        command="tar x -C data",
        piped=CommandSnapshot(fed=2 * GIB, status=status, said=said),
        bottleneck=Bottleneck.READER,
    )


# ---------------------------------------------------------------- the front


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


@pytest.mark.parametrize(
    ("depth", "streaming", "said"),
    [
        (1, True, " 1 block "),
        (2, True, " 2 blocks "),
        (1, False, " 1 range "),
        (0, False, " 0 ranges "),
    ],
)
def test_one_is_one(depth: int, said: str, *, streaming: bool) -> None:
    """A single piece that waits is no plural."""
    job = running_job(streaming=streaming)
    assert job.front is not None
    job = replace(job, front=replace(job.front, depth=depth))
    assert said in page_of(front_pane(frame_of(job), 68, 6))


def test_the_hole_says_how_much_is_missing_and_how_soon_it_is_filled() -> None:
    """Twenty of its 24 MiB are missing, and come with 2 MB/s."""
    page = page_of(front_pane(frame_of(with_hole()), 90, 9))
    assert "hole      24.0 MiB at 1.92 GiB · lane 14 ▶ 2.00 MB/s" in page
    assert "filled in 00:10" in page


def test_a_lane_that_brings_nothing_promises_nothing() -> None:
    """No time is made up."""
    page = page_of(front_pane(frame_of(with_hole(LaneState.RETRYING, 0.0)), 90, 9))
    assert "lane 14 ↻ 0 kB/s" in page
    assert "filled" not in page


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ((), (100, 1000)),
        ((ByteRange(0, 100),), (100, 1000)),
        ((ByteRange(0, 100), ByteRange(300, 400)), (100, 300)),
        ((ByteRange(0, 250), ByteRange(300, 400)), (250, 300)),
        ((ByteRange(0, 1000),), (1000, 1000)),
    ],
)
def test_the_hole_ends_where_the_next_piece_begins(
    pieces: tuple[ByteRange, ...], found: tuple[int, int]
) -> None:
    """What is here and only not yet delivered is not missing."""
    job = replace(running_job(), size=1000, pieces=pieces)
    assert job.front is not None
    assert hole(job, replace(job.front, front=100)) == found


def test_the_speed_of_the_front_is_that_of_what_comes_out() -> None:
    """It is not the speed of what comes in."""
    page = page_of(front_pane(FRAMES["running"], 90, 9))
    assert "47.9 %  8.39 MB/s" in page


def test_on_disk_the_front_speaks_of_ranges() -> None:
    """A file has no heap and no bound."""
    page = page_of(front_pane(FRAMES["on disk"], 68, 6))
    assert "23 ranges" in page
    assert "of 512" not in page


def test_a_tall_front_has_a_graph_up_to_its_bound() -> None:
    """The history is seen against what may wait at most."""
    page = page_of(front_pane(FRAMES["running"], 78, 18))
    assert "512┤" in page
    assert "-60s" in page


def test_the_lanes_that_are_furthest_ahead_are_named() -> None:
    """What they have brought waits the longest."""
    lines = front_pane(FRAMES["running"], 90, 30)
    rows = [text_of(line) for line in lines if " ahead " in text_of(line)]
    assert [int(row[12:16]) for row in rows] == [23, 22, 21, 20, 19]


def test_nobody_knows_of_a_front_before_the_first_byte() -> None:
    """An empty pane is not wrong."""
    page = page_of(front_pane(frame_of(make_job(state=JobState.QUEUED)), 68, 6))
    assert "in order" not in page


# ------------------------------------------------------------- who is to blame


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (Bottleneck.NETWORK, "the lanes bring what the way brings"),
        (Bottleneck.SERVER, "it refuses, or takes its time to answer"),
        (Bottleneck.HEAD, "lane 14 has the next byte, at 2.00 MB/s"),
        (Bottleneck.READER, "the reader takes less than the network brings"),
        (Bottleneck.DISK, "it takes less than the network brings"),
        (Bottleneck.THROTTLE, "its limit of 50 kB/s is reached"),
    ],
)
def test_each_word_is_explained(word: Bottleneck, sentence: str) -> None:
    """What to do about it follows from the sentence."""
    job = replace(with_hole(), bottleneck=word, limit=5e4)
    page = page_of(front_pane(frame_of(job), 100, 10))
    assert f"slowed by {word.value}: " in page
    assert sentence in page


@pytest.mark.parametrize(
    ("word", "culprit"),
    [
        (Bottleneck.NETWORK, "no lane brings the next byte"),
        (Bottleneck.SERVER, "the server gives nothing"),
        (Bottleneck.HEAD, "lane 14 has the next byte, held back"),
        (Bottleneck.READER, "the reader takes nothing"),
        (Bottleneck.DISK, "the disk takes nothing"),
        (Bottleneck.THROTTLE, "the limit of 10 kB/s for all lets nothing through"),
    ],
)
def test_a_stream_that_stands_still_says_whose_fault_it_is(
    word: Bottleneck, culprit: str
) -> None:
    """First of all, however small the pane, and in the colour of what is wrong."""
    job = replace(running_job(), bottleneck=word)
    frame = frame_of(job, moving=False, limit=10e3)
    for height in (4, 20):
        lines = front_pane(frame, 90, height)
        assert f"‖ stands still, 01:00: {culprit}" in text_of(lines[1])
        assert inks_of(lines, "stands still") == {"bad"}


def test_a_file_whose_rest_comes_does_not_stand_still() -> None:
    """On disk the front waits for its turn; that is no fault."""
    job = running_job(streaming=False)
    assert "still" not in page_of(front_pane(frame_of(job, moving=False), 68, 9))
    stuck = frame_of(replace(job, rate=0.0), moving=False)
    assert "stands still" in page_of(front_pane(stuck, 68, 9))


def test_what_is_paused_does_not_stand_still() -> None:
    """Nobody is to blame for what was asked for."""
    job = replace(running_job(), state=JobState.PAUSED, rate=0.0)
    page = page_of(front_pane(frame_of(job, moving=False), 68, 9))
    assert "still" not in page
    assert "slowed by" not in page


@pytest.mark.parametrize(
    ("word", "waiting", "held", "pressed"),
    [
        (Bottleneck.NETWORK, 184, True, False),
        (Bottleneck.NETWORK, 511, False, True),
        (Bottleneck.READER, 184, True, True),
        (Bottleneck.READER, 184, False, False),
        (Bottleneck.THROTTLE, 184, True, False),
    ],
)
def test_back_pressure_is_a_full_heap_or_lanes_that_a_sink_holds_back(
    word: Bottleneck, waiting: int, held: bool, pressed: bool
) -> None:
    """A limit of ours holds lanes back too, and is not back-pressure."""
    job = running_job()
    assert job.front is not None
    lanes = [lane for lane in job.lanes if held or lane.state is not LaneState.HELD]
    front = replace(job.front, waiting=waiting * MIB)
    job = replace(job, front=front, lanes=tuple(lanes), bottleneck=word)
    assert is_pressed(job) is pressed
    page = page_of(front_pane(frame_of(job), 90, 20))
    assert f"pressure  {'on' if pressed else 'off'}" in page


# ---------------------------------------------------------------- a command


def test_a_command_is_shown_with_what_it_took_and_says() -> None:
    """The stream, the command behind it and its words, in one picture."""
    page = page_of(front_pane(frame_of(piped(said=("one", "x/two"))), 90, 14))
    assert "stream into a command" in page
    assert "into      | tar x -C data" in page
    assert "▶ runs  took 2.00 GiB" in page
    assert "says      one" in page
    assert "x/two" in page


def test_a_long_command_gives_way_to_how_it_does() -> None:
    """That it was killed is never cut off."""
    job = replace(piped(-15), command="tar " + "x" * 300)
    lines = front_pane(frame_of(job), 68, 8)
    assert "✗ killed by SIGTERM  took 2.00 GiB" in page_of(lines)
    assert inks_of(lines, "SIGTERM") == {"bad"}


def test_a_command_that_takes_nothing_is_to_blame() -> None:
    """By the name that the row of the command has."""
    page = page_of(front_pane(frame_of(piped(), moving=False), 68, 8))
    assert "stands still, 01:00: the command takes nothing" in page


def test_a_command_is_seen_before_there_is_a_front() -> None:
    """What it has said is worth reading even if no byte came."""
    job = replace(piped(2, ("no such folder",)), front=None, state=JobState.FAILED)
    page = page_of(front_pane(frame_of(job), 68, 8))
    assert "✗ ended with 2" in page
    assert "no such folder" in page


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (None, "runs"),
        (0, "ended with 0"),
        (2, "ended with 2"),
        (-9, "killed by SIGKILL"),
        (-99, "killed by signal 99"),
    ],
)
def test_how_a_command_does_is_a_word(status: int | None, word: str) -> None:
    """A signal has its name where it has one."""
    assert status_word(status) == word
