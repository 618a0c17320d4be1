"""What every test of the screen starts from: a terminal of which all is known."""

from __future__ import annotations

import gc

import pytest
from textual.widgets import Input

_NOISY = ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FPS", "TEXTUAL_ANIMATIONS")


@pytest.fixture(scope="session", autouse=True)
def settled_memory() -> None:
    """What is loaded by now stays: to look through it again and again takes as long
    as the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, themes or cursors that depend on where and when a test runs."""
    for name in _NOISY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
