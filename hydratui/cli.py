"""From the command line to an engine, a front end and an exit code.

Everything heavy is imported when it is needed: `--version` loads no engine, and
a stream no screen. Nothing but bytes of files ever goes to standard output.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hydratui import options
from hydratui.exit_codes import BUG, READER_GONE, exit_code, worst

if TYPE_CHECKING:
    from engine import Engine, JobSpec, Store
    from hydratui.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    _hold_descriptors()
    args = options.parse(argv)
    debug = args.debug is not None
    try:
        settings = options.settings_of(args)
        debug = settings.is_on("debug")
        return _run(args, settings)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        if debug:
            raise
        return _complain(error)


def _hold_descriptors() -> None:
    """Where 0, 1 or 2 is closed, nothing of ours may be opened in its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.__stderr__ is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


# -- what is run -----------------------------------------------------------------


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from engine import UsageError

    if args.print_config:
        return _print_config(settings)
    specs = options.specs_of(settings, args.url)
    if settings.is_on("stream"):
        _check_output(force=settings.is_on("force"))
    front_end = _front_end(settings)
    if args.demo:
        shown = _on_screen if front_end is _app else front_end
        return _until_signal(_demo(settings, shown))
    if not specs and front_end is not _app:
        raise UsageError("no URL given; try hydra-tui --demo")
    return _until_signal(front_end(settings, specs))


def _print_config(settings: Settings) -> int:
    from hydratui.settings import printed

    try:
        print(*printed(settings), sep="\n", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains
        return READER_GONE
    return 0


def _check_output(*, force: bool) -> None:
    from engine import LocalError, UsageError

    if sys.__stdout__ is None:
        raise LocalError("standard output is closed")
    if sys.stdout.isatty() and not force:
        raise UsageError("standard output is a terminal; --force writes there anyway")


FrontEnd = Callable[["Settings", "list[JobSpec]"], Coroutine[Any, Any, int]]


def _front_end(settings: Settings) -> FrontEnd:
    if settings.is_on("stream"):
        return _stream
    terminal = sys.__stderr__ is not None and sys.stderr.isatty()
    plain = settings.is_on("no-ui") or settings.is_on("quiet")
    if plain or not terminal or os.environ.get("TERM") == "dumb":
        return _plain
    return _app if _take_keyboard(settings) else _plain


def _take_keyboard(settings: Settings) -> bool:
    """See that keys are read from a terminal, even if a list came by their way."""
    if sys.__stdin__ is None:
        return False
    if settings.text("input") == "-" and not sys.stdin.isatty():
        with suppress(OSError), open("/dev/tty", "rb", buffering=0) as keyboard:  # noqa: PTH123
            os.dup2(keyboard.fileno(), 0)
    return sys.stdin.isatty()


async def _demo(settings: Settings, front_end: FrontEnd) -> int:
    from dataclasses import replace
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from engine import Digest, JobSpec
    from engine.testing import demo_origin
    from hydratui.settings import Layer

    with TemporaryDirectory(prefix="hydra-tui-demo-") as folder:
        if settings.sources["output"].layer is not Layer.TYPED:
            there = replace(settings.config, output=Path(folder))
            settings = settings._replace(config=there)
        async with demo_origin() as origin:
            files = list(origin.resources.items())
            if settings.is_on("stream"):
                del files[1:]
            specs = [
                JobSpec(
                    origin.url(path),
                    checksum=Digest("sha256", resource.content.digest("sha256")),
                )
                for path, resource in files
            ]
            return await front_end(settings, specs)


async def _stream(settings: Settings, specs: list[JobSpec]) -> int:
    from engine import Engine
    from hydratui.plain import report

    engine, quiet = Engine(settings.config), settings.is_on("quiet")
    async with engine, report(engine, sys.stderr, quiet=quiet):
        await engine.pipe(specs, sys.stdout.fileno())
    return 0


async def _plain(settings: Settings, specs: list[JobSpec]) -> int:
    from engine import Engine
    from hydratui.plain import report

    quiet = settings.is_on("quiet")
    async with Engine(settings.config) as engine:
        for spec in specs:
            engine.add(spec)
        async with report(engine, sys.stderr, quiet=quiet):
            return worst(await _outcomes(engine))


async def _outcomes(engine: Engine) -> list[int]:
    """Of all jobs, and of those that a Metalink among them turned out to stand for."""
    codes: dict[int, int] = {}
    while left := {job.id for job in engine.snapshot().jobs} - codes.keys():
        for job in sorted(left):
            codes[job] = await _outcome(engine, job)
    return list(codes.values())


async def _outcome(engine: Engine, job: int) -> int:
    from engine import HydraError

    try:
        await engine.wait(job)
    except HydraError as error:
        return _complain(error)
    return 0


async def _app(settings: Settings, specs: list[JobSpec]) -> int:
    from engine import LocalError, QueueHeldError, default_path, open_store

    gc.disable()  # until the screen stands
    try:
        store = open_store(default_path())
    except QueueHeldError:
        if not specs:
            raise  # an empty queue is not what was asked for
        return await _on_screen(settings, specs, notice="private queue")
    except LocalError as error:
        notice = f"queue not saved: {error}"
        return await _on_screen(settings, specs, notice=notice)
    own, specs = _taken_over(settings, specs)
    return await _on_screen(own, specs, store, notice=store.note)


def _taken_over(
    settings: Settings, specs: list[JobSpec]
) -> tuple[Settings, list[JobSpec]]:
    """What was typed for these jobs stays theirs in the saved queue."""
    from dataclasses import replace

    from hydratui.settings import Layer

    config = settings.config
    if settings.sources["header"].layer is Layer.TYPED:
        own = config.headers
        specs = [replace(spec, headers=(*own, *spec.headers)) for spec in specs]
        settings = settings._replace(config=replace(config, headers=()))
    if settings.sources["threads"].layer is Layer.TYPED:
        specs = [replace(spec, threads=config.threads) for spec in specs]
    return settings, specs


async def _on_screen(
    settings: Settings,
    specs: list[JobSpec],
    store: Store | None = None,
    *,
    notice: str = "",
) -> int:
    from engine import Engine
    from hydratui.app import HydraApp

    async with Engine(settings.config, store) as engine:
        gc.freeze()  # a long queue is here for good, and takes long to look at
        app = HydraApp(engine, specs, settings=settings, notice=notice)
        await app.run_async(mouse=settings.is_on("mouse"))
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

    error = _alone(error)
    code = exit_code(error)
    if code != READER_GONE:
        about = getattr(error, "about", "")
        kind = f"unexpected {type(error).__name__}" if code == BUG else ""
        line = ": ".join(filter(None, ("hydra-tui", about, kind, str(error))))
        with suppress(OSError):  # nobody is there to be told
            print(safe(line), file=sys.stderr)
    return code


def _alone(error: BaseException) -> BaseException:
    """The error itself, where a group has nothing else in it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        [error] = error.exceptions
    return error


if __name__ == "__main__":
    sys.exit(main())
