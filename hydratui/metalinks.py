"""Metalink files (RFC 5854) on this machine, read into the jobs they describe."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from engine import HydraError, JobSpec, specs_of_metalink

LARGEST = 16 * 1024 * 1024
"""Bytes of a file that is still read."""

_ENDINGS = (".meta4", ".metalink")
_BEGINNINGS = (b"<?xml", b"<metalink")
_MARK = b"\xef\xbb\xbf"
_KEPT = 8


def is_metalink(name: str) -> bool:
    """Whether the name is that of a Metalink file here, and no URL."""
    return name.lower().endswith(_ENDINGS) and "://" not in name


def looks_like_metalink(data: bytes) -> bool:
    """Whether it begins as XML does."""
    return data.removeprefix(_MARK).lstrip().startswith(_BEGINNINGS)


def specs_in_file(name: str) -> tuple[JobSpec, ...]:
    """The files it describes; ValueError says why there are none.

    Read anew only when the file has changed: a dialog asks at every key.
    """
    path = Path(os.path.expanduser(name))  # noqa: PTH111  # Path's own raises
    try:
        there = path.stat()
        if not path.is_file():
            raise ValueError(f"{name}: it is not a file")
        return _read(path, there.st_mtime_ns, there.st_size)
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None


@lru_cache(maxsize=_KEPT)
def _read(path: Path, _modified: int, _size: int) -> tuple[JobSpec, ...]:
    with path.open("rb") as file:
        return specs_in(file.read(LARGEST + 1), str(path))


def specs_in(data: bytes, name: str) -> tuple[JobSpec, ...]:
    """The files that the data describes; ValueError says why there are none."""
    if len(data) > LARGEST:
        raise ValueError(f"{name}: a Metalink file has at most {LARGEST >> 20} MiB")
    try:
        return specs_of_metalink(data)
    except HydraError as error:
        raise ValueError(f"{name}: {error}") from None
