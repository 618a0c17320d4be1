"""Lists in files, and the programs of the desktop."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from engine import Digest, JobSpec, Promise
from hydratui.outside import LARGEST_LIST, open_with_desktop, read_list, write_list
from hydratui.pasted import THE_LIST, read
from tests.hydratui.support import HOSTILE

SHA256 = Digest("sha256", "9f86d081" * 8)
MD5 = Digest("md5", "d41d8cd9" * 4)
SPECS = [
    JobSpec("https://example.org/a.iso"),
    JobSpec("https://example.org/b.tar?token=x&y=z", command="tar x -C 'data dir'"),
    JobSpec(
        "https://example.org/c",
        name="other name.bin",
        directory=Path("/srv/data sets"),
        checksum=SHA256,
        promises=(Promise(MD5, "Metalink"),),
        mirrors=("https://example.net/c", "https://example.edu/pub/c"),
        headers=(("Authorization", "Bearer x"), ("X-A", "b: c")),
    ),
]


# ----------------------------------------------------------------------- lists


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """A list brings back every job as it was; of a digest it is the list that says so."""
    path = tmp_path / "list.txt"
    write_list(str(path), SPECS)
    *same, last = SPECS
    promised = (Promise(SHA256, THE_LIST), Promise(MD5, THE_LIST))
    last = replace(last, checksum=None, promises=promised)
    assert [one.spec for one in read(read_list(str(path)))] == [*same, last]


def test_a_list_is_for_its_owner(tmp_path: Path) -> None:
    """Links and headers may be secrets."""
    path = tmp_path / "list.txt"
    write_list(str(path), SPECS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_list_replaces_nothing(tmp_path: Path) -> None:
    """What is there already stays as it is."""
    path = tmp_path / "list.txt"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        write_list(str(path), SPECS)
    assert path.read_text() == "precious"


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `~` is the user's folder, as in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_list("~/list.txt", SPECS[:1])
    assert read_list("~/list.txt") == "https://example.org/a.iso\n"


@pytest.mark.parametrize("name", ["~nobody-of-that-name/list", "no/list", ".", ""])
def test_a_place_that_is_not_there_is_an_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the user whose folder it is in does not exist."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises((OSError, ValueError)):
        read_list(name)
    with pytest.raises(OSError):
        write_list(name, SPECS)


def test_only_files_are_read(tmp_path: Path) -> None:
    """A pipe without a writer would hold up everything."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises((OSError, ValueError)):
            read_list(str(path))


def test_what_is_too_long_or_no_text_is_refused(tmp_path: Path) -> None:
    """With the name of the file, and why."""
    path = tmp_path / "list"
    path.write_bytes(b"\n" * (LARGEST_LIST + 1))
    with pytest.raises(ValueError, match="list: a list has at most 10 MiB"):
        read_list(str(path))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="list: it is not text"):
        read_list(str(path))


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """Lists from Windows begin with one."""
    path = tmp_path / "list"
    path.write_bytes(b"\xef\xbb\xbfhttps://example.org/a")
    assert read_list(str(path)) == "https://example.org/a"


# --------------------------------------------------------------------- desktop


def opener(folder: Path, script: str) -> None:
    for name in ("xdg-open", "open"):
        path = folder / name
        path.write_text(script)
        path.chmod(0o755)


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_file_is_opened_with_the_desktops_program(
    desktop: Path, tmp_path: Path
) -> None:
    """It gets the path as it is, and nothing of the app's terminal."""
    told = tmp_path / "told"
    os.mkfifo(told)
    file = tmp_path / "a 'name'; with $(signs)"
    file.touch()
    opener(desktop, f'#!/bin/sh\nprintf %s "$1" > {told}\nread x && exit 1\n')
    assert open_with_desktop(file) == f"opened {file}"
    assert told.read_text() == str(file)


def test_without_such_a_program_it_says_so(desktop: Path, tmp_path: Path) -> None:
    """A server has no desktop."""
    assert open_with_desktop(tmp_path).endswith("is not installed")


def test_a_program_that_does_not_start_is_no_crash(
    desktop: Path, tmp_path: Path
) -> None:
    """What is wrong with it is said."""
    opener(desktop, "\x7fELF, or not")
    assert "xdg-open" in open_with_desktop(tmp_path).replace("open:", "xdg-open:")


def test_a_file_that_cannot_be_there_is_not_opened(desktop: Path) -> None:
    """Whatever its name is."""
    opener(desktop, "#!/bin/sh\n")
    for name in HOSTILE:
        said = open_with_desktop(Path("/nowhere", name))
        assert said.startswith("/nowhere")
