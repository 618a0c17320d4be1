"""The user's shell command that a job's bytes go into: begun, fed, ended.

To a command the end of its input looks like success. So its input ends only
when everything has been given, or when nobody of its process group is left to
see it. That holds when we are killed ourselves: a guard, a tiny process of its
own, keeps the input open, and ends the group when its lifeline to us breaks. It
holds from the start: the command begins when a first line of its input says
that it may, and by then the guard is there.

What a command that succeeded has left running is its own business.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import Self

from engine.errors import CommandError, LocalError, ReaderGoneError
from engine.model import CommandSnapshot
from engine.processes import SHELL, Program
from engine.said import Said
from engine.sinks import Buffers, FdWriter, has_reader, unread

GRACE = 0.7
"""Seconds to clean up after SIGTERM."""
LOOK_EVERY = 0.02
LAST_WAIT = 0.2
"""Seconds for the system to bury what was killed."""
HEARD = 64 * 1024
"""Bytes of output read at once."""
MOST_HEARD = 64
"""Pieces of output read after the end, where others go on printing."""
SHOWN = 60
"""Characters of a command in a message."""

GATE = f'read -r _gate && exec {SHELL} -c "$0"'
GUARD = """
read -r _lifeline
kill -s TERM -- "-$0" && { kill -s CONT -- "-$0"; sleep 1; kill -s KILL -- "-$0"; }
"""


class Command:
    """A running command; `close` leaves nothing of it behind."""

    def __init__(
        self, text: str, program: Program, guard: Guard, *, feed: int, output: int
    ) -> None:
        self.on_said: Callable[[str], None] = _nobody
        self._shown = shown(text)
        self._program = program
        self._guard = guard
        self._feed = feed
        self._output: int | None = output
        self._said = Said(monotonic())
        self._writer = FdWriter(feed, f"{self._shown}: input", owned=True)
        self._taken: int | None = None
        """How much it had taken when its input ended."""
        self._deadline: float | None = None
        self._gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(output, self._hear)
        with suppress(BrokenPipeError):
            os.write(feed, b"\n")
        program.when_exited(self._exited)

    @classmethod
    async def start(
        cls, text: str, directory: Path, variables: Mapping[str, str]
    ) -> Self:
        """Run a command in a directory, which is made. Raises LocalError."""
        _make(directory)
        try:
            return await cls._start(text, directory, os.environ | dict(variables))
        except (OSError, ValueError) as error:
            raise LocalError(f"{shown(text)} cannot be started: {error}") from error

    @classmethod
    async def _start(cls, text: str, directory: Path, env: Mapping[str, str]) -> Self:
        with ExitStack() as ours, ExitStack() as theirs:
            stdin, feed = _pipe(theirs, ours)
            output, stdout = _pipe(ours, theirs)
            os.set_blocking(output, False)
            program = await Program.start(
                *(SHELL, "-c", GATE, text),
                stdin=stdin,
                stdout=stdout,
                stderr=STDOUT,
                cwd=directory,
                env=env,
            )
            ours.callback(program.signal, signal.SIGKILL)
            guard = await Guard.start(program.pid, feed)
            ours.pop_all()
        return cls(text, program, guard, feed=feed, output=output)

    @property
    def outcome(self) -> str:
        """How it ended, for people."""
        status = self._program.status
        if status is not None and status < 0:
            return f"{self._shown} was ended by {_signal_name(-status)}"
        return f"{self._shown} ended with {status}"

    @property
    def taken(self) -> int:
        """Bytes it has taken; of a batch it is busy with that is known at its end."""
        if self._taken is not None:
            return self._taken
        return max(0, self._writer.written - unread(self._feed))

    def snapshot(self) -> CommandSnapshot:
        return CommandSnapshot(
            fed=self.taken, status=self._program.status, said=self._said.lines
        )

    # -- its input -----------------------------------------------------------

    def feed(self, buffers: Buffers) -> asyncio.Future[None]:
        """Have it given these bytes; done when it, or its pipe, has taken them."""
        return self._writer.give(buffers)

    async def swallow(self) -> None:
        """Wait until it has read what it was given; no system tells when that is."""
        pause = LOOK_EVERY / 16
        while self._taken is None and unread(self._feed):
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_EVERY)

    async def watch(self) -> None:
        """Raise when it takes no more: ReaderGoneError, or CommandError if it failed."""
        try:
            await self._writer.watch()
        except ReaderGoneError:
            self._check()
            raise

    async def finish(self) -> None:
        """End its input, and wait until it has ended. Raises CommandError."""
        if self._taken is None:
            self._end_input()
        await self._program.exited.wait()
        self._check()

    def _end_input(self) -> None:
        """What it has not read yet it will, unless it is known to read no more."""
        self._guard.dismiss()
        if self._writer.is_reader_gone:
            self._taken = self.taken
            self._writer.give_up()
        else:
            self._taken = self._writer.written
            self._writer.close()

    def _check(self) -> None:
        if self._program.status:
            said = f": {self._said.last}" if self._said.last else ""
            raise CommandError(self.outcome + said)

    # -- its end -------------------------------------------------------------

    def end(self) -> None:
        """Leave nothing of its group running, and only then let its input end."""
        if self._deadline is None:
            self._deadline = self._loop.time() + GRACE
            if self._program.status is None:
                self._program.signal(signal.SIGTERM)
                self._program.signal(signal.SIGCONT)
                self._look()
            else:
                self._let_go()

    async def close(self) -> None:
        """End it, and wait until nothing is left."""
        self.end()
        await self._gone.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WAIT):
                await self._program.exited.wait()
                await self._guard.exited.wait()

    def _look(self) -> None:
        assert self._deadline is not None
        if self._loop.time() < self._deadline and not self._is_deserted():
            self._loop.call_later(LOOK_EVERY, self._look)
        else:
            self._program.signal(signal.SIGKILL)
            self._let_go()

    def _is_deserted(self) -> bool:
        """Whether nobody holds its pipes any more: the dead may lie unburied for long."""
        is_read = self._taken is None and has_reader(self._feed)
        return self._program.status is not None and self._output is None and not is_read

    def _let_go(self) -> None:
        if self._taken is None:
            self._taken = self.taken
            self._guard.dismiss()
            self._writer.give_up()
        self._stop_hearing()
        self._gone.set()

    def _exited(self) -> None:
        """What it left running after a failure ends too, while its group is known."""
        for _ in range(MOST_HEARD):
            if not self._hear():
                break
        if self._program.status and self._deadline is None:
            self._program.signal(signal.SIGKILL)
        self._writer.miss_reader()

    # -- its output ----------------------------------------------------------

    def _hear(self) -> bool:
        """Read some of what it printed; whether there may be more."""
        if self._output is None:
            return False
        try:
            piece = os.read(self._output, HEARD)
        except BlockingIOError:
            return False
        now = monotonic()
        for line in self._said.hear(piece, now) if piece else self._said.end(now):
            self.on_said(line)
        if not piece:
            self._stop_hearing()
        return bool(piece)

    def _stop_hearing(self) -> None:
        if self._output is not None:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = None


class Guard:
    """Keeps a group's input open, and ends the group if we are no more."""

    def __init__(self, program: Program, lifeline: int) -> None:
        self.exited = program.exited
        self._program = program
        self._lifeline = lifeline

    @classmethod
    async def start(cls, group: int, feed: int) -> Self:
        with ExitStack() as ours, ExitStack() as theirs:
            stdin, lifeline = _pipe(theirs, ours)
            program = await Program.start(
                *(SHELL, "-c", GUARD, str(group)),
                stdin=stdin,
                stdout=DEVNULL,
                stderr=DEVNULL,
                cwd="/",
                pass_fds=(feed,),
            )
            ours.pop_all()
        return cls(program, lifeline)

    def dismiss(self) -> None:
        """It is not needed any more; once only."""
        if self._program.status is None:
            self._program.signal(signal.SIGKILL)
        os.close(self._lifeline)


def shown(text: str) -> str:
    """A command in a message, on one line."""
    line = " ".join(text.split())
    return "| " + (line if len(line) <= SHOWN else line[: SHOWN - 3] + "...")


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"{directory}: {error.strerror}") from error


def _pipe(reading: ExitStack, writing: ExitStack) -> tuple[int, int]:
    """A pipe, whose ends are closed with the stacks."""
    reader, writer = os.pipe()
    reading.callback(os.close, reader)
    writing.callback(os.close, writer)
    return reader, writer


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _nobody(_line: str) -> None:
    """Stands where nobody listens."""
