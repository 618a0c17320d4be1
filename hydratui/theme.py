"""The colours the app comes with: deep water, and few lights."""

from __future__ import annotations

from textual.theme import Theme

HYDRA = Theme(
    name="hydra",
    primary="#4fb8c4",
    secondary="#7aa2d6",
    accent="#e0b264",
    success="#7cc48d",
    warning="#e0b264",
    error="#e57373",
    foreground="#cdd6df",
    background="#0e1318",
    surface="#141b22",
    panel="#2a3744",
    variables={
        "input-cursor-background": "#4fb8c4",
        "border": "#4fb8c4",
        "border-blurred": "#2a3744",
    },
)
