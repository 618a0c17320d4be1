"""Networks that fail: outages, resets and loss, in a namespace made for it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.testing import Content, OriginProcess
from tests.integration.support import MIB, ROOT, until
from tests.support import network as net
from tests.support.network import Network

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SIZE = 24 * MIB
FILE = Content(SIZE)
LANES = 8


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if not net.available():
        pytest.skip(net.SKIP_REASON)
    with net.network() as made:
        yield made


class Download:
    """A run in the namespace; its progress goes into a file."""

    def __init__(self, network: Network, folder: Path, url: str, *more: str) -> None:
        self.folder = folder
        self._log = folder / "log"
        command = [sys.executable, "-m", "hydratui.cli", "--no-ui", "-t", str(LANES)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*network.prefix, *command, "-o", str(folder), *more, url],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    @property
    def told(self) -> str:
        return self._log.read_text()

    @property
    def lanes(self) -> int:
        """How many it last said it had."""
        return int(([0, *re.findall(r"(\d+) lanes", self.told)])[-1])

    @property
    def here(self) -> int:
        """Bytes that lie on disk, in blocks of it."""
        part = self.folder / "file.part"
        return part.stat().st_blocks * 512 if part.exists() else 0

    async def ends(self) -> int:
        return await asyncio.to_thread(self.process.wait, 60)


def assert_whole(download: Download) -> None:
    assert (download.folder / "file").read_bytes() == FILE.read(), download.told


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [(net.SILENCE, 4.0), (net.RESETS, 2.0)],
    ids=["silence", "resets"],
)
async def test_an_outage_ends_nothing(
    network: Network, tmp_path: Path, rule: net.Rule, seconds: float
) -> None:
    """All lanes fail together: they come back together, and the window was kept."""
    origin = OriginProcess(f"--size={SIZE}", "--rate=500K", prefix=network.prefix)
    with origin:
        download = Download(network, tmp_path, origin.url(), "--stall-timeout", "1")
        await until(lambda: download.lanes == LANES)
        with network.broken(rule):
            await asyncio.sleep(seconds)
        await until(lambda: download.lanes == LANES)
        assert await download.ends() == 0, download.told
    assert_whole(download)


async def test_loss_costs_time_only(network: Network, tmp_path: Path) -> None:
    """With one packet in thirty lost the bytes are right, and it ends."""
    origin = OriginProcess(f"--size={SIZE}", "--rate=4M", prefix=network.prefix)
    with origin, network.broken(net.loss(0.03)):
        download = Download(network, tmp_path, origin.url())
        assert await download.ends() == 0, download.told
    assert_whole(download)


@pytest.mark.option("give-up-after")
async def test_an_outage_longer_than_patience(network: Network, tmp_path: Path) -> None:
    """--give-up-after seconds without progress end with 3, and the partial is kept."""
    origin = OriginProcess(f"--size={SIZE}", "--rate=500K", prefix=network.prefix)
    with origin:
        more = ("--stall-timeout", "0.5", "--connect-timeout", "0.5")
        url = origin.url()
        download = Download(network, tmp_path, url, *more, "--give-up-after", "2")
        await until(lambda: download.lanes == LANES)
        with network.broken(net.SILENCE):
            assert await download.ends() == 3, download.told
        assert (tmp_path / "file.part").exists()
        again = Download(network, tmp_path, url)
        assert await again.ends() == 0, again.told
    assert "are here" in again.told
    assert_whole(again)
