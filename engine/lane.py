"""One connection of a transfer and what it is fetching just now."""

from __future__ import annotations

import asyncio

from engine.meter import Meter
from engine.mirrors import Mirror
from engine.model import LaneSnapshot, LaneState
from engine.plan import Segment
from engine.transport import Response


class Lane:
    """One connection's worker, as far as others may look at it."""

    def __init__(
        self,
        segment: Segment,
        mirror: Mirror,
        now: float,
        response: Response | None = None,
    ) -> None:
        self.number = segment.lane
        self.mirror = mirror
        """Whom it asks."""
        self.response = response
        """Flowing, or None while there is none: before the answer, and in a nap."""
        self.task: asyncio.Task[None] | None = None
        self.is_dismissed = False
        self.is_renewed = False
        self.is_expected = response is None
        """Whether it has taken off and has had no byte yet."""
        self.ask(segment, now)
        if response is not None:
            self.state = LaneState.RECEIVING

    def ask(self, segment: Segment, now: float) -> None:
        """Begin a request: its rate counts from here, waiting included."""
        self.segment = segment
        self.is_renewed = False
        self.asked_at = self.heard_at = now
        self.asked_stop = segment.stop
        """Where the answer will end, wherever the segment's stop goes meanwhile."""
        self.meter = Meter(now)
        self.state = LaneState.CONNECTING
        self.note = ""
        self.is_refused = False
        """Whether it naps because the server answered with something else."""

    @property
    def is_held(self) -> bool:
        """Whether we hold it back ourselves."""
        return self.response is not None and self.response.is_held

    @property
    def is_throttled(self) -> bool:
        """Whether the limit holds it back."""
        return self.response is not None and self.response.is_throttled

    def waits_since(self, then: float) -> bool:
        """Whether it has asked by then, and has had no byte of an answer."""
        return self.state is LaneState.CONNECTING and self.asked_at <= then

    def dismiss(self) -> None:
        """Land now: what is missing of the segment is for somebody else."""
        self.is_dismissed = True
        if self.response is not None:
            self.response.abandon()
        elif self.task is not None:
            self.task.cancel()  # it waits for its answer, or naps

    def renew(self) -> None:
        """Go on over a new connection: this one may be dead without knowing it."""
        if self.response is not None:
            self.is_renewed = True
            self.response.abandon()

    def snapshot(self, now: float) -> LaneSnapshot:
        return LaneSnapshot(
            number=self.number,
            state=LaneState.HELD if self.is_held else self.state,
            range=self.segment.range,
            mark=min(self.segment.mark, max(self.segment.stop, self.segment.start)),
            rate=self.meter.rate(now),
            racing=self.segment.rival is not None,
            note=self.note,
            host=self.mirror.host,
        )
