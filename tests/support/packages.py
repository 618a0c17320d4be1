"""The project as a stranger gets it: copied, built, and installed where nothing else is."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 200.0
"""Seconds for what takes a few, where a registry is asked."""
SYSTEM = os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin"))

_OURS = ("HYDRA_TUI_", "PYTEST_", "PYTHON", "VIRTUAL_ENV", "XDG_")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command that has ended leaves."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Built:
    """What is handed to people."""

    wheel: Path
    sdist: Path


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, in a folder of its own."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> str:
        return str(self.programs / "python")

    @property
    def command(self) -> str:
        return str(self.programs / "hydra-tui")


async def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> Ran:
    """A command, from its start to its end."""
    ran = await asyncio.to_thread(_run, command, cwd, env)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def must(*command: str | Path, cwd: Path, **more: str) -> str:
    """What a command says that has to go well, with the registry as it is set up here."""
    ran = _run(command, cwd, surroundings() | more)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def _run(
    command: tuple[str | Path, ...], cwd: Path, env: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def surroundings() -> dict[str, str]:
    """The variables of this machine, without those that are about the tests."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_OURS)
    }


def nobody(home: Path, *programs: Path) -> dict[str, str]:
    """The variables of somebody who has set none, and has these programs."""
    path = os.pathsep.join((*map(str, programs), SYSTEM))
    return {"HOME": str(home), "PATH": path, "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def unreachable() -> str:
    """Why nothing can be installed here; nothing where it can."""
    command = (*uv(), "pip", "compile", "--quiet", "-")
    asked = subprocess.run(
        command,
        input="defusedxml",
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if not asked.returncode:
        return ""
    return f"no package can be installed here: {' '.join(asked.stderr.split())}"


def uv() -> tuple[str, ...]:
    """The command, as the test extra brought it."""
    return (sys.executable, "-m", "uv")


def copied(folder: Path) -> Path:
    """The project without what git ignores, where it may be built and broken."""
    ignored = (ROOT / ".gitignore").read_text().replace("/\n", "\n").split()
    project = folder / "project"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(".git", *ignored))
    return project


def built(project: Path, folder: Path) -> Built:
    """A source distribution, and the wheel that is built from it alone."""
    must(sys.executable, "-m", "build", "-q", "-o", folder, project, cwd=folder)
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


def environment(folder: Path, wheel: Path, python: str = sys.executable) -> Environment:
    """An environment that holds the wheel, what it needs, and nothing else."""
    made = Environment(folder)
    must(*uv(), "venv", "--quiet", "--python", python, folder, cwd=folder.parent)
    install = (*uv(), "pip", "install", "--quiet", "--python", made.python)
    must(*install, wheel, cwd=folder.parent)
    return made
