"""Which jobs are shown in which order, which is selected and which are marked."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from engine import JobId, JobSnapshot, JobState
from hydratui.filters import folded
from hydratui.listing import (
    SYNTAX,
    Column,
    Filter,
    Listing,
    Sort,
    arrange,
    column_named,
    parse_filter,
)
from tests.hydratui.support import (
    GIB,
    HOSTILE,
    MIB,
    NOW,
    make_job,
    mixed_queue,
    running_job,
)

NAMES = st.one_of(
    st.sampled_from((*HOSTILE, "shard-2.gz", "shard-10.gz", "Shard-010.GZ")),
    st.text(max_size=12),
)
JOBS = st.lists(
    st.builds(
        make_job,
        st.just(1),
        NAMES,
        st.sampled_from(JobState),
        size=st.one_of(st.none(), st.integers(0, 9)),
        share=st.sampled_from((0.0, 0.3, 1.0)),
        rate=st.sampled_from((0.0, 2e6, 5e6)),
        lane_count=st.integers(0, 3),
    ),
    max_size=14,
).map(lambda jobs: tuple(replace(job, id=i) for i, job in enumerate(jobs, 1)))
SORTS = st.builds(Sort, st.sampled_from(Column), st.booleans())
FILTERS = st.sampled_from(
    ("", "shard", "!shard", "st:live", "done>20%", ">3", "~s.*d", "is:marked")
).map(parse_filter)


def numbers(jobs: Sequence[JobSnapshot]) -> list[JobId]:
    return [job.id for job in jobs]


def named(*names: str) -> tuple[JobSnapshot, ...]:
    return tuple(make_job(number, name) for number, name in enumerate(names, 1))


def found(typed: str, jobs: Sequence[JobSnapshot]) -> list[JobId]:
    return numbers(arrange(jobs, parse_filter(typed), Sort()))


def listed(*jobs: JobSnapshot, select: JobId | None = None) -> Listing:
    listing = Listing()
    listing.take(jobs, NOW)
    if select is not None:
        listing.select(numbers(listing.rows).index(select))
    return listing


# ----------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("  ", [1, 2, 3, 4]),
        ("SHARD", [1, 2]),
        ("shard 17", [2]),
        ("!shard", [3, 4]),
        ("shard !17", [1]),
        ('"my file"', [3]),
        ('!"my file" !shard', [4]),
        ('"!odd"', [4]),
        ("~^shard-0+1", [1, 2]),
        ("!~^shard", [3, 4]),
        ('~"y f"', [3]),
        (r"~\.(gz|txt)$", [1, 3]),
    ],
)
def test_words_and_patterns_are_looked_for_in_names(
    typed: str, expected: list[JobId]
) -> None:
    """All that was typed has to be so, in any case; "!" asks for the opposite."""
    jobs = named("Shard-001.gz", "shard-0017", "my file.txt", "is !odd")
    assert found(typed, jobs) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("st:run", [1, 2]),
        ("st:paused,failed", [4, 6]),
        ("st:pau,FAI", [4, 6]),
        ("st:p", [4, 5]),
        ("st:live", [1, 2, 3, 5]),
        ("st:over", [6, 7, 8]),
        ("!st:over !st:live !st:queued", [4]),
    ],
)
def test_states_may_be_cut_short(typed: str, expected: list[JobId]) -> None:
    """What is typed so far is already looked for."""
    assert found(typed, mixed_queue()[:8]) == expected


def test_hosts_sizes_shares_and_pipes_are_asked_for() -> None:
    """What is not known is neither more nor less than anything."""
    jobs = [
        replace(make_job(1, size=2 * GIB, share=0.6), command="tar x"),
        replace(make_job(2, size=5 * MIB), url="https://u@EBI.example.org:8080/x"),
        make_job(3, size=None),
        replace(make_job(4, state=JobState.DONE, size=None), url="http://[bad/"),
    ]
    assert found("host:ebi.example.org", jobs) == [2]
    assert found("host:8080", jobs) == [2]
    assert found(">1G", jobs) == [1]
    assert found("<10Mi", jobs) == [2]
    assert found("!>1G", jobs) == [2, 3, 4]
    assert found("done>50%", jobs) == [1, 4]
    assert found("done<50", jobs) == [2]
    assert found("is:pipe", jobs) == [1]
    assert found("!is:p", jobs) == [2, 3, 4]


def test_marks_are_asked_for_where_they_are_known() -> None:
    """A mark is no part of a job."""
    wanted = parse_filter("is:marked")
    assert wanted.admits(make_job(2), {2})
    assert not wanted.admits(make_job(1), {2})
    assert not wanted.admits(make_job(2))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("!", "a word is missing"),
        ('""', "a word is missing"),
        ('"two words', 'no second "'),
        ("~", "regular expression of 1 to 100"),
        ("~" + "a" * 101, "regular expression of 1 to 100"),
        ("~(a", "is no regular expression"),
        ("~a{99999999999}", "is no regular expression"),
        ("~[", "is no regular expression"),
        ("~(a+)+$", "repeats what itself repeats"),
        ("~(a|a)*$", "repeats what itself repeats"),
        ("~((a+))*", "repeats what itself repeats"),
        ("~(?:a?){40}", "repeats what itself repeats"),
        ("~a*b*c*d*", "more than 3"),
        ("~(a+)(?#)+", "comments"),
        ('~"(?ix)(a+) +"', "comments"),
        ("st:", "no state is called ''; it is queued, probing"),
        ("st:run,", "no state is called ''"),
        ("st:gone", "no state is called 'gone'"),
        ("host:", "host: needs"),
        ("is:", "it is marked or pipe"),
        ("is:red", "it is marked or pipe"),
        ("size:4", 'no size: but st:, host: and is:; "size:4"'),
        (">", "is no size"),
        (">1X", "is no size"),
        ("<" + "9" * 400, "is no size"),
        ("done>", "done> needs a percentage: done>50%"),
        ("done<x%", "done< needs a percentage"),
    ],
)
def test_a_filter_that_makes_no_sense_says_why(typed: str, said: str) -> None:
    """What is wrong, and what is allowed."""
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_filter(typed)


@pytest.mark.parametrize(
    "typed",
    [r"~(\.tar)?\.gz$", "~[(*+|]+", r"~\(a+\)+", "~(foo|bar)?", "~(ab){3}", "~x{2}"],
)
def test_patterns_that_end_soon_are_not_refused(typed: str) -> None:
    """Only a group that repeats or chooses may not be repeated."""
    assert parse_filter(typed).text == typed


@given(
    st.text(alphabet=st.sampled_from('!~"stduo:hi<>5%(a|)*+?{},[]^\\$. '), max_size=20)
)
def test_nothing_but_a_value_error_comes_of_typing(typed: str) -> None:
    """Whatever is typed, it is a filter or a sentence."""
    with suppress(ValueError):
        admitted = parse_filter(typed).admits(make_job(1, "da(a)5.tio"))
        assert isinstance(admitted, bool)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_can_be_filtered_by(name: str) -> None:
    """What is shown of a name finds it; what is hidden in it does no harm."""
    jobs = named("other", name)
    quoted = folded(name).replace('"', "")
    if quoted:
        assert 2 in found(f'"{quoted}"', jobs)
    assert found("~^other$", jobs) == [1]


@pytest.mark.parametrize("pattern", ["~(x+x+)y", "~.*.*x", "~x*x*y", "~[^a]+x?$z"])
def test_a_long_name_does_not_hold_up_the_loop(pattern: str) -> None:
    """A pattern sees no more of a name than a file's name can have."""
    jobs = named("x" * 100_000)
    started = time.perf_counter()
    found(pattern, jobs)
    assert time.perf_counter() - started < 1.0


