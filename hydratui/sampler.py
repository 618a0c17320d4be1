"""What one look at the engine becomes: a Frame, and the past that graphs need.

The engine tells levels, not history. Each look is kept in small rings of fixed
size, with its time, so that a graph neither grows nor lies when looks are late.
Of what is longer ago only the peaks are kept, in ever longer buckets.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter, is_not

from engine import EngineSnapshot, JobId, JobSnapshot, JobState
from hydratui.text import eta

SPAN = 60.0
"""Seconds that a graph shows."""

LONG_SPAN = 600.0
"""Seconds that it shows when it is asked for more."""

_EVERY = 0.25
"""Seconds between two samples; a look in between adds nothing to a graph."""

_KEPT = int(SPAN / _EVERY) + 40
_BUCKET = 2.5
_BUCKETS = int(LONG_SPAN / _BUCKET) + 10
_TRACKS = 16
"""Jobs and hosts whose past is remembered; the one seen longest ago goes."""

_KINDS = 5
"""Rings for each of them."""

_SLOPE_SPAN = 2.0

_WAITED = {state for state in JobState if state.is_live} | {JobState.QUEUED}
"""What somebody waits for: paused and finished jobs take no time."""


Samples = tuple[tuple[float, float], ...]
"""The past of one value: (time, value), oldest first."""


class Peaks:
    """The highest value in each bucket of time, which is all that a graph draws.

    When there are too many buckets, the oldest goes; or, where all of the past is
    wanted, each two become one that is twice as long.
    """

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._length = _BUCKET
        self._buckets: list[tuple[float, float]] = []

    def push(self, at: float, value: float) -> None:
        start = at - at % self._length
        if self._buckets and self._buckets[-1][0] >= start:
            start, before = self._buckets[-1]
            self._buckets[-1] = start, max(before, value)
            return
        self._buckets.append((start, value))
        if len(self._buckets) > _BUCKETS:
            self._make_room()

    def samples(self) -> Samples:
        return tuple(self._buckets)

    def _make_room(self) -> None:
        if not self._whole:
            del self._buckets[0]
            return
        self._length *= 2
        merged: dict[float, float] = {}
        for at, value in self._buckets:
            start = at - at % self._length
            merged[start] = max(merged.get(start, value), value)
        self._buckets = list(merged.items())


class Ring:
    """The latest samples of one value, and the peaks of those before them."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._longer = Peaks(whole=False)
        self._whole = Peaks(whole=True)
        self._moved_at = 0.0
        self._track: Track | None = None

    def push(self, at: float, value: float) -> None:
        if self._samples and at - self._samples[-1][0] < _EVERY * 0.9:
            return
        if not self._samples or value != self._samples[-1][1]:
            self._moved_at = at
        self._samples.append((at, value))
        self._longer.push(at, value)
        self._whole.push(at, value)
        self._track = None

    def slope(self) -> float:
        """How fast the value has grown lately, per second."""
        if len(self._samples) < 2:
            return 0.0
        stop, high = self._samples[-1]
        start, low = next(s for s in self._samples if s[0] >= stop - _SLOPE_SPAN)
        return max(high - low, 0.0) / (stop - start) if stop > start else 0.0

    def still(self) -> float:
        """For how many seconds the value has been the same."""
        return self._samples[-1][0] - self._moved_at if self._samples else 0.0

    def track(self) -> Track:
        if self._track is None:
            self._track = Track(
                tuple(self._samples), self._longer.samples(), self._whole.samples()
            )
        return self._track


