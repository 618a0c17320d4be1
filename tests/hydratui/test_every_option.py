"""Every option is held by a test that says so: `@pytest.mark.option("threads")`.

The marks are read from the files of the tests, so none of them has to be run.
`python tests/hydratui/test_every_option.py` prints which tests hold which option.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hydratui.table import OPTIONS, RUN

ROOT = Path(__file__).parents[2]
NAMES = [option.name for option in (*OPTIONS, *RUN)]


@cache
def held() -> dict[str, list[str]]:
    """By option, the tests that hold it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test, name in _marks(ast.parse(path.read_text())):
            found[name].append(f"{path.relative_to(ROOT)}::{test}")
    return dict(found)


def _marks(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each test with each name that it is marked with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and _is_option(mark.func):
                    for name in mark.args:
                        yield node.name, ast.literal_eval(name)


def _is_option(function: ast.expr) -> bool:
    return ast.unparse(function) == "pytest.mark.option"


@pytest.mark.parametrize("name", NAMES)
def test_an_option_is_held(name: str) -> None:
    """What is in the table has a test of what it does."""
    assert held().get(name), f'no test is marked with @pytest.mark.option("{name}")'


def test_no_mark_is_of_an_option_that_is_none() -> None:
    """An option that is renamed takes its tests along."""
    assert set(held()) <= set(NAMES)


def test_marks_are_on_tests() -> None:
    """A mark on anything else would hold nothing."""
    tests = {test for found in held().values() for test in found}
    assert all(test.partition("::")[2].startswith("test_") for test in tests)


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        ("@pytest.mark.option('a', 'b')\ndef test_x(): ...", ["a", "b"]),
        ("@pytest.mark.option('a')\n@other\nasync def test_x(): ...", ["a"]),
        ("class TestX:\n @pytest.mark.option('a')\n def test_x(self): ...", ["a"]),
        ("# @pytest.mark.option('a')\ndef test_x(): ...", []),
        ("@pytest.mark.slow\ndef test_x(): 'pytest.mark.option(1)'", []),
    ],
)
def test_marks_are_read_where_they_count(source: str, marks: list[str]) -> None:
    """Not in comments and not in texts."""
    assert [name for _, name in _marks(ast.parse(source))] == marks


def show() -> None:
    """Print the options, each with its tests."""
    tests = held()
    for name in NAMES:
        print(f"--{name}")  # noqa: T201
        for test in tests.get(name, ["nothing"]):
            print(f"    {test}")  # noqa: T201


if __name__ == "__main__":
    show()
