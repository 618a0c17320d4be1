"""What may be configured, and what people are told when it may not."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given, strategies as st

from engine.config import MIB, Config, check_header, check_url, parse_size
from engine.credentials import Login
from engine.errors import UsageError
from engine.model import OnConflict


def test_the_defaults_are_allowed() -> None:
    """A config without a word is the one of the documentation."""
    config = Config()
    assert (config.threads, config.jobs, config.limit) == (None, None, None)
    assert (config.min_chunk, config.stream_chunk) == (1 * MIB, 5 * MIB)
    assert config.buffer == 64 * MIB
    assert (config.stall_timeout, config.connect_timeout) == (10.0, 15.0)
    assert config.browser == "chrome120"
    assert config.on_conflict is OnConflict.RENAME
    assert (config.restart, config.url_command) == (False, None)


def test_a_config_cannot_be_changed() -> None:
    """Settings are frozen: another setting is another config."""
    with pytest.raises(FrozenInstanceError):
        Config().threads = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("threads", 1, 128),
        ("jobs", 1, 16),
        ("min_chunk", MIB // 16, 1024 * MIB),
        ("stream_chunk", MIB // 4, 1024 * MIB),
        ("buffer", 4 * MIB, 64 * 1024 * MIB),
        ("limit", 1, 1e12),
        ("give_up_after", 0, 1e9),
        ("stall_timeout", 0.1, 1e6),
        ("connect_timeout", 0.1, 1e6),
    ],
)
def test_a_setting_has_its_bounds(name: str, lowest: float, highest: float) -> None:
    """The bounds themselves are allowed, and nothing beyond them."""
    for value in (lowest, highest):
        settings: dict[str, Any] = {name: value}
        assert getattr(Config(**settings), name) == value
    for value in (lowest - 0.01, -1, highest * 2, float("nan")):
        settings = {name: value}
        option = name.replace("_", "-")
        with pytest.raises(UsageError, match=f"^--{option}(-mb)?: "):
            Config(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 129}, "--threads: 129 is not allowed; 1 to 128"),
        ({"buffer": MIB}, "--buffer: 1 is not allowed; 4 to 65536 MiB"),
        (
            {"buffer": 3 * MIB + MIB // 2},
            "--buffer: 3.5 is not allowed; 4 to 65536 MiB",
        ),
    ],
)
def test_a_bad_value_is_told_in_the_units_that_were_typed(
    settings: dict[str, Any], message: str
) -> None:
    """The message has the option, the value and what is allowed."""
    with pytest.raises(UsageError) as raised:
        Config(**settings)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "header",
    [
        ("Accept", "text/html"),
        ("X-Empty", ""),
        ("x!#$%&'*+.^_`|~9", "any value: even this"),
        ("X-Latin", "caf\u00e9\ttab"),
    ],
)
def test_a_header_that_survives_the_wire_is_allowed(header: tuple[str, str]) -> None:
    """Names are tokens, values are any text of one line."""
    check_header(header)
    assert Config(headers=(header,)).headers == (header,)


@pytest.mark.parametrize(
    "header",
    [
        ("", "value"),
        ("Bad Name", "value"),
        ("Bad:", "value"),
        ("Bad\u00e9", "value"),
        ("Bad\n", "value"),
        ("Good", "line\r\nInjected: yes"),
        ("Good", "line\nbreak"),
        ("Good", "nul\0"),
    ],
)
def test_a_header_that_would_be_two_is_refused(header: tuple[str, str]) -> None:
    """Nothing can be smuggled into a request through a header."""
    with pytest.raises(UsageError, match="bad"):
        Config(headers=(header,))


def test_a_user_and_an_authorization_exclude_each_other() -> None:
    """Only one can be sent, and it is not ours to say which."""
    login = Login("me", "s3cret")
    assert Config(user=login, headers=(("X-Token", "x"),)).user == login
    with pytest.raises(UsageError, match="--user and a header Authorization"):
        Config(user=login, headers=(("authorization", "Bearer x"),))


def test_a_proxy_is_checked() -> None:
    """Nothing is none, and asks nobody; what is no proxy is refused."""
    assert Config(proxy="socks5h://proxy:1080").proxy == "socks5h://proxy:1080"
    assert Config(proxy="").proxy == ""
    with pytest.raises(UsageError, match=r"^--proxy: 'ftp://proxy' is not allowed"):
        Config(proxy="ftp://me:s3cret@proxy")


def test_a_config_shows_no_secret_by_accident() -> None:
    """A traceback that prints its values prints none of them."""
    login = Login("me", "s3cret")
    headers = (("Cookie", "s3cret"),)
    assert "s3cret" not in repr(Config(user=login, proxy="me:s3cret@proxy"))
    assert "s3cret" not in repr(Config(headers=headers))


@pytest.mark.parametrize("name", ["Range", "if-range", "ACCEPT-ENCODING"])
def test_a_header_of_our_own_is_refused(name: str) -> None:
    """What ranges and lengths depend on is not for others to say."""
    with pytest.raises(UsageError, match=f"header {name} is ours"):
        check_header((name, "bytes=0-1"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org/a%20b?q=1#top",
        "HTTPS://user:secret@example.org:8443/x",
        "http://[::1]:8080/",
        "http://127.0.0.1:65535/" + "a" * 5000,
        "http://m\u00fcnchen.example/stra\u00dfe",
    ],
)
def test_an_http_url_with_a_host_is_allowed(url: str) -> None:
    """Ports, userinfo, IPv6 and long paths are all fine."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "has no scheme"),
        ("example.org/file", "try https://example.org/file"),
        ("http:/example.org", "has no scheme"),
        ("//example.org", "has no scheme"),
        ("ftp://example.org/x", "only http and https are allowed"),
        ("file:///etc/passwd", "only http and https are allowed"),
        ("javascript://alert(1)", "only http and https are allowed"),
        ("http://", "has no host"),
        ("http:///path", "has no host"),
        ("http://:80/", "has no host"),
        ("http://example.org:99999/", "out of range"),
        ("http://example.org:port/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://exa mple.org/", "spaces or control characters"),
        ("http://example.org/\r\nHost: evil", "spaces or control characters"),
        ("http://example.org/\x7f", "spaces or control characters"),
    ],
)
def test_what_cannot_be_fetched_is_refused(url: str, reason: str) -> None:
    """The message has the URL and what is wrong with it."""
    with pytest.raises(UsageError) as raised:
        check_url(url)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_long_url_is_shown_short() -> None:
    """The message about a URL fits on a screen."""
    with pytest.raises(UsageError) as raised:
        check_url("ftp://example.org/" + "a" * 5000)
    assert len(str(raised.value)) < 160


