"""What the app does outside of itself: lists of URLs in files, the user's desktop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine import JobSpec

LARGEST_LIST = 10 * 1024 * 1024


def read_list(name: str) -> str:
    """The text of a list; ValueError where it is none, or far too much."""
    path = _at_home(name)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: it is not a file")
    with path.open("rb") as file:
        data = file.read(LARGEST_LIST + 1)
    if len(data) > LARGEST_LIST:
        raise ValueError(f"{path}: a list has at most {LARGEST_LIST >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: it is not text") from None


def write_list(name: str, specs: Iterable[JobSpec]) -> None:
    """A list that `open` reads again; for the user alone, as links may be secrets."""
    path = _at_home(name)
    text = "".join(f"{line}\n" for spec in specs for line in _lines(spec))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)


def _at_home(name: str) -> Path:
    """The path with its `~` spelled out, where there is such a user."""
    return Path(os.path.expanduser(name))  # noqa: PTH111  # Path's own raises


def _lines(spec: JobSpec) -> Iterator[str]:
    yield spec.url + (f" | {spec.command}" if spec.command else "")
    if spec.name:
        yield f"  out={spec.name}"
    if spec.directory:
        yield f"  dir={spec.directory}"
    if spec.checksum:
        yield f"  checksum={spec.checksum.algorithm}:{spec.checksum.hex}"
    for promise in spec.promises:
        yield f"  checksum={promise.digest.algorithm}:{promise.digest.hex}"
    for mirror in spec.mirrors:
        yield f"  mirror={mirror}"
    for name, value in spec.headers:
        yield f"  header={name}: {value}"


def open_with_desktop(path: Path) -> str:
    """Open a file or folder with the program it belongs to; why not, if not."""
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    program = shutil.which(opener)
    if program is None:
        return f"{opener} is not installed"
    try:
        if not path.exists():
            return f"{path} is not there"
        _begin(program, path)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return f"opened {path}"


def _begin(program: str, path: Path) -> None:
    """Start it apart from the app's terminal; a thread sees it off."""
    begun = subprocess.Popen(  # noqa: S603  # nothing of it goes through a shell
        [program, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=begun.wait, name="hydra-opener", daemon=True).start()
