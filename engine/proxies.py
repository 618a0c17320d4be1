"""The proxy on the way: what one is written like, and whose fault a failure is.

libcurl reads the environment by itself: `http_proxy` in lower case only, since a
server's request may set the other one, `https_proxy` and `all_proxy` in both, and
`no_proxy`. What it chose is looked up here once something went wrong, to be named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.errors import Fault, HydraError, RefusedError, UsageError
from engine.retry import TRANSIENT

SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_SECRET = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f]")

_TLS, _CERTIFICATE, _SOCKS = 35, 60, 97
_FAILED = {
    5: "unknown host of {}",
    7: "cannot connect to {}",
    28: "connecting by {} timed out",
    _TLS: "TLS handshake with {} failed",
}
"""What libcurl calls the failures that may be a proxy's (CURLE_*)."""
_LOGIN = frozenset({4, 5, 6, 7, 8, 10, 11, 12, 14, 28, 33})
_FORBIDDEN = 23
_SAID = {
    3: "it hung up",
    19: "the host refuses connections",
    21: "the host cannot be reached",
    22: "the network cannot be reached",
    24: "the host cannot be reached",
    27: "unknown host",
}
"""What libcurl makes of the answers of SOCKS servers (CURLPX_*)."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that named it where the environment did."""

    url: str = field(repr=False)
    variable: str = ""

    def __str__(self) -> str:
        shown = _SECRET.sub(r"\1", self.url)
        return f"the proxy {shown}" + (f" of ${self.variable}" if self.variable else "")

    @property
    def is_secure(self) -> bool:
        """Whether we speak TLS with it."""
        return self.url.lower().startswith("https:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What libcurl tells of a request that went by a proxy."""

    code: int
    tunnel: int = 0
    """The proxy's answer to CONNECT; 0 where it gave none."""
    socks: int = 0
    distrusted: bool = False
    """Whether it was the proxy's certificate."""


def check_proxy(url: str) -> None:
    """Refuse what is no proxy's URL; one without a scheme speaks HTTP."""
    shown = _SECRET.sub(r"\1", url)
    if not _is_proxy(url):
        raise UsageError(
            f"--proxy: {shown!r} is not allowed; SCHEME://HOST:PORT, "
            f"the scheme is one of {', '.join(SCHEMES)}"
        )


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_bare = parts.path in {"", "/"} and not parts.query and not parts.fragment
    is_known = parts.scheme.lower() in SCHEMES
    return is_known and has_place and is_bare and not _UNWRITABLE.search(url)


def named(url: str, given: str | None, environment: Mapping[str, str]) -> Proxy:
    """The proxy that libcurl takes for a URL; None leaves it to the environment."""
    if given is not None:
        return Proxy(given)
    is_plain = urlsplit(url).scheme.lower() == "http"
    own = ("http_proxy",) if is_plain else ("https_proxy", "HTTPS_PROXY")
    for variable in (*own, "all_proxy", "ALL_PROXY"):
        if value := environment.get(variable):
            return Proxy(value, variable)
    return Proxy("of the environment")


def wants_login(proxy: Proxy) -> RefusedError:
    """Of one that answered 407 (RFC 9110 section 15.5.8)."""
    what = "does not take our" if "@" in proxy.url else "wants a"
    return RefusedError(f"{proxy} {what} user and password: HTTP 407", status=407)


def blamed(proxy: Proxy, failure: Failure) -> HydraError | None:
    """What to say where the proxy failed, or refused; None where it did its work."""
    if failure.tunnel:
        return _closed(proxy, failure.tunnel) if failure.tunnel >= 300 else None
    if failure.code == _SOCKS:
        return _socks(proxy, failure.socks)
    if failure.code == _CERTIFICATE and failure.distrusted:
        return RefusedError(f"the certificate of {proxy} cannot be verified")
    if failure.code == _TLS and not proxy.is_secure:
        return None
    said = _FAILED.get(failure.code)
    return Fault(said.format(proxy), unreachable=True) if said else None


def _closed(proxy: Proxy, status: int) -> HydraError:
    """A tunnel was asked for, and refused."""
    if status == 407:
        return wants_login(proxy)
    said = f"{proxy} opens no tunnel: HTTP {status}"
    if status in TRANSIENT:
        return Fault(said, unreachable=True)
    return RefusedError(said, status=status)


def _socks(proxy: Proxy, answer: int) -> HydraError:
    if answer in _LOGIN:
        what = "does not take our" if "@" in proxy.url else "wants a"
        return RefusedError(f"{proxy} {what} user and password")
    if answer == _FORBIDDEN:
        return RefusedError(f"{proxy} does not allow this host")
    why = _SAID.get(answer, "it opens no connection to the host")
    return Fault(f"{proxy}: {why}", unreachable=True)
