"""The README tells of the program that is there."""

from __future__ import annotations

import re
from pathlib import Path

from hydratui.exit_codes import OUTCOMES
from hydratui.table import TYPED

README = (Path(__file__).parents[2] / "README.md").read_text()
OTHERS = {"only", "rounds", "quiet", "size"}
"""Options of programs that it tells of beside ours."""


def test_its_exit_codes_are_those_of_the_table() -> None:
    """Row for row, in the same words."""
    section = README.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", section, re.MULTILINE)
    told = [(int(code), when.replace("`", "")) for code, when in rows]
    assert told == [(outcome.code, outcome.when) for outcome in OUTCOMES]


def test_it_names_no_option_that_does_not_exist() -> None:
    """What it shows can be typed."""
    flags = {option.flag for option in TYPED} | {option.opposite for option in TYPED}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named - flags - {f"--{name}" for name in OTHERS} == set()