def test_accents_are_compared_however_they_are_written() -> None:
    """Some systems write é as e and an accent."""
    assert found("CAFÉ", named("cafe\u0301.txt", "cafe.txt")) == [1]


def test_all_that_the_syntax_shows_can_be_typed() -> None:
    """Help promises nothing else."""
    for written, meaning in SYNTAX:
        assert parse_filter(written).terms
        assert len(written) <= 15
        assert len(meaning) <= 21


# ------------------------------------------------------------------- order


@given(JOBS, FILTERS, SORTS, st.frozensets(st.integers(1, 14)))
def test_arranging_neither_loses_nor_invents_jobs(
    jobs: tuple[JobSnapshot, ...], wanted: Filter, sort: Sort, marked: frozenset[JobId]
) -> None:
    """What is shown are the admitted jobs, each once."""
    shown = arrange(jobs, wanted, sort, marked)
    admitted = [job.id for job in jobs if wanted.admits(job, marked)]
    assert sorted(numbers(shown)) == admitted


@given(JOBS, SORTS)
def test_sorting_what_is_sorted_changes_nothing(
    jobs: tuple[JobSnapshot, ...], sort: Sort
) -> None:
    """An order is total: there is one way to be sorted, whatever the jobs are."""
    shown = arrange(jobs, Filter(), Sort(sort.column))
    if sort.column is Column.QUEUE:
        assert shown == jobs
    else:
        assert arrange(shown, Filter(), Sort(sort.column)) == shown


