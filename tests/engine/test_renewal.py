"""A fresh link from the user's own command, run as the user would."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path

import pytest

from engine.errors import ExpiredError
from engine.renewal import VARIABLE, fresh_url
from tests.integration.support import open_files, until
from tests.support.processes import lives

OLD = "https://example.org/file?sig=old"
NEW = "https://example.org/file?sig=new"

pytestmark = pytest.mark.timeout(15)


@pytest.mark.parametrize(
    "command",
    [
        f"echo '{NEW}'",
        f"printf '{NEW}'",
        f"printf '%s\\r\\n' '{NEW}'",
        f"printf '\\n  {NEW}  \\nmore words\\n'",
        f"echo noise >&2; echo '{NEW}'",
        f"echo '{NEW}' | cat",
        f"printf '{NEW[:20]}'; sleep 0.1; echo '{NEW[20:]}'",
    ],
)
async def test_the_first_line_is_the_link(command: str) -> None:
    """What a command prints first is the URL, with no space around it."""
    assert await fresh_url(command, OLD) == NEW


async def test_the_command_knows_the_old_link() -> None:
    """The link that has expired is in the environment, untouched by any shell."""
    strange = OLD + "&a='$(id)'"
    assert await fresh_url(f'printf %s "${VARIABLE}"', strange) == strange
    assert VARIABLE not in os.environ


async def test_the_command_knows_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever else the user has set is there too."""
    monkeypatch.setenv("HYDRA_TEST_TOKEN", "t0ken")
    link = await fresh_url('echo "$HYDRA_TUI_URL&t=$HYDRA_TEST_TOKEN"', OLD)
    assert link == OLD + "&t=t0ken"


async def test_the_command_is_not_asked_anything() -> None:
    """Nobody types for it: its standard input is empty."""
    assert await fresh_url(f"cat; echo '{NEW}'", OLD) == NEW


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 3", "ended with 3"),
        (f"echo '{NEW}'; exit 1", "ended with 1"),
        ("kill -9 $$", "ended with -9"),
        ("/nonexistent/command 2>/dev/null", "ended with 127"),
    ],
)
async def test_a_command_that_fails_leaves_the_link_expired(
    command: str, reason: str
) -> None:
    """What it printed is not believed, and the message says how it ended."""
    with pytest.raises(ExpiredError, match=f"--url-command {reason}"):
        await fresh_url(command, OLD)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("true", "not a URL: ''"),
        ("printf '\\n \\n'", "not a URL: ''"),
        ("echo sorry", "not a URL: 'sorry' has no scheme"),
        ("echo file:///etc/passwd", "only http and https"),
        ("printf '\\377\\376'", "not a URL"),
        ("head -c 10000 /dev/zero | tr '\\0' a", "not a URL"),
    ],
)
async def test_what_is_no_link_leaves_the_link_expired(
    command: str, reason: str
) -> None:
    """Whatever a command prints, it is a URL or the link stays expired."""
    with pytest.raises(ExpiredError, match=f"--url-command: .*{reason}"):
        await fresh_url(command, OLD)


async def test_a_command_may_take_a_minute_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command that does not come back is ended."""
    monkeypatch.setattr("engine.renewal.PATIENCE", 0.1)
    with pytest.raises(ExpiredError, match=r"--url-command took more than 0\.1 s"):
        await fresh_url("sleep 3600", OLD)


async def test_a_command_that_talks_without_end_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its words are bounded: it cannot fill our memory, nor keep us waiting."""
    monkeypatch.setattr("engine.renewal.PATIENCE", 0.5)
    async with asyncio.timeout(5.0):
        with pytest.raises(ExpiredError):
            await fresh_url("yes", OLD)


async def test_children_end_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing that a command started is left when its time is up."""
    monkeypatch.setattr("engine.renewal.PATIENCE", 0.3)
    note = tmp_path / "pid"
    command = f"sleep 3600 & echo $! > {shlex.quote(str(note))}; wait"
    with pytest.raises(ExpiredError, match="took more than"):
        await fresh_url(command, OLD)
    await until(lambda: not lives(int(note.read_text())))


async def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    """A child in the background ends too when its parent has answered."""
    note = tmp_path / "pid"
    command = (
        f"sleep 3600 >/dev/null & echo $! > {shlex.quote(str(note))}; echo '{NEW}'"
    )
    assert await fresh_url(command, OLD) == NEW
    await until(lambda: not lives(int(note.read_text())))


async def test_a_command_ends_with_whoever_waits_for_it(tmp_path: Path) -> None:
    """Pausing a job while its command runs leaves no process and no descriptor."""
    before = open_files()
    note = tmp_path / "pid"
    command = f"echo $$ > {shlex.quote(str(note))}; exec sleep 3600"
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(fresh_url(command, OLD))
        await until(lambda: note.exists() and note.read_text().strip())
        asking.cancel()
    await until(lambda: not lives(int(note.read_text())))
    await until(lambda: open_files() <= before)
