"""The order of the queue: who comes first, and who waits to be admitted.

Every job has a rank, and the order is that of the ranks. Who moves gets a rank
between those of its new neighbours, so that one row tells of it on disk. A gap
can be halved about fifty times; where none is left, all get new ranks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterator, Mapping, Sequence
from math import inf

from engine.model import JobId


class Queue:
    """Jobs in order; a part of them waits, in the same order."""

    def __init__(
        self,
        ranks: Mapping[JobId, float] | None = None,
        waiting: Container[JobId] = (),
    ) -> None:
        self._ranks = dict(ranks or {})
        self._order = sorted(self._ranks, key=self._key)
        self._waiting = [job for job in self._order if job in waiting]

    def __iter__(self) -> Iterator[JobId]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __repr__(self) -> str:
        return f"<Queue {self._order}, waiting {self._waiting}>"

    @property
    def head(self) -> JobId | None:
        """The first that waits."""
        return self._waiting[0] if self._waiting else None

    def rank(self, job: JobId) -> float:
        return self._ranks[job]

    def place(self, job: JobId) -> int:
        """How many are before it."""
        return bisect_left(self._order, self._key(job), key=self._key)

    def add(self, job: JobId, *, first: bool = False) -> Sequence[JobId]:
        """Put a job at the end, or before all; whose rank is new by that."""
        return self._put(job, 0 if first else len(self._order))

    def remove(self, job: JobId) -> None:
        self.step_out(job)
        del self._order[self.place(job)]
        del self._ranks[job]

    def move(self, job: JobId, places: int) -> Sequence[JobId]:
        """So many places down, up where negative, as far as there are any.

        Returns whose rank is new by that.
        """
        before = self.place(job)
        after = min(max(before + places, 0), len(self._order) - 1)
        if after == before:
            return ()
        waits = self.waits(job)
        self.remove(job)
        moved = self._put(job, after)
        if waits:
            self.line_up(job)
        return moved

    # -- those who wait --------------------------------------------------------

    def waits(self, job: JobId) -> bool:
        at = self._line_place(job)
        return self._waiting[at : at + 1] == [job]

    def line_up(self, job: JobId) -> None:
        """It waits from now on, at its place."""
        at = self._line_place(job)
        if self._waiting[at : at + 1] != [job]:
            self._waiting.insert(at, job)

    def step_out(self, job: JobId) -> None:
        """It does not wait any more; its place in the queue stays."""
        at = self._line_place(job)
        if self._waiting[at : at + 1] == [job]:
            del self._waiting[at]

    # -- ranks -----------------------------------------------------------------

    def _put(self, job: JobId, place: int) -> Sequence[JobId]:
        low = self._ranks[self._order[place - 1]] if place else -inf
        high = self._ranks[self._order[place]] if place < len(self) else inf
        self._order.insert(place, job)
        self._ranks[job] = rank = _between(low, high)
        if low < rank < high:
            return (job,)
        self._ranks = {job: float(at) for at, job in enumerate(self._order)}
        return tuple(self._order)

    def _line_place(self, job: JobId) -> int:
        return bisect_left(self._waiting, self._key(job), key=self._key)

    def _key(self, job: JobId) -> tuple[float, JobId]:
        return self._ranks[job], job


def _between(low: float, high: float) -> float:
    """A rank after one and before the other, if there is room."""
    if low == -inf:
        return 0.0 if high == inf else high - 1.0
    return low + 1.0 if high == inf else low + (high - low) / 2
