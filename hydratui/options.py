"""The command line: what may be typed.

The options are those of the settings' table; here they become an argument parser,
and what was typed one layer of the settings. What is wrong is said in one line that
names the option, the value and what is allowed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NoReturn

from hydratui import __version__
from hydratui.kinds import Headers, Switch
from hydratui.settings import OPTIONS, Option, Settings, load

if TYPE_CHECKING:
    from engine import JobSpec

USAGE = 2
"""The exit code of everything that is wrong with what was typed."""

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
    else:
        section.add_argument(
            *names,
            metavar=option.metavar,
            action="append" if isinstance(option.kind, Headers) else "store",
            help=_meaning(option),
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
    assert isinstance(option.kind, Headers)
    try:
        return option.kind.joined(given)
    except ValueError as error:
        raise UsageError(f"{option.flag}: {error}") from None


def specs_of(settings: Settings, urls: list[str]) -> list[JobSpec]:
    from engine import JobSpec, UsageError, check_url, parse_digest

    name, checksum = settings.text("name"), settings.text("checksum")
    if len(urls) > 1 and (name or checksum):
        one = "name" if name else "checksum"
        place = settings.sources[one].place
        raise UsageError(f"{place} is for one URL, but there are {len(urls)}")
    for url in urls:
        check_url(url)
    digest = None
    if checksum:
        try:
            digest = parse_digest(checksum, settings.text("typehash"))
        except UsageError as error:
            raise settings.wrong("checksum", str(error)) from None
    return [JobSpec(url, name=name or None, checksum=digest) for url in urls]


def urls_of(settings: Settings, typed: list[str]) -> list[str]:

    listed = settings.text("input")
    if not listed:
        return list(typed)
    stdin = listed == "-"
    try:
        with open(
            0 if stdin else os.path.expanduser(listed),  # noqa: PTH111
            encoding="utf-8-sig",
            closefd=not stdin,
        ) as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        reason = str(error.strerror)
    except ValueError:
        reason = "it is not text"
    else:
        return [*typed, *(x for x in lines if x and not x.startswith("#"))]
    raise settings.wrong("input", f"{listed}: {reason}")
