"""To the user's command, in order: a stream that has its own reader.

The command is begun when the first answer is known, and gets every byte once.
It may stop reading before the end; how it ended then says whether that was
enough. It stands still while the job does, and is never begun a second time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from humanize import naturalsize

from engine.command import Command
from engine.delivery import First, StreamDelivery
from engine.errors import HydraError, ReaderGoneError, first_of
from engine.model import Block, CommandSnapshot, RemoteFile
from engine.naming import sanitise
from engine.plan import Plan
from engine.renewal import VARIABLE as URL_VARIABLE
from engine.sinks import StreamSink
from engine.transfer import Transfer
from engine.transport import Response
from engine.verify import Verifier

NAME_VARIABLE = "HYDRA_TUI_NAME"
"""Where the command finds what the job is called."""
AHEAD = 2
"""Batches given at a time, so that the command need not wait for our loop."""


class PipeDelivery(StreamDelivery):
    """To a command; what it has had cannot be taken back."""

    def __init__(
        self,
        stream: StreamSink,
        verifier: Verifier | None,
        *,
        command: str,
        directory: Path,
        url: str,
        name: str | None,
    ) -> None:
        super().__init__(stream, verifier)
        self.on_said: Callable[[str], None] = _nobody
        """Called with lines that the command prints, a few a second."""
        self._text = command
        self._directory = directory
        self._url = url
        self._name = sanitise(name) if name else None
        self._command: Command | None = None
        self._given: deque[_Given] = deque()
        self._had_enough = False

    def snapshot(self) -> CommandSnapshot:
        return self._command.snapshot() if self._command else CommandSnapshot(fed=0)

    async def open(self, remote: RemoteFile, _first: Response | None = None) -> str:
        """Begin the command, if it has not begun before."""
        if self._command is None:
            about = {URL_VARIABLE: self._url, NAME_VARIABLE: self._name or remote.name}
            self._command = await Command.start(self._text, self._directory, about)
            self._command.on_said = self.on_said
        return ""

    async def accompany(
        self, transfer: Transfer, first: First | None, _plan: Plan
    ) -> None:
        """Run the transfer, and give what is in front, while the command reads."""
        await self._while_it_reads(self._fetch(transfer, first))

    async def drain(self) -> None:
        """Wait until the command has had everything, or enough."""
        self._sink.end()
        if not self._had_enough:
            await self._while_it_reads(self._feed_the_rest())
        self.drained.set()

    async def check(self, plan: Plan, remote: RemoteFile) -> str:
        """Compare the digest, and only then let the input end; how the command ended."""
        taken, size = self._running.taken, plan.size
        if self._had_enough and (size is None or taken < size):
            return await self._check_part(taken, size)
        await self._feed()
        verdict = await super().check(plan, remote)
        await self._running.finish()
        return f"{verdict}; {self._running.outcome}"

    async def close(self) -> None:
        if self._command is not None:
            await self._command.close()
        self._sink.discard()
        await super().close()

    def end(self, error: BaseException | None) -> None:
        super().end(error)
        if self._command is not None and error is not None:
            self._command.end()

    @property
    def _running(self) -> Command:
        assert self._command is not None
        return self._command

    async def _check_part(self, taken: int, size: int | None) -> str:
        self.verifier = None
        await self._running.finish()
        part = naturalsize(taken, binary=True)
        whole = f" of {naturalsize(size, binary=True)}" if size is not None else ""
        return f"{self._running.outcome} after {part}{whole}; nothing was verified"

    async def _while_it_reads(self, work: Awaitable[None]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._running.watch(), name="command")
                await work
                watching.cancel()
        except* HydraError as errors:
            error = first_of(errors)
            if not isinstance(error, ReaderGoneError):
                raise error from None
            self._had_enough = True

    async def _fetch(self, transfer: Transfer, first: First | None) -> None:
        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(self._feed(), name="feed")
            await transfer.run(first)
            feeding.cancel()

    async def _feed_the_rest(self) -> None:
        await self._feed()
        await self._running.swallow()

    async def _feed(self) -> None:
        """Give batch after batch; cancelled, it may go on where it was."""
        while await self._give_ahead():
            given = self._given[0]
            if given.hashing is None and self.verifier is not None:
                given.hashing = self.verifier.feed(given.batch)
            parts = [part for part in (given.writing, given.hashing) if part]
            await asyncio.wait(parts)
            for part in parts:
                part.result()
            self._given.popleft()
            self._sink.release(given.batch)

    async def _give_ahead(self) -> bool:
        """Give what is in front before its turn; whether anything is being given."""
        while not self._given or (self._sink.is_ready and len(self._given) < AHEAD):
            batch = await self._sink.next_batch()
            if not batch:
                break
            pieces = [piece for block in batch for piece in block.buffers]
            self._given.append(_Given(batch, self._running.feed(pieces)))
            self._given[-1].writing.add_done_callback(_look_at)
        return bool(self._given)


@dataclass(slots=True)
class _Given:
    """What the command is being given, and what it is hashed by meanwhile."""

    batch: list[Block]
    writing: asyncio.Future[None]
    hashing: asyncio.Future[None] | None = None
    """Begun when all before it is hashed: two threads know no order."""


def _look_at(part: asyncio.Future[None]) -> None:
    """Whoever waited for it may be gone; its error is nobody's surprise."""
    if not part.cancelled():
        part.exception()


def _nobody(_line: str) -> None:
    """Stands where nobody listens."""
