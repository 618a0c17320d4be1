"""`--dry-run`: what would be, on standard output, and nothing else anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.testing import Content, Origin, Resource
from tests.integration.support import run

SCHEMA = json.loads((Path(__file__).parents[1] / "dry_run.schema.json").read_text())
FILE = Content(3_000_017, seed=4)


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.option("dry-run")
async def test_it_prints_what_would_be(tmp_path: Path) -> None:
    """One block a URL, in the order typed; nothing is made, not even a log."""
    served = {
        "/set/file.bin": Resource(FILE),
        "/set/MD5SUMS": Resource(Content.of(f"{FILE.digest('md5')} file.bin".encode())),
        "/old": Resource(redirect="/new"),
        "/new": Resource(Content(7, seed=1), ranges=False, etag=None),
    }
    async with Origin(served) as origin:
        urls = [origin.url("/set/file.bin"), origin.url("/old")]
        ran = await run("--dry-run", *urls, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.decode().split(urls[1])
    for line in (
        urls[0],
        "  name       file.bin",
        "  size       2.86 MiB (3000017 bytes)",
        "  ranges     yes",
        f"ETag {FILE.etag}; Last-Modified ",
        f"  digest     md5 {FILE.digest('md5')}, from MD5SUMS",
        "  target     download/file.bin",
        "  free space ",
        "  plan       up to 3 connections",
    ):
        assert line in first
    for line in ("no: one connection", "redirect", "none found", "one connection"):
        assert line in second
    assert everything(tmp_path) == []


async def test_with_json_it_prints_an_object_a_line(tmp_path: Path) -> None:
    """On standard output too: it is what was asked for. The schema describes it."""
    async with Origin({"/a": Resource(FILE), "/b": Resource(FILE)}) as origin:
        urls = [origin.url("/a"), origin.url("/b") + "?token=secret"]
        ran = await run("--dry-run", "--json", "-N", *urls, cwd=tmp_path)
    assert ran.code == 0
    a, b = map(json.loads, ran.out.decode().splitlines())
    for line in (a, b):
        Draft202012Validator(SCHEMA).validate(line)
    assert (a["name"], a["size"], a["target"]) == ("a", FILE.size, "download/a")
    assert a["digests"] == []
    assert b["url"].endswith("/b?token=***")
    assert b"secret" not in ran.out


async def test_what_fails_is_told_and_the_others_are_shown(tmp_path: Path) -> None:
    """The code is that of a run; each error names its URL."""
    async with Origin({"/a": Resource(FILE)}) as origin:
        urls = [origin.url("/missing"), origin.url("/a")]
        ran = await run("--dry-run", "-N", *urls, cwd=tmp_path)
    assert ran.code == 4
    assert ran.err.startswith(f"hydra-tui: {urls[0]}: HTTP 404")
    assert urls[1] in ran.out.decode()


async def test_a_stream_needs_no_place(tmp_path: Path) -> None:
    """Nothing of it goes to standard output but what would be."""
    async with Origin({"/a": Resource(FILE)}) as origin:
        ran = await run("--dry-run", "--stream", "-N", origin.url("/a"), cwd=tmp_path)
    assert ran.code == 0
    assert b"target" not in ran.out
    assert len(ran.out) < 1000


async def test_a_second_run_would_do_nothing(tmp_path: Path) -> None:
    """What is here already is told before anybody starts."""
    async with Origin({"/a": Resource(FILE, last_modified=None)}) as origin:
        await run("--no-ui", "-N", origin.url("/a"), cwd=tmp_path)
        ran = await run("--dry-run", "-N", origin.url("/a"), cwd=tmp_path)
    assert "  plan       already here" in ran.out.decode()


async def test_whoever_stops_reading_ends_it(tmp_path: Path) -> None:
    """With 141, as for a stream, and without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    async with Origin({"/a": Resource(FILE)}) as origin:
        urls = [origin.url("/a")] * 3
        ran = await run("--dry-run", "-N", *urls, cwd=tmp_path, stdout=writing)
    os.close(writing)
    assert (ran.code, ran.err) == (141, "")
