"""The question before jobs are removed: which, and how much would be lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from engine import JobSnapshot, JobState
from hydratui.screens.confirm import Choice, Confirm
from hydratui.text import safe, shorten, size

_MOST_NAMED = 5
_NAME_CELLS = 44


class Removal(StrEnum):
    """What becomes of the jobs, and of what is on disk."""

    KEEP = "keep"
    """They go; their files and partial files stay."""
    DELETE = "delete"
    """They go, and their partial files with them."""
    CANCEL = "cancel"


class Removing(Confirm[Removal]):
    """Whether to remove some jobs, and what they have brought so far."""

    def __init__(self, jobs: Sequence[JobSnapshot]) -> None:
        partial = any(map(_lost, jobs))
        keep = "Remove, keep files" if partial else "Remove"
        choices = [Choice("r", keep, Removal.KEEP)]
        if partial:
            choices.append(Choice("D", "And delete partials", Removal.DELETE))
        choices.append(Choice("escape", "Cancel", Removal.CANCEL))
        super().__init__(_question(jobs), tuple(_named(jobs)), choices)


def _question(jobs: Sequence[JobSnapshot]) -> str:
    return "Remove this job?" if len(jobs) == 1 else f"Remove {len(jobs):,} jobs?"


def _named(jobs: Sequence[JobSnapshot]) -> Iterator[str | tuple[str, str]]:
    shown = jobs if len(jobs) <= _MOST_NAMED else jobs[: _MOST_NAMED - 1]
    for job in shown:
        yield shorten(safe(job.name), _NAME_CELLS), _about(job)
    if rest := jobs[len(shown) :]:
        lost = sum(map(_lost, rest))
        yield f"and {len(rest):,} more", f"{size(lost)} partial" if lost else ""


def _about(job: JobSnapshot) -> str:
    """What removing it means for what it has brought."""
    if job.command:
        return "its command is killed" if job.state.is_live else "piped"
    if job.state is JobState.DONE:
        return "finished, its file stays"
    lost = _lost(job)
    return f"{size(lost)} partial" if lost else "nothing yet"


def _lost(job: JobSnapshot) -> int:
    """Bytes of it that are only in a partial file."""
    return 0 if job.command or job.state is JobState.DONE else job.done
