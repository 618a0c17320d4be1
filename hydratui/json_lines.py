"""What happens, as JSON Lines on standard error, for programs.

One object a line, and nothing else, whatever happens. Every line says which version
of the schema it keeps to: a line that was cut out of a log can still be read. The
schema describes every event with its fields, sizes in bytes and times in seconds;
what an event of the engine has in its `fields` stands in the line as it is.

Within a version fields and events may come to be, but none goes or changes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from time import monotonic
from typing import TextIO

from engine import EngineSnapshot, Event, EventKind, Field, JobSnapshot, JobState
from hydratui.exit_codes import READER_GONE, exit_code_of
from hydratui.outlet import Outlet
from hydratui.reporters import Failure, Reporter, stamp

VERSION = 1
NOBODY = 0
"""Stands for a job where a line is about none, or about all together."""
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
MOST = 32
"""Jobs of which a look tells: more are seldom at work, and never for long."""
_OF_THE_APP = frozenset({EventKind.SAID, EventKind.REMOVED, EventKind.UNSAVED})
"""Nothing of that kind happens without the app."""
_FAILED = frozenset({JobState.FAILED, JobState.EXPIRED})


class JsonLines(Reporter):
    """A line for each event and each look, and one at the end that sums up."""

    def __init__(self, out: TextIO) -> None:
        self._out = Outlet(out)
        self._began = monotonic()
        self._last: EngineSnapshot | None = None
        self._told: set[object] = set()
        """Why jobs have failed: it is not told again."""

    def hear(self, event: Event) -> None:
        if event.kind in _OF_THE_APP:
            return
        fields = event.fields
        if event.kind in {EventKind.FAILED, EventKind.EXPIRED}:
            self._told.add(fields["reason"])
        if event.kind is EventKind.FAILED:
            fields = {**fields, "exit_code": exit_code_of(fields["error"])}
        self._write(event.kind, event.job, fields, event.at)

    def look(self, snapshot: EngineSnapshot) -> None:
        for job, fields in _progress(snapshot):
            self._write("progress", job, fields)

    def leave(self, snapshot: EngineSnapshot) -> None:
        self._last = snapshot

    def fail(self, failure: Failure) -> None:
        if failure.code == READER_GONE or failure.reason in self._told:
            return
        fields: dict[str, Field] = {
            "url": failure.about or None,
            "error": failure.word,
            "reason": failure.reason,
            "status": None,
            "exit_code": failure.code,
        }
        self._write(EventKind.FAILED, NOBODY, fields)

    def end(self, code: int) -> None:
        states = [job.state for job in self._last.jobs] if self._last else []
        done = states.count(JobState.DONE)
        failed = sum(state in _FAILED for state in states)
        fields: dict[str, Field] = {
            "done": done,
            "failed": failed,
            "left": len(states) - done - failed,
            "received": self._last.received if self._last else 0,
            "seconds": monotonic() - self._began,
            "exit_code": code,
        }
        self._write("summary", NOBODY, fields)
        self._out.close()

    def _write(
        self, kind: str, job: int, fields: Mapping[str, Field], at: float | None = None
    ) -> None:
        self._out.write(line(kind, job, fields, stamp(at)))


def line(kind: str, job: int, fields: Mapping[str, Field], moment: str) -> str:
    """One line: ASCII, valid JSON, whatever a field holds."""
    head = {"v": VERSION, "ts": moment, "event": str(kind), "job": job}
    told = {name: _plain(value) for name, value in fields.items()}
    return _encode(head | told) + "\n"


def _plain(value: Field) -> Field:
    """The value as JSON has it: no half of a character, no number that is none."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(_plain(name)): str(_plain(one)) for name, one in value.items()}
    return value


def _progress(snapshot: EngineSnapshot) -> Iterator[tuple[int, dict[str, Field]]]:
    """Of each job at work, then of everything together."""
    live = (job for job in snapshot.jobs if job.state.is_live)
    for job in islice(live, MOST):
        yield job.id, _progress_of(job)
    sizes = [job.size for job in snapshot.jobs]
    yield (
        NOBODY,
        {
            "done": sum(job.done for job in snapshot.jobs),
            "size": None if None in sizes else sum(filter(None, sizes)),
            "rate": snapshot.rate,
            "lanes": snapshot.flying,
            "bottleneck": None,
        },
    )


def _progress_of(job: JobSnapshot) -> dict[str, Field]:
    return {
        "done": job.done,
        "size": job.size,
        "rate": job.rate,
        "lanes": job.lane_count,
        "bottleneck": str(job.bottleneck),
    }
