"""An answer as it is kept for people: how it was reached, and what its head said.

Every file of a queue of thousands has one, and hardly any is looked at: so it is
kept as one piece of text, and read only when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.masking import mask, shown
from engine.model import Header, Hop, SourceSnapshot

MOST_TEXT = 8 * 1024
"""Characters of a head that are kept; few servers send a tenth of that."""
MOST_FIELDS = 48
_OF_THE_FILE = ("digest", "link", "repr-digest", "x-linked-etag", "x-linked-size")
"""What a redirect says of the file it leads to (Hugging Face, Metalink/HTTP)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, who gave it, and its header fields; its repr shows no secret."""

    status: int
    url: str = field(repr=False)
    head: str = field(repr=False)
    """One field a line, as `name: value`, with names in lower case."""

    def fields(self) -> Iterator[Header]:
        """The header fields, unmasked."""
        for line in self.head.split("\n")[:MOST_FIELDS]:
            name, separator, value = line.partition(": ")
            if separator:
                yield name, value

    def each(self, name: str) -> tuple[str, ...]:
        """The values of one field; most answers have none of it."""
        if f"{name}: " not in self.head:
            return ()
        return tuple(value for each, value in self.fields() if each == name)

    @property
    def hop(self) -> Hop:
        return Hop(self.status, mask(self.url))


def told(way: tuple[Answer, ...]) -> SourceSnapshot:
    """What the redirects and the last answer told, for people: no secret is in it."""
    *redirects, last = way
    own = dict(last.fields())
    return SourceSnapshot(
        hops=tuple(answer.hop for answer in way),
        headers=(
            *((name, shown(name, value)) for name, value in own.items()),
            *(header for answer in redirects for header in _of_the_file(answer)),
        ),
        ranges=last.status != 200,
        etag=own.get("etag"),
        last_modified=own.get("last-modified"),
        media_type=own.get("content-type", "").partition(";")[0].lower(),
    )


def _of_the_file(redirect: Answer) -> Iterator[Header]:
    """Fields of a redirect that are about the file, each with who said so."""
    host = urlsplit(redirect.hop.url).netloc
    for name, value in redirect.fields():
        if name in _OF_THE_FILE:
            yield name, f"{shown(name, value)} (from {host})"
