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

from hydratui import conflicts, options
from hydratui.exit_codes import READER_GONE, worst
from hydratui.telling import Telling

if TYPE_CHECKING:
    from engine import Engine, HydraError, JobSpec, Ledger, Store
    from hydratui.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    _hold_descriptors()
    telling = Telling()
    try:
        args = options.parse(argv)
        telling.guess(args)
        settings = options.settings_of(args)
        if args.print_config:
            return _print_config(settings)
        telling.settle(settings)
        code = _run(args, settings, telling)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        code = telling.fail(error)
    return telling.end(code)


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


def _run(args: argparse.Namespace, settings: Settings, telling: Telling) -> int:
    from engine import UsageError

    conflicts.check(settings, demo=bool(args.demo), urls=args.url)
    _invite(settings, telling)
    specs = options.specs_of(settings, args.url)
    front_end = _front_end(settings)
    if front_end is _stream:
        _check_output(force=settings.is_on("force"))
    if not specs and front_end is not _app and not args.demo:
        raise UsageError("no URL given; try hydra-tui --demo")
    if front_end is not _dry_run:
        telling.begin(settings, args.url)
    if args.demo:
        unsaved: dict[FrontEnd, FrontEnd] = {_app: _on_screen, _plain: _headless}
        shown = unsaved.get(front_end, front_end)
        return _until_signal(_demo(settings, shown, telling))
    return _until_signal(front_end(settings, specs, telling))


def _invite(settings: Settings, telling: Telling) -> None:
    """Tell who types a list that it is awaited, and how it ends."""
    typed = sys.__stdin__ is not None and sys.stdin.isatty()
    if settings.text("input") == "-" and typed and telling.is_text:
        _say("a URL a line, then ctrl+d")


def _print_config(settings: Settings) -> int:
    from hydratui.settings import printed

    return options.show("\n".join(printed(settings)))


def _check_output(*, force: bool) -> None:
    from engine import LocalError, UsageError

    if sys.__stdout__ is None:
        raise LocalError("standard output is closed")
    if sys.stdout.isatty() and not force:
        raise UsageError("standard output is a terminal; --force writes there anyway")


FrontEnd = Callable[["Settings", "list[JobSpec]", Telling], Coroutine[Any, Any, int]]


def _front_end(settings: Settings) -> FrontEnd:
    if settings.is_on("dry-run"):
        return _dry_run
    if settings.is_on("stream"):
        return _stream
    terminal = sys.__stderr__ is not None and sys.stderr.isatty()
    plain = any(map(settings.is_on, ("no-ui", "quiet", "json")))
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


async def _demo(settings: Settings, front_end: FrontEnd, telling: Telling) -> int:
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
            return await front_end(settings, specs, telling)


async def _stream(settings: Settings, specs: list[JobSpec], telling: Telling) -> int:
    from engine import Engine

    telling.remind(settings)
    async with Engine(settings.config) as engine, telling.of(engine):
        await engine.pipe(specs, sys.stdout.fileno())
    return 0


async def _dry_run(settings: Settings, specs: list[JobSpec], telling: Telling) -> int:
    from engine import Engine, HydraError
    from hydratui.dry_run import Looked, look_at_all, written

    as_json = settings.is_on("json")
    codes: list[int] = []

    def tell(found: Looked) -> bool:
        if isinstance(found, HydraError):
            codes.append(telling.fail(found))
        else:
            shown = (written(one, as_json=as_json) for one in found)
            codes.extend(map(options.show, shown))
        return READER_GONE not in codes

    telling.remind(settings)
    async with Engine(settings.config, ledger=_ledger(telling)) as engine:
        await look_at_all(engine, specs, tell, to_disk=not settings.is_on("stream"))
    return worst(codes)


async def _plain(settings: Settings, specs: list[JobSpec], telling: Telling) -> int:
    return await _headless(settings, specs, telling, _ledger(telling))


def _ledger(telling: Telling) -> Ledger | None:
    """What was completed here; nothing, where that cannot be known."""
    from engine import LocalError, ledger_path, open_ledger

    try:
        return open_ledger(ledger_path())
    except LocalError as error:
        telling.warn(f"what is completed is not written down: {error}")
        return None


async def _headless(
    settings: Settings,
    specs: list[JobSpec],
    telling: Telling,
    ledger: Ledger | None = None,
) -> int:
    from engine import Engine

    telling.remind(settings)
    engine = Engine(settings.config, ledger=ledger)
    async with engine, telling.of(engine):
        for spec in specs:
            engine.add(spec)
        errors = await _errors(engine)
    return worst([telling.fail(error) for error in errors])


async def _errors(engine: Engine) -> list[HydraError]:
    """Of all jobs, and of those that a Metalink among them turned out to stand for."""
    errors: dict[int, HydraError | None] = {}
    while left := {job.id for job in engine.snapshot().jobs} - errors.keys():
        for job in sorted(left):
            errors[job] = await _error(engine, job)
    return [error for error in errors.values() if error is not None]


async def _error(engine: Engine, job: int) -> HydraError | None:
    from engine import HydraError

    try:
        await engine.wait(job)
    except HydraError as error:
        return error
    return None


async def _app(settings: Settings, specs: list[JobSpec], telling: Telling) -> int:
    from engine import LocalError, QueueHeldError, default_path, open_store

    gc.disable()  # until the screen stands
    store, notice = None, ""
    try:
        store = open_store(default_path())
        notice = store.note
    except QueueHeldError:
        if not specs:
            raise  # an empty queue is not what was asked for
        notice = "private queue"
    except LocalError as error:
        notice = f"queue not saved: {error}"
    if store is not None:
        settings, specs = _taken_over(settings, specs)
    ledger = _ledger(telling)
    return await _on_screen(
        settings, specs, telling, store, ledger=ledger, notice=notice
    )


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
    if (user := config.user) and settings.sources["user"].layer is Layer.TYPED:
        specs = [replace(spec, url=user.within(spec.url)) for spec in specs]
        settings = settings._replace(config=replace(settings.config, user=None))
    if settings.sources["threads"].layer is Layer.TYPED:
        specs = [replace(spec, threads=config.threads) for spec in specs]
    return settings, specs


async def _on_screen(
    settings: Settings,
    specs: list[JobSpec],
    telling: Telling,
    store: Store | None = None,
    *,
    ledger: Ledger | None = None,
    notice: str = "",
) -> int:
    from engine import Engine
    from hydratui.app import HydraApp

    notice = notice or telling.problem.partition(":")[0]  # there is little room
    engine = Engine(settings.config, store, ledger=ledger)
    async with engine, telling.of(engine, aloud=False):
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


def _say(text: str) -> None:
    """A line on standard error, without styles or control characters."""
    from hydratui.text import safe

    with suppress(OSError):  # nobody is there to be told
        print(safe(f"hydra-tui: {text}"), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
