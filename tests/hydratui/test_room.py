"""How much is free where files go."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from hydratui import room
from hydratui.room import Room, room_at


def test_room_is_known_where_a_folder_is_and_where_it_will_be(tmp_path: Path) -> None:
    """A folder that is not there yet will be on the disk of the one that is."""
    free = room_at(tmp_path / "not" / "there" / "yet")
    assert free is not None
    assert abs(free - shutil.disk_usage(tmp_path).free) < 2**30


def test_where_nobody_knows_nothing_is_said(tmp_path: Path) -> None:
    """A file is no folder, and some names can be nowhere."""
    (tmp_path / "file").touch()
    assert room_at(tmp_path / "file" / "folder") is None
    assert room_at(tmp_path / ("z" * 1000)) is None


def test_a_mount_that_does_not_answer_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked in a thread that does not keep the process alive."""
    asked, answered = threading.Event(), threading.Event()

    def usage(_: Path) -> os.terminal_size:
        asked.set()
        answered.wait()
        raise OSError

    monkeypatch.setattr(shutil, "disk_usage", usage)
    watched = Room(tmp_path)
    watched.start()
    assert asked.wait(10)
    assert watched.free is None
    (watching,) = (one for one in threading.enumerate() if one.name == "hydra-room")
    assert watching.daemon
    watched.stop()
    answered.set()
    watching.join(10)
    assert not watching.is_alive()


def test_it_looks_again_and_again_until_it_is_told_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it saw last is what is shown."""
    looks = iter(range(1, 10**9))
    seen = threading.Event()

    def look(_: Path) -> int:
        number = next(looks)
        if number == 3:
            seen.set()
        return number

    monkeypatch.setattr(room, "EVERY", 0.0)
    monkeypatch.setattr(room, "room_at", look)
    watched = Room(tmp_path)
    watched.start()
    assert seen.wait(10)
    watched.stop()
    for one in threading.enumerate():
        if one.name == "hydra-room":
            one.join(10)
    assert (watched.free or 0) >= 3
