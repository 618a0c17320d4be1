"""To whom a run is told: a voice on standard error, and a log file.

What was typed decides on the voice until all settings are known. Only one speaks:
text, JSON Lines, or next to nothing. `--version` loads this too, so whoever is told
is imported when there is something to tell.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from hydratui import __version__
from hydratui.kinds import Switch
from hydratui.settings import Layer, Settings
from hydratui.table import OPTIONS

if TYPE_CHECKING:
    from engine import Engine
    from hydratui.log_file import LogFile
    from hydratui.reporters import Reporter

_VOICES = ("json", "quiet")
"""The options that choose another one than text."""


class Telling:
    """Of one run, from its command line to its exit code."""

    def __init__(self) -> None:
        self._tongue = ""
        self._is_traced = False
        self._log: LogFile | None = None
        self.problem = ""
        """What is wrong with the log file, if anything is."""

    def guess(self, args: Namespace) -> None:
        """Take what was typed for what will hold."""
        self._tongue = next((one for one in _VOICES if getattr(args, one)), "")
        self._is_traced = bool(args.debug)

    def settle(self, settings: Settings) -> None:
        """All settings are known: where two layers disagree the stronger one decides."""
        wanted = [name for name in _VOICES if settings.is_on(name)]
        layers = list(Layer)
        self._tongue = max(
            wanted,
            key=lambda name: layers.index(settings.sources[name].layer),
            default="",
        )
        self._is_traced = settings.is_on("debug")

    @property
    def is_text(self) -> bool:
        """Whether what it says is for people."""
        return not self._tongue

    @cached_property
    def _voice(self) -> Reporter:
        if self._tongue == "json":
            from hydratui.json_lines import JsonLines

            return JsonLines(sys.stderr)
        from hydratui.plain import Plain, Quiet

        return Quiet(sys.stderr) if self._tongue == "quiet" else Plain(sys.stderr)

    def begin(self, settings: Settings, urls: Sequence[str]) -> None:
        """Begin the log file, if that can be."""
        from engine import LocalError
        from hydratui.log_file import LogFile, log_folder

        try:
            self._log = LogFile(log_folder())
        except LocalError as error:
            self.problem = f"no log file: {error}"
        else:
            self._log.begin(f"{__version__}: {_command_line(settings, urls)}")

    def remind(self, settings: Settings) -> None:
        """Warn of what holds for a run without a screen."""
        if settings.is_on("insecure"):
            self.warn("certificates are not verified (--insecure)")
        if self.problem:
            self.warn(self.problem)

    @asynccontextmanager
    async def of(self, engine: Engine, *, aloud: bool = True) -> AsyncGenerator[None]:
        """Tell of an engine; with `aloud` off, on a screen, only the log is told."""
        from hydratui.reporters import report

        if self._is_traced and self._log is not None:
            engine.set_trace(self._log.trace)
        async with report(engine, self._all if aloud else self._silent):
            yield

    def warn(self, text: str) -> None:
        """Tell people something before it begins."""
        for reporter in self._all:
            reporter.warn(text)

    def fail(self, error: BaseException) -> int:
        """Tell what went wrong; its exit code."""
        from hydratui.reporters import failure_of

        failure = failure_of(error, traced=self._is_traced)
        for reporter in self._all:
            reporter.fail(failure)
        return failure.code

    def end(self, code: int) -> int:
        """Tell that it is over; the exit code."""
        for reporter in self._all:
            reporter.end(code)
        return code

    @property
    def _all(self) -> list[Reporter]:
        return [self._voice, *self._silent]

    @property
    def _silent(self) -> list[Reporter]:
        return [] if self._log is None else [self._log]


def _command_line(settings: Settings, urls: Sequence[str]) -> str:
    """What was typed, without secrets."""
    from shlex import join

    from engine import mask

    shown = (mask(url) if "://" in url else url for url in urls)
    return join(["hydra-tui", *_options(settings), *shown])


def _options(settings: Settings) -> Iterator[str]:
    for option in OPTIONS:
        source = settings.sources[option.name]
        if source.layer is Layer.TYPED:
            yield source.place
            if not isinstance(option.kind, Switch):
                yield option.kind.masked(source.text)
