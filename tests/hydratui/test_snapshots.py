"""Pictures of the screen, compared cell by cell with those that were looked at.

Nothing moves by itself here: no ticks, one clock that stands still, prepared
values. A new Textual or Rich redraws them all, which is why both are pinned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import pytest
from textual.pilot import Pilot

from engine import JobSnapshot, JobState
from hydratui.app import HydraApp
from tests.hydratui.support import (
    GIB,
    NOW,
    FakeEngine,
    hostile_queue,
    live_a_minute,
    make_job,
    mixed_queue,
    running_job,
)

BOTH_SIZES = pytest.mark.parametrize(
    "size", [(120, 36), (80, 24)], ids=["120x36", "80x24"]
)


class Compare(Protocol):
    """What pytest-textual-snapshot gives."""

    def __call__(
        self,
        app: HydraApp,
        *,
        terminal_size: tuple[int, int],
        run_before: Callable[[Pilot[None]], object],
    ) -> bool: ...


class Camera:
    """Takes a picture of an app that has lived a minute, after some keys."""

    def __init__(self, compare: Compare) -> None:
        self._compare = compare

    def shows(
        self,
        jobs: Iterable[JobSnapshot],
        size: tuple[int, int],
        *keys: str,
        limit: float | None = None,
    ) -> bool:
        engine = FakeEngine(jobs, limit=limit)
        engine.at = NOW - 62
        app = HydraApp(engine, live=False, clock=lambda: 0.0)

        async def live(pilot: Pilot[None]) -> None:
            await pilot.pause()
            live_a_minute(app, engine)
            await pilot.press(*keys)
            await pilot.pause()

        return self._compare(app, terminal_size=size, run_before=live)


@pytest.fixture
def camera(snap_compare: Compare) -> Camera:
    return Camera(snap_compare)


@BOTH_SIZES
def test_running(camera: Camera, size: tuple[int, int]) -> None:
    """One stream with all its lanes, its window and its heap."""
    assert camera.shows([running_job()], size)


@BOTH_SIZES
def test_many_lanes(camera: Camera, size: tuple[int, int]) -> None:
    """A hundred and twenty-eight lanes, to disk."""
    assert camera.shows([running_job(lanes=128, streaming=False)], size)


@BOTH_SIZES
def test_paused(camera: Camera, size: tuple[int, int]) -> None:
    """The only job rests."""
    assert camera.shows([running_job()], size, "space")


@BOTH_SIZES
def test_throttled(camera: Camera, size: tuple[int, int]) -> None:
    """A limit, and one step below it."""
    assert camera.shows([running_job()], size, "left_square_bracket", limit=200e6)


@BOTH_SIZES
def test_mixed(camera: Camera, size: tuple[int, int]) -> None:
    """One job in each state, and five hundred in all."""
    assert camera.shows(mixed_queue(), size, "j", "j", "j")


@BOTH_SIZES
def test_verified(camera: Camera, size: tuple[int, int]) -> None:
    """Done, and the digest is the promised one."""
    job = running_job(share=1.0)
    assert job.hash is not None
    known = replace(job.hash, hashed=4 * GIB, actual=job.hash.expected)
    done = replace(
        make_job(state=JobState.DONE, share=1.0, verdict="sha256 matches"), hash=known
    )
    assert camera.shows([done], size, "5")


@BOTH_SIZES
def test_hostile(camera: Camera, size: tuple[int, int]) -> None:
    """Names that mean harm are names."""
    assert camera.shows(hostile_queue(), size)


@BOTH_SIZES
def test_graphs(camera: Camera, size: tuple[int, int]) -> None:
    """A minute of throughput and of the window, with its cut."""
    assert camera.shows([running_job()], size, "4", limit=300e6)


@BOTH_SIZES
def test_front(camera: Camera, size: tuple[int, int]) -> None:
    """A minute of the heap, against its bound."""
    assert camera.shows([running_job()], size, "3")


@BOTH_SIZES
def test_help(camera: Camera, size: tuple[int, int]) -> None:
    """Every key and every sign."""
    assert camera.shows([running_job()], size, "question_mark")


@BOTH_SIZES
def test_throttle_dialog(camera: Camera, size: tuple[int, int]) -> None:
    """A limit that is being typed."""
    assert camera.shows([running_job()], size, "t", "2", "5", limit=40e6)


@BOTH_SIZES
def test_quit_dialog(camera: Camera, size: tuple[int, int]) -> None:
    """Whether to leave while something runs."""
    assert camera.shows(mixed_queue(), size, "q")


def test_empty(camera: Camera) -> None:
    """Nothing queued yet."""
    assert camera.shows([], (80, 24))


def test_too_small(camera: Camera) -> None:
    """One line where there is room for one."""
    assert camera.shows([running_job()], (50, 8))
