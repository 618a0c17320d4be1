"""Manners in a real terminal: signals, stalls, crashes, and what is left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l")
PATIENCE = 20.0


class Terminal:
    """A terminal with the app in it; what it wrote is kept."""

    def __init__(
        self, process: subprocess.Popen[bytes], master: int, report: Path
    ) -> None:
        self.process = process
        self.report = report
        self.seen = b""
        self._master = master

    def read(self, seconds: float) -> None:
        """Read for that long, or until there will be no more."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._master], [], [], min(left, 0.05))[0]:
                if self.process.poll() is not None:
                    return
                continue
            try:
                self.seen += os.read(self._master, 65_536)
            except OSError:
                return

    def wait_for(self, text: bytes) -> None:
        until = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < until, self.seen[-2000:]
            self.read(0.02)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> int:
        """Read until the app has ended; its exit code."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < until
            self.read(0.05)
        self.read(0.1)
        return self.process.returncode

    @property
    def is_restored(self) -> bool:
        return all(sequence in self.seen for sequence in RESTORED)


@contextmanager
def terminal(kind: str, tmp_path: Path, **environment: str) -> Iterator[Terminal]:
    report = tmp_path / "report"
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hydratui.steered", kind, str(report)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master, report)
    finally:
        process.kill()
        process.wait()
        os.close(master)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda n: n.name
)
def test_a_signal_ends_it_with_a_sane_terminal(
    number: signal.Signals, tmp_path: Path
) -> None:
    """128 and the signal, and the terminal as it was."""
    with terminal("moving", tmp_path) as screen:
        screen.wait_for(b"Throughput")
        screen.process.send_signal(number)
        assert screen.end() == 128 + number
        assert screen.is_restored


def test_a_terminal_that_stalls_stops_nobody(tmp_path: Path) -> None:
    """The loop goes on while nothing is read, and the screen is right afterwards."""
    with terminal("moving", tmp_path) as screen:
        screen.wait_for(b"Throughput")
        time.sleep(2.5)  # the stall is what is tested
        before = len(screen.seen)
        screen.type(b"2")
        screen.wait_for(b"[2 Lanes]")
        assert len(screen.seen) - before < 400_000
        screen.type(b"qq")
        assert screen.end() == 0
        gap, looks = screen.report.read_text().split()
        assert float(gap) < 0.5
        assert int(looks) > 2


def test_a_stalled_terminal_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM ends it within seconds, and what restores the terminal waits in it."""
    with terminal("moving", tmp_path) as screen:
        screen.wait_for(b"Throughput")
        time.sleep(1.5)  # long enough for the terminal to be full
        screen.process.send_signal(signal.SIGTERM)
        assert screen.process.wait(PATIENCE) == 128 + signal.SIGTERM
        screen.read(0.5)
        assert screen.is_restored


def test_stopping_gives_the_terminal_back_for_a_while(tmp_path: Path) -> None:
    """ctrl+z of the shell, and fg, as with any other program."""
    with terminal("moving", tmp_path) as screen:
        screen.wait_for(b"Throughput")
        screen.process.send_signal(signal.SIGTSTP)
        screen.wait_for(b"\x1b[?1049l")
        screen.seen = b""
        screen.process.send_signal(signal.SIGCONT)
        screen.wait_for(b"Throughput")
        assert b"\x1b[?1049h" in screen.seen
        screen.process.send_signal(signal.SIGTERM)
        assert screen.end() == 128 + signal.SIGTERM


def test_a_crash_restores_the_terminal_and_tells_no_secrets(tmp_path: Path) -> None:
    """Exit code 1 and a traceback of places, without values."""
    with terminal("crash", tmp_path) as screen:
        assert screen.end() == 1
        assert screen.is_restored
        said = screen.seen.decode(errors="replace")
        assert "a bug with" in said
        assert "hunter2" not in said


def test_hostile_names_write_nothing_but_text(tmp_path: Path) -> None:
    """No escape of theirs reaches the terminal, and NO_COLOR leaves no colour."""
    with terminal("hostile", tmp_path, NO_COLOR="1") as screen:
        screen.wait_for(b"Throughput")
        screen.type(b"1j2j3j4j5j6jqq")
        assert screen.end() == 0
    for leak in (b"\x1b]0;owned", b"\x1b[2Jwiped", b"\xc2\x9b31m", b"\x1b[31m"):
        assert leak not in screen.seen
    styled = re.findall(rb"\x1b\[([\d;]*)m", screen.seen)
    codes = {int(code or 0) for style in styled for code in style.split(b";")}
    assert not codes & {*range(30, 39), *range(40, 49), *range(90, 108)}
