"""What limits a job, in one word that many looks agree on.

Things queue before the narrowest place, so each look asks where most of the lanes
are. A single look flickers: lanes land and take off, a reader takes a bite and
rests. So a look is a vote, and the word is changed only when another one is well
ahead in the last few seconds. The rules, the first that holds:

1. most lanes are held back by a limit of ours: the throttle;
2. most lanes wait for the sink: the disk, or the reader of a stream;
3. nothing more may be fetched while the reader of a stream has bytes to use: he
   is what everything waits for;
4. most lanes were turned away: the server;
5. nothing more may be fetched, and the reader has nothing: the head of the line;
6. most lanes wait long for their first byte, or the window is small because the
   host refused more: the server;
7. otherwise bytes come as fast as the way brings them: the network.

Where no lane flies only a reader who is busy, or a host that asked to be left
alone, can be the limit; otherwise nobody votes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.model import Bottleneck

SPAN = 3.0
"""Seconds that a vote counts."""
QUORUM = 5
"""Votes before the first word: half a second of looks."""
LEAD = 0.25
"""By what share of all votes another word must be ahead to replace the one that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What one look at a job finds; counts are of its lanes."""

    lanes: int = 0
    throttled: int = 0
    """Held back by a limit."""
    storing: int = 0
    """Waiting for the sink to take what they have."""
    refused: int = 0
    """Waiting because the server answered with something else than the file."""
    unanswered: int = 0
    """Waiting for their first byte, and long."""
    in_order: bool = False
    """Whether the bytes go to a reader."""
    is_reader_busy: bool = False
    """Whether the reader has bytes that it has not used yet."""
    is_at_horizon: bool = False
    """Whether the sink wants nothing more yet."""
    is_closed: bool = False
    """Whether the host asked to be left alone for a while."""
    is_cut: bool = False
    """Whether the host has lately refused more lanes."""

    def most(self, lanes: int) -> bool:
        return 2 * lanes > self.lanes


def cause(seen: Signs) -> Bottleneck | None:
    """What one look says is the limit; None where there is nothing to limit."""
    if not seen.lanes:
        return _on_the_ground(seen)
    is_late = seen.most(seen.unanswered)
    rules = (
        (seen.most(seen.throttled), Bottleneck.THROTTLE),
        (seen.most(seen.storing) and not seen.in_order, Bottleneck.DISK),
        (seen.most(seen.storing), Bottleneck.READER),
        (seen.is_at_horizon and seen.is_reader_busy, Bottleneck.READER),
        (seen.most(seen.refused), Bottleneck.SERVER),
        (seen.is_at_horizon, Bottleneck.HEAD),
        (is_late or seen.is_cut, Bottleneck.SERVER),
    )
    return next((word for holds, word in rules if holds), Bottleneck.NETWORK)


def _on_the_ground(seen: Signs) -> Bottleneck | None:
    """With no lane in the air somebody wants none: the reader, or the host."""
    if seen.is_reader_busy:
        return Bottleneck.READER
    return Bottleneck.SERVER if seen.is_closed else None


class Tally:
    """The votes of the last few seconds, and the word they agree on."""

    __slots__ = ("_votes", "word")

    def __init__(self) -> None:
        self.word = Bottleneck.NETWORK
        self._votes: list[tuple[float, Bottleneck]] = []

    def look(self, seen: Signs, now: float) -> None:
        """Let one look vote, and forget the votes that are too old."""
        self._votes = [vote for vote in self._votes if vote[0] > now - SPAN]
        word = cause(seen)
        if word is not None:
            self._votes.append((now, word))
            self._decide()

    def _decide(self) -> None:
        count = Counter(word for _, word in self._votes)
        leader, most = count.most_common(1)[0]
        votes = len(self._votes)
        if votes >= QUORUM and most - count[self.word] >= LEAD * votes:
            self.word = leader
