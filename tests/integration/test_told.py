"""What the first answer told can be read for as long as the job is there."""

from __future__ import annotations

from pathlib import Path

from engine import Config, Engine, Hop, JobSpec, JobState, SourceSnapshot
from engine.testing import Content, Origin, Resource
from tests.integration.support import MIB, until

FILE = Content(3 * MIB, seed=51)
HUB = Resource(
    redirect="/blob?signature=s3cret",
    headers=(("X-Linked-ETag", '"5eed"'), ("Set-Cookie", "id=s3cret")),
)
BLOB = Resource(FILE, rate=4e6, headers=(("X-Cache-Key", "s3cret"), ("Via", "us")))


def told(engine: Engine) -> SourceSnapshot | None:
    [job] = engine.snapshot(detail=1).jobs
    return job.source


async def test_it_is_there_from_the_first_answer_to_the_end(tmp_path: Path) -> None:
    """While it runs, while it is paused, and when it is done: the same."""
    async with (
        Origin({"/file": HUB, "/blob": BLOB}) as origin,
        Engine(Config(output=tmp_path, threads=2)) as engine,
    ):
        assert engine.snapshot().jobs == ()
        job = engine.add(JobSpec(origin.url("/file?token=s3cret")))
        await until(lambda: engine.snapshot().received)
        running = told(engine)
        engine.pause(job)
        await until(lambda: not engine.snapshot().flying)
        assert engine.snapshot().jobs[0].state is JobState.PAUSED
        assert told(engine) == running
        engine.resume(job)
        await engine.wait(job)
        done = told(engine)

    assert done == running
    assert done is not None
    assert done.hops == (
        Hop(302, origin.url("/file?token=***")),
        Hop(206, origin.url("/blob?signature=***")),
    )
    assert (done.etag, done.ranges) == (BLOB.validator, True)
    headers = dict(done.headers)
    assert headers["via"] == "us"
    assert headers["x-cache-key"] == "***"
    assert headers["x-linked-etag"] == f'"5eed" (from 127.0.0.1:{origin.port})'
    assert "s3cret" not in repr(done)


async def test_a_job_that_was_never_answered_tells_nothing(tmp_path: Path) -> None:
    """A refusal is not the file's answer."""
    async with (
        Origin({}) as origin,
        Engine(Config(output=tmp_path)) as engine,
    ):
        engine.add(JobSpec(origin.url("/nothing")))
        await until(lambda: engine.snapshot().jobs[0].state is JobState.FAILED)
        assert told(engine) is None


async def test_without_ranges(tmp_path: Path) -> None:
    """That the server gave the whole where a part was asked for is seen, too."""
    whole = Resource(FILE, ranges=False, etag=None)
    async with (
        Origin({"/file": whole}) as origin,
        Engine(Config(output=tmp_path)) as engine,
    ):
        await engine.wait(engine.add(JobSpec(origin.url("/file"))))
        seen = told(engine)
    assert seen is not None
    assert ([hop.status for hop in seen.hops], seen.ranges) == ([200], False)
    assert (seen.etag, seen.last_modified) == (None, whole.last_modified)
    assert seen.media_type == "application/octet-stream"
