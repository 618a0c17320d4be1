"""The name a file gets on this machine, whatever the server says.

Content-Disposition is read as RFC 6266 has it (`filename*` of RFC 8187 first);
whatever comes out goes through one sanitiser before it reaches a file system.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

LONGEST = 200
"""Bytes: room for ` (999)`, `.part` and `.hydra` under the usual limit of 255."""
FALLBACK = "download.bin"

_LEADING = re.compile(r"^[\s.-]+")
_STEM = re.compile(r"(.+?)((?:\.tar)?\.\w{1,12})")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_EXTENDED = re.compile(r"(?i);\s*filename\*\s*=\s*([\w-]*)'[^']*'([^;\s]+)")
_PLAIN = re.compile(r'(?i);\s*filename\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;\s]+))')


def name_for(disposition: str | None, *urls: str) -> str:
    """The first usable name: the header's, then the last path segment of each URL."""
    return next(filter(None, map(sanitise, _candidates(disposition, urls))), FALLBACK)


def sanitise(name: str) -> str:
    """A name without separators, control or bidi characters, at most 200 bytes.

    Empty where nothing usable is left.
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    if not (name.isascii() and name.isprintable()):
        name = "".join(c for c in name if unicodedata.category(c) not in _UNSAFE)
    name = _LEADING.sub("", name).rstrip()
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    return _shorten(name)


_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def numbered(name: str, number: int) -> str:
    """`name (2).ext`, for the second file of one name."""
    stem, extension = _split(name)
    return f"{stem} ({number}){extension}"


def _candidates(disposition: str | None, urls: Iterable[str]) -> Iterator[str]:
    if disposition:
        yield _disposition_name(disposition)
    for url in urls:
        yield unquote(urlsplit(url).path.rpartition("/")[2])


def _disposition_name(header: str) -> str:
    header = ";" + header.partition(";")[2]
    if match := _EXTENDED.search(header):
        charset = match[1] or "utf-8"
        try:
            return unquote(match[2], encoding=charset, errors="strict")
        except (LookupError, UnicodeError):
            pass
    if match := _PLAIN.search(header):
        return match[2] or re.sub(r"\\(.)", r"\1", match[1])
    return ""


def _split(name: str) -> tuple[str, str]:
    match = _STEM.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def _shorten(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, extension = _split(name)
    room = LONGEST - len(extension.encode())
    return (stem.encode()[:room].decode(errors="ignore") + extension).rstrip()
