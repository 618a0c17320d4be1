"""Digests of a whole file, read out of the header fields of one answer.

A field counts only where it covers the file and not just what came: Content-MD5
of an answer with status 206 may be that of the part. An ETag is never a digest.
Whatever is unknown, of a wrong length or malformed says nothing, and is no error:
many servers send nonsense here.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping

from engine.digest import algorithm_named, hasher
from engine.errors import UsageError
from engine.model import Digest, Header, Promise

_Fields = Mapping[str, str]
_Claim = tuple[str, bytes]
"""What the field calls the algorithm, and the digest."""

_SHA256_TAG = re.compile(r'"?([0-9a-fA-F]{64})"?')


def promised(fields: Iterable[Header], *, whole: bool) -> tuple[Promise, ...]:
    """One promise for each algorithm, of the field that is most to be trusted.

    `fields` are of one answer, names in lower case; what comes several times is
    joined. `whole`: its body is the whole file. An answer whose content coding was
    undone is not to be asked at all: every field is about the coded bytes.
    """
    given = _joined(field for field in fields if field[0] in _READ)
    if not given:
        return ()
    found: dict[str, Promise] = {}
    for origin, read in _READERS.items():
        if origin.lower() not in given or (origin in _OF_THE_BODY and not whole):
            continue
        for name, value in read(given, given[origin.lower()]):
            digest = _digest(name, value)
            if digest is not None:
                found.setdefault(digest.algorithm, Promise(digest, origin))
    return tuple(found.values())


def _joined(fields: Iterable[Header]) -> dict[str, str]:
    """Repeated fields joined by commas (RFC 9110 section 5.3)."""
    given: dict[str, str] = {}
    for name, value in fields:
        given[name] = f"{given[name]}, {value}" if name in given else value
    return given


def _digest(name: str, value: bytes) -> Digest | None:
    """`sha` is SHA-1 (RFC 3230 section 4.1.1, RFC 9530 section 7.2)."""
    try:
        algorithm = algorithm_named("sha1" if name.strip().lower() == "sha" else name)
    except UsageError:
        return None
    if len(value) != hasher(algorithm).digest_size:
        return None
    return Digest(algorithm, value.hex())


# -- each field in its own way -------------------------------------------------


def _dictionary(_given: _Fields, value: str) -> Iterator[_Claim]:
    """A structured field (RFC 9651) of byte sequences; all of it, or nothing."""
    import http_sf

    try:
        members = http_sf.parse(value.encode(errors="replace"), tltype="dictionary")
    except (ValueError, OverflowError):
        return
    assert isinstance(members, dict)
    for name, member in members.items():
        if isinstance(member, tuple) and isinstance(member[0], bytes):
            yield name, member[0]


def _pairs(_given: _Fields, value: str) -> Iterator[_Claim]:
    """`SHA-256=base64,md5=base64` (RFC 3230 section 4.2)."""
    for pair in value.split(","):
        name, _, text = pair.partition("=")
        yield name, _decoded(text)


def _google(given: _Fields, value: str) -> Iterator[_Claim]:
    """Of what is stored; the store may have undone a coding that is stored with it."""
    stored, sent = (
        given.get(name, "identity").strip().lower()
        for name in ("x-goog-stored-content-encoding", "content-encoding")
    )
    if stored in {"identity", "", sent}:
        yield from _pairs(given, value)


def _md5(_given: _Fields, value: str) -> Iterator[_Claim]:
    yield "md5", _decoded(value)


def _amazon(algorithm: str) -> Callable[[_Fields, str], Iterator[_Claim]]:
    def read(given: _Fields, value: str) -> Iterator[_Claim]:
        """A composite is a digest of digests of parts, and may end in `-N`."""
        kind = given.get("x-amz-checksum-type", "FULL_OBJECT").strip().upper()
        if kind == "FULL_OBJECT":
            yield algorithm, _decoded(value)

    return read


def _hugging_face(_given: _Fields, value: str) -> Iterator[_Claim]:
    """SHA-256 of what is in LFS; other files have the name of a git blob."""
    if match := _SHA256_TAG.fullmatch(value.strip()):
        yield "sha256", bytes.fromhex(match[1])


def _decoded(text: str) -> bytes:
    """Base64, perhaps without its padding or between colons; empty if malformed."""
    text = text.strip().strip(":").rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


_READERS: Mapping[str, Callable[[_Fields, str], Iterator[_Claim]]] = {
    "Repr-Digest": _dictionary,
    "Content-Digest": _dictionary,
    "Digest": _pairs,
    "Content-MD5": _md5,
    "x-goog-hash": _google,
    "x-amz-checksum-sha256": _amazon("sha256"),
    "x-amz-checksum-sha1": _amazon("sha1"),
    "x-linked-etag": _hugging_face,
}
"""Every field that tells of digests, in its usual spelling, the best one first."""
_READ = frozenset(
    {name.lower() for name in _READERS}
    | {"x-goog-stored-content-encoding", "content-encoding", "x-amz-checksum-type"}
)
"""Those, and what is to be known besides to make sense of them."""
_OF_THE_BODY = frozenset({"Content-Digest", "Content-MD5"})
"""Fields about the bytes of this one answer."""
