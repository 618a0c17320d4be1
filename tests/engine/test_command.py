"""Real commands: what they get, what they say, and how they end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from engine import command as commands
from engine.command import SHOWN, Command, shown
from engine.errors import CommandError, LocalError, ReaderGoneError
from engine.processes import Program
from tests.integration.support import ROOT, open_files, until
from tests.support.processes import lives, members

pytestmark = pytest.mark.timeout(20)

STUBBORN = "trap '' TERM; "
"""Before a command that does not want to end."""
FILLING = 4 * 1024 * 1024
"""Bytes that no pipe holds."""


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No test leaves a descriptor, a task or a thread of ours."""
    files, threads = open_files(), _writers()
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await until(lambda: open_files() <= files, within=3)
    await until(lambda: _writers() <= threads, within=3)


def _writers() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith("hydra")}


@asynccontextmanager
async def running(
    text: str, directory: Path, **variables: str
) -> AsyncIterator[Command]:
    command = await Command.start(text, directory, variables)
    try:
        yield command
    finally:
        await command.close()
        await until(lambda: not members(command._program.pid))


async def given(command: Command, data: bytes) -> None:
    await command.feed([data])
    await command.finish()


def said(command: Command) -> tuple[str, ...]:
    return command.snapshot().said


# -- its input ---------------------------------------------------------------


async def test_a_command_gets_every_byte_in_order(tmp_path: Path) -> None:
    """What it is given, piece after piece, and then the end of its input."""
    pieces = [os.urandom(100_000) for _ in range(20)]
    async with running("cat > got", tmp_path) as command:
        await asyncio.wait([command.feed([piece]) for piece in pieces])
        await command.finish()
        assert (tmp_path / "got").read_bytes() == b"".join(pieces)
        snapshot = command.snapshot()
    assert snapshot.fed == 2_000_000
    assert snapshot.status == 0
    assert command.outcome == "| cat > got ended with 0"


async def test_the_first_byte_is_the_files(tmp_path: Path) -> None:
    """The line that opens the gate is not part of what the command reads."""
    async with running("cat > got", tmp_path) as command:
        await given(command, b"\n\nx")
    assert (tmp_path / "got").read_bytes() == b"\n\nx"


async def test_it_runs_in_its_directory(tmp_path: Path) -> None:
    """Which is made, with those above it."""
    where = tmp_path / "not" / "yet"
    async with running("pwd", where) as command:
        await command.finish()
        assert said(command) == (str(where),)


async def test_it_knows_what_it_gets(tmp_path: Path) -> None:
    """What it is told stands in its environment, untouched by any shell."""
    strange = "a'b\"c $(id) `id` \\ é"
    async with running('printf %s "$ABOUT"', tmp_path, ABOUT=strange) as command:
        await command.finish()
        assert said(command) == (strange,)
    assert "ABOUT" not in os.environ


async def test_it_runs_as_it_was_typed(tmp_path: Path) -> None:
    """Quotes, pipes and line breaks are for its own shell, and for no other."""
    text = "printf '%s|' \"a  b\" 'c$HOME' |\n tr a-z A-Z\necho; echo '$0'\"$#\""
    async with running(text, tmp_path) as command:
        await command.finish()
        assert said(command) == ("A  B|C$HOME|", "$00")


async def test_it_has_nothing_of_ours(tmp_path: Path) -> None:
    """No descriptor but its three, no terminal, and no signal that we ignore."""
    text = "ls /proc/$$/fd; grep SigIgn /proc/$$/status; cat < /dev/tty || echo none"
    async with running(text, tmp_path) as command:
        await command.finish()
        *descriptors, ignored, refusal, none = said(command)
    assert set(descriptors) <= {"0", "1", "2", "10", "255"}  # a shell's own, too
    assert not int(ignored.split()[1], 16) & 1 << signal.SIGPIPE - 1
    assert "/dev/tty" in refusal
    assert none == "none"


async def test_what_it_took_is_counted(tmp_path: Path) -> None:
    """What waits in its pipe it has not taken; a reader in no haste is waited for."""
    text = "head -c 10 >/dev/null; read -r go < go; cat >/dev/null"
    os.mkfifo(tmp_path / "go")
    async with running(text, tmp_path) as command, asyncio.TaskGroup() as group:
        await command.feed([b"x" * 100])
        await until(lambda: command.taken == 10)
        swallowing = group.create_task(command.swallow())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(swallowing), 0.1)
        (tmp_path / "go").write_text("go\n")
        await swallowing
        assert command.taken == 100
        await command.finish()
        assert command.taken == 100
        await command.swallow()


