"""The first row, and the strip: one glance is enough."""

from __future__ import annotations

import os

import pytest

from hydratui.settings import load
from hydratui.widgets.status_bar import Status, status_line, strip_line
from tests.hydratui.pictures import FRAMES, frame_of, inks_of, text_of
from tests.hydratui.stage import staged
from tests.hydratui.support import GIB, MIB, mixed_queue, running_job


def test_the_status_names_speed_limit_counts_and_time() -> None:
    """One glance at the first row is enough."""
    text = text_of(status_line(Status(frame_of(running_job(), limit=500e6)), 120))
    for piece in (
        "hydra",
        "182 MB/s",
        "limit 500 MB/s",
        "▶ 1",
        "24 lanes",
        "ETA 00:12",
    ):
        assert piece in text


def test_a_narrow_status_keeps_what_matters() -> None:
    """Speed and counts stay, ornaments go."""
    text = text_of(status_line(Status(FRAMES["mixed"], free=GIB), 60))
    assert "323 MB/s" in text
    assert "▶ 4" in text
    assert "received" not in text
    assert "free" not in text


def test_left_out_frames_are_confessed() -> None:
    """A slowed screen says that it is slow, not the download."""
    assert "◔" in text_of(status_line(Status(FRAMES["running"], slowed=True), 120))


@pytest.mark.parametrize("word", ["FROZEN", "private queue"])
def test_a_notice_is_not_overlooked(word: str) -> None:
    """It stands right behind the speed, on narrow terminals too."""
    for cells in (60, 80, 160):
        row = status_line(Status(FRAMES["running"], notice=word), cells)
        assert word in text_of(row)
        assert inks_of([row], word) == {"warn strong"}


def test_who_trusts_anybody_is_reminded() -> None:
    """In a word and a colour, at any width, and only where it is so."""
    for cells in (30, 60, 160):
        row = status_line(Status(FRAMES["running"], insecure=True), cells)
        assert "insecure" in text_of(row)
        assert inks_of([row], "insecure") == {"bad strong"}
        assert "insecure" not in text_of(status_line(Status(FRAMES["running"]), cells))


@pytest.mark.parametrize("text", ["true", "false"])
@pytest.mark.parametrize("size", [(120, 36), (60, 15)])
async def test_insecure_is_shown_for_as_long_as_the_app_runs(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], text: str
) -> None:
    """Without colours and on the smallest screen too."""
    monkeypatch.setenv("NO_COLOR", "1")
    settings = load({"insecure": text}, file=os.devnull, environ={})
    async with staged(mixed_queue(), size=size, settings=settings) as stage:
        assert ("insecure" in stage.rows[0]) == (text == "true")


@pytest.mark.parametrize(
    ("free", "said", "ink"),
    [(214 * GIB, "214 GiB", "text"), (500 * MIB, "500 MiB", "bad")],
)
def test_the_room_on_the_disk_is_said(free: int, said: str, ink: str) -> None:
    """And it is a worry when there is little of it."""
    row = status_line(Status(FRAMES["running"], free=free), 160)
    assert f"{said} free" in text_of(row)
    assert inks_of([row], said) == {ink}
    assert " free" not in text_of(status_line(Status(FRAMES["running"]), 160))


def test_the_strip_stands_for_the_panes() -> None:
    """Throughput, window and front in one row."""
    text = text_of(strip_line(FRAMES["running"], 100))
    for piece in ("rate", "182 MB/s", "window", "24/28", "front", "184 MiB"):
        assert piece in text
