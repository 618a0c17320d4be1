"""Who fetches which bytes: each by hand, then in any order against a model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from engine import plan as module
from engine.plan import OPEN_END, SMALLEST_PART, SMALLEST_SPLIT, Plan, Segment
from engine.ranges import ByteRange, RangeSet

MIB = 1024 * 1024


def leased(plan: Plan, lane: int, want: int, horizon: int = OPEN_END) -> Segment:
    """A lease that the test takes for granted."""
    segment = plan.lease(lane, want, horizon)
    assert segment is not None
    return segment


def deliver(plan: Plan, segment: Segment, size: int) -> ByteRange | None:
    """What a lane does with `size` bytes that came: claim them, and land its part."""
    part = plan.claim(segment, size)
    if part is not None:
        plan.land(segment, part)
    return part


def edges(segment: Segment | None) -> tuple[int, int] | None:
    return None if segment is None else (segment.mark, segment.stop)


def always(rate: float) -> module.RateOf:
    return lambda _: rate


def done(plan: Plan) -> list[tuple[int, int]]:
    return [(item.start, item.stop) for item in plan.done]


# -- lease -------------------------------------------------------------------


def test_leases_are_the_lowest_free_bytes() -> None:
    """Every lease starts at the lowest byte that nobody has."""
    plan = Plan(100)
    assert [edges(plan.lease(lane, 40)) for lane in range(4)] == [
        (0, 40),
        (40, 80),
        (80, 100),
        None,
    ]


def test_nothing_at_or_beyond_the_horizon_is_leased() -> None:
    """A lease stops at the horizon, and none starts there."""
    plan = Plan(100)
    assert edges(plan.lease(0, 80, horizon=50)) == (0, 50)
    assert plan.lease(1, 80, horizon=50) is None
    assert edges(plan.lease(1, 80, horizon=51)) == (50, 51)


def test_a_creeping_horizon_is_not_followed_in_slivers() -> None:
    """Fewer bytes than `least` are no lease when only the horizon makes them few."""
    plan = Plan(1000)
    leased(plan, 0, 100)
    assert plan.lease(1, 100, horizon=149, least=50) is None
    assert edges(plan.lease(1, 100, horizon=150, least=50)) == (100, 150)


def test_the_lowest_missing_byte_is_always_leasable() -> None:
    """At the front a lease is given however near the horizon is."""
    plan = Plan(1000)
    assert edges(plan.lease(0, 100, horizon=1, least=50)) == (0, 1)


def test_a_small_gap_is_leased_whole() -> None:
    """A gap smaller than `least` is leased: it will never be larger."""
    plan = Plan(1000)
    first, second = leased(plan, 0, 100), leased(plan, 1, 10)
    leased(plan, 2, 890)
    plan.release(second)
    assert edges(plan.lease(3, 100, least=50)) == (100, 110)
    assert edges(first) == (0, 100)


def test_who_wants_little_is_given_little() -> None:
    """A lane that wants fewer bytes than `least` is not refused for it."""
    plan = Plan(1000)
    leased(plan, 0, 100)
    assert edges(plan.lease(1, 20, least=50)) == (100, 120)


def test_an_empty_file_is_finished_at_once() -> None:
    """A file of no bytes needs no lane."""
    plan = Plan(0)
    assert plan.finished
    assert plan.lease(0, 100) is None


def test_unleased_counts_what_nobody_wants_yet() -> None:
    """Leasing takes bytes out of the unleased ones, releasing gives them back."""
    plan = Plan(100)
    segment = leased(plan, 0, 30)
    assert plan.unleased == 70
    deliver(plan, segment, 10)
    plan.release(segment)
    assert plan.unleased == 90


def test_the_next_gap_is_the_lowest_that_nobody_has() -> None:
    """Whoever asks for the first bytes sees all that lie together and are free."""
    plan = Plan(100, [ByteRange(60, 70)])
    segment = leased(plan, 0, 20)
    assert plan.next_gap() == ByteRange(20, 60)
    leased(plan, 1, 40)
    assert plan.next_gap() == ByteRange(70, 100)
    plan.release(segment)
    assert plan.next_gap() == ByteRange(0, 20)


def test_where_nothing_is_free_there_is_no_gap() -> None:
    """A file that is leased whole has no gap, and neither has an empty one."""
    plan = Plan(100)
    leased(plan, 0, 100)
    assert plan.next_gap() is None
    assert Plan(0).next_gap() is None


# -- what is here already ----------------------------------------------------


def test_what_is_here_is_not_leased_again() -> None:
    """A plan that begins with bytes done leases the gaps between them."""
    plan = Plan(100, [ByteRange(0, 10), ByteRange(40, 60)])
    assert (plan.front, plan.unleased, plan.finished) == (10, 70, False)
    assert [edges(plan.lease(lane, 100)) for lane in range(3)] == [
        (10, 40),
        (60, 100),
        None,
    ]


def test_what_is_here_may_be_all() -> None:
    """A plan whose bytes are all done is finished, and needs no lane."""
    plan = Plan(100, [ByteRange(50, 100), ByteRange(0, 50)])
    assert plan.finished
    assert plan.next_gap() is None


def test_beside_what_is_here_an_open_end_stays_open() -> None:
    """Also a file without a length goes on behind what is done of it."""
    plan = Plan(None, [ByteRange(0, 10)])
    assert not plan.finished
    assert plan.next_gap() == ByteRange(10, OPEN_END)


# -- the rest ----------------------------------------------------------------


def test_the_rest_is_leased_at_once() -> None:
    """One lease goes from the first free byte to the last, over what is done."""
    plan = Plan(100, [ByteRange(0, 10), ByteRange(40, 60), ByteRange(90, 100)])
    assert edges(plan.lease_rest(7)) == (10, 90)
    assert plan.unleased == 0
    assert plan.segments[0].lane == 7


def test_there_may_be_no_rest() -> None:
    """Where nothing is free, no rest is leased."""
    plan = Plan(100, [ByteRange(0, 100)])
    assert plan.lease_rest(0) is None
    assert plan.segments == []


def test_what_is_here_of_the_rest_is_claimed_by_nobody() -> None:
    """A claim ends at what is done already, and the next one begins behind it."""
    plan = Plan(100, [ByteRange(40, 60)])
    segment = plan.lease_rest(0)
    assert segment is not None
    assert deliver(plan, segment, 90) == ByteRange(0, 40)
    assert segment.mark == 40
    assert deliver(plan, segment, 50) == ByteRange(60, 90)
    assert done(plan) == [(0, 90)]


def test_a_claim_that_touches_what_is_here_is_whole() -> None:
    """A block that ends where done bytes begin is one part."""
    plan = Plan(100, [ByteRange(40, 60)])
    segment = plan.lease_rest(0)
    assert segment is not None
    assert deliver(plan, segment, 40) == ByteRange(0, 40)
    assert deliver(plan, segment, 15) is None
    assert segment.mark == 55
    assert deliver(plan, segment, 15) == ByteRange(60, 70)


def test_the_rest_that_was_not_fetched_is_free_again() -> None:
    """Releasing the rest frees what is missing, and nothing that is done."""
    plan = Plan(100, [ByteRange(40, 60)])
    segment = plan.lease_rest(0)
    assert segment is not None
    deliver(plan, segment, 10)
    plan.release(segment)
    assert [edges(plan.lease(lane, 100)) for lane in range(2)] == [(10, 40), (60, 100)]


# -- claim, land, release ----------------------------------------------------


def test_a_segment_is_claimed_block_by_block() -> None:
    """Claims follow one another, and bytes beyond the stop belong to nobody."""
    plan = Plan(100)
    segment = leased(plan, 0, 50)
    assert deliver(plan, segment, 30) == ByteRange(0, 30)
    assert segment.remaining == 20
    assert deliver(plan, segment, 30) == ByteRange(30, 50)
    assert segment.remaining == 0
    assert deliver(plan, segment, 30) is None
    assert done(plan) == [(0, 50)]


def test_claiming_is_not_landing() -> None:
    """Bytes on their way to the sink are not done."""
    plan = Plan(10)
    segment = leased(plan, 0, 10)
    part = plan.claim(segment, 10)
    assert part == ByteRange(0, 10)
    assert (segment.mark, segment.landed, plan.finished) == (10, 0, False)
    plan.land(segment, part)
    assert (segment.mark, segment.landed, plan.finished) == (10, 10, True)


def test_the_front_waits_for_the_lowest_byte() -> None:
    """The front is the first byte that has not landed, whatever lies beyond."""
    plan = Plan(100)
    low, high = leased(plan, 0, 50), leased(plan, 1, 50)
    deliver(plan, high, 50)
    assert plan.front == 0
    deliver(plan, low, 20)
    assert plan.front == 20
    deliver(plan, low, 30)
    assert plan.front == 100


def test_what_a_lane_did_not_land_is_free_again() -> None:
    """Releasing gives back the rest, and also what was claimed and never landed."""
    plan = Plan(100)
    segment = leased(plan, 0, 50)
    deliver(plan, segment, 10)
    plan.claim(segment, 10)
    plan.release(segment)
    assert edges(plan.lease(1, 100)) == (10, 100)


def test_a_finished_segment_gives_nothing_back() -> None:
    """Releasing a segment that landed whole frees no byte."""
    plan = Plan(100)
    segment = leased(plan, 0, 50)
    deliver(plan, segment, 50)
    plan.release(segment)
    assert plan.unleased == 50
    assert plan.segments == []


# -- steal -------------------------------------------------------------------


def test_a_thief_takes_the_end_of_a_segment() -> None:
    """Stealing moves the victim's stop down to where the thief begins."""
    plan = Plan(100)
    victim = leased(plan, 0, 100)
    deliver(plan, victim, 10)
    thief = plan.steal(1, victim, 60)
    assert (edges(victim), edges(thief)) == ((10, 60), (60, 100))
    assert deliver(plan, victim, 90) == ByteRange(10, 60)
    assert deliver(plan, thief, 90) == ByteRange(60, 100)
    assert plan.finished


