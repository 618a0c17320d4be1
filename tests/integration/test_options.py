"""What an option of the command line changes: seen by the server, or in the file."""

from __future__ import annotations

from base64 import b64encode
from itertools import groupby
from pathlib import Path
from time import monotonic

import pytest

from engine.testing import Content, Origin, Resource, Stall
from engine.testing.answers import Request
from tests.integration.support import FILE, KIB, MIB, Ran, run

LARGE = Content(16 * MIB, seed=5)


async def fetched(origin: Origin, folder: Path, *options: str) -> Ran:
    """Everything there is, to disk and without looking for digests."""
    urls = map(origin.url, origin.resources)
    ran = await run("--no-verify", *options, *urls, cwd=folder)
    assert ran.code == 0, ran.err
    return ran


# -- how fast


@pytest.mark.option("threads")
async def test_so_many_connections_are_open(tmp_path: Path) -> None:
    """--threads are there from the start, and never more of them."""
    async with Origin({"/file": Resource(LARGE, rate=2e6)}) as origin:
        await fetched(origin, tmp_path, "--threads", "3", "--min-chunk-mb", "0.25")
        assert max(request.busy for request in origin.requests) == 3


@pytest.mark.option("jobs")
async def test_so_many_files_are_under_way(tmp_path: Path) -> None:
    """With --jobs 1 a file begins when the one before it is whole."""
    files = {f"/{name}": Resource(FILE, rate=2e6) for name in "abc"}
    async with Origin(files) as origin:
        await fetched(origin, tmp_path, "--jobs", "1")
        turns = [path for path, _ in groupby(r.path for r in origin.requests)]
    assert turns == ["/a", "/b", "/c"]


@pytest.mark.option("limit")
async def test_a_limit_is_kept(tmp_path: Path) -> None:
    """--limit 2M is two million bytes a second, for all the files together."""
    files = {f"/{name}": Resource(Content(2_000_000)) for name in "ab"}
    async with Origin(files) as origin:
        began = monotonic()
        await fetched(origin, tmp_path, "--limit", "2M")
    assert monotonic() - began > 1.5


def _sizes(origin: Origin) -> list[int]:
    ranges = (request.range for request in origin.requests)
    return [range_.size for range_ in ranges if range_ is not None]


@pytest.mark.option("min-chunk-mb")
async def test_ranges_are_not_small(tmp_path: Path) -> None:
    """--min-chunk-mb is the least that a connection more is opened for."""
    asked = {}
    async with Origin({"/file": Resource(LARGE, rate=8e6)}) as origin:
        for least in ("8", "0.25"):
            before = len(origin.requests)
            more = ("-t", "8", "--min-chunk-mb", least, "-o", least)
            await fetched(origin, tmp_path, *more)
            asked[least] = len(origin.requests) - before
    assert asked["8"] <= 4
    assert asked["0.25"] > 8


@pytest.mark.option("stream", "stream-chunk-mb")
async def test_ranges_of_a_stream_are_not_large(tmp_path: Path) -> None:
    """--stream-chunk-mb is the most that is asked for at once, but for the first time."""
    async with Origin({"/file": Resource(LARGE)}) as origin:
        ran = await fetched(origin, tmp_path, "--stream", "--stream-chunk-mb", "0.5")
        assert max(_sizes(origin)[1:]) <= 512 * KIB
    assert ran.out == LARGE.read()
    assert not (tmp_path / "download").exists()


# -- the network


def _silent_once(request: Request) -> Stall | None:
    return Stall(100_000) if request.number == 1 else None


@pytest.mark.option("stall-timeout")
async def test_a_silent_connection_is_replaced(tmp_path: Path) -> None:
    """--stall-timeout is how long it may say nothing."""
    async with Origin({"/file": Resource(FILE, script=_silent_once)}) as origin:
        began = monotonic()
        await fetched(origin, tmp_path, "-t", "1", "--stall-timeout", "0.5")
    assert 0.5 < monotonic() - began < 8


@pytest.mark.option("browser")
async def test_a_browser_is_shown(tmp_path: Path) -> None:
    """--browser says whose fields are sent; `none` sends none of any browser."""
    async with Origin({"/file": Resource(Content(5))}) as origin:
        for name, agent in [("firefox135", "Firefox/135"), ("none", "")]:
            await fetched(origin, tmp_path, "--browser", name, "-o", name)
            shown = origin.requests[-1].headers.get("user-agent", "")
            assert agent in shown
            assert ("Mozilla" in shown) is bool(agent)


# -- the file


@pytest.mark.option("name", "output")
async def test_a_file_is_called_as_it_was_typed(tmp_path: Path) -> None:
    """--name comes before what the server says, --output is the folder."""
    async with Origin({"/file": Resource(FILE, name="theirs")}) as origin:
        await fetched(origin, tmp_path, "--name", "ours", "--output", "a/b")
    assert _files(tmp_path) == {"a/b/ours": FILE.read()}


def _files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.option("checksum", "typehash")
@pytest.mark.parametrize("algorithm", ["sha1", "blake2s", "sha3"])
async def test_a_digest_is_of_the_kind_that_was_typed(
    tmp_path: Path, algorithm: str
) -> None:
    """--typehash is what a --checksum is, and only a right one is a success."""
    name = {"sha3": "sha3_256"}.get(algorithm, algorithm)
    right = FILE.digest(name)
    async with Origin({"/file": Resource(FILE)}) as origin:
        typed = ("-th", algorithm, "--checksum")
        ran = await fetched(origin, tmp_path, *typed, right)
        wrong = right.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
        url = origin.url("/file")
        other = await run(*typed, wrong, "-o", "other", url, cwd=tmp_path)
    assert f"verified ({name}" in ran.err
    assert other.code == 5


@pytest.mark.option("verify")
async def test_digests_of_the_server_are_believed_or_not(tmp_path: Path) -> None:
    """--verify holds the server to what it says of its file, --no-verify does not."""
    field = f"sha-256=:{b64encode(bytes(32)).decode()}:"
    lying = Resource(FILE, headers=(("Repr-Digest", field),))
    async with Origin({"/file": lying}) as origin:
        ends = [
            (await run(*how, "-o", f"{number}", origin.url("/file"), cwd=tmp_path)).code
            for number, how in enumerate([(), ("-V",), ("-N",), ("--no-verify",)])
        ]
    assert ends == [5, 5, 0, 0]
