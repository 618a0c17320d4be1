"""Progress as text: how often, of what, and in which words."""

from __future__ import annotations

import io
from dataclasses import replace
from time import monotonic

import pytest

from engine import (
    EngineSnapshot,
    Event,
    EventKind,
    JobSnapshot,
    JobState,
    LocalError,
    ReaderGoneError,
)
from hydratui.plain import Plain, Quiet, progress, total
from hydratui.reporters import failure_of

JOB = JobSnapshot(
    id=1,
    name="a.bin",
    url="http://host/a.bin",
    state=JobState.RUNNING,
    size=4_000_000,
    done=1_000_000,
    rate=1e6,
    lane_count=2,
    threads=None,
    limit=None,
    streaming=False,
)
NOW = EngineSnapshot(at=0, jobs=(JOB,), rate=1e6, received=1000, limit=None, flying=2)


class Terminal(io.StringIO):
    """Something that lines can be written over on."""

    def isatty(self) -> bool:
        return True


def event(kind: EventKind, job: int = 1, text: str = "a.bin: what") -> Event:
    return Event(monotonic(), job, kind, text)


def test_progress_becomes_rare_where_it_stays() -> None:
    """In a log: every second at first, after ten of them every ten."""
    out = io.StringIO()
    plain = Plain(out)
    for _ in range(60):
        plain.look(NOW)
    assert len(out.getvalue().splitlines()) == 10 + 5
    assert out.getvalue().isprintable() is False
    assert all(line.isprintable() for line in out.getvalue().splitlines())


def test_progress_moves_on_a_terminal() -> None:
    """There each second is written over the one before, and an event stays."""
    out = Terminal()
    plain = Plain(out)
    for _ in range(60):
        plain.look(NOW)
    assert out.getvalue().count("\r\x1b[K") == 59
    assert "\n" not in out.getvalue()
    plain.hear(event(EventKind.DONE))
    plain.look(NOW)
    plain.leave(replace(NOW, received=0))
    assert out.getvalue().count("\n") == 2
    assert out.getvalue().endswith("\n")


def test_an_event_is_one_line() -> None:
    """Whatever a server says, it is a line of its own, without control characters."""
    out = io.StringIO()
    Plain(out).hear(event(EventKind.RETRY, text="a\x1b[31m\nb: HTTP 503"))
    [line] = out.getvalue().splitlines()
    assert line.isprintable()
    assert line.startswith("   retry  a")


def test_of_several_jobs_it_says_which() -> None:
    """One that is alone needs no number; what fails alone is told once, at the end."""
    out = io.StringIO()
    plain = Plain(out)
    plain.hear(event(EventKind.PROBED))
    plain.hear(event(EventKind.FAILED))
    assert out.getvalue() == "  probed  a.bin: what\n"
    plain.hear(event(EventKind.QUEUED, job=2))
    plain.hear(event(EventKind.FAILED, job=2, text="b.bin: HTTP 404"))
    plain.hear(event(EventKind.DONE))
    assert out.getvalue().splitlines()[1:] == [
        "  failed  #2 b.bin: HTTP 404",
        "    done  #1 a.bin: what",
    ]


def test_it_is_summed_up() -> None:
    """How many files of several, how much, how long, how fast."""
    done = replace(JOB, state=JobState.DONE)
    snapshot = replace(NOW, jobs=(done, JOB), received=100_000_000)
    assert total(snapshot, 4.0) == "1 of 2 files, 95.4 MiB received in 00:04, 25.0 MB/s"
    assert total(replace(snapshot, jobs=(done,)), 0.0).startswith(
        "95.4 MiB received in 00:00"
    )


def test_where_nothing_came_nothing_is_summed_up() -> None:
    """A run that ended before the first byte has only its error to tell."""
    out = io.StringIO()
    Plain(out).leave(replace(NOW, received=0))
    assert out.getvalue() == ""


def test_progress_names_the_one_file() -> None:
    """Of several it tells how many are over."""
    assert "25.0%" in progress(NOW)
    assert progress(NOW).endswith("eta 00:03  a.bin")
    over = replace(JOB, state=JobState.DONE)
    several = progress(replace(NOW, jobs=(JOB, JOB, over)))
    assert several.endswith("1 of 3 files")


@pytest.mark.parametrize("voice", [Plain, Quiet])
def test_an_error_is_one_line(voice: type[Quiet]) -> None:
    """With what it is about; and none where a reader has gone."""
    out = io.StringIO()
    error = LocalError("no space left\nat all")
    error.about = "http://host/file"
    voice(out).fail(failure_of(error, traced=False))
    voice(out).fail(failure_of(ReaderGoneError("gone"), traced=True))
    assert out.getvalue() == "hydra-tui: http://host/file: no space left at all\n"


def test_a_traceback_goes_before_the_error() -> None:
    """With --debug; and of what is secret it shows nothing."""
    out = io.StringIO()
    try:
        raise ValueError("http://user:pass@host/?a=secret")  # noqa: TRY301
    except ValueError as error:
        Plain(out).fail(failure_of(error, traced=True))
    first, *_, last = out.getvalue().splitlines()
    assert first.startswith("Traceback")
    assert last == "hydra-tui: unexpected ValueError: http://host/?***"
    assert "secret" not in out.getvalue()


def test_quiet_is_quiet() -> None:
    """It says nothing of what happens, and gives no warnings."""
    out = io.StringIO()
    quiet = Quiet(out)
    quiet.warn("no log file")
    quiet.hear(event(EventKind.DONE))
    quiet.look(NOW)
    quiet.leave(NOW)
    quiet.end(0)
    assert out.getvalue() == ""
