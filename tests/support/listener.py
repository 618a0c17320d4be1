"""A listener that remembers what it is told."""

from __future__ import annotations

from engine.model import Field


class Listener(list[str]):
    """The sentences for people, and beside them the fields for programs."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[dict[str, Field]] = []

    def __call__(self, text: str, /, **fields: Field) -> None:
        self.append(text)
        self.fields.append(fields)
