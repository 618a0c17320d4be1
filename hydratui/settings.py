"""The settings: one table of options, and the layers that fill it.

Everything that can be set is a row of `OPTIONS`. The command line, `config.toml`,
the `HYDRA_TUI_*` variables, `--print-config` and the settings screen all read it
there: the same names, words and units. Every layer gives text, and a later one wins:
built-in, file, environment, typed.

`--version` reads the table too. So no engine is loaded before a value is wanted, and
the values here are named tuples: dataclasses load `inspect`, a third of what that
command takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from hydratui.kinds import (
    Algorithm,
    Browser,
    Conflict,
    Count,
    File,
    Folder,
    Headers,
    Kind,
    Links,
    Rate,
    Seconds,
    Size,
    Switch,
)

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Config, UsageError
    from hydratui.config_file import Document

PREFIX = "HYDRA_TUI_"
CONFIG = "HYDRA_TUI_CONFIG"
"""Names another file, as `--config` does."""

KEYS = "keys"
"""The table of the file that binds keys."""

_NOT_OPTIONS = frozenset({CONFIG, "HYDRA_TUI_URL"})
"""The last one we give to `--url-command`, which may run us in turn."""

_SHOWN = 40


class Effect(Enum):
    """When a changed value begins to count, in an app that runs."""

    NOW = "at once"
    NEW = "for new downloads"
    START = "from the next start"


class Option(NamedTuple):
    """One thing that can be set."""

    name: str
    kind: Kind
    help: str
    group: str = ""
    label: str = ""
    """What the settings screen calls it; it shows none without a label."""
    metavar: str = ""
    short: str = ""
    default: str = ""
    """The built-in value as text; nothing, where there is none."""
    field: str = ""
    """What it sets in the engine's Config, if anything."""
    effect: Effect = Effect.START
    typed: bool = True
    """Whether it is an option of the command line too."""
    off: str = ""
    """The short form of its opposite, where a switch that is on has one."""

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def opposite(self) -> str:
        """What turns a switch off."""
        return f"--no-{self.name}"

    @property
    def variable(self) -> str:
        return PREFIX + self.name.replace("-", "_").upper()

    def parse(self, text: str) -> object:
        """The value of a text.

        Where it has none, ValueError says what is needed, and UsageError shows the
        value as well.
        """
        if not text and self.kind.lenient:
            text = self.default
        value = self.kind.parse(text)
        if self.field:
            self._ask_engine(value)
        return value

    def _ask_engine(self, value: object) -> None:
        from engine import Config, UsageError

        alone: dict[str, Any] = {self.field: value}
        try:
            Config(**alone)
        except UsageError as error:
            raise UsageError(str(error).removeprefix(f"{self.flag}: ")) from None


_SPEED = (
    Option(
        "threads",
        Count("1 to 128, or auto"),
        "most connections for one file",
        label="Connections per file",
        metavar="N",
        short="-t",
        default="auto",
        field="threads",
        effect=Effect.NEW,
    ),
    Option(
        "jobs",
        Count("1 to 16, or auto"),
        "files at the same time",
        label="Files at once",
        metavar="N",
        default="auto",
        field="jobs",
    ),
    Option(
        "limit",
        Rate("20M, or 10 for 10M, or none"),
        "most bytes per second, everything together",
        label="Limit for everything",
        metavar="RATE",
        short="-l",
        default="none",
        field="limit",
        effect=Effect.NOW,
    ),
    Option(
        "min-chunk-mb",
        Size("0.0625 to 1024"),
        "smallest range asked for on disk downloads, in MiB",
        label="Smallest range",
        metavar="MB",
        default="1",
        field="min_chunk",
    ),
)

_STREAM = (
    Option(
        "stream",
        Switch(),
        "bytes to standard output, in order",
        short="-s",
        default="false",
    ),
    Option(
        "buffer",
        Size("4 to 65536"),
        "most memory a stream may hold, in MiB",
        label="Memory of a stream",
        metavar="MB",
        short="-b",
        default="64",
        field="buffer",
    ),
    Option(
        "stream-chunk-mb",
        Size("0.25 to 1024"),
        "largest range of a stream, in MiB",
        label="Largest range",
        metavar="MB",
        default="5",
        field="stream_chunk",
    ),
    Option("force", Switch(), "write a stream to a terminal", default="false"),
)

