"""What a file's digest should be: what answers tell, and what lies beside the file.

The first origin that says anything decides (typed, then a list or a Metalink, then
header fields, then sidecars and manifests), and only where nothing was said is
anything looked for: beside the transfer, which never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from engine.errors import HydraError
from engine.model import Promise, RemoteFile
from engine.search import Search
from engine.source import Source
from engine.unfolding import read_metalink
from engine.verify import Verifier

LIKELY = ("sha256", "md5")
"""What the digests of most files are; a stream is hashed so while we look for them."""
LAST_LOOK = 3.0
"""Seconds that a file which is here waits for the search for its digests."""

PATIENCE = 10.0
"""Seconds for a Metalink that describes the file."""


class Promises:
    """Lets a verifier know what is promised; without a search, only what was given."""

    def __init__(
        self, verifier: Verifier | None, search: Search | None, preferred: str
    ) -> None:
        self._verifier = verifier
        self._search = search
        self._preferred = preferred
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_looking(self) -> bool:
        """Whether digests are still being looked for."""
        return self._looking is not None and not self._looking.done()

    @property
    def may_hash(self) -> bool:
        """Whether the file is hashed as it comes, or may have to be."""
        verifier = self._verifier
        return verifier is not None and (verifier.is_wanted or self.is_looking)

    def told(self, source: Source) -> None:
        """An answer was believed: it may have told of digests."""
        if self._verifier is not None and self._search is not None:
            self._verifier.expect(source.promised())

    def look(
        self,
        group: asyncio.TaskGroup,
        url: str,
        remote: RemoteFile,
        source: Source,
        on_found: Callable[[], None],
    ) -> None:
        """Look beside the URL for as long as the group lives, if it is worth it."""
        verifier, search = self._verifier, self._search
        if verifier is None or search is None or verifier.is_wanted:
            return
        if not source.links().described_by:
            known = search.known(url, remote.size, self._preferred)
            if known is not None:
                verifier.expect(known)
                return
        self._looking = group.create_task(
            self._look(verifier, search, url, remote, source), name="digests"
        )
        self._looking.add_done_callback(lambda _: on_found())

    async def wait(self) -> None:
        """All bytes are here: what is not found soon is not worth waiting for."""
        if self._looking is not None and self.is_looking:
            await asyncio.wait([self._looking], timeout=LAST_LOOK)
            self._looking.cancel()

    def speculate(self) -> None:
        """A stream passes only once: hash it for what is likely to be found."""
        if self.is_looking and self._verifier is not None:
            self._verifier.speculate({*LIKELY, self._preferred})

    async def _look(
        self,
        verifier: Verifier,
        search: Search,
        url: str,
        remote: RemoteFile,
        source: Source,
    ) -> None:
        try:
            verifier.expect(await _described(source, remote, verifier.pool))
            if not verifier.promises:
                make = source.elsewhere
                found = await search.find(url, remote.size, make, self._preferred)
                verifier.expect(found)
        finally:
            verifier.settle_for()


async def _described(
    source: Source, remote: RemoteFile, pool: Executor
) -> tuple[Promise, ...]:
    """What a Metalink says that the answers pointed to (RFC 6249 section 6)."""
    document = source.links().described_by
    if not document:
        return ()
    try:
        async with asyncio.timeout(PATIENCE):
            told = await read_metalink(source.elsewhere(document), pool)
    except (HydraError, TimeoutError):
        return ()
    same = [one for one in told if one.size in {None, remote.size}]
    named = [one for one in same if one.name == remote.name] or same
    return named[0].promises if len(named) == 1 else ()
