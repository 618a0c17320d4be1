"""An origin in a process of its own, so that what is measured is the client alone.

The child lives as long as the pipe to its stdin: a test that is killed leaves
none behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.testing.origin import Counts


class OriginProcess:
    """`python -m engine.testing` with these arguments, from `with` to its end.

    `prefix` is a command that runs it, somewhere else.
    """

    def __init__(self, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self._arguments = arguments
        self._prefix = prefix

    def __enter__(self) -> Self:
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._child = subprocess.Popen(  # noqa: S603  # the tests' own words
            [*self._prefix, sys.executable, "-m", "engine.testing", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self._end()
            raise RuntimeError(f"the origin did not start: {self._arguments}")
        self.base: str = json.loads(line)["url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._child.wait(timeout=5)

    def counts(self) -> Counts:
        """What it has seen so far."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(b"\n")
        self._child.stdin.flush()
        return Counts(**json.loads(self._child.stdout.readline()))

    def url(self, path: str = "/file") -> str:
        return self.base + path

    def _end(self) -> None:
        with self._child as child:
            assert child.stdin is not None
            child.stdin.close()
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
