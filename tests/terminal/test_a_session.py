"""A session from the first look to the next day, as somebody would have it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine import JobState, open_store
from engine.testing import Content, Origin, Resource
from tests.terminal.support import Terminal, opened

A, B, C = (Content(3_000_017 + number, seed=number) for number in range(3))
FILES = {"/a.bin": A, "/b.bin": B, "/c.bin": C}
PIPED = f"{B.digest()}  -"


def served(rate: float | None = None) -> dict[str, Resource]:
    return {path: Resource(content, rate=rate) for path, content in FILES.items()}


async def test_a_queue_is_made_steered_left_and_taken_up_again(tmp_path: Path) -> None:
    """Paste, steer, quit, start again: all is where it was, and ends with the right bytes."""
    async with Origin(served(rate=200_000)) as origin:
        async with opened(tmp_path, "--jobs", "3", "--no-verify") as terminal:
            await paste(terminal, origin)
            await steer(terminal)
            await look_around(terminal)
            await quit_pausing(terminal)
        stood = check_saved(tmp_path)
        before = origin.served
        origin.resources |= served()
        async with opened(tmp_path, "--jobs", "3", "--no-verify") as terminal:
            await terminal.until(lambda: terminal.signs.get("c.bin") == "✓")
            assert terminal.signs == {"a.bin": "‖", "c.bin": "✓", "b.bin": "✗"}
            assert abs(terminal.jobs[0].percent - 100 * stood["a.bin"] / A.size) < 0.1
            assert origin.served - before == C.size - stood["c.bin"]
            await take_up(terminal)
    for name, content in (("a.bin", A), ("c.bin", C)):
        data = (tmp_path / "download" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == content.digest()


async def paste(terminal: Terminal, origin: Origin) -> None:
    await terminal.shows("Nothing queued yet")
    terminal.paste("\n".join(map(origin.url, FILES)))
    await terminal.shows("Add downloads", "3 ok")
    terminal.type("\x13")
    await terminal.shows("added 3")
    await terminal.until(lambda: list(terminal.signs.values()) == ["▶"] * 3)
    assert list(terminal.signs) == ["a.bin", "b.bin", "c.bin"]


async def steer(terminal: Terminal) -> None:
    """Throttle all, move one up, give one a pipe, pause one."""
    terminal.type("T")
    await terminal.shows("Throttle", "all jobs")
    terminal.type("0.3\r")
    await terminal.shows("limit 0.30 MB/s")
    terminal.type("GK")
    await terminal.until(lambda: list(terminal.signs) == ["a.bin", "c.bin", "b.bin"])
    terminal.type("G")
    await terminal.until(lambda: terminal.jobs[-1].is_selected)
    terminal.order("pipe sha256sum")
    await terminal.shows("b.bin | sha256sum")
    await terminal.until(lambda: all(row.percent > 1 for row in terminal.jobs))
    terminal.type("gp")
    await terminal.until(lambda: terminal.signs["a.bin"] == "‖")


async def look_around(terminal: Terminal) -> None:
    """A filter, and the lanes of a job."""
    terminal.type("/C.B")
    await terminal.until(lambda: list(terminal.signs) == ["c.bin"])
    terminal.type("\r")
    await terminal.shows("filter C.B (1)")
    terminal.type("2")
    await terminal.shows("[2 Lanes]")
    await terminal.until(lambda: "▶" in terminal.picture.partition("Lanes")[2])
    terminal.type("\x1b")
    await terminal.until(lambda: len(terminal.jobs) == 3)


async def quit_pausing(terminal: Terminal) -> None:
    terminal.type("q")
    await terminal.shows("Quit with 2 live downloads?", "1 command would be killed")
    terminal.type("y")
    assert await terminal.ended() == 0
    assert terminal.is_restored


def check_saved(home: Path) -> dict[str, int]:
    """The queue as it is on disk; how far each file had come."""
    store = open_store(home / "state" / "hydra-tui" / "queue.db")
    store.close()
    assert [(job.id, job.state) for job in store.jobs] == [
        (1, JobState.PAUSED),
        (3, JobState.QUEUED),
        (2, JobState.FAILED),
    ]
    stood = {job.name: job.done for job in store.jobs}
    assert stood["a.bin"] > 0
    assert stood["c.bin"] > 0
    return stood


async def take_up(terminal: Terminal) -> None:
    """Resume what was paused, and try the command again."""
    terminal.type("gr")
    await terminal.until(lambda: terminal.signs["a.bin"] == "✓")
    terminal.type("GR6")
    await terminal.until(lambda: set(terminal.signs.values()) == {"✓"})
    await terminal.shows(PIPED)
    terminal.type("q")
    assert await terminal.ended() == 0
