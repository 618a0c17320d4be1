"""What people read about the command: a screenful for `--help`, all of it for `--man`.

Both are made from the table of options and that of the exit codes, so nothing can be
typed that they do not know. No engine is loaded for either.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from hydratui import __version__
from hydratui.exit_codes import OUTCOMES
from hydratui.kinds import Switch, Word
from hydratui.settings import CONFIG
from hydratui.table import OPTIONS, PREFIX, TYPED, Option

REVISED = "2026-11-28"
"""The day of the manual; set it when its words change."""

# -- a screenful -----------------------------------------------------------------

_COMMON = (
    ("hydra-tui URL", "on the screen, with the saved queue"),
    ("hydra-tui --stream URL | tar x", "in order, to a pipe"),
    ("hydra-tui --no-ui -o DIR URL...", "into a folder, plain text"),
)
_MEANING_AT = 28
"""The column of the meanings; what is longer has a line of its own."""
_NARROWEST = 50
_WIDEST = 100
"""A line of more columns is hard to read."""


def short_help(columns: int) -> str:
    """What `--help` prints, in lines of so many columns."""
    width = min(max(columns, _NARROWEST), _WIDEST)
    lines = ["usage: hydra-tui [OPTION]... [URL]...", ""]
    for command, meaning in _COMMON:
        lines += _hanging(command, meaning, width, at=_MEANING_AT + 8)
    for group, options in groupby(TYPED, key=lambda option: option.group):
        lines += ["", f"{group}:"]
        for option in options:
            lines += _hanging(_left(option), _meaning(option), width, at=_MEANING_AT)
    codes = ", ".join(f"{one.code} {one.brief}" for one in OUTCOMES if one.brief)
    lines += ["", *textwrap.wrap(f"Exit codes: {codes}.", width)]
    more = "The manual: hydra-tui --man | man -l -. The settings: --print-config."
    return "\n".join([*lines, *textwrap.wrap(more, width)])


def _hanging(left: str, meaning: str, width: int, *, at: int) -> list[str]:
    first = f"  {left}".ljust(at)
    beside = not first[at - 1 :].strip()
    lines = textwrap.wrap(
        meaning,
        width,
        initial_indent=first if beside else " " * at,
        subsequent_indent=" " * at,
        break_on_hyphens=False,
    )
    return lines if beside else [first, *lines]


def _left(option: Option) -> str:
    if option.off:
        return f"{option.short}/{option.off}, --[no-]{option.name}"
    short = f"{option.short}, " if option.short else " " * 4
    return f"{short}{option.flag} {option.metavar}".rstrip()


def _meaning(option: Option) -> str:
    """What it does, the words it may have, and what is built in."""
    words = f": {option.kind.allowed}" if isinstance(option.kind, Word) else ""
    return (
        option.help + words + (f" ({_built_in(option)})" if _built_in(option) else "")
    )


def _built_in(option: Option) -> str:
    """The built-in value, where it says anything."""
    if isinstance(option.kind, Switch):
        return "on" if option.default == "true" else ""
    return option.default


# -- all of it -------------------------------------------------------------------

_NAME = "hydra-tui - many connections to one file, in order, in bounded memory"
_DESCRIPTION = """
hydra-tui downloads big files over networks that misbehave. On a terminal it is an app:
the queue, and what every connection is doing; press ? there for its keys. With --stream
the bytes of each URL go to standard output in order, and nothing else does. With
--no-ui, or where there is no terminal, files go to disk and progress is text on
standard error.

A download that was interrupted goes on where it stood when the same command is run
again. A file has its final name only when it is whole.

A word that ends in .meta4 or .metalink is a Metalink file, and stands for all the files
in it. Rates are decimal, sizes of buffers and ranges binary.
"""
_LISTS = """
A list has one URL a line, and tabs between several sources of one file. A line that
begins with # does not count. Options stand below their URL, indented: out=NAME,
dir=FOLDER, checksum=ALGO:HEX, mirror=URL and header=NAME: VALUE.

