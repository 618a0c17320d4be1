"""What every test of the screen starts from: a terminal of which all is known."""

from __future__ import annotations

import pytest
from textual.widgets import Input

_NOISY = ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FPS", "TEXTUAL_ANIMATIONS")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, themes or cursors that depend on where and when a test runs."""
    for name in _NOISY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
