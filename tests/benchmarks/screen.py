"""`python -m tests.benchmarks.screen`: what the screen costs, and how soon a key is seen.

Two measurements. A tick, with 500 jobs and 128 lanes that all move: seconds of CPU
for looking, composing and rendering the escape sequences, per view. And a file that
comes as fast as it can in the loop of the app, which runs in a terminal of 160x50:
how much less flows than without a screen, and how long after a key the terminal
gets the row it moved the cursor to.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.driver import Driver
from textual.drivers.headless_driver import HeadlessDriver

import hydratui
from engine import ByteRange, EngineSnapshot, JobId, JobSnapshot, JobState
from engine.testing import OriginProcess
from hydratui.app import HydraApp
from tests.benchmarks.flow import MIDDLE, NOTHING, SCREEN, WAITING, Flow, name_of
from tests.benchmarks.terminal import Terminal
from tests.hydratui.support import FakeEngine, make_job, running_job

MB = 1e6
COLUMNS, ROWS = 160, 50
LANES = 128
RUNNING = 16
TICKS = 120
WARM_UP = 20
"""Ticks that are not counted: the first ones fill caches."""
TMPFS = Path("/dev/shm")
PAUSE = (0.03, 0.2)
"""Seconds between two keys, at least and at most."""
SETTLED = 0.03
"""Seconds after a frame in which what else it set off is done."""
VIEWS = {str(number): f"view {number}" for number in range(1, 8)}
MOST_TICK, MOST_LATENCY, MOST_COST, LEAST_FLOW = 15.0, 50.0, 10.0, 500.0
"""Milliseconds, milliseconds, per cent, MB/s: what is wanted."""


# -- a tick ----------------------------------------------------------------------


class SinkDriver(HeadlessDriver):
    """A terminal that reads everything at once, and shows it to nobody."""

    written = 0
    frame: asyncio.Event

    @property
    def is_headless(self) -> bool:
        """Otherwise no escape sequence is rendered."""
        return False

    def write(self, data: str) -> None:
        type(self).written += len(data)
        self.frame.set()


class Rendered(HydraApp):
    """The app, with everything it shows rendered and thrown away."""

    CSS_PATH = str(Path(hydratui.__file__).parent / "hydra.tcss")

    def get_driver_class(self) -> type[Driver]:
        return SinkDriver


class Busy(FakeEngine):
    """Between two looks every lane has moved; looking at it costs nothing."""

    def __init__(self) -> None:
        running = [running_job(1, lanes=LANES), *map(_running, range(2, RUNNING + 1))]
        numbers = range(RUNNING + 1, WAITING + 1)
        queued = [make_job(number, state=JobState.QUEUED) for number in numbers]
        super().__init__([*running, *queued])
        self._seen: dict[JobId | None, EngineSnapshot] = {}

    def live(self, number: int) -> None:
        """Let an eighth of a second pass."""
        self.at += 0.125
        for job in range(1, RUNNING + 1):
            self.jobs[job] = _moved(self.jobs[job], number)
        self._seen = {1: super().snapshot(1)}

    def snapshot(self, detail: JobId | None = None) -> EngineSnapshot:
        if detail not in self._seen:
            self._seen[detail] = super().snapshot(detail)
        return self._seen[detail]


def _running(number: int) -> JobSnapshot:
    return make_job(number, share=number / 40, rate=9e6 * number, lane_count=8)


def _moved(job: JobSnapshot, number: int) -> JobSnapshot:
    swing = 0.8 + number * 7 % 40 / 100
    lanes = tuple(
        replace(
            lane,
            mark=_further(lane.range, lane.mark, number),
            rate=3.8e6 * (swing + lane.number * 29 % 40 / 100),
        )
        for lane in job.lanes
    )
    front = job.front and replace(job.front, waiting=int(200e6 * swing))
    done = min(job.done + int(job.rate / 8), job.size or 0)
    return replace(job, done=done, rate=180e6 * swing, lanes=lanes, front=front)


def _further(part: ByteRange, mark: int, number: int) -> int:
    size = max(part.size, 1)
    return part.start + (mark - part.start + (number % 3 + 1) * size // 40) % size


@dataclass(frozen=True, slots=True)
class Ticks:
    """What the ticks of one view took, in milliseconds of CPU, and their size."""

    view: str
    costs: tuple[float, ...]
    size: float
    """Bytes a frame."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.costs)

    @property
    def p95(self) -> float:
        return quantile(self.costs, 0.95)


async def ticks() -> list[Ticks]:
    engine = Busy()
    engine.live(0)
    app = Rendered(engine, live=False)
    SinkDriver.frame = asyncio.Event()
    async with app.run_test(headless=False, size=(COLUMNS, ROWS)) as pilot:
        _settle_memory()
        found = []
        for key, view in VIEWS.items():
            await pilot.press(key)
            found.append(await _ticked(app, engine, view))
        return found


