"""Verify: whether these are the promised bytes is seen at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import HashSnapshot, JobState
from hydratui.sampler import Frame
from hydratui.widgets.hash_view import hash_pane
from tests.hydratui.pictures import frame_of, inks_of, page_of, text_of
from tests.hydratui.support import GIB, make_job, running_job

RIGHT = "ab" * 32
WRONG = "ab" * 12 + "cd" * 20


def hashed(actual: str | None, expected: str | None = RIGHT) -> Frame:
    known = HashSnapshot(
        algorithm="sha256", hashed=GIB, expected=expected, actual=actual
    )
    job = replace(make_job(state=JobState.DONE, size=GIB, share=1.0), hash=known)
    return frame_of(job)


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (RIGHT.upper(), RIGHT, "✓ matches"),
        (WRONG, RIGHT, "✗ differs"),
        (WRONG, None, "✓ computed"),
    ],
)
def test_the_verdict_is_a_sign_and_a_word(
    actual: str, expected: str | None, said: str
) -> None:
    """Whether the digest is the promised one is seen at once."""
    assert said in page_of(hash_pane(hashed(actual, expected), 60, 3))


def test_the_digests_are_shown_in_full_where_there_is_room() -> None:
    """Both can be compared by eye."""
    page = page_of(hash_pane(hashed(WRONG), 100, 10))
    assert RIGHT in page
    assert WRONG in page


def test_a_mismatch_is_marked_at_its_first_difference() -> None:
    """Under each other, and the rest of the wrong one in the colour of what is wrong."""
    lines = hash_pane(hashed(WRONG), 100, 10)
    rows = [text_of(line) for line in lines]
    assert "✗ MISMATCH" in rows[0]
    assert rows[1].startswith("│ ✗ sha256 differs: this is not the file")
    at = rows[4].index("▲")
    assert (rows[2][at - 1 : at + 1], rows[3][at - 1 : at + 1]) == ("ba", "bc")
    assert "digit 25" in rows[4]
    assert inks_of(lines, WRONG[24:]) == {"bad"}


@pytest.mark.parametrize("width", [24, 40, 60])
@pytest.mark.parametrize("same", [0, 23, 40, 63])
def test_the_first_difference_is_in_sight_however_narrow(same: int, width: int) -> None:
    """A digest that is cut is cut elsewhere."""
    actual = RIGHT[:same] + "-" * (64 - same)
    rows = page_of(hash_pane(hashed(actual), width, 8)).splitlines()
    marks = [y for y, row in enumerate(rows) if "▲" in row]
    assert len(marks) == 1
    at = rows[marks[0]].index("▲")
    assert rows[marks[0] - 1][at] == "-"
    assert rows[marks[0] - 2][at] == RIGHT[same]


def test_a_long_digest_goes_on_below() -> None:
    """Nothing of it is lost where there are rows enough."""
    rows = page_of(hash_pane(hashed(WRONG), 48, 14)).splitlines()
    assert rows[2].strip("│ ").removeprefix("expected  ") == RIGHT[:34]
    assert rows[5].strip("│ ") == RIGHT[34:]
    assert rows[6].strip("│ ") == WRONG[34:]


def test_wrong_bytes_on_disk_are_kept_and_found() -> None:
    """Where to look at them is said."""
    page = page_of(hash_pane(hashed(WRONG), 100, 10))
    assert "kept as   download/1.parquet.part.bad" in page


def test_wrong_bytes_of_a_stream_are_gone() -> None:
    """What is delivered cannot be taken back, and that is said."""
    frame = hashed(WRONG)
    assert frame.job is not None
    frame = replace(frame, job=replace(frame.job, streaming=True))
    page = page_of(hash_pane(frame, 100, 10))
    assert "have been delivered already" in page
    assert ".part.bad" not in page


def test_how_far_it_is_and_how_long_it_takes() -> None:
    """Progress, rate and the time that is left."""
    frame = replace(frame_of(running_job()), hash_rate=200 * 1024 * 1024.0)
    page = page_of(hash_pane(frame, 80, 12))
    for piece in ("47.7 %", "210 MB/s", "1.91 GiB of 4.00 GiB", "ETA       00:11"):
        assert piece in page


def test_a_job_without_digest_says_so() -> None:
    """Nothing was asked for, nothing is wrong."""
    assert "no digest asked for" in page_of(hash_pane(frame_of(make_job()), 60, 3))


def test_size_only_says_why() -> None:
    """Who wants more knows what is missing."""
    job = make_job(state=JobState.DONE, share=1.0, verdict="size only")
    page = page_of(hash_pane(frame_of(job), 80, 12))
    assert "✓ size only" in page
    assert "No digest was typed" in page
    assert "4,294,967,296 bytes" in page
