"""What people may see of URLs and headers."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from engine.masking import (
    LONGEST,
    MASKED,
    is_secret,
    mask,
    scrubbed,
    shown as shown_of,
)

URL = "https://example.org/data/file.bin"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, URL),
        ("https://u:p@example.org/x", "https://example.org/x"),
        ("https://u:p%40ss@example.org:8443/x", "https://example.org:8443/x"),
        (
            "https://example.org/x?sig=abc&exp=1",
            "https://example.org/x?sig=***&exp=***",
        ),
        ("https://example.org/x?s3cret", "https://example.org/x"),
        ("https://example.org/x#fragment", "https://example.org/x"),
        ("https://example.org/x?a=1;b=s3cret", "https://example.org/x?a=***"),
        ("https://a@b@example.org/x", "https://example.org/x"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """No userinfo, no value of the query, no fragment."""
    assert mask(url) == shown


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text()), max_size=4))
def test_no_query_value_is_ever_shown(pairs: list[tuple[str, str]]) -> None:
    """Whatever the values of a query are, none of them is left."""
    query = urlencode([(key, f"s3cret{value}") for key, value in pairs])
    shown = mask(f"https://s3cret:s3cret@example.org/x?{query}#s3cret")
    assert "s3cret" not in shown
    assert shown.count("***") == len(pairs)


@pytest.mark.parametrize(
    "name",
    [
        "set-cookie",
        "Set-Cookie",
        "cookie",
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "x-amz-security-token",
        "x-goog-signature",
        "x-ms-encryption-key-sha256",
        "x-api-key",
        "x-secret",
        "x-auth",
        "x-csrf",
        "x-session-id",
        "x-sig",
    ],
)
def test_what_may_open_doors_is_masked_whole(name: str) -> None:
    """The name of a header is enough to suspect its value."""
    assert is_secret(name)
    assert shown_of(name, "s3cret") == MASKED


@pytest.mark.parametrize(
    "name",
    [
        "etag",
        "content-type",
        "last-modified",
        "x-linked-etag",
        "server",
        "x-author",
        "accept-ranges",
        "content-disposition",
    ],
)
def test_what_opens_no_door_is_shown(name: str) -> None:
    """What identifies the file and the server can be read."""
    assert shown_of(name, '"v1" of 2025') == '"v1" of 2025'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/file?sig=s3cret", "/file?***"),
        ("/file?s3cret", "/file?***"),
        ("https://u:s3cret@example.org/x", "https://example.org/x"),
        (
            "<https://example.org/x?a=s3cret;b=s3cret>; rel=duplicate",
            "<https://example.org/x?***>; rel=duplicate",
        ),
        (
            "<https://u:s3cret@a.org/x>, <https://b.org/?s3cret>",
            "<https://a.org/x>, <https://b.org/?***>",
        ),
        ('attachment; filename="why?.txt"', 'attachment; filename="why?***"'),
    ],
)
def test_a_url_in_a_header_is_masked_too(value: str, shown: str) -> None:
    """Links and locations of other headers may be signed."""
    assert shown_of("link", value) == shown


def test_a_long_value_is_cut() -> None:
    """Nobody reads a kilobyte of policy."""
    assert len(shown_of("x-policy", "z" * 10_000)) == LONGEST
    assert shown_of("x-policy", "z" * LONGEST) == "z" * LONGEST


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("> GET /file?token=s3cret HTTP/1.1", "> GET /file?*** HTTP/1.1"),
        ("> Authorization: Basic s3cret", "> Authorization: ***"),
        ("< set-cookie: sid=s3cret; Path=/", "< set-cookie: ***"),
        ("* [HTTP/2] [1] [cookie: sid=s3cret]", "* [HTTP/2] [1] [cookie: ***]"),
        ("* [HTTP/2] [1] [:path: /a?b=s3cret]", "* [HTTP/2] [1] [:path: /a?***"),
        ("Proxy-Authorization: NTLM s3cret", "Proxy-Authorization: ***"),
        ("* Server auth using Basic with user 's3cret'", None),
        ("ValueError: ('Authorization', 's3cret')", None),
        ("KeyError: {'X-Api-Key': b's3cret'}", None),
        ("what comes of Bearer s3cret", "what comes of Bearer ***"),
        ("no http://u:p@s3cret@host/x?a=s3cret", "no http://host/x?***"),
        ("KeyError: 'size'", "KeyError: 'size'"),
        ("* Connected to host (::1) port 443", "* Connected to host (::1) port 443"),
        ('< etag: "abc"\n< x-token: s3cret\n< b: c', None),
    ],
)
def test_text_of_any_kind_is_scrubbed(text: str, seen: str | None) -> None:
    """What curl says, and tracebacks: lines stay, and what may be a secret goes."""
    shown = scrubbed(text)
    assert "s3cret" not in shown
    assert shown == (shown if seen is None else seen)
    assert shown.count("\n") == text.count("\n")


def test_only_the_value_of_a_secret_is_scrubbed() -> None:
    """What stands around it can still be read."""
    lines = scrubbed('< etag: "abc"\n< x-token: s3cret\n< b: c').splitlines()
    assert lines == ['< etag: "abc"', "< x-token: ***", "< b: c"]
