"""Which source a lane asks, and what is held against one."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import cast

import pytest

from engine.limiter import Limiter
from engine.mirrors import BETTER, FAILURES, REST, WRONG_PARTS, Mirror, Mirrors
from engine.model import Block, MirrorState, RemoteFile
from engine.ranges import ByteRange, RangeSet
from engine.source import Source
from engine.testing import Content, Origin, Resource, Stall
from engine.transport import Transport
from engine.window import FIRST_SIZE, Seat, Window
from tests.support.listener import Listener

SIZE = 1000
NOW = 0.0
FIRST, SECOND, THIRD = ByteRange(0, 100), ByteRange(100, 200), ByteRange(200, 300)


def mirror(host: str, *, is_used: bool = True, ranges: bool = True) -> Mirror:
    """A source that is joined, without a network."""
    url = f"https://{host}.example/file"
    source = Source(cast(Transport, None), Limiter(), url)
    remote = RemoteFile(url=url, size=SIZE, ranges=ranges, name="file")
    made = Mirror(
        source,
        Seat(lambda host: Window(host, NOW), None),
        remote if is_used else None,
    )
    made.join()
    return made


class Sources:
    """Some of them by their names, the first one first, and what people are told."""

    def __init__(self, *made: Mirror) -> None:
        self.told = Listener()
        self.all = Mirrors(made[0], made[1:], self.told)

    def best(self, gap: ByteRange | None = None) -> str:
        found = self.all.best(gap, NOW)
        return "" if found is None else found.host.partition(".")[0]


def flying(made: Mirror, lanes: int, rate: float) -> Mirror:
    """It has so many lanes, each of which brings that much."""
    for _ in range(lanes):
        made.enter()
    made.usual_rate = rate
    return made


def benched(made: Mirror) -> Mirror:
    made.bench("HTTP 503", for_good=False)
    return made


# -- whom the next lane asks -----------------------------------------------------


@pytest.mark.parametrize(
    ("lanes", "rates", "best"),
    [
        pytest.param((1, 1, 1), (5, 9, 2), "b", id="the fastest"),
        pytest.param((1, 1, 0), (5, 9, 2), "c", id="one without a lane"),
        pytest.param((1, 0, 0), (9, 0, 2), "c", id="the faster of those without"),
        pytest.param((0, 0, 0), (0, 0, 0), "a", id="the first of equals"),
        pytest.param((1, FIRST_SIZE, 1), (5, 9, 2), "a", id="one with room"),
        pytest.param((FIRST_SIZE,) * 3, (5, 9, 2), "", id="nobody has room"),
    ],
)
def test_lanes_go_where_bytes_come_fastest(
    lanes: tuple[int, ...], rates: tuple[float, ...], best: str
) -> None:
    """Who has no lane is measured first, then who brings most with each is asked."""
    asked = zip("abc", lanes, rates, strict=True)
    made = [flying(mirror(host), count, rate) for host, count, rate in asked]
    assert Sources(*made).best() == best


def test_in_order_nobody_waits_for_the_hopeless() -> None:
    """A stream does not ask who is far slower than another; a file still does."""
    slow, fast = flying(mirror("a"), 1, 1), flying(mirror("b"), FIRST_SIZE, 9)
    sources = Sources(slow, fast)
    assert sources.all.best(None, NOW) is slow
    assert sources.all.best(None, NOW, in_order=True) is None
    fast.window.close_until(monotonic() + 60)
    assert sources.all.best(None, NOW, in_order=True) is slow


@pytest.mark.parametrize(
    ("rates", "weight"), [((1, 9), 5.0), ((9, 1), 5 / 9), ((0, 9), 1.0), ((4, 0), 1.0)]
)
def test_a_slow_source_counts_the_others_as_many(
    rates: tuple[float, float], weight: float
) -> None:
    """What is shared out by lanes is shared out by what they bring."""
    made = [
        flying(mirror(host), 1, rate) for host, rate in zip("ab", rates, strict=True)
    ]
    assert Sources(*made).all.weight(made[0]) == pytest.approx(weight)


def test_only_the_proven_are_asked() -> None:
    """Who has not shown to serve the same file, or is benched, is not asked."""
    first, resting = flying(mirror("a"), 1, 1), flying(mirror("c"), 1, 9)
    sources = Sources(first, mirror("b", is_used=False), benched(resting))
    assert sources.best() == "a"
    assert sources.all.used == [first]


def test_without_ranges_the_first_serves_alone() -> None:
    """A file that comes as a whole comes from one source."""
    first = mirror("a", ranges=False)
    sources = Sources(first, mirror("b"))
    assert sources.all.used == [first]
    assert not sources.all.are_others(first)


def test_a_window_that_is_closed_is_no_room() -> None:
    """A host that wants to be left alone is left alone; another one is asked."""
    first, second = mirror("a"), flying(mirror("b"), 1, 1)
    first.window.close_until(NOW + 5)
    assert Sources(first, second).best() == "b"


def test_one_file_does_not_take_the_whole_window() -> None:
    """Where several jobs ask one host each has its share of the lanes there."""
    asked = flying(mirror("a"), FIRST_SIZE // 2, 1)
    assert asked.has_room(NOW)
    asked.window.join(None, NOW)
    assert not asked.has_room(NOW)


def test_who_was_wrong_is_not_asked_again() -> None:
    """What came wrong from one comes from another, the faster one or not."""
    fast, slow = flying(mirror("a"), 1, 9), flying(mirror("b"), 1, 1)
    fast.distrusted.add(FIRST)
    sources = Sources(fast, slow)
    assert sources.best(FIRST) == "b"
    assert sources.best(SECOND) == "a"
    assert sources.best(None) == "a"


def test_who_was_wrong_is_waited_for_no_less() -> None:
    """That the others have no room just now is no reason to trust it."""
    wrong, full = flying(mirror("a"), 1, 9), flying(mirror("b"), FIRST_SIZE, 1)
    wrong.distrusted.add(FIRST)
    assert Sources(wrong, full).best(FIRST) == ""


@pytest.mark.parametrize("others", ["distrusted", "benched", "none"])
def test_where_nobody_else_may_serve_anybody_may(others: str) -> None:
    """A part that nobody is trusted with is asked for all the same."""
    wrong, other = flying(mirror("a"), 1, 9), flying(mirror("b"), 1, 1)
    wrong.distrusted.add(FIRST)
    if others == "distrusted":
        other.distrusted.add(ByteRange(99, 150))
    elif others == "benched":
        benched(other)
    made = [wrong] if others == "none" else [wrong, other]
    assert Sources(*made).best(FIRST) == "a"


# -- who changes over ------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "other", "lanes", "outclassed"),
    [
        pytest.param(100, 100 * BETTER + 1, 1, True, id="much faster"),
        pytest.param(100, 100 * BETTER, 1, False, id="not fast enough"),
        pytest.param(100, 1000, FIRST_SIZE, False, id="no room there"),
        pytest.param(0, 1000, 1, False, id="not measured yet"),
        pytest.param(100, 0, 0, False, id="the other not measured yet"),
    ],
)
def test_a_lane_changes_over_where_it_is_worth_it(
    own: float, other: float, lanes: int, *, outclassed: bool
) -> None:
    """A lane goes where each brings far more, if there is room for it."""
    slow, fast = flying(mirror("a"), 1, own), flying(mirror("b"), lanes, other)
    assert Sources(slow, fast).all.is_outclassed(slow, NOW) is outclassed


def test_nobody_changes_over_to_who_is_benched() -> None:
    """However fast it was: who is not asked outclasses nobody, nor does one alone."""
    slow, fast = flying(mirror("a"), 1, 1), flying(mirror("b"), 1, 9)
    assert not Sources(slow, benched(fast)).all.is_outclassed(slow, NOW)
    assert not Sources(slow).all.is_outclassed(slow, NOW)


# -- the bench -------------------------------------------------------------------


def test_the_last_one_is_never_benched() -> None:
    """As long as nobody else can be asked nobody is benched."""
    first, second = mirror("a"), mirror("b")
    sources = Sources(first, second, mirror("c", is_used=False))
    assert sources.all.bench(second, "HTTP 503")
    assert not sources.all.bench(first, "HTTP 503", for_good=True)
    assert first.is_used
    assert sources.told == ["b.example is benched: HTTP 503"]


def test_who_is_benched_is_named_with_the_reason() -> None:
    """People see whom nobody asks, and why."""
    first, second = mirror("a"), mirror("b")
    Sources(first, second).all.bench(second, "HTTP 503")
    seen = second.snapshot(NOW)
    assert (seen.host, seen.state, seen.note) == (
        "b.example",
        MirrorState.BENCHED,
        "HTTP 503",
    )


def test_each_rest_is_twice_as_long() -> None:
    """Who fails again after a rest rests longer."""
    failing, rests = mirror("a"), []
    for _ in range(4):
        failing.bench("HTTP 503", for_good=False)
        rests.append(failing.rests)
    assert rests == [REST, 2 * REST, 4 * REST, 8 * REST]


def test_who_is_benched_for_good_does_not_rest() -> None:
    """Who serves another file is not tried again."""
    other = mirror("a")
    other.bench("another version", for_good=True)
    assert (other.state, other.rests) == (MirrorState.BENCHED, 0.0)


async def test_who_waits_for_it_is_told_of_the_bench() -> None:
    """Whoever sees to a source learns at once that it is benched."""
    failing = mirror("a")
    failing.bench("HTTP 503", for_good=False)
    await failing.until_benched()


def test_somebody_is_always_asked() -> None:
    """Where nobody could be asked any more the first is, whatever it did."""
    first, second = mirror("a"), mirror("b", is_used=False)
    sources = Sources(benched(first), second)
    assert sources.all.used == []
    sources.all.begin()
    assert sources.all.used == [first]


# -- failures --------------------------------------------------------------------


def test_too_many_failures_in_a_row_are_a_reason() -> None:
    """So many failures count as one too many, and more so those that follow."""
    failing = mirror("a")
    failed = [failing.has_failed() for _ in range(FAILURES + 1)]
    assert failed == [False] * (FAILURES - 1) + [True, True]


@pytest.mark.parametrize("excused_by", ["bytes", "a rest"])
def test_failures_are_forgotten(excused_by: str) -> None:
    """A byte that comes, and a rest, are new beginnings."""
    failing = mirror("a")
    for _ in range(FAILURES - 1):
        failing.has_failed()
    if excused_by == "bytes":
        failing.received(1, NOW)
    else:
        benched(failing)
    assert not failing.has_failed()


@pytest.mark.parametrize(
    ("rates", "usual"), [([], 0), ([10], 10), ([10, 20], 13), ([10, 20, 13], 13)]
)
def test_one_lane_alone_does_not_decide_the_usual_rate(
    rates: list[float], usual: float
) -> None:
    """The first rate is believed, those that come later move it by a part."""
    learning = mirror("a")
    for rate in rates:
        learning.learn(rate)
    assert learning.usual_rate == pytest.approx(usual)


# -- wrong bytes -----------------------------------------------------------------


def part(number: int) -> ByteRange:
    return ByteRange(10 * number, 10 * number + 10)


def test_a_few_wrong_parts_may_be_chance() -> None:
    """The first wrong parts bench nobody, even where nothing else came from there."""
    wrong = mirror("a")
    blamed = [wrong.blame(part(number)) for number in range(WRONG_PARTS + 1)]
    assert blamed == [False] * WRONG_PARTS + [True]


@pytest.mark.parametrize(("brought", "is_too_much"), [(300, True), (1000, False)])
def test_beyond_that_their_share_counts(brought: int, *, is_too_much: bool) -> None:
    """One that brings a lot may be wrong more often."""
    wrong = mirror("a")
    wrong.brought.add(ByteRange(0, brought))
    blamed = [wrong.blame(part(number)) for number in range(WRONG_PARTS + 1)]
    assert blamed[-1] is is_too_much


def test_wrong_bytes_are_not_brought() -> None:
    """What turned out wrong is held against its source, and not to its credit."""
    wrong = mirror("a")
    wrong.brought.add(ByteRange(0, 200))
    notes = []
    for number in range(2):
        wrong.blame(part(number))
        notes.append(wrong.note)
    assert wrong.brought == RangeSet([ByteRange(20, 200)])
    assert wrong.distrusted == RangeSet([ByteRange(0, 20)])
    assert notes == ["a wrong part", "2 wrong parts"]


def test_those_are_blamed_who_brought_it() -> None:
    """Of a wrong part every source is named that brought some of it, and no other."""
    one, two, three = mirror("a"), mirror("b"), mirror("c")
    for made, brought in ((one, (0, 50)), (two, (50, 100)), (three, (100, 200))):
        made.brought.add(ByteRange(*brought))
    sources = Sources(one, two, three)
    sources.all.blame(FIRST)
    assert [bool(made.distrusted.total) for made in (one, two, three)] == [
        True,
        True,
        False,
    ]
    assert [line.partition(" ")[0] for line in sources.told] == [
        "a.example",
        "b.example",
    ]


def test_who_is_wrong_too_often_is_benched_for_good() -> None:
    """A large share of wrong bytes benches, as long as somebody else can be asked."""
    wrong, other = mirror("a"), mirror("b")
    wrong.brought.add(ByteRange(0, 200))
    sources = Sources(wrong, other)
    for number in range(WRONG_PARTS + 1):
        assert wrong.is_used
        sources.all.blame(part(number))
    assert (wrong.state, wrong.rests) == (MirrorState.BENCHED, 0.0)
    assert wrong.note == f"{WRONG_PARTS + 1} wrong parts"
    other.brought.add(ByteRange(0, 200))
    for number in range(WRONG_PARTS + 1):
        sources.all.blame(part(number))
    assert other.is_used


def test_after_a_wrong_digest_the_first_serves_alone() -> None:
    """Where nobody knows who was wrong, all that others brought comes again."""
    first, second, third = mirror("a"), mirror("b"), mirror("c")
    for made, brought in ((first, FIRST), (second, SECOND), (third, THIRD)):
        made.brought.add(brought)
    sources = Sources(first, second, third)
    assert sources.all.all_from_first() == RangeSet([SECOND, THIRD])
    assert sources.all.used == [first]
    assert (second.rests, third.rests) == (0.0, 0.0)
    assert first.brought == RangeSet([FIRST])
    assert len(sources.told) == 1


def test_what_was_given_up_once_is_not_suspected_again() -> None:
    """The second time there is nothing left that others brought."""
    first, second = mirror("a"), mirror("b")
    first.brought.add(FIRST)
    second.brought.add(SECOND)
    sources = Sources(first, second)
    sources.all.all_from_first()
    sources.told.clear()
    assert sources.all.all_from_first() == RangeSet()
    assert sources.told == []


# -- what is seen ----------------------------------------------------------------


def test_an_excuse_counts_for_all_their_windows() -> None:
    """What held this file back is held against no host that is asked."""
    made = [mirror("a"), mirror("b"), benched(mirror("c"))]
    for one in made:
        while one.window.has_room(NOW):
            one.enter()
        assert not one.window.has_room(NOW)
        one.received(1000, NOW)
    Sources(*made).all.excuse("sink")
    for one in made:
        one.window.judge(NOW + 60)
    assert [one.window.size > FIRST_SIZE for one in made] == [False, False, True]


def test_one_source_is_not_worth_a_word() -> None:
    """Sources are shown where there are several."""
    assert Sources(mirror("a")).all.snapshot(NOW) == ()


def test_each_source_is_seen() -> None:
    """People see what comes from where, and how fast while lanes fly."""
    first, second = flying(mirror("a"), 1, 1), mirror("b", is_used=False)
    now = monotonic() + 1
    first.received(700, now)
    one, other = Sources(first, second).all.snapshot(now)
    assert (one.host, one.state, one.lanes, one.received) == (
        "a.example",
        MirrorState.USED,
        1,
        700,
    )
    assert one.rate > 0
    assert (other.state, other.rate, other.received) == (MirrorState.UNTRIED, 0.0, 0)
    first.leave()
    assert first.snapshot(now).rate == 0.0


async def test_the_last_one_is_taken_back() -> None:
    """Somebody must be asked, and is not waited for as if it were benched."""
    first, second = mirror("a"), mirror("b")
    sources = Sources(first, second)
    sources.all.bench(first, "HTTP 503")
    sources.all.all_from_first()
    sources.all.begin()
    assert first.is_used
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await first.until_benched()


def test_after_a_wrong_digest_nobody_comes_back() -> None:
    """Neither who rests nor who was never tried."""
    first, second, third = mirror("a"), mirror("b"), mirror("c", is_used=False)
    sources = Sources(first, second, third)
    sources.all.bench(second, "HTTP 503")
    sources.all.all_from_first()
    assert [one.state for one in (second, third)] == [MirrorState.BENCHED] * 2
    assert (second.rests, third.rests) == (0.0, 0.0)


async def test_a_proof_that_was_broken_off_is_begun_again() -> None:
    """The transfer that wanted it ended; the next one tries anew."""
    origin = Resource(Content(SIZE), script=[Stall(0)])
    async with Origin({"/file": origin}) as silent, door() as transport:
        source = Source(transport, Limiter(), silent.url("/file"))
        tried = Mirror(source, Seat(lambda host: Window(host, NOW), None))
        async with asyncio.TaskGroup() as group:
            proving = group.create_task(
                tried.prove(mirror("a").remote, Block(0, (b"x",), 1))
            )
            await silent.until(lambda: silent.busy == 1)
            assert tried.state is MirrorState.PROVING
            proving.cancel()
    assert tried.snapshot(NOW).state is MirrorState.UNTRIED


def door() -> Transport:
    return Transport(
        browser=None, cacert=None, insecure=False, connect_timeout=5, stall_timeout=60
    )
