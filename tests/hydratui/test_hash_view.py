"""Verify: whether these are the promised bytes is seen at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import HashSnapshot, JobState
from hydratui.sampler import Frame
from hydratui.widgets.hash_view import hash_pane
from tests.hydratui.pictures import frame_of, inks_of, page_of, text_of
from tests.hydratui.support import GIB, make_job, promised_job, running_job

RIGHT = "ab" * 32
WRONG = "ab" * 12 + "cd" * 20


def hashed(actual: str | None, expected: str | None = RIGHT) -> Frame:
    known = HashSnapshot(
        algorithm="sha256", hashed=GIB, expected=expected, actual=actual
    )
    job = replace(make_job(state=JobState.DONE, size=GIB, share=1.0), hashes=(known,))
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
    page = page_of(hash_pane(frame_of(running_job()), 80, 12))
    for piece in ("47.7 %", "178 MB/s", "1.91 GiB of 4.00 GiB", "ETA       00:13"):
        assert piece in page


def test_every_algorithm_has_its_bar_and_says_who_promised_it() -> None:
    """Both digests, both origins, and what each of them is compared with."""
    page = page_of(hash_pane(frame_of(promised_job()), 100, 20))
    for algorithm, expected, origin in (
        ("sha256", "9f86d081" * 8, "SHA256SUMS"),
        ("md5   ", "d41d8cd9" * 4, "Metalink"),
    ):
        assert f"{algorithm} ━" in page
        assert f"expected  {expected}" in page
        assert f"from      {origin}" in page


def test_pieces_that_came_again_are_counted() -> None:
    """How many were compared, how large each is, and how often one was wrong."""
    page = page_of(hash_pane(frame_of(promised_job()), 100, 20))
    assert "121 of 256  ! 2 came again" in page
    assert "each      16.0 MiB, sha1" in page
    assert "2 were not as promised, and fetched again" in page


def test_pieces_alone_are_worth_showing() -> None:
    """A Metalink may promise nothing of the whole."""
    job = replace(promised_job(), hashes=())
    assert job.parts is not None
    parts = replace(job.parts, checked=256, bad=0)
    page = page_of(hash_pane(frame_of(replace(job, parts=parts)), 60, 3))
    assert "256 of 256  ✓ all right" in page


@pytest.mark.parametrize("height", [3, 4, 5, 6, 9, 12, 16])
def test_what_differs_is_seen_however_short_the_pane(height: int) -> None:
    """Of several digests the wrong one comes first."""
    good, bad = promised_job().hashes
    good = replace(good, actual=good.expected)
    bad = replace(bad, actual="00" * 16)
    job = replace(promised_job(), hashes=(good, bad))
    page = page_of(hash_pane(frame_of(job), 60, height))
    assert "✗ MISMATCH" in page
    assert "md5" in page.splitlines()[1]
    assert "differs" in page.splitlines()[1]


def test_digests_that_find_no_room_are_counted() -> None:
    """One row for two of them: the first, and how many more."""
    page = page_of(hash_pane(frame_of(promised_job()), 60, 3))
    assert page.splitlines()[1].startswith("│ sha256 +1 ━")


def test_a_search_is_said() -> None:
    """Nothing is known yet, but somebody looks; also beside what is known already."""
    looks = "looking for digests beside the file"
    job = replace(running_job(), searching=True)
    assert looks in page_of(hash_pane(frame_of(job), 80, 12))
    assert looks in page_of(hash_pane(frame_of(replace(job, hashes=())), 80, 12))
    assert looks not in page_of(hash_pane(frame_of(running_job()), 80, 12))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState.RUNNING, "nothing is promised: the size is all there is"),
        (JobState.QUEUED, "nothing is promised yet"),
    ],
)
def test_a_job_without_digest_says_so(state: JobState, said: str) -> None:
    """Nothing was asked for, nothing is wrong."""
    assert said in page_of(hash_pane(frame_of(make_job(state=state)), 60, 3))


@pytest.mark.parametrize("width", [16, 24, 40, 51, 80])
def test_one_row_holds_a_whole_sentence(width: int) -> None:
    """A shorter one where there is less room; none is cut."""
    row = page_of(hash_pane(frame_of(make_job()), width, 3)).splitlines()[1]
    said = row.strip("│ ")
    assert said in {
        "nothing is promised: the size is all there is",
        "nothing is promised, size only",
        "size only",
    }


def test_size_only_says_why() -> None:
    """Who wants more knows what is missing."""
    job = make_job(state=JobState.DONE, share=1.0, verdict="size only")
    page = page_of(hash_pane(frame_of(job), 80, 12))
    assert "✓ size only" in page
    assert "No digest was typed" in page
    assert "4,294,967,296 bytes" in page