def _settle_memory() -> None:
    """What the live app does for itself, too."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def _ticked(app: HydraApp, engine: Busy, view: str) -> Ticks:
    costs, before = [], 0
    for number in range(WARM_UP + TICKS):
        engine.live(number)
        if number == WARM_UP:
            before = SinkDriver.written
        SinkDriver.frame.clear()
        began = time.process_time()
        app.tick()
        async with asyncio.timeout(5):
            await SinkDriver.frame.wait()
        await asyncio.sleep(SETTLED)
        costs.append((time.process_time() - began) * 1e3)
    size = (SinkDriver.written - before) / TICKS
    return Ticks(view, tuple(costs[WARM_UP:]), size)


# -- a file ----------------------------------------------------------------------


@dataclass(slots=True)
class Runs:
    """Runs of one kind; grows with the rounds."""

    kind: str
    seen: str
    is_typed: bool = False
    flows: list[Flow] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    """Milliseconds."""

    @property
    def rate(self) -> float:
        return statistics.median(flow.rate for flow in self.flows) / MB

    @property
    def cpu(self) -> float:
        """Seconds for each gigabyte."""
        return statistics.median(flow.cpu for flow in self.flows) * 1e9

    @property
    def lanes(self) -> float:
        return statistics.median(flow.lanes for flow in self.flows)

    @property
    def look(self) -> float:
        return statistics.median(flow.look for flow in self.flows) * 1e3


def runs(rounds: int, size: int, lanes: int) -> list[Runs]:
    """Each kind in turn, and none of them always first."""
    kinds = [
        Runs("no screen", NOTHING),
        Runs("screen", SCREEN),
        Runs("screen, keys typed", SCREEN, is_typed=True),
    ]
    with OriginProcess(f"--size={size}GiB") as origin:
        for number in range(rounds):
            for each in kinds[number % 3 :] + kinds[: number % 3]:
                _tell(f"{number + 1}/{rounds}: {each.kind}")
                _run(each, origin.url(), lanes)
    return kinds


def _run(runs: Runs, url: str, lanes: int) -> None:
    with _folder() as folder:
        report = Path(folder) / "report"
        argv = (runs.seen, url, str(lanes), folder, str(report))
        command = [sys.executable, "-m", "tests.benchmarks.flow", *argv]
        with Terminal(command, COLUMNS, ROWS) as terminal:
            if runs.is_typed:
                runs.latencies += _typed(terminal)
            terminal.end()
        runs.flows.append(Flow(**json.loads(report.read_text())))


def _typed(terminal: Terminal) -> list[float]:
    """Move the cursor to a row that waits, and back; each repaints the name in it.

    Nothing else does, as nothing in that row changes by itself.
    """
    row = name_of(1).encode()
    found: list[float] = []
    terminal.wait_for(row)
    terminal.read(MIDDLE)
    for key in cycle((b"j", b"k")):
        terminal.read(random.uniform(*PAUSE))
        latency = terminal.latency(key, row)
        if latency is None:
            return found
        found.append(latency * 1e3)
    raise AssertionError("unreachable")


def _folder() -> TemporaryDirectory[str]:
    """Memory where there is some that is a file system, so that no disk is measured."""
    place = TMPFS if os.access(TMPFS, os.W_OK) else None
    return TemporaryDirectory(prefix="benchmarks-", dir=place)


# -- the table -------------------------------------------------------------------


def quantile(values: tuple[float, ...] | list[float], share: float) -> float:
    """The smallest value that so many of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def table(ticked: list[Ticks], fetched: list[Runs]) -> Iterator[str]:
    yield f"a tick: {WAITING} jobs, {LANES} lanes that move, {COLUMNS}x{ROWS}"
    for each in ticked:
        yield (
            f"  {each.view:8} mean {each.mean:5.1f} ms  p95 {each.p95:5.1f} ms  "
            f"{each.size / 1024:5.1f} KiB  {_mark(each.p95 <= MOST_TICK)}"
        )
    yield "a file in the same loop, medians"
    for runs in fetched:
        yield (
            f"  {runs.kind:19} {runs.rate:6.0f} MB/s, {runs.cpu:.2f} s of CPU a GB, "
            f"{runs.lanes:.0f} lanes in the air, one look {runs.look:.2f} ms"
        )
    plain, screen, typed = fetched
    cost = (1 - screen.rate / plain.rate) * 100
    yield f"  the screen costs {cost:.1f} %  {_mark(cost <= MOST_COST)}"
    half, most = quantile(typed.latencies, 0.5), quantile(typed.latencies, 0.99)
    met = most <= MOST_LATENCY and typed.rate >= LEAST_FLOW
    yield (
        f"  key to paint: p50 {half:.0f} ms, p99 {most:.0f} ms, most "
        f"{max(typed.latencies):.0f} ms of {len(typed.latencies)} keys  {_mark(met)}"
    )
    yield (
        f"wanted: p95 of a tick <= {MOST_TICK:.0f} ms, cost <= {MOST_COST:.0f} %, "
        f"p99 of a key <= {MOST_LATENCY:.0f} ms at >= {LEAST_FLOW:.0f} MB/s"
    )


def _mark(met: bool) -> str:
    return "ok" if met else "MISSED"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.screen")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=3, help="of the file, in GiB")
    parser.add_argument("--lanes", type=int, default=LANES)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    ticked = asyncio.run(ticks())
    fetched = runs(options.rounds, options.size, options.lanes)
    for line in table(ticked, fetched):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
