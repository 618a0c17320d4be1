"""The queue while it is steered: order, other specs, further tries, removal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine import (
    Engine,
    EventKind,
    JobId,
    JobSpec,
    JobState,
    RefusedError,
    UsageError,
)
from engine.testing import Content, Origin, Resource, Stall, Status
from tests.integration.support import (
    FILE,
    KIB,
    MIB,
    left_alone,
    settled,
    until,
)
from tests.integration.test_engine import (
    SLOWLY,
    SMALL,
    has,
    heard,
    look,
    names,
    running,
    serving,
)

FAR = 10**9
PARTIAL = ["a.part", "a.part.hydra"]
SILENT = Resource(FILE, script=lambda _: Stall(0))


def order(engine: Engine) -> list[JobId]:
    return [job.id for job in engine.snapshot().jobs]


def states(engine: Engine) -> list[JobState]:
    return [job.state for job in engine.snapshot().jobs]


async def left(directory: Path, *expected: str) -> None:
    await until(lambda: names(directory) == sorted(expected))


# -- the order -------------------------------------------------------------------


async def test_jobs_are_shown_and_admitted_in_the_order_of_the_queue(
    tmp_path: Path,
) -> None:
    """First or last, up or down: what is shown is the order in which they begin."""
    files = {f"/{n}": Resource(SMALL) for n in range(1, 7)}
    async with serving(tmp_path, files, jobs=1) as (origin, engine):
        engine.hold()
        for path in list(files)[:5]:
            engine.add(JobSpec(origin.url(path)))
        assert engine.add(JobSpec(origin.url("/6")), first=True) == 6
        assert order(engine) == [6, 1, 2, 3, 4, 5]
        engine.move(6, 2)
        engine.move(5, -FAR)
        engine.move(1, FAR)
        assert order(engine) == [5, 2, 6, 3, 4, 1]
        engine.release()
        for job in order(engine):
            await engine.wait(job)
        asked = list(dict.fromkeys(request.path for request in origin.requests))
    assert asked == ["/5", "/2", "/6", "/3", "/4", "/1"]


async def test_a_resumed_job_waits_at_its_place(tmp_path: Path) -> None:
    """Pausing costs no place: what is resumed comes before what is behind it."""
    files = {"/1": SILENT, "/2": Resource(SMALL), "/3": Resource(SMALL)}
    async with serving(tmp_path, files, jobs=1) as (origin, engine):
        one, two, three = (engine.add(JobSpec(origin.url(path))) for path in files)
        engine.pause(two)
        engine.resume(two)
        engine.cancel(one)
        await engine.wait(three)
        paths = [request.path for request in origin.requests]
    assert paths.index("/2") < paths.index("/3")


async def test_a_job_may_be_added_at_rest(tmp_path: Path) -> None:
    """It is paused from its beginning, and asks nobody until it is resumed."""
    files = {"/a": Resource(SMALL), "/b": Resource(SMALL)}
    async with serving(tmp_path, files) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")), paused=True)
        await engine.wait(engine.add(JobSpec(origin.url("/b"))))
        assert look(engine, job).state is JobState.PAUSED
        assert {request.path for request in origin.requests} == {"/b"}
        engine.resume(job)
        assert (await engine.wait(job)).state is JobState.DONE


async def test_a_held_queue_admits_nobody(tmp_path: Path) -> None:
    """What runs is finished; what waits goes on waiting, until it is released."""
    files = {f"/{n}": Resource(FILE, rate=2e6) for n in range(3)}
    async with serving(tmp_path, files, jobs=1) as (origin, engine):
        one, two, three = (engine.add(JobSpec(origin.url(path))) for path in files)
        await until(has(engine, one, 1))
        engine.hold()
        await engine.wait(one)
        engine.pause(two)
        engine.resume(two)
        engine.move(three, -1)
        await settled(engine)
        assert states(engine) == [JobState.DONE, JobState.QUEUED, JobState.QUEUED]
        engine.release()
        await until(lambda: look(engine, three).state.is_live)
        assert look(engine, two).state is JobState.QUEUED


async def test_the_same_job_is_found(tmp_path: Path) -> None:
    """Same link, folder, name and command, and not over: that is the same."""
    spec = JobSpec("http://127.0.0.1:1/a?x=1")
    inside = replace(spec, directory=tmp_path)
    others = [
        JobSpec("http://127.0.0.1:1/a?x=2"),
        replace(spec, directory=tmp_path / "b"),
        replace(spec, name="b"),
        replace(spec, command="wc"),
    ]
    async with running(tmp_path) as engine:
        job = engine.add(spec, paused=True)
        for same in (spec, inside, replace(spec, threads=3, limit=1e6)):
            assert engine.find(same) == job
        assert [engine.find(other) for other in others] == [None] * 4
        engine.cancel(job)
        assert engine.find(spec) is None
        engine.retry(job)
        assert engine.find(spec) == job
        engine.revise(job, others[2])
        assert (engine.find(spec), engine.find(others[2])) == (None, job)
        engine.remove(job)
        assert engine.find(others[2]) is None


async def test_what_was_set_is_in_the_spec(tmp_path: Path) -> None:
    """Whoever asks for the spec sees what was changed since."""
    async with running(tmp_path) as engine:
        job = engine.add(JobSpec("http://127.0.0.1:1/a"), paused=True)
        engine.set_threads(job, 3)
        engine.set_limit(5e5, job)
        expected = JobSpec("http://127.0.0.1:1/a", threads=3, limit=5e5)
        assert engine.spec(job) == expected
        assert (look(engine, job).threads, look(engine, job).limit) == (3, 5e5)
        assert engine.snapshot().limit is None


async def test_what_rests_is_looked_at_once(tmp_path: Path) -> None:
    """A job at rest is not described again and again; one that changed is."""
    async with running(tmp_path) as engine:
        one, two = (
            engine.add(JobSpec(f"http://127.0.0.1:1/{n}"), paused=True) for n in "ab"
        )
        before = engine.snapshot().jobs
        engine.set_limit(5e5, two)
        after = engine.snapshot().jobs
        assert after[0] is before[0]
        assert after[1] == replace(before[1], limit=5e5)
        engine.hold()
        engine.resume(one)
        engine.cancel(two)
        assert states(engine) == [JobState.QUEUED, JobState.CANCELLED]
        assert engine.snapshot(detail=two).jobs[1].front is not None
        assert engine.snapshot().jobs[1].front is None


# -- limits ----------------------------------------------------------------------


async def test_a_job_may_be_limited_while_it_runs(tmp_path: Path) -> None:
    """Its own limit holds for it and for no other, and may be lifted."""
    content = Content(8 * MIB, seed=4)
    files = {"/a": Resource(content), "/b": Resource(content)}
    async with serving(tmp_path, files, jobs=2) as (origin, engine):
        slow = engine.add(JobSpec(origin.url("/a"), limit=50_000))
        await until(has(engine, slow, 1))
        await engine.wait(engine.add(JobSpec(origin.url("/b"))))
        assert look(engine, slow).done < MIB
        engine.set_limit(None, slow)
        await engine.wait(slow)
    assert (tmp_path / "a").read_bytes() == content.read()


async def test_an_unlimited_job_may_be_throttled_later(tmp_path: Path) -> None:
    """A limit finds connections that began without one."""
    content = Content(64 * MIB, seed=4)
    async with serving(tmp_path, {"/a": Resource(content, rate=4e6)}) as (_, engine):
        job = engine.add(JobSpec(_.url("/a")))
        await until(has(engine, job, MIB))
        engine.set_limit(10_000, job)
        await until(lambda: look(engine, job).rate < 200_000)
        assert look(engine, job).state is JobState.RUNNING


# -- another spec ----------------------------------------------------------------


async def test_a_running_job_goes_on_with_another_spec(tmp_path: Path) -> None:
    """Its number and its place stay, and so does what is here."""
    files = SLOWLY | {"/b": SILENT}
    async with serving(tmp_path, files, jobs=1) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        engine.add(JobSpec(origin.url("/b")))
        await until(has(engine, job, 2 * MIB))
        revised = JobSpec(origin.url("/a"), threads=2, headers=(("X-New", "1"),))
        engine.revise(job, revised)
        assert engine.spec(job) == revised
        assert order(engine) == [1, 2]
        done = await engine.wait(job)
        assert done.state is JobState.DONE
        last = [each for each in origin.requests if each.path == "/a"][-1]
        assert last.headers["x-new"] == "1"
        assert origin.served < FILE.size + MIB
    assert (tmp_path / "a").read_bytes() == FILE.read()


async def test_a_paused_job_stays_paused(tmp_path: Path) -> None:
    """Its file is let go of, and taken up again when it is resumed."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, 2 * MIB))
        engine.pause(job)
        engine.revise(job, JobSpec(origin.url("/a"), threads=2))
        seen = look(engine, job)
        assert (seen.state, seen.threads) == (JobState.PAUSED, 2)
        assert seen.done >= 2 * MIB
        assert seen.size == FILE.size
        await settled(engine)
        engine.resume(job)
        await engine.wait(job)
        assert origin.served < FILE.size + MIB
    assert names(tmp_path) == ["a"]


