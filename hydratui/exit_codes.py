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


BUG = 1
USAGE = 2
CHANGED = 6
INTEGRITY = 5
MIXED = 8
READER_GONE = 141

OUTCOMES = (
    Outcome(0, "everything is complete and verified, or there was nothing to do"),
    Outcome(BUG, "a bug of ours"),
    Outcome(USAGE, "usage or configuration; nothing was started", "UsageError"),
    Outcome(3, "network: no progress for --give-up-after", "NetworkError"),
    Outcome(4, "the server refused for good or cannot be trusted", "RefusedError"),
    Outcome(INTEGRITY, "a digest did not match, or the length", "IntegrityError"),
    Outcome(CHANGED, "the remote file changed, and that is final", "ChangedError"),
    Outcome(7, "this machine: space, permission, a lock, a name", "LocalError"),
    Outcome(MIXED, "several files failed for different reasons"),
    Outcome(128 + signal.SIGHUP, "SIGHUP; the state was saved"),
    Outcome(128 + signal.SIGINT, "SIGINT; the state was saved"),
    Outcome(READER_GONE, "the reader of the stream went away", "ReaderGoneError"),
    Outcome(128 + signal.SIGTERM, "SIGTERM; the state was saved"),
)
_BY_ERROR = {outcome.error: outcome.code for outcome in OUTCOMES if outcome.error}
_WORST_FIRST = (BUG, READER_GONE, CHANGED, INTEGRITY)
"""Which one wins where several jobs failed; among others, a difference is `MIXED`."""


def exit_code(error: BaseException) -> int:
    """What an error ends with: the row of its class, or of the nearest one above."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return next((_BY_ERROR[kind] for kind in kinds if kind in _BY_ERROR), BUG)


def worst(codes: Iterable[int]) -> int:
    """One code for several jobs."""
    failed = {code for code in codes if code}
    for code in _WORST_FIRST:
        if code in failed:
            return code
    return MIXED if len(failed) > 1 else next(iter(failed), 0)
