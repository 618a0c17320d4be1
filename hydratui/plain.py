"""Progress as lines of text on standard error, for people without a screen.

One line per event, and one per second while something moves. On a terminal the
moving line is written over itself. Elsewhere it is somebody's log that is written
to: after ten seconds such a line comes every ten.
"""

from __future__ import annotations

from time import monotonic
from typing import TextIO

from engine import EngineSnapshot, Event, EventKind, JobState
from hydratui.exit_codes import READER_GONE
from hydratui.outlet import Outlet
from hydratui.reporters import Failure, Reporter
from hydratui.text import duration, eta, fit, percent, rate, safe, size

EAGER = 10
"""Lines of progress that come every second."""
SPARSE = 10
"""Seconds between those that come after them."""
_TOLD = frozenset(
    {
        EventKind.PROBED,
        EventKind.RESUMED,
        EventKind.RETRY,
        EventKind.MIRROR,
        EventKind.CHANGED,
        EventKind.EXPIRED,
        EventKind.PAUSED,
        EventKind.DONE,
    }
)
_TOLD_OF_SEVERAL = _TOLD | {EventKind.FAILED}
"""What fails alone is told once, at the end."""


class Quiet(Reporter):
    """Tells nothing but what went wrong."""

    def __init__(self, out: TextIO) -> None:
        self._out = Outlet(out)

    def fail(self, failure: Failure) -> None:
        if failure.code == READER_GONE:
            return
        about = f"{failure.about}: " if failure.about else ""
        self._out.write(safe(f"hydra-tui: {about}{failure.reason}") + "\n")

    def end(self, code: int) -> None:  # noqa: ARG002
        self._out.close()


class Plain(Quiet):
    """Lines that stay, and one that moves where the output is a terminal."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._began = monotonic()
        self._is_moving = False
        self._looks = 0
        self._last = 0
        """The highest number of a job that was heard of."""

    def hear(self, event: Event) -> None:
        self._last = max(self._last, event.job)
        several = self._last > 1
        if event.kind in (_TOLD_OF_SEVERAL if several else _TOLD):
            number = f"#{event.job} " if several else ""
            self._stay(f"{event.kind:>8}  {number}{event.text}")

    def look(self, snapshot: EngineSnapshot) -> None:
        self._looks += 1
        if self._out.moves or self._looks <= EAGER or self._looks % SPARSE == 0:
            self._move(progress(snapshot))

    def leave(self, snapshot: EngineSnapshot) -> None:
        if self._is_moving:
            self._out.write("\n")
            self._is_moving = False
        if snapshot.received:
            self._stay(f"   total  {total(snapshot, monotonic() - self._began)}")

    def warn(self, text: str) -> None:
        self._stay(f" warning  {text}")

    def fail(self, failure: Failure) -> None:
        if failure.code != READER_GONE:
            self._out.write(
                "".join(f"{safe(one)}\n" for one in failure.trace.splitlines())
            )
        super().fail(failure)

    def _stay(self, text: str) -> None:
        self._out.write(f"{self._over()}{safe(text)}\n")
        self._is_moving = False

    def _move(self, text: str) -> None:
        self._out.write(
            f"{self._over()}{safe(text)}" + ("" if self._out.moves else "\n")
        )
        self._is_moving = self._out.moves

    def _over(self) -> str:
        return "\r\x1b[K" if self._is_moving else ""


def progress(snapshot: EngineSnapshot) -> str:
    """One line for everything that is under way."""
    live = [job for job in snapshot.jobs if job.state.is_live]
    over = sum(job.state.is_final for job in snapshot.jobs)
    sizes = [job.size for job in live]
    whole = None if None in sizes else sum(filter(None, sizes))
    done = sum(job.done for job in live)
    left = duration(eta(done, whole, snapshot.rate))
    name = live[0].name if len(live) == 1 else f"{over} of {len(snapshot.jobs)} files"
    return (
        f"{percent(done, whole):>7}%  {fit(size(done), 9, right=True)} of {size(whole)}  "
        f"{rate(snapshot.rate)}  {snapshot.flying} lanes  eta {left}  {name}"
    )


def total(snapshot: EngineSnapshot, seconds: float) -> str:
    """What a run has come to: files, if there were several, bytes, time, mean rate."""
    done = sum(job.state is JobState.DONE for job in snapshot.jobs)
    count = len(snapshot.jobs)
    files = f"{done} of {count} files, " if count > 1 else ""
    mean = rate(snapshot.received / max(seconds, 0.001))
    return f"{files}{size(snapshot.received)} received in {duration(seconds)}, {mean}"
