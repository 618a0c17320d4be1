"""A program of its own group, and the end of all of it."""

from __future__ import annotations

import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from engine.processes import SHELL, Program, signal_group
from tests.integration.support import until
from tests.support.processes import lives, members


async def start(script: str, **popen: object) -> Program:
    given = {"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL} | popen
    return await Program.start(SHELL, "-c", script, **given)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9)]
)
async def test_how_it_ended_is_known(script: str, status: int) -> None:
    """A status, or minus the signal."""
    program = await start(script)
    await program.exited.wait()
    assert program.status == status


async def test_its_end_is_told_once() -> None:
    """To who asked before, or at once to who asks later."""
    told = []
    program = await start("read -r line", stdin=PIPE)
    program.when_exited(lambda: told.append("before"))
    assert program.status is None
    assert told == []
    program.signal(signal.SIGKILL)
    await program.exited.wait()
    assert told == ["before"]
    program.when_exited(lambda: told.append("later"))
    assert told == ["before", "later"]


async def test_it_has_a_session_of_its_own() -> None:
    """No terminal is its, and no key typed at ours reaches it."""
    program = await start("sleep 3600")
    assert os.getsid(program.pid) == os.getpgid(program.pid) == program.pid
    assert os.getsid(0) != program.pid
    program.signal(signal.SIGKILL)
    await program.exited.wait()


async def test_a_signal_reaches_all_of_it(tmp_path: Path) -> None:
    """What it started gets every signal, too."""
    note = tmp_path / "pid"
    program = await start(f"sleep 3600 & echo $! > '{note}'; wait")
    await until(lambda: note.exists() and note.read_text().strip())
    child = int(note.read_text())
    assert sorted(members(program.pid)) == sorted([program.pid, child])
    assert program.signal(signal.SIGKILL)
    await program.exited.wait()
    await until(lambda: not lives(child))


async def test_nobody_gets_a_signal_that_comes_late() -> None:
    """A group that is no more gets none, and that is no error."""
    program = await start("exit 0")
    await program.exited.wait()
    assert not program.signal(signal.SIGKILL)


def test_a_group_that_is_not_ours_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where we may not signal anybody, nobody got it."""

    def refuse(_group: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refuse)
    assert not signal_group(12345, signal.SIGTERM)


async def test_what_cannot_be_started_raises() -> None:
    """A program that is not there, or an argument that cannot be one."""
    with pytest.raises(OSError, match="No such file"):
        await Program.start("/nonexistent/program", stdin=DEVNULL, stdout=DEVNULL)
    with pytest.raises(ValueError, match="null"):
        await start("echo \0")
