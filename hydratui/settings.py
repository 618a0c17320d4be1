"""The settings: the layers that fill the table of options, and who had the last word.

Every layer gives text, and a later one wins: built-in, file, environment, typed. No
engine is loaded before a value is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from hydratui.table import BY_NAME, OPTIONS, PREFIX, Option

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Config, UsageError
    from hydratui.config_file import Document

CONFIG = "HYDRA_TUI_CONFIG"
"""Names another file, as `--config` does."""

KEYS = "keys"
"""The table of the file that binds keys."""

_NOT_OPTIONS = frozenset({CONFIG, "HYDRA_TUI_URL"})
"""The last one we give to `--url-command`, which may run us in turn."""

_SHOWN = 40


class Layer(Enum):
    """Who has the last word on a value; the later the stronger."""

    BUILT_IN = "built-in"
    FILE = "file"
    ENVIRONMENT = "environment"
    TYPED = "typed"


class Source(NamedTuple):
    """Where a value comes from, and the value as it was written there."""

    layer: Layer
    place: str
    """The file and its line, the variable, or the option as typed."""
    text: str


class Settings(NamedTuple):
    """What holds for this run, and why."""

    config: Config
    sources: Mapping[str, Source]
    """By the name of the option; all of them."""
    keys: Mapping[str, tuple[str, ...]]
    """Which keys people want for an action, by its id."""
    path: Path
    """The file, whether it is there or not."""
    written: Mapping[str, str]
    """What the file says, also where a stronger layer overrules it."""
    stronger: Mapping[str, Source]
    """What environment and command line say."""

    @property
    def theme(self) -> str | None:
        """The theme that somebody asked for."""
        source = self.sources["theme"]
        return None if source.layer is Layer.BUILT_IN else source.text or None

    def text(self, name: str) -> str:
        """The value of an option, as text."""
        return self.sources[name].text

    def is_on(self, name: str) -> bool:
        """The value of an option that is a switch."""
        return bool(BY_NAME[name].kind.parse(self.text(name)))

    def place(self, name: str) -> str:
        """Where the value of an option, or a key binding, is to be found."""
        source = self.sources.get(name)
        if source is None:
            return f"{self.path}: {name}"
        key = f": {name}" if source.layer is Layer.FILE else ""
        return f"{source.place}{key}"

    def wrong(self, name: str, reason: str) -> UsageError:
        """What to raise about the value of an option, or of a key binding."""
        return _usage(f"{self.place(name)}: {reason}")

    def again(self) -> Settings:
        """The settings as they are with what the file says now."""
        return _layered(self.path, self.stronger, named="")


def load(
    typed: Mapping[str, str],
    *,
    file: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Put the layers over each other; UsageError where one of them makes no sense.

    `typed` is text by the name of the option; `file` is the one that was asked for.
    """
    from pathlib import Path

    from hydratui.config_file import default_path

    named = "--config"
    if file is None and environ.get(CONFIG):
        named, file = CONFIG, environ[CONFIG]
    stronger = {**_from_environment(environ), **_from_typed(typed)}
    if file is None:
        return _layered(default_path(), stronger, named="")
    path = Path(os.path.expanduser(file))  # noqa: PTH111
    return _layered(path, stronger, named=named)


def built_in() -> Settings:
    """What holds where nobody has said anything."""
    return load({}, file=os.devnull, environ={})


def save(path: Path, changes: Mapping[str, str | None]) -> None:
    """Write values, as text, into the file; None goes back to the built-in one.

    Comments and order are kept. Raises UsageError and LocalError, as
    `config_file.change` does.
    """
    from hydratui.config_file import change

    change(
        path,
        {
            name: None if text is None else BY_NAME[name].kind.write(text)
            for name, text in changes.items()
        },
    )


def printed(settings: Settings) -> Iterator[str]:
    """The settings as lines of a file, each with where its value is from."""
    import json

    for option in OPTIONS:
        source = settings.sources[option.name]
        value = option.kind.write(option.kind.masked(source.text))
        shown = _readable(json.dumps(value, ensure_ascii=False))
        yield f"{option.name} = {shown}  # {_readable(source.place)}"


