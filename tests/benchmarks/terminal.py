"""A terminal with a program in it, and somebody who types and looks."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 30.0
KEPT = 4096
"""Bytes of the latest output in which a text may lie."""


class Terminal:
    """What it shows is read all the time, as a terminal does, and forgotten."""

    def __init__(self, command: Sequence[str], columns: int, rows: int) -> None:
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=REPOSITORY,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._master)

    def read(self, seconds: float) -> None:
        """Look for that long."""
        ends = time.perf_counter() + seconds
        while (left := ends - time.perf_counter()) > 0 and self._more(left) is not None:
            pass

    def latency(self, keys: bytes, text: bytes) -> float | None:
        """Type, and look until the text is written; how long that took.

        None where the program ends before.
        """
        while self._more(0.0):
            pass
        began = time.perf_counter()
        os.write(self._master, keys)
        return time.perf_counter() - began if self.wait_for(text) else None

    def wait_for(self, text: bytes) -> bool:
        """Look until the text is written; whether it was, before the program ended."""
        seen, ends = b"", time.perf_counter() + PATIENCE
        while text not in seen:
            data = self._more(ends - time.perf_counter())
            if data is None:
                return False
            if not data:
                raise TimeoutError(f"no {text!r} after {seen[-200:]!r}")
            seen = seen[-KEPT:] + data
        return True

    def end(self) -> None:
        """Look until the program has ended."""
        ends = time.perf_counter() + PATIENCE
        while self._more(ends - time.perf_counter()):
            pass
        if self._process.wait(PATIENCE):
            raise RuntimeError(f"ended with {self._process.returncode}")

    def _more(self, seconds: float) -> bytes | None:
        """What is written next; nothing when time is up, None when all is over."""
        if not select.select([self._master], [], [], max(seconds, 0.0))[0]:
            return b""
        try:
            return os.read(self._master, 1 << 16)
        except OSError:  # nobody has the other end any more
            return None
