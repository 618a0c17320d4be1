"""The cookies of a run: those of a file, and those that answers set.

The rules (domain, path, Secure, expiry; RFC 6265) are those of `http.cookiejar`. A
browser's file may hold thousands of cookies, and each request asks: so each family of
hosts, those with the same last two labels, has a jar of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import cast
from urllib.parse import urlsplit
from urllib.request import Request

from engine.cookie_file import Entry


class Cookies:
    """What was given and what answers have set; a request carries what fits it."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._jars: defaultdict[str, CookieJar] = defaultdict(_jar)
        for cookie in map(_cookie, entries):
            self._jars[_family(cookie.domain)].set_cookie(cookie)

    def header(self, url: str) -> str | None:
        """The value of the Cookie field of a request, or None."""
        request = Request(url)  # noqa: S310  # it is asked about, and never opened
        self._jar_for(url).add_cookie_header(request)
        return request.get_header("Cookie")

    def take(self, url: str, fields: Iterable[str]) -> None:
        """What an answer sets; `fields` are the values of its Set-Cookie fields."""
        answer = _Answer(fields)
        request = Request(url)  # noqa: S310
        self._jar_for(url).extract_cookies(cast(HTTPResponse, answer), request)

    def _jar_for(self, url: str) -> CookieJar:
        return self._jars[_family(urlsplit(url).hostname or "")]


class _Answer:
    """An answer, as far as a jar looks at it."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = Message()
        for value in fields:
            self._fields["Set-Cookie"] = value

    def info(self) -> Message:
        return self._fields


def _jar() -> CookieJar:
    """One that sends a cookie to its very host, unless it names a domain."""
    strictly = DefaultCookiePolicy.DomainStrictNonDomain
    return CookieJar(DefaultCookiePolicy(strict_domain=True, strict_ns_domain=strictly))


def _family(host: str) -> str:
    """The labels that a host shares with all it may have a cookie in common with."""
    return ".".join(_full(host).lower().strip(".").split(".")[-2:])


def _full(host: str) -> str:
    """The host as a jar calls it: one of a single label is local."""
    return host if "." in host.strip(".") else f"{host}.local"


def _cookie(entry: Entry) -> Cookie:
    return Cookie(
        version=0,
        name=entry.name or entry.value,
        value=entry.value if entry.name else None,
        port=None,
        port_specified=False,
        domain=f".{_full(entry.host)}" if entry.is_domain else _full(entry.host),
        domain_specified=entry.is_domain,
        domain_initial_dot=entry.is_domain,
        path=entry.path,
        path_specified=True,
        secure=entry.is_secure,
        expires=entry.expires,
        discard=entry.expires is None,
        comment=None,
        comment_url=None,
        rest={},
    )
