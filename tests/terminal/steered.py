"""Programs to be run in a terminal by a test: `steered KIND REPORT [ARGUMENT…]`.

Two are the real one: with a clock in its loop, and with an engine that breaks when
it is told to. Two show what no network would bring at once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import engine
from engine import Engine, EngineSnapshot, JobId
from hydratui import cli
from hydratui.app import HydraApp
from tests.hydratui.support import FakeEngine, hostile_queue, running_job

BEAT = 0.01
"""Seconds between two looks at the clock."""


class WatchedLoop(asyncio.SelectorEventLoop):
    """Knows how late each beat was from SIGUSR1 on, until SIGUSR2."""

    def __init__(self) -> None:
        super().__init__()
        self.lags: list[float] = []
        self.is_over = False
        self._due = self.time()
        signal.signal(signal.SIGUSR1, lambda *_: self.lags.clear())
        signal.signal(signal.SIGUSR2, lambda *_: setattr(self, "is_over", True))
        self._beat()

    def _beat(self) -> None:
        if not self.is_over:
            self.lags.append(self.time() - self._due)
        self._due = self.time() + BEAT
        self.call_at(self._due, self._beat)


class Watched(asyncio.DefaultEventLoopPolicy):
    """Gives every `asyncio.run` such a loop, and remembers it."""

    loop: WatchedLoop

    def new_event_loop(self) -> WatchedLoop:
        self.loop = WatchedLoop()
        return self.loop


def watched(report: Path, run: Callable[[], int]) -> int:
    """Run it; the longest lag and their p99 are in the report."""
    policy = Watched()
    asyncio.set_event_loop_policy(policy)
    code = run()
    lags = sorted(policy.loop.lags)
    report.write_text(f"{lags[-1]:.4f} {lags[int(0.99 * len(lags))]:.4f}")
    return code


def fail(secret: str) -> NoReturn:
    """Have something in one's hand that nobody may see."""
    raise RuntimeError(f"a bug with {len(secret)} letters")


class BreakingEngine(Engine):
    """Breaks when it is told to."""

    is_broken = False

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        if self.is_broken:
            fail("2retnuh"[::-1])
        return super().snapshot(detail)


class CollapsingEngine(BreakingEngine):
    """Not what the screen asks of it breaks, but what it does by itself."""

    async def _tick(self) -> None:
        while not self.is_broken:  # noqa: ASYNC110
            await asyncio.sleep(BEAT)
        fail("2retnuh"[::-1])


def breaking(kind: type[BreakingEngine], arguments: list[str]) -> int:
    """The real program, until SIGUSR1 breaks something in it."""

    def fall_apart(*_: object) -> None:
        kind.is_broken = True

    signal.signal(signal.SIGUSR1, fall_apart)
    engine.Engine = kind  # type: ignore[misc]
    return cli.main(arguments)


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


def shown(moving: MovingEngine) -> int:
    app = HydraApp(moving)
    asyncio.run(app.run_async())
    return app.return_code or 0


def main(kind: str, report: Path, arguments: list[str]) -> int:
    match kind:
        case "watched":
            return watched(report, lambda: cli.main(arguments))
        case "breaking":
            return breaking(BreakingEngine, arguments)
        case "collapsing":
            return breaking(CollapsingEngine, arguments)
        case "hostile":
            return shown(MovingEngine(hostile_queue()))
        case _:
            moving = MovingEngine([running_job(lanes=128)])
            return watched(report, lambda: shown(moving))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
