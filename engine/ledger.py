"""What was completed on this machine, so that the same batch run again does nothing.

A server may send no date that could be compared with a file's. So each file that
was completed is written down: where it is, which URL it came from (no query, no
userinfo), what the server said of it then, and the digest it was shown to have. A
file counts as that one only while nobody has touched it since.

It is a convenience that several runs share. One that cannot be read or written
costs nothing but another look at what is there.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from engine.errors import LocalError
from engine.model import Digest, RemoteFile

NAME = "completed.db"
KEPT = 100_000
"""Files that are remembered; the latest ones."""
_WAIT = 0.5
"""Seconds that another run may have it locked."""
_GATHERED = 0.25
"""Seconds in which files come together, to be written at once: one by one they cost
more than a small file does."""
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS files (
  target BLOB PRIMARY KEY, url BLOB NOT NULL, size INTEGER NOT NULL,
  modified INTEGER NOT NULL, etag TEXT, last_modified TEXT, algorithm TEXT, hex TEXT
);
CREATE INDEX IF NOT EXISTS urls ON files (url);
PRAGMA user_version = {_VERSION};
"""
_INSERT = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BESIDE = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A file as it was when it was completed."""

    target: Path
    """Absolute."""
    url: str
    """Without query and userinfo."""
    size: int
    etag: str | None = None
    last_modified: str | None = None
    digest: Digest | None = None
    """What it was shown to have."""
    modified: int = 0
    """Of the file here, in nanoseconds of the epoch."""

    @property
    def remote(self) -> RemoteFile:
        """What the server had then."""
        return RemoteFile(
            url=self.url,
            size=self.size,
            ranges=True,
            name=self.target.name,
            etag=self.etag,
            last_modified=self.last_modified,
        )


class Ledger:
    """The completed files of this user; any thread may use it, and several runs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._fresh: dict[Path, Completed] = {}
        """Those that are not written yet."""
        self._fresh_urls: set[str] = set()
        self._closing = threading.Event()
        self._writer = ThreadPoolExecutor(1, "hydra-ledger")

    def find(self, target: Path) -> Completed | None:
        """The file at that place, if it is still as it was completed."""
        target = _absolute(target)
        with self._lock:
            entry = self._fresh.get(target) or self._read(target)
        return entry if entry is not None and _is_untouched(entry) else None

    def knows(self, url: str) -> bool:
        """Whether anything was ever completed from that URL."""
        with self._lock:
            return url in self._fresh_urls or bool(
                self._select("SELECT 1 FROM files WHERE url = ? LIMIT 1", url)
            )

    def add(self, entry: Completed) -> None:
        """Write a file down, soon; its time is taken now."""
        target = _absolute(entry.target)
        with suppress(OSError):
            modified = os.stat(target).st_mtime_ns  # noqa: PTH116  # half the price
            with self._lock:
                self._fresh[target] = replace(entry, target=target, modified=modified)
                self._fresh_urls.add(entry.url)
                is_first = len(self._fresh) == 1
            if is_first:
                self._writer.submit(self._write)

    def close(self) -> None:
        """Write what is left, and let go of it."""
        self._closing.set()
        self._writer.shutdown()
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    def _write(self) -> None:
        """All that comes together in a moment, at once."""
        self._closing.wait(_GATHERED)
        with self._lock:
            rows = [_row(entry) for entry in self._fresh.values()]
            with suppress(sqlite3.Error), self._connection as transaction:
                transaction.executemany(_INSERT, rows)
            self._fresh.clear()
            self._fresh_urls.clear()

    def _read(self, target: Path) -> Completed | None:
        rows = self._select("SELECT * FROM files WHERE target = ?", str(target))
        return _entry(rows[0]) if rows else None

    def _select(self, query: str, text: str) -> list[tuple[Any, ...]]:
        with suppress(sqlite3.Error):
            return self._connection.execute(query, (os.fsencode(text),)).fetchall()
        return []


def ledger_path() -> Path:
    """Where this user's is: in the platform's folder for state."""
    return user_state_path("hydra-tui", appauthor=False).absolute() / NAME


def open_ledger(path: Path) -> Ledger:
    """Open it, or begin one; what makes no sense is thrown away.

    Raises LocalError where that cannot be done here.
    """
    with _told(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        try:
            return Ledger(_connected(path))
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for end in _BESIDE:
                path.with_name(path.name + end).unlink(missing_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            return Ledger(_connected(path))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of system and library as ours."""
    try:
        yield
    except OSError as error:
        raise LocalError(f"{error.filename or path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise LocalError(f"{path}: {error}") from error


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _make_tables(path, connection)
        _forget_the_oldest(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(path: Path, connection: sqlite3.Connection) -> None:
    [(version,)] = connection.execute("PRAGMA user_version")
    if version > _VERSION:
        raise LocalError(f"{path}: a later version of hydra-tui wrote it")
    if version < _VERSION:
        connection.executescript(_SCHEMA)


def _forget_the_oldest(connection: sqlite3.Connection) -> None:
    """A row that is written anew is the latest again."""
    with connection:
        connection.execute(
            "DELETE FROM files WHERE rowid <= (SELECT max(rowid) FROM files) - ?",
            (KEPT,),
        )


def _absolute(target: Path) -> Path:
    return target if target.is_absolute() else Path(os.path.abspath(target))  # noqa: PTH100


def _is_untouched(entry: Completed) -> bool:
    with suppress(OSError):
        status = os.lstat(entry.target)
        return (status.st_size, status.st_mtime_ns) == (entry.size, entry.modified)
    return False


def _row(entry: Completed) -> tuple[object, ...]:
    """Names are bytes: they may be in no encoding at all."""
    digest = entry.digest
    return (
        os.fsencode(entry.target),
        os.fsencode(entry.url),
        entry.size,
        entry.modified,
        entry.etag,
        entry.last_modified,
        digest and digest.algorithm,
        digest and digest.hex,
    )


def _entry(row: tuple[Any, ...]) -> Completed:
    target, url, size, modified, etag, last_modified, algorithm, value = row
    return Completed(
        target=Path(os.fsdecode(target)),
        url=os.fsdecode(url),
        size=size,
        modified=modified,
        etag=etag,
        last_modified=last_modified,
        digest=Digest(algorithm, value) if algorithm and value else None,
    )
