"""The life of a job as a table: which state may follow which.

A state that is final has no way out, but for an expired link: that is an end
which may be undone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from engine.model import JobState

_S = JobState
MOVES: dict[JobState, frozenset[JobState]] = {
    _S.QUEUED: frozenset({_S.PROBING, _S.PAUSED, _S.CANCELLED}),
    _S.PROBING: frozenset({_S.RUNNING, _S.PAUSED, _S.FAILED, _S.EXPIRED, _S.CANCELLED}),
    _S.RUNNING: frozenset(
        {_S.PROBING, _S.VERIFYING, _S.PAUSED, _S.FAILED, _S.EXPIRED, _S.CANCELLED}
    ),
    _S.VERIFYING: frozenset({_S.RUNNING, _S.DONE, _S.PAUSED, _S.FAILED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.EXPIRED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Milestones:
    """What others wait for; each is set at the latest when the job is over."""

    probed: asyncio.Event = field(default_factory=asyncio.Event)
    """The name is known."""
    received: asyncio.Event = field(default_factory=asyncio.Event)
    """Every byte is here."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self) -> None:
        for reached in (self.probed, self.received, self.finished):
            reached.set()

    def withdraw(self) -> None:
        """The end was none: the name stays known."""
        self.received.clear()
        self.finished.clear()
