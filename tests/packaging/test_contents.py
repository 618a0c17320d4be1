"""What is handed to people: the wheel, the source distribution, what they say of it."""

from __future__ import annotations

import re
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from hydratui import __version__
from tests.support.packages import Built, must, uv

PACKAGES = ("engine", "hydratui")


@pytest.fixture(scope="session")
def metadata(built: Built) -> Message:
    return Parser().parsestr(read(built.wheel, "METADATA"))


def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as packed:
        return set(packed.namelist())


def read(wheel: Path, name: str) -> str:
    """A file of its dist-info."""
    with ZipFile(wheel) as packed:
        [found] = [n for n in packed.namelist() if n.endswith(f".dist-info/{name}")]
        return packed.read(found).decode()


def sources(built: Built) -> set[str]:
    """What there is, by its path in the project."""
    with tarfile.open(built.sdist) as packed:
        paths = [Path(member.name) for member in packed if member.isfile()]
    return {str(path.relative_to(path.parts[0])) for path in paths}


def test_the_wheel_holds_the_two_packages(built: Built) -> None:
    """All of the engine and the front ends, and beside them what is to be shared."""
    found = {name for name in sources(built) if name.split("/")[0] in PACKAGES}
    ours = {name for name in found if not name.startswith("hydratui/share/")}
    rest = names(built.wheel) - ours
    assert names(built.wheel) >= ours
    assert {"engine/py.typed", "hydratui/py.typed", "hydratui/hydra.tcss"} <= ours
    around = re.compile(r"hydratui-[^/]+\.(dist-info|data/data/share)/")
    assert not [name for name in rest if not around.match(name)]


def test_the_sources_hold_what_it_takes(built: Built) -> None:
    """The tests and the pictures too, and nothing that a tool has left."""
    found = sources(built)
    assert {"LICENSE", "README.md", "pyproject.toml", "tests/conftest.py"} <= found
    assert not [name for name in found if "cache" in name or name.endswith(".pyc")]


def test_both_ways_to_build_give_the_same_wheel(built: Built, tmp_path: Path) -> None:
    """From the sources that were unpacked, by another front end: the same bytes."""
    with tarfile.open(built.sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.iterdir()
    must(*uv(), "build", "--quiet", "--wheel", "-o", "dist", unpacked, cwd=tmp_path)
    again = tmp_path / "dist" / built.wheel.name
    assert again.read_bytes() == built.wheel.read_bytes()


def test_it_says_what_it_is(metadata: Message) -> None:
    """Name, version, licence, and the Pythons that it runs on."""
    assert (metadata["Name"], metadata["Version"]) == ("hydratui", __version__)
    assert (metadata["License-Expression"], metadata["License-File"]) == (
        "MIT",
        "LICENSE",
    )
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "## Recipes" in metadata.get_payload()


def test_it_needs_no_tool_of_its_makers(metadata: Message) -> None:
    """Who installs it gets no test runner and no linter."""
    needed = [text for text in metadata.get_all("Requires-Dist", []) if ";" not in text]
    plain = {re.split(r"[<>=!~ ]", text)[0] for text in needed}
    assert {"curl-cffi", "textual"} <= {name.replace("_", "-") for name in plain}
    assert not {"pytest", "hypothesis", "ruff", "mypy"} & plain


def test_the_command_is_installed(built: Built) -> None:
    """One command, `hydra-tui`."""
    text = read(built.wheel, "entry_points.txt")
    assert text.split() == ["[console_scripts]", "hydra-tui", "=", "hydratui.cli:main"]
