"""Where files of one engine go, and what earlier runs left there.

No two jobs choose one target. A name is free where nothing has it: no file, and
no partial that somebody may still want. What an earlier run left of a URL is
found by the journal beside it, before anybody asks a server.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine import journal
from engine.errors import LocalError
from engine.journal import DamagedError, Link, NewerError, Record
from engine.model import OnConflict
from engine.naming import numbered

PART = ".part"
OLD = ".old"
"""Behind `.part`: a partial of a version that is no more, kept until the new one is
whole."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A target, and whether there is anything to do."""

    target: Path
    verdict: str = ""
    """Why there is nothing: the file is here."""


def part_of(target: Path) -> str:
    return f"{target}{PART}"


class Places:
    """The targets that are taken, and an index of the journals in each folder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[Path] = set()
        self._left: dict[Path, dict[str, list[Path]]] = {}

    def choose(
        self,
        directory: Path,
        name: str,
        conflict: OnConflict,
        is_it: Callable[[Path], bool],
    ) -> Choice:
        """The first of `name`, `name (2)`, … that may be written: it is taken then.

        `is_it` says whether a file that is there is the very one that is wanted.
        Raises LocalError where `conflict` wants a failure.
        """
        with self._lock:
            for target in _candidates(directory, name):
                if target in self._taken:
                    continue
                if os.path.lexists(target):
                    if is_it(target):
                        return Choice(target, "already here")
                    if conflict is OnConflict.SKIP:
                        return Choice(target, "skipped, the name is taken")
                    if not _may_replace(target, conflict):
                        continue
                if is_free(part_of(target)):
                    self._taken.add(target)
                    return Choice(target)
        raise AssertionError("unreachable")

    def move_on(self, target: Path) -> Path:
        """Another name instead of one that somebody has come to have meanwhile."""
        with self._lock:
            self._taken.discard(target)
            for other in _candidates(target.parent, target.name):
                is_taken = other in self._taken or os.path.lexists(other)
                if not is_taken and is_free(part_of(other)):
                    self._taken.add(other)
                    return other
        raise AssertionError("unreachable")

    def find(self, directory: Path, link: Link, name: str | None) -> Path | None:
        """Claim the target of which an earlier run left a part of this very link.

        The same link with another query counts too: links expire.
        """
        with self._lock:
            found = [
                (record.link.query != link.query, target)
                for target in self._index(directory).get(link.url, ())
                if target not in self._taken
                and (record := readable(part_of(target))) is not None
                and record.link.url == link.url
                and name in {None, record.name}
            ]
            if not found:
                return None
            target = min(found)[1]
            self._taken.add(target)
            return target

    def claim(self, target: Path) -> bool:
        """Take a target that is known, unless another job has it."""
        with self._lock:
            is_free_now = target not in self._taken
            self._taken.add(target)
            return is_free_now

    def give_back(self, target: Path) -> None:
        """The target is not ours any more; what is left of it can be found."""
        with self._lock:
            self._taken.discard(target)
            record = readable(part_of(target))
            if record is None or target.parent not in self._left:
                return
            known = self._left[target.parent].setdefault(record.link.url, [])
            if target not in known:
                known.append(target)

    def _index(self, directory: Path) -> dict[str, list[Path]]:
        if directory not in self._left:
            self._left[directory] = _journals(directory)
        return self._left[directory]


def set_aside(target: Path) -> None:
    """Put a partial out of the way of a new one, and forget its journal."""
    part = part_of(target)
    with suppress(FileNotFoundError):
        os.rename(part, next(p for p in _olds(part) if not os.path.lexists(p)))
    journal.remove(journal.path_of(part))


def drop_set_aside(target: Path) -> None:
    """The new one is whole: what was set aside for it may go."""
    for old in _olds(part_of(target)):
        try:
            os.unlink(old)
        except OSError:
            return


def _candidates(directory: Path, name: str) -> Iterator[Path]:
    yield directory / name
    for number in count(2):
        yield directory / numbered(name, number)


def _olds(part: str) -> Iterator[str]:
    yield part + OLD
    for number in count(2):
        yield f"{part}{OLD}{number}"


def _may_replace(target: Path, conflict: OnConflict) -> bool:
    if conflict is OnConflict.FAIL:
        raise LocalError(f"{target}: it exists, and --on-conflict is fail")
    if conflict is OnConflict.OVERWRITE:
        if target.is_dir() and not target.is_symlink():
            raise LocalError(f"{target}: a folder is in the way")
        return True
    return False


def is_free(part: str) -> bool:
    """Whether a new partial may have that name.

    One that is empty is what a run left that was killed at once. One whose journal
    is damaged was ours, and cannot go on: it is set aside. Any other is somebody's.
    """
    try:
        if journal.load(journal.path_of(part)) is not None:
            return not os.path.lexists(part)
    except NewerError:
        return False
    except DamagedError:
        return True
    try:
        status = os.lstat(part)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _journals(directory: Path) -> dict[str, list[Path]]:
    """The targets with a journal, by the URL it names."""
    found: dict[str, list[Path]] = defaultdict(list)
    ending = PART + journal.SUFFIX
    with suppress(OSError), os.scandir(directory) as entries:
        for name in sorted(entry.name for entry in entries):
            if name.endswith(ending):
                target = directory / name.removesuffix(ending)
                record = readable(part_of(target))
                if record is not None:
                    found[record.link.url].append(target)
    return found


def readable(part: str) -> Record | None:
    """What the journal of a partial says, where that can be read."""
    try:
        return journal.load(journal.path_of(part))
    except (DamagedError, NewerError):
        return None
