"""Digests that lie beside a file: manifests of its directory, sidecars of its own.

Nobody asked for these requests, so there are few of them: one look per directory,
which all jobs share, and sidecars only for files that are worth it. A URL with a
query is no place in a directory. Whatever goes wrong means that nothing was
found; what looks like a page, or is too long for a checksum file, says nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from engine.errors import HydraError, RefusedError
from engine.identity import PAGE
from engine.model import Promise
from engine.source import Source
from engine.sums import Sums
from engine.transport import Response

MANIFESTS = ("SHA256SUMS", "SHA512SUMS", "MD5SUMS", "md5checksums.txt")
SIDECARS = ("sha256", "sha512", "sha1", "md5")
"""The algorithms that are also endings of names."""
WORTH_A_SIDECAR = 16 * 1024 * 1024
"""Bytes of a file; sidecars of smaller ones are not asked for."""
LONGEST_MANIFEST = 8 * 1024 * 1024
LONGEST_SIDECAR = 64 * 1024
PATIENCE = 10.0
"""Seconds for the look at a directory, and for all sidecars of a file."""
MOST_LOOKS = 3
"""At one directory, where nobody stayed to see the end of the ones before."""
MOST_DIRECTORIES = 256
MOST_REMEMBERED = 32 * 1024 * 1024
"""Characters of all manifests together; the directory asked for last stays."""

MakeSource = Callable[[str], Source]


@dataclass(slots=True)
class _Directory:
    """What was found in one place; None until somebody has looked."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sums: tuple[Sums, ...] | None = None
    looks: int = 0

    @property
    def weight(self) -> int:
        return sum(len(sums.text) for sums in self.sums or ())


class Search:
    """One for all jobs of an engine."""

    def __init__(self) -> None:
        self._directories: OrderedDict[str, _Directory] = OrderedDict()
        """The one asked for last is the last."""

    async def find(
        self, url: str, size: int | None, make_source: MakeSource, preferred: str
    ) -> tuple[Promise, ...]:
        """What manifests promise of the file at `url`, or else one of its sidecars.

        `size` is the file's in bytes, where it is known. `make_source` gives sources
        of other URLs with the job's own manners; `preferred` is the algorithm to
        look for first. Raises nothing.
        """
        place = _place(url)
        if place is None:
            return ()
        sums = await self._look(_base(place), make_source)
        promises = _promised(sums, unquote(place.path), preferred)
        if promises or not _is_worth_a_sidecar(size):
            return promises
        return await _sidecar(place, make_source, preferred)

    def known(
        self, url: str, size: int | None, preferred: str
    ) -> tuple[Promise, ...] | None:
        """What `find` would return; None where it would have to ask for it."""
        place = _place(url)
        if place is None:
            return ()
        base = _base(place)
        directory = self._directories.get(base)
        if directory is None or directory.sums is None:
            return None
        self._directories.move_to_end(base)
        promises = _promised(directory.sums, unquote(place.path), preferred)
        return promises if promises or not _is_worth_a_sidecar(size) else None

    async def _look(self, base: str, make_source: MakeSource) -> tuple[Sums, ...]:
        """The manifests beside the file; who asks while somebody looks waits."""
        directory = self._directories.setdefault(base, _Directory())
        self._directories.move_to_end(base)
        async with directory.lock:
            if directory.sums is None and directory.looks < MOST_LOOKS:
                directory.looks += 1
                directory.sums = await _manifests(base, make_source)
                self._forget()
        return directory.sums or ()

    def _forget(self) -> None:
        """Let go of the directories that were not asked for lately."""
        weight = sum(each.weight for each in self._directories.values())
        while len(self._directories) > 1 and (
            weight > MOST_REMEMBERED or len(self._directories) > MOST_DIRECTORIES
        ):
            _, oldest = self._directories.popitem(last=False)
            weight -= oldest.weight


def _place(url: str) -> SplitResult | None:
    """The URL, where it is a file in a directory and no checksum file itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    name = unquote(parts.path).rpartition("/")[2]
    is_sums = name in MANIFESTS or name.lower().endswith(
        tuple(f".{each}" for each in SIDECARS)
    )
    return None if parts.query or not name or is_sums else parts._replace(fragment="")


def _base(place: SplitResult) -> str:
    """The URL of its directory."""
    return urlunsplit(place._replace(path=place.path.rpartition("/")[0] + "/"))


def _is_worth_a_sidecar(size: int | None) -> bool:
    return size is None or size > WORTH_A_SIDECAR


def _promised(sums: Iterable[Sums], path: str, preferred: str) -> tuple[Promise, ...]:
    """What manifests have for the file at `path`, the best first."""
    found = [(each, each.of(path)) for each in sums]
    promises = [Promise(digest, each.name) for each, digest in found if digest]
    promises.sort(key=lambda promise: _rank(promise.digest.algorithm, preferred))
    return tuple(promises)


def _rank(algorithm: str, preferred: str) -> tuple[bool, bool, int]:
    """The preferred one first, then its family, then the usual ones."""
    place = SIDECARS.index(algorithm) if algorithm in SIDECARS else len(SIDECARS)
    return algorithm != preferred, _family(algorithm) != _family(preferred), place


def _family(algorithm: str) -> str:
    is_sha2 = algorithm.startswith(("sha2", "sha3", "sha5")) and "_" not in algorithm
    return "sha2" if is_sha2 else algorithm.partition("_")[0]


async def _manifests(base: str, make_source: MakeSource) -> tuple[Sums, ...]:
    """Those that came in time; there may be none."""
    found: list[Sums] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            for name in MANIFESTS:  # one at a time: the lanes want their connections
                with suppress(HydraError):
                    data = await _get(make_source(base + name), LONGEST_MANIFEST)
                    if data and (sums := Sums.read(data, name)).text:
                        found.append(sums)
    return tuple(found)


async def _sidecar(
    place: SplitResult, make_source: MakeSource, preferred: str
) -> tuple[Promise, ...]:
    """The first there is. Where asking for one fails, no other is asked for."""
    path = unquote(place.path)
    name = path.rpartition("/")[2]
    with suppress(HydraError, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            for ending in sorted(SIDECARS, key=lambda each: _rank(each, preferred)):
                url = urlunsplit(place._replace(path=f"{place.path}.{ending}"))
                data = await _get(make_source(url), LONGEST_SIDECAR)
                sums = Sums.read(data or b"", f"{name}.{ending}")
                if (digest := sums.alone(path)) is not None:
                    return (Promise(digest, sums.name),)
    return ()


async def _get(source: Source, most: int) -> bytes | None:
    """The whole text; None where there is none, or one that is not believed.

    Raises what may pass: Fault.
    """
    try:
        response = await source.open(None)
    except RefusedError:
        return None
    try:
        return await _body(response, most) if _is_text(response, most) else None
    finally:
        response.close()


def _is_text(response: Response, most: int) -> bool:
    """Whether the head speaks of a file, whole, that is not too long."""
    length = response.headers.get("content-length") or ""
    is_short = not length.isdecimal() or (len(length) < 20 and int(length) <= most)
    media_type = response.headers.get("content-type") or ""
    return response.status == 200 and is_short and PAGE not in media_type.lower()


async def _body(response: Response, most: int) -> bytes | None:
    data = bytearray()
    while pieces := await response.read():
        data += b"".join(pieces)
        if len(data) > most:
            return None
    return bytes(data)
