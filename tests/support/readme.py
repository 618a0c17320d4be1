"""The README as tests read it: what it tells people to type."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def section(title: str) -> str:
    """All that stands under a heading; what stands before the first, under none."""
    parts = re.split(r"^## (.*)$", README.read_text(), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[0::2], strict=True))[title]


def blocks(text: str, language: str) -> list[str]:
    """Its blocks in that language, as they stand."""
    fenced = rf"^```{language}\n(.*?)^```$"
    return re.findall(fenced, text, re.DOTALL | re.MULTILINE)


def recipe(title: str, language: str = "sh") -> list[str]:
    """What the recipe of that name tells to do."""
    paragraphs = re.split(r"^\*\*(.*?)\*\*", section("Recipes"), flags=re.MULTILINE)
    text = dict(zip(paragraphs[1::2], paragraphs[2::2], strict=True))[title]
    return blocks(text, language)
