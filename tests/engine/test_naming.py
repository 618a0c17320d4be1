"""What a server may call a file, and what it is called here."""

from __future__ import annotations

import unicodedata
from encodings.aliases import aliases

import pytest
from hypothesis import given, strategies as st

from engine.naming import FALLBACK, LONGEST, name_for, numbered, sanitise

URL = "https://example.org/path/from-url.bin?x=1"


def named(disposition: str) -> str:
    return name_for(disposition, URL)


# -- the sanitiser -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data.tar.gz", "data.tar.gz"),
        ("with space (1).txt", "with space (1).txt"),
        ("Stra\u00dfe \u65e5\u672c.txt", "Stra\u00dfe \u65e5\u672c.txt"),
        ("a/b/c.txt", "c.txt"),
        ("..\\..\\c.txt", "c.txt"),
        ("/etc/passwd", "passwd"),
        ("../../.ssh/authorized_keys", "authorized_keys"),
        (".bashrc", "bashrc"),
        ("...", ""),
        ("..", ""),
        ("-rf", "rf"),
        ("--help", "help"),
        (" - .-x", "x"),
        ("- -rf", "rf"),
        ("\u3000-x", "x"),
        ("  spaces  ", "spaces"),
        ("a\0b\nc\x1b[31md", "abc[31md"),
        ("\u202etxt.exe", "txt.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("line\u2028break", "linebreak"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.txt", "console.txt"),
        ("ends/", ""),
        ("", ""),
        ("\n", ""),
    ],
)
def test_a_name_is_made_harmless(name: str, expected: str) -> None:
    """No folders, no control or bidi characters, no option and no hidden file."""
    assert sanitise(name) == expected


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a" * 300 + ".gz", "a.gz"),
        ("a" * 300 + ".tar.gz", "a.tar.gz"),
        ("\u65e5" * 300 + ".txt", "\u65e5.txt"),
        ("a" * 300, "a"),
        ("a." + "b" * 300, "b"),
    ],
)
def test_a_long_name_keeps_its_extension(name: str, ending: str) -> None:
    """Names are shortened in the stem, to 200 bytes and to whole characters."""
    short = sanitise(name)
    assert LONGEST - 4 < len(short.encode()) <= LONGEST
    assert short.endswith(ending)


@given(st.text(st.characters(exclude_categories=[])))
def test_no_name_is_dangerous(name: str) -> None:
    """Whatever a server says, the name is one that every command can be given."""
    safe = sanitise(name)
    assert len(safe.encode()) <= LONGEST
    assert not safe.startswith(("-", "."))
    assert not set(safe) & set("/\\\0\n\r\t")
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for c in safe)
    assert safe == safe.strip()


@given(st.text(st.sampled_from(" -.\u3000a/\\\u202e"), max_size=8))
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    """Sanitising twice is sanitising once."""
    assert sanitise(sanitise(name)) == sanitise(name)


def test_a_shortened_name_ends_in_no_space() -> None:
    """Also where the cut falls behind a space the name is a clean one."""
    name = sanitise("a" * (LONGEST - 1) + " b" * 20)
    assert name == "a" * (LONGEST - 1)
    assert sanitise(name) == name


# -- numbers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("file.txt", "file (2).txt"),
        ("file.tar.gz", "file (2).tar.gz"),
        ("file.tar", "file (2).tar"),
        ("file", "file (2)"),
        ("v1.2.3", "v1.2 (2).3"),
        ("no extension. really", "no extension. really (2)"),
        ("\u65e5\u672c.txt", "\u65e5\u672c (2).txt"),
    ],
)
def test_the_second_file_of_a_name_has_a_number(name: str, expected: str) -> None:
    """The number goes before the extension."""
    assert numbered(name, 2) == expected


def test_a_numbered_name_leaves_room_for_what_is_added() -> None:
    """The longest name with a number, `.part` and `.hydra` fits a file system."""
    longest = numbered(sanitise("a" * 300 + ".tar.gz"), 999)
    assert len(f"{longest}.part.hydra".encode()) <= 255


