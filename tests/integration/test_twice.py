"""The same batch again: what was completed is known, and nothing is done twice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from engine.testing import Content, Origin, Resource
from tests.integration.support import Ran, run

COUNT = 200
LARGE = 2_000_011
"""Bytes: more than one range, and more than a look."""
TOLD = {
    "tags and dates": {},
    "no dates": {"last_modified": None},
    "no tags": {"etag": None},
    "neither": {"etag": None, "last_modified": None},
}


def files(**told: Any) -> dict[str, Resource]:
    """Small ones, empty ones, and every fiftieth large."""
    return {
        f"/set/{number:03}.bin": Resource(
            Content(LARGE if number % 50 == 7 else number * 37, seed=number), **told
        )
        for number in range(COUNT)
    }


async def batch(folder: Path, urls: Sequence[str], *options: str) -> Ran:
    (folder / "list.txt").write_text("\n".join(urls))
    return await run("--no-ui", "-i", "list.txt", *options, cwd=folder)


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file, by its name: which one it is, and when it was written."""
    found = (entry for entry in os.scandir(folder / "download"))
    return {e.name: (e.inode(), e.stat().st_mtime_ns) for e in found}


@pytest.mark.slow
@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
async def test_a_batch_run_twice_does_nothing_the_second_time(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    """At most one request a file, no byte written, and 0; whatever the server tells."""
    served = files(**told)
    async with Origin(served) as origin:
        urls = [origin.url(path) for path in served]
        assert (await batch(tmp_path, urls)).code == 0
        before = state_of(tmp_path)
        assert len(before) == COUNT
        asked = len(origin.requests)
        again = await batch(tmp_path, urls)
        assert again.code == 0
        assert len(origin.requests) - asked <= COUNT
        assert {request.path for request in origin.requests[asked:]} == set(served)
        assert state_of(tmp_path) == before
        assert again.err.count("already here") == COUNT


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
async def test_what_changed_there_is_fetched_again(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    """A version of the same length too: under another name, as the old one is here."""
    old, new = Content(LARGE, seed=1), Content(LARGE, seed=2)
    async with Origin({"/file": Resource(old, **told)}) as origin:
        assert (await batch(tmp_path, [origin.url("/file")])).code == 0
        later = (
            {}
            if told.get("last_modified", 1) is None
            else {"last_modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        )
        origin.resources["/file"] = Resource(new, **(told | later))
        assert (await batch(tmp_path, [origin.url("/file")])).code == 0
    data = (tmp_path / "download" / "file (2)").read_bytes()
    assert sha256(data).hexdigest() == new.digest()


async def test_what_was_touched_here_is_fetched_again(tmp_path: Path) -> None:
    """A file that somebody wrote to is not the one that was completed."""
    served = {"/file": Resource(Content(5000, seed=1), last_modified=None)}
    async with Origin(served) as origin:
        assert (await batch(tmp_path, [origin.url("/file")])).code == 0
        (tmp_path / "download" / "file").write_bytes(bytes(5000))
        assert (await batch(tmp_path, [origin.url("/file")])).code == 0
    assert (tmp_path / "download" / "file (2)").exists()


async def test_a_digest_that_was_compared_is_not_computed_again(tmp_path: Path) -> None:
    """With a checksum in the list too; and another checksum is another file."""
    content = Content(LARGE, seed=3)
    async with Origin({"/file": Resource(content, last_modified=None)}) as origin:
        line = f"{origin.url('/file')}\n  checksum=sha256:{content.digest()}"
        for verdict in ("verified (sha256, from", "already here"):
            ran = await batch(tmp_path, [line])
            assert (ran.code, verdict in ran.err) == (0, True)
        wrong = line.replace(content.digest(), "0" * 64)
        assert (await batch(tmp_path, [wrong])).code == 5
