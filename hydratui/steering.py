"""What the app asks of an engine, and the arithmetic of one key press.

`Helm` is all of the engine that the app ever touches; a test steers something
simpler. How far one press goes is decided here, by plain functions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from engine import EngineSnapshot, Event, JobId, JobSnapshot, JobSpec, Timetable

MOST_LANES = 128
_STEP = 0.1
_IDLE = 100e3
"""A rate from which no limit begins: what trickles in is not what one wants to limit."""

_LOWEST_LIMIT = 10e3
"""Below that a limit is a pause, and there is a key for that."""


class Helm(Protocol):
    """The engine, as far as the app is concerned; `engine.Engine` says what each does."""

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot: ...

    def events(self) -> AsyncIterator[Event]: ...

    def add(
        self, spec: JobSpec, *, first: bool = False, paused: bool = False
    ) -> JobId: ...

    def find(self, spec: JobSpec) -> JobId | None: ...

    def spec(self, job: JobId) -> JobSpec: ...

    def revise(self, job: JobId, spec: JobSpec) -> None: ...

    def pause(self, job: JobId) -> None: ...

    def resume(self, job: JobId) -> None: ...

    def retry(self, job: JobId) -> None: ...

    def renew(self, job: JobId, url: str) -> None: ...

    def remove(self, job: JobId, *, delete: bool = False) -> None: ...

    def move(self, job: JobId, places: int) -> None: ...

    def hold(self) -> None: ...

    def release(self) -> None: ...

    def set_limit(self, rate: float | None, job: JobId | None = None) -> None: ...

    def set_timetable(self, timetable: Timetable) -> None: ...

    def set_threads(self, job: JobId, n: int | None) -> None: ...

    def set_turn_budget(self, seconds: float | None) -> None: ...


def stepped_lanes(job: JobSnapshot, step: int) -> int:
    """The number of lanes after a press; from auto, the window's size is the start."""
    current = job.threads
    if current is None:
        current = job.window.size if job.window else max(job.lane_count, 1)
    return min(max(current + step, 1), MOST_LANES)


def stepped_limit(limit: float | None, rate: float, direction: int) -> float | None:
    """The limit after a press, or None where there is nothing to begin with."""
    if limit is None and rate < _IDLE:
        return None
    stepped = (limit or rate) * (1 + direction * _STEP)
    return max(float(f"{stepped:.3g}"), _LOWEST_LIMIT)