async def test_a_command_that_does_not_read_holds_only_its_writer(
    tmp_path: Path,
) -> None:
    """The loop goes on, and what it was not given stays with us."""
    async with running("sleep 3600", tmp_path) as command:
        part = command.feed([bytes(FILLING)])
        await asyncio.sleep(0.05)
        assert not part.done()
        assert command.taken == 0
    with pytest.raises(ReaderGoneError):
        await part


# -- its own end -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat >/dev/null; exit 3", "| cat >/dev/null; exit 3 ended with 3"),
        ("cat >&2; exit 1", "| cat >&2; exit 1 ended with 1: some words"),
        ("echo a; echo b >&2; echo; exit 2", "... ended with 2: b"),
        ("kill -9 $$", "| kill -9 $$ was ended by SIGKILL"),
        ("no-such-thing", "| no-such-thing ended with 127: ... not found"),
    ],
)
async def test_a_failure_names_status_and_last_words(
    tmp_path: Path, text: str, message: str
) -> None:
    """How it ended, and what it said last, in one line."""
    first, _, last = message.rpartition("...")
    async with running(text, tmp_path) as command:
        command.feed([b"some\twords\n"]).add_done_callback(
            lambda part: part.exception()
        )
        with pytest.raises(CommandError) as caught:
            await command.finish()
        assert isinstance(caught.value, LocalError)
        assert str(caught.value).startswith(first)
        assert str(caught.value).endswith(last)
        assert "\n" not in str(caught.value)


async def test_an_early_failure_is_noticed_at_once(tmp_path: Path) -> None:
    """Also while it is given nothing; that its input closes may be seen before."""
    async with running("sleep 0.1; echo sorry; exit 4", tmp_path) as command:
        with pytest.raises((CommandError, ReaderGoneError)):
            await command.watch()
        with pytest.raises(CommandError, match="ended with 4: sorry"):
            await command.finish()
        with pytest.raises(CommandError, match="ended with 4: sorry"):
            await command.watch()


@pytest.mark.parametrize("text", ["sleep 0.1", "exec <&-; sleep 3600"])
async def test_an_early_end_is_noticed_at_once(tmp_path: Path, text: str) -> None:
    """Whether it ends well, or only closes its input."""
    async with running(text, tmp_path) as command:
        with pytest.raises(ReaderGoneError):
            await command.watch()


async def test_a_failure_is_noticed_although_others_hold_its_input(
    tmp_path: Path,
) -> None:
    """What it started may still have the pipe; its own end is what counts."""
    text = "exec 3<&0; sleep 3600 <&3 & exit 5"
    async with running(text, tmp_path) as command:
        with pytest.raises(CommandError, match="ended with 5"):
            await command.watch()
        await until(lambda: not members(command._program.pid))


async def test_what_a_success_leaves_running_goes_on(tmp_path: Path) -> None:
    """A command that ended well may have left something to end in its own time."""
    text = "cat > got; (sleep 0.2; echo done > late) >/dev/null 2>&1 &"
    command = await Command.start(text, tmp_path, {})
    await given(command, b"x")
    await command.close()
    assert not (tmp_path / "late").exists()
    await until((tmp_path / "late").exists)


# -- the end we make ---------------------------------------------------------


@pytest.mark.parametrize("trap", ["", STUBBORN, "trap 'exit 1' TERM; "])
@pytest.mark.parametrize("size", [1000, FILLING])
async def test_a_command_that_is_ended_never_sees_the_end_of_its_input(
    tmp_path: Path, trap: str, size: int
) -> None:
    """Whether it dies of SIGTERM or not, whether its pipe is full or not."""
    text = f"{trap}echo $$ > pid; cat > got; touch finished"
    command = await Command.start(text, tmp_path, {})
    part = command.feed([bytes(size)])
    await until((tmp_path / "got").exists)
    began = monotonic()
    await command.close()
    assert monotonic() - began < 1.2
    await until(lambda: not members(command._program.pid))
    assert not (tmp_path / "finished").exists()
    assert command.snapshot().status
    await asyncio.wait([part])
    assert isinstance(part.exception(), ReaderGoneError | None)


