"""What checksum files hold: sidecars of one file, manifests of a directory.

People's tools write them in many ways: GNU (`HEX  name`, `HEX *name`, names with
escapes), BSD and OpenSSL (`SHA256 (name) = HEX`), a hex number alone; with paths,
comments, signatures, in several encodings. Whatever looks like none of these is
skipped.

A manifest is not indexed, only searched for the lines that end with a name: it
may have 100,000 lines, and few of them are ever asked for.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from engine.digest import ALGORITHMS, algorithm_named, hasher
from engine.errors import UsageError
from engine.model import Digest

MOST_LINE = 4096
"""Characters of a line; no path is longer (PATH_MAX)."""
MOST_LINES = 10_000
"""Lines that are looked at for one file; a name that needs more is not found."""

_GNU = re.compile(r"([0-9a-fA-F]{32,128})(?:[ \t]+\*?(.*))?")
_HEX = re.compile(r"[0-9a-fA-F]{32,128}")
_KIND = re.compile(
    r"sha3[-_]?\d{3}|sha[-_]?(?:1|224|256|384|512)|md5|blake2[bs]|b2sum|sha"
)
_ESCAPE = re.compile(r"\\([\\nr])")
_ESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_SHA_1_AND_2 = ("sha1", "sha224", "sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a digest, and the path of its file, empty where none is named."""

    path: str
    digest: Digest

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def distance(self, path: str) -> int:
        """How far from being about the file at `path`: 0 is nearest, 3 another file."""
        name = path.rpartition("/")[2]
        if self.path == name:
            return 0
        if f"/{path}".endswith(f"/{self.path}"):
            return 1
        return 2 if self.name == name else 3


@dataclass(frozen=True, slots=True)
class Sums:
    """The text of one checksum file, and what it is called."""

    name: str
    text: str = field(repr=False)
    """Lines that end in a line feed, the last one too; empty for a web page."""

    @classmethod
    def read(cls, data: bytes, name: str) -> Sums:
        """Whatever the bytes are; `name` tells the algorithm where lines do not."""
        return cls(name, _text(data))

    def of(self, path: str) -> Digest | None:
        """The digest a manifest has for the file at `path`, or for its last parts.

        None where lines that are equally near contradict each other.
        """
        near: dict[int, list[Digest]] = {}
        for entry in self._about(path.rpartition("/")[2]):
            near.setdefault(entry.distance(path), []).append(entry.digest)
        near.pop(3, None)
        return _agreed(near[min(near)]) if near else None

    def alone(self, path: str) -> Digest | None:
        """The digest that the sidecar of the file at `path` has for it.

        Its only line may name no file, or another: files are renamed. It may not
        name what is inside: `x.tar` is not `x.tar.gz`.
        """
        if (digest := self.of(path)) is not None:
            return digest
        lines = self.text[: MOST_LINE * 16].split("\n")
        entries = [entry for line in lines if (entry := self._entry(line)) is not None]
        if len(entries) != 1 or _is_inside(entries[0].name, path.rpartition("/")[2]):
            return None
        return entries[0].digest

    def _about(self, name: str) -> Iterator[Entry]:
        """The lines about files of that name, in whatever directory."""
        lines = (line for end in _ends(name) for line in _lines(self.text, end))
        for line in islice(lines, MOST_LINES):
            entry = self._entry(line)
            if entry is not None and entry.name == name:
                yield entry

    def _entry(self, line: str) -> Entry | None:
        """The line read in the way of GNU, else of BSD; None where it is neither."""
        if len(line) > MOST_LINE:
            return None
        line = line.strip()
        is_escaped = line.startswith("\\")
        line = line.removeprefix("\\")
        if (match := _GNU.fullmatch(line)) is not None:
            digest, path = self._by_length(match[1]), match[2] or ""
        else:
            digest, path = _tagged(line)
        if digest is None:
            return None
        return Entry(_normal(_unescape(path) if is_escaped else path), digest)

    def _by_length(self, value: str) -> Digest | None:
        """The length must be that of an algorithm which the file is named after."""
        for algorithm in _named(self.name):
            if len(value) == _DIGITS[algorithm]:
                return Digest(algorithm, value.lower())
        return None


_DIGITS = {algorithm: 2 * hasher(algorithm).digest_size for algorithm in ALGORITHMS}


def _text(data: bytes) -> str:
    """UTF-8, else Latin-1; with a byte order mark also UTF-16."""
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, errors="replace")
            break
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    if text[:MOST_LINE].lstrip().startswith("<") or "\0" in text:
        return ""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _unsigned(text) + "\n"


def _unsigned(text: str) -> str:
    """Without the signature, and without what signing did (RFC 9580 section 7)."""
    if not text.lstrip().startswith(_SIGNED):
        return text
    return text.partition(_SIGNATURE)[0].replace("\n- ", "\n")


def _ends(name: str) -> list[str]:
    """What tells lines about that name from others: GNU's end so, BSD's have it."""
    names = {name, _escape(name)} if name else ()
    plain = sorted(each for each in names if not {"\n", "\r"} & set(each))
    return [f"{each}{end}" for each in plain for end in ("\n", ")")]


def _lines(text: str, end: str) -> Iterator[str]:
    """Each line that `end` occurs in, once."""
    at = text.find(end)
    while at >= 0:
        start, stop = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        yield text[start:stop]
        at = text.find(end, stop)


def _tagged(line: str) -> tuple[Digest | None, str]:
    """`SHA256 (path) = HEX`; OpenSSL writes `SHA2-256(path)= HEX`."""
    head, _, value = line.rpartition(")")
    tag, _, path = head.partition("(")
    value = value.lstrip()
    if not value.startswith("="):
        return None, path
    value = value[1:].lstrip()
    try:
        algorithm = algorithm_named(_usual(tag))
    except UsageError:
        return None, path
    if len(value) != _DIGITS[algorithm] or not _HEX.fullmatch(value):
        return None, path
    return Digest(algorithm, value.lower()), path


def _usual(tag: str) -> str:
    tag = tag.strip().lower().replace("sha2-", "sha")
    return {"blake2b-512": "blake2b", "blake2s-256": "blake2s"}.get(tag, tag)


def _named(name: str) -> tuple[str, ...]:
    """The algorithms that a checksum file's name speaks of.

    The last word counts, as the first ones may be the file's: `md5.tar.gz.sha256`.
    """
    kinds: list[str] = _KIND.findall(name.lower())
    if not kinds:
        return ()
    if kinds[-1] == "sha":  # SHASUMS256.txt
        return _SHA_1_AND_2
    plain = kinds[-1].replace("-", "").replace("_", "")
    plain = "blake2b" if plain == "b2sum" else plain
    plain = plain.replace("sha3", "sha3_") if len(plain) == 7 else plain
    return (plain,) if plain in _DIGITS else ()


def _normal(path: str) -> str:
    """Relative, as far as it can be."""
    while path.startswith(("./", "/")):
        path = path.partition("/")[2]
    return path


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _unescape(path: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], path)


def _is_inside(other: str, name: str) -> bool:
    return bool(other) and name.startswith(f"{other}.")


def _agreed(digests: list[Digest]) -> Digest | None:
    """The longest of those that nobody contradicts."""
    values: dict[str, set[str]] = {}
    for digest in digests:
        values.setdefault(digest.algorithm, set()).add(digest.hex)
    sure = [Digest(name, *found) for name, found in values.items() if len(found) == 1]
    return max(sure, key=lambda digest: len(digest.hex), default=None)
