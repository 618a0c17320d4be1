"""A disk that is too small, before and during; on a file system of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from tests.integration.support import MIB, hydra, run, until

pytestmark = pytest.mark.slow

ROOM = 16 * MIB
FILE = Content(12 * MIB, seed=51)


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    """A file system of its own on that folder."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs root to mount a small file system")
    folder.mkdir()
    if subprocess.run(["mount", *how, str(folder)], check=False).returncode:
        pytest.skip(f"cannot be mounted here: {how}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 16 MiB, which can be reserved."""
    how = ("-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs")
    with mounted(tmp_path / "small", *how) as folder:
        yield folder


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """The same on a file system that can reserve nothing."""
    maker = shutil.which("mkfs.ext2", path=f"{os.environ['PATH']}:/sbin:/usr/sbin")
    if maker is None:
        pytest.skip("needs mkfs.ext2")
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, ROOM)
    subprocess.run([maker, "-q", "-m", "0", str(image)], check=True)
    with mounted(tmp_path / "old", "-o", "loop", str(image)) as folder:
        yield folder


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


@pytest.mark.parametrize("kind", ["small", "old"])
async def test_room_that_goes_meanwhile(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Somebody else takes the room: 7, the partial is kept and goes on later.

    Reserved, the data is safe and only the journal finds no room.
    """
    folder: Path = request.getfixturevalue(kind)
    async with Origin({"/file": Resource(FILE, rate=1e6)}) as origin:
        command = ("--no-ui", "-t", "4", "-o", str(folder), origin.url("/file"))
        with hydra(*command) as child:
            await until((folder / "file.part.hydra").exists)
            filler = fill(folder)
            _, err = await until_ended(child)
        assert child.returncode == 7, err
        assert b"No space left" in err
        assert (folder / "file.part").exists()
        filler.unlink()
        origin.resources["/file"] = Resource(FILE)
        ran = await run(*command)
    assert ran.code == 0
    assert (folder / "file").read_bytes() == FILE.read()


async def until_ended(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    return await asyncio.to_thread(child.communicate, timeout=20)