async def test_a_command_may_clean_up(tmp_path: Path) -> None:
    """SIGTERM comes first, and some time to see to it."""
    text = "trap 'sleep 0.2; rm got; exit 1' TERM; touch got; sleep 3600"
    async with running(text, tmp_path) as command:
        await until((tmp_path / "got").exists)
        await command.close()
        assert command.snapshot().status == 1
    assert not (tmp_path / "got").exists()


async def test_a_command_that_stands_still_can_be_ended(tmp_path: Path) -> None:
    """It is let go on, so that it may see the signal: that saves the whole wait."""
    async with running("echo here; kill -STOP $$; cat", tmp_path) as command:
        await until(lambda: said(command))
        began = monotonic()
        await command.close()
        assert monotonic() - began < commands.GRACE
        assert command.snapshot().status == -signal.SIGTERM


async def test_children_end_with_their_command(tmp_path: Path) -> None:
    """Those it waits for, those in the background, and those who do not want to."""
    text = f"{STUBBORN}sleep 3600 & sleep 3600 | sleep 3600 & echo up; cat | cat"
    async with running(text, tmp_path) as command:
        await until(lambda: said(command))
        group = command._program.pid
        await until(lambda: len(members(group)) >= 6)
        await command.close()
        await until(lambda: not members(group), within=0.5)


async def test_children_that_outlive_their_shell_are_ended(tmp_path: Path) -> None:
    """The shell dies of SIGTERM, its child does not: still nothing is left."""
    text = "(trap '' TERM; echo up; cat > got; touch finished) | cat"
    async with running(text, tmp_path) as command:
        await until(lambda: said(command))
        await command.close()
        await until(lambda: not members(command._program.pid), within=0.5)
    assert not (tmp_path / "finished").exists()


async def test_ending_goes_on_when_nobody_waits(tmp_path: Path) -> None:
    """Whoever closes it may be called off; the command ends all the same."""
    command = await Command.start(f"{STUBBORN}echo up; cat", tmp_path, {})
    await until(lambda: said(command))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(command.close(), 0.05)
    assert members(command._program.pid)
    await until(lambda: not members(command._program.pid), within=2)
    await command.close()


async def test_closing_twice_is_closing(tmp_path: Path) -> None:
    """And so is ending it after it has ended by itself."""
    async with running("cat", tmp_path) as command:
        await given(command, b"x")
        await command.close()
        command.end()
        await command.close()
        assert command.snapshot().status == 0


