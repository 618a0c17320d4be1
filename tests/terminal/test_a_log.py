"""The log file of the app: it is written like that of any run, and only there."""

from __future__ import annotations

from pathlib import Path

from engine.testing import Origin, Resource
from tests.integration.support import FILE
from tests.terminal.support import opened


async def test_the_app_writes_down_what_happens(tmp_path: Path) -> None:
    """A session leaves what was typed, every event, what curl said, and its end."""
    async with Origin({"/a.bin": Resource(FILE)}) as origin:
        url = origin.url("/a.bin?token=s3cret")
        async with opened(tmp_path, "--no-verify", "--debug", url) as terminal:
            await terminal.until(lambda: terminal.signs.get("a.bin") == "✓")
            terminal.type("q")
            await terminal.ended()
    [path] = (tmp_path / "state" / "hydra-tui" / "log").glob("*.log")
    log = path.read_text()
    assert "/a.bin?token=***" in log.splitlines()[0]
    for kind in ("queued", "probed", "started", "done", "curl"):
        assert f" {kind} " in log
    assert log.splitlines()[-1].endswith("ended with 0")
    assert "s3cret" not in log


async def test_the_app_says_that_there_is_no_log(tmp_path: Path) -> None:
    """A folder that cannot be written is shown, and the app works."""
    folder = tmp_path / "state" / "hydra-tui"
    folder.mkdir(parents=True)
    (folder / "log").write_bytes(b"in the way")
    async with opened(tmp_path) as terminal:
        await terminal.shows("no log file")
