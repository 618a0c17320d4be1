"""`python -m tests.benchmarks.mirrors`: one file from several places.

Two tables. Three mirrors, a fast one, a slow one and one that serves another
version: what flows from all of them against the sum of what each good one gives by
itself. And a Metalink with digests of its pieces, where one mirror has a wrong byte
in every hundredth piece: what is fetched more than once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import Config, Digest, Engine, EventKind, JobSpec, Pieces, Promise
from engine.testing import Content, Origin, OriginProcess, Request, Resource, Response

MB, MIB = 1e6, 1 << 20
FAST, SLOW = ("--uplink=60M", "--rate=10M"), ("--uplink=20M", "--rate=5M")
LEAST_SHARE, MOST_AGAIN = 0.9, 0.02
PIECE = 256 * 1024
TMPFS = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Fetched:
    """One download: how fast, and what was told of mirrors."""

    rate: float
    received: int
    verdict: str
    told: tuple[str, ...]


async def fetch(spec: JobSpec, folder: str) -> Fetched:
    told: list[str] = []

    async def listen(engine: Engine) -> None:
        async for event in engine.events():
            if event.kind is EventKind.MIRROR:
                told.append(event.text)  # noqa: PERF401  # it never ends

    config = Config(output=Path(folder), verify=False)
    async with Engine(config) as engine, asyncio.TaskGroup() as group:
        listening = group.create_task(listen(engine))
        began = time.monotonic()
        done = await engine.wait(engine.add(spec))
        seconds = time.monotonic() - began
        received = engine.snapshot().received
        listening.cancel()
    return Fetched((done.size or 0) / seconds, received, done.verdict, tuple(told))


def run(spec: JobSpec) -> Fetched:
    place = TMPFS if os.access(TMPFS, os.W_OK) else None
    with TemporaryDirectory(prefix="benchmarks-", dir=place) as folder:
        return asyncio.run(fetch(spec, folder))


# -- a fast one, a slow one, and a wrong one ---------------------------------------


def shared(rounds: int, size: int) -> None:
    content = Content(size)
    digest = Digest("sha256", content.digest())
    alone: dict[str, list[float]] = {"fast": [], "slow": []}
    together: list[Fetched] = []
    with ExitStack() as stack:
        kinds = (FAST, SLOW, (*FAST, "--seed=7"))
        origins = [OriginProcess(f"--size={size}", *kind) for kind in kinds]
        fast, slow, wrong = (stack.enter_context(one).url() for one in origins)
        for _ in range(rounds):
            for name, url in (("fast", fast), ("slow", slow)):
                alone[name].append(run(JobSpec(url, checksum=digest)).rate)
            spec = JobSpec(fast, mirrors=(slow, wrong), checksum=digest)
            together.append(run(spec))
    whole = sum(statistics.median(rates) for rates in alone.values())
    rate = statistics.median(one.rate for one in together)
    for name, rates in alone.items():
        print(f"  {name} alone  {statistics.median(rates) / MB:6.1f} MB/s")
    print(f"  together    {rate / MB:6.1f} MB/s, {rate / whole:.2f} of the sum", end="")
    print("  ok" if rate >= LEAST_SHARE * whole else "  MISSED")
    print(f"  {together[-1].verdict}; {'; '.join(together[-1].told)}")


# -- pieces that are wrong -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Corrupt:
    """One byte in every hundredth piece is wrong, whenever it is served."""

    content: Content

    def answer(
        self, request: Request, behave: Callable[[Request], Response], /
    ) -> Response:
        return replace(behave(request), content=self.content)


async def repaired(size: int) -> Fetched:
    content = Content(size)
    data = bytearray(content.read())
    parts = [data[at : at + PIECE] for at in range(0, size, PIECE)]
    pieces = Pieces(
        PIECE, "sha1", tuple(hashlib.sha1(one).hexdigest() for one in parts)
    )
    promise = Promise(Digest("sha256", content.digest()), "Metalink")
    for number in range(37, len(parts), 100):
        data[number * PIECE + 99] ^= 0xFF
    corrupt = Corrupt(Content.of(bytes(data)))
    good, bad = Resource(content), Resource(content, script=lambda _: corrupt)
    async with (
        Origin({"/file": good}, uplink=80e6) as first,
        Origin({"/file": bad}, uplink=80e6) as second,
    ):
        spec = JobSpec(
            first.url("/file"),
            mirrors=(second.url("/file"),),
            promises=(promise,),
            pieces=pieces,
            size=size,
        )
        with TemporaryDirectory(prefix="benchmarks-") as folder:
            return await fetch(spec, folder)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.mirrors")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=512, help="in MiB")
    options = parser.parse_args()
    size = options.size * MIB
    print("three mirrors: fast, slow, another version")
    shared(options.rounds, size)
    print("a Metalink with pieces, and a mirror that corrupts one in a hundred")
    found = asyncio.run(repaired(size))
    again = found.received / size - 1
    print(f"  {found.verdict}; fetched again: {again:.2%} of the file", end="")
    print("  ok" if again <= MOST_AGAIN else "  MISSED")
    for text in found.told:
        print(f"  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
