"""Bytes whose value follows from where they belong.

A file is a random tile of prime length, repeated from a start of its own. No
block size divides a prime, so a block that lands at the wrong offset, or in
the wrong file, changes the digest. All files share the one tile: serving
gigabytes costs two megabytes of memory.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from engine.ranges import ByteRange

TILE = 1_000_003
PIECE = 1 << 20
"""Most bytes handed out at once: a write that size costs next to nothing per byte."""
STRIDE = 618_033
"""How far apart the starts of two neighbouring seeds are; the golden section spreads
any number of them evenly."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file; equal size and seed are equal bytes, on any machine."""

    size: int
    seed: int = 0
    literal: bytes = b""
    """Bytes of the caller's own, instead of made ones."""

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(len(data), literal=data)

    @property
    def whole(self) -> ByteRange:
        return ByteRange(0, self.size)

    @property
    def etag(self) -> str:
        """A strong validator: other bytes, other tag."""
        name = hashlib.blake2b(self.literal, digest_size=8).hexdigest()
        return f'"{self.size:x}-{self.seed:x}-{name}"'

    def pieces(self, start: int, stop: int, most: int = PIECE) -> Iterator[memoryview]:
        """The bytes in slices of at most `most`; beyond the end, it begins again."""
        ring = memoryview(self.literal) if self.literal else tile()
        period = len(self.literal) or TILE
        at = start if self.literal else start + self.seed * STRIDE
        stop += at - start
        while at < stop:
            low = at % period
            piece = ring[low : low + min(most, stop - at)]
            yield piece
            at += len(piece)

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        return b"".join(self.pieces(start, self.size if stop is None else stop))

    def digest(self, algorithm: str = "sha256") -> str:
        hasher = hashlib.new(algorithm)
        for piece in self.pieces(0, self.size):
            hasher.update(piece)
        return hasher.hexdigest()


@cache
def tile() -> memoryview:
    """The tile, long enough that a piece from anywhere in it does not wrap."""
    once = hashlib.shake_128(b"hydra").digest(TILE)
    return memoryview(once * 3)[: TILE + PIECE]


@cache
def gzipped(content: Content) -> Content:
    return Content.of(gzip.compress(content.read(), compresslevel=1, mtime=0))
