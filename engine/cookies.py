"""The cookies of a run: those of a file, and those that answers set.

The rules (domain, path, Secure, expiry; RFC 6265) are those of `http.cookiejar`.
The file is read once and never written. A browser's file may hold thousands of
cookies, and each request asks: so each family of hosts, those with the same last
two labels, has a jar of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from urllib.request import Request

from engine.errors import UsageError

_HTTP_ONLY = "#HttpOnly_"
_FLAGS = {"TRUE": True, "FALSE": False}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Cookies:
    """What was given and what answers have set; a request carries what fits it."""

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._jars: defaultdict[str, CookieJar] = defaultdict(_jar)
        for cookie in cookies:
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


# -- a file ----------------------------------------------------------------------


def read_cookies(path: Path) -> Cookies:
    """The file at `path`, in Netscape's format.

    Raises UsageError that names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return Cookies(_read(text, path))


def check_cookies(path: Path) -> None:
    """Refuse a file that `read_cookies` would."""
    read_cookies(path)


def _read(text: str, path: Path) -> Iterator[Cookie]:
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.removesuffix("\r").removeprefix(_HTTP_ONLY)
        if not plain.strip() or plain.startswith("#"):
            continue
        try:
            yield _cookie(plain)
        except (ValueError, KeyError):
            raise UsageError(
                f"{path}: line {number} is not in Netscape's format: domain, TRUE or"
                " FALSE, path, TRUE or FALSE, expiry, name and value, between tabs"
            ) from None


def _cookie(line: str) -> Cookie:
    """ValueError or KeyError, where it is none."""
    host, with_subdomains, path, secure, expiry, name, *rest = line.split("\t")
    value = "\t".join(rest)
    if _CONTROL.search(name + value):
        raise ValueError
    is_domain = _FLAGS[with_subdomains.upper()]
    host = _full(host.lower().strip("."))
    expires = int(expiry.partition(".")[0]) or None
    return Cookie(
        version=0,
        name=name or value,
        value=value if name else None,
        port=None,
        port_specified=False,
        domain=f".{host}" if is_domain else host,
        domain_specified=is_domain,
        domain_initial_dot=is_domain,
        path=path,
        path_specified=True,
        secure=_FLAGS[secure.upper()],
        expires=expires,
        discard=expires is None,
        comment=None,
        comment_url=None,
        rest={},
    )
