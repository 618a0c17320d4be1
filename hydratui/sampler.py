"""What one look at the engine becomes: a Frame, and the past that graphs need.

The engine tells levels, not history. Each look is kept in small rings of fixed
size, with its time, so that a graph neither grows nor lies when looks are late.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from engine import EngineSnapshot, JobId, JobSnapshot, JobState
from hydratui.text import eta

SPAN = 60.0
"""Seconds that a graph shows."""

_EVERY = 0.25
"""Seconds between two samples; a look in between adds nothing to a graph."""

_KEPT = int(SPAN / _EVERY) + 40
_TRACKS = 16
"""Jobs and hosts whose past is remembered; the one seen longest ago goes."""

_SLOPE_SPAN = 2.0


class Ring:
    """The latest samples of one value, oldest first."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def push(self, at: float, value: float) -> None:
        if self._samples and at - self._samples[-1][0] < _EVERY * 0.9:
            return
        self._samples.append((at, value))

    def slope(self) -> float:
        """How fast the value has grown lately, per second."""
        if len(self._samples) < 2:
            return 0.0
        stop, high = self._samples[-1]
        start, low = next(s for s in self._samples if s[0] >= stop - _SLOPE_SPAN)
        return max(high - low, 0.0) / (stop - start) if stop > start else 0.0

    def track(self) -> Track:
        return Track(tuple(self._samples))


@dataclass(frozen=True, slots=True)
class Track:
    """The past of one value: (time, value), oldest first."""

    samples: tuple[tuple[float, float], ...] = ()

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
    hash_rate: float

    @property
    def at(self) -> float:
        return self.snapshot.at


class Sampler:
    """Turns looks into frames; the rings are all that it changes."""

    def __init__(self) -> None:
        self._rates = Ring()
        self._rings: OrderedDict[tuple[str, str | JobId], Ring] = OrderedDict()

    def sample(self, snapshot: EngineSnapshot, selected: JobId | None) -> Frame:
        self._rates.push(snapshot.at, snapshot.rate)
        job = next((job for job in snapshot.jobs if job.id == selected), None)
        window, flying, waiting, hashed = self._follow(snapshot.at, job)
        return Frame(
            snapshot=snapshot,
            job=job,
            counts=Counter(job.state for job in snapshot.jobs),
            eta=_total_eta(snapshot),
            rates=self._rates.track(),
            window=window.track(),
            flying=flying.track(),
            waiting=waiting.track(),
            hash_rate=hashed.slope(),
        )

    def _follow(
        self, at: float, job: JobSnapshot | None
    ) -> tuple[Ring, Ring, Ring, Ring]:
        """The rings of the selected job, with this moment in them."""
        if job is None:
            return Ring(), Ring(), Ring(), Ring()
        host = job.window.host if job.window else ""
        window, flying = self._ring("window", host), self._ring("flying", host)
        waiting, hashed = self._ring("waiting", job.id), self._ring("hashed", job.id)
        if job.window:
            window.push(at, job.window.size)
            flying.push(at, job.window.flying)
        if job.front:
            waiting.push(at, job.front.waiting)
        if job.hash:
            hashed.push(at, job.hash.hashed)
        return window, flying, waiting, hashed

    def _ring(self, kind: str, owner: str | JobId) -> Ring:
        key = kind, owner
        ring = self._rings.setdefault(key, Ring())
        self._rings.move_to_end(key)
        while len(self._rings) > 4 * _TRACKS:
            self._rings.popitem(last=False)
        return ring


def _total_eta(snapshot: EngineSnapshot) -> float | None:
    """Time for all that is live or queued; unknown sizes make it unknown."""
    total = done = 0
    for job in snapshot.jobs:
        if job.state.is_live or job.state is JobState.QUEUED:
            if job.size is None:
                return None
            total += job.size
            done += job.done
    return eta(done, total, snapshot.rate) if total else None
