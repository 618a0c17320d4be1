"""However slow the reader, a stream holds no more than its buffer."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine import Bottleneck, Config, Engine, JobSnapshot, LaneState
from engine.testing import Content, Origin, Resource
from tests.integration.support import KIB, MIB, hydra, until
from tests.support.nginx import NginxServer
from tests.support.payload import Payload

pytestmark = pytest.mark.slow

LARGE = Content(48 * MIB, seed=31)
BUFFER = 8 * MIB

SERVERS = {
    "ranges": Resource(LARGE),
    "no ranges": Resource(LARGE, ranges=False),
    "chunked, no ranges": Resource(LARGE, ranges=False, length="chunked"),
    "slow to answer": Resource(LARGE, latency=0.02),
}


def jobs(engine: Engine) -> list[JobSnapshot]:
    """All jobs in detail."""
    ids = [job.id for job in engine.snapshot().jobs]
    return [engine.snapshot(detail=each).jobs[each - 1] for each in ids]


def held(engine: Engine) -> int:
    """Bytes that wait for a reader, all streams together."""
    return sum(job.front.waiting for job in jobs(engine) if job.front is not None)


@asynccontextmanager
async def watched(engine: Engine) -> AsyncIterator[list[int]]:
    """What the streams hold, looked at as often as there is time."""
    seen = [0]

    async def watch() -> None:
        while True:
            seen.append(held(engine))
            await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        yield seen
        watching.cancel()


def stands_still(job: JobSnapshot) -> bool:
    """Whether the reader is what everything waits for."""
    lanes = {lane.state for lane in job.lanes}
    return job.bottleneck is Bottleneck.READER or lanes == {LaneState.HELD}


@pytest.mark.parametrize("threads", [1, 16])
@pytest.mark.parametrize("kind", SERVERS)
async def test_a_reader_that_stops_stops_the_network(kind: str, threads: int) -> None:
    """Only `[cursor, cursor + buffer)` may be asked for, whatever the reader does."""
    config = Config(buffer=BUFFER, threads=threads)
    async with (
        Origin({"/a": SERVERS[kind]}) as origin,
        Engine(config) as engine,
        engine.stream([origin.url("/a")]) as streams,
        watched(engine) as seen,
    ):
        _, blocks = await anext(streams)
        hasher = hashlib.sha256(await anext(blocks))
        await until(lambda: stands_still(jobs(engine)[0]))
        if SERVERS[kind].ranges:
            await origin.until(lambda: not origin.busy)
            front = jobs(engine)[0].front
            assert front is not None
            asked = [request.range for request in origin.requests]
            assert max(part.stop for part in asked if part) <= front.front + BUFFER
        async for block in blocks:
            hasher.update(block)
    assert max(seen) <= BUFFER
    assert hasher.hexdigest() == LARGE.digest()


@pytest.mark.parametrize("size", [3 * MIB, 6 * MIB])
async def test_many_streams_share_one_buffer(size: int) -> None:
    """The bound is for the stream as a whole, however many files are in it."""
    contents = {f"/{n}": Content(size, seed=n) for n in range(5)}
    files = {path: Resource(content) for path, content in contents.items()}
    came = hashlib.sha256()
    async with (
        Origin(files) as origin,
        Engine(Config(buffer=BUFFER, threads=4)) as engine,
        engine.stream(map(origin.url, files)) as streams,
        watched(engine) as seen,
    ):
        _, blocks = await anext(streams)
        came.update(await anext(blocks))
        await until(at_rest(engine))
        async for block in blocks:
            came.update(block)
        async for _, blocks in streams:
            async for block in blocks:
                came.update(block)
    assert BUFFER // 2 < max(seen) <= BUFFER
    whole = b"".join(content.read() for content in contents.values())
    assert came.hexdigest() == hashlib.sha256(whole).hexdigest()


def at_rest(engine: Engine) -> Callable[[], bool]:
    """Whether nothing has come for many looks."""
    looks = deque[int](maxlen=30)

    def reached() -> bool:
        looks.append(engine.snapshot().received)
        return len(looks) == looks.maxlen and len(set(looks)) == 1

    return reached


@pytest.mark.option("buffer")
@pytest.mark.parametrize("scheme", ["http", "h2"])
async def test_the_process_stays_small(
    payload: Payload, nginx: NginxServer, scheme: str
) -> None:
    """Peak memory with a stuck reader: at most the buffer and 60 MB, at 16 lanes."""
    url = f"{getattr(nginx, scheme + '_url')}/large.bin"
    options = ["--stream", "-t16", "--buffer", "16", "--cacert", str(nginx.cacert)]
    nginx.forget()
    content = payload.contents["large.bin"]
    with hydra(*options, "--quiet", url) as child:
        assert child.stdout is not None
        await until(lambda: _sent(nginx) > 12 * MIB)
        stuck = _peak(child.pid)
        came = await asyncio.to_thread(child.stdout.read, content.size - MIB)
        drained = _peak(child.pid)
        came += await asyncio.to_thread(child.stdout.read)
    assert child.returncode == 0
    assert came == content.read()
    assert max(stuck, drained) <= 16 * MIB + 60_000_000


def _sent(nginx: NginxServer) -> int:
    return sum(request.sent for request in nginx.requests())


def _peak(pid: int) -> int:
    """Most bytes of memory that a process ever had."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("no /proc tells how much memory a process had")
    [line] = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) * KIB
