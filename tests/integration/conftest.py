"""Both ways to fetch, and the promise that nothing stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.support import Fetch, open_files, until


@pytest.fixture(params=["disk", "stream"])
def fetch(request: pytest.FixtureRequest, tmp_path: Path) -> Fetch:
    """A way to fetch a file: each test of it is run for both."""
    return Fetch(tmp_path / "download", request.param == "stream")


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No test of this directory leaves a task or an open file."""
    before = open_files()
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await until(lambda: open_files() <= before, within=1)
