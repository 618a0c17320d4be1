"""A program that runs in a session of its own, and the end of its process group.

Nothing it does reaches our terminal, and nothing typed at our terminal reaches
it. What it started belongs to its group, and ends with it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, cast

SHELL = "/bin/sh"


def signal_group(group: int, number: int) -> bool:
    """Send a signal to all of a group; whether there was anybody to get it."""
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses for zombies
        os.killpg(group, number)
        return True
    return False


class Program(asyncio.SubprocessProtocol):
    """A running program, the leader of its group."""

    def __init__(self) -> None:
        self.status: int | None = None
        """Its exit status, or minus the signal that ended it."""
        self.exited = asyncio.Event()
        self._on_exit: Callable[[], None] | None = None

    @classmethod
    async def start(cls, *arguments: str, **popen: Any) -> Self:
        """Raises OSError or ValueError where it cannot be started."""
        loop = asyncio.get_running_loop()
        _, program = await loop.subprocess_exec(
            cls, *arguments, start_new_session=True, **popen
        )
        return program

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    def signal(self, number: int) -> bool:
        """Send a signal to it and all that it started; whether any of them lives."""
        return signal_group(self.pid, number)

    def when_exited(self, call: Callable[[], None]) -> None:
        """Call when it has ended, or now if it has."""
        self._on_exit = call
        if self.exited.is_set():
            call()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def process_exited(self) -> None:
        self.status = self._transport.get_returncode()
        self._transport.close()
        self.exited.set()
        if self._on_exit is not None:
            self._on_exit()