_NETWORK = (
    Option(
        "connect-timeout",
        Seconds("0.1 or more"),
        "seconds a connection may take to stand",
        label="Connect timeout",
        metavar="S",
        default="15",
        field="connect_timeout",
    ),
    Option(
        "stall-timeout",
        Seconds("0.1 or more"),
        "seconds of silence until a connection is replaced",
        label="Stall timeout",
        metavar="S",
        default="10",
        field="stall_timeout",
    ),
    Option(
        "give-up-after",
        Seconds("0 or more, or auto: 300, and 10 before any byte", auto=True),
        "seconds without progress until a download has failed",
        label="Give up after",
        metavar="S",
        default="auto",
        field="give_up_after",
    ),
    Option(
        "url-command",
        Kind(),
        "prints a fresh URL when the one in $HYDRA_TUI_URL has expired",
        label="Fresh link command",
        metavar="CMD",
        field="url_command",
    ),
    Option(
        "browser",
        Browser("a browser's name, or none"),
        "whose TLS and header fingerprint to show",
        label="Looks like",
        metavar="NAME",
        short="-B",
        default="chrome120",
        field="browser",
    ),
    Option(
        "header",
        Headers("'Name: value'"),
        "a header to send with every request, repeatable",
        label="Headers",
        metavar="'K: V'",
        short="-H",
        field="headers",
    ),
    Option(
        "cacert",
        File(),
        "certificates to trust instead of the system's",
        label="Certificates",
        metavar="FILE",
        field="cacert",
    ),
    Option(
        "insecure",
        Switch(),
        "do not verify certificates",
        label="Trust any server",
        default="false",
        field="insecure",
    ),
)

_STORAGE = (
    Option(
        "input",
        Kind(),
        "a list of URLs or a Metalink file, - for standard input",
        metavar="FILE",
        short="-i",
    ),
    Option(
        "output",
        Folder(),
        "where files go",
        label="Folder",
        metavar="DIR",
        short="-o",
        default="download",
        field="output",
        effect=Effect.NEW,
    ),
    Option("name", Kind(), "file name, for one URL", metavar="FILE", short="-O"),
    Option(
        "mirror",
        Links(),
        "another source of the same file, repeatable, for one URL",
        metavar="URL",
    ),
    Option(
        "on-conflict",
        Conflict(),
        "if another file has the name",
        label="If the name is taken",
        metavar="HOW",
        default="rename",
        field="on_conflict",
    ),
    Option(
        "restart",
        Switch(),
        "begin anew instead of resuming",
        default="false",
        field="restart",
    ),
)

_VERIFY = (
    Option(
        "checksum",
        Kind(),
        "expected digest, or ALGO:HEX, for one URL",
        metavar="HEX",
    ),
    Option(
        "typehash",
        Algorithm("md5, sha1, sha2, sha3 and blake2 families"),
        "algorithm of a --checksum that does not say, preferred where several are known",
        label="Digests are",
        metavar="ALGO",
        short="-th",
        default="md5",
        field="typehash",
    ),
    Option(
        "verify",
        Switch(),
        "look for digests in headers and beside the file",
        label="Look for digests",
        short="-V",
        default="true",
        field="verify",
        off="-N",
    ),
)

_DISPLAY = (
    Option(
        "no-ui",
        Switch(),
        "plain text on standard error",
        short="-nu",
        default="false",
    ),
    Option(
        "quiet",
        Switch(),
        "nothing on standard error but errors",
        short="-q",
        default="false",
    ),
    Option("debug", Switch(), "tracebacks", short="-d", default="false"),
    Option(
        "theme",
        Kind(),
        "the colours of the app",
        label="Theme",
        default="hydra",
        effect=Effect.NOW,
        typed=False,
    ),
    Option(
        "mouse",
        Switch(),
        "let the app have the mouse, and not the terminal",
        label="Mouse",
        default="true",
        typed=False,
    ),
)


def _in(group: str, options: Iterable[Option]) -> Iterator[Option]:
    return (option._replace(group=group) for option in options)


OPTIONS = (
    *_in("Storage", _STORAGE),
    *_in("Speed", _SPEED),
    *_in("Stream", _STREAM),
    *_in("Network", _NETWORK),
    *_in("Verify", _VERIFY),
    *_in("Display", _DISPLAY),
)
BY_NAME = {option.name: option for option in OPTIONS}


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

    def wrong(self, name: str, reason: str) -> UsageError:
        """What to raise about the value of an option, or of a key binding."""
        source = self.sources.get(name)
        if source is None:
            return _usage(f"{self.path}: {name}: {reason}")
        key = f": {name}" if source.layer is Layer.FILE else ""
        return _usage(f"{source.place}{key}: {reason}")

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