def _readable(text: str) -> str:
    """The text without what neither TOML nor a terminal takes."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


# -- the layers ------------------------------------------------------------------


def _layered(path: Path, stronger: Mapping[str, Source], *, named: str) -> Settings:
    from engine import Config
    from hydratui.config_file import read

    document = read(path, named=named)
    written = _from_file(document)
    sources: dict[str, Source] = {}
    values: dict[str, Any] = {}
    for option in OPTIONS:
        source = stronger.get(option.name) or written.get(option.name)
        if source is not None and option.field:
            values[option.field] = option.parse(source.text)
        sources[option.name] = source or _built_in(option)
    texts = {name: source.text for name, source in written.items()}
    bindings = _bindings(document)
    return Settings(Config(**values), sources, bindings, path, texts, stronger)


def _built_in(option: Option) -> Source:
    return Source(Layer.BUILT_IN, Layer.BUILT_IN.value, option.default)


def _from_file(document: Document) -> dict[str, Source]:
    from hydratui.config_file import canonical

    found: dict[str, Source] = {}
    for key, raw in document.data.items():
        if key == KEYS:
            continue
        place = document.place(key)
        option = BY_NAME.get(canonical(key))
        if option is None:
            raise _unknown(f"{place}: {key}", canonical(key), BY_NAME, raw)
        if option.name in found:
            raise _usage(f"{place}: {key}: {option.name} is set twice")
        if raw != "" or option.default:
            text = _read(option, raw, f"{place}: {key}")
            found[option.name] = Source(Layer.FILE, place, text)
    return found


def _read(option: Option, raw: object, place: str) -> str:
    try:
        text = option.kind.read(raw)
    except ValueError as error:
        raise _usage(f"{place}: {error}") from None
    _check(option, text, place)
    return text


def _from_environment(environ: Mapping[str, str]) -> dict[str, Source]:
    """What the variables say; an empty one says nothing."""
    from hydratui.config_file import canonical

    found: dict[str, Source] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in _NOT_OPTIONS or not text:
            continue
        option = BY_NAME.get(canonical(variable.removeprefix(PREFIX).lower()))
        if option is None:
            known = [option.variable for option in OPTIONS]
            raise _unknown(variable, variable, known)
        if option.name in found:
            raise _usage(f"{variable}: {option.name} is set twice")
        _check(option, text, variable)
        found[option.name] = Source(Layer.ENVIRONMENT, variable, text)
    return found


def _from_typed(typed: Mapping[str, str]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for name, text in typed.items():
        option = BY_NAME[name]
        _check(option, text, option.flag)
        off = option.off and text == "false"
        place = option.opposite if off else option.flag
        found[name] = Source(Layer.TYPED, place, text)
    return found


def _check(option: Option, text: str, place: str) -> None:
    from engine import UsageError

    try:
        option.parse(text)
    except ValueError as error:
        shown = option.kind.masked(text)
        cut = "..." if len(shown) > _SHOWN else ""
        raise _usage(f"{place} {shown:.{_SHOWN}}{cut}: {error}") from None
    except UsageError as error:
        raise _usage(f"{place}: {error}") from None


def _unknown(
    place: str, name: str, known: Iterable[str], raw: object = None
) -> UsageError:
    """What to say about a name that is none, and which one was meant."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    if close:
        hint = f"did you mean {close[0]}?"
    elif isinstance(raw, Mapping):
        hint = f"[{KEYS}] is the only table"
    else:
        hint = "hydra-tui --print-config shows all there are"
    return _usage(f"{place}: there is no such setting; {hint}")


def _bindings(document: Document) -> dict[str, tuple[str, ...]]:
    """The keys by action; `job.pause = "x"` is the action "job.pause"."""
    return dict(_flattened(document, document.data.get(KEYS, {}), ""))


def _flattened(
    document: Document, raw: object, name: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    match raw:
        case dict():
            for key, value in raw.items():
                yield from _flattened(document, value, f"{name}.{key}".strip("."))
        case str() if name:
            yield name, (raw,)
        case list() if name and all(isinstance(key, str) for key in raw):
            yield name, tuple(raw)
        case _:
            place = f"{document.place(name or KEYS)}: {f'{KEYS}.{name}'.strip('.')}"
            raise _usage(f"{place}: a key or a list of keys is needed")


def _usage(message: str) -> UsageError:
    from engine import UsageError

    return UsageError(message)
