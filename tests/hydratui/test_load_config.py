"""The settings of the command, for programs of other people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine import Config, UsageError
from hydratui import load_config

MIB = 1 << 20


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's own file would be; there is none yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "hydra-tui" / "config.toml"
    path.parent.mkdir()
    return path


def test_nobody_has_set_anything() -> None:
    """Without a file and variables it is what is built in."""
    assert load_config() == Config()


def test_the_environment_wins_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are read, in the units that people write, and the environment wins."""
    file.write_text('limit = "20M"\nthreads = 8\ntheme = "nord"\n')
    monkeypatch.setenv("HYDRA_TUI_THREADS", "12")
    monkeypatch.setenv("HYDRA_TUI_BUFFER", "32")
    assert load_config() == Config(limit=20e6, threads=12, buffer=32 * MIB)


def test_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HYDRA_TUI_CONFIG` names another one, which must be there then."""
    other = tmp_path / "other.toml"
    monkeypatch.setenv("HYDRA_TUI_CONFIG", str(other))
    with pytest.raises(UsageError, match=r"other\.toml: No such file"):
        load_config()
    other.write_text("jobs = 3\n")
    assert load_config().jobs == 3


def test_what_makes_no_sense_is_told(file: Path) -> None:
    """A bad value is a UsageError that names the file and the line."""
    file.write_text("\nthreads = 1000\n")
    with pytest.raises(UsageError, match=r"config\.toml, line 2: threads"):
        load_config()


def test_an_engine_by_itself_looks_for_no_home(file: Path) -> None:
    """Only `load_config` looks for the file: an engine's Config knows nothing of it."""
    file.write_text("threads = 8\n")
    assert Config().threads is None
    assert load_config().threads == 8


def test_importing_it_costs_nothing() -> None:
    """Its import loads no engine: that waits for the call."""
    code = "import sys, hydratui; sys.exit('engine' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
