"""From the command line to an engine, a front end and an exit code.

Everything heavy is imported when it is needed: `--version` loads no engine, and
a stream no screen. Nothing but bytes of files ever goes to standard output.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from hydratui import __version__

if TYPE_CHECKING:
    from engine import Config, Engine, JobSpec

USAGE = 2
BUG = 1
READER_GONE = 141
MIXED = 8
WORST_FIRST = (BUG, READER_GONE, 6, 5)
"""Which code wins where several jobs failed; among others, a difference is `MIXED`."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    _hold_descriptors()
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        if args.debug:
            raise
        return _complain(error)
    finally:
        _settle_messages()


def exit_code(error: BaseException) -> int:
    """The one table of what each kind of failure ends with."""
    import engine

    table: tuple[tuple[type[BaseException], int], ...] = (
        (engine.UsageError, USAGE),
        (engine.NetworkError, 3),
        (engine.RefusedError, 4),
        (engine.IntegrityError, 5),
        (engine.ChangedError, 6),
        (engine.LocalError, 7),
        (engine.ReaderGoneError, READER_GONE),
    )
    return next((code for kind, code in table if isinstance(error, kind)), BUG)


def worst(codes: Iterable[int]) -> int:
    """One code for several jobs."""
    failed = {code for code in codes if code}
    for code in WORST_FIRST:
        if code in failed:
            return code
    return MIXED if len(failed) > 1 else next(iter(failed), 0)


def _hold_descriptors() -> None:
    """Where 0, 1 or 2 is closed, nothing of ours may be opened in its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.__stderr__ is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _settle_messages() -> None:
    """What could not be written is forgotten: at exit it would change the code."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


# -- what was typed ------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"hydra-tui: {message}; see hydra-tui --help\n")


def _parser() -> argparse.ArgumentParser:
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
    return parser


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


def _config(args: argparse.Namespace) -> Config:
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


def _specs(args: argparse.Namespace, urls: list[str]) -> list[JobSpec]:
    from engine import JobSpec, UsageError, check_url, parse_digest

    if len(urls) > 1 and (args.name or args.checksum):
        option = "--name" if args.name else "--checksum"
        raise UsageError(f"{option} is for one URL, but there are {len(urls)}")
    for url in urls:
        check_url(url)
    digest = parse_digest(args.checksum, args.typehash) if args.checksum else None
    return [JobSpec(url, name=args.name, checksum=digest) for url in urls]


def _urls(args: argparse.Namespace) -> list[str]:
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


# -- what is run -----------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    from engine import UsageError

    config = _config(args)
    urls = _urls(args)
    if args.stream:
        _check_output(force=args.force)
    if not urls and not args.demo:
        raise UsageError("no URL given; try hydra-tui --demo")
    specs = _specs(args, urls)
    front_end = _front_end(args)
    if args.demo:
        return _until_signal(_demo(args, config, front_end))
    return _until_signal(front_end(config, specs))


def _check_output(*, force: bool) -> None:
    from engine import LocalError, UsageError

    if sys.__stdout__ is None:
        raise LocalError("standard output is closed")
    if sys.stdout.isatty() and not force:
        raise UsageError("standard output is a terminal; --force writes there anyway")


FrontEnd = Callable[["Config", "list[JobSpec]"], Coroutine[Any, Any, int]]


def _front_end(args: argparse.Namespace) -> FrontEnd:
    if args.stream:
        return lambda config, specs: _stream(config, specs, quiet=args.quiet)
    keys = sys.__stdin__ is not None and sys.stdin.isatty()
    terminal = keys and sys.__stderr__ is not None and sys.stderr.isatty()
    if args.no_ui or args.quiet or not terminal or os.environ.get("TERM") == "dumb":
        return lambda config, specs: _plain(config, specs, quiet=args.quiet)
    return _app


async def _demo(args: argparse.Namespace, config: Config, front_end: FrontEnd) -> int:
    from dataclasses import replace
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from engine import Digest, JobSpec
    from engine.testing import demo_origin

    with TemporaryDirectory(prefix="hydra-tui-demo-") as folder:
        if args.output is None:
            config = replace(config, output=Path(folder))
        async with demo_origin() as origin:
            files = list(origin.resources.items())[: 1 if args.stream else None]
            specs = [
                JobSpec(
                    origin.url(path),
                    checksum=Digest("sha256", resource.content.digest("sha256")),
                )
                for path, resource in files
            ]
            return await front_end(config, specs)


async def _stream(config: Config, specs: list[JobSpec], *, quiet: bool) -> int:
    from engine import Engine
    from hydratui.plain import report

    async with Engine(config) as engine, report(engine, sys.stderr, quiet=quiet):
        await engine.pipe(specs, sys.stdout.fileno())
    return 0


async def _plain(config: Config, specs: list[JobSpec], *, quiet: bool) -> int:
    from engine import Engine
    from hydratui.plain import report

    async with Engine(config) as engine:
        jobs = [engine.add(spec) for spec in specs]
        async with report(engine, sys.stderr, quiet=quiet):
            return worst([await _outcome(engine, job) for job in jobs])


async def _outcome(engine: Engine, job: int) -> int:
    from engine import HydraError

    try:
        await engine.wait(job)
    except HydraError as error:
        return _complain(error)
    return 0


async def _app(config: Config, specs: list[JobSpec]) -> int:
    from engine import Engine
    from hydratui.app import HydraApp

    async with Engine(config) as engine:
        for spec in specs:
            engine.add(spec)
        app = HydraApp(engine)
        await app.run_async()
        return app.return_code if app.return_code is not None else 128 + signal.SIGINT


def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end, or until a signal that was not ignored when we started."""
    import asyncio

    received: list[int] = []

    async def guarded() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def stop(number: int) -> None:
            if received:
                os._exit(128 + number)
            received.append(number)
            task.cancel()

        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]


def _complain(error: BaseException) -> int:
    """One line on standard error, without styles or control characters."""
    from hydratui.text import safe

    code = exit_code(error)
    if code != READER_GONE:
        about = getattr(error, "about", "")
        kind = f"unexpected {type(error).__name__}" if code == BUG else ""
        line = ": ".join(filter(None, ("hydra-tui", about, kind, str(error))))
        with suppress(OSError):  # nobody is there to be told
            print(safe(line), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
