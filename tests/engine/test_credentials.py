"""Who is told what is private, and how a netrc is read."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.credentials import (
    Credentials,
    Login,
    Netrc,
    check_netrc,
    credentials_of,
    parse_login,
    read_netrc,
)
from engine.errors import UsageError
from engine.model import Header

HOME = "https://example.org/data/file"
TOKEN = ("X-Token", "s3cret")
ME, HIM, ALL = Login("me", "mine"), Login("him", "his"), Login("all", "known")
NETRC = Netrc({"example.org": HIM, "login.example": ME, "*": ALL})


def test_what_was_given_is_for_one_origin() -> None:
    """Scheme, host and port decide, and the path does not."""
    one = credentials_of(HOME, (TOKEN,), ME)
    for url in ("https://example.org/other", "https://EXAMPLE.org:443/"):
        assert one.headers_for(url) == (TOKEN, ME.header)
    for url in (
        "http://example.org/data/file",
        "https://example.org:8443/data/file",
        "https://www.example.org/data/file",
        "https://example.org.evil.example/data/file",
    ):
        assert one.headers_for(url) == ()


@pytest.mark.parametrize(
    ("url", "headers", "user", "sent"),
    [
        ("https://you:x@example.org/", (), ME, Login("you", "x").header),
        (HOME, (("authorization", "Bearer x"),), ME, ("authorization", "Bearer x")),
        (HOME, (), ME, ME.header),
        (HOME, (), None, HIM.header),
        ("https://no-entry.example/", (), None, ALL.header),
    ],
    ids=["the URL", "a header", "--user", "the netrc", "its default"],
)
def test_there_is_one_authorization(
    url: str, headers: tuple[Header, ...], user: Login | None, sent: Header
) -> None:
    """A header, else what the URL says, else --user, else the netrc."""
    assert credentials_of(url, headers, user, NETRC).headers_for(url) == (sent,)


def test_a_netrc_speaks_of_hosts() -> None:
    """An entry counts wherever the way leads; the default only where it began."""
    one = credentials_of("https://elsewhere.example/", netrc=NETRC)
    assert one.headers_for("https://login.example:8443/x") == (ME.header,)
    assert one.headers_for("https://stranger.example/") == ()
    assert one.headers_for("https://elsewhere.example/x") == (ALL.header,)


def test_a_netrc_is_not_read_out_on_an_open_line() -> None:
    """From https nothing goes to http; who began with http knew it."""
    assert credentials_of(HOME, netrc=NETRC).headers_for("http://login.example/") == ()
    open_line = credentials_of("http://example.org/", netrc=NETRC)
    assert open_line.headers_for("http://login.example/") == (ME.header,)


def test_another_url_may_say_whose_it_is() -> None:
    """Its userinfo is for its origin, and changes nothing of what was given before."""
    one = credentials_of(HOME, (TOKEN,), ME).knowing(
        "https://you:x@mirror.example/file"
    )
    assert one.headers_for("https://mirror.example/f") == (Login("you", "x").header,)
    again = one.knowing("https://evil:x@example.org/").knowing("https://plain.example/")
    assert again.headers_for(HOME) == (TOKEN, ME.header)
    assert again.headers_for("https://plain.example/") == ()


def test_secrets_are_not_shown_by_accident() -> None:
    """A traceback that prints its values prints no password and no header."""
    shown = repr(credentials_of("https://you:s3cret@example.org/", (TOKEN,), None))
    assert "s3cret" not in shown
    assert isinstance(credentials_of(HOME), Credentials)


# -- user:password -------------------------------------------------------------


def test_a_password_may_have_colons() -> None:
    """The first colon ends the user."""
    assert parse_login("me:a:b@c/") == Login("me", "a:b@c/")
    assert parse_login("me:") == Login("me", "")


@pytest.mark.parametrize("text", ["s3cret", "me:s3cret\n", "me\0:s3cret"])
def test_what_is_no_login_is_not_repeated(text: str) -> None:
    """It may be a password."""
    with pytest.raises(UsageError) as raised:
        parse_login(text)
    assert "s3cret" not in str(raised.value)


_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]))


@given(_TEXT.filter(lambda text: text and ":" not in text), _TEXT)
def test_a_login_survives_a_url(user: str, password: str) -> None:
    """Within a URL it means the same as given beside it."""
    login = Login(user, password)
    url = login.within(HOME)
    [sent] = credentials_of(url).headers_for(HOME)
    assert sent == login.header
    assert b64decode(sent[1][6:]).decode() == f"{user}:{password}"
    assert Login("another", "").within(url) == url


# -- a netrc -------------------------------------------------------------------


def netrc(tmp_path: Path, text: str) -> Netrc:
    path = tmp_path / "netrc"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return read_netrc(path)


@pytest.mark.parametrize(
    "text",
    [
        "machine a.example login me password mine",
        "machine A.Example\n\tlogin me\n\tpassword mine\n",
        "machine a.example user me account x password mine\r\n",
        'machine "a.example" login "me" password "mine"',
        "# a comment machine b\nmachine a.example # more\nlogin me\npassword mine",
        "macdef x\nmachine a.example login no\n\nmachine a.example login me password mine",
        "machine a.example login me password mine\nmachine a.example login no",
        "default login no\nmachine a.example login me password mine",
    ],
)
def test_a_netrc_is_read_as_others_read_it(tmp_path: Path, text: str) -> None:
    """In one line or many, with quotes, comments, macros; the first entry counts."""
    assert netrc(tmp_path, text).of("a.example", or_default=False) == ME


def test_passwords_may_look_like_anything(tmp_path: Path) -> None:
    """A keyword or a comment's sign behind `password` is a password."""
    text = 'machine a login me password #x machine b login me password "a \\"b\\\\"'
    found = netrc(tmp_path, text)
    assert found.of("a", or_default=False) == Login("me", "#x")
    assert found.of("b", or_default=False) == Login("me", 'a "b\\')


def test_an_entry_without_a_login_is_none(tmp_path: Path) -> None:
    """Nobody else's is taken for it."""
    found = netrc(tmp_path, "machine a login me password mine machine b default")
    assert found.of("b", or_default=True) is None


def test_the_default_is_for_who_has_no_entry(tmp_path: Path) -> None:
    """And only where it is wanted."""
    found = netrc(tmp_path, "machine a login me password mine\ndefault login x")
    assert found.of("b", or_default=True) == Login("x", "")
    assert found.of("b", or_default=False) is None
    assert found.of(None, or_default=False) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("machine a login b\npasswort s3cret", 2),
        ("\n\ns3cret", 3),
        ("login me password s3cret", 1),
        ("machine", 1),
        ("machine a login me password", 1),
        ("macdef x\ns3cret\n\nmachine a\ns3cret", 5),
    ],
)
def test_what_is_no_netrc_is_told_by_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    """The file and the line, and nothing of what stands there."""
    with pytest.raises(UsageError, match=f"netrc: line {line} is no netrc's") as raised:
        netrc(tmp_path, text)
    assert "s3cret" not in str(raised.value)


def test_a_netrc_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Who asks for one means to be logged in."""
    with pytest.raises(UsageError, match="No such file"):
        check_netrc(tmp_path / "netrc")


@given(st.text())
def test_no_text_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """It is a netrc, or it is said that it is none."""
    path = tmp_path_factory.getbasetemp() / "any-netrc"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read_netrc(path)
    except UsageError as error:
        assert "no netrc's" in str(error)  # noqa: PT017
