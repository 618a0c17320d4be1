"""The front door: what a program that imports `engine` can rely on."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

import engine as front_door
from engine import Config, Engine, HydraError, JobSpec, JobState
from engine.testing import Content, Origin, Resource, Stall
from tests.integration.support import (
    FILE,
    PATIENCE,
    SMALL_STEPS,
    File,
    open_files,
    stream_all,
    until,
)
from tests.support.packages import ROOT, run
from tests.support.readme import blocks, section

ALIASES = {"JobId"}
"""Names of types of Python's own."""
SLOW = 2e6
"""Bytes per second of a connection, so that much is under way when somebody leaves."""
SMALL = Content(100_003, seed=21)
FILES = {
    "/first": Resource(SMALL),
    "/second": Resource(FILE, rate=SLOW),
    "/silent": Resource(FILE, script=lambda _: Stall(0)),
    "/stops": Resource(FILE, script=lambda _: Stall(70_000)),
}


def _tasks() -> set[asyncio.Task[Any]]:
    """What runs, the origin not counted: it is somebody else's, in the same process."""
    return {
        task for task in asyncio.all_tasks() if not _name(task).startswith("Origin.")
    }


def _name(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


def _threads() -> set[threading.Thread]:
    return set(threading.enumerate())


@dataclass(frozen=True)
class Held:
    """What this process has under way."""

    tasks: set[asyncio.Task[Any]] = field(default_factory=_tasks)
    threads: set[threading.Thread] = field(default_factory=_threads)
    files: set[tuple[str, str]] = field(default_factory=open_files)


@asynccontextmanager
async def engine_and_origin(directory: Path) -> AsyncIterator[tuple[Engine, Origin]]:
    """Both, and the promise that nothing is left of the engine once it is over."""
    async with asyncio.timeout(PATIENCE), Origin(FILES) as origin:
        before = Held()
        async with Engine(Config(output=directory, **SMALL_STEPS)) as engine:
            yield engine, origin
        assert _tasks() == before.tasks
        gc.collect()  # what is only now found to be unclosed is a warning, and fails
        await until(lambda: not origin.open_connections and Held() == before)


# -- leaving early

Exit = Callable[[], Awaitable[None]]
Reader = Callable[[Engine, Origin, Exit], Coroutine[Any, Any, None]]


async def at_the_door(engine: Engine, origin: Origin, leave: Exit) -> None:
    async with engine.stream([origin.url("/second")]):
        await leave()


async def before_a_block(engine: Engine, origin: Origin, leave: Exit) -> None:
    async with engine.stream([origin.url("/second")]) as files:
        async for _name, _blocks in files:
            await leave()
            break


async def at_a_block(engine: Engine, origin: Origin, leave: Exit) -> None:
    async with engine.stream([origin.url("/second")]) as files:
        async for _name, blocks in files:
            async for block in blocks:
                assert block
                await leave()
                break
            break


async def between_files(engine: Engine, origin: Origin, leave: Exit) -> None:
    urls = map(origin.url, ("/first", "/second"))
    async with engine.stream(urls) as files:
        async for _name, blocks in files:
            assert b"".join([block async for block in blocks]) == SMALL.read()
            await leave()
            break


async def in_the_second_file(engine: Engine, origin: Origin, leave: Exit) -> None:
    urls = map(origin.url, ("/first", "/second"))
    async with engine.stream(urls) as files:
        async for name, blocks in files:
            async for _block in blocks:
                if name == "second":
                    await leave()
                    return


async def waiting_for_a_head(engine: Engine, origin: Origin, _leave: Exit) -> None:
    await stream_all(engine, origin.url("/silent"))


async def waiting_for_a_block(engine: Engine, origin: Origin, _leave: Exit) -> None:
    await stream_all(engine, origin.url("/stops"))


PLACES = [
    at_the_door,
    before_a_block,
    at_a_block,
    between_files,
    in_the_second_file,
]
WAITING = [waiting_for_a_head, waiting_for_a_block]


async def by_a_break(engine: Engine, origin: Origin, reader: Reader) -> None:
    await reader(engine, origin, lambda: asyncio.sleep(0))


async def by_an_exception(engine: Engine, origin: Origin, reader: Reader) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await reader(engine, origin, fail)


async def by_cancellation(engine: Engine, origin: Origin, reader: Reader) -> None:
    there = asyncio.Event()

    async def stay() -> None:
        there.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(reader(engine, origin, stay))
        if reader in WAITING:
            await _is_waiting(origin)
        else:
            await there.wait()
        reading.cancel()


async def by_a_timeout(engine: Engine, origin: Origin, reader: Reader) -> None:
    async def stay() -> None:
        limit.reschedule(asyncio.get_running_loop().time())
        await asyncio.Event().wait()

    async def expire() -> None:
        await _is_waiting(origin)
        limit.reschedule(asyncio.get_running_loop().time())

    limit = asyncio.timeout(None)

    async def read() -> None:
        async with limit:
            await reader(engine, origin, stay)

    async with asyncio.TaskGroup() as group:
        if reader in WAITING:
            group.create_task(expire())
        with pytest.raises(TimeoutError):
            await read()


async def _is_waiting(origin: Origin) -> None:
    """All lanes that will ever ask have asked, and got what they will ever get."""
    await origin.until(lambda: origin.busy > 0)
    await until(lambda: origin.served >= 70_000 or "/silent" in _asked(origin))


def _asked(origin: Origin) -> set[str]:
    return {request.path for request in origin.requests}


def _more(before: Held) -> int:
    """How many files are open that were not."""
    return len(open_files() - before.files)


WAYS = [
    *product(PLACES, (by_a_break, by_an_exception)),
    *product((*PLACES, *WAITING), (by_cancellation, by_a_timeout)),
]


@pytest.mark.parametrize(
    ("reader", "leave"), WAYS, ids=lambda function: function.__name__
)
async def test_leaving_early_leaves_nothing_behind(
    tmp_path: Path,
    reader: Reader,
    leave: Callable[[Engine, Origin, Reader], Awaitable[None]],
) -> None:
    """Wherever and however a stream is left, nothing of it runs any more.

    No task, no request, no open file but connections that may be used again, and no
    thread but the pools of the engine, which goes on working.
    """
    async with engine_and_origin(tmp_path) as (engine, origin):
        before = Held()
        await leave(engine, origin, reader)
        assert engine.snapshot().flying == 0
        for _ in range(3):
            assert _tasks() == before.tasks
            await asyncio.sleep(0)  # what nobody closed would be closed by a task now
        assert all(t.name.startswith("hydra-") for t in _threads() - before.threads)
        await until(lambda: not origin.busy)
        await until(lambda: _more(before) == 2 * origin.open_connections)  # both ends
        [again] = await stream_all(engine, origin.url("/first"))
        assert again == File("first", SMALL.read())
        done = await engine.wait(engine.add(JobSpec(origin.url("/first"))))
        assert done.state is JobState.DONE


async def test_a_reader_in_a_task_of_its_own_is_told(tmp_path: Path) -> None:
    """Bytes that are still read by another task when their stream is left end with an
    error: a file that was cut short does not look whole."""

    async def read(blocks: AsyncIterator[bytes]) -> None:
        with pytest.raises(HydraError, match="cancelled"):
            assert [block async for block in blocks]

    async with (
        engine_and_origin(tmp_path) as (engine, origin),
        asyncio.TaskGroup() as group,
        engine.stream([origin.url("/second")]) as files,
    ):
        async for _name, blocks in files:
            group.create_task(read(blocks))
            await origin.until(lambda: origin.served > 0)
            break


# -- what is said of it


@pytest.mark.parametrize("name", front_door.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    """Every public name says what it means, and so does all that may be called on it."""
    explained = getattr(front_door, name)
    if name in ALIASES:
        return
    assert explained.__doc__, name
    assert not explained.__doc__.startswith(f"{name}("), f"{name}: made by dataclass"
    if inspect.isclass(explained):
        for method, value in vars(explained).items():
            public = not method.startswith("_")
            if public and (inspect.isfunction(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{method}"


# -- the examples, word for word but for the address

BLOCKS = [Content(1_000_003, seed=1), Content.of(b"hello")]
EXAMPLES = {"/a.gz": Resource(BLOCKS[0]), "/b.gz": Resource(BLOCKS[1])}
SITE = "https://example.org"


async def test_the_example_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the docstring of the package shows works as it stands."""
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "download" / "b.gz"
    async with Origin(EXAMPLES) as origin:
        example = dedent(str(front_door.__doc__).split("\n\n")[1])
        body = indent(example.replace(SITE, origin.url("")), "    ")
        names = {name: getattr(front_door, name) for name in front_door.__all__}
        exec(f"async def main():\n{body}", names)
        await names["main"]()
        assert {request.path for request in origin.requests} >= set(EXAMPLES)
    assert target.read_bytes() == b"hello"


async def test_the_example_of_the_readme(tmp_path: Path) -> None:
    """The program under "From Python" fetches both, checks one, and says so."""
    [program] = blocks(section("From Python"), "python")
    async with Origin(EXAMPLES) as origin:
        (tmp_path / "program.py").write_text(program.replace(SITE, origin.url("")))
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = (sys.executable, "-W", "error", "program.py")
        ran = await run(*command, cwd=tmp_path, env=env)
        assert origin.served >= sum(content.size for content in BLOCKS)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("download/b.gz ")
    assert "md5" in ran.out
    assert await asyncio.to_thread(os.listdir, tmp_path / "download") == ["b.gz"]


WATCHED = """\
import os, sys

def look(event, arguments):
    if event in {"open", "os.listdir", "os.mkdir", "sqlite3.connect"}:
        assert not str(arguments[0]).startswith(os.environ["HOME"]), arguments

sys.addaudithook(look)
"""


async def test_it_looks_for_no_home(tmp_path: Path) -> None:
    """A program that only imports the engine opens nothing in the home of its user."""
    [program] = blocks(section("From Python"), "python")
    (home := tmp_path / "home").mkdir()
    async with Origin(EXAMPLES) as origin:
        program = WATCHED + program.replace(SITE, origin.url(""))
        env = {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        ran = await run(sys.executable, "-c", program, cwd=tmp_path, env=env)
        assert origin.served >= sum(content.size for content in BLOCKS)
    assert (ran.code, ran.err) == (0, "")
