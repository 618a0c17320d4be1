"""Looks become frames, and the past that graphs need."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, strategies as st

from engine import JobState
from hydratui.sampler import SPAN, Ring, Sampler, Track
from tests.hydratui.support import (
    GIB,
    NOW,
    FakeEngine,
    make_job,
    mixed_queue,
    running_job,
)


def track_of(*samples: tuple[float, float]) -> Track:
    return Track(samples)


def test_looks_that_come_too_fast_are_one_sample() -> None:
    """Looking more often does not make the past shorter."""
    ring = Ring()
    for step in range(80):
        ring.push(NOW + step * 0.025, step)
    assert 6 <= len(ring.track().samples) <= 10


def test_a_ring_does_not_grow() -> None:
    """However long it runs, it keeps a minute and a little."""
    ring = Ring()
    for step in range(5000):
        ring.push(NOW + step, step)
    samples = ring.track().samples
    assert len(samples) < 400
    assert samples[-1] == (NOW + 4999, 4999)


def test_the_slope_is_that_of_the_last_seconds() -> None:
    """What was fast long ago does not count."""
    ring = Ring()
    for step in range(20):
        ring.push(NOW + step * 0.5, 1000.0 * step)
    for step in range(20):
        ring.push(NOW + 10 + step * 0.5, 19_000 + 10.0 * step)
    assert ring.slope() == 20.0
    assert Ring().slope() == 0.0


def test_columns_keep_the_highest_value_of_their_time() -> None:
    """A short peak is not lost where the graph is narrow."""
    track = track_of((NOW, 1.0), (NOW + 0.3, 9.0), (NOW + 0.6, 2.0))
    assert max(v or 0 for v in track.columns(10, NOW + 1, span=10.0)) == 9.0


def test_columns_before_the_first_sample_are_empty() -> None:
    """A graph does not show what nobody has seen."""
    columns = track_of((NOW, 5.0)).columns(60, NOW)
    assert columns[-1] == 5.0
    assert columns[:-1] == [None] * 59


def test_a_gap_repeats_what_was_before_it() -> None:
    """Looks that were skipped do not tear the graph."""
    track = track_of((NOW - 30, 4.0), (NOW, 5.0))
    assert track.columns(60, NOW)[30:] == [4.0] * 29 + [5.0]


def test_a_graph_moves_by_whole_columns() -> None:
    """A moment later the same columns are there, or one further left."""
    track = track_of(
        *((NOW - 40 + step * 0.25, float(step % 7)) for step in range(160))
    )
    first = track.columns(60, NOW)
    later = track.columns(60, NOW + 0.4)
    assert later in (first, [*first[1:], later[-1]])


@given(
    st.lists(st.floats(0, SPAN), max_size=50).map(sorted),
    st.integers(1, 300),
)
def test_columns_are_as_many_as_asked(times: list[float], count: int) -> None:
    """Any width can be drawn."""
    track = Track(tuple((NOW + at, at) for at in times))
    assert len(track.columns(count, NOW + SPAN)) == count


def test_a_frame_counts_the_states() -> None:
    """The status bar says how many jobs are in which state."""
    engine = FakeEngine(mixed_queue())
    frame = Sampler().sample(engine.snapshot(1), 1)
    assert frame.counts[JobState.QUEUED] == 492
    assert frame.counts[JobState.FAILED] == 1
    assert frame.job is not None
    assert frame.job.lanes


def test_the_time_left_is_for_all_that_is_live_or_queued() -> None:
    """Paused and finished jobs take no time."""
    engine = FakeEngine(
        [
            make_job(1, size=GIB, share=0.5, rate=1e6),
            make_job(2, state=JobState.QUEUED, size=GIB),
            make_job(3, state=JobState.PAUSED, size=100 * GIB),
        ]
    )
    frame = Sampler().sample(engine.snapshot(1), 1)
    assert frame.eta == 1.5 * GIB / 1e6


def test_a_size_nobody_knows_leaves_the_time_unknown() -> None:
    """No number is better than a wrong one."""
    engine = FakeEngine([make_job(1, rate=1e6), make_job(2, size=None)])
    assert Sampler().sample(engine.snapshot(1), 1).eta is None


def test_each_host_and_each_job_has_a_past_of_its_own() -> None:
    """Selecting another job does not mix its graph with the old one's."""
    engine = FakeEngine([running_job(1), running_job(2)])
    other = engine.jobs[2].window
    assert other is not None
    engine.jobs[2] = replace(engine.jobs[2], window=replace(other, host="b", size=99))
    sampler = Sampler()
    frame = sampler.sample(engine.snapshot(1), 1)
    for step in range(1, 8):
        engine.at = NOW + step
        selected = 1 + step % 2
        frame = sampler.sample(engine.snapshot(selected), selected)
    assert {value for _, value in frame.window.samples} == {99}
    assert len(frame.waiting.samples) == 4


def test_pasts_of_long_gone_jobs_are_forgotten() -> None:
    """A queue of thousands does not fill the memory with graphs."""
    engine = FakeEngine([running_job(1, lanes=2)])
    job = engine.jobs[1]
    sampler = Sampler()
    for number in range(500):
        engine.jobs = {number: replace(job, id=number)}
        sampler.sample(engine.snapshot(number), number)
    assert len(sampler._rings) < 100
