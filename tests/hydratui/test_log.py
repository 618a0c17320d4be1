"""The log: what happened, filtered, searched, followed or scrolled back."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, strategies as st

from engine import Event, EventKind
from hydratui.widgets.log_book import (
    KEPT,
    Entry,
    Level,
    LogBook,
    event_entry,
    loud,
    note_entry,
)
from hydratui.widgets.log_view import LogView, entry_spans, latest_line, log_pane
from tests.hydratui.pictures import frame_of, inks_of, page_of, text_of
from tests.hydratui.support import HOSTILE, NOW, make_job


def entry(
    at: float, text: str, kind: EventKind = EventKind.STARTED, job: int = 1
) -> Entry:
    return event_entry(Event(NOW + at, job, kind, text), at)


def book_of(entries: Iterable[Entry]) -> LogBook:
    book = LogBook()
    for one in entries:
        book.add(one)
    return book


def numbered(count: int) -> LogBook:
    """Entries of which the text is their number."""
    return book_of(entry(n, f"lane {n}.") for n in range(count))


def seen(book: LogBook, rows: int) -> list[int]:
    return [int(one.text[5:-1]) for one in book.page(rows)]


# ------------------------------------------------------------- what is shown


def test_the_log_shows_the_latest_entries() -> None:
    """Newest last, with its time since the start and its job."""
    book = book_of(
        [
            *(entry(n, f"lane {n}", job=n) for n in range(70)),
            note_entry("limit 5 MB/s", 71),
        ]
    )
    page = page_of(log_pane(book, 60, 6))
    assert "00:01:09 ▶ #69" in page
    assert "» limit 5 MB/s" in page
    assert "lane 3 " not in page
    assert "71 entries · follows" in page


@pytest.mark.parametrize("name", HOSTILE)
def test_an_event_cannot_escape(name: str) -> None:
    """The log is written by servers too."""
    one = entry(0, name, EventKind.FAILED)
    assert one.text.isprintable() or "\ufffd" in one.text
    assert "\x1b" not in page_of(log_pane(book_of([one]), 80, 5))


def test_what_is_wrong_has_a_sign_and_a_colour() -> None:
    """Errors, warnings and the rest are told apart without colour too."""
    lines = [
        tuple(entry_spans(entry(0, "x", kind)))
        for kind in (EventKind.FAILED, EventKind.RETRY, EventKind.DONE)
    ]
    assert [inks_of([line], "x") for line in lines] == [{"bad"}, {"warn"}, {"text"}]
    assert [text_of(line)[9] for line in lines] == ["✗", "↻", "✓"]


def test_thousands_are_kept_and_no_more() -> None:
    """The oldest goes; the rest is still the newest of all."""
    book = numbered(KEPT + 50)
    assert len(book.entries) == len(book.wanted) == KEPT
    assert seen(book, 1) == [KEPT + 49]
    assert book.entries[0].text == "lane 50."


# -------------------------------------------------------------------- filter


def test_warnings_and_errors_can_be_wanted_alone() -> None:
    """A retry is a warning, a failure an error, and what came later is filtered too."""
    kinds = (
        *(EventKind.STARTED, EventKind.RETRY, EventKind.MIRROR),
        *(EventKind.CHANGED, EventKind.FAILED),
    )
    book = book_of(entry(n, f"{kind}", kind) for n, kind in enumerate(kinds))
    book.show(Level.WARNING, None)
    assert [one.text for one in book.wanted] == ["retry", "mirror", "changed", "failed"]
    book.show(Level.ERROR, None)
    assert [one.text for one in book.wanted] == ["failed"]
    book.add(entry(9, "expired", EventKind.EXPIRED))
    book.add(entry(9, "again", EventKind.FAILED))
    assert [one.text for one in book.wanted] == ["failed", "again"]
    assert "errors" in text_of(log_pane(book, 60, 6)[0])


def test_one_job_can_be_wanted_alone() -> None:
    """What others do, and what keys did, is not its story."""
    book = book_of([entry(0, "a", job=1), entry(1, "b", job=2), note_entry("c", 2)])
    book.show(Level.ALL, 2)
    assert [one.text for one in book.wanted] == ["b"]
    assert "only #2" in text_of(log_pane(book, 60, 6)[0])
    book.show(Level.ALL, None)
    assert len(book.wanted) == 3


def test_a_filter_that_leaves_nothing_says_so() -> None:
    """An empty log might be taken for a broken one."""
    book = numbered(3)
    book.show(Level.ERROR, None)
    assert "nothing of that kind" in page_of(log_pane(book, 60, 6))


# ----------------------------------------------------------- follow and scroll


def test_what_is_scrolled_back_stays_where_it_is() -> None:
    """New entries do not pull away what is being read."""
    book = numbered(100)
    book.scroll(-30, 10)
    before = seen(book, 10)
    assert before == list(range(60, 70))
    book.add(entry(100, "lane 100."))
    assert seen(book, 10) == before
    assert "61–70 of 101" in text_of(log_pane(book, 60, 12)[-1])  # noqa: RUF001


def test_scrolling_to_the_end_follows_again() -> None:
    """And at the other end it stops."""
    book = numbered(100)
    book.scroll(-1000, 10)
    assert seen(book, 10) == list(range(10))
    book.scroll(1000, 10)
    book.add(entry(100, "lane 100."))
    assert seen(book, 10)[-1] == 100


@given(st.lists(st.integers(-60, 60) | st.none(), max_size=40), st.integers(1, 12))
def test_a_page_is_full_wherever_one_is(steps: list[int | None], rows: int) -> None:
    """Scrolling and adding in any order shows a run of neighbours."""
    book = numbered(rows + 8)
    for step in steps:
        if step is None:
            count = len(book.entries)
            book.add(entry(count, f"lane {count}."))
        else:
            book.scroll(step, rows)
        found = seen(book, rows)
        assert found == list(range(found[0], found[0] + rows))


def test_when_the_oldest_go_what_is_read_stays_as_long_as_it_can() -> None:
    """Scrolled to the very beginning, the end of what is kept is the end."""
    book = numbered(KEPT)
    book.scroll(-KEPT, 10)
    for n in range(KEPT, KEPT + 20):
        book.add(entry(n, f"lane {n}."))
    assert seen(book, 10)[0] >= 20
    assert len(seen(book, 10)) == 10


# --------------------------------------------------------------------- search


def test_a_search_begins_at_the_latest_match_and_goes_round() -> None:
    """Capitals do not matter."""
    book = book_of(entry(n, text) for n, text in enumerate(("One", "two", "none", "x")))
    book.find("ONE")
    assert [one.text for one in book.matches] == ["One", "none"]
    assert book.found is book.entries[2]
    book.find_again(1)
    assert book.found is book.entries[0]
    book.find_again(-1)
    assert book.found is book.entries[2]


def test_matches_are_marked_and_counted() -> None:
    """The one that one is at stands out from the others."""
    book = numbered(12)
    book.find("lane 1")
    lines = log_pane(book, 70, 20)
    assert "/lane 1 3 of 3" in text_of(lines[0])
    assert inks_of(lines[1:], "lane 1") == {"text chosen", "brand"}
    book.find("nowhere to be found at all")
    assert "/nowhere to be found… nowhere" in text_of(log_pane(book, 70, 20)[0])


def test_what_comes_later_can_match_too() -> None:
    """A search is not only for what was there."""
    book = numbered(3)
    book.find("fresh")
    assert book.found is None
    book.add(entry(3, "a fresh one"))
    book.find_again(1)
    assert book.found is book.entries[-1]


def test_a_match_that_is_far_back_is_scrolled_to() -> None:
    """It comes to stand in the middle; one that is seen already moves nothing."""
    book = numbered(100)
    book.find("lane 40.")
    book.reveal(10)
    assert 40 in seen(book, 10)
    at = book.back
    book.find("lane 41.")
    book.reveal(10)
    assert book.back == at
    book.find("lane 99.")
    book.reveal(10)
    assert book.back == 0


def test_a_search_sees_only_what_is_wanted() -> None:
    """And it is made again when something else is wanted."""
    book = book_of(
        [entry(0, "429 once", EventKind.RETRY), entry(1, "429 again"), entry(2, "x")]
    )
    book.find("429")
    assert len(book.matches) == 2
    book.show(Level.WARNING, None)
    assert [one.text for one in book.matches] == ["429 once"]
    assert book.found is book.entries[0]


# ----------------------------------------------------------------- log line


def test_a_warning_is_not_washed_away_by_what_comes_after_it() -> None:
    """The line keeps what matters for half a minute, and then lets go."""
    entries = [entry(0, "404", EventKind.FAILED), entry(5, "job 3 done")]
    assert loud(entries) is entries[0]
    assert "404" in text_of(latest_line(entries, 80))
    entries.append(entry(40, "lanes 8"))
    assert loud(entries) is entries[2]
    assert loud([]) is None


def test_what_a_key_did_is_seen_at_once() -> None:
    """Even if something has just failed."""
    entries = [entry(0, "404", EventKind.FAILED), note_entry("limit 5 MB/s", 1)]
    assert "limit 5 MB/s" in text_of(latest_line(entries, 80))


def test_a_wide_line_has_room_for_the_very_latest_too() -> None:
    """At its right, where it is not taken for what matters."""
    entries = [entry(0, "404", EventKind.FAILED), entry(5, "job 3 done")]
    text = text_of(latest_line(entries, 120))
    assert text.index("404") < text.index("job 3 done")
    assert text.endswith("job 3 done ")


# ---------------------------------------------------------------- the widget


def test_the_view_follows_the_selected_job() -> None:
    """With only one job wanted, selecting another shows that one's story."""
    view = LogView()
    view.add(entry(0, "a", job=1))
    view.add(entry(1, "b", job=2))
    view.next_scope()
    for number, text in ((1, "a"), (2, "b")):
        view.look(frame_of(make_job(number)))
        assert [one.text for one in view.book.wanted] == [text]
    view.next_scope()
    assert len(view.book.wanted) == 2


def test_one_key_goes_through_the_levels() -> None:
    """All, warnings, errors, all again; what is searched stays."""
    view = LogView()
    view.find("x")
    seen_levels = []
    for _ in range(4):
        seen_levels.append(view.book.level.word)
        view.next_level()
    assert seen_levels == ["all", "warnings", "errors", "all"]
    assert view.book.sought == "x"


def test_the_end_is_one_call_away() -> None:
    """From anywhere."""
    view = LogView()
    for n in range(50):
        view.add(entry(n, f"lane {n}."))
    view.scroll(-20)
    assert view.book.back == 20
    view.to_end()
    assert view.book.back == 0
