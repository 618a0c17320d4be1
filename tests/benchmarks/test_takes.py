"""What the numbers mean: a run that is wrong, slow or failing has none."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.testing import Content
from tests.benchmarks.measure import RunError
from tests.benchmarks.peers import Take
from tests.benchmarks.sites import Served
from tests.benchmarks.takes import Run

ZEROS = Content.of(bytes(100_000))


def run_of(folder: Path, code: str) -> Run:
    return Run(
        argv=(sys.executable, "-S", "-c", f"import os, sys, time\n{code}"),
        environment=os.environ,
        folder=folder,
        served=Served(contents=(ZEROS,)),
        patience=5.0,
    )


@pytest.mark.parametrize("take", [Take.PIPE, Take.FIRST, Take.SLOW])
def test_right(tmp_path: Path, take: Take) -> None:
    """A run that gives the right bytes is counted, however they are taken."""
    sample = run_of(tmp_path, "os.write(1, bytes(100_000))").sample(take)

    assert sample.wall > 0
    assert sample.cpu > 0


@pytest.mark.parametrize("take", [Take.PIPE, Take.FIRST, Take.SLOW])
@pytest.mark.parametrize(
    "code", ["os.write(1, bytes(99_999))", "os.write(1, b'x' * 100_000)"]
)
def test_wrong(tmp_path: Path, take: Take, code: str) -> None:
    """A run that gives fewer bytes, or other ones, is not."""
    with pytest.raises(RunError, match="1 of 1 outputs missing or wrong"):
        run_of(tmp_path, code).sample(take)


def test_litter(tmp_path: Path) -> None:
    """A file that nobody asked for is an error, beside the right one too."""
    right, other = tmp_path / "right", tmp_path / "other"
    code = f"[open(name, 'wb').write(bytes(100_000)) for name in {[*map(str, (right, other))]}]"

    with pytest.raises(RunError, match="1 that nobody asked for"):
        run_of(tmp_path, code).sample(Take.DISK)


def test_failing(tmp_path: Path) -> None:
    """A run that fails says how: its exit code, and its last words."""
    with pytest.raises(RunError, match="exit 3: no luck"):
        run_of(tmp_path, "os.write(2, b'no luck'); sys.exit(3)").sample(Take.PIPE)


def test_endless(tmp_path: Path) -> None:
    """A run that outlives our patience is ended."""
    run = replace(run_of(tmp_path, "time.sleep(600)"), patience=0.1)  # is ended

    with pytest.raises(RunError, match="not done"):
        run.sample(Take.PIPE)


def test_unread(tmp_path: Path) -> None:
    """A slow reader that leaves early compares what it has read."""
    endless = Served(contents=(Content.of(bytes(50_000_000)),))
    run = replace(
        run_of(tmp_path, "while True: os.write(1, bytes(65_536))"), seconds=0.5
    )

    sample = replace(run, served=endless).sample(Take.SLOW)

    assert 0.5 <= sample.wall < run.patience
    assert 0 < sample.rate < 6_000_000
    with pytest.raises(RunError, match="wrong bytes among the first"):
        replace(run, served=Served(contents=(Content(50_000_000),))).sample(Take.SLOW)


def test_memory(tmp_path: Path) -> None:
    """The memory of a run is its own: not that of who started it."""
    ballast = b"x" * 200_000_000

    small = run_of(tmp_path, "time.sleep(0.1); os.write(1, bytes(100_000))")

    assert small.sample(Take.PIPE).rss < len(ballast) / 2
