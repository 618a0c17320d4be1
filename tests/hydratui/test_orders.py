"""What keys and commands do to jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from engine import JobSpec, JobState
from hydratui.orders import FAR, Orders
from tests.hydratui.support import FakeEngine, make_job, mixed_queue, running_job

STATES = {
    1: JobState.RUNNING,
    2: JobState.QUEUED,
    3: JobState.PAUSED,
    4: JobState.FAILED,
    5: JobState.EXPIRED,
    6: JobState.DONE,
    7: JobState.CANCELLED,
}


def engine() -> FakeEngine:
    """One job in each state."""
    return FakeEngine([make_job(n, state=state) for n, state in STATES.items()])


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("pause", [1, 2]),
        ("resume", [3]),
        ("retry", [4, 5, 7]),
        ("clear", [6, 7]),
    ],
)
def test_an_order_is_for_those_it_makes_sense_for(order: str, told: list[int]) -> None:
    """The others are left alone."""
    fake = engine()
    said = getattr(Orders(fake), order)(list(fake.jobs.values()))
    assert [list(call)[1] for call in fake.calls] == told
    assert (f"{len(told)} jobs" in said) or (f"#{told[0]}" in said)


def test_toggling_pauses_first() -> None:
    """What goes is stopped; only where nothing goes, what stands goes on."""
    fake = FakeEngine([running_job(1), make_job(2, state=JobState.PAUSED)])
    orders = Orders(fake)
    orders.toggle(list(fake.jobs.values()))
    assert fake.calls == [("pause", 1)]
    orders.toggle(list(fake.jobs.values()))
    assert fake.calls[1:] == [("resume", 1), ("resume", 2)]


def test_an_order_for_nobody_says_nothing() -> None:
    """No job, no word."""
    fake = engine()
    orders = Orders(fake)
    assert orders.pause([]) == orders.resume([]) == orders.remove([]) == ""
    assert fake.calls == []


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.sets(st.integers(1, n)),
            st.lists(st.sampled_from([-1, 1, -FAR, FAR]), max_size=6),
        )
    )
)
def test_jobs_that_move_together_keep_their_order(
    case: tuple[int, set[int], list[int]],
) -> None:
    """At the ends they close up, and never pass each other."""
    count, marked, steps = case
    fake = FakeEngine([make_job(n) for n in range(1, count + 1)])
    orders = Orders(fake)
    for places in steps:
        queue = list(fake.jobs.values())
        orders.move([job for job in queue if job.id in marked], queue, places)
        order = list(fake.jobs)
        others = [n for n in range(1, count + 1) if n not in marked]
        assert [n for n in order if n in marked] == sorted(marked)
        assert [n for n in order if n not in marked] == others
        if abs(places) == FAR and marked:
            end = order[-len(marked) :] if places > 0 else order[: len(marked)]
            assert set(end) == marked


def test_one_step_is_one_place() -> None:
    """Up and down again is where it was."""
    fake = FakeEngine([make_job(n) for n in range(1, 5)])
    orders = Orders(fake)
    for places, order in ((-1, [1, 3, 2, 4]), (1, [1, 2, 3, 4]), (1, [1, 2, 4, 3])):
        queue = list(fake.jobs.values())
        orders.move([fake.jobs[3]], queue, places)
        assert list(fake.jobs) == order


def test_what_is_in_the_queue_already_is_not_added_again() -> None:
    """It goes on instead."""
    fake = FakeEngine()
    orders = Orders(fake)
    specs = [JobSpec("https://example.org/a"), JobSpec("https://example.org/b")]
    assert orders.add(specs[:1], first=False, paused=True) == "added 1"
    fake.calls.clear()
    assert orders.add(specs, first=False, paused=False) == "added 1, 1 already there"
    assert fake.calls == [("add", specs[1].url), ("retry", 1), ("resume", 1)]


def test_those_that_are_added_first_keep_their_order() -> None:
    """The first of them is the next one."""
    fake = FakeEngine([make_job(1)])
    specs = [JobSpec(f"https://example.org/{name}") for name in "ab"]
    Orders(fake).add(specs, first=True, paused=False)
    assert [job.name[:1] for job in fake.jobs.values()] == ["a", "b", "d"]


def test_lanes_are_stepped_from_what_each_job_has() -> None:
    """Two jobs with different numbers stay different."""
    jobs = [replace(make_job(1), threads=3), replace(make_job(2), threads=8)]
    fake = FakeEngine(jobs)
    Orders(fake).step_lanes(jobs, 1)
    assert fake.calls == [("set_threads", 1, 4), ("set_threads", 2, 9)]


def test_a_limit_is_for_all_together_or_for_each() -> None:
    """And what is said tells which."""
    fake = FakeEngine(mixed_queue()[:2])
    orders = Orders(fake)
    assert orders.limit(2e6) == "limit 2.00 MB/s"
    assert orders.limit(None) == "no limit"
    said = orders.limit(1e6, list(fake.jobs.values()))
    assert said == "limit 1.00 MB/s for 2 jobs"
    assert fake.calls == [
        ("set_limit", 2e6),
        ("set_limit", None),
        ("set_limit", 1e6, 1),
        ("set_limit", 1e6, 2),
    ]
