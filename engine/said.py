"""What a program prints: the latest lines, and those worth an event.

However much it is, little of it is kept: a program may print gigabytes. How a
line looks is decided as a terminal would, by what follows its last carriage
return.
"""

from __future__ import annotations

KEPT = 16 * 1024
"""Bytes."""
LINES = 50
LONGEST = 500
"""Bytes of a line; the rest of it is dropped."""
FIRST = 20
"""Lines that are told as they come, if they come after silence."""
PER_SECOND = 3.0
"""Lines that are told when there are many."""


class Said:
    """The bounded memory of what was printed."""

    def __init__(self, now: float) -> None:
        self._tail = bytearray()
        self._is_cut = False
        self._begun = b""
        """The line that has no end yet."""
        self._allowance, self._at = float(FIRST), now

    @property
    def lines(self) -> tuple[str, ...]:
        """The latest, oldest first."""
        lines = bytes(self._tail).split(b"\n")
        if not lines[-1]:
            lines.pop()
        if self._is_cut and len(lines) > 1:
            del lines[0]
        return tuple(map(_shown, lines[-LINES:]))

    @property
    def last(self) -> str:
        """The last line that says anything, as one line of printable words."""
        words = (" ".join(line.split()) for line in reversed(self.lines))
        return next(filter(None, words), "")

    def hear(self, piece: bytes, now: float) -> list[str]:
        """Keep what was printed; the lines of it that are to be told."""
        self._keep(piece)
        self._refill(now)
        *lines, rest = (self._begun + piece).split(b"\n", int(self._allowance))
        rest = rest.rpartition(b"\n")[2]
        self._begun = rest if len(rest) <= LONGEST else _visible(rest)[:LONGEST]
        self._allowance -= len(lines)
        return [line for line in map(_shown, lines) if line.strip()]

    def end(self, now: float) -> list[str]:
        """Nothing more comes: the last line is told without its end."""
        return self.hear(b"\n", now) if self._begun else []

    def _keep(self, piece: bytes) -> None:
        self._tail += piece[-KEPT:]
        self._is_cut |= len(piece) > KEPT or len(self._tail) > KEPT
        del self._tail[:-KEPT]

    def _refill(self, now: float) -> None:
        gained = (now - self._at) * PER_SECOND
        self._allowance, self._at = min(self._allowance + gained, FIRST), now


def _visible(line: bytes) -> bytes:
    return line.removesuffix(b"\r").rpartition(b"\r")[2]


def _shown(line: bytes) -> str:
    return _visible(line)[:LONGEST].decode(errors="replace")