def test_a_thief_may_take_all_that_remains() -> None:
    """Stealing at the mark leaves the victim with nothing to fetch."""
    plan = Plan(100)
    victim = leased(plan, 0, 100)
    deliver(plan, victim, 10)
    assert edges(plan.steal(1, victim, 10)) == (10, 100)
    assert victim.remaining == 0


@pytest.mark.parametrize("at", [0, 9, 100, 101])
def test_only_bytes_that_remain_can_be_stolen(at: int) -> None:
    """Stealing what was claimed, or what was never leased, is a mistake of ours."""
    plan = Plan(200)
    victim = leased(plan, 0, 100)
    plan.claim(victim, 10)
    with pytest.raises(ValueError, match="cannot steal"):
        plan.steal(1, victim, at)
    assert edges(victim) == (10, 100)


def test_nobody_steals_from_a_race() -> None:
    """The segments of a race end together, so neither is shortened by a thief."""
    plan = Plan(100)
    victim = leased(plan, 0, 100)
    racer = plan.race(1, victim)
    for runner in (victim, racer):
        with pytest.raises(ValueError, match="cannot steal"):
            plan.steal(2, runner, 50)


def test_a_stolen_end_is_free_when_the_thief_is_released() -> None:
    """A thief that fails gives its own part back, and not the victim's."""
    plan = Plan(100)
    victim = leased(plan, 0, 100)
    plan.release(plan.steal(1, victim, 60))
    assert edges(victim) == (0, 60)
    assert edges(plan.lease(2, 100)) == (60, 100)