@given(JOBS, SORTS)
def test_equal_jobs_stay_as_they_stand_in_the_queue(
    jobs: tuple[JobSnapshot, ...], sort: Sort
) -> None:
    """In either direction, but for the queue's own order."""
    twins = tuple(replace(job, id=job.id + 100) for job in jobs)
    shown = numbers(arrange(jobs + twins, Filter(), sort))
    turned = sort == Sort(Column.QUEUE, descending=True)
    for job in jobs:
        assert (shown.index(job.id) < shown.index(job.id + 100)) is not turned


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", [Column.SIZE, Column.DONE, Column.ETA, Column.SPEED])
def test_what_is_unknown_comes_last_either_way(
    column: Column, *, descending: bool
) -> None:
    """It is neither the least nor the most."""
    jobs = [
        make_job(1, state=JobState.PROBING, size=None),
        make_job(2, size=2 * GIB, share=0.5, rate=2e6),
        make_job(3, state=JobState.PROBING, size=None),
        make_job(4, size=1 * GIB, share=0.1, rate=9e6),
    ]
    shown = numbers(arrange(jobs, Filter(), Sort(column, descending)))
    assert set(shown[:2]) == {2, 4}
    assert shown[2:] == [1, 3]


def test_names_are_sorted_as_people_count() -> None:
    """Numbers in names are numbers; case and leading zeros do not matter."""
    jobs = named("shard-10", "b", "shard-2", "Shard-002b", "a9", "a10", "shard-x", "")
    shown = arrange(jobs, Filter(), Sort(Column.NAME))
    assert [job.name for job in shown] == [
        "a9",
        "a10",
        "b",
        "shard-2",
        "Shard-002b",
        "shard-10",
        "shard-x",
        "",
    ]


@pytest.mark.parametrize(
    ("column", "first"),
    [
        (Column.QUEUE, [1, 2, 3]),
        (Column.SIZE, [4, 2, 7]),
        (Column.DONE, [7, 3, 1]),
        (Column.SPEED, [1, 2, 3]),
        (Column.ETA, [1, 2, 3]),
        (Column.STATE, [1, 2, 3]),
        (Column.LANES, [2, 1, 3]),
    ],
)
def test_a_column_begins_with_what_one_looks_for(
    column: Column, first: list[JobId]
) -> None:
    """The biggest, the fastest, the soonest; what lives before what is over."""
    jobs = mixed_queue()[:8]
    jobs[0] = replace(jobs[0], size=4 * GIB - 1)
    jobs[4] = replace(jobs[4], name="?")
    assert numbers(arrange(jobs, Filter(), Sort.by(column)))[:3] == first


@pytest.mark.parametrize(
    ("typed", "column"),
    [
        ("#", Column.QUEUE),
        ("queue", Column.QUEUE),
        ("name", Column.NAME),
        ("NA", Column.NAME),
        ("%", Column.DONE),
        ("sp", Column.SPEED),
        ("left", Column.ETA),
    ],
)
def test_a_column_is_named_by_its_beginning(typed: str, column: Column) -> None:
    """As in `:sort sp`."""
    assert column_named(typed) is column


@pytest.mark.parametrize("typed", ["", "colour"])
def test_a_column_there_is_not_is_said(typed: str) -> None:
    """And which there are."""
    with pytest.raises(ValueError, match="name, size, done, speed, eta, state, lanes"):
        column_named(typed)


