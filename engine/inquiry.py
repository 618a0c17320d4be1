"""What to believe when an answer looks like another file than the one known.

Nobody is believed at once. The link is resolved anew and asked a second time;
where tags differ and dates do not, or where each answer has a tag of its own,
some bytes that are here are compared. Out of that comes the file as it is known from now on, a Fault (nothing is sure yet:
ask again later), or a ChangedError.
"""

from __future__ import annotations

from dataclasses import replace

from engine.errors import ChangedError, Fault
from engine.identity import Doubt, Likeness, compare
from engine.model import Block, RemoteFile
from engine.ranges import ByteRange
from engine.source import Source, content_range, describe
from engine.transport import Response

ONE_BYTE = ByteRange(0, 1)


async def settle(source: Source, doubt: Doubt, sample: Block | None) -> RemoteFile:
    """The known file, as far as it can still be trusted; `sample` is part of it.

    Raises ChangedError where two looks agree that it is another file.
    """
    known, seen = doubt.known, doubt.seen
    if compare(known, seen) is Likeness.UNSURE:
        return await _by_bytes(source, known, doubt, sample)
    source.resolve_again()
    again = await _look(source)
    match compare(known, again):
        case Likeness.SAME:
            return known
        case Likeness.PAGE:
            raise Fault("a web page came instead of the file")
        case Likeness.UNSURE:
            return await _by_bytes(source, known, doubt, sample)
        case Likeness.OTHER if compare(seen, again) is Likeness.OTHER:
            if {known.size, seen.size, again.size} == {
                known.size
            } and not again.last_modified:
                return await _by_bytes(source, known, doubt, sample)
            raise Fault(
                "the remote file changed, and no two answers agree", final=ChangedError
            )
        case Likeness.OTHER:
            raise ChangedError(str(doubt))


async def _look(source: Source) -> RemoteFile:
    response = await source.reopen(ONE_BYTE)
    response.close()
    return describe(response)


async def _by_bytes(
    source: Source, known: RemoteFile, doubt: Doubt, sample: Block | None
) -> RemoteFile:
    """The nodes of one host may tag the same bytes differently: look at the bytes.

    Where they agree, tags are not looked at again.
    """
    if sample is None:
        raise Fault("the tag of the file changed before a byte was here to compare")
    if not await is_in(source, known, sample):
        raise ChangedError(str(doubt))
    return replace(known, etag=None)


async def is_in(source: Source, known: RemoteFile, sample: Block) -> bool:
    """Whether the source serves these very bytes at this very place.

    Raises Fault where it does not serve that part of the file now.
    """
    response = await source.reopen(ByteRange(sample.offset, sample.stop))
    try:
        if compare(known, describe(response)) is Likeness.PAGE:
            raise Fault("a web page came instead of the file")
        return await begins_with(response, sample)
    finally:
        response.close()


async def begins_with(response: Response, sample: Block) -> bool:
    """Whether a body that covers the sample has these very bytes there.

    Raises Fault where it does not cover it.
    """
    skip = sample.offset - _start(response)
    if skip < 0:
        raise Fault("another part came than was asked for")
    came = bytearray()
    while len(came) < skip + sample.size and (pieces := await response.read()):
        came += b"".join(pieces)
        if skip >= len(came):
            skip -= len(came)
            came.clear()
    return came[skip : skip + sample.size] == b"".join(sample.buffers)


def _start(response: Response) -> int:
    """The offset in the file where the body begins."""
    if response.status == 200:
        return 0
    found = content_range(response)
    if response.status != 206 or found is None or found.part is None:
        raise Fault(f"HTTP {response.status} to a range request")
    return found.part.start