@given(st.text())
def test_no_url_is_a_surprise(url: str) -> None:
    """Whatever is typed, it is a URL or a usage error."""
    try:
        check_url(url)
    except UsageError:
        return
    assert url.lower().startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("text", "unit", "size"),
    [
        ("64", "", 64),
        ("64", "Mi", 64 * MIB),
        ("10", "m", 10_000_000),
        ("1.5Gi", "", 1536 * MIB),
        ("20M", "Mi", 20_000_000),
        ("20MB", "", 20_000_000),
        ("20 MB/s", "", 20_000_000),
        (" 7k ", "", 7_000),
        ("7KiB", "m", 7 * 1024),
        ("2T", "", 2 * 10**12),
        ("3ti", "", 3 * 2**40),
        ("512b", "", 512),
        ("0", "M", 0),
        ("0.5", "Ki", 512),
    ],
)
def test_sizes_have_decimal_and_binary_units(text: str, unit: str, size: int) -> None:
    """K M G are decimal, Ki Mi Gi binary, and a bare number has the default unit."""
    assert parse_size(text, unit) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1", "1e6", "1,5M", "5X", "1.M", "0x10", "1 2"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """The message says how sizes are written."""
    with pytest.raises(ValueError, match="a number is needed"):
        parse_size(text)
