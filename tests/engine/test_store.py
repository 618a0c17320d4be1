"""The queue on disk: what comes back, who may have it, and what is done with rubbish."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from engine.errors import LocalError, QueueHeldError
from engine.model import Digest, JobSpec, JobState
from engine.store import (
    DAMAGED,
    VERSION,
    Saved,
    Store,
    default_path,
    dump,
    open_store,
    parse,
)

URL = "https://example.org/data/file.bin?token=secret"
SPEC = JobSpec(
    URL,
    directory=Path("/data/out"),
    name="mine.bin",
    checksum=Digest("sha256", "0" * 64),
    headers=(("X-Key", "secret"), ("X-Other", "")),
    given_for="https://example.org/all.meta4",
    threads=3,
    limit=2.5e6,
    command="tar x",
)
REST = [state for state in JobState if not state.is_live]


def saved(number: int, rank: float | None = None, **more: Any) -> Saved:
    given: dict[str, Any] = {
        "spec": SPEC,
        "began": URL,
        "state": JobState.QUEUED,
        "name": "mine.bin",
        "size": 1 << 40,
        "done": 17,
        "verdict": "",
        "target": "/data/out/mine.bin",
    }
    rank = float(number) if rank is None else rank
    return Saved(id=number, rank=rank, **(given | more))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "hydra" / "queue.db"


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    with closing(open_store(path)) as store:
        yield store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- what comes back -------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=()))
URLS = st.sampled_from([URL, "http://u:p@h:1/\udcff", "https://[::1]/x#y"])


@given(
    state=st.sampled_from(REST),
    rank=st.floats(allow_nan=False, allow_infinity=False),
    url=URLS,
    began=URLS,
    text=ANY_TEXT,
    size=st.none() | st.integers(0, 10**19),
    limit=st.none() | st.floats(1, 1e12),
    threads=st.none() | st.integers(1, 128),
    plain=st.booleans(),
)
def test_a_row_says_all_there_is_to_say(
    *,
    state: JobState,
    rank: float,
    url: str,
    began: str,
    text: str,
    size: int | None,
    limit: float | None,
    threads: int | None,
    plain: bool,
) -> None:
    """Whatever was typed or came from a server: reading is the inverse of writing."""
    spec = JobSpec(url, threads=threads, limit=limit)
    if not plain:
        spec = replace(SPEC, url=url, name=text, command=text)
    job = saved(1, rank, spec=spec, began=began, state=state, size=size)
    job = replace(job, name=text, verdict=text, target=text)
    assert dump(job).isascii()
    assert parse(1, rank, dump(job)) == job


def test_what_was_saved_is_there_again(path: Path) -> None:
    """In the order of the ranks, with all that was said of each."""
    jobs = [saved(1, 5.0), saved(2, -1.0, state=JobState.DONE), saved(7, 0.5)]
    with opened(path) as store:
        assert not store.jobs
        store.save(jobs, [], 9)
    with opened(path) as store:
        assert list(store.jobs) == [jobs[1], jobs[2], jobs[0]]
        assert store.last == 9
        assert store.note == ""


def test_saving_changes_and_forgets(path: Path) -> None:
    """A row that is written again replaces the old one; what is gone is gone."""
    with opened(path) as store:
        store.save([saved(1), saved(2), saved(3)], [], 3)
        store.save([saved(2, done=99)], [1, 3, 77], 3)
    with opened(path) as store:
        assert list(store.jobs) == [saved(2, done=99)]


def test_a_number_is_never_given_again(path: Path) -> None:
    """The highest number survives the job that had it."""
    with opened(path) as store:
        store.save([saved(1), saved(8)], [], 8)
        store.save([], [1, 8], 8)
    with opened(path) as store:
        assert not store.jobs
        assert store.last == 8


def test_all_or_nothing(path: Path) -> None:
    """What cannot be written whole is not written at all, and is said."""
    with opened(path) as store:
        store.save([saved(1)], [], 1)
        store._connection.execute("PRAGMA max_page_count = 8")
        many = [saved(number, done=5) for number in range(1, 500)]
        with pytest.raises(LocalError, match=r"queue\.db: .*full"):
            store.save(many, [], 500)
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.save([saved(2)], [], 2)
    with opened(path) as store:
        assert list(store.jobs) == [saved(1), saved(2)]
        assert store.last == 2


# -- whose it is -----------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_nobody_else_can_read_it(path: Path, umask: int) -> None:
    """It holds secrets: the folder is 0700, and every file in it 0600."""
    before = os.umask(umask)
    try:
        with opened(path) as store:
            store.save([saved(1)], [], 1)
            found = {each.name: mode(each) for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700 & ~umask
    assert set(found) >= {"queue.db", "queue.db-wal"}
    assert {bits & 0o077 for bits in found.values()} == {0}
    assert all(bits & ~0o600 == 0 for bits in found.values())


def test_one_that_others_could_read_is_closed_to_them(path: Path) -> None:
    """However it came to be laxer."""
    with opened(path):
        pass
    path.chmod(0o644)
    with opened(path):
        assert mode(path) == 0o600


def test_it_has_one_owner(path: Path) -> None:
    """A second one is told so at once, and the first one does not notice."""
    with opened(path) as store:
        store.save([saved(1)], [], 1)
        for _ in range(2):
            with pytest.raises(QueueHeldError, match=r"queue\.db: another run"):
                open_store(path)
        store.save([saved(2)], [], 2)
    with opened(path) as store:
        assert [job.id for job in store.jobs] == [1, 2]


OWNER = """
import sys
from pathlib import Path
from engine.store import open_store
store = open_store(Path(sys.argv[1]))
print("mine", flush=True)
sys.stdin.read()
"""


@contextmanager
def owner(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the queue."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"mine\n"
            yield child
        finally:
            child.kill()


def test_an_owner_that_is_killed_leaves_it(path: Path) -> None:
    """Another process cannot have it, until the first is gone, however it went."""
    with owner(path) as child:
        with pytest.raises(QueueHeldError):
            open_store(path)
        child.send_signal(signal.SIGKILL)
        child.wait()
        with opened(path) as store:
            store.save([saved(1)], [], 1)


# -- rubbish ---------------------------------------------------------------------


def rubbish(path: Path) -> bytes:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database, and never was one" * 100)
    return path.read_bytes()


def test_a_damaged_file_is_kept_aside(path: Path) -> None:
    """It is not thrown away, a new queue is begun, and that is said."""
    data = rubbish(path)
    with opened(path) as store:
        assert not store.jobs
        assert "damaged" in store.note
        assert str(path) + DAMAGED in store.note
        store.save([saved(1)], [], 1)
    assert path.with_name(path.name + DAMAGED).read_bytes() == data
    with opened(path) as store:
        assert [job.id for job in store.jobs] == [1]
        assert store.note == ""


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["torn", "overwritten"])
def test_a_file_that_was_damaged_later(path: Path, share: float, kind: str) -> None:
    """Torn or written over, wherever it was: never a traceback."""
    with opened(path) as store:
        store.save([saved(number) for number in range(1, 300)], [], 300)
    at = int(path.stat().st_size * share)
    with path.open("r+b") as file:
        if kind == "torn":
            file.truncate(at)
        else:
            file.seek(at)
            file.write(b"\xa5" * 3000)
    with opened(path) as store:
        is_whole = len(store.jobs) == 299
        assert is_whole or "damaged" in store.note
        assert path.with_name(path.name + DAMAGED).exists() is not is_whole
        store.save([saved(500)], [], 500)


BAD_ROWS: list[tuple[Any, Any]] = [
    (1.0, "{"),
    (1.0, "[]"),
    (1.0, "17"),
    (1.0, b"\xff\xfe\x00"),
    (1.0, '{"spec": {}}'),
    ("high", dump(saved(2))),
    (1e999, dump(saved(2))),
    (1.0, dump(saved(2)).replace("queued", "running")),
    (1.0, dump(saved(2)).replace("queued", "lost")),
    (1.0, dump(saved(2)).replace("https:", "ftp:")),
    (1.0, dump(saved(2)).replace('"secret"', '"se\\ncret"')),
    (1.0, dump(saved(2)).replace("17", "-17")),
    (1.0, dump(saved(2)).replace("17", '"17"')),
    (1.0, dump(saved(2)).replace('"/data/out"', "[]")),
    (1.0, dump(saved(2)).replace('"sha256"', '"sha256", "x"')),
]


@pytest.mark.parametrize(("rank", "text"), BAD_ROWS)
def test_one_bad_row_costs_no_other(path: Path, rank: Any, text: Any) -> None:
    """What can be read of a damaged queue is there; the file is kept as it was."""
    with opened(path) as store:
        store.save([saved(1), saved(2), saved(3)], [], 8)
        row = (rank, text)
        store._connection.execute("UPDATE jobs SET rank = ?, job = ? WHERE id = 2", row)
    with opened(path) as store:
        assert list(store.jobs) == [saved(1), saved(3)]
        assert store.last == 8
        assert "a job of it cannot be read" in store.note
    with opened(path) as store:
        assert list(store.jobs) == [saved(1), saved(3)]
        assert store.last == 8
        assert store.note == ""
    assert path.with_name(path.name + DAMAGED).exists()


def test_a_second_damage_replaces_what_is_aside(path: Path) -> None:
    """Only the latest is kept, and nothing of the one before is mixed with it."""
    aside = path.with_name(path.name + DAMAGED)
    rubbish(path)
    aside.with_name(aside.name + "-wal").write_bytes(b"old")
    with opened(path):
        pass
    assert not aside.with_name(aside.name + "-wal").exists()
    path.write_bytes(b"other rubbish" * 1000)
    with opened(path):
        pass
    assert aside.read_bytes() == b"other rubbish" * 1000


STATEMENTS = [
    "CREATE TABLE other (x)",
    f"CREATE TABLE other (x); PRAGMA user_version = {VERSION}",
    "PRAGMA user_version = -3",
]


@pytest.mark.parametrize("statements", STATEMENTS)
def test_another_database_is_no_queue(path: Path, statements: str) -> None:
    """Somebody else's tables are kept aside, not written into."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
    with opened(path) as store:
        assert "damaged" in store.note
    assert path.with_name(path.name + DAMAGED).exists()


def test_a_later_version_is_left_alone(path: Path) -> None:
    """What a newer program wrote is not ours to judge, and not to be changed."""
    with opened(path) as store:
        store.save([saved(1)], [], 1)
        store._connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(LocalError, match="a later version") as raised:
        open_store(path)
    assert not isinstance(raised.value, QueueHeldError)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["queue.db"]


def test_an_empty_file_is_a_new_queue(path: Path) -> None:
    """A run that was killed when it had just made the file has left nothing else."""
    path.parent.mkdir(parents=True)
    path.touch()
    with opened(path) as store:
        assert not store.jobs
        assert store.note == ""


@pytest.mark.parametrize("way", ["a folder", "below a file"])
def test_where_it_cannot_be_is_told(path: Path, way: str) -> None:
    """An error of this machine, which names the file."""
    if way == "a folder":
        path.mkdir(parents=True)
    else:
        path.parent.parent.mkdir(parents=True)
        path.parent.touch()
    with pytest.raises(LocalError, match=str(path.parent)):
        open_store(path)


def test_it_lies_where_state_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the platform's folder for state, which the user may have moved."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_path() == tmp_path / "hydra-tui" / "queue.db"
    assert default_path().is_absolute()
