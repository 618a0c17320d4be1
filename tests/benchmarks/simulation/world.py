"""One shape, fetched by the engine that ships: what it took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, cast
from unittest.mock import patch

from engine import Config, Engine, Event, JobSpec
from engine.commons import Commons
from engine.delivery import Delivery, FileDelivery, StreamDelivery
from engine.job import Job
from engine.journal import Record
from engine.ledger import Ledger
from engine.model import Block, RemoteFile
from engine.plan import OPEN_END, Plan
from engine.ranges import ByteRange, RangeSet
from engine.sinks import SAMPLE, StreamSink
from engine.transport import Response
from tests.benchmarks.simulation import clock
from tests.benchmarks.simulation.door import Door
from tests.benchmarks.simulation.network import Network
from tests.benchmarks.simulation.physics import ideal
from tests.benchmarks.simulation.shapes import Shape

PATIENCE = 3600.0
"""Virtual seconds after which a run will never end."""

Hear = Callable[[float, Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one shape took, on average where it was run several times."""

    shape: Shape
    ideal: float
    took: float
    requests: float
    connections: float
    refused: float
    """The most of one host."""
    twice: float
    """Bytes that were fetched and not needed."""
    lanes: float
    """The most that flew at a time, to all hosts."""
    held: float
    """Bytes in memory at most: in order, and in bodies."""
    spread: float
    """How much later the last of several big files ended than the first, as a share."""

    @property
    def efficiency(self) -> float:
        return self.ideal / self.took

    @property
    def is_weak(self) -> bool:
        return self.efficiency < self.shape.target


class Nothing:
    """A sink that counts, and keeps nothing."""

    horizon = OPEN_END
    in_order = False

    async def write(self, block: Block) -> None:
        """It is gone."""

    async def sample(self, done: RangeSet) -> Block | None:
        first = done.first()
        if first is None:
            return None
        size = min(first.size, SAMPLE)
        return Block(first.start, (bytes(size),), size)


class Nowhere(FileDelivery):
    """To a file that is not there: no disk takes part, as its time is not virtual."""

    file = None
    stream = None
    verifier = None

    def __init__(self) -> None:
        self._nothing = Nothing()

    async def find(self) -> Record | None:
        return None

    async def open(self, remote: RemoteFile, first: Response | None = None) -> str:
        return ""

    @property
    def sink(self) -> Any:
        return self._nothing

    @property
    def is_known(self) -> bool:
        return False

    def received(self) -> None:
        """Nobody looks along."""

    async def accompany(self, transfer: Any, first: Any, plan: Plan) -> None:
        await transfer.run(first)

    async def rest(self, plan: Plan, remote: RemoteFile | None) -> None:
        """There is nothing to write down."""

    async def check(self, plan: Plan, remote: RemoteFile) -> str:
        assert plan.done == RangeSet([ByteRange(0, remote.size or 0)])
        return "size only"

    async def finish(self, plan: Plan, remote: RemoteFile) -> None:
        """It has no name, and gets none."""

    async def close(self) -> None:
        """Nothing is open."""


class World:
    """An engine, and the network that it is in."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.network = Network(_hosts(shape), shape.downlink, shape.outage, seed)
        config = Config(
            threads=shape.threads, limit=shape.limit, browser=None, verify=False
        )
        self.door = Door(
            self.network,
            stall_timeout=config.stall_timeout,
            connect_timeout=config.connect_timeout,
        )
        with patch("engine.engine.Commons", self._commons):
            self.engine = Engine(config)
        self.most_flying = 0
        self._sinks: list[StreamSink] = []
        self.door.also_held = self._in_order
        self.ended: list[float] = []

    def _commons(self, config: Config, ledger: Ledger | None) -> Commons:
        made = Commons(config, ledger)
        made.transport = cast(Any, self.door)
        vars(made)["delivery"] = self._delivery
        self._shared = made
        return made

    def _delivery(self, job: Job, stream: StreamSink | None) -> Delivery:
        if stream is None:
            return Nowhere()
        self._sinks.append(stream)
        return StreamDelivery(stream, None)

    def _in_order(self) -> int:
        """What readers have yet to take; whoever asks shows how many fly."""
        self.most_flying = max(self.most_flying, self._shared.flying)
        return sum(sink.buffer.held for sink in self._sinks)

    async def fetch(self, hear: Hear | None) -> Result:
        listen = hear or (lambda _seconds, _event: None)
        async with self.engine as engine:
            with engine.listening(lambda event: listen(self.network.passed, event)):
                await self._all(engine)
                took = self.network.passed
                received = engine.snapshot().received
        hosts = self.network.hosts.values()
        return Result(
            shape=self.shape,
            ideal=ideal(self.shape),
            took=took,
            requests=sum(host.requests for host in hosts),
            connections=sum(host.connections for host in hosts),
            refused=max(host.refused for host in hosts),
            twice=received - self.shape.total,
            lanes=self.most_flying,
            held=self.door.most_held,
            spread=1 - min(self.ended, default=took) / max(self.ended, default=took),
        )

    async def _all(self, engine: Engine) -> None:
        async with asyncio.timeout(PATIENCE):
            if self.shape.is_stream:
                await self._read(engine)
            else:
                await self._wait(engine)

    async def _wait(self, engine: Engine) -> None:
        jobs = [engine.add(spec) for spec in _specs(self.shape)]
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._end(engine, job))

    async def _end(self, engine: Engine, job: int) -> None:
        await engine.wait(job)
        self.ended.append(self.network.passed)

    async def _read(self, engine: Engine) -> None:
        """A reader who is never busy."""
        async with aclosing(engine._streaming.jobs(_specs(self.shape))) as jobs:
            async for job in jobs:
                async with aclosing(job.batches()) as batches:
                    async for _batch in batches:
                        pass


def _hosts(shape: Shape) -> dict[str, Any]:
    if not shape.files:
        return dict(shape.sites)
    (site,) = shape.sites.values()
    return {f"host{number}": site for number in range(shape.hosts)}


def _specs(shape: Shape) -> list[JobSpec]:
    if not shape.files:
        first, *others = [f"http://{host}/file-{shape.size}" for host in shape.sites]
        return [JobSpec(first, mirrors=tuple(others))]
    return [
        JobSpec(f"http://host{host}/{kind}-{number}-{files.size}")
        for kind, files in enumerate(shape.files)
        for number in range(files.count)
        for host in range(shape.hosts)
    ]


def simulate(shape: Shape, hear: Hear | None = None) -> Result:
    """Run it once for each seed; means of what that took."""
    results = [
        clock.run(lambda: _fetch(shape, seed, hear), seed)  # noqa: B023  # run at once
        for seed in range(1, shape.seeds + 1)
    ]
    numbers = ("took", "requests", "connections", "refused", "twice", "lanes", "held")
    means = {name: fmean(getattr(one, name) for one in results) for name in numbers}
    return replace(results[0], **cast(Any, means))


async def _fetch(shape: Shape, seed: int, hear: Hear | None) -> Result:
    return await World(shape, seed).fetch(hear)
