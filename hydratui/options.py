"""The command line: what may be typed.

The options are those of the settings' table; here they become an argument parser,
and what was typed one layer of the settings. What is wrong is said in one line that
names the option, the value and what is allowed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NoReturn

from hydratui import __version__
from hydratui.exit_codes import USAGE
from hydratui.kinds import Lines, Switch
from hydratui.settings import Settings, load
from hydratui.table import BY_NAME, OPTIONS, Option

if TYPE_CHECKING:
    from engine import JobSpec, UsageError

_WIDEST = 30
"""Columns for the options in the help; their meaning stands behind them."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"hydra-tui: {message}; see hydra-tui --help\n")


class _Version(argparse.Action):
    """Argparse's own loads what it takes to lay out help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser._print_message(f"hydra-tui {__version__}\n", sys.stdout)
        parser.exit()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was typed, as text; exits with 2 where it makes no sense."""
    parser = _Parser(
        prog="hydra-tui",
        description="Many connections to one file, in order, in bounded memory.",
        add_help=False,
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(
            prog, max_help_position=_WIDEST
        ),
    )
    what = parser.add_argument_group("what")
    what.add_argument("url", nargs="*", metavar="URL", help="one or many")
    for group, options in groupby(OPTIONS, key=lambda option: option.group):
        section = parser.add_argument_group(group.lower())
        for option in options:
            if option.typed:
                _add(section, option)
    _add_commands(parser)
    return parser.parse_args(argv)


def _add(section: argparse._ArgumentGroup, option: Option) -> None:
    names = [option.short, option.flag] if option.short else [option.flag]
    if isinstance(option.kind, Switch):
        section.add_argument(
            *names, action="store_const", const="true", help=option.help
        )
        if option.off:
            _add_opposite(section, option)
    else:
        section.add_argument(
            *names,
            metavar=option.metavar,
            action="append" if isinstance(option.kind, Lines) else "store",
            help=_meaning(option),
        )


def _add_opposite(section: argparse._ArgumentGroup, option: Option) -> None:
    section.add_argument(
        *(option.off, option.opposite),
        dest=option.name,
        action="store_const",
        const="false",
        help=f"do not {option.help}",
    )


def _meaning(option: Option) -> str:
    allowed = f": {option.kind.allowed}" if option.kind.allowed else ""
    default = f" ({option.default})" if option.default else ""
    return (option.help + allowed + default).replace("%", "%%")


def _add_commands(parser: argparse.ArgumentParser) -> None:
    """What is asked of one run, and cannot be set for all."""
    add = parser.add_argument_group("this run").add_argument
    add(
        "--demo",
        action="store_true",
        help="download from an origin it starts itself, into a folder it removes",
    )
    add("--config", metavar="FILE", help="another config.toml, which must be there")
    add(
        "--print-config",
        action="store_true",
        help="print the settings, each with where it comes from",
    )
    add("-h", "--help", action="help", help="show this help")
    add("-v", "--version", action=_Version, nargs=0, help="show the version")


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
    for name in _FOR_ONE:
        if len(specs) > 1 and settings.text(name):
            place = settings.sources[name].place
            raise _usage(f"{place} is for one URL, but there are {len(specs)}")
    return [_with_typed(settings, spec) for spec in specs]


_FOR_ONE = ("name", "checksum", "mirror")


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
