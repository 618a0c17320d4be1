"""The command line: what may be typed.

The options are those of the settings' table; here they become an argument parser,
and what was typed one layer of the settings. What is wrong is said in one line that
names the option, the value and what is allowed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from hydratui import __version__
from hydratui.exit_codes import READER_GONE, USAGE
from hydratui.kinds import Lines, Switch
from hydratui.settings import Layer, Settings, load
from hydratui.table import BY_NAME, OPTIONS, RUN, TYPED, Option

if TYPE_CHECKING:
    from engine import JobSpec, UsageError


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"hydra-tui: {message}; see hydra-tui --help\n")


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Argparse wants one for each option, and then a library to see how wide."""
    return argparse.HelpFormatter(prog, width=80)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was typed, as text; exits with 2 where it makes no sense."""
    parser = _Parser(
        prog="hydra-tui",
        add_help=False,
        allow_abbrev=False,
        formatter_class=_formatter,
    )
    parser.add_argument("url", nargs="*", metavar="URL")
    for option in TYPED:
        _add(parser, option)
    return parser.parse_args(argv)


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    names = [option.short, option.flag] if option.short else [option.flag]
    is_switch = isinstance(option.kind, Switch)
    if option.name in _TEXTS:
        nargs = 0 if is_switch else None
        parser.add_argument(*names, action=_Print, nargs=nargs, metavar=option.metavar)
    elif is_switch:
        _add_switch(parser, option, names)
    else:
        action = "append" if isinstance(option.kind, Lines) else "store"
        parser.add_argument(*names, action=action, metavar=option.metavar)


def _add_switch(
    parser: argparse.ArgumentParser, option: Option, names: list[str]
) -> None:
    parser.add_argument(*names, action="store_const", const="true")
    if option.off:
        parser.add_argument(
            *(option.off, option.opposite),
            dest=option.name,
            action="store_const",
            const="false",
        )


# -- what is only printed --------------------------------------------------------


class _Print(argparse.Action):
    """Prints a text and ends, as soon as it is met: whatever else is typed."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _: argparse.Namespace,
        values: object,
        *__: object,
    ) -> None:
        word = values if isinstance(values, str) else ""
        [option] = (option for option in RUN if option.name == self.dest)
        if word:
            try:
                option.kind.parse(word)
            except ValueError as error:
                parser.error(f"{option.flag} {word}: {error}")
        sys.exit(show(_TEXTS[option.name](word)))


def show(text: str) -> int:
    """Write a text to standard output; the exit code.

    Raises LocalError where it cannot be written for another reason than that its
    reader has gone.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _forget_output()
        return READER_GONE
    except OSError as error:
        from engine import LocalError

        _forget_output()
        raise LocalError(f"standard output: {error.strerror}") from None
    return 0


def _forget_output() -> None:
    """The interpreter tries once more at its end, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _completion(shell: str) -> str:
    from hydratui.completion import script

    return script(shell)


def _manual(_: str) -> str:
    from hydratui.manual import manual

    return manual()


def _help(_: str) -> str:
    from shutil import get_terminal_size

    from hydratui.manual import short_help

    return short_help(get_terminal_size().columns)


def _version(_: str) -> str:
    return f"hydra-tui {__version__}"


_TEXTS: dict[str, Callable[[str], str]] = {
    "completion": _completion,
    "man": _manual,
    "help": _help,
    "version": _version,
}
"""By option, what it prints."""


# -- what was typed, as settings and as jobs -------------------------------------


def settings_of(args: argparse.Namespace) -> Settings:
    """What was typed, over what the environment and the file say."""
    typed = {
        option.name: _text(option, given)
        for option in OPTIONS
        if (given := getattr(args, option.name.replace("-", "_"), None)) is not None
    }
    return load(typed, file=args.config)


def _text(option: Option, given: str | list[str]) -> str:
    from engine import UsageError

    if isinstance(given, str):
        return given
    assert isinstance(option.kind, Lines)
    try:
        return option.kind.joined(given)
    except ValueError as error:
        raise UsageError(f"{option.flag}: {error}") from None


def specs_of(settings: Settings, typed: Sequence[str]) -> list[JobSpec]:
    """What is to be fetched: the URLs and Metalink files typed, then the list."""
    from hydratui.lists import specs_of_list, specs_of_words

    output = settings.config.output
    specs = specs_of_words(typed, output)
    listed = settings.text("input")
    if listed:
        try:
            specs += specs_of_list(listed, output)
        except ValueError as error:
            raise settings.wrong("input", str(error)) from None
    if listed and not specs:
        raise settings.wrong("input", f"{listed}: no URL in it")
    for name in _FOR_ONE:
        if settings.text(name):
            _check_for_one(settings, name, len(specs))
    return [_with_typed(settings, spec) for spec in specs]


_FOR_ONE = ("name", "checksum", "mirror")


def _check_for_one(settings: Settings, name: str, count: int) -> None:
    is_typed = settings.sources[name].layer is Layer.TYPED
    if count > 1 or (is_typed and not count):
        there = f"there are {count}" if count else "there is none"
        raise _usage(f"{settings.place(name)} is for one URL, but {there}")


def _with_typed(settings: Settings, spec: JobSpec) -> JobSpec:
    """The job with what is said of it alone; what was typed goes first."""
    from dataclasses import replace

    from engine import UsageError, parse_digest

    name, checksum = settings.text("name"), settings.text("checksum")
    if name:
        spec = replace(spec, name=name)
    if checksum:
        try:
            digest = parse_digest(checksum, settings.text("typehash"))
        except UsageError as error:
            raise settings.wrong("checksum", str(error)) from None
        spec = replace(spec, checksum=digest)
    mirrors = BY_NAME["mirror"].parse(settings.text("mirror"))
    assert isinstance(mirrors, tuple)
    return replace(spec, mirrors=(*mirrors, *spec.mirrors)) if mirrors else spec


def _usage(message: str) -> UsageError:
    from engine import UsageError

    return UsageError(message)
