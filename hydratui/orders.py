"""What keys and commands do to jobs; each order says in a sentence what it did.

Keys give orders for the jobs that are marked, or for the selected one; commands
for those they name. Jobs that an order makes no sense for are left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine import JobId, JobSnapshot, JobSpec, JobState
from hydratui.steering import Helm, stepped_lanes
from hydratui.text import rate

Jobs = Sequence[JobSnapshot]

FAR = 10**9
"""More places than any queue has."""

_TRIED = {JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
_DROPPED = {JobState.DONE, JobState.CANCELLED}


class Orders:
    """Turns orders into calls on the engine."""

    def __init__(self, helm: Helm) -> None:
        self._helm = helm

    def pause(self, jobs: Jobs) -> str:
        return _each("paused", filter(is_going, jobs), self._helm.pause)

    def resume(self, jobs: Jobs) -> str:
        return _each("resumed", filter(_is_paused, jobs), self._helm.resume)

    def toggle(self, jobs: Jobs) -> str:
        """Pause all that can go on; if nothing can, resume all that is paused."""
        return self.pause(jobs) if any(map(is_going, jobs)) else self.resume(jobs)

    def retry(self, jobs: Jobs) -> str:
        tried = (job for job in jobs if job.state in _TRIED)
        return _each("tried again", tried, self._helm.retry)

    def remove(self, jobs: Jobs, *, delete: bool = False) -> str:
        def remove(job: JobId) -> None:
            self._helm.remove(job, delete=delete)

        return _each("removed", jobs, remove)

    def clear(self, jobs: Jobs) -> str:
        """Drop from the queue what is over and well."""
        return self.remove([job for job in jobs if job.state in _DROPPED])

    def move(self, jobs: Jobs, queue: Jobs, places: int) -> str:
        """One place up or down, or to an end; the jobs keep their order."""
        ids = {job.id for job in jobs}
        line = queue if places < 0 else queue[::-1]
        if abs(places) >= FAR:
            for job in reversed([job for job in line if job.id in ids]):
                self._helm.move(job.id, places)
            return ""
        is_blocked = True  # at the end there is nowhere to go
        for job in line:
            if job.id not in ids:
                is_blocked = False
            elif not is_blocked:
                self._helm.move(job.id, places)
        return ""

    def add(self, specs: Sequence[JobSpec], *, first: bool, paused: bool) -> str:
        """Put into the queue what is not there yet; let go on what is."""
        found = [(spec, self._helm.find(spec)) for spec in specs]
        new = [spec for spec, job in found if job is None]
        known = [job for _, job in found if job is not None]
        for spec in reversed(new) if first else new:
            self._helm.add(spec, first=first, paused=paused)
        for job in known:
            self._helm.retry(job)
            self._helm.resume(job)
        there = f", {len(known)} already there" if known else ""
        return f"added {len(new)}{there}"

    def lanes(self, jobs: Jobs, count: int | None) -> str:
        for job in jobs:
            self._helm.set_threads(job.id, count)
        if count is None:
            return f"{_named(jobs)} finds its number of lanes itself"
        return f"{_named(jobs)} may use {count} {'lane' if count == 1 else 'lanes'}"

    def step_lanes(self, jobs: Jobs, step: int) -> str:
        """From auto, a step begins at what there is now."""
        said = ""
        for job in jobs:
            said = self.lanes([job], stepped_lanes(job, step))
        return said

    def limit(self, limit: float | None, jobs: Jobs | None = None) -> str:
        """Limit all together, or each of some jobs."""
        said = "no limit" if limit is None else f"limit {rate(limit)}"
        if jobs is None:
            self._helm.set_limit(limit)
            return said
        for job in jobs:
            self._helm.set_limit(limit, job.id)
        return f"{said} for {_named(jobs)}"

    def pipe(self, job: JobSnapshot, spec: JobSpec) -> str:
        self._helm.revise(job.id, spec)
        into = f"goes into | {spec.command}" if spec.command else "goes to a file"
        return f"#{job.id} {into}"


def _each(
    done: str, jobs: Iterable[JobSnapshot], order: Callable[[JobId], None]
) -> str:
    chosen = list(jobs)
    for job in chosen:
        order(job.id)
    return f"{done} {_named(chosen)}" if chosen else ""


def is_going(job: JobSnapshot) -> bool:
    """Whether it runs, or will."""
    return job.state.is_live or job.state is JobState.QUEUED


def _is_paused(job: JobSnapshot) -> bool:
    return job.state is JobState.PAUSED


def _named(jobs: Jobs) -> str:
    return f"#{jobs[0].id}" if len(jobs) == 1 else f"{len(jobs)} jobs"
