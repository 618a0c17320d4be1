"""The saved queue: what there was to do, and how far it had come.

A row a job, in a database of SQLite's. It has one owner at a time: the lock is
the system's, and goes with the process that held it, however that ended. What is
written is what a job becomes when the program starts again. The file holds
whole URLs and headers, and so is its owner's alone to read.

A file that makes no sense is kept under another name, and one that a later
version wrote is left alone.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from engine.config import check_header, check_url
from engine.errors import LocalError, QueueHeldError, UsageError
from engine.model import Digest, JobId, JobSpec, JobState, Pieces, Promise

VERSION = 1
NAME = "queue.db"
DAMAGED = ".damaged"
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE jobs (id INTEGER PRIMARY KEY, rank REAL NOT NULL, job TEXT NOT NULL);
CREATE TABLE numbers (last INTEGER NOT NULL);
INSERT INTO numbers VALUES (0);
PRAGMA user_version = 1;
COMMIT;
"""
_BESIDE = ("-wal", "-shm", "-journal")
"""Behind the name: what SQLite may keep beside a database."""
_WAIT = 0.1
"""Seconds: two that open it at the same moment may both find it locked."""
_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_DAMAGED = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
)
"""The first is for tables that are not what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A job as it is written down."""

    id: JobId
    rank: float
    """Its place: the order of the queue is that of the ranks."""
    spec: JobSpec
    began: str
    """The URL it began with, which is not its spec's once it has a fresh link."""
    state: JobState
    name: str
    size: int | None
    done: int
    verdict: str
    target: str


def default_path() -> Path:
    """Where the queue of this user is: in the platform's folder for state."""
    return user_state_path("hydra-tui", appauthor=False).absolute() / NAME


def open_store(path: Path) -> Store:
    """Open the queue in that file, or begin one, and be its owner.

    Raises QueueHeldError where somebody has it, LocalError where it cannot be
    opened here. A damaged one is moved aside; `Store.note` says so.
    """
    try:
        _make_private(path)
        try:
            return _load(path)
        except _DamagedError as damage:
            return _begin_anew(path, damage)
    except OSError as error:
        raise LocalError(f"{error.filename or path}: {error.strerror}") from error


class Store:
    """A queue on disk that is ours; one thread at a time may use it."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        jobs: Sequence[Saved] = (),
        last: JobId = 0,
        note: str = "",
    ) -> None:
        self.path = path
        self.jobs = jobs
        """What there was when it was opened, in order."""
        self.last = last
        """The highest number that any job of it ever had."""
        self.note = note
        """What people should know about how it was opened."""
        self._connection = connection

    def save(
        self, changed: Iterable[Saved], gone: Iterable[JobId], last: JobId
    ) -> None:
        """Write some jobs and forget others, all at once or not at all.

        Raises LocalError, and leaves what there was.
        """
        rows = [(saved.id, saved.rank, dump(saved)) for saved in changed]
        with _told(self.path), self._transaction():
            execute = self._connection.executemany
            execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", rows)
            execute("DELETE FROM jobs WHERE id = ?", [(job,) for job in gone])
            execute("UPDATE numbers SET last = ?", [(last,)])

    def close(self) -> None:
        """Let others have it."""
        with suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise


# -- opening ---------------------------------------------------------------------


class _DamagedError(LocalError):
    """The file makes no sense, or a part of it does not."""

    readable: Sequence[Saved] = ()
    last: JobId = 0


def _make_private(path: Path) -> None:
    """See that nobody else can read it, whatever the umask; what is beside it follows.

    It is not opened where it is there: closing it would give up every lock that this
    process has on it (fcntl(2)).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        path.chmod(0o600)