# --------------------------------------------------------------- selection


@given(JOBS, st.lists(SORTS, max_size=4), st.integers(0, 13))
def test_sorting_never_selects_another_job(
    jobs: tuple[JobSnapshot, ...], sorts: list[Sort], row: int
) -> None:
    """The selection is on the job, wherever its row goes."""
    listing = Listing()
    listing.take(jobs, NOW)
    listing.select(row)
    selected = listing.selected
    for sort in sorts:
        listing.sort_by(sort.column)
        listing.take(tuple(replace(job) for job in jobs), NOW + 9)
        assert listing.selected == selected
        if listing.row is not None:
            assert listing.rows[listing.row].id == selected


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("take"), st.lists(st.integers(1, 8), unique=True)),
            st.tuples(st.just("filter"), st.sampled_from(("", "1", "!1", "is:m", "x"))),
            st.tuples(st.just("sort"), st.sampled_from(Column)),
            st.tuples(st.just("mark"), st.none()),
            st.tuples(st.just("all"), st.none()),
            st.tuples(st.just("move"), st.integers(-3, 3)),
        ),
        max_size=12,
    )
)
def test_whatever_happens_the_selected_row_holds_the_selected_job(
    steps: list[tuple[str, object]],
) -> None:
    """Rows, selection and marks are always of one piece."""
    listing = Listing()
    for number, (kind, value) in enumerate(steps):
        _do(listing, kind, value, NOW + number * 0.4)
        shown = numbers(listing.rows)
        expected = arrange(listing.queue, listing.filter, listing.sort, listing.marked)
        assert sorted(shown) == sorted(numbers(expected))
        assert (listing.selected is None) == (not shown)
        if listing.row is not None:
            assert shown[listing.row] == listing.selected
        assert listing.marked <= set(numbers(listing.queue))
        assert listing.hidden == len(listing.marked - set(shown))
        assert set(listing.targets) <= set(shown)


def _do(listing: Listing, kind: str, value: object, at: float) -> None:
    match kind, value:
        case "take", list(ids):
            jobs = [make_job(i, f"job {i}", rate=i * at) for i in ids]
            listing.take(tuple(jobs), at)
        case "filter", str(typed):
            listing.set_filter(parse_filter(typed))
        case "sort", Column() as column:
            listing.sort_by(column)
        case "mark", _:
            listing.mark()
        case "all", _:
            listing.mark_all()
        case "move", int(step):
            listing.move(step)
        case _:
            raise AssertionError(kind)


def test_the_first_job_that_lives_is_selected_first() -> None:
    """What moves is what one came to see."""
    jobs = [make_job(1, state=JobState.DONE), running_job(2), make_job(3)]
    assert listed(*jobs).selected == 2
    assert listed(jobs[0]).selected == 1
    assert listed().selected is None


def test_a_job_that_goes_leaves_its_place_to_the_next() -> None:
    """And the last one to the one before it."""
    jobs = named("a", "b", "c")
    listing = listed(*jobs, select=2)
    listing.take((jobs[0], jobs[2]), NOW)
    assert listing.selected == 3
    listing.take((jobs[0],), NOW)
    assert listing.selected == 1


def test_a_filter_that_hides_the_selected_job_selects_the_nearest_shown() -> None:
    """Above or below, whichever is nearer."""
    jobs = named("keep", "x", "x", "x", "keep")
    listing = listed(*jobs, select=2)
    listing.set_filter(parse_filter("keep"))
    assert listing.selected == 1


def test_a_filter_that_is_taken_back_leaves_all_as_it_was() -> None:
    """Typing and Escape move nothing, unless one has moved meanwhile."""
    listing = listed(*named("a", "b", "c"), select=2)
    for typed in ("c", "cx", ""):
        listing.set_filter(parse_filter(typed))
    assert listing.selected == 2
    listing.set_filter(parse_filter("!b"))
    listing.move(-9)
    listing.set_filter(Filter())
    assert listing.selected == 1


def test_inserted_jobs_do_not_move_the_selection() -> None:
    """Somebody adds files to the front of the queue."""
    jobs = named("a", "b", "c")
    listing = listed(*jobs, select=2)
    listing.take((make_job(9), *jobs), NOW)
    assert listing.selected == 2
    assert listing.row == 2


