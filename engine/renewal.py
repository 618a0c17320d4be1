"""A fresh link for the same file, from the user's own command.

One of the two places where the engine starts a program, and a shell is involved
in both: the commands are the user's.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress

from engine.config import check_url
from engine.errors import ExpiredError, UsageError
from engine.processes import signal_group

VARIABLE = "HYDRA_TUI_URL"
"""Where the command finds the link that has expired."""
PATIENCE = 60.0
"""Seconds a command may take."""
LONGEST = 64 * 1024


async def fresh_url(command: str, expired: str) -> str:
    """The first line that the command prints.

    Raises ExpiredError where it fails, or prints no URL.
    """
    process = await asyncio.create_subprocess_shell(
        command,
        stdin=DEVNULL,
        stdout=PIPE,
        env={**os.environ, VARIABLE: expired},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said = await _said(process)
            code = await process.wait()
    except TimeoutError:
        raise ExpiredError(f"--url-command took more than {PATIENCE:g} s") from None
    finally:
        await _end(process)
    if code:
        raise ExpiredError(f"--url-command ended with {code}")
    lines = said.decode(errors="replace").split()
    try:
        url = lines[0] if lines else ""
        check_url(url)
    except UsageError as error:
        raise ExpiredError(f"--url-command: {error}") from error
    return url


async def _said(process: Process) -> bytes:
    """All that it prints, which should not be much."""
    assert process.stdout is not None
    said = bytearray()
    while piece := await process.stdout.read(LONGEST):
        said += piece
        if len(said) > LONGEST:
            raise ExpiredError("--url-command prints much more than a link")
    return bytes(said)


async def _end(process: Process) -> None:
    """Leave nothing of it running, its children included."""
    signal_group(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # somebody who left the group may hold the pipe
        async with asyncio.timeout(1.0):
            await process.communicate()
