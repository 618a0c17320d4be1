"""The log file of a run: one line for each thing that happened.

Each run has a file of its own in the platform's state folder, which only its owner
can read. A file that has grown too long is set aside once, and of the runs only the
latest are kept, but none that still goes on: it holds a lock on its file.

Lines are gathered, and written once a second, or when there are many: what a run is
slowed down by is not their number. So a run that is killed loses the last second.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_state_path

from engine import EngineSnapshot, Event, LocalError
from hydratui.reporters import Failure, Reporter, stamp
from hydratui.text import safe

LONGEST = 5 * 1024 * 1024
"""Bytes of a file; with the one that was set aside, a run has twice as much."""
KEPT = 20
"""Runs."""
GATHERED = 500
"""Lines that are written together at most."""
ASIDE = ".1"
"""Behind the name of what was set aside."""


def log_folder() -> Path:
    """Where the log files are."""
    return user_state_path("hydra-tui") / "log"


class LogFile(Reporter):
    """Writes everything down. When it cannot, it stops; the run goes on."""

    def __init__(self, folder: Path, *, longest: int = LONGEST) -> None:
        """Begin a file of its own. Raises LocalError."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}.log"
        self.path = folder / name
        self._longest = longest
        self._lines: list[str] = []
        self._size = 0
        self._file: int | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _begin(self.path)
        except OSError as error:
            raise LocalError(f"{error.strerror}: {folder}") from None
        prune(folder, KEPT)

    def begin(self, words: str) -> None:
        """What is run, as it was typed."""
        self._note(words)
        self._flush()

    def hear(self, event: Event) -> None:
        self._add(event.job, event.kind, event.text, event.at)

    def look(self, _snapshot: EngineSnapshot) -> None:
        self._flush()

    def leave(self, _snapshot: EngineSnapshot) -> None:
        self._flush()

    def warn(self, text: str) -> None:
        self._note(f"warning: {text}")

    def trace(self, text: str) -> None:
        """A line of what curl says."""
        self._add(0, "curl", text)

    def fail(self, failure: Failure) -> None:
        about = f"{failure.about}: " if failure.about else ""
        self._note(f"error: {about}{failure.reason}")
        for text in failure.trace.splitlines():
            self._note(text)

    def end(self, code: int) -> None:
        self._note(f"ended with {code}")
        self._flush()
        self._stop()

    def _note(self, text: str) -> None:
        self._add(0, "run", text)

    def _add(self, job: int, kind: str, text: str, at: float | None = None) -> None:
        self._lines.append(f"{stamp(at)} #{job} {kind:<8} {safe(text)}\n")
        if len(self._lines) >= GATHERED:
            self._flush()

    def _flush(self) -> None:
        data = "".join(self._lines).encode(errors="backslashreplace")
        self._lines.clear()
        if self._file is None or not data:
            return
        try:
            if self._size + len(data) > self._longest:
                self._turn()
            self._size += _write(self._file, data)
        except OSError:
            self._stop()

    def _turn(self) -> None:
        """Set the file aside, in the place of what was set aside before."""
        self._stop()
        self.path.replace(_aside(self.path))
        self._file, self._size = _begin(self.path), 0

    def _stop(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def prune(folder: Path, kept: int) -> None:
    """Remove all but the latest runs, as far as they are over."""
    with suppress(OSError):
        runs = sorted(path for path in folder.iterdir() if path.suffix == ".log")
        for path in runs[: max(len(runs) - kept, 0)]:
            with suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    """Raises OSError where its run still goes on."""
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
        _aside(path).unlink(missing_ok=True)
    finally:
        os.close(file)


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ASIDE)


def _begin(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with suppress(OSError):  # not every file system has locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _write(file: int, data: bytes) -> int:
    """All of it; how much that is."""
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    return len(data)
