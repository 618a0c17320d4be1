"""Looks become frames, and the past that graphs need."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, strategies as st

from engine import EngineSnapshot, JobSnapshot, JobState
from hydratui.sampler import LONG_SPAN, SPAN, Peaks, Ring, Sampler, Sums, Track
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


def test_the_peaks_of_long_ago_are_kept() -> None:
    """Ten minutes in buckets of some seconds, and all of it in ever longer ones."""
    ring = Ring()
    for step in range(20_000):
        ring.push(NOW + step, 99.0 if step in (7, 19_500) else 1.0)
    track = ring.track()
    assert max(value for _, value in track.samples) == 1.0
    for span, began in ((LONG_SPAN, NOW + 19_400), (30_000.0, NOW)):
        samples = track.over(span).samples
        assert max(value for _, value in samples) == 99.0
        assert samples[0][0] <= began
        assert len(samples) <= 260
    assert [v for _, v in track.over(30_000.0).samples if v == 99.0] == [99.0] * 2
    assert track.over(SPAN) is track
    assert track.began is not None
    assert track.began <= NOW


@given(st.lists(st.tuples(st.floats(0.3, 900), st.floats(0, 100)), max_size=600))
def test_no_peak_is_ever_lost(steps: list[tuple[float, float]]) -> None:
    """However unevenly it was looked at, the highest of all is still the highest."""
    peaks, at = Peaks(whole=True), NOW
    for step, value in steps:
        at += step
        peaks.push(at, value)
    samples = peaks.samples()
    assert max((v for _, v in samples), default=0) == max(
        (v for _, v in steps), default=0
    )
    times = [time for time, _ in samples]
    assert times == sorted(set(times))


def test_how_long_a_value_stands_still() -> None:
    """From its last change to the latest look."""
    ring = Ring()
    assert ring.still() == 0.0
    for step, value in enumerate((1.0, 2.0, 2.0, 2.0)):
        ring.push(NOW + step, value)
    assert ring.still() == 2.0
    ring.push(NOW + 4, 3.0)
    assert ring.still() == 0.0


def test_a_track_is_made_anew_only_when_there_is_something_new() -> None:
    """Between two samples a graph need not be drawn again."""
    ring = Ring()
    ring.push(NOW, 1.0)
    before = ring.track()
    ring.push(NOW + 0.01, 2.0)
    assert ring.track() is before
    ring.push(NOW + 1, 2.0)
    assert ring.track() is not before


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


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(1, 12),
                st.sampled_from(JobState),
                st.sampled_from((None, GIB, 2 * GIB)),
            ),
            max_size=12,
        ),
        max_size=6,
    )
)
def test_sums_are_the_same_whether_counted_at_once_or_bit_by_bit(
    looks: list[list[tuple[int, JobState, int | None]]],
) -> None:
    """Jobs come, go, move and change; what rests is the very same object."""
    kept = {
        (number, state, size): make_job(number, state=state, size=size, share=0.5)
        for look in looks
        for number, state, size in look
    }
    sums = Sums()
    for look in looks:
        jobs = tuple(kept[key] for key in look)
        sums.take(jobs)
        anew = Sums()
        anew.take(jobs)
        assert sums.counts == anew.counts == Counter(job.state for job in jobs)
        assert sums.eta(1e6) == anew.eta(1e6)


def test_few_changes_among_many_jobs_are_counted() -> None:
    """One of a hundred goes on while the others rest."""
    jobs = [make_job(number, size=GIB) for number in range(1, 101)]
    sampler = Sampler()
    for state, left in ((JobState.RUNNING, 100), (JobState.DONE, 99)):
        jobs[7] = replace(jobs[7], state=state)
        engine_jobs = tuple(jobs)
        frame = sampler.sample(look_at(engine_jobs), 8)
        assert frame.counts[JobState.RUNNING] == left
        assert frame.eta == left * GIB / 1e6
        assert frame.job is engine_jobs[7]


def test_the_selected_job_is_found_wherever_it_stands() -> None:
    """It is looked for where it was, and then everywhere."""
    jobs = tuple(make_job(number) for number in range(1, 6))
    sampler = Sampler()
    for queue in (jobs, jobs[::-1], jobs[2:], ()):
        frame = sampler.sample(look_at(queue), 4)
        assert (frame.job.id if frame.job else None) == (4 if queue else None)
    assert sampler.sample(look_at(jobs), None).job is None


def look_at(jobs: tuple[JobSnapshot, ...]) -> EngineSnapshot:
    return EngineSnapshot(at=NOW, jobs=jobs, rate=1e6, received=0, limit=None, flying=0)


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


def test_the_front_of_a_job_that_does_not_move_is_timed() -> None:
    """A stall is told by how long the front has been where it is."""
    engine = FakeEngine([running_job(1)])
    sampler = Sampler()
    for step in range(9):
        engine.at = NOW + step
        sampler.sample(engine.snapshot(1), 1)
    engine.at = NOW + 9
    frame = sampler.sample(engine.snapshot(1), 1)
    assert frame.still == 9.0
    assert frame.front_rate == 0.0
    assert frame.job_rates.peak == 182e6
