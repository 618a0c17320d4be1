"""The dialog for a job that is there already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from engine import Digest, JobSpec, Pieces, Promise
from hydratui.screens.edit import Edit
from tests.hydratui.stand import SIZES, is_harmless, standing
from tests.hydratui.support import GIB, HOSTILE

SPEC = JobSpec(
    "https://a.org/x?token=secret",
    directory=Path("/"),
    name="b.iso",
    checksum=Digest("blake2s", "0" * 64),
    headers=(("Cookie", "secret"),),
    threads=8,
    limit=1_234_567.0,
    command="tar x",
    mirrors=("https://b.org/x",),
    promises=(Promise(Digest("md5", "0" * 32), "the list"),),
    pieces=Pieces(1 << 20, "sha1", ("0" * 40,)),
    size=1 << 20,
)


def editing(spec: JobSpec = SPEC, name: str = "b.iso") -> Edit:
    return Edit(spec, name, free=lambda _: 214 * GIB)


async def test_the_fields_show_the_job() -> None:
    """As they would be typed; link and headers are nobody's business here."""
    async with standing(editing()) as stand:
        shown = {field.id: field.value for field in stand.dialog.query(Input)}
        assert shown == {
            "directory": "/",
            "name": "b.iso",
            "checksum": f"blake2s:{'0' * 64}",
            "command": "tar x",
            "threads": "8",
            "limit": "1.23457M",
        }
        assert "Edit b.iso" in stand.text
        assert "Its link and 1 header stay." in stand.text
        assert "secret" not in stand.text


@pytest.mark.parametrize("way", ["ctrl+s", "enter", "click"])
async def test_what_was_changed_is_changed(way: str) -> None:
    """And nothing else: a limit nobody touched is not rounded."""
    async with standing(editing()) as stand:
        await stand.press("tab", "end", *".zst")
        await (stand.click("#save") if way == "click" else stand.press(way))
        assert stand.results == [replace(SPEC, name="b.iso.zst")]


async def test_empty_fields_leave_it_to_the_engine() -> None:
    """Nothing of them is kept; what is no field stays."""
    async with standing(editing()) as stand:
        for field in stand.dialog.query(Input):
            field.value = ""
        await stand.press("ctrl+s")
        bare = replace(SPEC, directory=None, name=None, checksum=None)
        bare = replace(bare, threads=None, limit=None, command=None)
        assert stand.results == [bare]


@pytest.mark.parametrize("way", ["ctrl+s", "escape", "click"])
async def test_a_job_that_stays_as_it_is_is_none(way: str) -> None:
    """Saved unchanged, or left."""
    async with standing(editing()) as stand:
        if way == "escape":
            await stand.press("tab", "x")
        await (stand.click("#cancel") if way == "click" else stand.press(way))
        assert stand.results == [None]


async def test_tab_goes_through_the_fields() -> None:
    """From the folder to the buttons."""
    order = ["directory", "name", "checksum", "command", "threads", "limit"]
    async with standing(editing()) as stand:
        for field in [*order, "save", "cancel", "directory"]:
            assert stand.focus == field
            await stand.press("tab")


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("name", "a/b", "a name, not a path"),
        ("name", "..", "not a file name"),
        ("threads", "999", "auto, 1 to 128"),
    ],
)
async def test_a_field_that_makes_no_sense_keeps_the_dialog(
    key: str, text: str, words: str
) -> None:
    """It says what is wrong, and has the focus."""
    async with standing(editing()) as stand:
        stand.dialog.query_one(f"#{key}", Input).value = text
        await stand.press("ctrl+s")
        assert stand.results == []
        assert stand.said(f"#{key}-note") == words
        assert stand.focus == key


@pytest.mark.parametrize("size", SIZES)
async def test_everything_can_be_reached(size: tuple[int, int]) -> None:
    """In a small terminal too."""
    async with standing(editing(), size) as stand:
        for _ in range(8):
            assert stand.focused is not None
            assert stand.focused.region.height > 0
            assert stand.screen.region.contains_region(stand.focused.region)
            await stand.press("tab")


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_are_harmless_and_kept(text: str) -> None:
    """What is shown in other words is not changed by looking at it."""
    spec = JobSpec(
        "https://a.org/x", directory=Path("/", text), name=text, command=text
    )
    async with standing(editing(spec, text)) as stand:
        assert is_harmless(stand.text)
        stand.dialog.query_one("#threads", Input).value = "3"
        await stand.press("ctrl+s")
        assert stand.results == [replace(spec, threads=3)]
