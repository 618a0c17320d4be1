"""Lists, mirrors and Metalink files on the command line, from start to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.testing import Origin, Resource
from tests.integration.support import FILE, Ran, run

NOWHERE = "http://127.0.0.1:9/file"


def assert_usage(ran: Ran, *said: str) -> None:
    """It ends with 2 and one line that says all of this."""
    assert (ran.code, ran.out) == (2, b"")
    assert len(ran.err.splitlines()) == 1
    for part in said:
        assert part in ran.err


def names(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.bin"))


async def test_a_list_says_what_each_file_is_called_and_must_be(tmp_path: Path) -> None:
    """Name, folder and digest of one line are not those of the next."""
    async with Origin({"/a": Resource(FILE), "/b": Resource(FILE)}) as origin:
        (tmp_path / "list").write_text(
            f"{origin.url('/a')}\n  out=a.bin\n  dir=sub\n"
            f"  checksum=sha-256={FILE.digest('sha256')}\n"
            f"{origin.url('/b')}\n  out=b.bin\n"
        )
        ran = await run("--no-verify", "-i", "list", "-o", "here", cwd=tmp_path)
    assert ran.code == 0
    assert names(tmp_path / "here") == ["b.bin", "sub/a.bin"]
    assert "verified (sha256, from the list)" in ran.err
    assert "size only" in ran.err


async def test_a_digest_of_a_list_that_differs_fails_its_file(tmp_path: Path) -> None:
    """It ends with 5; the other files are fetched all the same."""
    async with Origin({"/a": Resource(FILE), "/b": Resource(FILE)}) as origin:
        (tmp_path / "list").write_text(
            f"{origin.url('/a')}\n  out=a.bin\n  checksum=md5:{'0' * 32}\n"
            f"{origin.url('/b')}\n  out=b.bin\n"
        )
        ran = await run("-q", "-i", "list", "-o", "here", cwd=tmp_path)
    assert ran.code == 5
    assert names(tmp_path / "here") == ["b.bin"]


async def test_one_bad_line_starts_nothing(tmp_path: Path) -> None:
    """The file, the line, the option and what is allowed are named; nobody is asked."""
    async with Origin({"/a": Resource(FILE)}) as origin:
        (tmp_path / "list").write_text(f"{origin.url('/a')}\n  split=5\n")
        ran = await run("-i", "list", cwd=tmp_path)
        assert not origin.requests
    assert_usage(ran, "list:2", "split=", "out=, dir=, checksum=, mirror=, header=")
    assert not (tmp_path / "download").exists()


@pytest.mark.option("mirror")
@pytest.mark.parametrize("way", ["option", "tab", "indented"])
async def test_a_mirror_is_asked_where_the_first_source_fails(
    tmp_path: Path, way: str
) -> None:
    """However it was given, the file comes from it, and why is told."""
    async with (
        Origin({}) as first,
        Origin({"/a.bin": Resource(FILE)}) as second,
    ):
        url, mirror = first.url("/a.bin"), second.url("/a.bin")
        sign = {"tab": "\t", "indented": "\n  mirror="}.get(way, "")
        (tmp_path / "list").write_text(f"{url}{sign}{mirror}\n")
        typed = ("--mirror", mirror, url) if way == "option" else ("-i", "list")
        ran = await run(*typed, cwd=tmp_path)
    assert ran.code == 0
    assert "mirror  a.bin: " in ran.err
    assert "404" in ran.err
    assert (tmp_path / "download/a.bin").read_bytes() == FILE.read()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--mirror", NOWHERE, NOWHERE, NOWHERE), ("--mirror is for one URL", "2")),
        (("--mirror", "ftp://x/y", NOWHERE), ("--mirror", "http and https")),
        (("--typehash", "crc", NOWHERE), ("crc", "md5")),
        (("no-such.meta4",), ("no-such.meta4", "No such file")),
    ],
)
async def test_what_makes_no_sense_is_a_usage_error(
    typed: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """Before anything is started."""
    assert_usage(await run(*typed), *said)


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        (("-N",), "verify = false  # --no-verify"),
        (("--no-verify", "-V"), "verify = true  # --verify"),
        ((), "verify = true  # built-in"),
        (("-th", "sha2"), 'typehash = "sha2"  # --typehash'),
        (
            ("--mirror", "https://u:p@a.org/x?sig=hunter2"),
            'mirror = ["https://***@a.org/x?sig=***"]  # --mirror',
        ),
    ],
)
async def test_the_options_are_settings(typed: tuple[str, ...], printed: str) -> None:
    """The last one typed counts, and secrets are not printed."""
    ran = await run("--config", "/dev/null", "--print-config", *typed)
    assert ran.code == 0
    assert printed in ran.out.decode().splitlines()


@pytest.mark.parametrize("way", ["typed", "listed"])
async def test_a_metalink_file_is_all_the_files_in_it(tmp_path: Path, way: str) -> None:
    """They are fetched and checked, with the options of the command line."""
    async with Origin({"/a": Resource(FILE), "/b": Resource(FILE)}) as origin:
        files = "".join(
            f"<file name='{name}.bin'><hash type='sha-256'>{FILE.digest('sha256')}</hash>"
            f"<url>{origin.url(f'/{name}')}</url></file>"
            for name in "ab"
        )
        xmlns = "urn:ietf:params:xml:ns:metalink"
        document = f"<metalink xmlns='{xmlns}'>{files}</metalink>"
        (tmp_path / "two.meta4").write_text(document)
        what = ("two.meta4",) if way == "typed" else ("--input", "two.meta4")
        ran = await run("-o", "here", *what, cwd=tmp_path)
    assert ran.code == 0
    assert names(tmp_path / "here") == ["a.bin", "b.bin"]
    assert ran.err.count("verified (sha256, from Metalink)") == 2
