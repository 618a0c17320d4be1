"""The files that are installed beside the program are what it prints.

`python tests/hydratui/test_share.py` renews them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from hydratui.completion import script
from hydratui.manual import manual

ROOT = Path(__file__).parents[2]
SHARE = ROOT / "hydratui" / "share"
SHARED: dict[str, Callable[[], str]] = {
    "man/man1/hydra-tui.1": manual,
    "bash-completion/completions/hydra-tui": partial(script, "bash"),
    "zsh/site-functions/_hydra-tui": partial(script, "zsh"),
    "fish/vendor_completions.d/hydra-tui.fish": partial(script, "fish"),
}
"""Where man and the shells look, below `share`, and what they find there."""


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_file_is_what_is_printed(name: str) -> None:
    """Whoever changes the table of options renews the files."""
    there = (SHARE / name).read_text()
    assert there == SHARED[name]() + "\n", __doc__


def test_the_shared_files_are_installed() -> None:
    """The wheel brings the whole folder, and there is nothing else in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {"hydratui/share": "share"}
    there = (path for path in (SHARE).rglob("*") if path.is_file())
    assert {str(path.relative_to(SHARE)) for path in there} == set(SHARED)


def renew() -> None:
    """Write what the program prints now."""
    for name, text in SHARED.items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text() + "\n")


if __name__ == "__main__":
    renew()
