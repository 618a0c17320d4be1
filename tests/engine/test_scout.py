"""What a download would be, learned without making anything."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import (
    Config,
    Engine,
    HydraError,
    JobSpec,
    NetworkError,
    OnConflict,
    Prospect,
    RefusedError,
    UsageError,
    ledger_path,
    open_ledger,
)
from engine.testing import Content, CutAfter, Origin, Resource, Status
from engine.testing.answers import LAST_MODIFIED

MIB = 1 << 20
FILE = Content(3 * MIB + 1, seed=4)
SUMS = f"{FILE.digest()}  file.bin\n".encode()


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin({"/set/file.bin": Resource(FILE)}) as made:
        yield made


async def look(
    directory: Path, spec: JobSpec, *, to_disk: bool = True, **config: Any
) -> list[Prospect]:
    """What an engine of its own finds."""
    settings = Config(output=directory, browser=None, **config)
    async with Engine(settings) as engine:
        return [one async for one in engine.look(spec, to_disk=to_disk)]


def everything(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*"))


async def test_it_tells_what_there_is(origin: Origin, tmp_path: Path) -> None:
    """Name, size, parts, validators, digest, place, room and lanes; one GET for them."""
    origin.resources["/set/SHA256SUMS"] = Resource(Content.of(SUMS))
    [seen] = await look(tmp_path / "new", JobSpec(origin.url("/set/file.bin")))
    assert (seen.name, seen.size, seen.ranges) == ("file.bin", FILE.size, True)
    assert (seen.etag, seen.last_modified) == (FILE.etag, LAST_MODIFIED)
    [promise] = seen.promises
    assert (promise.digest.hex, promise.origin) == (FILE.digest(), "SHA256SUMS")
    assert seen.target == str(tmp_path / "new" / "file.bin")
    room = os.statvfs(tmp_path)
    assert seen.free == pytest.approx(room.f_bavail * room.f_frsize, rel=0.1)
    assert seen.lanes == 4
    assert (seen.verdict, seen.done) == ("", 0)
    asked = [r for r in origin.requests if r.path == "/set/file.bin"]
    assert len(asked) == 1
    assert everything(tmp_path) == []


async def test_what_goes_to_a_reader_has_no_place(
    origin: Origin, tmp_path: Path
) -> None:
    """Neither a target nor room is needed for it."""
    spec = JobSpec(origin.url("/set/file.bin"))
    [seen] = await look(tmp_path, spec, to_disk=False, verify=False)
    assert (seen.target, seen.free, seen.promises) == ("", None, ())


async def test_what_an_earlier_run_left_is_seen_and_left(tmp_path: Path) -> None:
    """How much of it is here; the partial and its journal stay as they are."""
    broken = Resource(FILE, script=[None, *[CutAfter(1000)] * 50])
    async with Origin({"/file.bin": broken}) as origin:
        spec = JobSpec(origin.url("/file.bin"))
        settings = Config(output=tmp_path, browser=None, verify=False, give_up_after=0)
        async with Engine(settings) as engine:
            with pytest.raises(NetworkError):
                await engine.wait(engine.add(spec))
        names = everything(tmp_path)
        assert names == ["file.bin.part", "file.bin.part.hydra"]
        [seen] = await look(tmp_path, spec, verify=False)
        assert seen.done >= MIB
        assert seen.target == str(tmp_path / "file.bin")
        [anew] = await look(tmp_path, spec, verify=False, restart=True)
        assert anew.done == 0
        assert everything(tmp_path) == names


async def test_what_is_here_already_is_told(origin: Origin, tmp_path: Path) -> None:
    """And what would happen to a name that is taken."""
    spec = JobSpec(origin.url("/set/file.bin"))
    async with Engine(Config(output=tmp_path, browser=None)) as engine:
        await engine.wait(engine.add(spec))
    [here] = await look(tmp_path, spec)
    assert here.verdict == "already here"
    (tmp_path / "file.bin").write_bytes(b"another")
    [renamed] = await look(tmp_path, spec)
    assert renamed.target == str(tmp_path / "file (2).bin")
    [skipped] = await look(tmp_path, spec, on_conflict=OnConflict.SKIP)
    assert skipped.verdict == "skipped, the name is taken"


async def test_what_the_ledger_knows_counts(origin: Origin, tmp_path: Path) -> None:
    """Where a server tells nothing, the first bytes are compared, as a job would."""
    silent = Resource(FILE, etag=None, last_modified=None)
    origin.resources["/set/file.bin"] = silent
    spec = JobSpec(origin.url("/set/file.bin"))
    settings = Config(output=tmp_path, browser=None, verify=False)
    verdicts = []
    async with Engine(settings, ledger=open_ledger(ledger_path())) as engine:
        await engine.wait(engine.add(spec))
        verdicts += [one.verdict async for one in engine.look(spec)]
        origin.resources["/set/file.bin"] = Resource(
            Content(FILE.size, seed=5), etag=None, last_modified=None
        )
        verdicts += [one.verdict async for one in engine.look(spec)]
    assert verdicts == ["already here", ""]


async def test_two_of_one_name_get_the_names_they_would_get(
    origin: Origin, tmp_path: Path
) -> None:
    """Looked at together they are placed together."""
    origin.resources["/other/file.bin"] = Resource(Content(7))
    targets = []
    async with Engine(Config(output=tmp_path, browser=None, verify=False)) as engine:
        for path in ("/set/file.bin", "/other/file.bin"):
            spec = JobSpec(origin.url(path))
            targets += [one.target async for one in engine.look(spec)]
    assert targets == [str(tmp_path / "file.bin"), str(tmp_path / "file (2).bin")]


async def test_all_files_of_a_metalink_are_told(origin: Origin, tmp_path: Path) -> None:
    """With the digests and names that it promises."""
    origin.resources["/all.meta4"] = Resource(
        Content.of(
            f"""<metalink xmlns="urn:ietf:params:xml:ns:metalink">
            <file name="one"><hash type="sha-256">{FILE.digest()}</hash>
            <url>{origin.url("/set/file.bin")}</url></file>
            <file name="two"><url>{origin.url("/set/file.bin")}</url></file>
            </metalink>""".encode()
        )
    )
    one, two = await look(tmp_path, JobSpec(origin.url("/all.meta4")))
    assert [one.name, two.name] == ["one", "two"]
    assert one.promises[0].origin == "Metalink"


@pytest.mark.parametrize(
    ("path", "spec", "error"),
    [
        ("/missing", {}, RefusedError),
        ("/set/file.bin", {"size": 7}, RefusedError),
        ("/busy", {}, NetworkError),
    ],
)
async def test_what_would_fail_fails(
    origin: Origin, tmp_path: Path, path: str, spec: Any, error: type[HydraError]
) -> None:
    """With the error of a job whose first request comes to nothing."""
    busy = Resource(FILE, script=lambda _: Status(503))
    origin.resources["/busy"] = busy
    with pytest.raises(error):
        await look(tmp_path, JobSpec(origin.url(path), **spec), give_up_after=0)
    assert everything(tmp_path) == []


async def test_what_can_never_work_is_refused_at_once(tmp_path: Path) -> None:
    """Before anybody is asked."""
    with pytest.raises(UsageError):
        await look(tmp_path, JobSpec("ftp://127.0.0.1/file"))
