"""`hydra-tui -i -`: a list on standard input, and keys from the terminal all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from tests.integration.support import run
from tests.terminal.support import PROGRAM, opened

FILE = Content(300_007, seed=8)
OTHER = Content(200_003, seed=9)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    files = {"/a": Resource(FILE), "/b": Resource(OTHER)}
    async with Origin(files) as running:
        yield running


@pytest.fixture
def urls(origin: Origin) -> str:
    """What another program would print."""
    return f"{origin.url('/a')}\n{origin.url('/b')}\n"


def piped(urls: str, after: str = "") -> tuple[str, ...]:
    """A pipeline as a shell runs it, with the program at its end."""
    return ("sh", "-c", f'printf %s "$0" | "$@" {after}', urls, *PROGRAM)


@pytest.mark.option("input")
async def test_a_list_from_a_pipe_is_shown(tmp_path: Path, urls: str) -> None:
    """The jobs are in the queue, and keys do what they do."""
    async with opened(tmp_path, "-i", "-", program=piped(urls)) as terminal:
        await terminal.until(lambda: terminal.signs == {"a": "✓", "b": "✓"})
        terminal.type("?")
        await terminal.shows("─ Help")
        terminal.type("\x1b")
        await terminal.hides("─ Help")
        terminal.type("q")
        assert await terminal.ended() == 0
        assert terminal.is_restored
    assert (tmp_path / "download" / "a").read_bytes() == FILE.read()


async def test_an_empty_list_opens_nothing(tmp_path: Path) -> None:
    """It is told in a line, in place of a screen with nothing new in it."""
    async with opened(tmp_path, "-i", "-", program=piped("\n# none\n")) as terminal:
        assert await terminal.ended() == 2
        assert terminal.written == b"hydra-tui: --input: -: no URL in it\r\n"


async def test_a_list_may_be_streamed(tmp_path: Path, urls: str) -> None:
    """With `--stream` the list is read, and bytes go to standard output."""
    program = piped(urls, after=">out")
    arguments = ("--stream", "-q", "-i", "-")
    async with opened(tmp_path, *arguments, program=program) as terminal:
        assert await terminal.ended() == 0
        assert terminal.written == b""
    assert (tmp_path / "out").read_bytes() == FILE.read() + OTHER.read()


async def test_without_a_terminal_it_is_plain(tmp_path: Path, urls: str) -> None:
    """Nobody could press a key: files go to disk, progress to standard error."""
    (tmp_path / "list").write_text(urls)
    with (tmp_path / "list").open("rb") as stdin:
        ran = await run("-i", "-", stdin=stdin, cwd=tmp_path, start_new_session=True)
    assert (ran.code, ran.out) == (0, b"")
    assert "done  #1 a" in ran.err
    assert (tmp_path / "download" / "b").read_bytes() == OTHER.read()


@pytest.mark.option("no-ui")
@pytest.mark.parametrize("front_end", ["screen", "--no-ui"])
async def test_a_list_may_be_typed(tmp_path: Path, urls: str, front_end: str) -> None:
    """On a terminal it is read to ctrl+d, as `cat` does; a line says that it awaits."""
    arguments = ("-i", "-") if front_end == "screen" else ("-i", "-", front_end)
    async with opened(tmp_path, *arguments) as terminal:
        await terminal.shows("hydra-tui: a URL a line, then ctrl+d")
        terminal.type(urls + "\x04")
        if front_end == "screen":
            await terminal.until(lambda: terminal.signs == {"a": "✓", "b": "✓"})
            terminal.type("q")
        assert await terminal.ended() == 0
    assert (tmp_path / "download" / "b").read_bytes() == OTHER.read()


async def test_typing_a_list_can_be_left(tmp_path: Path, urls: str) -> None:
    """ctrl+c ends with 130 and says nothing; nothing was started."""
    async with opened(tmp_path, "-i", "-") as terminal:
        await terminal.shows("then ctrl+d")
        terminal.type(f"{urls}\x03")
        assert await terminal.ended() == 130
    assert not (tmp_path / "download").exists()
