"""What is done with the bytes of one job: a file on disk, or a reader in order.

A job fetches; a delivery knows where the bytes go, what an earlier run left of
them, what has to run beside the transfer (hashing, keeping the journal), and
how the end is checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from engine.already import Wanted
from engine.errors import HydraError, LocalError, first_of
from engine.files import SMALL_FILE, FileSink
from engine.journal import Record
from engine.ledger import Completed, Ledger
from engine.model import Block, Digest, RemoteFile
from engine.naming import sanitise
from engine.plan import Plan, Segment
from engine.sinks import SAMPLE, StreamSink
from engine.transfer import Transfer
from engine.transport import Response
from engine.verify import Verifier

SYNC_EVERY = 1.0
"""Seconds, and so what a power cut may cost."""
SYNC_BYTES = 256 * 1024 * 1024
LOOKS = 10
LAST_SYNC = 0.7
"""Seconds that an end waits for the disk; the journal before this one holds then."""

First = tuple[Segment, Response]
"""What is to be fetched first, and the body that already flows."""


class FileDelivery:
    """To a file, which may be partly here."""

    stream: StreamSink | None = None

    def __init__(
        self,
        file: FileSink,
        verifier: Verifier | None,
        *,
        url: str = "",
        ledger: Ledger | None = None,
        name: str | None = None,
        restart: bool = False,
    ) -> None:
        self.file: FileSink | None = file
        self.verifier = verifier
        self._file = file
        self._url = url
        """By which the ledger knows the file."""
        self._ledger = ledger
        self._name = sanitise(name) if name else None
        self._restart = restart

    @property
    def can_begin_again(self) -> bool:
        return True

    async def find(self) -> Record | None:
        """What an earlier run left of this file, if that can be gone on with."""
        record = await self._file.find(self._name)
        is_wanted, self._restart = not self._restart, False
        if record is None or (is_wanted and record.size is not None):
            return record
        await self._file.set_aside()
        return None

    async def leave(self) -> None:
        """What was found is of another file: leave it alone."""
        await self._file.leave()

    async def begin_again(self) -> None:
        """Set aside what there is; it goes when its replacement is whole."""
        await self._file.set_aside()

    @property
    def is_known(self) -> bool:
        """Whether the file may be here already, whole."""
        return self._ledger is not None and self._ledger.knows(self._url)

    async def open(self, remote: RemoteFile, first: Response | None = None) -> str:
        """Make room for the file; or say why there is nothing to do.

        Where nothing else can tell, the body that flows `first` is looked into; it
        gives the same bytes again.
        """
        wanted = Wanted(
            remote=remote,
            modified=modified(remote),
            digest=self._digest,
            url=self._url,
            ledger=self._ledger,
            head=await self._head(remote, first),
        )
        return await self._file.open(self._name or remote.name, wanted)

    @property
    def _digest(self) -> Digest | None:
        """The first one that is promised."""
        promises = self.verifier.promises if self.verifier else ()
        return promises[0].digest if promises else None

    async def _head(self, remote: RemoteFile, first: Response | None) -> bytes:
        can_tell = remote.etag or remote.last_modified or self._digest
        if first is None or can_tell or not self.is_known:
            return b""
        return await first.peek(min(remote.size or 0, SAMPLE))

    @property
    def sink(self) -> FileSink:
        return self._file

    def received(self) -> None:
        """Bytes have come."""
        if self.verifier is not None:
            self.verifier.nudge()

    async def accompany(
        self, transfer: Transfer, first: First | None, plan: Plan
    ) -> None:
        """Run the transfer, hashing what is in front and keeping the journal."""
        if plan.size is not None and plan.size <= SMALL_FILE and not plan.unleased:
            await transfer.run(first)  # all is on its way: quicker than a group
            return
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._keep(transfer, plan), name="journal")]
                if self.verifier is not None:
                    following = self.verifier.follow(self._file, plan)
                    beside.append(group.create_task(following, name="hash"))
                await transfer.run(first)
                for task in beside:
                    task.cancel()
        except* HydraError as errors:
            raise first_of(errors) from None

    async def rest(self, plan: Plan, remote: RemoteFile | None) -> None:
        """Write down what is here: the job stops, paused or over."""
        if remote is None or not self._file.is_writable:
            return
        with suppress(LocalError, TimeoutError):  # then the last journal holds
            async with asyncio.timeout(LAST_SYNC):
                await asyncio.shield(self._file.rest(plan.done, remote))

    async def drain(self) -> None:
        """Nobody reads a file along."""

    async def check(self, plan: Plan, remote: RemoteFile) -> str:
        """Compare the digests; the verdict, for people.

        Raises IntegrityError, and BadPieces where some parts are to come again.
        """
        if self.verifier is None or not self.verifier.is_wanted:
            return _by_size(remote)
        return await self.verifier.conclude(self._file, plan) or _by_size(remote)

    async def condemn(self) -> None:
        """The bytes are wrong: set them apart."""
        if self.verifier is not None:
            await self.verifier.settle()
        await self._file.condemn()

    async def finish(self, plan: Plan, remote: RemoteFile) -> None:
        """Flush it, give it its name, and write down that it is here."""
        size = plan.done.total
        await self._file.finish(size, modified(remote))
        if self._ledger is not None and self._file.target is not None:
            done = Completed(
                target=self._file.target,
                url=self._url,
                size=size,
                etag=remote.etag,
                last_modified=remote.last_modified,
                digest=self._digest,
            )
            self._ledger.add(done)

    async def close(self) -> None:
        """Let go of the file; what there is of it stays."""
        if self.verifier is not None:
            await self.verifier.settle()
        if self._file.is_open:
            await asyncio.shield(self._file.close())

    def end(self, error: BaseException | None) -> None:
        """Nobody waits for the end of a file."""

    async def _keep(self, transfer: Transfer, plan: Plan) -> None:
        """Make durable what is here, every second or so, for as long as it grows."""
        kept = plan.done.total
        while True:
            await self._until_worth_it(plan, kept)
            if plan.done.total != kept:
                kept = plan.done.total
                await self._file.checkpoint(plan.done, transfer.remote)

    async def _until_worth_it(self, plan: Plan, kept: int) -> None:
        for _ in range(LOOKS):
            await asyncio.sleep(SYNC_EVERY / LOOKS)
            if plan.done.total - kept >= SYNC_BYTES:
                return


class StreamDelivery:
    """To one reader, in order; what has gone out cannot be taken back."""

    file: FileSink | None = None

    def __init__(self, stream: StreamSink, verifier: Verifier | None) -> None:
        self.stream: StreamSink | None = stream
        self.verifier = verifier
        self.drained = asyncio.Event()
        """The reader has had every byte."""
        self._sink = stream

    @property
    def can_begin_again(self) -> bool:
        return self._sink.is_untouched

    async def find(self) -> Record | None:
        """Nothing is ever left of a stream."""
        return None

    async def leave(self) -> None:
        """There is nothing to leave."""

    async def begin_again(self) -> None:
        self._sink.begin_again()

    is_known = False

    async def open(self, _remote: RemoteFile, _first: Response | None = None) -> str:
        return ""

    @property
    def sink(self) -> StreamSink:
        return self._sink

    def received(self) -> None:
        """The stream is hashed as it is read."""

    async def accompany(
        self, transfer: Transfer, first: First | None, _plan: Plan
    ) -> None:
        await transfer.run(first)

    async def rest(self, plan: Plan, remote: RemoteFile | None) -> None:
        """What is held is held in memory."""

    async def drain(self) -> None:
        """Wait until the reader has had everything."""
        self._sink.end()
        await self.drained.wait()

    async def check(self, _plan: Plan, remote: RemoteFile) -> str:
        verdict = self.verifier.compare() if self.verifier else ""
        return verdict or _by_size(remote)

    async def condemn(self) -> None:
        """What the reader has had cannot be taken back."""

    async def finish(self, plan: Plan, remote: RemoteFile) -> None:
        """What the reader has had is its own."""

    async def close(self) -> None:
        if self.verifier is not None:
            await self.verifier.settle()

    def end(self, error: BaseException | None) -> None:
        """Tell the reader that nothing more will come."""
        self._sink.end(error)

    async def batches(self) -> AsyncGenerator[list[Block]]:
        """The bytes in order; hashed while the caller has them."""
        async for batch in self._sink.batches():
            hashing = self.verifier.feed(batch) if self.verifier else None
            yield batch
            if hashing is not None:
                await hashing
        self.drained.set()


Delivery = FileDelivery | StreamDelivery


def modified(remote: RemoteFile) -> float | None:
    """Last-Modified as seconds of the epoch, where it is a date."""
    return None if remote.last_modified is None else _moment(remote.last_modified)


@lru_cache(maxsize=256)
def _moment(text: str) -> float | None:
    """It is asked for when a file begins, and when it ends."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _by_size(remote: RemoteFile) -> str:
    return "size only" if remote.size is not None else "length unknown"