@dataclass(frozen=True, slots=True)
class Track:
    """The past of one value: its last minute, and the peaks of what is longer ago."""

    samples: Samples = ()
    longer: Samples = ()
    whole: Samples = ()

    def over(self, span: float) -> Track:
        """The same past, as coarse as a graph of that many seconds needs it."""
        if span <= SPAN:
            return self
        return Track(self.longer if span <= LONG_SPAN else self.whole)

    @property
    def began(self) -> float | None:
        """When the first sample was taken, as far as is still known."""
        return self.whole[0][0] if self.whole else None

    def columns(self, count: int, now: float, span: float = SPAN) -> list[float | None]:
        """The highest value in each of `count` equal spans of time that end now.

        The spans begin at whole multiples of their length, so that a graph moves
        by whole columns instead of shimmering. A span that was slept through
        repeats the one before it; None stands before the first sample.
        """
        length = span / count
        last = int(now / length)
        found: list[float | None] = [None] * count
        for at, value in self.samples:
            index = count - 1 - (last - int(at / length))
            if 0 <= index < count:
                before = found[index]
                found[index] = value if before is None else max(before, value)
        for index in range(1, count):
            if found[index] is None:
                found[index] = found[index - 1]
        return found

    @property
    def peak(self) -> float:
        return max((value for _, value in self.samples), default=0.0)

    @property
    def mean(self) -> float:
        if not self.samples:
            return 0.0
        return sum(value for _, value in self.samples) / len(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything that one picture shows."""

    snapshot: EngineSnapshot
    job: JobSnapshot | None
    """The selected job, in detail."""
    counts: Counter[JobState]
    eta: float | None
    """Seconds until all that is queued is here, if anybody can know."""
    rates: Track
    window: Track
    flying: Track
    waiting: Track
    job_rates: Track
    front_rate: float
    """How fast the front of the selected job moves."""
    still: float
    """For how many seconds that front has stood still."""

    @property
    def at(self) -> float:
        return self.snapshot.at


@dataclass(frozen=True, slots=True)
class _Past:
    """The rings of one job and of its host."""

    window: Ring
    flying: Ring
    waiting: Ring
    rate: Ring
    front: Ring


class Sampler:
    """Turns looks into frames; the rings and the sums are all that it changes."""

    def __init__(self) -> None:
        self._rates = Ring()
        self._rings: OrderedDict[tuple[str, str | JobId], Ring] = OrderedDict()
        self._sums = Sums()
        self._place = 0

    def sample(self, snapshot: EngineSnapshot, selected: JobId | None) -> Frame:
        self._rates.push(snapshot.at, snapshot.rate)
        self._sums.take(snapshot.jobs)
        job = self._find(snapshot.jobs, selected)
        past = self._follow(snapshot.at, job)
        return Frame(
            snapshot=snapshot,
            job=job,
            counts=Counter(self._sums.counts),
            eta=self._sums.eta(snapshot.rate),
            rates=self._rates.track(),
            window=past.window.track(),
            flying=past.flying.track(),
            waiting=past.waiting.track(),
            job_rates=past.rate.track(),
            front_rate=past.front.slope(),
            still=past.front.still(),
        )

    def _find(
        self, jobs: Sequence[JobSnapshot], wanted: JobId | None
    ) -> JobSnapshot | None:
        """The job, which mostly stands where it stood."""
        if self._place < len(jobs) and jobs[self._place].id == wanted:
            return jobs[self._place]
        for place, job in enumerate(jobs):
            if job.id == wanted:
                self._place = place
                return job
        return None

    def _follow(self, at: float, job: JobSnapshot | None) -> _Past:
        """The rings of the selected job, with this moment in them."""
        if job is None:
            return _Past(*(Ring() for _ in range(_KINDS)))
        host = job.window.host if job.window else ""
        past = _Past(
            self._ring("window", host),
            self._ring("flying", host),
            *(self._ring(k, job.id) for k in ("waiting", "rate", "front")),
        )
        past.rate.push(at, job.rate)
        if job.window:
            past.window.push(at, job.window.size)
            past.flying.push(at, job.window.flying)
        if job.front:
            past.waiting.push(at, job.front.waiting)
            past.front.push(at, job.front.front)
        return past

    def _ring(self, kind: str, owner: str | JobId) -> Ring:
        key = kind, owner
        ring = self._rings.setdefault(key, Ring())
        self._rings.move_to_end(key)
        while len(self._rings) > _KINDS * _TRACKS:
            self._rings.popitem(last=False)
        return ring


class Sums:
    """What is counted over all jobs of a queue, where from look to look few change.

    A job that rests is the very same object in the next look.
    """

    def __init__(self) -> None:
        self.counts: Counter[JobState] = Counter()
        self._jobs: Sequence[JobSnapshot] = ()
        self._total = 0
        self._done = 0
        self._unknown = 0
        """Jobs that are waited for, of unknown size."""

    def take(self, jobs: Sequence[JobSnapshot]) -> None:
        """Count what has changed; all of it, where that is less work."""
        before, self._jobs = self._jobs, jobs
        if before is jobs:
            return
        changed = list(compress(zip(before, jobs), map(is_not, before, jobs)))  # noqa: B905  # only as far as both go
        if len(before) != len(jobs) or len(changed) > len(jobs) // 4:
            self._recount()
            return
        for old, new in changed:
            self._count(old, -1)
            self._count(new, 1)

    def eta(self, rate: float) -> float | None:
        """Time for all that is live or queued; unknown sizes make it unknown."""
        if self._unknown or not self._total:
            return None
        return eta(self._done, self._total, rate)

    def _recount(self) -> None:
        self.counts = Counter(map(attrgetter("state"), self._jobs))
        waited = [job for job in self._jobs if job.state in _WAITED]
        known = [job for job in waited if job.size is not None]
        self._unknown = len(waited) - len(known)
        self._total = sum(job.size or 0 for job in known)
        self._done = sum(job.done for job in known)

    def _count(self, job: JobSnapshot, sign: int) -> None:
        self.counts[job.state] += sign
        if job.state not in _WAITED:
            return
        if job.size is None:
            self._unknown += sign
        else:
            self._total += sign * job.size
            self._done += sign * job.done
