"""Pictures of the screen, compared cell by cell with those that were looked at.

Nothing moves by itself here: no ticks, one clock that stands still, prepared
values. A new Textual or Rich redraws them all, which is why both are pinned.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from textual.command import CommandList
from textual.pilot import Pilot

from engine import (
    Bottleneck,
    CommandSnapshot,
    Config,
    Hop,
    JobSnapshot,
    JobState,
    LaneState,
    SourceSnapshot,
)
from hydratui.app import HydraApp
from hydratui.settings import built_in
from tests.hydratui.stage import Stage
from tests.hydratui.support import (
    GIB,
    NOW,
    FakeEngine,
    hostile_queue,
    live_a_minute,
    make_job,
    mirrored_job,
    mixed_queue,
    promised_job,
    running_job,
)

BOTH_SIZES = pytest.mark.parametrize(
    "size", [(120, 36), (80, 24)], ids=["120x36", "80x24"]
)

Size = tuple[int, int]


class Compare(Protocol):
    """What pytest-textual-snapshot gives."""

    def __call__(
        self,
        app: HydraApp,
        *,
        terminal_size: Size,
        run_before: Callable[[Pilot[None]], object],
    ) -> bool: ...


class Usage(NamedTuple):
    """As much as there is to know of a disk."""

    free: int


class Camera:
    """Takes a picture of an app that has lived a minute, after some keys."""

    def __init__(self, compare: Compare) -> None:
        self._compare = compare

    def shows(
        self,
        jobs: Iterable[JobSnapshot],
        size: Size,
        *keys: str,
        pasted: str = "",
        limit: float | None = None,
    ) -> bool:
        engine = FakeEngine(jobs, limit=limit)
        engine.at = NOW - 62
        settings = built_in()._replace(config=Config(output=Path("/srv/data")))
        app = HydraApp(engine, settings=settings, live=False, clock=lambda: 0.0)

        async def live(pilot: Pilot[None]) -> None:
            stage = Stage(engine, app, pilot)
            await stage.settle()
            live_a_minute(app, engine)
            await stage.press(*keys)
            if pasted:
                await stage.paste(pasted)
            for offers in app.screen.query(CommandList):
                await stage.comes(lambda: offers.option_count)  # noqa: B023
            await stage.settle()

        return self._compare(app, terminal_size=size, run_before=live)


@pytest.fixture
def camera(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> Camera:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(214 * GIB))
    return Camera(snap_compare)


# ------------------------------------------------------------------- the queue


@BOTH_SIZES
def test_empty(camera: Camera, size: Size) -> None:
    """Nothing queued yet, and what to do about it."""
    assert camera.shows([], size)


@BOTH_SIZES
def test_running(camera: Camera, size: Size) -> None:
    """One stream with all its lanes, its window and its heap."""
    assert camera.shows([running_job()], size)


@BOTH_SIZES
def test_paused(camera: Camera, size: Size) -> None:
    """The only job rests."""
    assert camera.shows([running_job()], size, "space")


@BOTH_SIZES
def test_throttled(camera: Camera, size: Size) -> None:
    """A limit, and one step below it."""
    assert camera.shows([running_job()], size, "left_square_bracket", limit=200e6)


@BOTH_SIZES
def test_mixed(camera: Camera, size: Size) -> None:
    """One job in each state, and five hundred in all."""
    assert camera.shows(mixed_queue(), size, "j", "j", "j")


@BOTH_SIZES
def test_marked(camera: Camera, size: Size) -> None:
    """Some jobs marked, in another order than their own."""
    assert camera.shows(mixed_queue(), size, "m", "m", "j", "m", "s", "i", "g")


@BOTH_SIZES
def test_filtering(camera: Camera, size: Size) -> None:
    """A filter that is being typed, and what it leaves."""
    assert camera.shows(mixed_queue(), size, "/", *"shard <1Ti")


@BOTH_SIZES
def test_filtered_out(camera: Camera, size: Size) -> None:
    """A filter that leaves nothing says how to get out of it."""
    assert camera.shows(mixed_queue(), size, "/", *"nobody", "enter")


@BOTH_SIZES
def test_command(camera: Camera, size: Size) -> None:
    """A command that is being typed, with the rest of it suggested."""
    assert camera.shows(mixed_queue(), size, ":", *"ex")


@BOTH_SIZES
def test_hostile(camera: Camera, size: Size) -> None:
    """Names that mean harm are names."""
    assert camera.shows(hostile_queue(), size)


# -------------------------------------------------------------------- the views


@BOTH_SIZES
def test_many_lanes(camera: Camera, size: Size) -> None:
    """A hundred and twenty-eight lanes, to disk."""
    assert camera.shows([running_job(lanes=128, streaming=False)], size)


@BOTH_SIZES
def test_lanes(camera: Camera, size: Size) -> None:
    """The lanes alone, the slowest first."""
    assert camera.shows([running_job(lanes=64)], size, "2", "z", "V", "v")


def stalled() -> JobSnapshot:
    """A stream whose reader does not read: the heap is full and all lanes are held."""
    job = running_job()
    assert job.front is not None
    assert job.front.capacity is not None
    held = {"state": LaneState.HELD, "rate": 0.0, "note": "", "racing": False}
    return replace(
        job,
        rate=0.0,
        lanes=tuple(replace(lane, **held) for lane in job.lanes),  # type: ignore[arg-type]
        front=replace(job.front, waiting=job.front.capacity, depth=64, hole_lane=None),
        command="tar x -C data",
        piped=CommandSnapshot(
            fed=2 * GIB, status=None, said=("tar: waiting for tape",)
        ),
        bottleneck=Bottleneck.READER,
    )


@BOTH_SIZES
def test_stalled(camera: Camera, size: Size) -> None:
    """The command does not read, and gets the blame."""
    assert camera.shows([stalled()], size)


@BOTH_SIZES
def test_front(camera: Camera, size: Size) -> None:
    """A minute of the heap, against its bound."""
    assert camera.shows([running_job()], size, "3")


@BOTH_SIZES
def test_front_of_a_command(camera: Camera, size: Size) -> None:
    """What the command has taken, and what it says."""
    assert camera.shows([stalled()], size, "3", "z")


@BOTH_SIZES
def test_graphs(camera: Camera, size: Size) -> None:
    """A minute of throughput and of the window, with its cut."""
    assert camera.shows([running_job()], size, "4", limit=300e6)


def hashed(state: JobState, verdict: str, actual: str | None) -> JobSnapshot:
    """A job of which all is here and hashed."""
    job = running_job(share=1.0)
    [known] = job.hashes
    known = replace(known, hashed=4 * GIB, actual=actual or known.expected)
    return replace(make_job(state=state, share=1.0, verdict=verdict), hashes=(known,))


@BOTH_SIZES
def test_verified(camera: Camera, size: Size) -> None:
    """Done, and the digest is the promised one."""
    assert camera.shows([hashed(JobState.DONE, "sha256 matches", None)], size, "5")


@BOTH_SIZES
def test_mismatch(camera: Camera, size: Size) -> None:
    """Not the promised digest, and what became of the data."""
    verdict = "sha256 differs; kept as 1.parquet.part.bad"
    job = hashed(JobState.FAILED, verdict, "9f86d081" * 7 + "deadbeef")
    assert camera.shows([job], size, "5")


@BOTH_SIZES
def test_promised(camera: Camera, size: Size) -> None:
    """Two algorithms, and pieces of which one was fetched again."""
    assert camera.shows([promised_job()], size, "5")


@BOTH_SIZES
def test_searching(camera: Camera, size: Size) -> None:
    """No digest yet, but one is looked for."""
    job = replace(running_job(), hashes=(), searching=True)
    assert camera.shows([job], size, "5")


@BOTH_SIZES
def test_mirrors(camera: Camera, size: Size) -> None:
    """Where it comes from, and which of them is benched for what."""
    assert camera.shows([mirrored_job()], size, "7", "z")


@BOTH_SIZES
def test_lanes_of_mirrors(camera: Camera, size: Size) -> None:
    """Every lane with the host that serves it, where there is room for it."""
    job = mirrored_job()
    assert camera.shows([replace(job, lanes=job.lanes[:12])], size, "2", "z")


@BOTH_SIZES
def test_log(camera: Camera, size: Size) -> None:
    """What happened, with a search."""
    assert camera.shows(mixed_queue(), size, "6", "p", "+", "/", *"lane", "enter")


SOURCE = SourceSnapshot(
    hops=(
        Hop(302, "https://example.org/get/1"),
        Hop(206, "https://cdn.example.org/shards/1?X-Signature=***"),
    ),
    headers=(("Server", "nginx"), ("Content-Range", "bytes 0-8388607/4294967296")),
    etag='"65f2a1-100000000"',
    last_modified="Fri, 14 Nov 2025 09:00:00 GMT",
    media_type="application/octet-stream",
)


@BOTH_SIZES
def test_info(camera: Camera, size: Size) -> None:
    """Everything there is to know of a job."""
    assert camera.shows([replace(running_job(), source=SOURCE)], size, "7", "z")


# ------------------------------------------------------------------ the dialogs


@BOTH_SIZES
def test_help(camera: Camera, size: Size) -> None:
    """Every key and every sign."""
    assert camera.shows([running_job()], size, "question_mark")


@BOTH_SIZES
def test_palette(camera: Camera, size: Size) -> None:
    """What can be done about limits."""
    assert camera.shows([running_job()], size, "ctrl+p", *"limit")


@BOTH_SIZES
def test_add_dialog(camera: Camera, size: Size) -> None:
    """Three good lines and a bad one; one of them runs a command."""
    pasted = (
        "https://cdn.example.org/shards/shard-00001.parquet\n"
        "https://cdn.example.org/shards/shard-00002.parquet\n"
        "https://cdn.example.org/data.tar.zst | tar x --zstd -C data\n"
        "ftp//bad-url\n"
    )
    assert camera.shows(mixed_queue(), size, "a", pasted=pasted)


@BOTH_SIZES
def test_edit_dialog(camera: Camera, size: Size) -> None:
    """What a job was asked for."""
    assert camera.shows(mixed_queue(), size, "j", "e")


@BOTH_SIZES
def test_throttle_dialog(camera: Camera, size: Size) -> None:
    """A limit that is being typed, for the marked jobs."""
    keys = ("m", "m", "t", "2", "5")
    assert camera.shows(mixed_queue(), size, *keys, limit=40e6)


@BOTH_SIZES
def test_renew_dialog(camera: Camera, size: Size) -> None:
    """A link that works no more."""
    job = make_job(1, "weights.safetensors", JobState.EXPIRED, share=0.4)
    assert camera.shows([job], size, "u")


@BOTH_SIZES
def test_remove_dialog(camera: Camera, size: Size) -> None:
    """What would be lost."""
    assert camera.shows(mixed_queue(), size, "asterisk", "d")


@BOTH_SIZES
def test_quit_dialog(camera: Camera, size: Size) -> None:
    """Whether to leave while something runs."""
    assert camera.shows([*mixed_queue(), replace(stalled(), id=501)], size, "q")


@BOTH_SIZES
def test_settings(camera: Camera, size: Size) -> None:
    """Every option, where its value comes from, and what it is for."""
    assert camera.shows([running_job()], size, "comma")


def test_too_small(camera: Camera) -> None:
    """One line where there is room for one."""
    assert camera.shows([running_job()], (50, 8))
