"""Where the bytes come from: nginx, as fast as it can, or an origin of given manners.

Each runs in a process of its own, and what it serves is known without asking.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from engine.testing import Content, Counts, OriginProcess
from tests.support.nginx import NginxServer
from tests.support.payload import Payload

Scheme = Literal["http", "https", "h2"]


@dataclass(frozen=True, slots=True)
class Served:
    """What can be fetched, and what must come out."""

    urls: tuple[str, ...] = ()
    contents: tuple[Content, ...] = ()
    cacert: Path | None = None
    prefix: tuple[str, ...] = ()
    """A command that runs another where these can be reached."""
    counts: Callable[[], Counts | None] = lambda: None
    """What the server has seen so far, where it counts."""

    @property
    def size(self) -> int:
        return sum(content.size for content in self.contents)

    @property
    def sha256(self) -> list[str]:
        return [_sha256(content) for content in self.contents]

    def beginning(self, count: int) -> str:
        """The sha256 of the first `count` bytes of the only file."""
        (content,) = self.contents
        digest = hashlib.sha256()
        for piece in content.pieces(0, min(count, content.size)):
            digest.update(piece)
        return digest.hexdigest()


@functools.cache
def _sha256(content: Content) -> str:
    return content.digest()


class UnavailableError(Exception):
    """This machine cannot have such a site; the message says what it lacks."""


class Site(Protocol):
    """A place to fetch from; equal ones are the same place."""

    def serve(self, folder: Path) -> AbstractContextManager[Served]:
        """Open it, with what it needs on disk in `folder`.

        Raises UnavailableError.
        """


@dataclass(frozen=True, slots=True)
class Nothing:
    """For what fetches nothing."""

    @contextlib.contextmanager
    def serve(self, folder: Path) -> Iterator[Served]:
        yield Served()


@dataclass(frozen=True, slots=True)
class NginxSite:
    """Real nginx on loopback, files in the same file system as the outputs."""

    scheme: Scheme
    size: int
    files: int = 1

    @contextlib.contextmanager
    def serve(self, folder: Path) -> Iterator[Served]:
        root = folder / f"{self.files}x{self.size}"
        root.mkdir(exist_ok=True)
        names = [f"{number:04}.bin" for number in range(self.files)]
        payload = Payload.make(root, dict.fromkeys(names, self.size))
        with NginxServer(root) as nginx:
            url = getattr(nginx, f"{self.scheme}_url")
            cacert = None if self.scheme == "http" else nginx.cacert
            urls = tuple(f"{url}/{name}" for name in names)
            yield Served(urls, tuple(payload.contents.values()), cacert)


@dataclass(frozen=True, slots=True)
class OriginSite:
    """An origin that decides how fast anybody can be."""

    size: int
    files: int = 1
    rate: int | None = None
    """Bytes a second of each connection."""
    latency: float = 0.0
    """Seconds before each response."""
    slow: tuple[int, int] | None = None
    """(n, rate): every n-th connection gets that many bytes a second."""
    crawling: tuple[int, int] | None = None
    """(n, rate): every n-th request does."""
    uplink: int | None = None
    """Bytes a second of all connections together."""
    most: int | None = None
    """Requests at the same time; more are told 429."""

    @contextlib.contextmanager
    def serve(self, folder: Path) -> Iterator[Served]:
        with OriginProcess(*self._manners()) as origin:
            if self.files == 1:
                one = (origin.url(),), (Content(self.size),)
                yield Served(*one, counts=origin.counts)
                return
            numbers = range(self.files)
            urls = tuple(origin.url(f"/small/{number:04}") for number in numbers)
            contents = tuple(Content(self.size, number + 1) for number in numbers)
            yield Served(urls, contents, counts=origin.counts)

    def _manners(self) -> Iterator[str]:
        one = self.files == 1
        yield f"--size={self.size}" if one else f"--files={self.files}x{self.size}"
        yield f"--latency={self.latency}"
        if self.rate is not None:
            yield f"--rate={self.rate}"
        if self.slow is not None:
            every, rate = self.slow
            yield from (f"--slow-every={every}", f"--slow-one={rate}")
        if self.crawling is not None:
            every, rate = self.crawling
            yield from (f"--slow-every-request={every}", f"--slow-request={rate}")
        if self.uplink is not None:
            yield f"--uplink={self.uplink}"
        if self.most is not None:
            yield f"--max-connections={self.most}"
