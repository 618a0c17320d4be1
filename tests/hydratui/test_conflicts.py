"""Options that make no sense together: both are named, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine import UsageError
from hydratui.conflicts import CLASHES, LACKS, URL, check
from hydratui.kinds import Switch
from hydratui.settings import load
from hydratui.table import BY_NAME, TYPED

VALUES = {"cacert": __file__, "jobs": "2", "on-conflict": "skip"}
"""What such options may be set to; of any other, a word."""


def value(name: str) -> str:
    is_switch = isinstance(BY_NAME[name].kind, Switch)
    return "true" if is_switch else VALUES.get(name, "https://example.org/file")


def checked(
    path: Path,
    typed: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    text: str = "",
    *,
    demo: bool = False,
    urls: tuple[str, ...] = (),
) -> str:
    """What is said of these layers; nothing, where they make sense."""
    path.write_text(text)
    settings = load(typed or {}, file=str(path), environ=environ or {})
    try:
        check(settings, demo=demo, urls=urls)
    except UsageError as error:
        return str(error)
    return ""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_every_clash_is_of_options_that_there_are() -> None:
    """A name that is renamed in the table is renamed here."""
    known = {option.name for option in TYPED} | {URL}
    assert {name for clash in CLASHES for name in clash[:2]} <= known
    assert {name for lack in LACKS for name in lack[:2]} <= known


@pytest.mark.parametrize("clash", CLASHES, ids=lambda clash: f"{clash[0]}-{clash[1]}")
def test_two_that_were_typed_are_named(path: Path, clash: tuple[str, str, str]) -> None:
    """Either of them alone is fine, in whichever order they stand."""
    one, other, reason = clash
    typed = {name: value(name) for name in (one, other) if name in BY_NAME}
    given = {"demo": one == "demo", "urls": ("x",) if other == URL else ()}
    shown = other if other == URL else f"--{other}"
    assert checked(path, typed, **given) == f"--{one} and {shown}: {reason}"  # type: ignore[arg-type]
    for name, text in typed.items():
        assert checked(path, {name: text}) == ""


def test_of_two_layers_the_stronger_has_its_way(path: Path) -> None:
    """What the file or the environment says makes no typed option useless."""
    for weaker in ("name = 'x'\non-conflict = 'skip'", "stream = true"):
        strong = {"stream": "true"} if "name" in weaker else {"name": "x"}
        assert checked(path, strong, text=weaker) == ""
        environ = {"HYDRA_TUI_STREAM": "1"} if "stream" in weaker else {}
        assert checked(path, strong, environ) == ""


def test_two_of_one_layer_are_told_with_their_place(path: Path) -> None:
    """The variables, or the lines of the file."""
    environ = {"HYDRA_TUI_STREAM": "yes", "HYDRA_TUI_OUTPUT": "x"}
    said = checked(path, environ=environ)
    assert said.startswith("HYDRA_TUI_STREAM and HYDRA_TUI_OUTPUT: ")
    said = checked(path, text="name = 'x'\nstream = true")
    assert said.startswith(f"{path}, line 2: stream and {path}, line 1: name: ")


def test_a_switch_that_is_off_says_nothing(path: Path) -> None:
    """`stream = false` is no stream."""
    assert checked(path, {"stream": "false", "name": "x"}) == ""
    assert checked(path, {"name": "x"}, {"HYDRA_TUI_STREAM": "no"}) == ""


def test_what_lacks_another_is_told_where_it_was_typed(path: Path) -> None:
    """In a file it is for the runs that have the other, whichever layer says so."""
    [(one, needs, reason)] = LACKS
    assert checked(path, {one: "true"}) == f"--{one} without --{needs}: {reason}"
    assert checked(path, {one: "true"}, text=f"{needs} = true") == ""
    assert checked(path, text=f"{one} = true") == ""


def test_what_goes_together_is_let_pass(path: Path) -> None:
    """A typed digest counts whatever is looked for, and a stream may be planned."""
    for typed in (
        {"checksum": "md5:" + "0" * 32, "verify": "false"},
        {"stream": "true", "dry-run": "true"},
        {"stream": "true", "no-ui": "true", "force": "true"},
        {"stream": "true", "mirror": "https://example.org/file", "typehash": "sha2"},
    ):
        assert checked(path, typed, urls=("x",)) == ""
    assert checked(path, {"stream": "true", "output": "x"}, demo=True)
    assert checked(path, {"stream": "true"}, demo=True) == ""
