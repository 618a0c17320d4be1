"""Standard error, without ever waiting for its reader but a moment at the end.

Whoever reads it may stand still: a pager, a terminal after ctrl+s. No download waits
for that, and no signal. Lines are kept meanwhile, as many as are worth it; those that
come when there are too many are lost.
"""

from __future__ import annotations

import os
import select
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TextIO

KEPT = 10_000
"""Lines that wait at most."""
LAST = 0.3
"""Seconds that the end waits."""
_AT_ONCE = select.PIPE_BUF
"""Bytes that a pipe takes without waiting, when it takes any (POSIX, `write`)."""


class Outlet:
    """Takes text; that nobody reads it is no reason to fail."""

    def __init__(self, out: TextIO) -> None:
        self.moves = out.isatty()
        """Whether a line can be written over."""
        self._out = out
        self._waiting: deque[bytes] = deque()
        self._file: int | None = None
        with suppress(OSError):  # it may be none of the system's
            self._file = out.fileno()

    def write(self, text: str) -> None:
        """Write a line, now or as soon as there is room for it."""
        if self._file is None:
            with suppress(OSError):
                self._out.write(text)
            return
        self._drain(self._file, 0)
        if len(self._waiting) < KEPT:
            self._waiting.append(text.encode(errors="backslashreplace"))
            self._drain(self._file, 0)

    def close(self) -> None:
        """Nothing more comes: wait a moment for those who still read."""
        if self._file is not None:
            self._drain(self._file, LAST)

    def _drain(self, file: int, within: float) -> None:
        due = monotonic() + within
        try:
            while self._waiting and _has_room(file, max(due - monotonic(), 0)):
                line = self._waiting.popleft()
                taken = os.write(file, line[:_AT_ONCE])
                if rest := line[taken:]:
                    self._waiting.appendleft(rest)
        except OSError:
            self._waiting.clear()


def _has_room(file: int, within: float) -> bool:
    _, ready, _ = select.select([], [file], [], within)
    return bool(ready)
