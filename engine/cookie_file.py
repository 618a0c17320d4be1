"""A file of cookies in Netscape's format, as browsers' extensions and curl write it.

One cookie a line, seven fields between tabs. It is read once and never written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UsageError

_HTTP_ONLY = "#HttpOnly_"
_FLAGS = {"TRUE": True, "FALSE": False}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A cookie as the file has it."""

    host: str
    is_domain: bool
    """Whether it is for the hosts below that one too."""
    path: str
    is_secure: bool
    expires: int | None
    """Seconds of the epoch; None where it ends with the session."""
    name: str
    value: str = field(repr=False)


def read_cookie_file(path: Path) -> tuple[Entry, ...]:
    """What is in the file at `path`. Raises UsageError that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return tuple(_read(text, path))


def _read(text: str, path: Path) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.removesuffix("\r").removeprefix(_HTTP_ONLY)
        if not plain.strip() or plain.startswith("#"):
            continue
        try:
            yield _entry(plain)
        except (ValueError, KeyError):
            raise UsageError(
                f"{path}: line {number} is not in Netscape's format: domain, TRUE or"
                " FALSE, path, TRUE or FALSE, expiry, name and value, between tabs"
            ) from None


def _entry(line: str) -> Entry:
    """ValueError or KeyError, where it is none."""
    host, with_subdomains, path, secure, expiry, name, *rest = line.split("\t")
    value = "\t".join(rest)
    if _CONTROL.search(name + value):
        raise ValueError
    return Entry(
        host=host.lower().strip("."),
        is_domain=_FLAGS[with_subdomains.upper()],
        path=path,
        is_secure=_FLAGS[secure.upper()],
        expires=int(expiry.partition(".")[0]) or None,
        name=name,
        value=value,
    )