def _load(path: Path) -> Store:
    with _told(path):
        connection = sqlite3.connect(
            path, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
    try:
        with _told(path):
            _own(path, connection)
            rows = connection.execute("SELECT id, rank, CAST(job AS BLOB) FROM jobs")
            jobs, unreadable = _read(rows)
            last = _last(connection, jobs)
    except BaseException:
        connection.close()
        raise
    if unreadable:
        connection.close()
        raise _partly(path, unreadable, jobs, last)
    return Store(path, connection, jobs=jobs, last=last)


def _own(path: Path, connection: sqlite3.Connection) -> None:
    """Lock it for as long as the connection lives, and see that it is a queue."""
    execute = connection.execute
    execute("PRAGMA locking_mode = EXCLUSIVE")
    [(version,)] = execute("PRAGMA user_version")
    if version > VERSION:
        raise LocalError(f"{path}: a later version of hydra-tui wrote it")
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    if not version and not execute("SELECT * FROM sqlite_master").fetchall():
        connection.executescript(_SCHEMA)
    elif version != VERSION:
        raise _DamagedError(f"{path}: it is something else")
    [(verdict,)] = execute("PRAGMA quick_check(1)")
    if verdict != "ok":
        raise _DamagedError(f"{path}: {verdict}")
    execute("BEGIN EXCLUSIVE")
    execute("COMMIT")


def _last(connection: sqlite3.Connection, jobs: Sequence[Saved]) -> JobId:
    [(last,)] = connection.execute("SELECT max(last) FROM numbers")
    numbers = [job.id for job in jobs]
    return max([*numbers, last] if isinstance(last, int) else numbers, default=0)


def _partly(
    path: Path, unreadable: int, jobs: Sequence[Saved], last: JobId
) -> _DamagedError:
    what = "a job" if unreadable == 1 else f"{unreadable} jobs"
    damage = _DamagedError(f"{path}: {what} of it cannot be read")
    damage.readable, damage.last = jobs, last
    return damage


def _begin_anew(path: Path, damage: _DamagedError) -> Store:
    """Keep the file aside; what could be read of it is in the new one."""
    aside = path.with_name(path.name + DAMAGED)
    for end in ("", *_BESIDE):
        beside = path.with_name(path.name + end)
        aside.with_name(aside.name + end).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            beside.rename(aside.with_name(aside.name + end))
    _make_private(path)
    store = _load(path)
    store.jobs, store.last = damage.readable, damage.last
    store.save(store.jobs, (), store.last)
    store.note = f"the saved queue was damaged ({damage}); it is kept as {aside}"
    return store


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _HELD:
            raise QueueHeldError(f"{path}: another run has it open") from error
        kind = _DamagedError if code in _DAMAGED else LocalError
        raise kind(f"{path}: {error}") from error


# -- rows ------------------------------------------------------------------------


def dump(saved: Saved) -> str:
    """All but its number and its rank; ASCII, whatever was typed."""
    return json.dumps(
        {
            "spec": _dumped(saved.spec),
            "began": None if saved.began == saved.spec.url else saved.began,
            "state": saved.state,
            "name": saved.name,
            "size": saved.size,
            "done": saved.done,
            "verdict": saved.verdict,
            "target": saved.target,
        }
    )


def parse(number: JobId, rank: float, text: str | bytes) -> Saved:
    """What `dump` wrote; every value is checked. Raises ValueError."""
    try:
        return _saved(number, rank, json.loads(text))
    except (KeyError, TypeError, RecursionError, UsageError) as error:
        raise ValueError(f"no job: {error}") from error


def _read(rows: Iterable[tuple[JobId, float, bytes]]) -> tuple[list[Saved], int]:
    """The jobs in order, and how many rows are none."""
    jobs, unreadable = [], 0
    for row in rows:
        try:
            jobs.append(parse(*row))
        except ValueError:
            unreadable += 1
    return sorted(jobs, key=lambda job: (job.rank, job.id)), unreadable


def _dumped(spec: JobSpec) -> dict[str, Any]:
    checksum, pieces = spec.checksum, spec.pieces
    return {
        "url": spec.url,
        "directory": None if spec.directory is None else str(spec.directory),
        "name": spec.name,
        "checksum": checksum and [checksum.algorithm, checksum.hex],
        "headers": spec.headers,
        "given_for": spec.given_for,
        "threads": spec.threads,
        "limit": spec.limit,
        "command": spec.command,
        "mirrors": spec.mirrors,
        "promises": [_promised(promise) for promise in spec.promises],
        "pieces": pieces and [pieces.size, pieces.algorithm, pieces.hexes],
        "size": spec.size,
    }


def _promised(promise: Promise) -> tuple[str, str, str]:
    return promise.digest.algorithm, promise.digest.hex, promise.origin


def _saved(number: JobId, rank: float, fields: dict[str, Any]) -> Saved:
    state, spec, began = (
        JobState(fields["state"]),
        _spec(fields["spec"]),
        fields["began"],
    )
    if number < 1 or not isfinite(rank) or state.is_live:
        raise ValueError(f"no job: {number}, {rank}, {state}")
    return Saved(
        id=number,
        rank=rank,
        spec=spec,
        began=spec.url if began is None else _url(began),
        state=state,
        name=_typed(fields["name"], str),
        size=_count(fields["size"]),
        done=_count(fields["done"]) or 0,
        verdict=_typed(fields["verdict"], str),
        target=_typed(fields["target"], str),
    )


def _spec(fields: dict[str, Any]) -> JobSpec:
    directory, checksum = fields["directory"], fields["checksum"]
    return JobSpec(
        _url(fields["url"]),
        directory=None if directory is None else _folder(directory),
        name=_typed(fields["name"], str, None),
        checksum=checksum and Digest(*(_typed(part, str) for part in checksum)),
        headers=tuple(_header(*header) for header in fields["headers"]),
        given_for=_url(given_for) if (given_for := fields.get("given_for")) else "",
        threads=_count(fields["threads"]),
        limit=_typed(fields["limit"], float, int, None),
        command=_typed(fields["command"], str, None),
        mirrors=tuple(map(_url, fields.get("mirrors", ()))),
        promises=tuple(_promise(*one) for one in fields.get("promises", ())),
        pieces=_pieces(fields.get("pieces")),
        size=_count(fields.get("size")),
    )


def _promise(algorithm: Any, value: Any, origin: Any) -> Promise:
    digest = Digest(_typed(algorithm, str), _typed(value, str))
    return Promise(digest, _typed(origin, str))


def _pieces(fields: Any) -> Pieces | None:
    if fields is None:
        return None
    size, algorithm, hexes = fields
    length = _count(size)
    if not length:
        raise ValueError("pieces without a size")
    return Pieces(
        length, _typed(algorithm, str), tuple(_typed(one, str) for one in hexes)
    )


@lru_cache(maxsize=64)
def _folder(text: str) -> Path:
    """Most jobs share one, and making a Path takes as long as all the rest."""
    return Path(text)


def _url(text: Any) -> str:
    check_url(_typed(text, str))
    return str(text)


def _header(name: Any, value: Any) -> tuple[str, str]:
    check_header((_typed(name, str), _typed(value, str)))
    return name, value


def _count(value: Any) -> int | None:
    number: int | None = _typed(value, int, None)
    if number is not None and number < 0:
        raise ValueError("a negative number")
    return number


def _typed(value: Any, *kinds: type | None) -> Any:
    if (None if value is None else type(value)) in kinds:
        return value
    raise ValueError(f"{value!r:.40} is not {kinds}")
