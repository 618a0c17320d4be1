"""What people read about the command: short for `--help`, whole for `man`."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from hydratui.exit_codes import OUTCOMES
from hydratui.kinds import Kind, Switch
from hydratui.manual import manual, short_help
from hydratui.settings import CONFIG
from hydratui.table import OPTIONS, PREFIX, TYPED, Option

SHORT = 80
"""Lines of help that people look through; more are for the manual."""


def needs(program: str) -> pytest.MarkDecorator:
    """These tests want the program that formats manuals."""
    return pytest.mark.skipif(
        not shutil.which(program), reason=f"there is no {program}"
    )


def entries() -> dict[str, str]:
    """By what an option is typed as, what is said of it, in lines."""
    rows = re.findall(r"(?m)^ {2,6}(-.{1,24}?)  +(\S.*(?:\n {28}.*)*)", short_help(80))
    return dict(rows)


# -- a screenful


@pytest.mark.option("help")
def test_the_help_is_short() -> None:
    """It fits 80 columns, and hardly more than a screen; the commonest come first."""
    lines = short_help(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= SHORT
    assert lines[0].startswith("usage: hydra-tui ")
    assert [line.split()[0] for line in lines[2:5]] == ["hydra-tui"] * 3


@pytest.mark.parametrize("option", TYPED, ids=lambda option: option.name)
def test_the_help_knows_an_option(option: Option) -> None:
    """Its names, its meaning and what is built in, in at most two lines."""
    name = f"--[no-]{option.name}" if option.off else option.flag
    short = f"{option.short}{'/' + option.off if option.off else ''}, "
    shown = f"{short if option.short else ''}{name} {option.metavar}".strip()
    said = entries()[shown]
    words = re.sub(r"\s+", " ", said)
    assert words.startswith(option.help)
    assert said.count("\n") < 2
    if option.default and not isinstance(option.kind, Switch):
        assert words.endswith(f"({option.default})")


def test_the_help_ends_with_where_more_is() -> None:
    """The exit codes, the manual and the settings."""
    end = " ".join(short_help(80).rsplit("\n\n", 1)[1].split())
    for outcome in OUTCOMES:
        assert not outcome.brief or f"{outcome.code} {outcome.brief}" in end
    assert "--man" in end
    assert "--print-config" in end


@pytest.mark.parametrize("columns", [1, 50, 60, 100, 1000])
def test_the_help_fits_the_terminal(columns: int) -> None:
    """Narrow down to where words still fit, wide up to where lines can be read."""
    widest = max(map(len, short_help(columns).splitlines()))
    assert widest <= min(max(columns, 50), 100)
    assert short_help(columns).split() == short_help(80).split()


# -- all of it


def read(columns: int = 200) -> str:
    """The manual as people see it."""
    ran = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", f"width={columns}"],
        input=manual().encode(),
        capture_output=True,
        check=True,
    )
    return re.sub(r".\x08", "", ran.stdout.decode())


@needs("mandoc")
@pytest.mark.option("man")
def test_the_manual_knows_everything() -> None:
    """Every option with all that is allowed, every exit code, the variables, the files."""
    shown = re.sub(r"\s+", " ", read())
    for option in OPTIONS:
        assert (option.flag if option.typed else option.name) in shown
        assert option.help[1:] in shown
        if not isinstance(option.kind, Switch):
            assert option.kind.allowed in shown
    for outcome in OUTCOMES:
        assert f"{outcome.code} {outcome.when}" in shown
    for name in (CONFIG, PREFIX, "NO_COLOR", "config.toml", "NAME.part", "EXAMPLES"):
        assert name in shown


@needs("mandoc")
@pytest.mark.parametrize(
    "text", [".SH x", "'br", "\\fBx", "a\\", '"a" -b ~c^`d`', "--"]
)
def test_the_manual_takes_any_words(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What an option says is never taken for a request to the formatter."""
    odd = Option("odd", Kind(text), f"is {text} so", metavar="X", default=text)
    monkeypatch.setattr("hydratui.manual.TYPED", (odd,))
    [said] = re.findall(r"(?s)--odd X\n(.*)\nLISTS", read())
    assert said.split() == f"Is {text} so: {text}. Built in: {text}.".split()


@needs("mandoc")
def test_mandoc_has_nothing_to_say() -> None:
    """The manual is well made."""
    assert _complaints("mandoc", "-T", "lint", "-W", "all") == ""


@needs("groff")
def test_groff_has_nothing_to_say() -> None:
    """The manual is well made for the other formatter, too."""
    assert _complaints("groff", "-ww", "-man", "-T", "utf8", "-z") == ""


def _complaints(*command: str) -> str:
    ran = subprocess.run(
        command, input=manual().encode(), capture_output=True, check=False
    )
    return (ran.stdout + ran.stderr).decode()
