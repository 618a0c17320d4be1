"""The fields of a job, for one that is added and one that is changed.

What is typed is read while it is typed. What makes no sense is said beside the
field; a field that nobody touched gives back the very value it was shown for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Static

from engine import Digest, JobSpec, parse_size
from hydratui.copied import Meaningless, read_digest
from hydratui.pasted import read_name
from hydratui.steering import MOST_LANES
from hydratui.text import safe, size
from hydratui.widgets.entry import Folders, Line, at_home, one_line

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Typed:
    """What the fields say; None leaves it to the engine."""

    directory: Path | None = None
    name: str | None = None
    checksum: Digest | None = None
    threads: int | None = None
    limit: float | None = None
    command: str | None = None

    @classmethod
    def of(cls, spec: JobSpec) -> Typed:
        return cls(
            spec.directory,
            spec.name,
            spec.checksum,
            spec.threads,
            spec.limit,
            spec.command,
        )


def free_space(directory: Path) -> int | None:
    """Bytes that may still be written there; None where nobody can tell."""
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None


class JobForm(Vertical):
    """Where to, what it must be, how fast, into what."""

    def __init__(
        self,
        start: Typed,
        *,
        named: bool = False,
        free: Callable[[Path], int | None] = free_space,
    ) -> None:
        super().__init__(id="form")
        self._start = start
        self._texts = {key: one_line(text) for key, text in _texts(start).items()}
        self._named = named
        self._free = free
        self._wrong: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield self._row("directory", "Save to", "where the settings say", Folders())
        if self._named:
            yield self._row("name", "Name", "the one the server gives")
        yield self._row("checksum", "Checksum", "sha256:…, or hex alone")
        yield self._row("command", "Pipe into", "a command, instead of a file")
        with Horizontal(classes="pair"):
            yield self._row("threads", "Lanes", "auto")
            yield self._row("limit", "Limit", "none of its own")

    def on_mount(self) -> None:
        _ = self.typed()

    def _row(
        self, key: str, label: str, hint: str, suggester: Folders | None = None
    ) -> Horizontal:
        return Horizontal(*self._field(key, label, hint, suggester), classes="row")

    def _field(
        self, key: str, label: str, hint: str, suggester: Folders | None = None
    ) -> ComposeResult:
        yield Label(label, markup=False, classes="label")
        yield Line(self._texts[key], id=key, placeholder=hint, suggester=suggester)
        yield Static("", markup=False, id=f"{key}-note", classes="note")

    def on_input_changed(self, _event: Input.Changed) -> None:
        _ = self.typed()

    def typed(self) -> Typed | None:
        """What the fields say; None while one of them makes no sense."""
        start = self._start
        self._wrong.clear()
        typed = Typed(
            directory=self._read("directory", read_directory, start.directory),
            name=self._read("name", _read_name, start.name) if self._named else None,
            checksum=self._read("checksum", _read_checksum, start.checksum),
            threads=self._read("threads", read_lanes, start.threads),
            limit=self._read("limit", read_limit, start.limit),
            command=self._read("command", read_command, start.command),
        )
        self._say(typed)
        return None if self._wrong else typed

    def _read(
        self, key: str, reader: Callable[[str], Value | None], start: Value | None
    ) -> Value | None:
        text = self.query_one(f"#{key}", Line).value
        try:
            return start if text == self._texts[key] else reader(text)
        except Meaningless as error:
            self._wrong[key] = str(error)
            return None

    def complain(self, key: str, words: str) -> None:
        """Say what is wrong with a field, and go there."""
        self._wrong[key] = words
        self._note(key, words)
        self.go_to_wrong()

    def go_to_wrong(self) -> None:
        """To the first field that makes no sense."""
        for line in self.query(Line):
            if line.id in self._wrong:
                line.focus()
                return

    def _say(self, typed: Typed) -> None:
        notes = {
            "directory": self._room(typed),
            "checksum": typed.checksum.algorithm if typed.checksum else "",
            "command": "no file is kept" if typed.command else "",
            "limit": "MB/s",
        }
        for line in self.query(Line):
            key = line.id or ""
            self._note(key, self._wrong.get(key) or notes.get(key, ""))

    def _room(self, typed: Typed) -> str:
        """How much fits where it goes; a folder that is not there yet will be made."""
        if typed.command or typed.directory is None:
            return "not used" if typed.command else ""
        place = _standing(typed.directory)
        free = self._free(place)
        new = "" if place == typed.directory else "new"
        room = "" if free is None else f"free {size(free)}"
        return " · ".join(filter(None, (new, room)))

    def _note(self, key: str, words: str) -> None:
        note = self.query_one(f"#{key}-note", Static)
        note.set_class(key in self._wrong, "wrong")
        note.update(safe(words))


def _texts(start: Typed) -> dict[str, str]:
    """The fields as they are shown first."""
    checksum, limit = start.checksum, start.limit
    return {
        "directory": "" if start.directory is None else _short(start.directory),
        "name": start.name or "",
        "checksum": f"{checksum.algorithm}:{checksum.hex}" if checksum else "",
        "threads": "" if start.threads is None else str(start.threads),
        "limit": "" if limit is None else f"{limit / 1e6:g}M",
        "command": start.command or "",
    }


def _short(directory: Path) -> str:
    """The folder with `~` for one's own."""
    home = at_home("~")
    inside = home != Path("/") and directory.is_relative_to(home)
    return str("~" / directory.relative_to(home)) if inside else str(directory)


def read_directory(text: str) -> Path | None:
    """The folder somebody typed, if files can be written there."""
    if not text.strip():
        return None
    path = at_home(text.strip()).absolute()
    if text.strip().startswith("~") and "~" in str(path):
        raise Meaningless("no such user")
    try:
        place = _standing(path)
        fits = place.is_dir()
    except (OSError, ValueError):
        raise Meaningless("not a folder") from None
    if not fits:
        raise Meaningless("not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise Meaningless("not writable")
    return path


def _standing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next((place for place in (path, *path.parents) if place.exists()), path)


def _read_name(text: str) -> str | None:
    return read_name(text) if text.strip() else None


def _read_checksum(text: str) -> Digest | None:
    return read_digest(text) if text.strip() else None


def read_lanes(text: str) -> int | None:
    """How many lanes at most; nothing, or "auto", lets the window find out."""
    plain = text.strip().lower()
    if plain in {"", "auto"}:
        return None
    if not plain.isdecimal() or not 1 <= int(plain[:9]) <= MOST_LANES:
        raise Meaningless(f"auto, 1 to {MOST_LANES}")
    return int(plain)


def read_limit(text: str) -> float | None:
    """A rate, in MB/s unless it says so; nothing, or zero, is no limit."""
    try:
        return (float(parse_size(text, "M")) or None) if text.strip() else None
    except (ValueError, OverflowError):
        raise Meaningless("as 20M or 800k") from None


def read_command(text: str) -> str | None:
    """The command behind a `|`, which need not be typed."""
    return text.strip().removeprefix("|").strip() or None