async def test_another_name_is_another_file(tmp_path: Path) -> None:
    """What is here under the old name is left alone."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, MIB))
        engine.revise(job, JobSpec(origin.url("/a"), name="b"))
        assert (look(engine, job).name, look(engine, job).done) == ("b", 0)
        await engine.wait(job)
    assert names(tmp_path) == [*PARTIAL, "b"]
    assert (tmp_path / "b").read_bytes() == FILE.read()


async def test_a_spec_that_cannot_work_changes_nothing(tmp_path: Path) -> None:
    """It is refused, and the job goes on as it was."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        spec = JobSpec(origin.url("/a"))
        job = engine.add(spec)
        await until(has(engine, job, 1))
        with pytest.raises(UsageError):
            engine.revise(job, JobSpec("nonsense"))
        assert engine.spec(job) == spec
        assert look(engine, job).state is JobState.RUNNING


async def test_a_job_may_be_revised_again_and_again(tmp_path: Path) -> None:
    """Only the last spec counts, and the file is written by one at a time."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        for size in (KIB, MIB, 2 * MIB):
            await until(has(engine, job, size))
            for threads in (1, 2, 3):
                engine.revise(job, JobSpec(origin.url("/a"), threads=threads))
                engine.pause(job)
                engine.resume(job)
        done = await engine.wait(job)
        assert done.threads == 3
        assert origin.served < FILE.size + 3 * MIB
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == FILE.read()


# -- another try -----------------------------------------------------------------


async def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    """Whoever waits for it from then on waits for the new attempt."""
    async with (
        serving(tmp_path, {"/b": Resource(SMALL)}) as (origin, engine),
        heard(engine) as events,
    ):
        job = engine.add(JobSpec(origin.url("/a")))
        with pytest.raises(RefusedError):
            await engine.wait(job)
        origin.resources["/a"] = Resource(SMALL)
        engine.retry(job)
        assert look(engine, job).verdict == ""
        done = await engine.wait(job)
        assert (done.id, done.state) == (job, JobState.DONE)
        assert order(engine) == [job]
    kinds = [event.kind for event in events]
    assert kinds.count(EventKind.QUEUED) == 2


async def test_what_was_cancelled_goes_on_with_what_is_here(tmp_path: Path) -> None:
    """A partial file that was kept is gone on with, `--restart` or not."""
    async with serving(tmp_path, SLOWLY, restart=True) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, 2 * MIB))
        engine.cancel(job)
        engine.retry(job)
        await engine.wait(job)
        assert origin.served < FILE.size + MIB
    assert (tmp_path / "a").read_bytes() == FILE.read()


async def test_an_expired_link_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may work again: the same spec, and what is here."""
    monkeypatch.setattr("engine.patience.random.random", lambda: 0.0)
    resource = Resource(
        FILE, script=lambda request: Status(403) if request.number > 3 else None
    )
    async with serving(tmp_path, {"/a": resource}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(lambda: look(engine, job).state is JobState.EXPIRED)
        assert look(engine, job).size == FILE.size
        assert look(engine, job).done > 0
        origin.resources["/a"] = Resource(FILE)
        served = origin.served
        engine.retry(job)
        await engine.wait(job)
        assert origin.served - served < FILE.size - 256 * KIB


@pytest.mark.parametrize("state", ["done", "paused", "running"])
async def test_there_is_nothing_to_try_again(tmp_path: Path, state: str) -> None:
    """What is done, or on its way, stays as it is."""
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, MIB))
        if state == "paused":
            engine.pause(job)
        if state == "done":
            await engine.wait(job)
        engine.retry(job)
        assert look(engine, job).state == state
        assert look(engine, job).done >= MIB


