"""Digests: the algorithms people name, and the forms they write them in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from engine.errors import UsageError
from engine.model import Digest

ALGORITHMS = (
    "md5",
    *("sha1", "sha224", "sha256", "sha384", "sha512"),
    *("sha3_224", "sha3_256", "sha3_384", "sha3_512"),
    *("blake2b", "blake2s"),
)


class Hasher(Protocol):
    """What hashlib's objects can do, as far as we need it."""

    @property
    def digest_size(self) -> int: ...
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def hasher(algorithm: str) -> Hasher:
    """A new hash object; MD5 and SHA-1 check transfers here, not signatures."""
    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(path: Path, algorithm: str) -> Digest:
    """Of a whole file; takes as long as reading it does."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hasher(algorithm))  # type: ignore[arg-type,return-value]
    return Digest(algorithm, found.hexdigest())


def algorithm_named(name: str) -> str:
    """The hashlib name for what people write: `SHA-256`, `sha3-256`, `sha2`."""
    plain = name.strip().lower().replace("-", "_")
    if plain.startswith("sha_"):
        plain = "sha" + plain[4:]
    plain = {"sha2": "sha256", "sha3": "sha3_256", "blake2": "blake2b"}.get(
        plain, plain
    )
    if plain not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise UsageError(f"unknown hash algorithm {name!r}; known are {known}")
    return plain


def parse_digest(text: str, default_algorithm: str) -> Digest:
    """Read `HEX` or `ALGO:HEX`; the length must be the algorithm's."""
    prefix, colon, rest = text.strip().rpartition(":")
    algorithm = algorithm_named(prefix if colon else default_algorithm)
    value = rest.strip().lower()
    wanted = hasher(algorithm).digest_size * 2
    if len(value) != wanted or not all(c in "0123456789abcdef" for c in value):
        raise UsageError(
            f"bad checksum {text!r}: {algorithm} is written as {wanted} hex digits"
        )
    return Digest(algorithm, value)
