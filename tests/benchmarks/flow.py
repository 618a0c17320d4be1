"""A download in a process of its own, as fast as it goes, with or without a screen.

`python -m tests.benchmarks.flow SEEN URL LANES FOLDER REPORT`: one file is fetched
into the folder while 500 others wait. What flowed is the report, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import Config, Engine, JobSpec
from hydratui.app import HydraApp

SCREEN, NOTHING = "screen", "nothing"
WAITING = 500
BEGINNING = 1.5
"""Seconds in which the screen settles."""
MIDDLE = 1.0
"""Seconds after which all lanes fly."""
LOOKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What flowed, and what it costs to look at it."""

    rate: float
    """Bytes per second, from the first request to the last flush."""
    cpu: float
    """Seconds of the processor for each byte: others on the machine disturb that less."""
    lanes: int
    """In the air, in the middle of it."""
    look: float
    """Seconds of CPU for one snapshot, the running job in detail."""


def name_of(number: int) -> str:
    """Of a file that waits for its turn, from 1."""
    return f"shard-{number:04}.bin"


async def run(seen: str, url: str, config: Config) -> Flow:
    async with Engine(config) as engine:
        if seen == NOTHING:
            return await _fetch(engine, url)
        app = HydraApp(engine)
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(_fetch(engine, url))
            fetching.add_done_callback(lambda _: app.exit())
            await app.run_async()
        return fetching.result()


async def _fetch(engine: Engine, url: str) -> Flow:
    await asyncio.sleep(BEGINNING)
    job = engine.add(JobSpec(url, name="the-file.bin"))
    for number in range(1, WAITING + 1):
        engine.add(JobSpec(url, name=name_of(number)))
    began, spent = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(_look(engine))
        done = await engine.wait(job)
    size, lanes = done.size or 0, looking.result()[0]
    return Flow(
        rate=size / (time.monotonic() - began),
        cpu=(time.process_time() - spent) / size,
        lanes=lanes,
        look=looking.result()[1],
    )


async def _look(engine: Engine) -> tuple[int, float]:
    """How many lanes fly, and how long looking at everything takes."""
    await asyncio.sleep(MIDDLE)
    began = time.thread_time()
    for _ in range(LOOKS):
        engine.snapshot(detail=1)
    look = (time.thread_time() - began) / LOOKS
    return engine.snapshot().flying, look


if __name__ == "__main__":
    _, seen, url, lanes, folder, report = sys.argv
    config = Config(threads=int(lanes), jobs=1, output=Path(folder))
    found = asyncio.run(run(seen, url, config))
    Path(report).write_text(json.dumps(asdict(found)))
