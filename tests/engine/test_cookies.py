"""Which cookies go where, and how a file of them is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.cookie_file import read_cookie_file
from engine.cookies import Cookies
from engine.errors import UsageError

URL = "https://www.example.org/data/file"
HEAD = "# Netscape HTTP Cookie File\n"


def line(
    domain: str = "www.example.org",
    *,
    tail: bool = False,
    path: str = "/",
    secure: bool = False,
    expires: str = "0",
    pair: str = "a\t1",
) -> str:
    flags = str(tail).upper(), str(secure).upper()
    return "\t".join((domain, flags[0], path, flags[1], expires, pair)) + "\n"


def cookies(tmp_path: Path, *lines: str) -> Cookies:
    path = tmp_path / "cookies.txt"
    path.write_text("".join(lines), newline="")
    return Cookies(read_cookie_file(path))


@pytest.mark.parametrize(
    ("given_line", "url", "is_sent"),
    [
        (line(), URL, True),
        (line(), "http://www.example.org:8080/", True),
        (line(), "https://sub.www.example.org/", False),
        (line(), "https://example.org/", False),
        (line("example.org"), URL, False),
        (line(".example.org", tail=True), URL, True),
        (line("example.org", tail=True), URL, True),
        (line(".example.org", tail=True), "https://example.org/", True),
        (line(".example.org", tail=True), "https://badexample.org/", False),
        (line(".org", tail=True), URL, False),
        (line(path="/data"), URL, True),
        (line(path="/data"), "https://www.example.org/database", False),
        (line(path="/data/"), "https://www.example.org/", False),
        (line(secure=True), URL, True),
        (line(secure=True), "http://www.example.org/", False),
        (line(expires="99999999999"), URL, True),
        (line(expires="99999999999.5"), URL, True),
        (line(expires="1"), URL, False),
        (line("localhost"), "http://localhost:8000/", True),
        (line("127.0.0.1"), "http://127.0.0.1:8000/", True),
        (line("127.0.0.1"), "http://10.127.0.0.1.example/", False),
    ],
)
def test_a_cookie_goes_where_its_rules_say(
    tmp_path: Path, given_line: str, url: str, *, is_sent: bool
) -> None:
    """Host or domain, path, Secure and expiry decide (RFC 6265 section 5.4)."""
    assert cookies(tmp_path, HEAD, given_line).header(url) == (
        "a=1" if is_sent else None
    )


def test_a_file_may_come_from_anywhere(tmp_path: Path) -> None:
    """Without its first line, with HttpOnly, comments, carriage returns, no value."""
    jar = cookies(
        tmp_path,
        "# made by hand\r\n\r\n",
        "#HttpOnly_" + line().replace("\n", "\r\n"),
        line(pair="b"),
        line(pair="c\t"),
        line(pair="d\tx=y z").lower().replace("false", "False"),
    )
    sent = jar.header(URL)
    assert sent is not None
    assert sorted(sent.split("; ")) == ["a=1", "b=", "c=", "d=x=y z"]


@pytest.mark.parametrize(
    "bad",
    [
        "s3cret",
        "a=1; s3cret",
        line().replace("\t", " "),
        line().replace("FALSE", "s3cret"),
        line(expires="s3cret"),
        line(expires=""),
        line(expires="nan"),
        line(expires="inf"),
        line(pair="a\t\x1bs3cret"),
        "www.example.org\tFALSE\t/\tFALSE\t0",
    ],
)
def test_what_is_no_cookie_is_told_by_its_line(tmp_path: Path, bad: str) -> None:
    """The file and the line, and nothing of what stands there."""
    with pytest.raises(UsageError, match=r"cookies.txt: line 3 is not in") as raised:
        cookies(tmp_path, HEAD, line(), bad.rstrip("\n") + "\n")
    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    with pytest.raises(UsageError, match="No such file"):
        read_cookie_file(tmp_path / "cookies.txt")


@given(st.text())
def test_no_text_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """It is a file of cookies, or it is said that it is none."""
    path = tmp_path_factory.getbasetemp() / "any-cookies"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        Cookies(read_cookie_file(path)).header(URL)
    except UsageError as error:
        assert "is not in Netscape's format" in str(error)  # noqa: PT017


# -- what answers set ----------------------------------------------------------


def test_what_an_answer_sets_is_sent_back() -> None:
    """Several in one answer, each with its own rules; a later one replaces."""
    jar = Cookies()
    jar.take(URL, ["a=1; Path=/; HttpOnly", "b=2; Domain=example.org; Path=/; Secure"])
    jar.take(URL, ["a=3; Path=/"])
    sent = jar.header(URL)
    assert sent is not None
    assert sorted(sent.split("; ")) == ["a=3", "b=2"]
    assert jar.header("https://example.org/") == "b=2"
    assert jar.header("http://example.org/") is None
    assert jar.header("https://another.example/") is None


def test_a_cookie_can_be_taken_back() -> None:
    """One that expires at once is gone."""
    jar = Cookies()
    jar.take(URL, ["a=1; Path=/"])
    jar.take(URL, ["a=1; Path=/; Max-Age=0"])
    assert jar.header(URL) is None


@pytest.mark.parametrize("domain", ["org", ".org", "another.example", "co.uk", "b.org"])
def test_nobody_sets_cookies_for_others(domain: str) -> None:
    """Not for another domain, and not for all of a country."""
    jar = Cookies()
    jar.take("https://www.example.org/", [f"a=1; Domain={domain}; Path=/"])
    jar.take("https://www.example.co.uk/", [f"a=1; Domain={domain}; Path=/"])
    hosts = ("www.example.org", "another.example", "other.co.uk", "b.org", "c.org")
    assert [jar.header(f"https://{host}/") for host in hosts] == [None] * 5


@pytest.mark.parametrize("field", ["", ";", "=", "a", "a=\x01; Path", "a=1; Expires=x"])
def test_nonsense_of_a_server_harms_nobody(field: str) -> None:
    """What cannot be a cookie is none."""
    jar = Cookies()
    jar.take(URL, [field])
    jar.take(URL, ["b=2; Path=/"])
    assert "b=2" in (jar.header(URL) or "")


def test_a_browsers_file_costs_a_request_little() -> None:
    """Cookies of a thousand other sites are not looked at."""
    jar = Cookies()
    for number in range(1_000):
        jar.take(f"https://site{number}.example.com/", ["other=1"])
        jar.take(f"https://site-{number}.org/", ["other=1"])
    jar.take(URL, ["a=1; Path=/"])
    assert jar.header(URL) == "a=1"
    assert len(jar._jar_for(URL)) == 1
