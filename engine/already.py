"""Whether the file that is wanted is here already, whole.

A digest decides, where one is known; else what was written down when the file was
completed here; else its date, which is the server's. Where a server gives neither
date nor tag, the bytes of its first answer are compared with those that are here.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from engine.digest import digest_of
from engine.identity import Likeness, compare
from engine.ledger import Completed, Ledger
from engine.model import Digest, RemoteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file as the server has it, and what can tell it from others here."""

    remote: RemoteFile
    modified: float | None = None
    """Last-Modified, in seconds of the epoch."""
    digest: Digest | None = None
    url: str = ""
    """Without query and userinfo, as the ledger has it."""
    ledger: Ledger | None = None
    head: bytes = b""
    """Its first bytes, where nothing else can tell."""

    @property
    def may_read(self) -> bool:
        """Whether telling may take long."""
        return self.digest is not None

    def is_at(self, path: Path) -> bool:
        """Whether it is the file of that name; never what a symlink leads to."""
        try:
            status = path.lstat()
        except OSError:
            return False
        if not stat.S_ISREG(status.st_mode) or status.st_size != self.remote.size:
            return False
        entry = self._entry(path)
        if self.digest is not None:
            is_known = entry is not None and entry.digest == self.digest
            return is_known or digest_of(path, self.digest.algorithm) == self.digest
        if entry is not None and self._is_of(entry):
            return True
        return self.modified is not None and int(status.st_mtime) == int(self.modified)

    def _entry(self, path: Path) -> Completed | None:
        entry = self.ledger.find(path) if self.ledger is not None else None
        return entry if entry is not None and entry.url == self.url else None

    def _is_of(self, entry: Completed) -> bool:
        likeness = compare(entry.remote, self.remote)
        if likeness is not Likeness.UNSURE:
            return likeness is Likeness.SAME
        with entry.target.open("rb") as file:
            return self.head == file.read(max(len(self.head), 1))