# -- race --------------------------------------------------------------------


def race(size: int = 100) -> tuple[Plan, Segment, Segment]:
    plan = Plan(size)
    victim = leased(plan, 0, size)
    return plan, victim, plan.race(1, victim)


def test_a_racer_fetches_what_remains() -> None:
    """A race is for the bytes that were not claimed when it began."""
    plan = Plan(100)
    victim = leased(plan, 0, 100)
    deliver(plan, victim, 30)
    assert edges(plan.race(1, victim)) == (30, 100)
    assert edges(victim) == (30, 100)


def test_who_claims_a_byte_first_delivers_it() -> None:
    """In a race no byte is handed out twice."""
    plan, victim, racer = race()
    assert deliver(plan, racer, 40) == ByteRange(0, 40)
    assert deliver(plan, victim, 30) is None
    assert deliver(plan, victim, 30) == ByteRange(40, 60)
    assert deliver(plan, racer, 10) is None
    assert done(plan) == [(0, 60)]


def test_what_is_on_its_way_is_not_claimed_again() -> None:
    """A byte claimed by the rival counts as delivered before it has landed."""
    plan, victim, racer = race()
    assert plan.claim(racer, 40) == ByteRange(0, 40)
    assert plan.claim(victim, 50) == ByteRange(40, 50)


@pytest.mark.parametrize("winner", [0, 1])
def test_the_first_at_the_end_calls_the_other_off(winner: int) -> None:
    """When one claims the last byte of a race, nothing remains for the other."""
    plan, *runners = race()
    first, second = runners[winner], runners[1 - winner]
    deliver(plan, second, 20)
    deliver(plan, first, 100)
    assert plan.finished
    assert second.remaining == 0
    assert edges(second) == (20, 20)


def test_one_who_gives_up_leaves_the_race_to_the_other() -> None:
    """A released racer costs nothing: the other still has all that remains."""
    plan, victim, racer = race()
    deliver(plan, racer, 40)
    plan.release(racer)
    assert plan.unleased == 0
    assert victim.rival is None
    assert deliver(plan, victim, 60) == ByteRange(40, 60)
    assert edges(plan.steal(2, victim, 80)) == (80, 100)


def test_what_the_loser_left_behind_is_delivered_by_the_other() -> None:
    """A claim that never landed is fetched by the rival that still comes to it."""
    plan, victim, racer = race()
    assert plan.claim(racer, 40)
    plan.release(racer)
    assert deliver(plan, victim, 100) == ByteRange(0, 100)
    assert plan.finished


