"""A machine that sleeps: a stopped process that is let go on."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from engine.heartbeat import SLEPT
from engine.testing import Content, Origin, Resource
from tests.integration.support import MIB, PATIENCE, hydra

pytestmark = pytest.mark.slow

FILE = Content(24 * MIB, seed=41)


@pytest.mark.option("stall-timeout")
@pytest.mark.parametrize("stream", [True, False])
async def test_nobody_is_blamed_for_sleep(tmp_path: Path, *, stream: bool) -> None:
    """SIGSTOP longer than every timeout, then SIGCONT: it goes on, with no retry."""
    arguments = ["--stream"] if stream else ["--no-ui", "-o", str(tmp_path)]
    arguments += ["-t", "4", "--stall-timeout", "1", "--give-up-after", "2"]
    async with Origin({"/file": Resource(FILE, rate=2e6)}) as origin:
        with hydra(*arguments, origin.url("/file")) as child:
            reading = asyncio.create_task(asyncio.to_thread(child.communicate))  # noqa: TID251  # it outlives what is timed
            await origin.until(lambda: origin.served > 6 * MIB)
            child.send_signal(signal.SIGSTOP)
            await asyncio.sleep(SLEPT + 1)
            child.send_signal(signal.SIGCONT)
            async with asyncio.timeout(2 * PATIENCE):
                out, err = await reading
    assert child.returncode == 0, err
    assert b"retry" not in err
    assert (out if stream else (tmp_path / "file").read_bytes()) == FILE.read()
