"""Who may be told what is private: headers, a user and a password, a netrc.

One rule: what was given for a URL is for its origin (scheme, host, port; RFC 6454).
A redirect, a mirror or a link in an answer leads elsewhere, and is told nothing of
it. Only a netrc speaks of hosts by name, and counts wherever the way leads; its
`default` is for the URLs that somebody gave, and none of it goes from https to http.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, quote, unquote, urlsplit

from engine.errors import UsageError
from engine.model import Header

Origin = tuple[str, str | None, int | None]
"""Scheme, host and port, as RFC 6454 compares them."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')
_MACRO = re.compile(r"^[ \t]*macdef[ \t].*\n(?:.*\S.*\n?)*", re.MULTILINE)
_WITH_VALUE = frozenset({"machine", "login", "user", "password", "account"})
_DEFAULT = "*"


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, sent as RFC 7617 has it."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> Header:
        """What a request carries of it (RFC 7617)."""
        pair = f"{self.user}:{self.password}".encode(errors="surrogateescape")
        return "Authorization", f"Basic {b64encode(pair).decode()}"

    def within(self, url: str) -> str:
        """The URL as of this user, unless it says itself whose it is."""
        parts = urlsplit(url)
        if parts.username is not None:
            return url
        user, password = (
            quote(word, "", errors="surrogateescape")
            for word in (self.user, self.password)
        )
        return parts._replace(netloc=f"{user}:{password}@{parts.netloc}").geturl()


def parse_login(text: str) -> Login:
    """The login written as `user:password`. Raises UsageError, which shows no password."""
    user, colon, password = text.partition(":")
    if not colon:
        raise UsageError("it is written as USER:PASSWORD")
    if _CONTROL.search(text):
        raise UsageError("line breaks and other controls are not allowed")
    return Login(user, password)


@dataclass(frozen=True, slots=True)
class Netrc:
    """Logins by host; the first of a host counts."""

    logins: Mapping[str, Login]

    def of(self, host: str | None, *, or_default: bool) -> Login | None:
        """Of this host, or of all that have no entry."""
        own = self.logins.get(host or "")
        return own or (self.logins.get(_DEFAULT) if or_default else None)


NO_NETRC = Netrc(MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is private about a URL that somebody gave, and whom it is for."""

    origin: Origin
    """Of that URL: only there the headers go, and the netrc's default."""
    headers: tuple[Header, ...] = field(default=(), repr=False)
    logins: Mapping[Origin, Login] = field(default_factory=dict)
    netrc: Netrc = NO_NETRC

    def is_home(self, url: str) -> bool:
        """Whether what was given may be sent there."""
        return origin_of(url) == self.origin

    def knowing(self, url: str) -> Credentials:
        """With the userinfo of another URL, for its origin; what is known stays."""
        login = _userinfo(url)
        if login is None:
            return self
        return replace(self, logins={origin_of(url): login, **self.logins})

    def headers_for(self, url: str) -> tuple[Header, ...]:
        """What a request to this URL carries.

        There is one Authorization at most: a header given, else userinfo or --user,
        else what the netrc has.
        """
        origin = origin_of(url)
        is_home = origin == self.origin
        headers = self.headers if is_home else ()
        if has_authorization(headers):
            return headers
        login = self.logins.get(origin) or self._found(origin, or_default=is_home)
        return headers if login is None else (*headers, login.header)

    def _found(self, origin: Origin, *, or_default: bool) -> Login | None:
        scheme, host, _ = origin
        if scheme != "https" and self.origin[0] == "https":
            return None
        return self.netrc.of(host, or_default=or_default)


def credentials_of(
    url: str,
    headers: tuple[Header, ...] = (),
    login: Login | None = None,
    netrc: Netrc = NO_NETRC,
) -> Credentials:
    """For a URL that somebody gave; its own userinfo goes before `login`."""
    origin, login = origin_of(url), _userinfo(url) or login
    logins = {} if login is None else {origin: login}
    return Credentials(origin, headers, logins, netrc)


def has_authorization(headers: Iterable[Header]) -> bool:
    """Whether one of them says who we are."""
    return any(name.lower() == "authorization" for name, _ in headers)


def origin_of(url: str) -> Origin:
    parts = urlsplit(url)
    return _origin(parts.scheme, parts.netloc.rpartition("@")[2])


@lru_cache(maxsize=256)
def _origin(scheme: str, host: str) -> Origin:
    """The same for all files of a host."""
    parts = SplitResult(scheme, host, "", "", "")
    port = parts.port or {"http": 80, "https": 443}.get(scheme.lower())
    return scheme.lower(), parts.hostname, port


def _userinfo(url: str) -> Login | None:
    parts = urlsplit(url)
    if parts.username is None:
        return None
    words = (parts.username, parts.password or "")
    return Login(*(unquote(word, errors="surrogateescape") for word in words))


# -- a netrc ---------------------------------------------------------------------


def read_netrc(path: Path) -> Netrc:
    """The file at `path`. Raises UsageError that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    entries: dict[str, dict[str, str]] = {}
    entry: dict[str, str] = {}
    for number, keyword, value in _statements(text, path):
        if keyword in {"machine", "default"}:
            entry = {}
            entries.setdefault(value.lower(), entry)
        elif entries:
            entry["login" if keyword == "user" else keyword] = value
        else:
            raise _malformed(path, number)
    return Netrc(
        {
            host: Login(entry.get("login", ""), entry.get("password", ""))
            for host, entry in entries.items()
            if "login" in entry or "password" in entry
        }
    )


def check_netrc(path: Path) -> None:
    """Refuse a file that `read_netrc` would."""
    read_netrc(path)


def _statements(text: str, path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, keyword and value, as they come; comments and macros are left out."""
    words, comment = _words(text), 0
    for number, word in words:
        if word.startswith("#") or number == comment:
            comment = number
        elif word == "default":
            yield number, word, _DEFAULT
        elif word in _WITH_VALUE and (value := next(words, None)):
            yield number, word, value[1]
        else:
            raise _malformed(path, number)


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Each with the number of its line; a word in quotes may have spaces in it."""
    text = _MACRO.sub(lambda macro: "\n" * macro[0].count("\n"), text)
    for number, line in enumerate(text.split("\n"), 1):
        for found in _WORD.finditer(line):
            yield number, found[2] or re.sub(r"\\(.)", r"\1", found[1] or "")


def _malformed(path: Path, number: int) -> UsageError:
    return UsageError(
        f"{path}: line {number} is no netrc's: machine, default, login, password and"
        " account are what it may say"
    )