def test_what_a_rival_passed_over_is_free_when_it_never_landed() -> None:
    """Bytes skipped for the rival's sake come back when the rival fails."""
    plan, victim, racer = race()
    assert plan.claim(racer, 40)
    assert deliver(plan, victim, 60) == ByteRange(40, 60)
    plan.release(racer)
    assert edges(plan.lease(2, 100)) == (0, 40)


def test_what_a_rival_passes_over_while_it_writes_is_not_lost() -> None:
    """Skipped bytes come back also while the one who skipped them still writes."""
    plan, victim, racer = race()
    assert plan.claim(racer, 40)
    part = plan.claim(victim, 60)
    assert part == ByteRange(40, 60)
    plan.release(racer)
    assert edges(plan.lease(2, 100)) == (0, 40)
    plan.land(victim, part)
    plan.release(victim)
    assert edges(plan.lease(3, 100)) == (60, 100)


def test_a_winner_that_never_landed_leaves_its_bytes() -> None:
    """Also the end of a race comes back when it was claimed and never landed."""
    plan, victim, racer = race()
    deliver(plan, victim, 20)
    assert plan.claim(racer, 100)
    plan.release(racer)
    assert edges(plan.lease(2, 100)) == (20, 100)


def test_what_is_here_already_is_nobodys_in_a_race() -> None:
    """Two who race for the rest both leave out what was done before."""
    plan = Plan(100, [ByteRange(40, 60)])
    victim = plan.lease_rest(0)
    assert victim is not None
    racer = plan.race(1, victim)
    part = plan.claim(racer, 50)
    assert part == ByteRange(0, 40)
    assert plan.claim(victim, 90) == ByteRange(60, 90)


def test_a_race_of_three_is_refused() -> None:
    """Two lanes race, never three."""
    plan, victim, racer = race()
    for runner in (victim, racer):
        with pytest.raises(ValueError, match="cannot race"):
            plan.race(2, runner)


def test_nothing_is_raced_for_nothing() -> None:
    """A segment without a remaining byte is not raced."""
    plan = Plan(100)
    victim = leased(plan, 0, 50)
    deliver(plan, victim, 50)
    with pytest.raises(ValueError, match="cannot race"):
        plan.race(1, victim)


# -- help --------------------------------------------------------------------


def test_help_goes_to_who_will_finish_last() -> None:
    """The one who would take longest is relieved, not the one with the most bytes."""
    plan = Plan(30 * MIB)
    quick, slow = leased(plan, 0, 20 * MIB), leased(plan, 1, 10 * MIB)
    rates = {0: 10.0 * MIB, 1: 1.0 * MIB}
    thief = plan.help(2, lambda s: rates[s.lane], 9.0 * MIB, 0.1, head=False)
    assert edges(thief) == (21 * MIB, 30 * MIB)
    assert (slow.stop, quick.stop) == (21 * MIB, 20 * MIB)


def test_in_a_stream_the_head_is_relieved_first() -> None:
    """With `head` the lowest segment is helped, as everybody waits for it."""
    plan = Plan(30 * MIB)
    head = leased(plan, 0, 10 * MIB)
    leased(plan, 1, 20 * MIB)
    thief = plan.help(2, always(1.0 * MIB), 1.0 * MIB, 0.1, head=True)
    assert thief is not None
    assert thief.stop == 10 * MIB
    assert head.stop == thief.start == 5 * MIB


@pytest.mark.parametrize(
    ("rate", "own", "kept"),
    [(1, 1, 4), (1, 3, 2), (3, 1, 6), (1, 99, 0.5), (99, 1, 7.5)],
)
def test_what_is_stolen_ends_together_with_what_stays(
    rate: float, own: float, kept: float
) -> None:
    """A split follows the rates, but leaves each side what is worth a request."""
    plan = Plan(8 * MIB)
    victim = leased(plan, 0, 8 * MIB)
    slow = 0.001
    thief = plan.help(1, always(rate * slow * MIB), own * slow * MIB, 0.1, head=False)
    assert victim.stop == kept * MIB
    assert edges(thief) == (kept * MIB, 8 * MIB)


def test_what_is_too_small_to_split_is_raced() -> None:
    """A remainder of which its lane would keep next to nothing is fetched twice."""
    plan = Plan(2 * SMALLEST_SPLIT - 1)
    victim = leased(plan, 0, OPEN_END)
    racer = plan.help(1, always(1000.0), 1e6, 0.1, head=False)
    assert racer is not None
    assert racer.rival is victim
    assert edges(racer) == edges(victim)


