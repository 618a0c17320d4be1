"""Files whose bytes everybody knows in advance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.testing import Content

MIB = 1 << 20

SIZES = {
    "empty.bin": 0,
    "one.bin": 1,
    "small.bin": 65_537,
    "medium.bin": 5 * MIB + 321,
    "large.bin": 64 * MIB + 7,
}
"""Odd ones, since code likes round ones."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A directory of files, and what is in each."""

    directory: Path
    contents: Mapping[str, Content]

    @classmethod
    def make(cls, directory: Path, sizes: Mapping[str, int]) -> Self:
        """Write them, no two alike; one that is already there is left alone."""
        contents = {
            name: Content(size, seed) for seed, (name, size) in enumerate(sizes.items())
        }
        for name, content in contents.items():
            path = directory / name
            if not path.exists():
                with path.open("wb") as file:
                    file.writelines(content.pieces(0, content.size))
        return cls(directory, contents)
