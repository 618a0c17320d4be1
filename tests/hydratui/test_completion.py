"""Completion, in the shells themselves: what they offer, and what it becomes."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from engine.digest import ALGORITHMS, algorithm_named
from hydratui.completion import script
from hydratui.kinds import Switch
from hydratui.table import BY_NAME, TYPED, Option

NAMES = {option.flag for option in TYPED} | {o.opposite for o in TYPED if o.off}
SHORTS = {name for o in TYPED for name in (o.short, o.off) if name}
PATIENCE = 20.0


def needs(shell: str) -> pytest.MarkDecorator:
    """These tests want the shell itself."""
    return pytest.mark.skipif(not shutil.which(shell), reason=f"there is no {shell}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the shells complete the names of files."""
    there = tmp_path / "there"
    (there / "a folder").mkdir(parents=True)
    for name in ("its list", "ubuntu.meta4", "debian.metalink"):
        (there / name).touch()
    monkeypatch.chdir(there)
    monkeypatch.setenv("HOME", str(tmp_path))
    return there


# -- what is offered at all


def test_algorithms_are_proposed_as_people_write_them() -> None:
    """Every algorithm there is, the families, and nothing that would be refused."""
    proposed = BY_NAME["typehash"].kind.proposed
    assert {algorithm_named(name) for name in proposed} == set(ALGORITHMS)
    assert set(proposed) >= {*ALGORITHMS, "sha2", "sha3", "blake2"}


