"""What may be said of settings while they are edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydratui.draft import GROUPS, SHOWN, Draft, explained, saved_words
from hydratui.settings import load
from hydratui.table import BY_NAME

THREADS, JOBS, LIMIT = BY_NAME["threads"], BY_NAME["jobs"], BY_NAME["limit"]
HEADER, STALL = BY_NAME["header"], BY_NAME["stall-timeout"]


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """A limit and a secret in the file, threads typed, a timeout in a variable."""
    path = tmp_path / "config.toml"
    path.write_text('limit = "20M"\nheader = ["Cookie: hunter2"]\nthreads = 4\n')
    environ = {"HYDRA_TUI_STALL_TIMEOUT": "7"}
    return Draft(load({"threads": "8"}, file=str(path), environ=environ))


def test_every_setting_has_a_place() -> None:
    """All that is not about one run alone can be set on the screen, in some group."""
    hidden = {option.name for option in BY_NAME.values()} - {o.name for o in SHOWN}
    assert hidden == {
        *("input", "name", "checksum", "mirror", "restart", "stream", "force"),
        *("dry-run", "no-ui", "quiet", "json", "debug"),
    }
    assert GROUPS == ("Storage", "Speed", "Stream", "Network", "Verify", "Display")


def test_what_is_edited_is_the_file(draft: Draft) -> None:
    """A value that was typed for this run is not what the file says."""
    assert draft.text(THREADS) == "4"
    assert draft.text(LIMIT) == "20M"
    assert draft.text(JOBS) == ""


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("20M", {}),
        ("30M", {"limit": "30M"}),
        ("none", {"limit": None}),
        ("", {"limit": None}),
    ],
)
def test_only_edits_are_saved(
    draft: Draft, text: str, changes: dict[str, str | None]
) -> None:
    """The built-in value is no key; what the file says already is no edit."""
    draft.edit(LIMIT, text)
    assert draft.changes() == changes
    assert draft.is_changed(LIMIT) == bool(changes)
    draft.edit(LIMIT, "20M")
    assert draft.changes() == {}


def test_the_built_in_value_is_no_edit_where_the_file_is_silent(draft: Draft) -> None:
    """Choosing what holds anyway changes nothing."""
    draft.edit(JOBS, "auto")
    assert draft.changes() == {}


def test_a_wrong_text_is_told_at_once(draft: Draft) -> None:
    """The words are those of the command line."""
    draft.edit(JOBS, "99")
    draft.edit(LIMIT, "fast")
    assert draft.problem(JOBS) == "99 is not allowed; 1 to 16"
    assert (draft.problem(LIMIT) or "").startswith("a number is needed, with K, M, G")
    assert draft.wrong() == [JOBS, LIMIT]
    draft.edit(JOBS, "")
    assert draft.problem(JOBS) is None
    assert draft.wrong() == [LIMIT]


def test_where_a_value_comes_from(draft: Draft) -> None:
    """A sign and a word say it, not a colour alone."""
    assert draft.standing(JOBS).words == "· built-in"
    assert draft.standing(LIMIT).words == "· config.toml"
    assert draft.standing(THREADS).words == "! typed: 8"
    assert draft.standing(STALL).words == "! environment: 7"
    draft.edit(THREADS, "9")
    assert draft.standing(THREADS).words == "● edited"
    draft.edit(THREADS, "999")
    assert draft.standing(THREADS).words == "✗ wrong"


def test_what_there_is_to_know(draft: Draft) -> None:
    """What is allowed, where the value is from, and when a saved one counts."""
    assert explained(draft, LIMIT) == [
        (
            "Most bytes per second, everything together: 20M, or 10 for 10M, or none; "
            "by the hour: '08:00,2M 23:00,none'."
        ),
        "limit: from config.toml, line 1; built-in is none. Saved, it counts at once.",
    ]
    assert explained(draft, JOBS)[1] == (
        "jobs: built-in is auto. Saved, it counts from the next start."
    )
    assert explained(draft, THREADS)[1] == (
        "threads is 8, from --threads: saving will not change this run; "
        "built-in is auto."
    )
    assert "hunter2" not in "".join(explained(draft, HEADER))


def test_what_saving_does_is_said(draft: Draft) -> None:
    """Nothing is promised that does not happen in this run."""
    names = ["limit", "output", "jobs", "threads"]
    assert saved_words(names, draft.settings) == (
        "Saved: limit at once; output for new downloads; jobs from the next start; "
        "threads not in this run."
    )
