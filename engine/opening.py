"""How a job begins: anew, with what an earlier run left, or over a fresh link.

The first request is a probe and already data. Where a part of the file is here,
it asks for the first gap, and what is here counts only once the server has
shown that this is still the same file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.delivery import Delivery, First
from engine.errors import ChangedError, ExpiredError, Fault, RefusedError
from engine.identity import Doubt, Likeness, compare
from engine.inquiry import settle
from engine.journal import Link, Record
from engine.model import RemoteFile
from engine.patience import Patience
from engine.plan import Plan
from engine.probe import probe
from engine.ranges import ByteRange
from engine.sinks import SAMPLE
from engine.source import Source
from engine.transport import Response
from engine.window import Window

EXPIRED = frozenset({401, 403, 410})
"""What a link that has worked before answers once it has expired; a 404 says that the
file is gone."""


Known = tuple[RemoteFile, Plan]
"""A file, and what of it is here."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is to be fetched, and its first bytes on their way."""

    remote: RemoteFile
    plan: Plan
    first: First | None


class Opening:
    """Asks for the first bytes of a file until it knows what there is to fetch."""

    def __init__(
        self,
        *,
        began: str,
        delivery: Delivery,
        source: Source,
        patience: Patience,
        join: Callable[[], Window],
        least: int,
        size: int | None,
    ) -> None:
        self._size = size
        """What the file is said to be long."""
        self._began = began
        """The URL by which what is on disk is known."""
        self._delivery = delivery
        self._source = source
        self._patience = patience
        self._join = join
        self._least = least

    async def open(self, known: Known | None, *, elsewhere: bool = False) -> Opened:
        """`known` is what the job has itself, before a fresh link.

        `elsewhere` says that another host is asked than before: its tags and dates
        are its own, and the bytes decide. Raises ChangedError where what is here is
        of another version.
        """
        record = await self._delivery.find() if known is None else None
        if record is not None:
            known = record.remote, Plan(record.size, record.done)
        if known is not None and elsewhere:
            known = replace(known[0], etag=None, last_modified=None), known[1]
        while True:
            try:
                return await self._ask(known)
            except ChangedError:
                if record is None or not self._may_be_another(record):
                    raise
                await self._delivery.leave()
                known = record = None
            except Fault as fault:
                window = self._join()
                await asyncio.sleep(self._patience.charge(fault, window, reached=True))

    def _may_be_another(self, record: Record) -> bool:
        """The query of a link may be a signature, or may name another file."""
        return record.link.query != Link.of(self._began).query

    async def _ask(self, known: Known | None) -> Opened:
        asked = self._first_range(known)
        remote, response = await self._probe(asked, known[0] if known else None)
        try:
            check_size(remote, self._size)
            if known is None:
                plan = Plan(remote.size)
            else:
                plan = known[1]
                remote = await self._recognise(known, remote)
        except BaseException:
            response.close()
            raise
        return Opened(remote, plan, _lease(plan, remote, response, asked))

    def _first_range(self, known: Known | None) -> ByteRange:
        """The first gap; where there is none, the last bytes tell what is there."""
        if known is None:
            return ByteRange(0, self._least)
        plan = known[1]
        if (gap := plan.next_gap()) is not None:
            return ByteRange(gap.start, min(gap.start + self._least, gap.stop))
        size = plan.size or 1
        return ByteRange(max(0, size - SAMPLE), size)

    async def _probe(
        self, asked: ByteRange, known: RemoteFile | None
    ) -> tuple[RemoteFile, Response]:
        try:
            return await probe(self._source, asked, self._patience, self._join, known)
        except RefusedError as error:
            if known is not None and error.status in EXPIRED:
                raise ExpiredError(str(error), status=error.status) from error
            raise

    async def _recognise(self, known: Known, seen: RemoteFile) -> RemoteFile:
        """The known file, where the server still has it."""
        remote, plan = known
        if compare(remote, seen) is not Likeness.SAME:
            sample = await self._delivery.sink.sample(plan.done)
            remote = await settle(self._source, Doubt(remote, seen), sample)
        return replace(remote, url=seen.url, ranges=seen.ranges)


def check_size(remote: RemoteFile, said: int | None) -> None:
    """Raise RefusedError where the file is not as long as it is said to be."""
    if None not in {said, remote.size} and remote.size != said:
        raise RefusedError(f"it is {remote.size} bytes long, and should be {said}")


def _lease(
    plan: Plan, remote: RemoteFile, response: Response, asked: ByteRange
) -> First | None:
    """The body that flows is the first segment, if anything is missing at all."""
    segment = plan.lease(0, asked.size) if remote.ranges else plan.lease_rest(0)
    if segment is None:
        response.close()
        return None
    return segment, response
