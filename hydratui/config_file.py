"""`config.toml`: where it is, what it says, and how it is changed.

Reading is quick and strict, changing keeps what people wrote: comments, order,
tables we do not know. A changed file replaces the old one whole or not at all.

What only reading or changing wants is imported there: `--version` passes here too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from hydratui.kinds import Toml

if TYPE_CHECKING:
    from pathlib import Path

    from tomlkit import TOMLDocument

APP = "hydra-tui"
_ALIASES = {"output-dir": "output", "speed-limit": "limit"}
_AT_THE_END = "at end of document"


class Document(NamedTuple):
    """What a file says; nothing, where there is none."""

    path: Path
    text: str
    data: Mapping[str, object]

    def place(self, key: str) -> str:
        """Where a key is, for people."""
        pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
        for number, line in enumerate(self.text.splitlines(), start=1):
            if pattern.match(line):
                return f"{self.path}, line {number}"
        return str(self.path)


def canonical(key: str) -> str:
    """The one name of an option that may be written in several ways."""
    name = key.replace("_", "-")
    return _ALIASES.get(name, name)


def default_path() -> Path:
    """Where the file is unless somebody names another."""
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / "config.toml"


def read(path: Path, *, named: str = "") -> Document:
    """What the file says; only where somebody named it, in `named`, it must be there."""
    from engine import UsageError

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        if named:
            raise UsageError(f"{named} {path}: {error.strerror}") from None
        text = ""
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from None
    except ValueError:  # not UTF-8, or a name with a NUL
        raise UsageError(f"{path}: it is not text in UTF-8") from None
    return Document(path, text, _parsed(path, text))


def _parsed(path: Path, text: str) -> Mapping[str, object]:
    if not text:
        return {}
    import tomllib

    from engine import UsageError

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        lines = text.splitlines()
        end = f"at line {len(lines)}, column {len(lines[-1]) + 1}" if lines else ""
        reason = str(error).replace(_AT_THE_END, end)
        raise UsageError(f"{path}: it is not TOML: {reason}") from None


# -- changing it -----------------------------------------------------------------


def change(path: Path, values: Mapping[str, Toml | None]) -> None:
    """Write these options into the file; None takes one out of it.

    Raises UsageError where the file is none of ours to change as it stands, and
    LocalError where it cannot be written.
    """
    from pathlib import Path

    import tomlkit

    from engine import LocalError

    before = read(path)
    document = tomlkit.parse(before.text)
    for name, value in values.items():
        _set(document, name, value)
    after = tomlkit.dumps(document)
    if _parsed(path, after) != _changed(before.data, values):
        raise LocalError(f"{path}: it cannot be changed without loss; edit it by hand")
    try:
        _replace(Path(os.path.realpath(path)), after.encode())
    except OSError as error:
        raise LocalError(f"{path}: it cannot be saved: {error.strerror}") from None


def _set(document: TOMLDocument, name: str, value: Toml | None) -> None:
    key = next((key for key in document if canonical(key) == name), None)
    if value is not None:
        document[key or name] = value
    elif key is not None:
        del document[key]


def _changed(
    data: Mapping[str, object], values: Mapping[str, Toml | None]
) -> dict[str, object]:
    known = {canonical(key): key for key in data}
    changed = dict(data)
    for name, value in values.items():
        if value is None:
            changed.pop(known.get(name, name), None)
        else:
            changed[known.get(name, name)] = value
    return changed


def _replace(target: Path, data: bytes) -> None:
    """Put a new file in the place of an old one, with its mode; a new one is private."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _beside(target) as (descriptor, fresh):
        with os.fdopen(descriptor, "wb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    _sync(target.parent)


@contextmanager
def _beside(target: Path) -> Iterator[tuple[int, Path]]:
    """A new file in the same folder, that is gone afterwards unless it was renamed."""
    from pathlib import Path
    from tempfile import mkstemp

    descriptor, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    fresh = Path(name)
    try:
        yield descriptor, fresh
    finally:
        fresh.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
