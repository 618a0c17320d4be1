"""What a finished file's digests say about it, in words.

An IntegrityError names the algorithm, what the digest is, what it should be, and
who said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.errors import IntegrityError
from engine.model import Digest, Pieces, Promise

ORIGIN_OF_PIECES = "Metalink"
"""Nothing else tells of pieces (RFC 5854 section 4.2.4)."""


def compare(promises: Iterable[Promise], actual: Mapping[str, str]) -> str:
    """The verdict; empty where nothing was promised. Every promise has to be kept.

    `actual` has the digests in hex, by their algorithms. Raises IntegrityError.
    """
    promises = tuple(promises)
    broken = [_odds(promise, actual[promise.digest.algorithm]) for promise in promises]
    if problems := "; ".join(filter(None, broken)):
        raise IntegrityError(problems)
    if not promises:
        return ""
    names = listed(promise.digest.algorithm for promise in promises)
    return f"verified ({names}, from {listed(promise.origin for promise in promises)})"


def verdict_of(pieces: Pieces) -> str:
    """The verdict where only the pieces were promised, and all of them are right."""
    return f"verified (pieces, {pieces.algorithm}, from {ORIGIN_OF_PIECES})"


def bad_piece(pieces: Pieces, number: int, actual: str) -> IntegrityError:
    """What is wrong with a piece; `number` counts from 0."""
    start = number * pieces.size
    expected = Promise(Digest(pieces.algorithm, pieces.hexes[number]), ORIGIN_OF_PIECES)
    return IntegrityError(
        f"piece {number + 1} of {len(pieces.hexes)}, at byte {start}: "
        f"{_odds(expected, actual)}"
    )


def listed(words: Iterable[str]) -> str:
    """Each of them once: `a`, `a and b`, `a, b and c`."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} and {last}" if most else last


def _odds(promise: Promise, actual: str) -> str:
    """What is wrong about a digest, if anything is."""
    algorithm, expected = promise.digest.algorithm, promise.digest.hex
    if actual == expected:
        return ""
    return f"{algorithm} is {actual}, expected {expected} (from {promise.origin})"
