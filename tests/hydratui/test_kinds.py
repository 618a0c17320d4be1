"""What the values of a network are, and what is shown of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine import Login as EngineLogin, UsageError
from hydratui.kinds import CookieFile, Login, Netrc, Proxy

# -- a login -------------------------------------------------------------------


def test_a_login_is_shown_without_its_password() -> None:
    """Who edits it back to what was shown has the same password as before."""
    kind = Login()
    assert kind.parse("me:s3cret:x") == EngineLogin("me", "s3cret:x")
    assert kind.parse("") is None
    assert kind.masked("me:s3cret:x") == "me:***"
    assert kind.revealed("me:***", "me:s3cret:x") == "me:s3cret:x"
    assert kind.revealed("me:new", "me:s3cret:x") == "me:new"


# -- a proxy -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("auto", None, "auto"),
        ("none", "", "none"),
        ("proxy:3128", "proxy:3128", "proxy:3128"),
        ("me:s3cret@proxy", "me:s3cret@proxy", "***@proxy"),
        ("socks5h://me:s3/@cret@p:1", "socks5h://me:s3/@cret@p:1", "socks5h://***@p:1"),
    ],
)
def test_a_proxy_is_shown_without_its_login(
    text: str, value: str | None, shown: str
) -> None:
    """Also one that is written wrongly: its password may be in the wrong place."""
    assert Proxy().parse(text) == value
    assert Proxy().masked(text) == shown
    assert Proxy().revealed(shown, text) == text


# -- a netrc -------------------------------------------------------------------


def test_a_netrc_is_where_other_programs_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At $NETRC, else in the home directory; off, it is nowhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / ".netrc").write_text("machine a login b password c")
    (tmp_path / "other").write_text("default login b password c")
    assert Netrc().parse("false") is None
    assert Netrc().parse("on") == tmp_path / ".netrc"
    monkeypatch.setenv("NETRC", "~/other")
    assert Netrc().parse("true") == tmp_path / "other"
    (tmp_path / "other").unlink()
    with pytest.raises(UsageError, match="other: No such file"):
        Netrc().parse("true")


def test_a_netrc_is_written_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings can be saved while it is missing, and hold no place of it."""
    monkeypatch.setenv("NETRC", str(tmp_path / "missing"))
    assert Netrc().write("true") is True
    assert Netrc().write("off") is False
    with pytest.raises(ValueError, match="true or false"):
        Netrc().parse("maybe")


# -- cookies -------------------------------------------------------------------


def test_a_cookie_file_is_looked_into(tmp_path: Path) -> None:
    """An empty one is a jar for what answers set; a pipe could be read only once."""
    path = tmp_path / "cookies.txt"
    path.touch()
    assert CookieFile().parse(str(path)) == path
    path.write_text("s3cret")
    with pytest.raises(
        ValueError, match=r"^line 1 is not in Netscape's format"
    ) as raised:
        CookieFile().parse(str(path))
    assert "s3cret" not in str(raised.value)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="it is a pipe"):
        CookieFile().parse(str(tmp_path / "pipe"))
    with pytest.raises(ValueError, match="it cannot be read"):
        CookieFile().parse(str(tmp_path / "missing"))
