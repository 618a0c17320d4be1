"""What a proxy is written like, and what it is blamed for."""

from __future__ import annotations

import pytest

from engine.errors import Fault, HydraError, RefusedError, UsageError
from engine.proxies import (
    SCHEMES,
    Failure,
    Proxy,
    blamed,
    check_proxy,
    named,
    wants_login,
)

PROXY = Proxy("http://me:s3cret@10.0.0.1:3128")


@pytest.mark.parametrize("scheme", ["", *(f"{scheme}://" for scheme in SCHEMES)])
@pytest.mark.parametrize(
    "place", ["proxy", "proxy:3128", "[::1]:1080", "me:p%40w@p:1/"]
)
def test_a_proxy_is_a_place(scheme: str, place: str) -> None:
    """A host, perhaps a port and a login; without a scheme it speaks HTTP."""
    check_proxy(scheme + place)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://me:s3cret@proxy",
        "socks://proxy",
        "http://",
        "http://me:s3cret@",
        "proxy:port",
        "proxy:99999",
        "proxy:0",
        "[::1",
        "http://proxy/path",
        "http://proxy?s3cret",
        "pro xy",
        "me:s3cret@proxy\r\n",
    ],
)
def test_what_is_no_proxy_is_refused(url: str) -> None:
    """With the value, but no login in it, and with what is allowed."""
    with pytest.raises(UsageError, match=r"^--proxy: .*socks5h$") as raised:
        check_proxy(url)
    assert "me:s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://a/", "http_proxy"),
        ("https://a/", "HTTPS_PROXY"),
    ],
)
def test_the_environment_is_asked_as_libcurl_asks_it(url: str, found: str) -> None:
    """By scheme first; in upper case only what no request can have set."""
    environment = {
        "HTTP_PROXY": "http://no:1",
        "http_proxy": "",
        "HTTPS_PROXY": "",
        "all_proxy": "http://all:1",
    }
    assert named(url, None, environment) == Proxy("http://all:1", "all_proxy")
    environment[found] = "me:s3cret@own:1"
    proxy = named(url, None, environment)
    assert str(proxy) == f"the proxy own:1 of ${found}"
    assert named(url, "http://typed:1", environment) == Proxy("http://typed:1")


def test_a_login_at_a_proxy_is_not_shown() -> None:
    """Neither to people nor in a traceback."""
    assert str(PROXY) == "the proxy http://10.0.0.1:3128"
    assert "s3cret" not in f"{PROXY!r}"


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (Failure(code=5), Fault, "unknown host of"),
        (Failure(code=7), Fault, "cannot connect to"),
        (Failure(code=28), Fault, "timed out"),
        (Failure(code=7, tunnel=407), RefusedError, "does not take our .*407"),
        (Failure(code=7, tunnel=403), RefusedError, "no tunnel: HTTP 403"),
        (Failure(code=7, tunnel=503), Fault, "no tunnel: HTTP 503"),
        (Failure(code=60, distrusted=True), RefusedError, "the certificate of"),
        (Failure(code=97, socks=33), RefusedError, "does not take our"),
        (Failure(code=97, socks=23), RefusedError, "does not allow this host"),
        (Failure(code=97, socks=19), Fault, "the host refuses connections"),
        (Failure(code=97, socks=31), Fault, "opens no connection"),
    ],
)
def test_a_proxy_is_blamed_for_what_it_did(
    failure: Failure, kind: type[HydraError], said: str
) -> None:
    """It is named; what may pass is a fault as of a host that nobody reaches."""
    with pytest.raises(kind, match=said) as raised:
        raise blamed(PROXY, failure) or AssertionError
    assert str(PROXY) in str(raised.value)
    assert not isinstance(raised.value, Fault) or raised.value.unreachable


@pytest.mark.parametrize(
    "failure",
    [
        Failure(code=6),
        Failure(code=18),
        Failure(code=35),
        Failure(code=56),
        Failure(code=60),
        Failure(code=28, tunnel=200),
        Failure(code=35, tunnel=200),
    ],
)
def test_a_proxy_is_not_blamed_for_a_server(failure: Failure) -> None:
    """What fails behind it is told as if it were not there."""
    assert blamed(PROXY, failure) is None


def test_a_handshake_is_with_who_speaks_tls() -> None:
    """Before a tunnel stands that is the proxy, where its URL says so."""
    found = blamed(Proxy("https://proxy:1"), Failure(code=35))
    assert str(found) == "TLS handshake with the proxy https://proxy:1 failed"


def test_who_gave_no_login_is_told_that_one_is_wanted() -> None:
    """And it is another thing than a wrong one."""
    assert "wants a user and password" in str(wants_login(Proxy("proxy:1")))
    assert "does not take our user" in str(wants_login(PROXY))