With --input - the list is read from standard input to its end; where it comes through a
pipe, the app takes its keys from the terminal.
"""
_ENVIRONMENT = (
    (f"{PREFIX}*", "any option: its long name in capitals, with _ for -"),
    (CONFIG, "another file for the settings, as --config names one"),
    (f"{PREFIX}URL", "what --url-command finds there: the URL that has expired"),
    ("http_proxy, https_proxy, all_proxy, no_proxy", "as curl understands them"),
    ("NO_COLOR", "whatever its value, the app has no colours"),
    ("TERM", "with dumb there is text in place of the app"),
    ("COLUMNS", "how wide --help is"),
)
_FILES = (
    (
        "~/.config/hydra-tui/config.toml",
        "the settings, and under [keys] those of the app",
    ),
    ("~/.local/state/hydra-tui/queue.db", "the queue of the app"),
    (
        "~/.local/state/hydra-tui/completed.db",
        "what was completed, so that nothing is fetched twice",
    ),
    ("~/.local/state/hydra-tui/log/", "what the latest runs did, one file each"),
    ("NAME.part, NAME.part.hydra", "what is here of a file, and what is known of it"),
    ("NAME.part.bad", "a file whose digest was wrong"),
)
_SETTINGS = """
A key of the file is the long name of an option, as --print-config shows them all. The
environment wins over the file, and what is typed over both. Some can be set and not
typed:
"""
_EXAMPLES = (
    ("hydra-tui --stream https://example.org/data.tar | tar x", "unpack as it comes"),
    ("hydra-tui --no-ui -t 16 -o data URL1 URL2", "two files into a folder"),
    (
        "hydra-tui --no-ui --checksum sha256:HEX URL",
        "a file that must have this digest",
    ),
    ("hydra-tui --no-ui --mirror URL2 URL", "one file, from two sources"),
    ("grep -o 'https://[^ ]*' page | hydra-tui -i -", "what another program found"),
    ("hydra-tui --completion bash >> ~/.bashrc", "complete options from now on"),
)
_SEE_ALSO = "curl(1), aria2c(1)"


def manual() -> str:
    """The manual as roff, in the macros of man(7)."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    version = _escaped(f"hydra-tui {__version__}")
    yield f'.TH HYDRA\\-TUI 1 {REVISED} "{version}" "User Commands"'
    yield from (".SH NAME", _escaped(_NAME))
    yield ".SH SYNOPSIS"
    yield from (r".B hydra\-tui", r"[\fIOPTION\fR]... [\fIURL\fR]...")
    yield from _prose("DESCRIPTION", _DESCRIPTION)
    yield ".SH OPTIONS"
    for group, options in groupby(TYPED, key=lambda option: option.group):
        yield f".SS {group}"
        for option in options:
            yield from _entry(_typed_as(option), _explained(option))
    yield from _prose("LISTS", _LISTS)
    yield from _entries("EXIT STATUS", ((str(one.code), one.when) for one in OUTCOMES))
    yield from _entries("ENVIRONMENT", _ENVIRONMENT)
    yield from _entries("FILES", _FILES)
    yield from _prose("SETTINGS", _SETTINGS)
    yield from _only_set()
    yield from _entries("EXAMPLES", ((meaning, text) for text, meaning in _EXAMPLES))
    yield from (".SH SEE ALSO", _escaped(_SEE_ALSO))


def _typed_as(option: Option) -> str:
    names = [*filter(None, [option.short]), option.flag]
    value = rf" \fI{_escaped(option.metavar)}\fR" if option.metavar else ""
    if option.off:
        names += [option.off, option.opposite]
    return ", ".join(rf"\fB{_escaped(name)}\fR" for name in names) + value


def _explained(option: Option) -> str:
    """All that the table says."""
    allowed = "" if isinstance(option.kind, Switch) else option.kind.allowed
    text = option.help + (f": {allowed}" if allowed else "")
    text += ", or do not." if option.off else "."
    built_in = f" Built in: {_built_in(option)}." if _built_in(option) else ""
    return text[0].upper() + text[1:] + built_in


def _only_set() -> Iterator[str]:
    """What is in the file and cannot be typed."""
    for option in OPTIONS:
        if not option.typed:
            yield from _entry(rf"\fB{_escaped(option.name)}\fR", _explained(option))


def _prose(title: str, text: str) -> Iterator[str]:
    yield f".SH {title}"
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ".PP"
        yield from _wrapped(paragraph)


def _entries(title: str, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f".SH {title}"
    for name, meaning in entries:
        yield from _entry(rf"\fB{_escaped(name)}\fR", meaning)


def _entry(name: str, meaning: str) -> Iterator[str]:
    yield from (".TP", name)
    yield from _wrapped(meaning)


def _wrapped(text: str) -> list[str]:
    """Short lines, as roff is kept; it fills them itself."""
    return textwrap.wrap(_escaped(text), 78, break_on_hyphens=False)


_ROFF = str.maketrans(
    {
        "\\": r"\e",
        "-": r"\-",
        "'": r"\(aq",
        '"': r"\(dq",
        "`": r"\(ga",
        "^": r"\(ha",
        "~": r"\(ti",
    }
)


def _escaped(text: str) -> str:
    """The text itself, whatever roff would make of it; also where a line begins."""
    return re.sub(r"(?<!\S)\.", r"\\&.", text.translate(_ROFF))
