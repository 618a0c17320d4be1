"""The log file: whose it is, how long it grows, and which ones are kept."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from engine import EngineSnapshot, Event, EventKind, LocalError
from hydratui.log_file import KEPT, LogFile, log_folder, prune
from hydratui.reporters import failure_of

NOTHING = EngineSnapshot(at=0, jobs=(), rate=0, received=0, limit=None, flying=0)
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z #\d+ \w+ +.*")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    made = LogFile(tmp_path / "log", longest=10_000)
    yield made
    made.end(0)


def event(number: int, text: str = "file: HTTP 503, again in 0.2 s") -> Event:
    return Event(monotonic(), number, EventKind.RETRY, text)


def test_a_line_for_each_thing(log: LogFile) -> None:
    """When, of which job, what, in words; first what is run, last how it ended."""
    log.begin("0.1: hydra-tui http://host/file")
    log.hear(event(7))
    log.trace("[1] > GET /file HTTP/1.1")
    log.fail(failure_of(LocalError("no space"), traced=False))
    log.end(7)
    lines = log.path.read_text().splitlines()
    assert all(map(LINE.fullmatch, lines))
    assert [line.partition("Z ")[2] for line in lines] == [
        "#0 run      0.1: hydra-tui http://host/file",
        "#7 retry    file: HTTP 503, again in 0.2 s",
        "#0 curl     [1] > GET /file HTTP/1.1",
        "#0 run      error: no space",
        "#0 run      ended with 7",
    ]


def test_only_its_owner_reads_it(log: LogFile) -> None:
    """Nobody else may look at the file, or into the folder."""
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_what_is_no_text_is_written_too(log: LogFile) -> None:
    """A line stays one line, whatever a server says."""
    log.hear(event(1, "a\nb\x1b[2J\udcff"))
    log.look(NOTHING)
    [line] = log.path.read_text().splitlines()
    assert line.isprintable()


def test_it_does_not_grow_for_ever(log: LogFile) -> None:
    """The older half is set aside, once; the latest lines are always there."""
    for number in range(2_000):
        log.hear(event(number))
        if number % 20 == 0:
            log.look(NOTHING)
    log.end(0)
    aside = log.path.with_name(f"{log.path.name}.1")
    assert aside.stat().st_size <= 10_000
    assert log.path.stat().st_size <= 10_000
    assert "#1999 " in log.path.read_text()
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert len(list(log.path.parent.iterdir())) == 2


def test_many_lines_are_not_held_back(log: LogFile) -> None:
    """What is gathered is bounded."""
    for number in range(1_000):
        log.hear(event(number))
    assert "#999 " in log.path.read_text()


def leftover(folder: Path, number: int) -> Path:
    """What a run that is over has left."""
    path = folder / f"20200101T000000.{number:06}-1.log"
    path.touch()
    path.with_name(f"{path.name}.1").touch()
    return path


def test_the_latest_runs_are_kept(tmp_path: Path) -> None:
    """Older ones go, with what was set aside; what is no log stays."""
    made = [leftover(tmp_path, number) for number in range(KEPT + 5)]
    (tmp_path / "notes.txt").touch()
    log = LogFile(tmp_path)
    log.end(0)
    kept = {path.name for path in tmp_path.iterdir() if path.suffix == ".log"}
    assert kept == {log.path.name, *(path.name for path in made[6:])}
    aside = {path.name for path in tmp_path.iterdir() if path.suffix == ".1"}
    assert aside == {f"{path.name}.1" for path in made[6:]}
    assert (tmp_path / "notes.txt").exists()


def test_a_run_that_goes_on_keeps_its_file(tmp_path: Path) -> None:
    """However many came after it, and also after its file was set aside."""
    living = LogFile(tmp_path, longest=100)
    for number in range(10):
        living.hear(event(number))
        living.look(NOTHING)
    prune(tmp_path, 0)
    assert living.path.exists()
    living.end(0)
    prune(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """That is an error with the folder's name; nothing else of it matters."""
    (tmp_path / "log").touch()
    with pytest.raises(LocalError, match=f"exists.*{tmp_path / 'log'}"):
        LogFile(tmp_path / "log")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
def test_a_full_disk_ends_the_log_and_nothing_else(
    tmp_path: Path, log: LogFile
) -> None:
    """What cannot be written down is lost."""
    full = os.open("/dev/full", os.O_WRONLY)
    assert log._file is not None
    os.dup2(full, log._file)
    os.close(full)
    for number in range(3):
        log.hear(event(number))
        log.look(NOTHING)
    log.end(0)
    assert log.path.read_text() == ""


def test_it_is_where_state_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux XDG_STATE_HOME has a say."""
    if sys.platform != "linux":
        pytest.skip("another platform, another place")
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere/state")
    assert log_folder() == Path("/somewhere/state/hydra-tui/log")