# ------------------------------------------------------------------- marks


def test_marking_goes_on_to_the_next_row() -> None:
    """m m m marks three in a row; on a marked one it takes the mark away."""
    listing = listed(*named("a", "b", "c"), select=1)
    listing.mark()
    listing.mark()
    assert listing.marked == {1, 2}
    assert listing.selected == 3
    listing.select(0)
    listing.mark()
    assert listing.marked == {2}


def test_all_that_are_shown_are_marked_and_again_unmarked() -> None:
    """What the filter hides is left as it is."""
    listing = listed(*named("a", "b", "ab"))
    listing.mark_only({2, 77})
    listing.set_filter(parse_filter("a"))
    listing.mark_all()
    assert listing.marked == {1, 2, 3}
    listing.mark_all()
    assert listing.marked == {2}


def test_orders_are_for_marked_jobs_that_are_in_sight() -> None:
    """In the order that is seen; without any, for the selected one."""
    listing = listed(*named("c", "b", "a"), select=2)
    assert list(listing.targets) == [2]
    listing.mark_only({1, 3})
    listing.sort_by(Column.NAME)
    assert list(listing.targets) == [3, 1]
    listing.set_filter(parse_filter("c"))
    assert list(listing.targets) == [1]
    assert listing.hidden == 1
    listing.set_filter(parse_filter("b"))
    assert list(listing.targets) == [2]
    assert listing.marked == {1, 3}


def test_a_mark_goes_with_its_job() -> None:
    """And stays through sorting and filtering."""
    jobs = named("a", "b", "c")
    listing = listed(*jobs)
    listing.mark_only({2, 3})
    listing.sort_by(Column.SIZE)
    listing.set_filter(parse_filter("a"))
    listing.take(jobs[:2], NOW)
    assert listing.marked == {2}


def test_unmarking_among_the_marked_stays_near() -> None:
    """The row goes from under the selection; the next one takes its place."""
    listing = listed(*named("a", "b", "c"))
    listing.mark_only({1, 2, 3})
    listing.set_filter(parse_filter("is:marked"))
    listing.select(1)
    listing.mark()
    assert numbers(listing.rows) == [1, 3]
    assert listing.selected == 3


# ------------------------------------------------------- as seldom as can be


def test_what_always_moves_is_sorted_once_a_second() -> None:
    """Rows that jump with every look cannot be read; what they say is new each time."""
    slow, fast = make_job(1, rate=1e6), make_job(2, rate=2e6)
    listing = listed(slow, fast)
    listing.sort_by(Column.SPEED)
    jobs = (replace(slow, rate=9e6), fast)
    listing.take(jobs, NOW + 0.5)
    assert numbers(listing.rows) == [2, 1]
    assert listing.rows[1].rate == 9e6
    listing.take((*jobs[:1], replace(fast)), NOW + 1.1)
    assert numbers(listing.rows) == [1, 2]


@pytest.mark.parametrize(
    ("typed", "column"), [("st:paused", Column.QUEUE), ("", Column.STATE)]
)
def test_a_change_of_state_is_seen_at_once(typed: str, column: Column) -> None:
    """Whoever pauses a job sees it go where paused ones are."""
    first, second = make_job(1), make_job(2, state=JobState.PAUSED)
    listing = listed(first, second)
    listing.set_filter(parse_filter(typed))
    listing.sort_by(column)
    before = numbers(listing.rows)
    listing.take((replace(first, state=JobState.FAILED), second), NOW + 0.1)
    assert numbers(listing.rows) == [2, 1][: len(before)]
    listing.take((replace(first, state=JobState.PAUSED), second), NOW + 0.2)
    assert set(numbers(listing.rows)) == {1, 2}


def test_ten_thousand_jobs_at_rest_cost_nothing_to_look_at() -> None:
    """Without filter and sort, the rows are the queue itself."""
    jobs = tuple(make_job(i, state=JobState.QUEUED) for i in range(1, 10_001))
    listing = listed(*jobs)
    again = (replace(jobs[0], rate=1.0), *jobs[1:])
    listing.take(again, NOW)
    assert listing.rows is again
