"""The order of the queue, against a plain list; and what has to be written of it."""

from __future__ import annotations

from time import perf_counter

from hypothesis import given, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from engine.model import JobId
from engine.queue import Queue

FAR = 10**9


class AgainstAList(RuleBasedStateMachine):
    """A queue, a list that is moved about in the same way, and ranks on a disk."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.order: list[JobId] = []
        self.waiting: set[JobId] = set()
        self.disk: dict[JobId, float] = {}
        self.last = 0

    def write(self, changed: object) -> None:
        assert isinstance(changed, list | tuple)
        self.disk |= {job: self.queue.rank(job) for job in changed}

    @rule(first=st.booleans())
    def add(self, *, first: bool) -> None:
        self.last += 1
        self.order.insert(0 if first else len(self.order), self.last)
        self.write(self.queue.add(self.last, first=first))

    @precondition(lambda self: self.order)
    @rule(data=st.data(), places=st.integers(-5, 5) | st.sampled_from([-FAR, FAR]))
    def move(self, data: st.DataObject, places: int) -> None:
        job = data.draw(st.sampled_from(self.order))
        at = self.order.index(job)
        self.order.remove(job)
        self.order.insert(min(max(at + places, 0), len(self.order)), job)
        self.write(self.queue.move(job, places))

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.order))
        self.order.remove(job)
        self.waiting.discard(job)
        del self.disk[job]
        self.queue.remove(job)

    @precondition(lambda self: self.order)
    @rule(data=st.data(), waits=st.booleans())
    def wait(self, data: st.DataObject, *, waits: bool) -> None:
        job = data.draw(st.sampled_from(self.order))
        if waits:
            self.waiting.add(job)
            self.queue.line_up(job)
        else:
            self.waiting.discard(job)
            self.queue.step_out(job)

    @invariant()
    def is_in_order(self) -> None:
        assert list(self.queue) == self.order
        assert [self.queue.place(job) for job in self.order] == list(
            range(len(self.order))
        )

    @invariant()
    def the_first_that_waits_is_the_head(self) -> None:
        waiting = [job for job in self.order if job in self.waiting]
        assert self.queue.head == (waiting[0] if waiting else None)

    @invariant()
    def the_disk_knows_the_order(self) -> None:
        again = Queue(self.disk, self.waiting)
        assert list(again) == self.order
        assert again.head == self.queue.head


TestAgainstAList = AgainstAList.TestCase


def filled(size: int) -> Queue:
    return Queue({job: float(job) for job in range(1, size + 1)})


@given(size=st.integers(2, 50), data=st.data())
def test_one_that_moves_is_one_row(size: int, data: st.DataObject) -> None:
    """Whoever moves gets another rank, and nobody else does."""
    queue = filled(size)
    job = data.draw(st.integers(1, size))
    places = data.draw(st.integers(-size, size))
    before = queue.place(job)
    changed = queue.move(job, places)
    assert changed == (() if queue.place(job) == before else (job,))


def test_a_move_that_leads_nowhere_is_none() -> None:
    """The last cannot go down, nor the first up; nothing is written."""
    queue = filled(3)
    assert queue.move(3, FAR) == queue.move(1, -FAR) == queue.move(2, 0) == ()
    assert list(queue) == [1, 2, 3]


def test_a_gap_may_be_halved_again_and_again() -> None:
    """Where there is no room between two ranks, all get new ones, in their order."""
    queue = filled(4)
    rewritten = 0
    for turn in range(1000):
        changed = queue.move(queue_last(queue), -2)
        rewritten += len(changed) > 1
        assert len({queue.rank(job) for job in queue}) == 4, turn
    assert 0 < rewritten < 50


def queue_last(queue: Queue) -> JobId:
    return list(queue)[-1]


def test_ranks_that_are_equal_are_told_apart_by_number() -> None:
    """Whatever stands on disk, the order is one and the same, and can be changed."""
    queue = Queue({3: 1.0, 1: 1.0, 2: 1.0})
    assert list(queue) == [1, 2, 3]
    assert set(queue.move(3, -1)) == {1, 2, 3}
    assert list(queue) == [1, 3, 2]


def test_ranks_too_large_for_a_step_are_made_anew() -> None:
    """Where adding one changes nothing any more, there are smaller numbers."""
    queue = Queue({1: 1e300})
    assert set(queue.add(2)) == {1, 2}
    assert set(Queue({1: -1e300}).add(2, first=True)) == {1, 2}
    assert list(queue) == [1, 2]


def test_who_waits_keeps_its_place() -> None:
    """Waiting is not a place: who comes back to wait stands where it stood."""
    queue = filled(3)
    for job in (3, 2, 1):
        queue.line_up(job)
        assert queue.head == job
    queue.step_out(1)
    assert queue.head == 2
    queue.line_up(1)
    assert queue.head == 1
    queue.line_up(1)
    queue.step_out(1)
    queue.step_out(1)
    assert queue.head == 2


def test_ten_thousand_are_moved_about_quickly() -> None:
    """A move costs what a search and a shift cost, not a look at everybody."""
    queue = filled(10_000)
    began = perf_counter()
    for job in range(1, 2_001):
        queue.line_up(job)
        queue.move(job, FAR)
    assert perf_counter() - began < 2
    assert list(queue)[:3] == [2_001, 2_002, 2_003]
