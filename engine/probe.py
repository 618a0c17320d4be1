"""The first request: a probe and already data.

A GET with a bounded range tells everything a HEAD would, truthfully, and its
body is the first segment, or the first gap of a file that is partly here. Each
kind of answer is a normal case: 206, 200 from a server without ranges, unknown
length, content codings, and 416 for a file that is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from engine.errors import Fault, RefusedError
from engine.identity import Likeness, compare
from engine.model import RemoteFile
from engine.patience import Patience
from engine.ranges import ByteRange
from engine.source import Source, content_range, describe, undone_coding
from engine.transport import Response
from engine.window import Window


async def probe(
    source: Source,
    first: ByteRange,
    patience: Patience,
    join: Callable[[], Window],
    known: RemoteFile | None = None,
) -> tuple[RemoteFile, Response]:
    """Ask for the `first` range; what the answer says of the file, and its body.

    Asks again while patience lasts. `join` gives the window to be counted in,
    which a redirect may change. The body is the range asked for unless the file
    is not the one that is `known`.
    """
    while True:
        window = join()
        if wait := window.closed_for(monotonic()):
            await asyncio.sleep(wait)
        window.enter()
        try:
            return await _ask(source, first, known)
        except Fault as fault:
            nap = patience.charge(fault, window, reached=False)
        finally:
            window.leave()
        await asyncio.sleep(nap)


async def _ask(
    source: Source, first: ByteRange, known: RemoteFile | None
) -> tuple[RemoteFile, Response]:
    asked_for = source.url
    response = await source.open(first)
    try:
        if _must_be_whole(response):
            response.close()
            response = await source.open(None)
        seen = describe(response, asked_for)
        likeness = compare(known, seen) if known is not None else Likeness.SAME
        if likeness is not Likeness.OTHER:
            _check_usable(response, first, likeness)
    except BaseException:
        response.close()
        raise
    source.pin(response)
    return seen, response


def _must_be_whole(response: Response) -> bool:
    """Whether parts are no use: of unknown whole, in a coding, or a 416 without a size."""
    if response.status == 200:
        return False
    found = content_range(response)
    return found is None or found.size is None or bool(undone_coding(response))


def _check_usable(response: Response, first: ByteRange, likeness: Likeness) -> None:
    """Refuse an answer whose body is neither the whole nor the part asked for."""
    if likeness is Likeness.PAGE:
        raise Fault("a web page came instead of the file")
    found = content_range(response)
    if response.status == 200 or (found is not None and found.size == 0):
        return
    if found is None or found.part is None or found.part.start != first.start:
        raise Fault(
            f"HTTP {response.status} with an unusable Content-Range",
            unreachable=True,
            final=RefusedError,
        )
