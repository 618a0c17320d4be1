"""Both ways to fetch a file, and waiting for what is about to happen."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

from engine import Config, Engine, JobSpec, JobState
from engine.testing import Content, Origin

ROOT = Path(__file__).parents[2]
KIB = 1 << 10
MIB = 1 << 20
FILE = Content(3 * MIB + 17, seed=11)
"""Large enough for many small ranges."""
PATIENCE = 10.0
"""Seconds for what takes milliseconds, on a machine that is busy elsewhere."""

SMALL_STEPS: dict[str, Any] = {
    "threads": 4,
    "min_chunk": 64 * KIB,
    "stream_chunk": 256 * KIB,
    "buffer": 4 * MIB,
    "verify": False,
}
"""Settings under which a file of a few megabytes already needs many requests, and
nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class File:
    """What came, and what it was called."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command that has ended leaves."""

    code: int
    out: bytes
    err: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """One way to fetch: call it with a URL or a spec, and what Config should say."""

    directory: Path
    is_stream: bool

    async def __call__(self, what: str | JobSpec, **settings: Any) -> File:
        config = Config(output=self.directory, **(SMALL_STEPS | settings))
        async with asyncio.timeout(PATIENCE), Engine(config) as engine:
            try:
                if self.is_stream:
                    return await stream(engine, what)
                return await download(engine, what)
            finally:
                await settled(engine)

    def names(self) -> list[str]:
        """The files that look whole."""
        if not self.directory.exists():
            return []
        found = sorted(path.name for path in self.directory.iterdir())
        return [name for name in found if ".part" not in name]


async def download(engine: Engine, what: str | JobSpec) -> File:
    """Fetch one file to disk, and read it there."""
    job = engine.add(JobSpec(what) if isinstance(what, str) else what)
    done = await engine.wait(job)
    assert done.state is JobState.DONE
    target = Path(done.target)
    assert target.name == done.name
    return await asyncio.to_thread(_read, target)


def _read(target: Path) -> File:
    assert not target.with_name(f"{target.name}.part").exists()
    return File(target.name, target.read_bytes())


async def stream(engine: Engine, what: str | JobSpec) -> File:
    """Fetch one file in order, into memory."""
    [file] = await stream_all(engine, what)
    return file


async def stream_all(engine: Engine, *what: str | JobSpec) -> list[File]:
    """Fetch files one after the other."""
    came: dict[str, bytearray] = {}
    await pour(engine, what, came)
    return [File(name, bytes(data)) for name, data in came.items()]


async def pour(
    engine: Engine, what: Iterable[str | JobSpec], into: dict[str, bytearray]
) -> None:
    """Read streams, so that what came before an error can be looked at."""
    async with engine.stream(what) as files:
        async for name, blocks in files:
            came = into[name] = bytearray()
            async for block in blocks:
                came += block


async def settled(engine: Engine) -> None:
    """What is over holds no lane, whatever its end was."""
    await until(lambda: not engine.snapshot().flying)


async def until(
    reached: Callable[[], object], within: float = PATIENCE, step: float = 0.005
) -> None:
    """Look again and again, where nothing tells that it is so."""
    async with asyncio.timeout(within):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(step)


def hydra(*arguments: str | bytes, **popen: Any) -> subprocess.Popen[bytes]:
    """The command in a process of its own; what is not redirected is a pipe."""
    given: dict[str, Any] = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE}
    given["env"] = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hydratui.cli", *arguments]
    return subprocess.Popen(command, **(given | popen))


async def run(*arguments: str | bytes, **popen: Any) -> Ran:
    """The command, from its start to its end."""
    with hydra(*arguments, **popen) as child:
        try:
            out, err = await asyncio.to_thread(child.communicate, timeout=PATIENCE)
        finally:
            child.kill()
    return Ran(child.returncode, out or b"", (err or b"").decode())


async def left_alone(origin: Origin) -> None:
    """Wait until nobody is being served; idle connections are the engine's to keep."""
    async with asyncio.timeout(PATIENCE):
        await origin.until(lambda: not origin.busy)


def open_files() -> set[tuple[str, str]]:
    """What this process has open: number, and what it leads to."""
    found = set()
    for path in Path("/dev/fd").iterdir():
        with suppress(OSError):
            found.add((path.name, str(path.readlink())))
    return found
