"""A disk that is too small, before and during; on a file system of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from tests.integration.support import MIB, hydra, run, until

pytestmark = pytest.mark.slow

ROOM = 16 * MIB
FILE = Content(12 * MIB, seed=51)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a tmpfs of 16 MiB."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(64 << 10)):
            pass
    return filler


async def test_too_large_is_refused_at_once(small: Path) -> None:
    """More than there is room for: 7, with the numbers, and nothing left behind."""
    async with Origin({"/file": Resource(Content(2 * ROOM))}) as origin:
        ran = await run("--no-ui", "-q", "-o", str(small), origin.url("/file"))
        assert origin.served < ROOM
    assert ran.code == 7
    assert "no space" in ran.err
    assert not await asyncio.to_thread(os.listdir, small)


@pytest.mark.parametrize("reserved", [True, False])
async def test_room_that_goes_meanwhile(small: Path, *, reserved: bool) -> None:
    """Somebody else takes the room: 7, the partial is kept and goes on later.

    Reserved, the data is safe and only the journal finds no room.
    """
    async with Origin({"/file": Resource(FILE, rate=1e6)}) as origin:
        command = ("--no-ui", "-t", "4", "-o", str(small), origin.url("/file"))
        with hydra(*command) as child:
            await until((small / "file.part.hydra").exists)
            if not reserved:
                punch(small / "file.part")
            filler = fill(small)
            _, err = await until_ended(child)
        assert child.returncode == 7, err
        assert b"No space left" in err
        assert (small / "file.part").exists()
        filler.unlink()
        origin.resources["/file"] = Resource(FILE)
        ran = await run(*command)
    assert ran.code == 0
    assert (small / "file").read_bytes() == FILE.read()


def punch(part: Path) -> None:
    """Give back the room that was reserved, as on a file system that reserves none."""
    size = str(FILE.size)
    subprocess.run(
        ["fallocate", "--punch-hole", "--offset", "0", "--length", size, str(part)],
        check=True,
    )


async def until_ended(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    return await asyncio.to_thread(child.communicate, timeout=20)
