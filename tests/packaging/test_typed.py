"""Programs that use the installed package, as a type checker sees them."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

import engine
from tests.support.packages import Environment, nobody, run
from tests.support.readme import blocks, recipe, section

pytestmark = pytest.mark.slow

pytest.importorskip("mypy", reason="mypy comes with the extra `lint`")

EVERYTHING = """\
from collections.abc import Callable

from engine import EngineSnapshot, Event, JobId, JobSnapshot
from hydratui import load_config


async def told(engine: Engine, tell: Callable[[str], None]) -> None:
    async for event in engine.events():
        tell(event.text)


def names(snapshot: EngineSnapshot) -> dict[JobId, str]:
    return {job.id: job.name for job in snapshot.jobs}


config: Config = load_config()
"""
"""What else a program has to do with."""


def of_the_package() -> str:
    """The example of the engine's own docstring, in a function as it has to be."""
    example = dedent(str(engine.__doc__).split("\n\n")[1])
    body = indent(example, "    ")
    names = "from engine import Config, Engine, JobSpec"
    return f"{names}\n\n\nasync def main() -> None:\n{body}\n"


async def test_programs_are_checked(installed: Environment, tmp_path: Path) -> None:
    """Every example of the documentation passes `mypy --strict`, and is really checked."""
    [of_readme] = blocks(section("From Python"), "python")
    [of_recipe] = recipe("From Python.", "python")
    package = of_the_package()
    wrong = package.replace("engine.wait(job)", "engine.wait('job')")
    programs = {
        "readme": of_readme,
        "recipe": of_recipe,
        "package": package,
        "everything": package + EVERYTHING,
        "wrong": wrong,
    }
    for name, text in programs.items():
        (tmp_path / f"{name}.py").write_text(text)
    ran = await run(
        *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
        *("--python-executable", installed.python, "."),
        cwd=tmp_path,
        env=nobody(tmp_path, installed.programs),
    )
    [complaint] = ran.out.splitlines()
    assert complaint.startswith("wrong.py:")
    assert "arg-type" in complaint