# -- removal ---------------------------------------------------------------------


@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize("state", ["running", "paused", "standing", "cancelled"])
async def test_a_removed_job_is_no_more(
    tmp_path: Path, state: str, *, delete: bool
) -> None:
    """It is stopped; its partial stays, or goes with it, and its number with both."""
    async with (
        serving(tmp_path, SLOWLY) as (origin, engine),
        heard(engine) as events,
    ):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, MIB))
        if state in {"paused", "standing"}:
            engine.pause(job)
        if state == "standing":
            await settled(engine)
        if state == "cancelled":
            engine.cancel(job)
        engine.remove(job, delete=delete)
        assert order(engine) == []
        await until(lambda: events[-1].kind is EventKind.REMOVED)
        await left_alone(origin)
        await left(tmp_path, *([] if delete else PARTIAL))
        assert engine.add(JobSpec(origin.url("/a")), paused=True) == job + 1


async def test_whoever_waits_for_a_removed_job_is_let_go(tmp_path: Path) -> None:
    """It was cancelled, and that is what it is told."""
    async with (
        serving(tmp_path, SLOWLY) as (origin, engine),
        asyncio.TaskGroup() as group,
    ):
        job = engine.add(JobSpec(origin.url("/a")))
        waiting = group.create_task(engine.wait(job))
        await until(has(engine, job, 1))
        engine.remove(job)
        assert (await waiting).state is JobState.CANCELLED
        with pytest.raises(KeyError):
            await engine.wait(job)


