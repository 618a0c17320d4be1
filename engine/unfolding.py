"""A Metalink in place of a file: the files it tells of are what was meant.

Where to put them, and how many lanes they may have, was typed for the Metalink and
counts for each of them; what is private stays at the place it was given for.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import replace

from engine.errors import RefusedError
from engine.metalink import LARGEST, MEDIA_TYPE, MetalinkFile, parse_metalink
from engine.model import JobSpec, RemoteFile
from engine.source import Source

ENDING = ".meta4"
_UNTYPED = frozenset({"", "application/octet-stream", "text/xml", "application/xml"})
"""What servers say of files that they know nothing about."""


def is_metalink(remote: RemoteFile) -> bool:
    """Whether an answer is about a Metalink 4 document."""
    if remote.media_type == MEDIA_TYPE:
        return True
    return remote.media_type in _UNTYPED and remote.name.lower().endswith(ENDING)


def specs_of_metalink(data: bytes) -> tuple[JobSpec, ...]:
    """What a Metalink tells of, as jobs. Raises RefusedError."""
    return tuple(map(_spec, parse_metalink(data)))


async def unfold(source: Source, spec: JobSpec, pool: Executor) -> tuple[JobSpec, ...]:
    """The jobs that a Metalink at a URL stands for; `spec` is what was asked for it.

    It is read in the pool: a long one takes a while.

    Raises RefusedError where it makes no sense, Fault where it does not come.
    """
    specs = await read_metalink(source, pool)
    asked = [
        replace(
            one,
            directory=spec.directory,
            threads=spec.threads,
            limit=spec.limit,
            headers=spec.headers if source.is_home(one.url) else (),
            given_for=spec.given_for or spec.url,
        )
        for one in specs
    ]
    if len(asked) == 1:
        name = spec.name or asked[0].name
        asked = [replace(asked[0], name=name, checksum=spec.checksum)]
    return tuple(asked)


async def read_metalink(source: Source, pool: Executor) -> tuple[JobSpec, ...]:
    """What the Metalink at a URL tells of. Raises RefusedError, or Fault."""
    document, loop = await _document(source), asyncio.get_running_loop()
    return await loop.run_in_executor(pool, specs_of_metalink, document)


async def _document(source: Source) -> bytes:
    response = await source.open(None)
    try:
        document = bytearray()
        while pieces := await response.read():
            document += b"".join(pieces)
            if len(document) > LARGEST:
                raise RefusedError(f"the Metalink has more than {LARGEST >> 20} MiB")
        return bytes(document)
    finally:
        response.close()


def _spec(file: MetalinkFile) -> JobSpec:
    url, *mirrors = file.urls
    return JobSpec(
        url,
        name=file.name,
        mirrors=tuple(mirrors),
        promises=file.promises,
        pieces=file.pieces,
        size=file.size,
    )
