"""`python -m tests.benchmarks.hashing`: what a digest costs a download.

A file comes from nginx to disk over 16 lanes, with no checksum to compare, with a
sha256 and with an md5: as fast as it goes, and held by nginx to 300 MB/s in total.
Looked at are the whole time, and the time from the last byte that arrives until
the file has its final name. How fast hashlib is by itself is measured beside it:
no download that is faster can be verified as it comes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import Config, Digest, Engine, JobId, JobSpec
from engine.testing import Content
from tests.benchmarks.sites import NginxSite

MB, MIB, GIB = 1e6, 1 << 20, 1 << 30
LANES = 16
RATE = 300.0
"""MB/s of all lanes together."""
LOOK = 0.005
"""Seconds between looks at what has been received."""
NONE = "none"
ALGORITHMS = (NONE, "sha256", "md5")
BUFFER = 64 * MIB
"""More than the caches of a processor hold."""
MOST_AFTER, MOST_FACTOR = 0.5, 1.05
"""Seconds after the last byte; whole time to that without a digest."""
TMPFS = Path("/dev/shm")


# -- one download ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of one download."""

    wall: float
    after: float
    """From the last byte received to the file's final name."""


async def fetch(spec: JobSpec, folder: Path) -> Sample:
    """Download it and let it be verified."""
    config = Config(threads=LANES, output=folder, verify=False)
    async with Engine(config) as engine:
        began = time.monotonic()
        job = engine.add(spec)
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(_end(engine, job))
            last = await _last_byte(engine, ending)
    ended, verdict = ending.result()
    if spec.checksum and not verdict.startswith("verified"):
        raise SystemExit(f"{spec.checksum.algorithm}: not verified but {verdict!r}")
    return Sample(ended - began, max(ended - last, 0.0))


async def _end(engine: Engine, job: JobId) -> tuple[float, str]:
    done = await engine.wait(job)
    return time.monotonic(), done.verdict


async def _last_byte(engine: Engine, ending: asyncio.Task[tuple[float, str]]) -> float:
    """When what was received became what there is at the end."""
    at, received = time.monotonic(), 0
    while True:
        is_over = ending.done()
        look = engine.snapshot()
        if look.received > received:
            at, received = look.at, look.received
        if is_over:
            return at
        await asyncio.wait([ending], timeout=LOOK)


# -- all of them -----------------------------------------------------------------


@dataclass(slots=True)
class Runs:
    """Downloads of one kind; grows with the rounds."""

    size: int
    is_capped: bool
    algorithm: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def after(self) -> float:
        return statistics.median(sample.after for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Served:
    """The file at nginx, and what it is."""

    url: str
    """As fast as it goes."""
    held_url: str
    """Each connection at its share of the rate."""
    digests: dict[str, Digest]

    def spec(self, runs: Runs) -> JobSpec:
        url = self.held_url if runs.is_capped else self.url
        return JobSpec(url, checksum=self.digests.get(runs.algorithm))


def runs(size: int, rate: float, rounds: int, scratch: Path) -> list[Runs]:
    """Each kind in turn, and none of them always first."""
    kinds = [
        Runs(size, capped, name) for capped in (True, False) for name in ALGORITHMS
    ]
    with ExitStack() as stack:
        files = Path(stack.enter_context(TemporaryDirectory(dir=scratch)))
        served = stack.enter_context(NginxSite("http", size).serve(files))
        file = _served(served.urls[0], rate, served.contents[0])
        for number in range(rounds):
            first = number % len(kinds)
            for each in kinds[first:] + kinds[:first]:
                _tell(f"{_size(size)}, {number + 1}/{rounds}: {_kind(each)}")
                with TemporaryDirectory(dir=scratch) as folder:
                    sample = asyncio.run(fetch(file.spec(each), Path(folder)))
                each.samples.append(sample)
    return kinds


def _served(url: str, rate: float, content: Content) -> Served:
    head, _, name = url.rpartition("/")
    held = f"{head}/limited/{name}?rate={int(rate * MB / LANES)}"
    digests = {
        algorithm: Digest(algorithm, content.digest(algorithm))
        for algorithm in ALGORITHMS
        if algorithm != NONE
    }
    return Served(url, held, digests)


def alone(algorithm: str) -> float:
    """Bytes per second that hashlib hashes from memory, in one thread."""
    buffer = bytes(BUFFER)
    hasher = hashlib.new(algorithm)
    began = time.perf_counter()
    for _ in range(GIB // BUFFER):
        hasher.update(buffer)
    return GIB / (time.perf_counter() - began)


# -- the table -------------------------------------------------------------------


def table(kinds: list[Runs], speeds: dict[str, float]) -> Iterator[str]:
    """One size; bars are for what nginx holds back, the rest is for comparison."""
    plain = {each.is_capped: each.wall for each in kinds if each.algorithm == NONE}
    for each in kinds:
        words = [
            f"  {_kind(each):16} {each.wall:7.3f} s",
            f"{each.size / each.wall / MB:5.0f} MB/s",
        ]
        if each.is_capped:
            words += _judged(each, plain[True])
        else:
            words += _compared(each, plain[False], speeds)
        yield ", ".join(words)


def _judged(runs: Runs, plain: float) -> Iterator[str]:
    if runs.algorithm != NONE:
        factor = runs.wall / plain
        yield f"{factor:5.3f} x none {_mark(factor <= MOST_FACTOR)}"
        yield f"last byte + {runs.after:.3f} s {_mark(runs.after <= MOST_AFTER)}"


def _compared(runs: Runs, plain: float, speeds: dict[str, float]) -> Iterator[str]:
    if runs.algorithm != NONE:
        least = max(runs.size / speeds[runs.algorithm], plain)
        yield f"{runs.wall / plain:5.3f} x none"
        yield f"last byte + {runs.after:.3f} s"
        yield f"{runs.wall / least:5.3f} x the slower of none and hashlib"


def _mark(met: bool) -> str:
    return "ok" if met else "MISSED"


def _kind(runs: Runs) -> str:
    return f"{'capped' if runs.is_capped else 'uncapped'}, {runs.algorithm}"


def _size(size: int) -> str:
    return f"{size / GIB:g} GiB"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _place() -> Path | None:
    """Memory where there is some that is a file system, so that no disk is measured."""
    return TMPFS if os.access(TMPFS, os.W_OK) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.hashing",
        description="Measure what verifying a download costs.",
    )
    add = parser.add_argument
    add("--size", type=float, nargs="+", default=[1.0], metavar="GiB")
    add("--rate", type=float, default=RATE, metavar="MB/s", help="where it is capped")
    add("--rounds", type=int, default=3)
    return parser


def main() -> int:
    options = _parser().parse_args()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {LANES} lanes"
    )
    speeds = {name: alone(name) for name in ALGORITHMS if name != NONE}
    for name, speed in speeds.items():
        print(f"hashlib alone, {name}: {speed / MB:.0f} MB/s")
    print(
        f"wanted, capped at {options.rate:g} MB/s: <= {MOST_AFTER} s after the last "
        f"byte, <= {MOST_FACTOR} x the time without a digest",
        flush=True,
    )
    with TemporaryDirectory(prefix="benchmarks-", dir=_place()) as scratch:
        for size in (int(each * GIB) for each in options.size):
            found = runs(size, options.rate, options.rounds, Path(scratch))
            print(f"{_size(size)}, medians of {options.rounds} rounds")
            for line in table(found, speeds):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
