"""Lists and Metalink files as the command line takes them: strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Digest, JobSpec, Promise, UsageError
from hydratui.lists import read_list, specs_of_list, specs_of_words
from tests.hydratui.support import METALINK

A, B, C = "https://a.org/x.iso", "https://b.org/y.iso", "https://c.org/z.iso"
SHA256 = Digest("sha256", "9f86d081" * 8)
OUTPUT = Path("/srv/data")


def test_each_line_is_a_file() -> None:
    """Blank lines and comments do not count, nor does the space around a URL."""
    text = f"# mine\n{A}\r\n\n  {B} \n   # more\n{C}"
    assert read_list(text, "list") == [JobSpec(A), JobSpec(B), JobSpec(C)]


def test_tabs_are_between_the_sources_of_one_file() -> None:
    """As aria2 has it: whatever they end in."""
    assert read_list(f"{A}\t{B}\t\t{C}\n{B}", "list") == [
        JobSpec(A, mirrors=(B, C)),
        JobSpec(B),
    ]


def test_options_below_a_url_are_for_that_url() -> None:
    """Indented, with spaces or tabs; some of them again and again."""
    text = (
        f"{A}\n  out=b.iso\n\tdir=data\n  checksum=sha-256={SHA256.hex}\n"
        f"  # the better one first\n\n  mirror={B}\n mirror={C}\n"
        f" header=X-Key: 1\n header=Cookie: a=b\n{B}\n"
    )
    assert read_list(text, "list") == [
        JobSpec(
            A,
            name="b.iso",
            directory=Path("data"),
            promises=(Promise(SHA256, "the list"),),
            mirrors=(B, C),
            headers=(("X-Key", "1"), ("Cookie", "a=b")),
        ),
        JobSpec(B),
    ]


@pytest.mark.parametrize(
    "written",
    [
        f"sha256:{SHA256.hex}",
        f"SHA-256:{SHA256.hex.upper()}",
        f"sha-256={SHA256.hex}",
        SHA256.hex,
    ],
)
def test_a_digest_may_be_written_as_people_do(written: str) -> None:
    """With a colon, as aria2 has it, or alone where its length tells what it is."""
    [spec] = read_list(f"{A}\n checksum={written}", "list")
    assert spec.promises == (Promise(SHA256, "the list"),)
    assert spec.checksum is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (" split=5", "no option split=; it is one of out=, dir=, checksum=, mirror="),
        (" checksum=crc=00", "checksum=crc=00: unknown hash algorithm 'crc'; known"),
        (" checksum=md5=zz", "checksum=md5=zz: md5 is written as 32 hex digits"),
        (" checksum=", "a checksum is algo:hex, or hex alone"),
        (" out=..", "out=..: not a file name"),
        (" dir=", "dir=: a folder is needed"),
        (" mirror=ftp://b.org", "only http and https are allowed"),
        (" header=nothing", "a header is written as 'Name: value'"),
        (" header=Range: bytes=0-", "header Range is ours"),
        ("ftp://b.org/x", "only http and https are allowed"),
        (f"{A}\tb.org/x", "'b.org/x' has no scheme"),
        ("out=x", "'out=x' has no scheme"),
        ("two words", "has spaces"),
    ],
)
def test_what_makes_no_sense_names_its_line(line: str, said: str) -> None:
    """The file, the line, the option and what is allowed."""
    with pytest.raises(UsageError) as caught:
        read_list(f"# mine\n{A}\n{line}\n{B}", "my.txt")
    assert str(caught.value).startswith("my.txt:3: ")
    assert said in str(caught.value)


def test_a_header_that_is_wrong_is_not_shown() -> None:
    """Its value may be a secret."""
    with pytest.raises(UsageError) as caught:
        read_list(f"{A}\n header=A b: hunter2", "list")
    assert "hunter2" not in str(caught.value)


def test_an_option_without_a_url_is_refused() -> None:
    """There is nothing that it could be for."""
    with pytest.raises(UsageError, match="list:2: out= has no URL above it"):
        read_list(f"# mine\n  out=x\n{A}", "list")


def test_a_folder_in_a_list_lies_where_files_go(tmp_path: Path) -> None:
    """Unless it says from the root where it is."""
    path = tmp_path / "list"
    path.write_text(f"{A}\n dir=d\n{B}\n dir=/else\n{C}\n out=s/z\n")
    folders = [spec.directory for spec in specs_of_list(str(path), OUTPUT)]
    assert folders == [OUTPUT / "d", Path("/else"), OUTPUT / "s"]


@pytest.mark.parametrize("mark", ["", "\ufeff", "\n  "])
def test_a_list_that_begins_as_xml_is_a_metalink_file(
    tmp_path: Path, mark: str
) -> None:
    """Whatever its name is."""
    path = tmp_path / "list.txt"
    path.write_text(mark + METALINK.partition("\n")[2])
    names = [spec.name for spec in specs_of_list(str(path), OUTPUT)]
    assert names == ["one.bin", "two.bin"]


@pytest.mark.parametrize("ending", ["meta4", "metalink", "META4"])
def test_a_metalink_file_is_typed_like_a_url(tmp_path: Path, ending: str) -> None:
    """All its files are meant, in their place among the URLs."""
    path = tmp_path / f"files.{ending}"
    path.write_text(METALINK)
    specs = specs_of_words([A, str(path), B], OUTPUT)
    assert [spec.name for spec in specs] == [None, "one.bin", "two.bin", None]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<metalink", "not a Metalink"),
        (b"<?xml version='1.0'?><html/>", "its root is 'html'"),
        (b"<metalink>" + b" " * (16 << 20), "at most 16 MiB"),
    ],
)
def test_what_is_no_metalink_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    """With its name and the reason, whichever way it came."""
    path = tmp_path / "a.meta4"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=f"a.meta4: .*{said}"):
        specs_of_words([str(path)], OUTPUT)
    with pytest.raises(ValueError, match=f"a.meta4: .*{said}"):
        specs_of_list(str(path), OUTPUT)


def test_a_url_of_a_metalink_is_a_url() -> None:
    """What is there is for the engine to find out."""
    url = "https://a.org/x.meta4"
    assert specs_of_words([url], OUTPUT) == [JobSpec(url)]
