"""What it is started in: terminals of all kinds, and descriptors that are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from tests.terminal.support import PROGRAM, Terminal, opened, steered

FILE = Content(300_007, seed=8)
COLOURS = {*range(30, 39), *range(40, 49), *range(90, 108)}
DIALOGS = {
    "a": "─ Add downloads",
    "T": "─ Throttle",
    "?": "─ Help",
    ",": "─ Settings",
    "d": "Remove this job?",
    "e": "─ Edit",
    "u": "─ Fresh",
    "\x10": "every command",
    ":set": ":set",
}
"""Key → what is then to be read."""


def redirected(how: str) -> tuple[str, ...]:
    return ("sh", "-c", f'exec "$@" {how}', "sh", *PROGRAM)


# -- colours ---------------------------------------------------------------------


@pytest.mark.slow
async def test_no_color_is_no_colour_anywhere(tmp_path: Path) -> None:
    """Neither in the views, nor in dialogs, toasts, the settings and the palette."""
    async with (
        Origin({"/file": Resource(FILE)}) as origin,
        opened(tmp_path, origin.url("/nowhere"), NO_COLOR="1") as terminal,
    ):
        await terminal.shows("#1 failed", "404")
        for key, text in DIALOGS.items():
            terminal.type(key)
            await terminal.shows(text)
            terminal.type("\x1b")
            await terminal.hides(text)
        for view in "1234567":
            terminal.type(view)
            await terminal.shows(f"[{view} ")
        terminal.type("q")
        assert await terminal.ended() == 0
    assert not colours(terminal)


def colours(terminal: Terminal) -> set[int]:
    styles = re.findall(rb"\x1b\[([\d;]*)m", terminal.written)
    return {int(code or 0) for style in styles for code in style.split(b";")} & COLOURS


async def test_hostile_names_write_nothing_but_text(tmp_path: Path) -> None:
    """No escape of theirs reaches the terminal, in no view, and no colour either."""
    program = steered("hostile", tmp_path)
    async with opened(tmp_path, program=program, NO_COLOR="1") as terminal:
        await terminal.shows("Throughput")
        for view in "1234567":
            terminal.type(f"{view}j")
            await terminal.shows(f"[{view} ")
        terminal.type("qq")
        assert await terminal.ended() == 0
    for leak in (b"\x1b]0;owned", b"\x1b[2Jwiped", b"\xc2\x9b31m", b"\x1b[31m"):
        assert leak not in terminal.written
    assert not colours(terminal)


# -- sizes -----------------------------------------------------------------------


async def test_the_smallest_terminal_that_will_do(tmp_path: Path) -> None:
    """60x15 shows the queue, a dialog and a view; 59 columns or 14 rows say so."""
    async with (
        Origin({"/file": Resource(FILE)}) as origin,
        opened(tmp_path, origin.url("/file"), size=(60, 15)) as terminal,
    ):
        await terminal.until(lambda: terminal.signs == {"file": "✓"})
        terminal.type("2")
        await terminal.shows("[2 Lanes]", "q Quit")
        terminal.type("a")
        await terminal.shows("Add downloads", "Cancel")
        terminal.type("\x1b")
        await terminal.hides("Add downloads")
        for columns, rows in ((59, 15), (60, 14), (59, 14)):
            terminal.resize(columns, rows)
            said = f"terminal too small ({columns}x{rows}), at least 60x15"
            await terminal.until(lambda: terminal.picture.split("\n")[0] == said)  # noqa: B023
            assert not terminal.jobs
        terminal.resize(120, 36)
        await terminal.until(lambda: terminal.signs == {"file": "✓"})
        await terminal.shows("[2 Lanes]", "q Quit")


# -- what is set -----------------------------------------------------------------


@pytest.mark.option("mouse")
@pytest.mark.parametrize("is_ours", [True, False])
async def test_the_mouse_may_stay_with_the_terminal(
    tmp_path: Path, *, is_ours: bool
) -> None:
    """With `mouse = false` nothing asks for clicks, so that text can be selected."""
    mouse = str(is_ours).lower()
    async with opened(tmp_path, HYDRA_TUI_MOUSE=mouse) as terminal:
        await terminal.shows("q Quit")
        terminal.type("q")
        assert await terminal.ended() == 0
        assert (b"\x1b[?1000h" in terminal.written) is is_ours


@pytest.mark.option("theme")
async def test_a_theme_has_its_own_colours(tmp_path: Path) -> None:
    """What is drawn at first is drawn in the colours that are set."""
    seen = set()
    for theme in ("hydra", "dracula"):
        async with opened(tmp_path, HYDRA_TUI_THEME=theme) as terminal:
            await terminal.shows("q Quit")
            seen.add(frozenset(re.findall(rb"\x1b\[([\d;]*)m", terminal.written)))
            terminal.type("q")
            assert await terminal.ended() == 0
    assert len(seen) == 2


# -- no screen -------------------------------------------------------------------


@pytest.mark.parametrize("how", ["", "</dev/null", "2>said"])
async def test_where_there_is_nothing_to_draw_on(how: str, tmp_path: Path) -> None:
    """TERM=dumb, no keyboard, no terminal for errors: lines of text, and the file."""
    term = "xterm" if how else "dumb"
    program = redirected(how)
    async with (
        Origin({"/file": Resource(FILE)}) as origin,
        opened(tmp_path, origin.url("/file"), program=program, TERM=term) as terminal,
    ):
        assert await terminal.ended() == 0
    said = terminal.written.decode()
    if how == "2>said":
        said += (tmp_path / "said").read_text()
    assert "done  file" in said
    assert "\x1b[?" not in said
    assert (tmp_path / "download" / "file").read_bytes() == FILE.read()


async def test_a_dumb_terminal_has_no_queue_to_show(tmp_path: Path) -> None:
    """Without URLs there is nothing to do in plain text."""
    async with opened(tmp_path, TERM="dumb") as terminal:
        assert await terminal.ended() == 2
    assert "no URL given" in terminal.written.decode()


# -- a screen all the same -------------------------------------------------------


@pytest.mark.parametrize("how", [">out", "-i list", "-i - <list"])
async def test_where_there_is_a_terminal_after_all(how: str, tmp_path: Path) -> None:
    """Standard output may be anything; a list may come on standard input.

    The screen is drawn on standard error, and keys come from the terminal.
    """
    async with Origin({f"/{name}": Resource(FILE) for name in "ab"}) as origin:
        lines = ["# two files", origin.url("/a"), "", origin.url("/b")]
        (tmp_path / "list").write_text("\n".join(lines))
        urls = lines[1::2] if how == ">out" else []
        async with opened(tmp_path, *urls, program=redirected(how)) as terminal:
            await terminal.until(lambda: terminal.signs == {"a": "✓", "b": "✓"})
            terminal.type("q")
            assert await terminal.ended() == 0
            assert terminal.is_restored
