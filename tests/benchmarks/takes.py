"""One run of one program: started, measured, and what came out compared.

The clock stops when the last byte is where it was asked for; reading the output
back to compare its digest comes after that.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from tests.benchmarks.measure import Child, RunError, Usage
from tests.benchmarks.peers import Take
from tests.benchmarks.sites import Served

READER = 5_000_000
"""Bytes a second that the slow reader takes."""

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run took and gave."""

    wall: float
    cpu: float
    rss: float
    rate: float = math.nan
    """Bytes a second."""
    files: float = math.nan
    """Files a second."""
    first: float = math.nan
    """Seconds to the first byte."""
    textual: float = math.nan
    """Modules of Textual that were imported."""
    connections: float = math.nan
    """That it made."""
    refused: float = math.nan
    """Times it was told that it asks too much, with 429."""

    @classmethod
    def of(cls, usage: Usage) -> Sample:
        return cls(wall=usage.wall, cpu=usage.cpu, rss=usage.rss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command line, where it may write, and what must come out."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    litter: frozenset[str] = frozenset()
    """Files it writes there that nobody asked for."""
    served: Served
    patience: float
    """Seconds before it is given up."""
    seconds: float = math.inf
    """How long the slow reader reads."""

    def sample(self, take: Take) -> Sample:
        match take:
            case Take.DISK:
                return self._disk()
            case Take.PIPE:
                return self._pipe()
            case Take.FIRST:
                return self._first()
            case Take.SLOW:
                return self._slow()
            case Take.IMPORTS:
                return self._imports()
            case Take.VERSION:
                return self._version()

    def _disk(self) -> Sample:
        usage = self._quiet()
        found = filter(Path.is_file, self.folder.iterdir())
        files = [path for path in found if path.name not in self.litter]
        self._compare(map(_sha256, files))
        return self._counted(usage)

    def _pipe(self) -> Sample:
        output = self.folder / "stdout"
        with (
            FileIO(output, "w") as file,
            _pipe() as (out, into),
            self._spawn(("cat",), out, file) as cat,
            self._child(into) as child,
        ):
            into.close()
            usage = child.wait()
            cat.wait()
            wall = time.perf_counter() - child.started
        self._judge(usage)
        self._compare([_sha256(output)])
        return self._counted(replace(usage, wall=wall))

    def _first(self) -> Sample:
        digest = hashlib.sha256()
        with _pipe() as (out, into), self._child(into) as child:
            into.close()
            digest.update(out.read(1))
            first = time.perf_counter() - child.started
            while block := out.read(CHUNK):
                digest.update(block)
            usage = child.wait()
        self._judge(usage)
        self._compare([digest.hexdigest()])
        return replace(self._counted(usage), first=first)

    def _slow(self) -> Sample:
        """Read for a while; what was not waited for is not held against anybody."""
        digest, count = hashlib.sha256(), 0
        with _pipe() as (out, into), self._child(into) as child:
            into.close()
            while (now := time.perf_counter() - child.started) < self.seconds:
                block = out.read(CHUNK)
                if not block:
                    break
                digest.update(block)
                count += len(block)
                time.sleep(max(count / READER - now, 0))  # the reader that is slow
            else:
                child.send(signal.SIGKILL)
            usage = child.wait()
        if now < self.seconds:
            self._judge(usage)
            self._compare([digest.hexdigest()])
        if digest.hexdigest() != self.served.beginning(count):
            raise RunError(f"wrong bytes among the first {count:,}")
        return replace(Sample.of(usage), rate=count / usage.wall)

    def _imports(self) -> Sample:
        told = {**self.environment, "PYTHONPROFILEIMPORTTIME": "1"}
        sample = replace(self, environment=told)._pipe()
        modules = re.findall(
            r"(?m)^import time:.*\| +([\w.]+)$", self._errors.read_text()
        )
        if "asyncio" not in modules:
            raise RunError("nothing was told about imports")
        textual = [name for name in modules if name.partition(".")[0] == "textual"]
        return replace(sample, textual=len(textual))

    def _version(self) -> Sample:
        """Over before there was a moment to look at its memory."""
        return replace(Sample.of(self._quiet()), rss=math.nan)

    def _quiet(self) -> Usage:
        """Run it with nobody listening."""
        with FileIO(os.devnull, "w") as nobody, self._child(nobody) as child:
            usage = child.wait()
        self._judge(usage)
        return usage

    @contextlib.contextmanager
    def _child(self, stdout: FileIO) -> Iterator[Child]:
        """The program, with nothing to read and what it says going into a file."""
        with (
            FileIO(os.devnull) as nothing,
            FileIO(self._errors, "w") as errors,
            self._spawn(self.argv, nothing, stdout, errors) as child,
        ):
            yield child

    def _spawn(self, argv: tuple[str, ...], *files: FileIO) -> Child:
        numbers = [file.fileno() for file in files]
        return Child(argv, self.environment, numbers, patience=self.patience)

    @property
    def _errors(self) -> Path:
        return self.folder.with_suffix(".err")

    def _judge(self, usage: Usage) -> None:
        if usage.wall > self.patience:
            raise RunError(f"not done after {self.patience:.0f} s")
        if usage.code != 0:
            said = self._errors.read_text(errors="replace").strip().splitlines()
            raise RunError(f"exit {usage.code}: {said[-1] if said else 'silent'}")

    def _compare(self, found: Iterable[str]) -> None:
        """Whether these are the digests of what was served, under whatever names."""
        expected, came = Counter(self.served.sha256), Counter(found)
        if came != expected:
            lost, extra = (expected - came).total(), (came - expected).total()
            raise RunError(
                f"{lost} of {expected.total()} outputs missing or wrong, "
                f"{extra} that nobody asked for"
            )

    def _counted(self, usage: Usage) -> Sample:
        """Everything that is served has come out."""
        count = len(self.served.contents)
        return replace(
            Sample.of(usage),
            rate=self.served.size / usage.wall,
            files=count / usage.wall if count > 1 else math.nan,
        )


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[FileIO, FileIO]]:
    out, into = os.pipe()
    with FileIO(out) as reader, FileIO(into, "w") as writer:
        yield reader, writer


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