# -- the header --------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ("attachment; filename=plain.txt", "plain.txt"),
        ('attachment; filename="quoted name.txt"', "quoted name.txt"),
        ('attachment; filename="semi;colon.txt"', "semi;colon.txt"),
        (r'attachment; filename="say \"hi\".txt"', 'say "hi".txt'),
        ("ATTACHMENT; FILENAME=LOUD.TXT", "LOUD.TXT"),
        ("inline;filename=tight.txt;size=3", "tight.txt"),
        ("attachment ; filename = spaced.txt", "spaced.txt"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20name.txt", "na\u00efve name.txt"),
        ("attachment; filename*=UTF-8'en'with%20language", "with language"),
        ("attachment; filename*=iso-8859-1''caf%E9.txt", "caf\u00e9.txt"),
        ("attachment; filename*=''no%20charset.txt", "no charset.txt"),
        (
            "attachment; filename=\"ascii.txt\"; filename*=UTF-8''%E2%82%AC.txt",
            "\u20ac.txt",
        ),
        (
            "attachment; filename*=UTF-8''%E2%82%AC.txt; filename=ascii.txt",
            "\u20ac.txt",
        ),
        ("attachment; filename=ascii.txt; filename*=UTF-8''%FF%FE", "ascii.txt"),
        ("attachment; filename=ascii.txt; filename*=no-such''x%20y", "ascii.txt"),
        ("attachment; filename=ascii.txt; filename*=undefined''x%20y", "ascii.txt"),
        ("attachment; filename=ascii.txt; filename*=punycode''x%20y", "ascii.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
    ],
)
def test_the_server_may_name_the_file(disposition: str, expected: str) -> None:
    """`filename*` first, then `filename`, read as RFC 6266 and RFC 8187 have them."""
    assert named(disposition) == expected


@pytest.mark.parametrize(
    "disposition",
    [
        "",
        "attachment",
        "attachment;",
        "attachment; filename",
        "attachment; filename=",
        'attachment; filename=""',
        'attachment; filename="..."',
        "attachment; filename*=UTF-8",
        "attachment; filename*=UTF-8''%FF",
        "attachment; name=form-field.txt",
        "form-data; xfilename=other.txt",
    ],
)
def test_a_header_without_a_usable_name_is_passed_over(disposition: str) -> None:
    """Then the URL names the file."""
    assert named(disposition) == "from-url.bin"


@pytest.mark.parametrize("charset", sorted({*aliases.values(), "idna", "undefined"}))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_charset_is_a_surprise(charset: str) -> None:
    """Whatever codec a server names, there is a name, and never an exception."""
    for value in ("plain", "x%20y", "%FF%80%5C", "%5Cx", "%00%D8"):
        assert named(f"attachment; filename*={charset}''{value}")


@given(st.text())
def test_no_header_is_a_surprise(text: str) -> None:
    """Whatever a server writes there, there is a name, and a safe one."""
    for header in (text, f"attachment; filename={text}", f"a; filename*=UTF-8''{text}"):
        name = named(header)
        assert name
        assert name == sanitise(name)


# -- the URLs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        (["https://example.org/a/file.txt"], "file.txt"),
        (["https://example.org/file.txt?token=a/b#c"], "file.txt"),
        (["https://example.org/with%20space.txt"], "with space.txt"),
        (["https://example.org/a%2Fb.txt"], "b.txt"),
        (["https://example.org/%2e%2e"], FALLBACK),
        (["https://example.org/"], FALLBACK),
        (["https://example.org"], FALLBACK),
        ([], FALLBACK),
        (["https://cdn.example/", "https://example.org/first.txt"], "first.txt"),
        (["https://cdn.example/9f8e", "https://example.org/first.txt"], "9f8e"),
        (["https://example.org/%FF.txt"], "\ufffd.txt"),
    ],
)
def test_the_first_url_with_a_usable_segment_names_the_file(
    urls: list[str], expected: str
) -> None:
    """The last path segment of the final URL, else of the first one, else a fallback."""
    assert name_for(None, *urls) == expected
