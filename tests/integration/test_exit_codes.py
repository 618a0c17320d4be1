"""Every exit code, from the program itself: one case for each row of the table."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Relabel, Resource, Status
from hydratui.exit_codes import OUTCOMES, Outcome
from tests.integration.support import FILE, MIB, PATIENCE, ROOT, Ran, hydra, run

LARGE = Content(64 * MIB, seed=4)
QUIET = ("-q", "--no-verify", "--give-up-after", "0.1")
WRONG = ("--checksum", "md5:" + "0" * 32)
BROKEN = """
import sys
from hydratui import cli, options
def specs_of(*_): raise RuntimeError("a bug with 7 letters")
options.specs_of = specs_of
sys.exit(cli.main())
"""
"""The program with a bug in it."""


def _version(number: int) -> Relabel:
    """Each answer is about another version of the file."""
    date = formatdate(number * 86_400, usegmt=True)
    return Relabel((("ETag", f'"{number}"'), ("Last-Modified", date)))


FILES = {
    "/good": Resource(FILE),
    "/slow": Resource(LARGE, rate=4e6),
    "/broken": Resource(script=lambda _: Status(500)),
    "/changing": Resource(
        Content(16 * MIB), script=lambda request: _version(request.number)
    ),
}


class Shop:
    """The program, what it may be asked for, and where it is run."""

    def __init__(self, origin: Origin, home: Path) -> None:
        self.origin = origin
        self._home = home

    def urls(self, *names: str) -> list[str]:
        return [self.origin.url(f"/{name}") for name in names]

    async def to_disk(self, *names: str, options: tuple[str, ...] = ()) -> Ran:
        return await run(*QUIET, *options, *self.urls(*names), cwd=self._home)

    async def listed(self, *names: str) -> Ran:
        """Some files, one that is missing, and one that has another digest."""
        missing, good = self.urls("missing", "good")
        path = self._home / "list"
        path.write_text(f"{missing}\n{good}\n  checksum=md5:{'0' * 32}\n")
        return await self.to_disk(*names, options=("-i", str(path)))

    async def stopped_by(self, number: signal.Signals, *names: str) -> Ran:
        """One that was in the middle of something."""
        options = (*QUIET, *self.urls(*names))
        with hydra(*options, cwd=self._home) as child:
            try:
                await self.origin.until(lambda: self.origin.served > MIB)
                child.send_signal(number)
                out, err = await asyncio.to_thread(child.communicate, timeout=PATIENCE)
            finally:
                child.kill()
        return Ran(child.returncode, out, err.decode())

    async def left_by_its_reader(self) -> Ran:
        with hydra("--stream", *QUIET, *self.urls("slow"), cwd=self._home) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            await asyncio.to_thread(child.stdout.read, MIB)
            child.stdout.close()
            try:
                code = await asyncio.to_thread(child.wait, PATIENCE)
            finally:
                child.kill()
            return Ran(code, b"", child.stderr.read().decode())

    async def with_a_bug(self) -> Ran:
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", BROKEN, *QUIET, *self.urls("good")],
            cwd=self._home,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr.decode())


Case = Callable[[Shop], Awaitable[Ran]]

CASES: dict[int, Case] = {
    0: lambda shop: shop.to_disk("good"),
    1: lambda shop: shop.with_a_bug(),
    2: lambda shop: shop.to_disk("good", options=("--threads", "0")),
    3: lambda shop: shop.to_disk("broken"),
    4: lambda shop: shop.to_disk("missing"),
    5: lambda shop: shop.to_disk("good", options=WRONG),
    6: lambda shop: shop.to_disk("changing"),
    7: lambda shop: shop.to_disk("good", options=("-o", "/dev/null")),
    8: lambda shop: shop.to_disk("missing", "broken"),
    129: lambda shop: shop.stopped_by(signal.SIGHUP, "slow"),
    130: lambda shop: shop.stopped_by(signal.SIGINT, "slow"),
    141: lambda shop: shop.left_by_its_reader(),
    143: lambda shop: shop.stopped_by(signal.SIGTERM, "slow"),
}
LINES = {0: 0, 8: 2, 129: 0, 130: 0, 141: 0, 143: 0}
"""Where it is not one line that is said: silence, or a line for each file."""


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: str(outcome.code))
async def test_every_exit_code(outcome: Outcome, tmp_path: Path) -> None:
    """The code, at most a line for each failure, and never a traceback."""
    async with Origin(FILES) as origin:
        ran = await CASES[outcome.code](Shop(origin, tmp_path))
    assert (ran.code, ran.out) == (outcome.code, b""), ran.err
    lines = ran.err.splitlines()
    assert len(lines) == LINES.get(outcome.code, 1)
    assert all(line.startswith("hydra-tui: ") for line in lines)
    assert "Traceback" not in ran.err


def test_no_case_is_of_a_code_that_is_none() -> None:
    """A row that is taken from the table is taken from here."""
    assert set(CASES) == {outcome.code for outcome in OUTCOMES}


PRECEDENCE: dict[str, tuple[int, Case]] = {
    "digest before refusal": (5, lambda shop: shop.listed()),
    "change before digest": (6, lambda shop: shop.listed("changing")),
    "a signal before all": (
        130,
        lambda shop: shop.stopped_by(signal.SIGINT, "missing", "slow"),
    ),
    "the same twice": (4, lambda shop: shop.to_disk("missing", "missing-too")),
}


@pytest.mark.parametrize("case", PRECEDENCE)
async def test_one_code_is_before_another(case: str, tmp_path: Path) -> None:
    """A signal, then a change, then a digest, then the rest, which may differ."""
    code, act = PRECEDENCE[case]
    async with Origin(FILES) as origin:
        ran = await act(Shop(origin, tmp_path))
    assert ran.code == code, ran.err
    assert "Traceback" not in ran.err
