"""Virtual time: an event loop whose clock jumps to the next timer.

Nothing may wait for a thread or a socket: they would need time that does not pass.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")

BEGINNING = 1_000.0
"""What the clock shows first: no policy may depend on its being small."""


class StandstillError(AssertionError):
    """Everybody waits, and no timer will ever wake anybody."""


class Jump(selectors.SelectSelector):
    """Instead of waiting it lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGINNING

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StandstillError
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready at once, and then what comes next."""

    def __init__(self) -> None:
        self._jump = Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


@contextmanager
def told_by(now: Callable[[], float]) -> Iterator[None]:
    """Let every module of the engine read this clock."""
    clock = SimpleNamespace(
        monotonic=now, clock_gettime=lambda _: now(), CLOCK_MONOTONIC=0
    )
    with ExitStack() as stack:
        for name, module in sorted(sys.modules.items()):
            is_ours = name.startswith("engine.")
            if is_ours and getattr(module, "monotonic", None) is time.monotonic:
                stack.enter_context(patch.object(module, "monotonic", now))
        stack.enter_context(patch("engine.heartbeat.time", clock))
        yield


def run(main: Callable[[], Coroutine[Any, Any, T]], seed: int) -> T:
    """Run it to its end in virtual time; the same seed gives the same run."""
    state = random.getstate()
    random.seed(seed)
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            loop = runner.get_loop()
            with told_by(loop.time):
                return runner.run(main())
    finally:
        random.setstate(state)
