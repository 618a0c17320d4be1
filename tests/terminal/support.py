"""A real terminal with the program in it: what it shows, and somebody who types."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyte

from tests.integration.support import ROOT, until

PATIENCE = 20.0
"""Seconds for what takes one, on a machine that is busy elsewhere."""
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l")
"""What gives a terminal back: the screen, the cursor, the mouse, and pasting."""
LOGIN = (
    sys.executable,
    "-ISc",
    "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])",
)
"""Makes the terminal the one that controls whatever follows."""
PROGRAM = (sys.executable, "-m", "hydratui.cli")
PASTE = "\x1b[200~{}\x1b[201~"
_NOISY = ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FPS", "TEXTUAL_ANIMATIONS")
_JOB = re.compile(r"│([▌ ])[● ] *(\d+) (\S) (\S+) (.*)│")


class Row(NamedTuple):
    """One job, as it is seen in the queue."""

    number: int
    sign: str
    name: str
    rest: str
    is_selected: bool

    @property
    def percent(self) -> float:
        found = re.search(r" (\d+(?:\.\d+)?)  ", self.rest)
        return float(found[1]) if found else 0.0


class Terminal:
    """Reads all that is written as long as it attends, and knows how that looks."""

    def __init__(
        self, process: subprocess.Popen[bytes], master: int, size: tuple[int, int]
    ) -> None:
        self.process = process
        self.written = bytearray()
        self._size = size
        self._master: int | None = master
        self._modes = self._began_with = termios.tcgetattr(master)
        self._news = asyncio.Event()
        self.forget()
        self.attend()

    def forget(self) -> None:
        """An empty screen, as if nothing had been written yet."""
        self.written.clear()
        self.screen = pyte.Screen(*self._size)
        self._stream = pyte.ByteStream(self.screen)

    def attend(self) -> None:
        if self._master is not None:
            asyncio.get_running_loop().add_reader(self._master, self._read)

    def stall(self) -> None:
        """Stop reading, as a slow line or ctrl+s does."""
        if self._master is not None:
            asyncio.get_running_loop().remove_reader(self._master)

    def hang_up(self) -> None:
        """The window is closed."""
        if self._master is not None:
            self.stall()
            self._modes = termios.tcgetattr(self._master)
            os.close(self._master)
            self._master = None

    def _read(self) -> None:
        assert self._master is not None
        try:
            piece = os.read(self._master, 1 << 16)
        except OSError:  # nobody has the other end any more
            self.hang_up()
        else:
            self.written += piece
            self._stream.feed(piece)
        self._news.set()

    @property
    def modes(self) -> list[Any]:
        """How the terminal treats what is typed: whether it echoes, and so on."""
        if self._master is not None:
            self._modes = termios.tcgetattr(self._master)
        return self._modes

    @property
    def is_given_back(self) -> bool:
        """Whether everything has been written that gives it back."""
        return all(sequence in self.written for sequence in RESTORED)

    @property
    def is_restored(self) -> bool:
        """Whether whoever comes next finds it as the program did."""
        return self.is_given_back and self.modes == self._began_with

    @property
    def last_words(self) -> str:
        """What was said once the screen was given back, without its colours."""
        said = self.written.rpartition(RESTORED[0])[2].decode()
        return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", said)

    # -- what is seen ----------------------------------------------------------

    @property
    def picture(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def jobs(self) -> list[Row]:
        """The jobs in sight, from top to bottom."""
        return [
            Row(int(number), sign, name, rest, cursor != " ")
            for cursor, number, sign, name, rest in _JOB.findall(self._queue)
        ]

    @property
    def _queue(self) -> str:
        return self.picture.partition("╭─ Queue")[2].partition("╰")[0]

    @property
    def signs(self) -> dict[str, str]:
        """Name → sign, in the order of the rows."""
        return {row.name: row.sign for row in self.jobs}

    async def until(
        self, reached: Callable[[], object], within: float = PATIENCE
    ) -> None:
        """Wait until what is shown, or has been written, is so."""
        try:
            async with asyncio.timeout(within):
                while not reached():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not so in {within} s:\n{self.picture}") from None

    async def shows(self, *texts: str, within: float = PATIENCE) -> str:
        """Wait until all of them are on screen; the picture that has them."""
        await self.until(lambda: all(text in self.picture for text in texts), within)
        return self.picture

    async def hides(self, text: str) -> None:
        await self.until(lambda: text not in self.picture)

    # -- what is done to it ----------------------------------------------------

    def type(self, keys: str) -> None:
        assert self._master is not None
        os.write(self._master, keys.encode())

    def paste(self, text: str) -> None:
        self.type(PASTE.format(text))

    def order(self, command: str) -> None:
        """Type a command after a colon."""
        self.type(f":{command}\r")

    def resize(self, columns: int, rows: int) -> None:
        assert self._master is not None
        self._size = columns, rows
        self.forget()
        set_size(self._master, columns, rows)

    async def stops(self) -> None:
        """Wait until the program stands still, as a shell does."""
        stopped = os.WNOHANG | os.WUNTRACED
        await until(lambda: os.waitpid(self.process.pid, stopped)[0], PATIENCE)

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, within: float = PATIENCE) -> int:
        """The exit code, once the program has ended by itself; as a shell has it."""
        await until(lambda: not self.runs, within)
        await self._read_rest()
        code = self.process.returncode
        return code if code >= 0 else 128 - code

    async def _read_rest(self) -> None:
        """What was written before the end may still lie in the line."""
        if self._master is not None:
            self.attend()
            await self.until(lambda: self._master is None)


def set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def environment(home: Path, **more: str) -> dict[str, str]:
    """Where nobody's settings and nobody's queue play a part."""
    kept = {key: value for key, value in os.environ.items() if key not in _NOISY}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        **more,
    }


def steered(kind: str, home: Path) -> tuple[str, ...]:
    """A program with something about it; `tests.terminal.steered` knows which."""
    module = "tests.terminal.steered"
    return (sys.executable, "-m", module, kind, str(home / "report"))


def queue_of(home: Path) -> Path:
    """Where the program keeps its queue in such an environment."""
    return home / "state" / "hydra-tui" / "queue.db"


@asynccontextmanager
async def opened(
    home: Path,
    *arguments: str,
    program: Sequence[str] = PROGRAM,
    size: tuple[int, int] = (120, 36),
    **variables: str,
) -> AsyncIterator[Terminal]:
    """A terminal that controls the program in it, as a window does its shell."""
    master, slave = os.openpty()
    set_size(slave, *size)
    process = subprocess.Popen(  # noqa: ASYNC220
        [*LOGIN, *program, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=home,
        env=environment(home, **variables),
    )
    os.close(slave)
    terminal = Terminal(process, master, size)
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        terminal.hang_up()