async def test_waiting_for_the_end_may_be_taken_up_again(tmp_path: Path) -> None:
    """Its input ended before; what is left is to wait."""
    os.mkfifo(tmp_path / "go")
    async with running("cat >/dev/null; read -r go < go", tmp_path) as command:
        await command.feed([b"x"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(command.finish(), 0.1)
        (tmp_path / "go").write_text("go\n")
        await command.finish()
        assert command.snapshot().status == 0


# -- what it says ------------------------------------------------------------


async def test_what_it_says_is_told(tmp_path: Path) -> None:
    """Line by line as it comes, errors among the rest, and the last one at its end."""
    told: list[str] = []
    async with running("echo a; echo b >&2; printf c", tmp_path) as command:
        command.on_said = told.append
        await command.finish()
        assert said(command) == ("a", "b", "c")
    assert told == ["a", "b", "c"]


async def test_a_flood_of_words_does_not_hold_it_up(tmp_path: Path) -> None:
    """Gigabytes of output are read and forgotten; what it gets, it gets."""
    told: list[str] = []
    text = "yes 'many words' | head -c 500000000; cat > got; echo; echo end"
    async with running(text, tmp_path) as command:
        command.on_said = told.append
        await given(command, b"x" * 100)
        assert said(command)[-1] == "end"
        assert len(said(command)) <= 50
    assert (tmp_path / "got").read_bytes() == b"x" * 100
    assert 20 <= len(told) < 60


async def test_what_others_print_is_not_waited_for(tmp_path: Path) -> None:
    """A child that goes on printing does not keep its command from having ended."""
    async with running("yes & exit 1", tmp_path) as command:
        with pytest.raises(CommandError, match="ended with 1"):
            await command.finish()


# -- what goes wrong ---------------------------------------------------------


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """This machine is in the way, and the message says where."""
    (tmp_path / "file").touch()
    where = tmp_path / "file" / "below"
    with pytest.raises(LocalError, match=f"{where}: Not a directory"):
        await Command.start("cat", where, {})


async def test_a_command_that_is_too_long_is_named(tmp_path: Path) -> None:
    """The system refuses it, and nothing of it is left."""
    with pytest.raises(LocalError, match=r"\| : x.* cannot be started: .*too long"):
        await Command.start(": " + "x" * 3_000_000, tmp_path, {})


async def test_without_a_guard_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command whose guard cannot be started has not run at all."""
    start = Program.start
    started: list[Program] = []

    async def start_one(*arguments: str, **popen: object) -> Program:
        if started:
            raise OSError(errno.EAGAIN, "no more processes")
        started.append(await start(*arguments, **popen))
        return started[0]

    monkeypatch.setattr(Program, "start", start_one)
    with pytest.raises(LocalError, match=r"cannot be started: .*no more processes"):
        await Command.start("touch began", tmp_path, {})
    await started[0].exited.wait()
    assert not (tmp_path / "began").exists()


async def test_starting_may_be_called_off(tmp_path: Path) -> None:
    """At any moment; what has begun by then is ended."""
    before = _children()
    for turns in range(12):
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(Command.start("cat", tmp_path, {}))
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
        if not starting.cancelled():
            await starting.result().close()
    await until(lambda: not _children() - before)


def _children() -> set[int]:
    """The living processes that we have started."""
    pids = {int(path.name) for path in Path("/proc").glob("[0-9]*")}
    return {pid for pid in pids if lives(pid) and _parent(pid) == os.getpid()}


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


# -- without us --------------------------------------------------------------

ALONE = """
import asyncio, sys
from pathlib import Path
from engine.command import Command

async def main():
    command = await Command.start(sys.argv[1], Path(sys.argv[2]), {})
    print(command._program.pid, flush=True)
    await command.feed([b"x" * 1000])
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("trap", ["", STUBBORN, "trap 'exit 1' TERM; "])
async def test_a_command_does_not_outlive_us(tmp_path: Path, trap: str) -> None:
    """SIGKILL for us ends the command, and it never sees the end of its input."""
    text = f"{trap}cat > got; touch finished"
    with _alone(text, tmp_path) as ours:
        assert ours.stdout is not None
        group = int(await asyncio.to_thread(ours.stdout.readline))
        got = tmp_path / "got"
        await until(lambda: got.exists() and got.stat().st_size == 1000)
        ours.kill()
    await until(lambda: not members(group), within=5)
    assert not (tmp_path / "finished").exists()


@pytest.mark.slow
async def test_without_us_children_are_ended_too(tmp_path: Path) -> None:
    """Also those that do not want to, when their shell has died already."""
    text = "(trap '' TERM; cat > got; touch finished) | cat"
    with _alone(text, tmp_path) as ours:
        assert ours.stdout is not None
        group = int(await asyncio.to_thread(ours.stdout.readline))
        await until((tmp_path / "got").exists)
        ours.kill()
    await until(lambda: not members(group), within=5)
    assert not (tmp_path / "finished").exists()


@pytest.mark.slow
async def test_a_guard_goes_with_its_command(tmp_path: Path) -> None:
    """One guard a command, and none when it has ended, however that was."""
    before = _children()
    async with running("cat >/dev/null", tmp_path) as command:
        assert len(_children() - before) == 2
        await given(command, b"x")
        await until(lambda: not _children() - before)
    async with running("cat >/dev/null", tmp_path):
        assert len(_children() - before) == 2
    await until(lambda: not _children() - before)


def _alone(text: str, directory: Path) -> subprocess.Popen[bytes]:
    """A process that does nothing but feed a command, and then wait."""
    return subprocess.Popen(
        [sys.executable, "-c", ALONE, text, str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [("tar x", "| tar x"), (" a \n  b\t", "| a b"), ("x" * 80, f"| {'x' * 57}...")],
)
def test_a_command_is_shown_on_one_line(text: str, line: str) -> None:
    """And cut, where it is long."""
    assert shown(text) == line
    assert len(line) <= SHOWN + 2
