"""The options: what may be typed, and what it means to an engine.

Values stay text until an engine is wanted: help and version load nothing heavy.
What is wrong with one is said in one line that names the option, the value and
what is allowed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from hydratui import __version__

if TYPE_CHECKING:
    from engine import Config, JobSpec, OnConflict

USAGE = 2
"""The exit code of everything that is wrong with what was typed."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"hydra-tui: {message}; see hydra-tui --help\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was typed, as text; exits with 2 where it makes no sense."""
    parser = _Parser(
        prog="hydra-tui",
        description="Many connections to one file, in order, in bounded memory.",
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, 30, 96),
    )
    _add_what(parser)
    _add_how(parser)
    _add_network(parser)
    _add_front_end(parser)
    return parser.parse_args(argv)


def _add_what(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what").add_argument
    add("url", nargs="*", metavar="URL", help="what to download")
    add("-i", "--input", metavar="FILE", help="a list of URLs, - for standard input")
    add("-o", "--output", metavar="DIR", help="where files go (download/)")
    add("-O", "--name", metavar="FILE", help="file name, for one URL")
    add(
        "-s", "--stream", action="store_true", help="bytes to standard output, in order"
    )
    add("--checksum", metavar="HEX", help="expected digest, or ALGO:HEX, for one URL")
    add("-th", "--typehash", metavar="ALGO", default="md5", help="of --checksum (md5)")
    add(
        "--demo",
        action="store_true",
        help="download from an origin it starts itself, into a folder it removes",
    )


def _add_how(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how").add_argument
    add(
        "-t",
        "--threads",
        metavar="N",
        help="most connections for one file, 1-128 (auto)",
    )
    add("--jobs", metavar="N", help="files at the same time, 1-16 (auto)")
    add(
        "-l",
        "--limit",
        metavar="RATE",
        help="bytes per second in all: 20M, or 10 for 10M",
    )
    add(
        "-b",
        "--buffer",
        metavar="MB",
        help="most memory a stream may hold, in MiB (64)",
    )
    add(
        "--min-chunk-mb",
        metavar="MB",
        help="smallest range on disk downloads, in MiB (1)",
    )
    add("--stream-chunk-mb", metavar="MB", help="largest range of a stream, in MiB (5)")
    add(
        "--on-conflict",
        metavar="HOW",
        help="if another file has the name: rename (default), overwrite, skip, fail",
    )
    add("--restart", action="store_true", help="begin anew instead of resuming")
    add(
        "--url-command",
        metavar="CMD",
        help="prints a fresh URL when the one in $HYDRA_TUI_URL has expired",
    )
    add("--give-up-after", metavar="S", help="seconds without progress (300)")
    add("--stall-timeout", metavar="S", help="seconds of silence on a connection (10)")
    add("--connect-timeout", metavar="S", help="seconds (15)")


def _add_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("network").add_argument
    add(
        "-H",
        "--header",
        metavar="'K: V'",
        action="append",
        default=[],
        help="repeatable",
    )
    add("-B", "--browser", metavar="NAME", help="TLS fingerprint, or none (chrome120)")
    add(
        "--cacert", metavar="FILE", help="certificates to trust instead of the system's"
    )
    add("--insecure", action="store_true", help="do not verify certificates")


def _add_front_end(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("front end").add_argument
    add("-nu", "--no-ui", action="store_true", help="plain text on standard error")
    add(
        "-q",
        "--quiet",
        action="store_true",
        help="nothing on standard error but errors",
    )
    add("--force", action="store_true", help="write a stream to a terminal")
    add("-d", "--debug", action="store_true", help="tracebacks")
    version = f"hydra-tui {__version__}"
    add("-v", "--version", action="version", version=version)


def config_of(args: argparse.Namespace) -> Config:
    from pathlib import Path

    from engine import Config

    typed: dict[str, Any] = {
        "threads": _number("--threads", args.threads, int),
        "jobs": _number("--jobs", args.jobs, int),
        "limit": _size("--limit", args.limit, "M"),
        "buffer": _size("--buffer", args.buffer, "Mi"),
        "min_chunk": _size("--min-chunk-mb", args.min_chunk_mb, "Mi"),
        "stream_chunk": _size("--stream-chunk-mb", args.stream_chunk_mb, "Mi"),
        "give_up_after": _number("--give-up-after", args.give_up_after, float),
        "stall_timeout": _number("--stall-timeout", args.stall_timeout, float),
        "connect_timeout": _number("--connect-timeout", args.connect_timeout, float),
        "output": Path(args.output) if args.output else None,
        "cacert": _readable("--cacert", args.cacert),
        "headers": tuple(map(_header, args.header)),
        "insecure": args.insecure,
        "on_conflict": _conflict(args.on_conflict),
        "restart": args.restart,
        "url_command": args.url_command,
    }
    settings = {name: value for name, value in typed.items() if value is not None}
    if args.browser:
        settings["browser"] = None if args.browser == "none" else args.browser
    return Config(**settings)


def _number(
    option: str, text: str | None, kind: Callable[[str], float]
) -> float | None:
    from engine import UsageError

    if text is None or (text == "auto" and kind is int):
        return None
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{option} {text:.40}: a number is needed") from None


def _size(option: str, text: str | None, unit: str) -> int | None:
    from engine import UsageError, parse_size

    if text is None:
        return None
    try:
        return parse_size(text, unit)
    except ValueError as error:
        raise UsageError(f"{option} {text:.40}: {error}") from None
    except OverflowError:
        raise UsageError(f"{option} {text:.40}...: that is too much") from None


def _conflict(text: str | None) -> OnConflict | None:
    from engine import OnConflict, UsageError

    try:
        return None if text is None else OnConflict(text)
    except ValueError:
        known = ", ".join(OnConflict)
        raise UsageError(f"--on-conflict {text:.40}: it is one of {known}") from None


def _header(text: str) -> tuple[str, str]:
    from engine import UsageError

    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header {text!r}: it is written as 'Name: value'")
    return name.strip(), value.strip()


def _readable(option: str, name: str | None) -> Any:
    from pathlib import Path

    from engine import UsageError

    if name is not None and not os.access(name, os.R_OK):
        raise UsageError(f"{option} {name}: it cannot be read")
    return name and Path(name)


def specs_of(args: argparse.Namespace, urls: list[str]) -> list[JobSpec]:
    from engine import JobSpec, UsageError, check_url, parse_digest

    if len(urls) > 1 and (args.name or args.checksum):
        option = "--name" if args.name else "--checksum"
        raise UsageError(f"{option} is for one URL, but there are {len(urls)}")
    for url in urls:
        check_url(url)
    digest = parse_digest(args.checksum, args.typehash) if args.checksum else None
    return [JobSpec(url, name=args.name, checksum=digest) for url in urls]


def urls_of(args: argparse.Namespace) -> list[str]:
    from engine import UsageError

    if args.input is None:
        return list(args.url)
    stdin = args.input == "-"
    name = 0 if stdin else args.input
    try:
        with open(name, encoding="utf-8-sig", closefd=not stdin) as lines:
            listed = [line.strip() for line in lines]
    except OSError as error:
        raise UsageError(f"--input {args.input}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--input {args.input}: it is not text") from None
    return [*args.url, *(x for x in listed if x and not x.startswith("#"))]
