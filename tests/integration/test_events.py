"""What an engine tells as it happens: each event once, with its fields."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from engine import Config, Engine, Event, EventKind, JobSpec, RefusedError
from engine.testing import Content, CutAfter, Fault, Origin, Request, Resource, Status
from hydratui.json_lines import JsonLines
from hydratui.reporters import report
from tests.integration.support import FILE, MIB, SMALL_STEPS, until
from tests.support.json_lines import Told


async def test_every_event_is_heard(tmp_path: Path) -> None:
    """However many come at once, none is missed, and afterwards none is told."""
    heard: list[Event] = []
    async with Engine(Config(output=tmp_path, jobs=1)) as engine:
        with engine.listening(heard.append):
            for number in range(12_000):
                engine.add(JobSpec(f"http://127.0.0.1:9/{number}"), paused=True)
        engine.add(JobSpec("http://127.0.0.1:9/"), paused=True)
    assert [one.kind for one in heard[:2]] == [EventKind.QUEUED, EventKind.PAUSED]
    assert len(heard) == 24_000
    assert heard[0].fields == {"name": "0", "url": "http://127.0.0.1:9/0"}


async def test_a_pause_is_told_to_programs(tmp_path: Path) -> None:
    """Pausing and going on say how much is here; all of it keeps to the schema."""
    out = io.StringIO()
    lines = JsonLines(out)
    slow = Resource(Content(4 * MIB), rate=2e6)
    config = Config(output=tmp_path, verify=False)
    async with (
        Origin({"/file": slow}) as origin,
        Engine(config) as engine,
        report(engine, [lines]),
    ):
        job = engine.add(JobSpec(origin.url("/file")))
        await until(lambda: engine.snapshot().jobs[0].done > MIB)
        engine.pause(job)
        await until(lambda: not engine.snapshot().flying)
        origin.resources["/file"] = Resource(Content(4 * MIB))
        engine.resume(job)
        await engine.wait(job)
    lines.end(0)
    told = Told(out.getvalue())
    [paused], [resumed, *_] = told.of("paused"), told.of("resumed")
    assert MIB < paused["done"] <= resumed["done"] < 4 * MIB
    assert told.life(1)[-1] == "done"


async def test_a_link_that_is_renewed_is_told_to_programs(tmp_path: Path) -> None:
    """A link that has expired is not the end where somebody gives a fresh one."""

    def script(request: Request) -> Fault | None:
        if request.query == "sig=2":
            return None
        return Status(403) if request.number > 1 else CutAfter(MIB)

    out = io.StringIO()
    lines = JsonLines(out)
    async with Origin({"/file": Resource(FILE, script=script)}) as origin:
        fresh = f"{sys.executable} -c 'print(\"{origin.url('/file?sig=2')}\")'"
        settings = {**SMALL_STEPS, "threads": 1, "url_command": fresh}
        config = Config(output=tmp_path, **settings)
        async with Engine(config) as engine, report(engine, [lines]):
            await engine.wait(engine.add(JobSpec(origin.url("/file?sig=1"))))
    lines.end(0)
    told = Told(out.getvalue())
    [expired] = told.of("expired")
    assert expired["final"] is False
    assert told.summary["done"] == 1


@pytest.mark.parametrize("path", ["/file", "/missing"])
async def test_what_curl_does_can_be_heard(tmp_path: Path, path: str) -> None:
    """Line by line, each request by its number, without secrets and without bodies."""
    said: list[str] = []
    async with Origin({"/file": Resource(FILE)}) as origin:
        config = Config(output=tmp_path, verify=False)
        async with Engine(config) as engine:
            engine.set_trace(said.append)
            url = origin.url(f"{path}?sig=s3cret").replace("//", "//me:s3cret@")
            try:
                await engine.wait(engine.add(JobSpec(url)))
            except RefusedError:
                assert path == "/missing"
    assert f"[1] > GET {path}?*** HTTP/1.1" in said
    assert "[1] > Authorization: ***" in said
    assert any(line.startswith("[1] < HTTP/1.1 ") for line in said)
    assert not any("s3cret" in line or "\n" in line for line in said)
    assert max(map(len, said)) < 500
