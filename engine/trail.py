"""The link that a job follows, and the fresh ones that come after it.

A link expires. Then somebody gives a fresh one for the same file, or the user's
own command does. What lies on disk is known by the URL that the job began with,
whatever came after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from engine.renewal import fresh_url
from engine.source import Source

MOST_MIRRORS = 64


class Trail:
    """A URL and its successors; the latest is what is asked."""

    def __init__(
        self,
        began: str,
        url: str,
        make_source: Callable[[str], Source],
        command: str | None,
        mirrors: tuple[str, ...] = (),
    ) -> None:
        self.began = began
        """The first of them."""
        self.url = url
        self.is_fresh = False
        """Whether the latest has yet to show that it leads to the same file."""
        self.mirrors = list(mirrors)
        """Where else the file may be had than at `source`."""
        self._make_source = make_source
        self._command = command
        self._renewed_at: int | None = None
        """How much was here when the command was last asked."""

    @cached_property
    def source(self) -> Source:
        return self._make_source(self.url)

    def follow(self, url: str) -> None:
        """Ask there from now on."""
        self.url = url
        self.source = self._make_source(url)
        self.is_fresh = True

    def learn(self, mirrors: Iterable[str]) -> None:
        """More places have come to be known."""
        known = {self.began, self.url, self.source.url, *self.mirrors}
        self.mirrors += [url for url in dict.fromkeys(mirrors) if url not in known]
        del self.mirrors[MOST_MIRRORS:]

    def fall_back(self, places: int) -> bool:
        """Ask at the next place; whether there is one that was not asked before.

        The one before stays a place where the file may be had.
        """
        if places >= len(self.mirrors):
            return False
        url = self.source.url
        self.source = self.source.elsewhere(self.mirrors.pop(0))
        self.mirrors.append(url)
        return True

    def may_ask(self, here: int) -> bool:
        """Whether there is a command, and what it gave last has brought anything."""
        return self._command is not None and self._renewed_at != here

    async def ask(self, here: int) -> str:
        """A fresh link from the user's command. Raises ExpiredError."""
        assert self._command is not None
        self._renewed_at = here
        return await fresh_url(self._command, self.began)