async def test_a_whole_file_is_never_deleted(tmp_path: Path) -> None:
    """Whoever has it, has it."""
    async with serving(tmp_path, {"/a": Resource(SMALL)}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await engine.wait(job)
        (tmp_path / "a.part").write_bytes(b"somebody's")
        async with heard(engine) as events:
            engine.remove(job, delete=True)
            await until(lambda: events)
    assert names(tmp_path) == ["a", "a.part"]


async def test_what_is_somebody_elses_is_not_deleted(tmp_path: Path) -> None:
    """A job that has nothing of its own on disk takes nothing with it."""
    (tmp_path / "a.part").write_bytes(b"somebody's")
    async with (
        serving(tmp_path, {"/x": SILENT}, jobs=1) as (origin, engine),
        heard(engine) as events,
    ):
        engine.add(JobSpec(origin.url("/x")))
        job = engine.add(JobSpec(origin.url("/a")))
        engine.remove(job, delete=True)
        await until(lambda: EventKind.REMOVED in {event.kind for event in events})
    assert "a.part" in names(tmp_path)


async def test_two_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    """Deleting one leaves the partial of the other, which goes on."""
    async with serving(tmp_path, SLOWLY, jobs=2) as (origin, engine):
        one, two = (engine.add(JobSpec(origin.url("/a"))) for _ in range(2))
        await until(has(engine, one, MIB))
        await until(has(engine, two, MIB))
        targets = [Path(look(engine, job).target).name for job in (one, two)]
        assert sorted(targets) == ["a", "a (2)"]
        engine.remove(two, delete=True)
        await engine.wait(one)
        await left(tmp_path, targets[0])
    assert (tmp_path / targets[0]).read_bytes() == FILE.read()


async def test_what_was_set_aside_goes_too(tmp_path: Path) -> None:
    """The partial of an older version is deleted with the newer one's."""
    later = Resource(Content(FILE.size + 1, seed=99), rate=200_000)
    async with serving(tmp_path, SLOWLY) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, MIB))
        origin.resources["/a"] = later
        await until(lambda: "a.part.old" in names(tmp_path))
        await until(lambda: set(PARTIAL) <= set(names(tmp_path)))
        engine.remove(job, delete=True)
        await left(tmp_path)


async def test_wrong_bytes_are_deleted_too(tmp_path: Path) -> None:
    """What was kept for inspection is deleted by whoever has seen enough of it."""
    from engine import Digest, IntegrityError  # noqa: PLC0415

    wrong = Digest("md5", "0" * 32)
    async with serving(tmp_path, {"/a": Resource(SMALL)}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a"), checksum=wrong))
        with pytest.raises(IntegrityError):
            await engine.wait(job)
        assert names(tmp_path) == ["a.part.bad"]
        engine.remove(job, delete=True)
        await left(tmp_path)


Act = Callable[[Engine, JobId, Origin], object]
ACTS: dict[str, Act] = {
    "revise": lambda engine, job, at: engine.revise(job, JobSpec(at.url("/a"))),
    "retry": lambda engine, job, _: engine.retry(job),
    "pause": lambda engine, job, _: engine.pause(job),
    "resume": lambda engine, job, _: engine.resume(job),
    "cancel": lambda engine, job, _: engine.cancel(job),
}


@pytest.mark.parametrize("last", ["remove", "stay"])
@pytest.mark.parametrize("first", ACTS)
@pytest.mark.parametrize("second", ACTS)
@pytest.mark.parametrize("turns", [0, 3])
async def test_acts_in_quick_succession(
    tmp_path: Path, first: str, second: str, last: str, turns: int
) -> None:
    """Whatever is done while something else is not over yet, it ends well."""
    async with serving(tmp_path, {"/a": Resource(FILE, rate=8e6)}) as (origin, engine):
        job = engine.add(JobSpec(origin.url("/a")))
        await until(has(engine, job, KIB), step=0.001)
        for act in (first, second):
            ACTS[act](engine, job, origin)
            for _ in range(turns):
                await asyncio.sleep(0)
        if last == "remove":
            engine.remove(job, delete=True)
            await left(tmp_path)
            return
        engine.resume(job)
        engine.retry(job)
        done = await engine.wait(job)
        assert done.state is JobState.DONE
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == FILE.read()