def test_two_smallest_parts_are_just_enough_to_split() -> None:
    """What has room for two parts is split, not fetched twice."""
    plan = Plan(2 * SMALLEST_SPLIT)
    victim = leased(plan, 0, OPEN_END)
    thief = plan.help(1, always(1000.0), 1e6, 0.1, head=False)
    assert edges(thief) == (SMALLEST_SPLIT, 2 * SMALLEST_SPLIT)
    assert victim.rival is None


@pytest.mark.parametrize("remaining", [2 * SMALLEST_PART, 2 * SMALLEST_SPLIT - 1])
def test_a_small_remainder_is_split_between_equals(remaining: int) -> None:
    """To fetch it twice at the same rate would save nothing: each takes half."""
    plan = Plan(remaining)
    victim = leased(plan, 0, OPEN_END)
    thief = plan.help(1, always(1000.0), 1000.0, 0.1, head=False)
    assert edges(thief) == (remaining // 2, remaining)
    assert victim.rival is None


def test_help_must_be_worth_a_request() -> None:
    """Nobody is relieved who would finish before the new connection paid."""
    plan = Plan(8 * MIB)
    leased(plan, 0, 8 * MIB)
    assert plan.help(1, always(80.0 * MIB), 80.0 * MIB, 0.1, head=False) is None
    assert plan.help(1, always(8.0 * MIB), 8.0 * MIB, 0.1, head=False) is not None


def test_a_helper_without_a_rate_is_no_help() -> None:
    """Who brings nothing saves nothing."""
    plan = Plan(8 * MIB)
    leased(plan, 0, 8 * MIB)
    assert plan.help(1, always(0.0), 0.0, 0.1, head=False) is None


def test_who_is_done_or_raced_needs_no_help() -> None:
    """Help is for segments with bytes to fetch and without a rival."""
    plan = Plan(8 * MIB)
    assert plan.help(9, always(1.0), 1e6, 0.1, head=True) is None
    first, second = leased(plan, 0, 4 * MIB), leased(plan, 1, 4 * MIB)
    deliver(plan, first, 4 * MIB)
    plan.race(2, second)
    assert plan.help(9, always(1.0), 1e6, 0.1, head=True) is None


# -- a file without a length, and one that begins again ----------------------


def test_a_file_of_unknown_length_is_never_finished() -> None:
    """Only the end that somebody saw finishes a file without a length."""
    plan = Plan(None)
    segment = leased(plan, 0, OPEN_END)
    deliver(plan, segment, 70)
    assert not plan.finished
    plan.end(70)
    assert (plan.size, plan.finished, segment.remaining) == (70, True, 0)


def test_the_end_takes_back_what_lies_beyond() -> None:
    """Past the end nothing is leased, and what was leased there is called off."""
    plan = Plan(None)
    first, second = leased(plan, 0, 50), leased(plan, 1, 50)
    third = leased(plan, 2, 50)
    deliver(plan, first, 50)
    plan.end(70)
    assert (second.remaining, third.remaining, plan.unleased) == (20, 0, 0)
    assert third.range.size == 0
    deliver(plan, second, 20)
    plan.release(third)
    assert plan.finished
    assert plan.unleased == 0


@pytest.mark.parametrize(("size", "stop"), [(100, 100), (None, OPEN_END)])
def test_beginning_again_forgets_what_landed(size: int | None, stop: int) -> None:
    """After a restart one segment fetches everything, from the first byte on."""
    plan = Plan(size)
    first = leased(plan, 0, 60)
    deliver(plan, first, 50)
    plan.release(first)
    second = leased(plan, 1, 10)
    plan.restart(second)
    assert (plan.restarts, plan.front, plan.unleased) == (1, 0, 0)
    assert second.range == ByteRange(0, stop)
    assert edges(second) == (0, stop)
    assert deliver(plan, second, 40) == ByteRange(0, 40)


# -- what turns out wrong ----------------------------------------------------


def landed(size: int, upto: int) -> Plan:
    """A plan whose first bytes are here, and that nobody fetches on."""
    plan = Plan(size)
    segment = leased(plan, 0, upto)
    deliver(plan, segment, upto)
    plan.release(segment)
    return plan


def test_what_is_wrong_comes_again() -> None:
    """A part that is rejected is not here any more, and is the next to be leased."""
    plan = landed(100, 60)
    plan.reject(ByteRange(20, 40))
    assert (done(plan), plan.front) == ([(0, 20), (40, 60)], 20)
    assert plan.next_gap() == ByteRange(20, 40)
    segment = leased(plan, 1, 100)
    assert edges(segment) == (20, 40)
    assert deliver(plan, segment, 20) == ByteRange(20, 40)


def test_a_whole_file_may_have_a_wrong_part() -> None:
    """A file that was finished is not, once a part of it is rejected."""
    plan = landed(100, 100)
    assert plan.finished
    plan.reject(ByteRange(90, 100))
    assert (plan.finished, plan.unleased) == (False, 10)


def test_what_is_wrong_is_leased_once() -> None:
    """However often a part is rejected, it is for one lane to fetch."""
    plan = landed(100, 100)
    plan.reject(ByteRange(20, 40))
    plan.reject(ByteRange(20, 40))
    assert plan.unleased == 20
    assert edges(plan.lease(1, 100)) == (20, 40)
    plan.reject(ByteRange(20, 40))
    assert plan.lease(2, 100) is None


def test_who_is_on_the_way_there_fetches_it() -> None:
    """Of a part that a lane has yet to reach, nothing is free for another one."""
    plan = Plan(100, [ByteRange(40, 60)])
    segment = plan.lease_rest(0)
    assert segment is not None
    assert deliver(plan, segment, 20) == ByteRange(0, 20)
    plan.reject(ByteRange(40, 60))
    assert plan.lease(1, 100) is None
    assert deliver(plan, segment, 80) == ByteRange(20, 100)
    assert plan.finished


def test_who_has_passed_it_does_not_turn_back() -> None:
    """What a lane has delivered and goes on from is free, up to where it is."""
    plan = Plan(100)
    segment = leased(plan, 0, 100)
    deliver(plan, segment, 50)
    plan.reject(ByteRange(30, 50))
    assert edges(segment) == (50, 100)
    assert edges(plan.lease(1, 100)) == (30, 50)
    assert plan.lease(2, 100) is None


def test_what_others_brought_is_given_up() -> None:
    """Parts that are not trusted come again, and count as a new beginning."""
    plan = landed(100, 100)
    plan.begin_again_without([ByteRange(0, 10), ByteRange(50, 60)])
    assert done(plan) == [(10, 50), (60, 100)]
    assert (plan.restarts, plan.unleased) == (1, 20)
    plan.begin_again_without([])
    assert plan.restarts == 2


# -- what people see ---------------------------------------------------------


def test_a_plan_shows_itself() -> None:
    """The repr of a plan tells its progress and its segments."""
    plan, victim, _ = race()
    deliver(plan, victim, 30)
    assert repr(plan) == (
        "<Plan 30 of 100: [<Segment lane 0: 30 in [0, 100) racing>,"
        " <Segment lane 1: 0 in [0, 100) racing>]>"
    )
    assert repr(leased(Plan(9), 4, 5)) == "<Segment lane 4: 0 in [0, 5)>"


# -- any order ---------------------------------------------------------------

Bytes = frozenset[int]
NONE: Bytes = frozenset()
SMALL_SPLIT = 4
LONGEST = 60
offsets = st.integers(0, LONGEST)


def bytes_of(start: int, stop: int) -> Bytes:
    """The offsets of a range, as far as the model's files reach."""
    return frozenset(range(start, min(stop, LONGEST + 1)))


class AnyOrder(RuleBasedStateMachine):
    """A plan and its model, in any order of what lanes may do.

    The model knows, byte by byte, what landed and what each lane has claimed
    and not landed. `twice` are bytes that were ever raced for: only those may
    be both on a lane's way and somewhere else, and those that were done when
    the rest around them was leased.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "SMALLEST_SPLIT", SMALL_SPLIT)

    def teardown(self) -> None:
        """However far it came, the file can be finished."""
        for segment in list(self.plan.segments):
            self.land_if_claimed(segment)
            self.do_release(segment)
        while segment_or_none := self.last_lease():
            self.follow(segment_or_none)
            while segment_or_none.mark < min(segment_or_none.stop, self.length):
                self.do_claim(segment_or_none, LONGEST)
                self.land_if_claimed(segment_or_none)
            if self.plan.size is None:
                self.plan.end(self.length)
            self.do_release(segment_or_none)
        assert self.plan.finished
        assert self.landed == bytes_of(0, self.length)
        self.patch.undo()

    @initialize(
        length=st.integers(0, LONGEST),
        known=st.booleans(),
        whole=st.booleans(),
        here=st.lists(st.tuples(offsets, offsets), max_size=4),
    )
    def begin(
        self, length: int, known: bool, whole: bool, here: list[tuple[int, int]]
    ) -> None:
        """Some of the file is here already; in the end it may come as a whole."""
        self.length = length
        self.ends_whole = whole
        found = [ByteRange(*sorted((min(a, length), min(b, length)))) for a, b in here]
        self.plan = Plan(length if known else None, found)
        self.landed = NONE.union(*(bytes_of(item.start, item.stop) for item in found))
        self.twice = NONE
        self.claims: dict[Segment, ByteRange] = {}
        self.stops: dict[Segment, int] = {}

    # -- what lanes do -------------------------------------------------------

    @rule(
        want=st.integers(1, 30),
        horizon=st.integers(0, LONGEST + 5) | st.just(OPEN_END),
        least=st.integers(1, 20),
    )
    def lease(self, want: int, horizon: int, least: int) -> None:
        front = self.plan.front
        free_front = self.is_free(front) and front < horizon
        segment = self.plan.lease(self.free_lane(), want, horizon, least)
        if segment is None:
            assert not free_front
            return
        assert segment.stop <= horizon
        assert 0 < segment.remaining <= want
        assert segment.start == front or segment.start not in self.landed
        self.follow(segment)

    @precondition(lambda self: not self.plan.segments)
    @rule()
    def lease_rest(self) -> None:
        """Somebody fetches all that is missing, over what is here."""
        missing = self.todo()
        segment = self.plan.lease_rest(0)
        if segment is None:
            assert not missing
            return
        assert missing == self.ahead(segment) - self.landed
        assert {segment.start, min(segment.stop - 1, LONGEST)} <= missing
        assert not self.todo()
        self.twice |= self.ahead(segment) & self.landed
        self.follow(segment)

    @precondition(lambda self: self.idle())
    @rule(data=st.data(), size=st.integers(0, 30))
    def claim(self, data: st.DataObject, size: int) -> None:
        segment = self.pick(data, self.idle())
        self.do_claim(segment, size)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        self.land_if_claimed(self.pick(data, list(self.claims)))

    @precondition(lambda self: self.plan.segments)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.do_release(self.pick(data, self.plan.segments))

    @precondition(lambda self: self.alone())
    @rule(data=st.data(), share=st.floats(0, 1))
    def steal(self, data: st.DataObject, share: float) -> None:
        victim = self.pick(data, self.alone())
        stop = min(victim.stop, LONGEST)
        at = min(victim.mark + int((stop - victim.mark) * share), victim.stop - 1)
        thief = self.plan.steal(self.free_lane(), victim, max(at, victim.mark))
        assert thief.start == victim.stop
        self.follow(thief)

    @precondition(lambda self: self.alone())
    @rule(data=st.data())
    def race(self, data: st.DataObject) -> None:
        self.follow(self.plan.race(self.free_lane(), self.pick(data, self.alone())))

    @rule(
        rate=st.floats(0, 9),
        own=st.floats(0, 9),
        cost=st.floats(0, 9),
        head=st.booleans(),
    )
    def help(self, rate: float, own: float, cost: float, head: bool) -> None:
        helper = self.plan.help(
            self.free_lane(), lambda s: rate + s.lane, own, cost, head=head
        )
        if helper is not None:
            assert helper.remaining
            self.follow(helper)

    @precondition(lambda self: self.landed)
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        """Some of what landed is wrong."""
        first = data.draw(st.sampled_from(sorted(self.landed)))
        size = data.draw(st.integers(1, len(first_run(self.landed_from(first)))))
        self.plan.reject(ByteRange(first, first + size))
        self.landed -= bytes_of(first, first + size)

    @precondition(lambda self: self.plan.size is None)
    @rule()
    def end(self) -> None:
        """Somebody saw where the file ends."""
        self.plan.end(self.length)

    @precondition(lambda self: len(self.plan.segments) == 1)
    @rule()
    def restart(self) -> None:
        """The server has no ranges, and the connection broke."""
        (segment,) = self.plan.segments
        self.plan.restart(segment)
        self.landed = self.twice = NONE
        self.claims.clear()
        self.stops[segment] = segment.stop

    # -- what must hold ------------------------------------------------------

    @invariant()
    def every_byte_is_somewhere(self) -> None:
        """Wanted, leased, claimed and done together are the file."""
        somewhere = self.todo() | self.landed
        for segment in self.plan.segments:
            somewhere |= self.ahead(segment) | self.claimed(segment)
        file = bytes_of(0, self.length)
        assert file <= somewhere
        if self.plan.size is not None:
            assert file == somewhere

    @invariant()
    def no_byte_is_in_two_places(self) -> None:
        """They share no byte, but for those that were raced for."""
        places = [self.todo(), self.landed, *map(self.claimed, self.plan.segments)]
        assert sum(map(len, places)) == len(frozenset().union(*places))
        places += map(self.ahead, self.plan.segments)
        single = [place - self.twice for place in places]
        assert sum(map(len, single)) == len(frozenset().union(*single))
        assert not self.todo() & frozenset().union(NONE, *places[1:])

    @invariant()
    def done_is_what_landed(self) -> None:
        """A byte is done when it landed, and the file when all of them did."""
        assert bytes_of_set(self.plan.done) == self.landed
        whole = self.landed == bytes_of(0, self.length)
        assert self.plan.finished == (whole and self.plan.size is not None)

    @invariant()
    def stops_only_move_down(self) -> None:
        """A segment's stop never moves beyond what it was."""
        for segment in self.plan.segments:
            assert segment.stop <= self.stops[segment]
            self.stops[segment] = segment.stop

    @invariant()
    def the_lowest_missing_byte_is_not_forgotten(self) -> None:
        """It is the next to be leased, or a lane fetches or writes it."""
        front = self.plan.front
        assert front not in self.landed
        if front < self.length and not self.is_free(front):
            assert any(
                front in self.ahead(segment) | self.claimed(segment)
                for segment in self.plan.segments
            )

    @invariant()
    def rivals_know_each_other(self) -> None:
        """A race has two sides, both of them leased."""
        for segment in self.plan.segments:
            if segment.rival is not None:
                assert segment.rival.rival is segment
                assert segment.rival in self.plan.segments

    # -- the model -----------------------------------------------------------

    def do_claim(self, segment: Segment, size: int) -> None:
        """Bytes come as far as the file goes; each is new to exactly one lane.

        What is new is claimed up to what is not, and the mark is where that ends.
        """
        size = max(min(size, self.length - segment.mark), 0)
        stop = max(min(segment.mark + size, segment.stop), segment.mark)
        offered = bytes_of(segment.mark, stop)
        new = offered - self.landed.union(*map(self.claimed, self.plan.segments))
        part = self.plan.claim(segment, size)
        got = NONE if part is None else bytes_of(part.start, part.stop)
        assert got == first_run(new)
        assert segment.mark == (part.stop if part else stop)
        if part is not None:
            self.claims[segment] = part

    def land_if_claimed(self, segment: Segment) -> None:
        part = self.claims.pop(segment, None)
        if part is not None:
            self.plan.land(segment, part)
            self.landed |= bytes_of(part.start, part.stop)

    def do_release(self, segment: Segment) -> None:
        self.plan.release(segment)
        self.claims.pop(segment, None)

    def follow(self, segment: Segment) -> None:
        """A new segment: remember where it stops, and what it races for."""
        self.stops[segment] = segment.stop
        if segment.rival is not None:
            self.twice |= self.ahead(segment)

    def last_lease(self) -> Segment | None:
        if self.ends_whole:
            return self.plan.lease_rest(0)
        return self.plan.lease(0, LONGEST)

    def is_free(self, offset: int) -> bool:
        """Whether the lowest byte that could be leased is this one."""
        gap = self.plan.next_gap()
        return gap is not None and gap.start == offset

    def free_lane(self) -> int:
        lanes = {segment.lane for segment in self.plan.segments}
        return min(set(range(len(lanes) + 1)) - lanes)

    def todo(self) -> Bytes:
        return bytes_of_set(self.plan._todo)

    def claimed(self, segment: Segment) -> Bytes:
        part = self.claims.get(segment)
        return NONE if part is None else bytes_of(part.start, part.stop)

    def ahead(self, segment: Segment) -> Bytes:
        return bytes_of(segment.mark, segment.stop)

    def idle(self) -> list[Segment]:
        """Segments whose lane is not writing."""
        return [s for s in self.plan.segments if s not in self.claims]

    def alone(self) -> list[Segment]:
        """Segments that may be stolen from or raced."""
        return [s for s in self.plan.segments if s.remaining and s.rival is None]

    def landed_from(self, offset: int) -> Bytes:
        return frozenset(at for at in self.landed if at >= offset)

    def pick(self, data: st.DataObject, segments: Sequence[Segment]) -> Segment:
        return data.draw(st.sampled_from(segments))


def first_run(offsets: Bytes) -> Bytes:
    """The lowest of them, as far as they follow one another."""
    if not offsets:
        return NONE
    start = min(offsets)
    stop = min(set(range(start, LONGEST + 2)) - offsets)
    return bytes_of(start, stop)


def bytes_of_set(ranges: RangeSet) -> Bytes:
    return NONE.union(*(bytes_of(item.start, item.stop) for item in ranges))


AnyOrder.TestCase.settings = settings(stateful_step_count=40)
TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.__doc__ = (
    """Whatever lanes do in whatever order, no byte is lost or doubled."""
)


def test_what_is_rejected_in_a_race_comes_again() -> None:
    """Also what the faster one brought, and the slower one has yet to pass."""
    plan = Plan(100)
    victim = leased(plan, 0, 100)
    racer = plan.race(1, victim)
    deliver(plan, victim, 50)
    plan.reject(ByteRange(0, 50))
    deliver(plan, racer, 100)
    deliver(plan, victim, 100)
    plan.release(racer)
    plan.release(victim)
    assert plan.finished
