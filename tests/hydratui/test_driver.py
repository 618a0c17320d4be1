"""The way out to a terminal that may not read."""

from __future__ import annotations

import asyncio
import os
import pty
from collections.abc import Iterator

import pytest

from hydratui.app import HydraApp
from hydratui.driver import Outlet, PatientDriver, has_hung_up
from tests.hydratui.support import FakeEngine

FRAME = b"x" * 30_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    yield reading, writing
    os.close(reading)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_is_taken_is_not_kept(pipe: tuple[int, int]) -> None:
    """A terminal that reads gets each frame in the turn it is drawn."""
    outlet = Outlet(pipe[1], asyncio.get_running_loop())
    outlet.write(b"frame")
    assert outlet.kept == 0
    assert os.read(pipe[0], 100) == b"frame"
    outlet.close(b"")


async def test_what_is_not_taken_is_kept_in_order(pipe: tuple[int, int]) -> None:
    """It leaves as the terminal reads, and nothing overtakes it."""
    outlet = Outlet(pipe[1], asyncio.get_running_loop())
    sent = b"".join(bytes([65 + n]) * 30_000 for n in range(6))
    for start in range(0, len(sent), 30_000):
        outlet.write(sent[start : start + 30_000])
    assert outlet.kept > 0
    received = b""
    while len(received) < len(sent):
        received += os.read(pipe[0], 65_536)
        await settle()
    assert received == sent
    assert outlet.kept == 0
    outlet.close(b"")


async def test_a_deaf_terminal_hears_the_last_words_only(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving takes a moment, not for ever; frames that nobody read are gone."""
    monkeypatch.setattr("hydratui.driver._PATIENCE", 0.05)
    outlet = Outlet(pipe[1], asyncio.get_running_loop())
    for _ in range(10):
        outlet.write(FRAME)
    outlet.close(b"restore")
    received = os.read(pipe[0], 1_000_000)
    assert len(received) < 10 * len(FRAME)


async def test_a_terminal_that_is_gone_takes_everything() -> None:
    """A hangup is another one's business; writing goes on without harm."""
    master, slave = pty.openpty()
    os.close(master)
    outlet = Outlet(slave, asyncio.get_running_loop())
    outlet.write(FRAME)
    assert outlet.kept == 0
    outlet.close(b"restore")


async def test_frames_are_dropped_while_much_is_kept(pipe: tuple[int, int]) -> None:
    """And when all is read, the screen is to be painted anew, once."""
    driver = PatientDriver(HydraApp(FakeEngine(), live=False))
    driver._outlet = Outlet(pipe[1], asyncio.get_running_loop())
    for _ in range(100):
        driver.write(FRAME.decode())
    assert driver._outlet.kept < 400_000
    assert [driver.is_ready, driver.take_stale()] == [False, False]
    while driver._outlet.kept:
        os.read(pipe[0], 65_536)
        await settle()
    assert [driver.take_stale(), driver.take_stale()] == [True, False]
    driver.close()


async def test_nothing_is_written_while_another_program_has_the_screen() -> None:
    """Suspended, every frame is dropped."""
    driver = PatientDriver(HydraApp(FakeEngine(), live=False))
    driver.write("frame")
    assert not driver.is_ready
    assert not driver.take_stale()


def test_a_keyboard_that_is_no_terminal_has_not_hung_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a terminal can be gone."""
    assert has_hung_up() is False
