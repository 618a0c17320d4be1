"""What of a file is safely on disk, written down beside it.

`NAME.part.hydra` says which bytes of `NAME.part` a power cut cannot take any
more, of which remote file they are, and which local file holds them. Its laws:

1. It is given only what a sync has covered; who writes it knows nothing else.
2. It is replaced as a whole, by a rename: a reader sees the old one or the new.
3. It holds no secret: of a query only a fingerprint, and no userinfo.
4. Whatever is in it, reading it ends in a `Record` or a `DamagedError`.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from engine.errors import HydraError
from engine.model import RemoteFile
from engine.ranges import ByteRange, RangeSet

VERSION = 1
SUFFIX = ".hydra"
LARGEST = 16 * 1024 * 1024
"""Bytes; a journal of a hundred thousand ranges has two million."""


class DamagedError(HydraError):
    """It is no journal, or one that was torn."""


class NewerError(HydraError):
    """A later version of this program wrote it; it is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A URL, as far as it may be written down."""

    url: str
    """Scheme, host and path: no query, no userinfo."""
    query: str
    """A fingerprint of the query: the same or not, and nothing more."""

    @classmethod
    def of(cls, url: str) -> Link:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].lower()
        bare = urlunsplit((parts.scheme.lower(), host, parts.path or "/", "", ""))
        mark = blake2b(parts.query.encode(errors="surrogateescape"), digest_size=8)
        return cls(url=bare, query=mark.hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that a journal says."""

    link: Link
    name: str
    size: int | None
    etag: str | None
    last_modified: str | None
    media_type: str
    done: tuple[ByteRange, ...]
    device: int
    inode: int

    @property
    def remote(self) -> RemoteFile:
        """The file it was, as far as that was written down."""
        return RemoteFile(
            url=self.link.url,
            size=self.size,
            ranges=True,
            name=self.name,
            etag=self.etag,
            last_modified=self.last_modified,
            media_type=self.media_type,
        )


def path_of(part: str) -> str:
    """Where the journal of a partial file is."""
    return part + SUFFIX


def save(path: str | Path, record: Record) -> None:
    """Replace the journal, for good. Raises OSError and leaves the old one."""
    fresh = f"{path}.new"
    try:
        remove(fresh)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(dump(record))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError:
        remove(fresh)
        raise


def remove(path: str) -> None:
    """Let there be none."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def load(path: str | Path) -> Record | None:
    """What the journal says, or None where there is none.

    Raises DamagedError, and NewerError for one that is not ours to judge.
    """
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK  # were it a fifo, nobody would write
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror}") from error
    return parse(data)


def dump(record: Record) -> bytes:
    return json.dumps(
        {
            "version": VERSION,
            "url": record.link.url,
            "query": record.link.query,
            "name": record.name,
            "size": record.size,
            "etag": record.etag,
            "last_modified": record.last_modified,
            "media_type": record.media_type,
            "file": [record.device, record.inode],
            "done": [[part.start, part.stop] for part in record.done],
        }
    ).encode()


def parse(data: bytes) -> Record:
    """Read what `dump` wrote; every value is checked."""
    try:
        fields = json.loads(data)
        version = _typed(fields["version"], int)
        if version == VERSION:
            return _record(fields)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"not a journal: {error}") from error
    kind = NewerError if version > VERSION else DamagedError
    raise kind(f"version {version} of the journal")


def _record(fields: dict[str, Any]) -> Record:
    size = _typed(fields["size"], int, None)
    done = RangeSet(ByteRange(*map(_offset, pair)) for pair in fields["done"])
    last = max((part.stop for part in done), default=0)
    if size is not None and not last <= size:
        raise ValueError("it claims bytes beyond the end")
    device, inode = map(_offset, fields["file"])
    return Record(
        link=Link(url=_typed(fields["url"], str), query=_typed(fields["query"], str)),
        name=_typed(fields["name"], str),
        size=size,
        etag=_typed(fields["etag"], str, None),
        last_modified=_typed(fields["last_modified"], str, None),
        media_type=_typed(fields["media_type"], str),
        done=tuple(done),
        device=device,
        inode=inode,
    )


def _offset(value: object) -> int:
    number: int = _typed(value, int)
    if number < 0:
        raise ValueError("a negative number")
    return number


def _typed(value: Any, kind: type, *more: None) -> Any:
    if type(value) is kind or (value is None and more):
        return value
    raise ValueError(f"{value!r:.40} is no {kind.__name__}")
