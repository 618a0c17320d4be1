"""The files that were completed here, as several runs know them."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, strategies as st

from engine import ledger as module
from engine.errors import LocalError
from engine.ledger import Completed, Ledger, open_ledger
from engine.model import Digest

URL = "https://example.org/file"
DATA = b"some bytes"
DIGEST = Digest("sha256", "ab" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "completed.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    made = open_ledger(path)
    yield made
    made.close()


def completed(tmp_path: Path, name: str = "file") -> Completed:
    """A file that is there, whole."""
    (tmp_path / name).write_bytes(DATA)
    return Completed(
        target=tmp_path / name, url=URL, size=len(DATA), etag='"a"', digest=DIGEST
    )


def test_the_next_run_finds_what_this_one_completed(
    path: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """With all that was known of it; at once in this run, and from the disk in the next."""
    entry = completed(tmp_path)
    ledger.add(entry)
    there = replace(entry, modified=entry.target.stat().st_mtime_ns)
    assert ledger.find(entry.target) == there
    assert ledger.knows(URL)
    ledger.close()
    again = open_ledger(path)
    assert again.find(entry.target) == there
    assert again.knows(URL)
    assert not again.knows(URL + "x")
    assert again.find(tmp_path / "other") is None
    again.close()


def test_what_is_completed_is_written_soon(
    path: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """Another run knows it before this one has ended."""
    ledger.add(completed(tmp_path))
    ledger.add(completed(tmp_path, "two"))
    beside, due = open_ledger(path), monotonic() + 10
    while beside.find(tmp_path / "two") is None:
        assert monotonic() < due
    assert beside.find(tmp_path / "file") is not None
    beside.close()


def test_two_runs_share_it(path: Path, ledger: Ledger, tmp_path: Path) -> None:
    """What one has completed, another that runs beside it knows."""
    with_it = open_ledger(path)
    for name in ("one", "two"):
        ledger.add(completed(tmp_path, name))
    ledger.close()
    with_it.add(completed(tmp_path, "three"))
    assert all(with_it.find(tmp_path / name) for name in ("one", "two", "three"))
    with_it.close()


@pytest.mark.parametrize("what", ["written", "touched", "gone", "linked"])
def test_a_file_that_was_touched_since_is_another(
    ledger: Ledger, tmp_path: Path, what: str
) -> None:
    """Whoever wrote to it, moved it or replaced it knows what is in it; we do not."""
    entry = completed(tmp_path)
    ledger.add(entry)
    if what == "written":
        entry.target.write_bytes(DATA + b"!")
    elif what == "touched":
        os.utime(entry.target, (1, 1))
    else:
        entry.target.rename(tmp_path / "elsewhere")
    if what == "linked":
        entry.target.symlink_to(tmp_path / "elsewhere")
    assert ledger.find(entry.target) is None


def test_a_relative_name_is_the_same_place(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it runs is part of where the file is."""
    monkeypatch.chdir(tmp_path)
    entry = completed(tmp_path)
    ledger.add(replace(entry, target=Path("file")))
    assert ledger.find(entry.target) is not None
    assert ledger.find(Path("file")) is not None


@given(name=st.binary(min_size=1, max_size=40), tag=st.none() | st.text(max_size=20))
def test_any_name_survives(name: bytes, tag: str | None) -> None:
    """Names are bytes, and tags what servers make of them."""
    target = Path("/") / os.fsdecode(name.replace(b"\0", b"_"))
    url = "https://example.org/" + os.fsdecode(name.replace(b"\0", b"_"))
    entry = Completed(target=target, url=url, size=1, etag=_plain(tag), modified=7)
    row = module._row(entry)
    connection = sqlite3.connect(":memory:")
    connection.executescript(module._SCHEMA)
    connection.execute(module._INSERT, row)
    [stored] = connection.execute("SELECT * FROM files")
    connection.close()
    assert module._entry(stored) == entry


def _plain(tag: str | None) -> str | None:
    return tag and tag.encode(errors="ignore").decode()


def test_the_latest_are_remembered(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays small; who was written last is forgotten last."""
    monkeypatch.setattr(module, "KEPT", 3)
    for name in ("a", "b", "c", "d", "a"):
        with_it = open_ledger(path)
        with_it.add(completed(tmp_path, name))
        with_it.close()
    last = open_ledger(path)
    kept = [name for name in "abcd" if last.find(tmp_path / name)]
    last.close()
    assert kept == ["a", "c", "d"]


def test_nobody_else_reads_it(path: Path, ledger: Ledger) -> None:
    """It tells what somebody has downloaded."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"\0" * 5000])
def test_one_that_makes_no_sense_is_begun_anew(
    path: Path, tmp_path: Path, content: bytes
) -> None:
    """It is a convenience: nobody is bothered with it."""
    path.parent.mkdir()
    path.write_bytes(content)
    ledger = open_ledger(path)
    ledger.add(completed(tmp_path))
    ledger.close()
    again = open_ledger(path)
    assert again.find(tmp_path / "file") is not None
    again.close()


def test_a_later_version_is_left_alone(path: Path) -> None:
    """What it means is not ours to guess."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LocalError, match="a later version"):
        open_ledger(path)


def test_where_none_can_be_made_it_says_so(tmp_path: Path) -> None:
    """A file where a folder should be is named."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(LocalError, match="state"):
        open_ledger(tmp_path / "state" / "completed.db")


def test_one_that_another_run_has_locked_costs_nothing(
    path: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """What cannot be written down now is looked at again another time."""
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    ledger.add(completed(tmp_path))
    ledger.close()
    other.rollback()
    other.close()
