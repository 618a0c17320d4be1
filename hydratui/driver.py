"""The terminal, also when it does not read.

Textual hands its output to a thread through a queue of thirty writes, and then
waits on the event loop. A terminal that stops reading (a slow line, a paused
multiplexer, ctrl+s) would so stop every download. Here nothing ever waits:

1. What the terminal does not take at once is kept, and given to it as it reads.
2. While much is kept, whatever comes is dropped; when all is read, the screen is
   painted anew, whole.
3. On the way out the terminal has a moment to read the rest. Then what it has
   not taken is thrown away, to make room for the sequences that restore it.

Whoever stops the program, with ctrl+z or otherwise, gets the terminal for as long.
Textual answers such signals wherever they find it, which may be in the middle of a
write, or of the answer to the one before; here they wait for their turn of the loop.

The terminal is opened once more for this, since only an open file of our own may
be made non-blocking. Without the thread a frame also leaves sooner: a thread gets
its turn late in a process that is busy.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import termios
import threading
import time
from contextlib import suppress

from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

_MOST_KEPT = 256 * 1024
"""Bytes; a dozen whole screens."""

_PATIENCE = 0.5
"""Seconds the terminal has to read the rest when we leave."""

_CANCEL = b"\x18"
"""Ends an escape sequence that was cut in its middle."""


class PatientDriver(LinuxDriver):
    """A Linux and macOS driver that drops frames rather than wait for anybody."""

    _outlet: Outlet | None = None
    _switching = False
    """Whether modes are being set or restored, which is never dropped."""
    _stale = False
    _last_words = b""
    """What restores the terminal."""
    _shall_stop = False

    def start_application_mode(self) -> None:
        self._outlet = Outlet(open_terminal(), asyncio.get_running_loop())
        self._switching = self._stale = True
        try:
            super().start_application_mode()  # type: ignore[no-untyped-call]
        finally:
            self._switching = False

    def stop_application_mode(self) -> None:
        self._last_words = b""
        self._switching = True
        try:
            super().stop_application_mode()
        finally:
            self._switching = False

    @property
    def is_ready(self) -> bool:
        """Whether the terminal has read all that it was given."""
        return self._outlet is not None and not self._outlet.kept

    def write(self, data: str) -> None:
        if self._outlet is None:
            self._stale = True
            return
        encoded = data.encode("utf-8", "replace")
        if self._switching:
            self._last_words += encoded
        elif self._outlet.kept > _MOST_KEPT:
            self._stale = True
            return
        self._outlet.write(encoded)

    def send_message(self, message: Message) -> None:
        """Pass on a key; a turn of the loop sooner than through a coroutine."""
        self._app.post_message(message)

    def take_stale(self) -> bool:
        """Whether the screen must be painted anew, now that it can be; asked once."""
        if not self._stale or not self.is_ready:
            return False
        self._stale = False
        return True

    # ------------------------------------------------------- stopped, and going on

    def _sigtstp_application(self, *_: object) -> None:
        self._shall_stop = True
        self._loop.call_soon_threadsafe(self._stop)

    def _sigcont_application(self, *_: object) -> None:
        self._shall_stop = False
        self._loop.call_soon_threadsafe(self._go_on)

    def _stop(self) -> None:
        """Give the terminal back, and stand still until somebody has us go on."""
        if self._outlet is not None:
            self.suspend_application_mode()
            self._must_signal_resume = True
        if self._shall_stop:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """Take the terminal, also after a stop that gave no time to give it back."""
        if self._outlet is not None:
            self.suspend_application_mode()
        self.resume_application_mode()

    def close(self) -> None:
        """Restore the terminal, but do not wait for one that does not listen."""
        super().close()
        if self._outlet is not None:
            self._outlet.close(self._last_words)
            self._outlet = None


class Outlet:
    """Bytes on their way into a descriptor that does not block."""

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._rest = bytearray()
        self._lock = threading.Lock()

    @property
    def kept(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._rest)

    def write(self, data: bytes) -> None:
        """Write at once what can be written; called from any thread."""
        with self._lock:
            was_empty = not self._rest
            self._rest += data
            if was_empty and not self._push():
                self._loop.call_soon_threadsafe(self._watch)

    def close(self, last_words: bytes) -> None:
        """Let the rest be read for a moment; failing that, only the last words."""
        self._loop.remove_writer(self._descriptor)
        with self._lock:
            if not self._flush(_PATIENCE):
                with suppress(termios.error):
                    termios.tcflush(self._descriptor, termios.TCOFLUSH)
                self._rest[:] = _CANCEL + last_words
                self._flush(0.0)
            os.close(self._descriptor)

    def _flush(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while not self._push():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([], [self._descriptor], [], left)
        return True

    def _watch(self) -> None:
        with suppress(ValueError, OSError):  # closed in the meantime
            self._loop.add_writer(self._descriptor, self._drain)

    def _drain(self) -> None:
        with self._lock:
            if self._push():
                self._loop.remove_writer(self._descriptor)

    def _push(self) -> bool:
        """Write what the terminal takes; whether that was all."""
        while self._rest:
            try:
                del self._rest[: os.write(self._descriptor, self._rest)]
            except BlockingIOError:
                return False
            except OSError:  # it is gone; the hangup is another one's business
                self._rest.clear()
        return True


def open_terminal() -> int:
    """A descriptor of our own for the terminal that is stderr."""
    try:
        return os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return os.dup(2)


def has_hung_up() -> bool:
    """Whether the keyboard we read is a terminal that no longer exists."""
    try:
        termios.tcgetattr(0)
    except termios.error as error:
        return bool(error.args[0] != errno.ENOTTY)
    return False
