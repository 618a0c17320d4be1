"""Whether what a server shows now is the file a job began with.

Everything known of a file is a `RemoteFile`; two of them are compared here, and
nothing is fetched. The rules, from the strongest:

1. Another size is another file.
2. The same entity tag is the same file (weak comparison, RFC 9110 section
   8.8.3.2, and then the dates must agree as well).
3. Different tags with the same date may be two nodes of one host that tag the
   same bytes differently: only bytes can tell.
4. Without tags on both sides the dates decide; without dates, only bytes can.

A web page in place of what was not one is no version of the file at all: a
captive portal or a login answered.
"""

from __future__ import annotations

from enum import Enum, auto

from engine.errors import HydraError
from engine.model import RemoteFile

PAGE = "text/html"


class Likeness(Enum):
    """What the comparison says."""

    SAME = auto()
    UNSURE = auto()
    """Only comparing bytes can tell."""
    OTHER = auto()
    PAGE = auto()
    """A web page, where a file was expected."""


class Doubt(HydraError):
    """An answer that may be about another file than the one that is `known`."""

    def __init__(self, known: RemoteFile, seen: RemoteFile) -> None:
        super().__init__(f"the remote file changed: {_difference(known, seen)}")
        self.known = known
        self.seen = seen


def compare(known: RemoteFile, seen: RemoteFile) -> Likeness:
    """How what was seen relates to what is known."""
    if PAGE in seen.media_type and known.media_type and PAGE not in known.media_type:
        return Likeness.PAGE
    if None not in {known.size, seen.size} and known.size != seen.size:
        return Likeness.OTHER
    dates = _agree(known.last_modified, seen.last_modified)
    tags = _agree(_opaque(known.etag), _opaque(seen.etag))
    if tags is None:
        return {True: Likeness.SAME, False: Likeness.OTHER, None: Likeness.UNSURE}[
            dates
        ]
    if tags:
        weak = is_weak(known.etag) or is_weak(seen.etag)
        return Likeness.OTHER if weak and dates is False else Likeness.SAME
    return Likeness.UNSURE if dates else Likeness.OTHER


def condition(known: RemoteFile) -> str | None:
    """The If-Range that makes a server send the whole if the file has changed.

    A strong entity tag, else the date; never a weak tag (RFC 9110 section 13.1.5).
    """
    if known.etag and not is_weak(known.etag):
        return known.etag
    return known.last_modified


def is_weak(etag: str | None) -> bool:
    return etag is not None and etag.startswith(("W/", "w/"))


def _opaque(etag: str | None) -> str | None:
    return etag[2:] if is_weak(etag) and etag else etag


def _agree(known: str | None, seen: str | None) -> bool | None:
    """None where there is nothing to compare."""
    return known == seen if known and seen else None


def _difference(known: RemoteFile, seen: RemoteFile) -> str:
    """The first thing in which two files differ, for people."""
    for attribute in ("size", "etag", "last_modified"):
        before, now = getattr(known, attribute), getattr(seen, attribute)
        if before != now:
            return f"it was {before}, it is {now}"
    return "its bytes are others"
