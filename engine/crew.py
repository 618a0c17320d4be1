"""Who is at work: jobs are admitted in the order of the queue while lanes are free.

A few big files, or many small ones. Under one number there is one thing under
way at a time: a job runs, or lets go of what it holds, and the next waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass

from engine.config import MOST_JOBS
from engine.job import Job
from engine.model import JobId
from engine.queue import Queue
from engine.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What is under way under a job's number."""

    job: Job
    task: asyncio.Task[None]

    @property
    def is_receiving(self) -> bool:
        return not self.job.milestones.received.is_set()

    def stop(self) -> None:
        """Once: a second time would disturb its coming to rest."""
        if not self.task.cancelling():
            self.task.cancel()


class Crew:
    """The tasks of jobs; `most` at a time, or as many as there are lanes for."""

    def __init__(
        self,
        queue: Queue,
        most: int | None,
        *,
        job_of: Callable[[JobId], Job],
        window_of: Callable[[str], Window],
        on_change: Callable[[JobId], None],
    ) -> None:
        self.is_held = False
        """Whether nobody is admitted, for whatever reason."""
        self._queue = queue
        self._most = most
        self._job_of = job_of
        self._window_of = window_of
        self._on_change = on_change
        self._runs: dict[JobId, Run] = {}
        self._receiving: set[Run] = set()
        """Those of them whose bytes may not all be here."""
        self._group: asyncio.TaskGroup | None = None

    def __iter__(self) -> Iterator[Run]:
        return iter(tuple(self._runs.values()))

    def __contains__(self, job: JobId) -> bool:
        return job in self._runs

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Tasks belong to this group from now on."""
        self._group = group

    def run_of(self, job: Job) -> Run | None:
        """What is under way under its number, be it of another job."""
        return self._runs.get(job.id)

    def line_up(self, job: Job) -> None:
        """It waits, at its place in the queue."""
        self._queue.line_up(job.id)
        self.admit()

    def admit(self) -> None:
        """Start jobs that wait, in the order of the queue, while lanes are free."""
        self._receiving = {run for run in self._receiving if run.is_receiving}
        while (head := self._queue.head) is not None:
            job = self._job_of(head)
            if self.is_held or not self._has_room_for(job):
                return
            self._queue.step_out(head)
            self.start(job, job.run())

    def start(self, job: Job, work: Coroutine[None, None, None]) -> None:
        """Begin it now, whoever waits."""
        assert self._group is not None
        task = self._group.create_task(work, name=f"job {job.id}")
        self._runs[job.id] = run = Run(job, task)
        self._receiving.add(run)
        self._on_change(job.id)
        task.add_done_callback(lambda _: self._ended(run))

    def stop(self, job: Job) -> None:
        """It waits no more, and comes to rest if it runs."""
        self._queue.step_out(job.id)
        run = self._runs.get(job.id)
        if run is not None and run.job is job:
            run.stop()

    async def ended(self, job: Job) -> None:
        """Wait until nothing is under way under its number."""
        while (run := self._runs.get(job.id)) is not None:
            await asyncio.wait([run.task])
            await asyncio.sleep(0)  # what follows it is told by a callback

    def _has_room_for(self, job: Job) -> bool:
        if job.id in self._runs:
            return False  # paused and resumed before it stood still
        if len(self._receiving) >= (self._most or MOST_JOBS):
            return False
        if self._most is not None:
            return True
        host = job.host
        there = sum(run.job.host == host for run in self._receiving)
        window = self._window_of(host)
        return not there or there < window.size > window.flying

    def _ended(self, run: Run) -> None:
        if self._runs.get(run.job.id) is run:
            del self._runs[run.job.id]
        self._receiving.discard(run)
        self._on_change(run.job.id)
        self.admit()
