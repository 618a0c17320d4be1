"""What a fault costs: a nap, a smaller window, or the end.

One patience serves a probe or a transfer with all its lanes. It is here that
what the server said (`Retry-After`, 429, 503) reaches the window, which is
shared by everything on the same host.
"""

from __future__ import annotations

import random
from time import monotonic

from engine.errors import Denied, Fault
from engine.model import Tell
from engine.retry import CONGESTION, Backoff
from engine.window import Window

GIVE_UP_AFTER = 300.0
UNREACHABLE_FOR = 10.0
"""Seconds for a host that nobody has reached yet, where the user typed no number."""


class Patience:
    """How long one piece of work goes on trying; `typed` is --give-up-after."""

    def __init__(self, typed: float | None, on_retry: Tell) -> None:
        self._unreachable_for = UNREACHABLE_FOR if typed is None else typed
        self._on_retry = on_retry
        give_up_after = GIVE_UP_AFTER if typed is None else typed
        self._backoff = Backoff(give_up_after, monotonic(), random.random)

    def progressed(self, size: int) -> None:
        """Bytes nobody had before: they restore patience."""
        self._backoff.progressed(size, monotonic())

    def excuse(self, seconds: float) -> None:
        """We stood still ourselves: paused, throttled, asleep, or our reader was."""
        self._backoff.excuse(seconds)

    def charge(self, fault: Fault, window: Window, *, reached: bool) -> float:
        """Seconds to nap before asking again; the window learns of it at once.

        `reached` says whether this host has served us before. Raises the error
        that the fault becomes when patience is out.
        """
        now = monotonic()
        hopeless = fault.unreachable and not reached
        delay = self._backoff.failed(now, self._unreachable_for if hopeless else None)
        if delay is None:
            raise fault.in_the_end() from fault
        if fault.status in CONGESTION or isinstance(fault, Denied):
            window.cut(str(fault), now)
        if fault.lost:
            window.lost()
        if fault.retry_after is not None:
            window.close_until(now + fault.retry_after)
            delay = max(delay, fault.retry_after)
        self._on_retry(
            f"{fault}, again in {delay:.1f} s",
            host=window.host,
            reason=str(fault),
            status=fault.status,
            wait=delay,
        )
        return delay
