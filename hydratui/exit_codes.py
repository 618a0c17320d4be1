"""The one table of exit codes: what each kind of end is told to the shell as.

The manual and the README show the same rows.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import NamedTuple


class Outcome(NamedTuple):
    """One way to end."""

    code: int
    when: str
    error: str = ""
    """The engine's error that ends with it, by its name."""
    brief: str = ""
    """A word for it, where a word is enough."""


BUG = 1
USAGE = 2
CHANGED = 6
INTEGRITY = 5
MIXED = 8
READER_GONE = 141

OUTCOMES = (
    Outcome(
        0,
        "everything is complete and verified, or there was nothing to do",
        brief="done",
    ),
    Outcome(BUG, "a bug of ours"),
    Outcome(
        USAGE,
        "usage or configuration; nothing was started",
        "UsageError",
        brief="usage",
    ),
    Outcome(
        3, "network: no progress for --give-up-after", "NetworkError", brief="network"
    ),
    Outcome(
        4,
        "the server refused for good or cannot be trusted",
        "RefusedError",
        brief="refused",
    ),
    Outcome(
        INTEGRITY,
        "a digest did not match, or the length",
        "IntegrityError",
        brief="integrity",
    ),
    Outcome(
        CHANGED,
        "the remote file changed, and that is final",
        "ChangedError",
        brief="changed",
    ),
    Outcome(
        7,
        "this machine: space, permission, a lock, a name",
        "LocalError",
        brief="this machine",
    ),
    Outcome(
        MIXED, "several files failed for different reasons", brief="several reasons"
    ),
    Outcome(128 + signal.SIGHUP, "SIGHUP; the state was saved"),
    Outcome(128 + signal.SIGINT, "SIGINT; the state was saved"),
    Outcome(
        READER_GONE,
        "the reader of the stream went away",
        "ReaderGoneError",
        brief="reader gone",
    ),
    Outcome(128 + signal.SIGTERM, "SIGTERM; the state was saved"),
)
_BY_ERROR = {outcome.error: outcome.code for outcome in OUTCOMES if outcome.error}
_BY_WORD = {
    name.removesuffix("Error").lower(): code for name, code in _BY_ERROR.items()
}
"""By the word that an event has for the error."""
_WORST_FIRST = (BUG, READER_GONE, CHANGED, INTEGRITY)
"""Which one wins where several jobs failed; among others, a difference is `MIXED`."""


def exit_code(error: BaseException) -> int:
    """What an error ends with: the row of its class, or of the nearest one above."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return next((_BY_ERROR[kind] for kind in kinds if kind in _BY_ERROR), BUG)


def exit_code_of(word: object) -> int:
    """What an error ends with of which an event has only the word."""
    return _BY_WORD.get(str(word), BUG)


def worst(codes: Iterable[int]) -> int:
    """One code for several jobs."""
    failed = {code for code in codes if code}
    for code in _WORST_FIRST:
        if code in failed:
            return code
    return MIXED if len(failed) > 1 else next(iter(failed), 0)
