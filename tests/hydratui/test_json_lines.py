"""JSON Lines, as they are made of what the engine tells."""

from __future__ import annotations

import io
import json
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, strategies as some

import engine
from engine import Event, EventKind, LocalError, ReaderGoneError, UsageError
from hydratui.exit_codes import OUTCOMES, exit_code, exit_code_of
from hydratui.json_lines import JsonLines, line
from hydratui.reporters import failure_of
from tests.support.json_lines import Told, checked

ANY_TEXT = some.text(some.characters(), max_size=40)
"""Halves of characters and control characters too."""
FIELDS = some.dictionaries(
    some.sampled_from(["name", "reason", "digests", "size", "rate"]),
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | ANY_TEXT
    | some.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3),
)


@given(FIELDS)
def test_any_field_becomes_one_valid_line(fields: dict[str, Any]) -> None:
    """One line of ASCII, that any parser reads, with every field."""
    text = line("queued", 1, fields, "now")
    assert text.isascii()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    told = json.loads(text, parse_constant=pytest.fail)
    assert told.keys() == {"v", "ts", "event", "job"} | fields.keys()
    json.dumps(told, ensure_ascii=False).encode()


@given(ANY_TEXT)
def test_text_that_is_text_comes_back(text: str) -> None:
    """Nothing is lost but halves of characters, and those can be seen."""
    told = json.loads(line("queued", 1, {"name": text}, "now"))
    if not any("\ud800" <= one <= "\udfff" for one in text):
        assert told["name"] == text
    else:
        assert "\\ud" in told["name"]


def test_a_run_without_an_engine_is_summed_up() -> None:
    """Where nothing was begun everything is nought, but the code."""
    out = io.StringIO()
    lines = JsonLines(out)
    lines.fail(failure_of(UsageError("no URL given"), traced=False))
    lines.end(2)
    [failed, summary] = Told(out.getvalue())
    assert (failed["reason"], failed["exit_code"]) == ("no URL given", 2)
    assert (summary["exit_code"], summary["done"], summary["left"]) == (2, 0, 0)


def test_what_a_job_failed_of_is_not_told_again() -> None:
    """The error that a run ends with is the one its job has told."""
    out = io.StringIO()
    lines = JsonLines(out)
    fields: dict[str, Any] = {"url": "http://host/file", "status": None}
    fields |= {"error": "local", "reason": "no space"}
    lines.hear(Event(monotonic(), 3, EventKind.FAILED, "file: no space", fields))
    lines.fail(failure_of(LocalError("no space"), traced=False))
    lines.fail(failure_of(ReaderGoneError("gone"), traced=False))
    [failed] = map(checked, out.getvalue().splitlines())
    assert (failed["job"], failed["exit_code"]) == (3, 7)


def test_a_bug_is_told_without_secrets_and_without_a_traceback() -> None:
    """What a bug says may hold anything."""
    out = io.StringIO()
    error = RuntimeError("no http://user:pass@host/?token=secret")
    JsonLines(out).fail(failure_of(ExceptionGroup("all", [error]), traced=True))
    told = checked(out.getvalue())
    assert told["reason"] == "unexpected RuntimeError: no http://host/?***"
    assert (told["error"], told["exit_code"]) == ("bug", 1)
    assert "Traceback" not in out.getvalue()


@pytest.mark.parametrize("kind", ["SAID", "REMOVED", "UNSAVED"])
def test_what_only_the_app_has_is_left_out(kind: str) -> None:
    """The events are those of the schema, and no others."""
    out = io.StringIO()
    JsonLines(out).hear(Event(monotonic(), 1, EventKind[kind], "text"))
    assert out.getvalue() == ""


def test_words_and_classes_end_with_the_same_code() -> None:
    """An error's word has the exit code that the error itself has."""
    for outcome in filter(lambda one: one.error, OUTCOMES):
        kind = getattr(engine, outcome.error)
        assert exit_code_of(kind.word) == exit_code(kind("x")) == outcome.code
    assert exit_code_of("bug") == exit_code_of(None) == 1
