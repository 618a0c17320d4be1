"""An app to be run in a terminal by a test: a moving engine, and what to do to it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine import EngineSnapshot, JobId
from hydratui.app import HydraApp
from tests.hydratui.support import FakeEngine, hostile_queue, running_job


class MovingEngine(FakeEngine):
    """Every look finds every lane somewhere else."""

    looks = 0

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        self.looks += 1
        self.at = time.monotonic()
        for number, job in self.jobs.items():
            lanes = tuple(
                replace(lane, rate=lane.rate * (0.9 if self.looks % 2 else 1.1))
                for lane in job.lanes
            )
            self.jobs[number] = replace(job, lanes=lanes, rate=self.looks * 1e6)
        return super().snapshot(detail)


class CrashingEngine(MovingEngine):
    """Fails on the fifth look, with something in its hand that nobody may see."""

    url = "https://example.org/#hunter2"

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        secret = self.url.partition("#")[2]
        if self.looks == 4:
            raise RuntimeError(f"a bug with {len(secret)} letters")
        return super().snapshot(detail)


class Heart:
    """Beats in the app's loop, and knows the longest time between two beats."""

    def __init__(self) -> None:
        self.gap = 0.0

    async def beat(self, beginning: float) -> None:
        await asyncio.sleep(beginning)
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.gap = max(self.gap, time.monotonic() - before)


async def steer(kind: str, report: Callable[[str], object]) -> int:
    jobs = hostile_queue() if kind == "hostile" else [running_job(lanes=128)]
    engine = CrashingEngine(jobs) if kind == "crash" else MovingEngine(jobs)
    app, heart = HydraApp(engine), Heart()
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(heart.beat(1.0))
        await app.run_async()
        beating.cancel()
    report(f"{heart.gap:.3f} {engine.looks}")
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(asyncio.run(steer(sys.argv[1], Path(sys.argv[2]).write_text)))
