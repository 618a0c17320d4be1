"""Whether two looks were at one file: a table, and laws for whatever is not in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from engine.identity import Doubt, Likeness, compare, condition, is_weak
from engine.model import RemoteFile

DAY = "Wed, 01 Jan 2025 00:00:00 GMT"
LATER = "Thu, 02 Jan 2025 00:00:00 GMT"
BINARY = "application/octet-stream"


def file(
    size: int | None = 1000,
    etag: str | None = None,
    date: str | None = None,
    media_type: str = "",
) -> RemoteFile:
    return RemoteFile(
        url="https://example.org/x",
        size=size,
        ranges=True,
        name="x",
        etag=etag,
        last_modified=date,
        media_type=media_type,
    )


SAME: dict[str, tuple[RemoteFile, RemoteFile]] = {
    "a tag": (file(etag='"a"'), file(etag='"a"')),
    "a tag, and another date": (file(etag='"a"', date=DAY), file(None, '"a"', LATER)),
    "a tag of unknown size": (file(etag='"a"'), file(None, '"a"')),
    "a tag of a size that was unknown": (file(None, '"a"'), file(5, '"a"')),
    "a weak tag": (file(etag='W/"a"'), file(etag='W/"a"')),
    "a weak tag and its date": (file(etag='W/"a"', date=DAY),) * 2,
    "a weak tag whose date is gone": (file(etag='W/"a"', date=DAY), file(etag='W/"a"')),
    "a tag that became weak": (
        file(etag='"a"', date=DAY),
        file(etag='W/"a"', date=DAY),
    ),
    "a tag in small letters": (file(etag='w/"a"'), file(etag='"a"')),
    "a date": (file(date=DAY), file(date=DAY)),
    "a date, and the tag is gone": (file(etag='"a"', date=DAY), file(date=DAY)),
    "a date, and a tag has come": (file(date=DAY), file(etag='"a"', date=DAY)),
}
OTHER: dict[str, tuple[RemoteFile, RemoteFile]] = {
    "a size": (file(1000, '"a"', DAY), file(1001, '"a"', DAY)),
    "a size of nothing": (file(1000, '"a"', DAY), file(0, '"a"', DAY)),
    "a size alone": (file(1), file(2)),
    "a tag, and nobody tells dates": (file(etag='"a"'), file(etag='"b"')),
    "a tag, and one date is missing": (file(etag='"a"', date=DAY), file(etag='"b"')),
    "a tag and the date": (file(etag='"a"', date=DAY), file(etag='"b"', date=LATER)),
    "a weak tag without dates": (file(etag='W/"a"'), file(etag='W/"b"')),
    "the date of a weak tag": (
        file(etag='W/"a"', date=DAY),
        file(etag='W/"a"', date=LATER),
    ),
    "the date of a tag that became weak": (
        file(etag='"a"', date=DAY),
        file(etag='W/"a"', date=LATER),
    ),
    "a date": (file(date=DAY), file(date=LATER)),
    "a date, and the tag is gone": (file(etag='"a"', date=DAY), file(date=LATER)),
}
UNSURE: dict[str, tuple[RemoteFile, RemoteFile]] = {
    "tags differ on one day": (
        file(etag='"a"', date=DAY),
        file(etag='"b"', date=DAY),
    ),
    "weak tags differ on one day": (
        file(etag='W/"a"', date=DAY),
        file(etag='W/"b"', date=DAY),
    ),
    "nobody tells anything": (file(), file()),
    "only one tells a tag": (file(etag='"a"'), file()),
    "only one tells a date": (file(), file(date=DAY)),
    "a tag and a date do not compare": (file(etag='"a"'), file(date=DAY)),
    "nothing at all is known": (file(None), file(None)),
    "an empty tag is none": (file(etag=""), file(etag='"a"')),
}
PAGE: dict[str, tuple[RemoteFile, RemoteFile]] = {
    "a page": (
        file(etag='"a"', media_type=BINARY),
        file(None, media_type="text/html"),
    ),
    "a page of the same size": (
        file(media_type=BINARY),
        file(media_type="text/html"),
    ),
    "a page with the same tag": (
        file(etag='"a"', media_type=BINARY),
        file(etag='"a"', media_type="text/html"),
    ),
}
CASES = {
    Likeness.SAME: SAME,
    Likeness.OTHER: OTHER,
    Likeness.UNSURE: UNSURE,
    Likeness.PAGE: PAGE,
}


@pytest.mark.parametrize(
    ("likeness", "case"),
    [(likeness, case) for likeness, cases in CASES.items() for case in cases],
)
def test_two_looks_are_compared(likeness: Likeness, case: str) -> None:
    """Size, then tags, then dates decide; where none of them can, bytes must."""
    assert compare(*CASES[likeness][case]) is likeness


def test_a_page_is_a_version_of_a_page() -> None:
    """Where a web page was wanted, or nobody said what, a page is what it is."""
    page = file(etag='"a"', media_type="text/html")
    assert compare(page, page) is Likeness.SAME
    assert compare(file(etag='"a"'), page) is Likeness.SAME
    assert compare(page, file(5, '"b"', media_type="text/html")) is Likeness.OTHER


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (file(etag='"a"', date=DAY), '"a"'),
        (file(etag='"a"'), '"a"'),
        (file(etag='W/"a"', date=DAY), DAY),
        (file(etag='w/"a"', date=DAY), DAY),
        (file(date=DAY), DAY),
        (file(etag='W/"a"'), None),
        (file(etag=""), None),
        (file(), None),
    ],
)
def test_a_condition_is_strong(known: RemoteFile, asked: str | None) -> None:
    """If-Range has a strong tag, else the date, and never a weak tag."""
    assert condition(known) == asked


@pytest.mark.parametrize(
    ("known", "seen", "told"),
    [
        (file(5, '"a"'), file(6, '"b"'), "it was 5, it is 6"),
        (file(etag='"a"'), file(etag='"b"'), 'it was "a", it is "b"'),
        (file(date=DAY), file(date=LATER), f"it was {DAY}, it is {LATER}"),
        (file(), file(), "its bytes are others"),
    ],
)
def test_a_doubt_names_the_first_difference(
    known: RemoteFile, seen: RemoteFile, told: str
) -> None:
    """People read in what the file differs from the one that was known."""
    doubt = Doubt(known, seen)
    assert str(doubt) == f"the remote file changed: {told}"
    assert (doubt.known, doubt.seen) == (known, seen)


# -- whatever servers say --------------------------------------------------------

tags = st.sampled_from(['"a"', '"b"', 'W/"a"', 'W/"b"', 'w/"b"'])
dates = st.sampled_from([DAY, LATER])
files = st.builds(
    file,
    size=st.none() | st.integers(0, 3),
    etag=st.none() | tags,
    date=st.none() | dates,
    media_type=st.sampled_from(["", BINARY, "text/html"]),
)


@given(files)
def test_a_file_is_itself(one: RemoteFile) -> None:
    """With a validator a file is the same as itself; without, nobody is sure."""
    marked = one.etag is not None or one.last_modified is not None
    assert compare(one, one) is (Likeness.SAME if marked else Likeness.UNSURE)


@given(files, files, st.integers(0, 9), st.integers(1, 9))
def test_another_size_is_never_the_same(
    one: RemoteFile, two: RemoteFile, size: int, more: int
) -> None:
    """Where both sizes are known and differ nothing else can make up for it."""
    sized = replace(one, size=size), replace(two, size=size + more)
    assert compare(*sized) in {Likeness.OTHER, Likeness.PAGE}
    assert compare(*reversed(sized)) in {Likeness.OTHER, Likeness.PAGE}


@given(files, files)
def test_no_page_stands_for_a_file(one: RemoteFile, two: RemoteFile) -> None:
    """A page is never taken for what was not one, and nothing else for a page."""
    is_page = two.media_type == "text/html" and one.media_type == BINARY
    assert (compare(one, two) is Likeness.PAGE) == is_page


@given(files, files)
def test_who_is_compared_first_does_not_matter(
    one: RemoteFile, two: RemoteFile
) -> None:
    """Apart from web pages the comparison is symmetric."""
    two = replace(two, media_type=one.media_type)
    assert compare(one, two) is compare(two, one)


@given(files, files)
def test_only_equal_marks_make_the_same(one: RemoteFile, two: RemoteFile) -> None:
    """What is the same has a mark in common, and no tag that differs."""
    if compare(one, two) is not Likeness.SAME:
        return
    tags_agree = _opaque(one) is not None and _opaque(one) == _opaque(two)
    dates_agree = one.last_modified is not None and (
        one.last_modified == two.last_modified
    )
    assert tags_agree or dates_agree
    assert tags_agree or None in {one.etag, two.etag}


@given(files)
def test_its_place_is_no_mark(one: RemoteFile) -> None:
    """Another URL and another name of it make no other file."""
    moved = replace(one, url="https://mirror.example/y", name="y")
    assert compare(one, moved) is compare(one, one)


@given(files)
def test_no_condition_is_weak(one: RemoteFile) -> None:
    """Whatever is known, a weak tag is never asked for."""
    asked = condition(one)
    assert not is_weak(asked)
    assert asked in {one.etag, one.last_modified, None}


def _opaque(one: RemoteFile) -> str | None:
    return one.etag and one.etag.removeprefix("W/").removeprefix("w/")
