"""What may be typed: how it is written, and what is only printed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from engine import LocalError, UsageError
from hydratui import __version__
from hydratui.exit_codes import READER_GONE, USAGE
from hydratui.kinds import Lines, Switch
from hydratui.options import parse, settings_of, show, specs_of
from hydratui.table import TYPED, Option

PRINTED = ("completion", "man", "help", "version")
OTHERS = [option for option in TYPED if option.name not in PRINTED]
URL = "https://example.org/file"


def given(args: argparse.Namespace, option: Option) -> object:
    return getattr(args, option.name.replace("-", "_"))


@pytest.mark.parametrize("option", OTHERS, ids=lambda option: option.name)
def test_an_option_is_typed_in_several_ways(option: Option) -> None:
    """Long or short, its value as the next word or behind `=`; never shortened."""
    if isinstance(option.kind, Switch):
        expected: object = "true"
        ways = [[option.flag], [option.short]]
        if option.off:
            for off in (option.off, option.opposite):
                assert given(parse([off]), option) == "false"
    else:
        expected = ["x"] if isinstance(option.kind, Lines) else "x"
        ways = [[option.flag, "x"], [f"{option.flag}=x"], [option.short, "x"]]
    for way in ways:
        if way[0]:
            args = parse([*way, URL])
            assert (given(args, option), args.url) == (expected, [URL])
    with pytest.raises(SystemExit):
        parse([option.flag[:-1], "x"])


def test_the_last_word_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """What is typed twice, and what may be repeated; behind `--` all is a URL."""
    args = parse(["-t", "1", "-t2", "-NV", "-H", "A: 1", "-H", "B: 2", "--", "--demo"])
    assert (args.threads, args.verify, args.url) == ("2", "true", ["--demo"])
    assert args.header == ["A: 1", "B: 2"]
    assert args.demo is None
    assert capsys.readouterr() == ("", "")


# -- what is only printed


@pytest.mark.parametrize(
    ("typed", "begin"),
    [
        ("--help", "usage: hydra-tui"),
        ("-h", "usage: hydra-tui"),
        ("--man", ".TH HYDRA"),
        ("--completion=bash", "# bash completion"),
        ("--completion=zsh", "#compdef hydra-tui"),
        ("--completion=fish", "complete -c hydra-tui"),
        ("--version", f"hydra-tui {__version__}\n"),
        ("-v", f"hydra-tui {__version__}\n"),
    ],
)
def test_a_text_is_printed_at_once(
    typed: str, begin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever else is typed; on standard output, and it is a success."""
    with pytest.raises(SystemExit) as ended:
        parse(["--no-such-option", typed, "--name"])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert out.startswith(begin)
    assert out.endswith("\n")


def test_an_unknown_shell_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The three that are known are named."""
    with pytest.raises(SystemExit) as ended:
        parse(["--completion", "tcsh"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (USAGE, "")
    assert "--completion tcsh: it is one of bash, zsh, fish" in err


def test_help_is_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """COLUMNS says how wide that is."""
    for columns in (60, 90):
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit):
            parse(["--help"])
        widest = max(map(len, capsys.readouterr().out.splitlines()))
        assert columns - 10 < widest <= columns


@pytest.mark.parametrize("where", ["a reader that left", "a full disk"])
def test_a_text_that_cannot_be_written(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader has gone: silence. No room: it is said which."""
    if where == "a full disk":
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        target = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, target = os.pipe()
        os.close(reader)
    kept = os.dup(1)
    try:
        os.dup2(target, 1)
        with os.fdopen(1, "w", closefd=False) as out:
            monkeypatch.setattr(sys, "stdout", out)
            if where == "a full disk":
                with pytest.raises(LocalError, match="standard output: No space left"):
                    show("text")
            else:
                assert show("text") == READER_GONE
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(target)


# -- what was typed, as jobs


def refused(*typed: str) -> str:
    args = parse([*typed, "--config", os.devnull])
    with pytest.raises(UsageError) as raised:
        specs_of(settings_of(args), args.url)
    return str(raised.value)


@pytest.mark.parametrize("name", ["--name", "--checksum", "--mirror"])
def test_what_is_for_one_url_is_for_one_url(name: str) -> None:
    """Not for two of them, and not for none."""
    value = "md5:" + "0" * 32 if name == "--checksum" else URL
    assert refused(name, value, URL, URL) == f"{name} is for one URL, but there are 2"
    assert refused(name, value) == f"{name} is for one URL, but there is none"


def test_a_list_of_nothing_is_told(tmp_path: Path) -> None:
    """Unless there is something to do without it."""
    empty = tmp_path / "list"
    empty.write_text("# nothing\n\n")
    assert refused("-i", str(empty)) == f"--input: {empty}: no URL in it"
    args = parse(["-i", str(empty), URL])
    assert [spec.url for spec in specs_of(settings_of(args), args.url)] == [URL]
