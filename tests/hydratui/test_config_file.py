"""How the file is changed: what people wrote stays, and it is never half a file."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine import LocalError, UsageError
from hydratui.config_file import canonical, change

MINE = """\
# what I like
output_dir = "data"  # on the big disk
threads = 8

limit = "20M"

[keys]  # of mine
job.pause = "x"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_people_wrote_stays(path: Path) -> None:
    """Comments, order, aliases and tables are kept; new keys stand above the tables."""
    path.write_text(MINE)
    change(path, {"output": "here", "threads": None, "jobs": 2})
    assert path.read_text() == MINE.replace('"data"', '"here"').replace(
        "threads = 8\n", ""
    ).replace('"20M"\n', '"20M"\njobs = 2\n')


def test_a_new_file(path: Path) -> None:
    """Folders are made, and nobody else can read what may hold secrets."""
    there = path.parent / "a" / "b" / "config.toml"
    change(there, {"threads": 8})
    assert there.read_text() == "threads = 8\n"
    assert stat.S_IMODE(there.stat().st_mode) == 0o600


def test_the_mode_stays(path: Path) -> None:
    """A file that others may read is still theirs to read."""
    path.touch()
    path.chmod(0o640)
    change(path, {"threads": 8})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(path: Path, there: bool) -> None:
    """A file that is kept elsewhere is changed there."""
    target = path.parent / "dotfiles" / "hydra.toml"
    if there:
        target.parent.mkdir()
        target.write_text("jobs = 1\n")
    path.symlink_to(target)
    change(path, {"threads": 8})
    assert path.is_symlink()
    assert target.read_text() == ("jobs = 1\n" if there else "") + "threads = 8\n"


def test_it_is_never_half_a_file(path: Path) -> None:
    """The old file is replaced, not written over, and nothing is left beside it."""
    path.write_text("jobs = 1\n")
    with path.open() as old:
        change(path, {"threads": 8})
        assert old.read() == "jobs = 1\n"
    assert names(path.parent) == ["config.toml"]


def test_a_change_that_fails_changes_nothing(path: Path) -> None:
    """Where nothing can be saved, the message says why, and nothing is left."""
    taken = path.parent / "taken"
    taken.touch()
    with pytest.raises(LocalError, match=r"taken.*cannot be saved: "):
        change(taken / "x.toml", {"threads": 8})
    path.mkdir()
    with pytest.raises(UsageError, match="Is a directory"):
        change(path, {"threads": 8})
    assert names(path.parent) == ["config.toml", "taken"]


def test_a_broken_file_is_not_made_worse(path: Path) -> None:
    """What is no TOML is left as it is, and told."""
    path.write_text("threads 8")
    with pytest.raises(UsageError, match="not TOML"):
        change(path, {"threads": 9})
    assert path.read_text() == "threads 8"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("min_chunk_mb", "min-chunk-mb"),
        ("output_dir", "output"),
        ("speed-limit", "limit"),
        ("threads", "threads"),
    ],
)
def test_one_name(key: str, name: str) -> None:
    """`-` and `_` are one, and two options have an older name."""
    assert canonical(key) == name


VALUES = st.one_of(
    st.integers(-(2**60), 2**60),
    st.booleans(),
    st.text(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text(), max_size=3),
)
NAMES = st.sampled_from(["threads", "limit", "output", "header", "min-chunk-mb"])
FILES = st.sampled_from(
    [
        "",
        "# only a comment",
        MINE,
        MINE.replace("\n", "\r\n"),
        'speed_limit = 3\nheader = [\n  "a: b", # one\n]\n',
        "keys.a = 'x'\nthreads = 1",
        "[keys]\na = 'x'\n\n# the end",
        "output = '''\nthreads = 9\n'''\n",
    ]
)


@given(FILES, st.dictionaries(NAMES, st.none() | VALUES))
def test_only_what_is_changed_changes(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    values: dict[str, str | int | float | bool | list[str] | None],
) -> None:
    """After a change the file says what it said, but for the options that were given."""
    path = tmp_path_factory.getbasetemp() / "changed.toml"
    path.write_bytes(text.encode())
    change(path, values)
    said = {canonical(key): value for key, value in tomllib.loads(text).items()}
    for name, value in values.items():
        said.pop(name, None)
        if value is not None:
            said[name] = value
    after = path.read_bytes().decode()
    assert {canonical(k): v for k, v in tomllib.loads(after).items()} == said
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == [line for line in after.splitlines() if line.startswith("#")]