def test_a_new_option_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the table is in all the scripts, however odd its words are."""
    odd = Option("odd", Switch(), r"it's [odd]: $HOME `id` \ 'x'", short="-odd")
    monkeypatch.setattr("hydratui.completion.TYPED", (*TYPED, odd))
    for shell in ("bash", "zsh", "fish"):
        assert "odd" in script(shell)
        if shutil.which(shell):
            given = script(shell).encode()
            command = [shell, "-n"]
            ran = subprocess.run(command, input=given, capture_output=True, check=False)
            assert (ran.returncode, ran.stderr) == (0, b"")


# -- bash

BASH = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_hydra_tui
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(tmp_path: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    path = tmp_path / "hydra-tui"
    path.write_text(script("bash"))
    command = ["bash", "--norc", "-uc", BASH, "bash", str(path), "hydra-tui", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return sorted(filter(None, ran.stdout.split("\n")))


@needs("bash")
@pytest.mark.option("completion")
def test_bash_offers_every_option(tmp_path: Path) -> None:
    """Long ones, short ones and opposites; and only what begins as the word does."""
    assert set(bash(tmp_path, "-")) == NAMES | SHORTS
    assert bash(tmp_path, "URL", "--on-") == ["--on-conflict"]


@needs("bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["--on-conflict", ""], ["fail", "overwrite", "rename", "skip"]),
        (["--on-conflict", "="], ["fail", "overwrite", "rename", "skip"]),
        (["--on-conflict", "=", "sk"], ["skip"]),
        (["-B", "chrome12"], ["chrome120", "chrome123", "chrome124"]),
        (["-th", "blake2b"], ["blake2b"]),
        (["--completion", ""], ["bash", "fish", "zsh"]),
        (["--threads", ""], []),
        (["--header", "-"], []),
        (["-o", ""], ["a folder"]),
        (["-i", "it"], ["its list"]),
        ([""], ["a folder", "debian.metalink", "ubuntu.meta4"]),
        (["--", "--on-"], []),
        (["--", "-i", "u"], ["ubuntu.meta4"]),
    ],
)
def test_bash_offers_what_may_follow(
    tmp_path: Path, folder: Path, words: list[str], offered: list[str]
) -> None:
    """Words where there is a choice, files or folders where one is wanted."""
    assert bash(tmp_path, *words) == offered


# -- fish


def fish(tmp_path: Path, line: str) -> dict[str, str]:
    """What fish offers for a line, and what it says of each."""
    path = tmp_path / "hydra-tui.fish"
    path.write_text(script("fish"))
    command = ["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]
    ran = subprocess.run(
        [*command, str(path), f"hydra-tui {line}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    offers = (line.partition("\t") for line in ran.stdout.splitlines())
    return {offer: meaning for offer, _, meaning in offers}


@needs("fish")
@pytest.mark.option("completion")
def test_fish_offers_every_option(tmp_path: Path, folder: Path) -> None:
    """Each with its meaning, as the table has it."""
    offered = fish(tmp_path, "--")
    meanings = {name.rstrip("="): meaning for name, meaning in offered.items()}
    assert set(meanings) == NAMES
    for option in TYPED:
        assert meanings[option.flag] == option.help


@needs("fish")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("--on-conflict ", {"rename", "overwrite", "skip", "fail"}),
        ("--on-conflict=sk", {"--on-conflict=skip"}),
        ("-B chrome13", {"chrome131", "chrome133a", "chrome136", "chrome131_android"}),
        ("-th blake2b", {"blake2b"}),
        ("--threads ", set()),
        ("-o ", {"a folder/"}),
        ("-i it", {"its list"}),
        ("-n", {"-nu"}),
        ("ubu", {"ubuntu.meta4"}),
    ],
)
def test_fish_offers_what_may_follow(
    tmp_path: Path, folder: Path, line: str, offered: set[str]
) -> None:
    """Words where there is a choice, files or folders where one is wanted."""
    assert set(fish(tmp_path, line)) == offered


# -- zsh

ZSH = """
PS1= RPS1= ZLE_REMOVE_SUFFIX_CHARS=
unsetopt prompt_cr prompt_sp zle_bracketed_paste
fpath=(%s $fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' insert-tab false
LISTMAX=10000
show() { print -r -- "<<$BUFFER>>"; BUFFER=; zle redisplay }
zle -N show; bindkey '^Xs' show
print "ready"
"""


class Zsh:
    """A zsh in a terminal, with somebody who presses the tab key."""

    def __init__(self, master: int) -> None:
        self._master = master

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def line(self, begun: str) -> str:
        """What the tab key makes of a line."""
        self.type(f"{begun}\t\x18s")
        return self.until(r"<<(.*?)>>")[1]

    def until(self, pattern: str) -> re.Match[str]:
        """Read until it shows."""
        came, deadline = "", monotonic() + PATIENCE
        while not (found := re.search(pattern, came)):
            left = deadline - monotonic()
            assert left > 0, came
            if select.select([self._master], [], [], left)[0]:
                came += os.read(self._master, 1 << 16).decode()
        return found


@pytest.fixture
def zsh(tmp_path: Path, folder: Path) -> Iterator[Zsh]:
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_hydra-tui").write_text(script("zsh"))
    setup = tmp_path / "setup"
    setup.write_text(ZSH % functions)
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
    with subprocess.Popen(
        ["zsh", "-fi"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env=os.environ | {"TERM": "dumb"},
    ) as shell:
        os.close(slave)
        try:
            running = Zsh(master)
            running.type(f"source {setup}\n")
            running.until(r"(?m)^ready")
            yield running
        finally:
            shell.kill()
            os.close(master)


@needs("zsh")
@pytest.mark.option("completion")
def test_zsh_offers_every_option(zsh: Zsh) -> None:
    """Each with its meaning, as the table has it."""
    zsh.type("hydra-tui -\t\x18s")
    shown = zsh.until(r"(?s)(.*)<<")[1]
    assert set(shown.split()) >= NAMES | SHORTS
    for option in TYPED:
        assert f"-- {option.help}" in shown


@needs("zsh")
def test_zsh_offers_what_may_follow(zsh: Zsh) -> None:
    """Words where there is a choice, files or folders where one is wanted."""
    for begun, ended in {
        "--on-": "--on-conflict=",
        "--on-conflict sk": "--on-conflict skip ",
        "--on-conflict=sk": "--on-conflict=skip ",
        "-th blake2b": "-th blake2b ",
        "-B chrome14": "-B chrome14",
        "-o a": "-o a\\ folder/",
        "-i it": "-i its\\ list ",
        "ubu": "ubuntu.meta4 ",
        "--stream --stre": "--stream --stream-chunk-mb=",
        "-H a:b --heade": "-H a:b --header=",
        "-- --on-": "-- --on-",
    }.items():
        assert zsh.line(f"hydra-tui {begun}") == f"hydra-tui {ended}"


@needs("zsh")
def test_zsh_may_source_it(tmp_path: Path) -> None:
    """As well as find it among its functions; sourcing completes nothing by itself."""
    path = tmp_path / "completion"
    path.write_text(script("zsh"))
    setup = 'autoload -Uz compinit; compinit -uD; source "$0"; print $_comps[hydra-tui]'
    command = ["zsh", "-fc", setup, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("_hydra-tui\n", "")
