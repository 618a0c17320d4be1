"""How fast bytes may come: a token bucket that holds connections back exactly.

A body asks before it keeps what the network gave it. Told no, it pauses its
connection and is resumed when tokens return, first come first served, so that
many lanes share the rate evenly. The rate may change while they wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

REFILL = 0.01
"""Seconds between refills; finer than this the loop's own jitter shows."""
BURST = 0.05
"""Seconds of rate that may pile up while the loop is late: 1 % of five seconds."""
RESUMED = 0.0006
"""Seconds a body that is resumed may cost: what came meanwhile is read in one go."""


class TokenBucket:
    """Tokens are bytes; the last taker may go into debt, the next one waits."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = 0.0
        self._last = now

    def has_tokens(self, now: float) -> bool:
        if now > self._last:
            gained = (now - self._last) * self.rate
            self._tokens = min(self._tokens + gained, self.rate * BURST)
            self._last = now
        return self._tokens > 0

    def take(self, size: int) -> None:
        self._tokens -= size


class Limiter:
    """A live limit on bytes per second; under a parent, both limits hold."""

    def __init__(self, rate: float | None = None, parent: Limiter | None = None):
        self._parent = parent
        self._bucket = None if rate is None else TokenBucket(rate, monotonic())
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._serving = False
        self._denials = 0

    @property
    def rate(self) -> float | None:
        """Bytes per second, or None where nothing is limited."""
        return self._bucket.rate if self._bucket else None

    @rate.setter
    def rate(self, rate: float | None) -> None:
        if rate is None:
            self._bucket = None
        elif self._bucket is None:
            self._bucket = TokenBucket(rate, monotonic())
        else:
            self._bucket.rate = rate
        self._serve()

    @property
    def tightest(self) -> float | None:
        """The lower of this limit and the ones above it."""
        above = self._parent.tightest if self._parent else None
        rates = [rate for rate in (self.rate, above) if rate is not None]
        return min(rates, default=None)

    @property
    def denials(self) -> int:
        """How often somebody was told to wait; grows while a limit binds."""
        return self._denials + (self._parent.denials if self._parent else 0)

    def admit(self, size: int, resume: Callable[[], None]) -> bool:
        """Take `size` tokens, or say no and call `resume` when it is time to ask again."""
        bucket = self._bucket
        if bucket is None and self._parent is None:
            return True
        if bucket is not None and not self._is_free(bucket):
            self._queue(resume)
            return False
        if self._parent is not None and not self._parent.admit(size, resume):
            return False
        if bucket is not None:
            bucket.take(size)
        return True

    def close(self) -> None:
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()

    def _is_free(self, bucket: TokenBucket) -> bool:
        first_in_line = self._serving or not self._waiting
        return first_in_line and bucket.has_tokens(monotonic())

    def _queue(self, resume: Callable[[], None]) -> None:
        self._denials += 1
        self._waiting.append(resume)
        self._serve_later()

    def _serve_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(REFILL, self._serve)

    def _serve(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._serving = True
        try:
            for _ in range(len(self._waiting)):
                if self._bucket and not self._bucket.has_tokens(monotonic()):
                    break
                self._waiting.popleft()()
        finally:
            self._serving = False
            if self._waiting:
                self._serve_later()


class Turn:
    """How long the callbacks of one turn of the event loop may take together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.budget: float | None = None
        """Seconds; None where nobody watches, and a turn takes what it takes."""
        self._loop = loop
        self._began: float | None = None
        self._waiting: deque[Callable[[], None]] = deque()

    def admits(self, resume: Callable[[], None]) -> bool:
        """Whether there is time left; if not, `resume` is called in a later turn.

        The first in a turn always has time: bytes move, however short turns are.
        """
        if self.budget is None:
            return True
        if self._began is None:
            self._begin()
            return True
        if not self._is_over():
            return True
        self._waiting.append(resume)
        return False

    def resume(self, resume: Callable[[], None]) -> None:
        """Call it now where nobody watches, else in a turn that has room for it.

        Time alone would not bound this: resuming is quick, and what it sets off is
        read later in the turn, for all of them at once.
        """
        if self.budget is None:
            resume()
            return
        self._waiting.append(resume)
        if self._began is None:
            self._begin()

    def _begin(self) -> None:
        self._began = monotonic()
        self._loop.call_soon(self._next)

    def _is_over(self) -> bool:
        if self.budget is None or self._began is None:
            return False
        return monotonic() - self._began >= self.budget

    def _next(self) -> None:
        """A new turn: those who waited go first, within its budget too."""
        self._began = None
        room = len(self._waiting)
        if self.budget is not None:
            room = min(room, max(1, int(self.budget / RESUMED)))
        try:
            while room and not self._is_over():
                room -= 1
                self._waiting.popleft()()
        finally:
            if self._waiting and self._began is None:
                self._begin()
