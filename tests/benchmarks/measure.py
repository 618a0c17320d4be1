"""One child process: how long, how much CPU, how much memory.

Peak memory is the high-water mark the kernel keeps, read while the child runs:
Linux carries `ru_maxrss` across exec, so a small program started from this one
would seem as big as this one.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

INTERVAL = 0.02
"""Between looks at the memory: what a child gains in its last moment may be missed."""


class RunError(Exception):
    """A run that can't be counted: it failed, took too long, or gave wrong bytes."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one child took."""

    code: int
    """Its exit code, or minus the signal that ended it."""
    wall: float
    cpu: float
    """Seconds of user and system time, its own children included."""
    rss: int


class Child:
    """A process being measured, from its start to the end of the `with`."""

    def __init__(
        self,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        files: Iterable[int],
        *,
        patience: float,
    ) -> None:
        """Start `argv` with `files` as its 0, 1, 2; it is killed after `patience` seconds."""
        self.started = time.perf_counter()
        self.pid = os.posix_spawnp(
            argv[0],
            argv,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)
            ],
            setsigdef=[signal.SIGPIPE],  # ours is ignored, and that is inherited
        )
        self._patience = patience
        self._peak = 0
        self._usage: Usage | None = None
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._usage is None:
            self.send(signal.SIGKILL)
            self.wait()

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> Usage:
        """Until it has ended."""
        _, status, spent = os.wait4(self.pid, 0)
        wall = time.perf_counter() - self.started
        self._ended.set()
        self._watcher.join()
        code = os.waitstatus_to_exitcode(status)
        most = self._peak or _bytes(spent.ru_maxrss)
        self._usage = Usage(code, wall, spent.ru_utime + spent.ru_stime, most)
        return self._usage

    def _watch(self) -> None:
        """Keep the newest high-water mark; end what outlives our patience."""
        while True:
            self._peak = max(self._peak, high_water(self.pid))
            if time.perf_counter() - self.started > self._patience:
                self.send(signal.SIGKILL)
            if self._ended.wait(INTERVAL):
                return


def high_water(pid: int) -> int:
    """Most bytes of memory that were resident at one time, 0 where nobody says."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _bytes(maxrss: int) -> int:
    """macOS counts bytes, everybody else KiB."""
    return maxrss if sys.platform == "darwin" else maxrss * 1024
