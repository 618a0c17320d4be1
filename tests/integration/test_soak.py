"""One download that is killed again and again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from engine.testing import Content, Origin, Resource
from tests.integration.support import MIB, hydra

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

RATE = 10e6
LANES = 4
FILE = Content(48 * MIB, seed=71)


async def test_kills_cost_little_and_no_byte(tmp_path: Path) -> None:
    """SIGKILL at random moments: the digest is right, and each kill costs under a second."""
    luck, kills = random.Random(7), 0
    resource = Resource(FILE, rate=RATE / LANES, name="named-by-the-server.bin")
    async with Origin({"/file": resource}) as origin:
        command = ("--no-ui", "-q", "-t", str(LANES), "-o", str(tmp_path))
        code = None
        while code is None:
            with hydra(*command, origin.url("/file")) as child:
                try:
                    moment = luck.uniform(0.4, 2.0)
                    code = await asyncio.to_thread(child.wait, moment)
                except TimeoutExpired:
                    child.kill()
                    kills += 1
        refetched = origin.served - FILE.size
    assert code == 0
    assert (tmp_path / "named-by-the-server.bin").read_bytes() == FILE.read()
    assert kills > 2
    assert refetched / kills <= RATE
