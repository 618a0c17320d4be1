"""What a download would be, learned from one request; nothing is made for it.

The server is asked as a job would ask, and what an earlier run left is looked for
as a job would look, but nothing is locked, made or moved. Several files that are
looked at together get the names that they would get together.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from engine.already import Wanted
from engine.commons import Commons
from engine.config import Config
from engine.delivery import modified
from engine.errors import Fault, HydraError
from engine.journal import Link
from engine.ledger import Ledger
from engine.limiter import Limiter
from engine.masking import mask
from engine.model import JobSpec, Promise, Prospect, RemoteFile
from engine.naming import sanitise
from engine.opening import check_size
from engine.patience import Patience
from engine.places import Choice, Places, part_of, readable
from engine.probe import probe
from engine.ranges import ByteRange, RangeSet
from engine.sinks import SAMPLE
from engine.source import Source
from engine.unfolding import is_metalink, unfold
from engine.window import Seat


class _Seen(NamedTuple):
    """One file, as its first answer told of it."""

    spec: JobSpec
    source: Source
    remote: RemoteFile
    head: bytes
    """Its first bytes, where neither tag nor date tells it from others."""


class Scout:
    """Looks at the files that jobs of one engine would fetch."""

    def __init__(
        self, config: Config, commons: Commons, ledger: Ledger | None = None
    ) -> None:
        self._config = config
        self._commons = commons
        self._ledger = ledger
        self._places = Places()

    async def look(self, spec: JobSpec, *, to_disk: bool) -> AsyncGenerator[Prospect]:
        """What there is at its URL, or at those of a Metalink that is there.

        Raises what a job would fail with before its first byte is kept.
        """
        limiter = Limiter(None, self._commons.limiter)
        source = self._commons.source(spec.url, spec, limiter)
        seen = await self._ask(source, spec)
        if not is_metalink(seen.remote):
            yield await self._prospect(seen, to_disk=to_disk)
            return
        for one in await self._unfolded(source, spec):
            async for prospect in self.look(one, to_disk=to_disk):
                yield prospect

    async def _unfolded(self, source: Source, spec: JobSpec) -> tuple[JobSpec, ...]:
        try:
            return await unfold(source, spec, self._commons.pool)
        except Fault as fault:
            raise fault.in_the_end() from fault

    async def _ask(self, source: Source, spec: JobSpec) -> _Seen:
        try:
            return await self._seen(source, spec)
        except HydraError as error:
            error.about = mask(spec.url)
            raise

    async def _seen(self, source: Source, spec: JobSpec) -> _Seen:
        seat = Seat(self._commons.window_of, spec.threads or self._config.threads)
        patience = Patience(self._config.give_up_after, _say_nothing)
        first = ByteRange(0, SAMPLE)
        try:
            remote, response = await probe(
                source, first, patience, lambda: seat.take(source.host)
            )
        finally:
            seat.leave()
        try:
            check_size(remote, spec.size)
            told = remote.etag or remote.last_modified
            head = b"" if told else await response.peek(min(remote.size or 0, SAMPLE))
        finally:
            response.close()
        return _Seen(spec, source, remote, head)

    async def _prospect(self, seen: _Seen, *, to_disk: bool) -> Prospect:
        spec, remote, told = seen.spec, seen.remote, seen.source.told
        prospect = Prospect(
            url=mask(spec.url),
            name=(sanitise(spec.name) if spec.name else "") or remote.name,
            size=remote.size,
            ranges=remote.ranges,
            etag=remote.etag,
            last_modified=remote.last_modified,
            media_type=remote.media_type,
            hops=told.hops if told else (),
            mirrors=len({*spec.mirrors, *seen.source.links().duplicates}),
            promises=await self._promises(seen),
            lanes=self._lanes(seen),
        )
        if not to_disk:
            return prospect
        loop, pool = asyncio.get_running_loop(), self._commons.pool
        return await loop.run_in_executor(pool, self._placed, prospect, seen)

    async def _promises(self, seen: _Seen) -> tuple[Promise, ...]:
        """From the first origin that says anything, as for a job."""
        spec, source, search = seen.spec, seen.source, self._commons.search
        if spec.checksum is not None:
            return (Promise(spec.checksum, "--checksum"),)
        if spec.promises or search is None:
            return spec.promises
        return source.promised() or await search.find(
            spec.url, seen.remote.size, source.elsewhere, self._config.typehash
        )

    def _lanes(self, seen: _Seen) -> int:
        """The most that could be of use."""
        if not seen.remote.ranges:
            return 1
        typed = seen.spec.threads or self._config.threads
        ceiling = typed or self._commons.window_of(seen.source.host).ceiling
        pieces = -(-(seen.remote.size or 1) // self._config.min_chunk)
        return max(1, min(ceiling, pieces))

    # -- where it would go -----------------------------------------------------

    def _placed(self, prospect: Prospect, seen: _Seen) -> Prospect:
        spec = seen.spec
        directory, link = self._config.directory_of(spec), Link.of(spec.url)
        prospect = replace(prospect, free=_free(directory))
        left = self._places.find(directory, link, spec.name)
        record = readable(part_of(left)) if left is not None else None
        if left is not None and record is not None and not self._config.restart:
            done = RangeSet(record.done).total
            return replace(prospect, target=str(left), done=done)
        choice = self._choose(directory, link, prospect, seen)
        return replace(prospect, target=str(choice.target), verdict=choice.verdict)

    def _choose(
        self, directory: Path, link: Link, prospect: Prospect, seen: _Seen
    ) -> Choice:
        wanted = Wanted(
            remote=seen.remote,
            modified=modified(seen.remote),
            digest=prospect.promises[0].digest if prospect.promises else None,
            url=link.url,
            ledger=self._ledger,
            head=seen.head,
        )
        conflict = self._config.on_conflict
        return self._places.choose(directory, prospect.name, conflict, wanted.is_at)


def _free(directory: Path) -> int | None:
    """Bytes that may be written there, or where it would be made."""
    for folder in (directory, *directory.absolute().parents):
        try:
            room = os.statvfs(folder)
        except OSError:
            continue
        return room.f_bavail * room.f_frsize
    return None


def _say_nothing(_text: str, /, **_fields: object) -> None:
    """A look is told of when it is over."""
