"""The question before quitting: what still runs, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from textual.events import Key

from engine import JobSnapshot, JobState
from hydratui.screens.confirm import Choice, Confirm
from hydratui.text import rate


class Leave(StrEnum):
    """How to go, or that one stays."""

    PAUSE = "pause"
    FINISH = "finish"
    """Begin nothing new, and go when what runs is done."""
    STAY = "stay"
    QUIT = "quit"
    """At once, as it is."""


class Leaving(Confirm[Leave]):
    """Whether to quit while downloads run; it is given the whole queue."""

    def __init__(self, jobs: Sequence[JobSnapshot]) -> None:
        live = [job for job in jobs if job.state.is_live]
        super().__init__(
            f"Quit with {_counted(len(live), 'live download')}?",
            tuple(_standing(jobs, live)),
            (
                Choice("y", "Pause and quit", Leave.PAUSE),
                Choice("f", "Finish these, then quit", Leave.FINISH),
                Choice("escape", "Stay", Leave.STAY),
            ),
            hint="A second q or ctrl+c quits at once.",
        )

    def key_q(self, event: Key) -> None:
        event.stop()  # or it looks for a screen where there is none any more
        _ = self.dismiss(Leave.QUIT)


def _standing(
    jobs: Sequence[JobSnapshot], live: Sequence[JobSnapshot]
) -> Iterator[str]:
    checking = sum(job.state is JobState.VERIFYING for job in live)
    queued = sum(job.state is JobState.QUEUED for job in jobs)
    running = f"{len(live) - checking} running"
    if len(live) > checking:
        running += f" at {rate(sum(job.rate for job in live))}"
    parts = [running]
    parts += [f"{checking} verifying"] if checking else []
    parts += [f"{queued} queued"] if queued else []
    yield ", ".join(parts) + "."
    piped = [job for job in live if job.command]
    if len(piped) < len(live):
        yield "Files go on from where they are at the next start."
    if piped:
        yield (
            f"{_counted(len(piped), 'command')} would be killed, and can not go on: "
            f"{_first(piped)}."
        )


def _first(piped: Sequence[JobSnapshot]) -> str:
    more = f" and {len(piped) - 1} more" if len(piped) > 1 else ""
    command = piped[0].command
    return (command if len(command) <= 40 else command[:39] + "…") + more


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
