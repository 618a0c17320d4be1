"""The network that `hydra-tui --demo` shows: uneven, busy, and the same every time."""

from __future__ import annotations

from functools import partial
from random import Random

from engine.testing.answers import Fault, Request, Resource
from engine.testing.content import Content
from engine.testing.faults import ResetAfter, Status
from engine.testing.origin import Origin

MIB = 1 << 20
CROWD = 12
"""Requests at the same time from which on the origin says 429."""
NOTES = "".join(f"{line:4}  bytes in order, lanes not\n" for line in range(640))


def demo_origin(seed: int = 0) -> Origin:
    """Four files behind lanes of about 4 MB/s, some slow, some that break."""
    files = {
        "/genome.fa.gz": Content(96 * MIB, seed=1),
        "/model.safetensors": Content(160 * MIB, seed=2),
        "/dataset.tar": Content(64 * MIB, seed=3),
        "/notes.txt": Content.of(NOTES.encode()),
    }
    rate = partial(_rate, seed)
    resources = {
        path: Resource(content, rate=rate, latency=0.04)
        for path, content in files.items()
    }
    return Origin(resources, script=partial(_weather, seed))


def _rate(seed: int, connection: int) -> float:
    if connection % 7 == 0:
        return 150_000.0
    return Random(f"{seed} lane {connection}").uniform(3e6, 5e6)


def _weather(seed: int, request: Request) -> Fault | None:
    if request.busy > CROWD:
        return Status(429, retry_after=1)
    luck = Random(f"{seed} request {request.path} {request.number}")
    if request.number > 1 and luck.random() < 0.04:
        return ResetAfter(luck.randrange(MIB))
    return None
