"""Files one after the other to one reader, the next one already on its way.

Two share the memory of one: what an earlier file still holds is charged to the
next. When one fails nothing of the next is delivered, and whoever leaves early
leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from contextlib import aclosing
from types import AsyncGeneratorType

from engine.errors import HydraError, ReaderGoneError
from engine.job import Job
from engine.model import JobSpec
from engine.sinks import FdWriter, StreamSink


class Streams:
    """Jobs for one reader, in the order of their specs.

    `begin` makes a job and starts it, `dismiss` ends one, and `ended` returns when
    nothing of it runs any more.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        buffer: int,
        *,
        begin: Callable[[JobSpec, StreamSink], Job],
        dismiss: Callable[[Job], None],
        ended: Callable[[Job], Awaitable[None]],
    ) -> None:
        self._group = group
        self._buffer = buffer
        self._begin = begin
        self._dismiss = dismiss
        self._ended = ended

    async def named(
        self, specs: Iterable[JobSpec]
    ) -> AsyncGenerator[tuple[str, AsyncIterator[bytes]]]:
        """What they are called, and their bytes."""
        async with aclosing(self.jobs(specs)) as jobs:
            async for job in jobs:
                blocks = _joined(job)
                assert isinstance(blocks, AsyncGeneratorType)
                try:
                    yield job.name, blocks
                finally:
                    if not blocks.ag_running:  # or its reader is told of the end
                        await blocks.aclose()

    async def write(self, specs: Sequence[JobSpec], fd: int) -> None:
        """To a descriptor. Raises ReaderGoneError when the reader has closed its end.

        A reader that needs no last bytes, as `tar` does not, may close it when all of
        them are here: only a byte that cannot be written tells of it then.
        """
        writer = FdWriter(fd)
        given: list[Job] = []

        def is_all_here() -> bool:
            return len(given) == len(specs) and all(j.here == j.size for j in given)

        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch(writer, is_all_here))
                await self._write(specs, writer, given)
                watching.cancel()
        except* HydraError as errors:
            raise errors.exceptions[0] from None
        finally:
            writer.close()

    async def _write(
        self, specs: Iterable[JobSpec], writer: FdWriter, given: list[Job]
    ) -> None:
        async with aclosing(self.jobs(specs)) as jobs:
            async for job in jobs:
                given.append(job)
                async with aclosing(job.batches()) as batches:
                    async for batch in batches:
                        await writer.write(
                            [p for block in batch for p in block.buffers]
                        )

    async def jobs(self, specs: Iterable[JobSpec]) -> AsyncGenerator[Job]:
        """Each as soon as its head is known."""
        begun: list[Job] = []
        coming: asyncio.Queue[Job | None] = asyncio.Queue()
        fetching = self._group.create_task(self._fetch_ahead(specs, begun, coming))
        try:
            while (job := await coming.get()) is not None:
                await job.milestones.probed.wait()
                if job.error is None:
                    yield job
                    if not job.is_drained:
                        self._dismiss(job)  # its reader has gone on to the next
                    await job.milestones.finished.wait()
                if job.error is not None:
                    raise job.error
        finally:
            fetching.cancel()
            for job in begun:
                self._dismiss(job)
            await asyncio.wait([fetching])
            for job in begun:
                await self._ended(job)
                job.discard()

    async def _fetch_ahead(
        self,
        specs: Iterable[JobSpec],
        begun: list[Job],
        coming: asyncio.Queue[Job | None],
    ) -> None:
        """Begin each file when the one before it is here, if not yet read.

        The one before that must have been: two at a time share the memory.
        """
        for spec in specs:
            previous = begun[-1].delivery.stream if begun else None
            job = self._begin(spec, StreamSink(self._buffer, previous))
            begun.append(job)
            coming.put_nowait(job)
            await job.milestones.received.wait()
            if job.error is not None:
                return
            if len(begun) > 1:
                await begun[-2].milestones.finished.wait()
        coming.put_nowait(None)


async def _watch(writer: FdWriter, is_all_here: Callable[[], bool]) -> None:
    try:
        await writer.watch()
    except ReaderGoneError:
        if not is_all_here():
            raise


async def _joined(job: Job) -> AsyncGenerator[bytes]:
    async with aclosing(job.batches()) as batches:
        async for batch in batches:
            yield b"".join(piece for block in batch for piece in block.buffers)
