"""The first request: a probe and already data.

A GET with a bounded range tells everything a HEAD would, truthfully, and its
body is the first segment. Each kind of answer is a normal case: 206, 200 from a
server without ranges, unknown length, content codings, and 416 for a file that
is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from engine.errors import Fault, RefusedError
from engine.model import RemoteFile
from engine.naming import name_for
from engine.patience import Patience
from engine.ranges import ByteRange
from engine.source import Source, content_range, undone_coding
from engine.transport import Response
from engine.window import Window


async def probe(
    source: Source, first: ByteRange, patience: Patience, join: Callable[[], Window]
) -> tuple[RemoteFile, Response]:
    """Ask for the `first` range; what the answer says of the file, and its body.

    Asks again while patience lasts. `join` gives the window to be counted in,
    which a redirect may change.
    """
    while True:
        window = join()
        if wait := window.closed_for(monotonic()):
            await asyncio.sleep(wait)
        window.enter()
        try:
            return await _ask(source, first)
        except Fault as fault:
            nap = patience.charge(fault, window, reached=False)
        finally:
            window.leave()
        await asyncio.sleep(nap)


async def _ask(source: Source, first: ByteRange) -> tuple[RemoteFile, Response]:
    asked_for = source.url
    response = await source.open(first)
    try:
        if _must_be_whole(response):
            response.close()
            response = await source.open(None)
        size, ranges = _extent(response, first)
    except BaseException:
        response.close()
        raise
    headers = response.headers
    remote = RemoteFile(
        url=source.url,
        size=size,
        ranges=ranges,
        name=name_for(headers.get("content-disposition"), source.url, asked_for),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
    )
    return remote, response


def _must_be_whole(response: Response) -> bool:
    """Whether parts are no use: of unknown whole, in a coding, or a 416 without a size."""
    if response.status == 200:
        return False
    found = content_range(response)
    return found is None or found.size is None or bool(undone_coding(response))


def _extent(response: Response, first: ByteRange) -> tuple[int | None, bool]:
    """The size of the whole file, and whether parts of it can be had."""
    if response.status == 200:
        return _whole_length(response), False
    found = content_range(response)
    if found is not None and found.size == 0:
        return 0, True
    if found is None or found.part is None or found.part.start != first.start:
        raise Fault(
            f"HTTP {response.status} with an unusable Content-Range",
            unreachable=True,
            final=RefusedError,
        )
    return found.size, True


def _whole_length(response: Response) -> int | None:
    """Content-Length, where it is the length of the bytes we get."""
    length = response.headers.get("content-length")
    if undone_coding(response) or length is None or not length.isdigit():
        return None
    return int(length)
