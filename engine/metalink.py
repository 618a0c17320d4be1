"""Metalink: who else has a file, and what it must be like.

A document (RFC 5854) says it of many files, the `Link` headers of an answer
(RFC 6249) of one. Both come from servers, so both are read with bounds: on what is
looked at, on what is kept, and on how long it takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from engine.digest import ALGORITHMS, algorithm_named, hasher, parse_digest
from engine.errors import RefusedError, UsageError
from engine.model import Digest, Pieces, Promise
from engine.naming import sanitise

if TYPE_CHECKING:
    from defusedxml.ElementTree import DefusedXMLParser

MEDIA_TYPE = "application/metalink4+xml"
"""Of the documents that are understood."""
MEDIA_TYPE_3 = "application/metalink+xml"
"""Of their forerunners, which are not."""

LARGEST = 16 * 1024 * 1024
"""Bytes of a document."""
MOST_FILES = 10_000
MOST_URLS = 64
"""Sources of a file that are kept."""
MOST_LINKS = 32
LOOKED_AT = 1000
"""Sources of a file that are looked at, to find the best of them."""
MOST_ELEMENTS = 500_000
"""With honest digests of pieces, the largest document has fewer."""
MOST_NAMES = 1000
"""Different names of elements, attributes and prefixes; the parser keeps them all."""
DEEPEST = 64
LONGEST_TEXT = 8 * 1024
LONGEST_NAME = 1024
LONGEST_TOKEN = 256 * 1024
"""Bytes of one tag or comment; the parser holds all of it."""
LONGEST_HEADER = 64 * 1024

LEAST_PIECE, LARGEST_PIECE = 1 << 10, 1 << 30
LAST = 999_999
"""The priority of who has none; the first is 1 (RFC 5854 section 4.2.16.1)."""
ORIGIN = "Metalink"

_NAMESPACE = "{urn:ietf:params:xml:ns:metalink}"
_ROOT_3 = "{http://www.metalinker.org/}metalink"
_FED = 64 * 1024
"""Bytes that the parser gets at a time."""
_ENCODINGS = frozenset(
    {"utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "iso-8859-1"}
)
"""What the parser reads by itself; anything else would be a codec of Python's."""
_STRENGTH = {
    name: (hasher(name).digest_size, number) for number, name in enumerate(ALGORITHMS)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetalinkFile:
    """One file of a document: where it is, and what is said of it."""

    name: str
    """Safe to use, without folders."""
    size: int | None
    promises: tuple[Promise, ...]
    """Digests of the whole file, one for each algorithm that is known."""
    pieces: Pieces | None
    urls: tuple[str, ...]
    """At least one; http and https only, the better ones first."""


@dataclass(frozen=True, slots=True)
class Links:
    """What the `Link` headers of an answer say of its file."""

    duplicates: tuple[str, ...] = ()
    """Other URLs of the same bytes, the better ones first."""
    described_by: str = ""
    """The URL of a Metalink document about it."""


# -- documents -------------------------------------------------------------------


def parse_metalink(data: bytes) -> tuple[MetalinkFile, ...]:
    """The files of a Metalink 4 document, at least one (RFC 5854).

    Raises RefusedError where it is none, is broken, or names a file that has no
    usable URL or that would lie elsewhere.
    """
    if len(data) > LARGEST:
        raise RefusedError(f"the Metalink has more than {LARGEST >> 20} MiB")
    reader = _Reader()
    _read(reader, data)
    if not reader.files:
        raise RefusedError("the Metalink names no file")
    return tuple(reader.files)


def _read(reader: _Reader, data: bytes) -> None:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    try:
        _feed(DefusedXMLParser(target=reader, forbid_dtd=True), data)
    except DefusedXmlException:
        raise RefusedError("not a Metalink: it brings its own DTD") from None
    except (ParseError, LookupError, ValueError) as error:
        raise RefusedError(f"not a Metalink: {error}") from None


def _feed(parser: DefusedXMLParser, data: bytes) -> None:
    parser.parser.XmlDeclHandler = _check_declaration
    for start in range(0, len(data), _FED):
        parser.feed(data[start : start + _FED])
        if start - parser.parser.CurrentByteIndex > LONGEST_TOKEN:
            raise RefusedError("the Metalink has a tag or comment without an end")
    parser.close()


def _check_declaration(_version: str, encoding: str | None, _alone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise RefusedError(f"not a Metalink: encoding {encoding[:40]!r} is not allowed")


class _Reader:
    """What the parser tells its events to; what is not ours is passed over."""

    def __init__(self) -> None:
        self.files: list[MetalinkFile] = []
        self._path: list[str] = []
        """Names of the elements that are open; empty where foreign."""
        self._draft = _Draft("")
        self._attributes: Mapping[str, str] = {}
        self._text: list[str] | None = None
        """What was read of an element whose text counts."""
        self._room = 0
        self._elements = 0
        self._names: set[str] = set()

    def start_ns(self, prefix: str, _uri: str) -> None:
        self._learn({f"xmlns:{prefix}"})

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._path) >= DEEPEST:
            raise RefusedError("the Metalink has too many elements, or too deep ones")
        self._learn({tag, *attributes})
        if not self._path:
            _check_root(tag)
        self._path.append(_own_name(tag))
        match self._path:
            case ["metalink", "file"]:
                self._begin_file(attributes)
            case ["metalink", "file", "pieces"]:
                self._draft.parts.append(_Parts.told(attributes))
            case ["metalink", "file", "size" | "hash" | "url"] | [
                "metalink",
                "file",
                "pieces",
                "hash",
            ]:
                self._attributes, self._text = attributes, []
                self._room = LONGEST_TEXT
            case _:
                pass

    def data(self, text: str) -> None:
        if self._text is None:
            return
        self._room -= len(text)
        if self._room < 0:
            raise RefusedError(f"the Metalink has a {self._path[-1]} that is too long")
        self._text.append(text)

    def end(self, _tag: str) -> None:
        match self._path:
            case ["metalink", "file"]:
                self.files.append(self._draft.finished())
            case ["metalink", "file", "size"]:
                self._draft.size = _number(self._taken(), 0, 2**63 - 1)
            case ["metalink", "file", "hash"]:
                self._draft.promise(self._attributes.get("type", ""), self._taken())
            case ["metalink", "file", "url"]:
                self._draft.add_url(self._attributes.get("priority", ""), self._taken())
            case ["metalink", "file", "pieces", "hash"]:
                self._draft.parts[-1].add(self._taken())
            case _:
                pass
        self._path.pop()

    def close(self) -> None:
        """Nothing is left to do."""

    def _begin_file(self, attributes: Mapping[str, str]) -> None:
        if len(self.files) >= MOST_FILES:
            raise RefusedError(f"the Metalink names more than {MOST_FILES:,} files")
        self._draft = _Draft(_safe_name(attributes.get("name", "")))

    def _taken(self) -> str:
        text, self._text = "".join(self._text or ()), None
        return text.strip()

    def _learn(self, names: set[str]) -> None:
        if names <= self._names:
            return
        self._names |= names
        if len(self._names) > MOST_NAMES:
            raise RefusedError("the Metalink has too many different names")


def _check_root(tag: str) -> None:
    if tag == _ROOT_3:
        raise RefusedError("Metalink 3 is not supported")
    if tag != _NAMESPACE + "metalink":
        raise RefusedError(f"not a Metalink: its root is {_shown(tag)}")


def _own_name(tag: str) -> str:
    """Without the namespace; empty in another one."""
    return tag.removeprefix(_NAMESPACE) if tag.startswith(_NAMESPACE) else ""


@dataclass(slots=True)
class _Parts:
    """A `pieces` element; grows with its hashes."""

    algorithm: str
    """Empty where the element is of no use."""
    length: int
    hexes: list[str] = field(default_factory=list)

    @classmethod
    def told(cls, attributes: Mapping[str, str]) -> _Parts:
        length = _number(attributes.get("length", ""), LEAST_PIECE, LARGEST_PIECE)
        algorithm = _algorithm(attributes.get("type", "")) if length else ""
        return cls(algorithm, length or 0)

    def add(self, text: str) -> None:
        if not self.algorithm:
            return
        digest = _digest(self.algorithm, text)
        if digest is None:
            self.algorithm = ""
            self.hexes.clear()
        else:
            self.hexes.append(digest.hex)

    def fits(self, size: int | None) -> bool:
        """Whether there are as many as a file of that size has."""
        if not self.algorithm or not self.hexes:
            return False
        return size is None or len(self.hexes) == -(-size // self.length)


@dataclass(slots=True)
class _Draft:
    """A `file` element; grows with what is in it."""

    name: str
    size: int | None = None
    parts: list[_Parts] = field(default_factory=list)
    _promises: dict[str, Promise] = field(default_factory=dict)
    _urls: list[tuple[int, str]] = field(default_factory=list)
    _looked_at: int = 0

    def promise(self, kind: str, text: str) -> None:
        """Keep the first good digest of each algorithm."""
        algorithm = _algorithm(kind)
        if not algorithm or algorithm in self._promises:
            return
        if digest := _digest(algorithm, text):
            self._promises[algorithm] = Promise(digest, ORIGIN)

    def add_url(self, priority: str, url: str) -> None:
        self._looked_at += 1
        if self._looked_at <= LOOKED_AT and _is_fetchable(url):
            self._urls.append((_priority(priority), url))

    def finished(self) -> MetalinkFile:
        if not self._urls:
            raise RefusedError(
                f"the Metalink has no http or https URL for {_shown(self.name)}"
            )
        return MetalinkFile(
            name=self.name,
            size=self.size,
            promises=tuple(self._promises.values()),
            pieces=self._strongest(),
            urls=_best(self._urls, MOST_URLS),
        )

    def _strongest(self) -> Pieces | None:
        """Of the lists of pieces, the one with the best digests."""
        fitting = [each for each in self.parts if each.fits(self.size)]
        if not fitting:
            return None
        best = max(fitting, key=lambda each: _STRENGTH[each.algorithm])
        return Pieces(best.length, best.algorithm, tuple(best.hexes))


def _safe_name(name: str) -> str:
    """Of a file; one that would lie elsewhere is an error (RFC 5854 section 4.1.2.1)."""
    folders = name.replace("\\", "/").split("/")
    is_elsewhere = folders[0] in {"", "."} or ".." in folders
    has_drive = re.match(r"[A-Za-z]:", name) is not None
    safe = "" if len(name) > LONGEST_NAME else sanitise(name)
    if is_elsewhere or has_drive or not safe:
        raise RefusedError(f"the Metalink has a bad file name: {_shown(name)}")
    return safe


def _algorithm(kind: str) -> str:
    """The name hashlib has for a hash function; empty where it is not one of ours."""
    try:
        return algorithm_named(kind)
    except UsageError:
        return ""


def _digest(algorithm: str, text: str) -> Digest | None:
    try:
        found = parse_digest(text, algorithm)
    except UsageError:
        return None
    return found if found.algorithm == algorithm else None


def _number(text: str, least: int, most: int) -> int | None:
    """A whole number in those bounds, written in plain digits."""
    if not re.fullmatch(r"[0-9]{1,19}", text):
        return None
    return number if least <= (number := int(text)) <= most else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


# -- headers ---------------------------------------------------------------------


def links(values: str, base: str) -> Links:
    """What `Link` headers, joined by commas, say of the file at `base` (RFC 6249).

    Broken ones are passed over, and so are those about something else.
    """
    duplicates: list[tuple[int, str]] = []
    described_by = ""
    for target, parameters in islice(_links(values[:LONGEST_HEADER]), LOOKED_AT):
        relations = parameters.get("rel", "").lower().split()
        url = _resolved(target, base)
        if not url or "anchor" in parameters:
            continue
        if "duplicate" in relations and url != base:
            duplicates.append((_priority(parameters.get("pri", "")), url))
        if "describedby" in relations and _is_document(parameters.get("type", "")):
            described_by = described_by or url
    return Links(_best(duplicates, MOST_LINKS), described_by)


_QUOTED = r'"(?:[^"\\]|\\.)*+'
_PART = re.compile(rf'(?:<[^<>]*+>|{_QUOTED}\\?"?|[^,])++', re.DOTALL)
"""What lies between commas that are neither in a URL nor in quotes."""
_TARGET = re.compile(r"\s*+<([^<>]*+)>")
_PARAMETER = re.compile(
    rf"\s*+;\s*+(?:([\w!#$%&'*+.^`|~-]++)\s*+(?:=\s*+(?:({_QUOTED}\")|([^\s;\"]*+)))?+)?+",
    re.ASCII | re.DOTALL,
)


def _links(values: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Target and parameters of each link that is well formed (RFC 8288 section 3)."""
    for part in _PART.finditer(values):
        target = _TARGET.match(part[0])
        if target is None:
            continue
        parameters = _parameters(part[0], target.end())
        if parameters is not None:
            yield target[1].strip(), parameters


def _parameters(text: str, at: int) -> dict[str, str] | None:
    """Names in lower case; of those that come twice the first counts."""
    found: dict[str, str] = {}
    while parameter := _PARAMETER.match(text, at):
        name, quoted, plain = parameter.groups()
        value = re.sub(r"(?s)\\(.)", r"\1", quoted[1:-1]) if quoted else plain or ""
        if name:
            found.setdefault(name.lower(), value)
        at = parameter.end()
    return None if text[at:].strip() else found


def _resolved(target: str, base: str) -> str:
    """The URL that is meant; empty where it cannot be fetched."""
    if not target.isprintable():
        return ""
    try:
        url = urljoin(base, target)
    except ValueError:
        return ""
    return url if _is_fetchable(url) else ""


def _is_document(media_type: str) -> bool:
    return media_type.partition(";")[0].strip().lower() == MEDIA_TYPE


# -- both ------------------------------------------------------------------------


def _is_fetchable(url: str) -> bool:
    """Whether it is an http or https URL with a host, and nothing that is not seen."""
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _priority(text: str) -> int:
    return _number(text.strip(), 1, LAST) or LAST


def _best(urls: list[tuple[int, str]], most: int) -> tuple[str, ...]:
    """Each once, by priority and then as they came."""
    ordered = sorted(urls, key=lambda each: each[0])
    return tuple(islice(dict.fromkeys(url for _, url in ordered), most))
