"""A stranger installs it: each installer, each Python, and the words of the README."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.testing import Content, Origin, Resource
from hydratui import __version__
from tests.support import packages
from tests.support.packages import (
    ROOT,
    Built,
    Environment,
    must,
    nobody,
    run,
    surroundings,
    uv,
)
from tests.support.readme import blocks, section

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MINORS = (11, 12, 13, 14)
FILE = Content(2_000_003, seed=5)
QUICKLY = {"PIP_NO_COMPILE": "1"}
OWN = "tests/packaging/test_install.py"
HEAVY = {"asyncio", "curl_cffi", "engine", "textual"}


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin({"/file.bin": Resource(FILE)}) as serving:
        yield serving


def python_of(minor: int) -> str | None:
    """An interpreter of that version that works, wherever the path or pyenv has one."""
    name = f"python3.{minor}"
    for candidate in _candidates(name):
        probing = [
            candidate,
            "-c",
            f"import ssl, sys; assert {minor} == sys.version_info[1]",
        ]
        if not subprocess.run(probing, capture_output=True, check=False).returncode:
            return candidate
    return None


def _candidates(name: str) -> Iterator[str]:
    if found := shutil.which(name):
        yield found
    if pyenv := shutil.which("pyenv"):
        asked = subprocess.run(
            [pyenv, "root"], capture_output=True, text=True, check=False
        )
        yield from map(str, Path(asked.stdout.strip()).glob(f"versions/*/bin/{name}"))


async def assert_works(command: str, origin: Origin, home: Path) -> None:
    """It says what it is, explains itself, and downloads a file for who has set nothing."""
    env = nobody(home, Path(command).parent)
    version = await run(command, "--version", cwd=home, env=env)
    assert version == packages.Ran(0, f"hydra-tui {__version__}\n", "")
    explained = await run(command, "--help", cwd=home, env=env)
    assert (explained.code, explained.err) == (0, "")
    assert "--stream" in explained.out
    fetched = await run(
        command, "--no-ui", "-o", ".", origin.url("/file.bin"), cwd=home, env=env
    )
    assert (fetched.code, fetched.out) == (0, ""), fetched.err
    assert (home / "file.bin").read_bytes() == FILE.read()


def demo_digest() -> str:
    """What the README promises of the demo's first file."""
    promise = r"^# ([0-9a-f]{64})  -$"
    [promised] = re.findall(promise, section(""), re.MULTILINE)
    return str(promised)


@pytest.mark.parametrize("minor", MINORS, ids="3.{}".format)
async def test_every_python(
    built: Built, origin: Origin, tmp_path: Path, minor: int
) -> None:
    """On each Python from 3.11 on it installs, works, and streams the demo's bytes."""
    python = python_of(minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{minor} here")
    made = packages.environment(tmp_path / "venv", built.wheel, python)
    await assert_works(made.command, origin, tmp_path)
    env = nobody(tmp_path, made.programs)
    module = await run(
        made.python, "-m", "hydratui", "--version", cwd=tmp_path, env=env
    )
    assert module.out == f"hydra-tui {__version__}\n"
    piped = "hydra-tui --demo --stream | sha256sum"
    streamed = await run("bash", "-o", "pipefail", "-c", piped, cwd=tmp_path, env=env)
    assert (streamed.code, streamed.out) == (0, f"{demo_digest()}  -\n"), streamed.err


async def test_pip(built: Built, origin: Origin, tmp_path: Path) -> None:
    """`pip install` into an environment that holds nothing."""
    made = Environment(tmp_path / "venv")
    must(sys.executable, "-m", "venv", made.folder, cwd=tmp_path)
    must(made.python, "-m", "pip", "install", "--quiet", built.wheel, cwd=tmp_path)
    await assert_works(made.command, origin, tmp_path)


async def test_pipx(built: Built, origin: Origin, tmp_path: Path) -> None:
    """`pipx install`, and the command is where pipx puts commands."""
    folders = {
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_MAN_DIR": str(tmp_path / "man"),
    }
    pipx = (sys.executable, "-m", "pipx", "install", "--python", sys.executable)
    must(*pipx, built.wheel, cwd=tmp_path, **folders)
    await assert_works(str(tmp_path / "bin" / "hydra-tui"), origin, tmp_path)


async def test_uv_tool(built: Built, origin: Origin, tmp_path: Path) -> None:
    """`uv tool install`, and the command is where uv puts commands."""
    folders = {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }
    install = (*uv(), "tool", "install", "--quiet", "--python", sys.executable)
    must(*install, built.wheel, cwd=tmp_path, **folders)
    await assert_works(str(tmp_path / "bin" / "hydra-tui"), origin, tmp_path)


def test_what_is_shared(installed: Environment) -> None:
    """The manual and the completions are where shells and `man` look for them."""
    there, files = ROOT / "hydratui", (ROOT / "hydratui" / "share").rglob("*")
    shared = [path.relative_to(there) for path in files if path.is_file()]
    assert Path("share/man/man1/hydra-tui.1") in shared
    assert all((installed.folder / path).is_file() for path in shared)


@pytest.mark.parametrize("nothing", ["--version", "--help"])
async def test_a_question_loads_nothing_heavy(
    installed: Environment, tmp_path: Path, nothing: str
) -> None:
    """What only tells something starts at once: no loop, no engine, no curl, no screen."""
    listed = (installed.python, "-X", "importtime", installed.command, nothing)
    ran = await run(*listed, cwd=tmp_path, env=nobody(tmp_path))
    assert ran.code == 0
    loaded = {line.rpartition("|")[2].strip() for line in ran.err.splitlines()}
    assert "hydratui.options" in loaded
    assert not HEAVY & loaded


async def test_a_stream_loads_no_screen(
    installed: Environment, origin: Origin, tmp_path: Path
) -> None:
    """A stream loads an engine, and no screen."""
    listed = (installed.python, "-X", "importtime", installed.command, "--stream")
    streamed = await run(
        *(*listed, origin.url("/none")), cwd=tmp_path, env=nobody(tmp_path)
    )
    loaded = {line.rpartition("|")[2].strip() for line in streamed.err.splitlines()}
    assert "engine" in loaded
    assert "textual" not in loaded


# -- the first words of the README


def first_commands() -> list[str]:
    """The two blocks that it begins with."""
    return [block.strip() for block in blocks(section(""), "sh")[:2]]


async def test_the_first_command(built: Built, tmp_path: Path) -> None:
    """It makes an environment, installs what it stands in, and shows the demo.

    Where there is no terminal to show it on, the demo is told in lines.
    """
    command = first_commands()[0]
    assert command.endswith("hydra-tui --demo")
    project = packages.copied(tmp_path)
    env = surroundings() | QUICKLY | {"HOME": str(tmp_path)}
    ran = await run("bash", "-c", command, cwd=project, env=env)
    assert ran.code == 0, ran.err
    assert "genome.fa.gz" in ran.err


async def test_the_second_command(built: Built, tmp_path: Path) -> None:
    """It installs what the tests need, and runs them: here it only lists these."""
    command = first_commands()[1]
    assert command.endswith("-m pytest")
    project = packages.copied(tmp_path)
    env = surroundings() | QUICKLY | {"PYTEST_ADDOPTS": f"--collect-only -q {OWN}"}
    ran = await run("bash", "-c", command, cwd=project, env=env)
    assert ran.code == 0, ran.out[-2000:] + ran.err
    assert f"{OWN}::test_the_second_command" in ran.out
