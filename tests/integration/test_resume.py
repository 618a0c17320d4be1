"""What one run leaves, the next one goes on with; and whose it is."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.testing import (
    Content,
    IgnoreRange,
    Origin,
    Page,
    Relabel,
    Request,
    Resource,
    Status,
)
from tests.integration.support import MIB, PATIENCE, Ran, hydra, run, until

FILE = Content(12 * MIB + 17, seed=31)
NEW = Content(FILE.size, seed=32)
OTHER = Content(FILE.size - 1, seed=33)
SLOW = 2e6
"""Bytes per second of a connection: four of them take a second and a half."""
LANES = ("-t", "4")


def get(
    origin: Origin, folder: Path, *more: str, url: str = "/file"
) -> tuple[str, ...]:
    where = () if "--stream" in more else ("-o", str(folder), "--no-ui")
    return (*where, *LANES, *more, origin.url(url))


async def fetch(origin: Origin, folder: Path, *more: str, url: str = "/file") -> Ran:
    """One whole run."""
    return await run(*get(origin, folder, *more, url=url))


async def killed(
    origin: Origin,
    folder: Path,
    *more: str,
    url: str = "/file",
    by: signal.Signals = signal.SIGKILL,
    when: Callable[[], bool] | None = None,
) -> int:
    """A run that is ended once it has written something down; its exit code."""
    with hydra(*get(origin, folder, *more, url=url)) as child:
        try:
            await until(when or (lambda: done(folder)))
        finally:
            child.send_signal(by)
        return await asyncio.to_thread(child.wait, PATIENCE)


def journal(folder: Path) -> dict[str, Any]:
    """The only journal there is."""
    [path] = folder.glob("*.part.hydra")
    fields: dict[str, Any] = json.loads(path.read_bytes())
    return fields


def done(folder: Path) -> int:
    """Bytes that are claimed to be safe."""
    paths = list(folder.glob("*.part.hydra")) if folder.exists() else []
    return sum(b - a for a, b in journal(folder)["done"]) if paths else 0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def slowly(content: Content = FILE, **more: Any) -> Resource:
    return Resource(content, rate=SLOW, **more)


@asynccontextmanager
async def left(folder: Path, **more: Any) -> AsyncIterator[Origin]:
    """An origin, and what a killed run has left of its file; then it is quick."""
    async with Origin({"/file": slowly(**more)}) as origin:
        assert await killed(origin, folder) == -signal.SIGKILL
        origin.resources["/file"] = Resource(FILE, **more)
        yield origin


async def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    """The same command run again fetches only what was not yet safe."""
    async with left(tmp_path) as origin:
        safe, before = done(tmp_path), len(origin.requests)
        ran = await fetch(origin, tmp_path)
        again = [request.range for request in origin.requests[before:]]
    assert ran.code == 0
    assert "are here" in ran.err
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == FILE.read()
    assert sum(part.size for part in again if part) <= FILE.size - safe + MIB


async def test_a_name_from_the_server_is_found_again(tmp_path: Path) -> None:
    """The journal is found before anybody knows how the server calls the file."""
    async with left(tmp_path, name="genome.fa") as origin:
        assert journal(tmp_path)["name"] == "genome.fa"
        before = origin.requests[-1].number
        ran = await fetch(origin, tmp_path)
        first = next(r for r in origin.requests if r.number == before + 1)
    assert ran.code == 0
    assert names(tmp_path) == ["genome.fa"]
    assert (tmp_path / "genome.fa").read_bytes() == FILE.read()
    assert first.range is not None
    assert first.range.start > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_saves_first(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT, SIGTERM and SIGHUP end with 128 + n, and what is here is written down."""
    async with Origin({"/file": slowly()}) as origin:
        code = await killed(
            origin, tmp_path, by=number, when=lambda: origin.served > 6 * MIB
        )
        assert code == 128 + number
        assert done(tmp_path) > 4 * MIB
        origin.resources["/file"] = Resource(FILE)
        assert (await fetch(origin, tmp_path)).code == 0
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_the_journal_is_private_and_knows_no_secret(tmp_path: Path) -> None:
    """Mode 0600; neither userinfo nor the query's values are in it."""
    async with Origin({"/file": slowly()}) as origin:
        secret = "/file?token=hunter2"
        await killed(origin, tmp_path, url=secret)
    path = tmp_path / "file.part.hydra"
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"hunter2" not in path.read_bytes()
    assert journal(tmp_path)["url"] == origin.url("/file")


# -- whose it is ------------------------------------------------------------------


async def test_another_run_has_it(tmp_path: Path) -> None:
    """A second run on the same target fails at once with 7."""
    async with left(tmp_path) as origin:
        with (tmp_path / "file.part").open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            ran = await fetch(origin, tmp_path)
    assert ran.code == 7
    assert "another run" in ran.err


async def test_another_url_of_that_name(tmp_path: Path) -> None:
    """A journal of another URL with the same name is not ours: `name (2)`."""
    async with left(tmp_path) as origin:
        origin.resources["/else/file"] = Resource(NEW)
        ran = await fetch(origin, tmp_path, url="/else/file")
        assert ran.code == 0
        assert (tmp_path / "file (2)").read_bytes() == NEW.read()
        assert (await fetch(origin, tmp_path)).code == 0
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_another_query_to_the_same_file(tmp_path: Path) -> None:
    """Links expire: another query goes on, where size and validator agree."""
    async with left(tmp_path) as origin:
        before = origin.served
        ran = await fetch(origin, tmp_path, url="/file?signature=new")
        assert ran.code == 0
        assert origin.served - before < FILE.size
    assert names(tmp_path) == ["file"]


async def test_another_query_to_another_file(tmp_path: Path) -> None:
    """A query may also name another file: then nothing of the first is touched."""
    async with left(tmp_path) as origin:
        kept = (tmp_path / "file.part").read_bytes()
        origin.resources["/file"] = Resource(OTHER)
        ran = await fetch(origin, tmp_path, url="/file?id=2")
        assert ran.code == 0
        assert (tmp_path / "file (2)").read_bytes() == OTHER.read()
        assert (tmp_path / "file.part").read_bytes() == kept


@pytest.mark.option("restart")
async def test_restart_begins_anew(tmp_path: Path) -> None:
    """--restart throws the partial away, once the file is whole."""
    async with left(tmp_path) as origin:
        before = origin.served
        ran = await fetch(origin, tmp_path, "--restart")
        assert origin.served - before >= FILE.size
    assert ran.code == 0
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == FILE.read()


# -- a journal that lies ------------------------------------------------------------


def _cut(folder: Path) -> None:
    os.truncate(folder / "file.part", MIB)


def _lengthen(folder: Path) -> None:
    os.truncate(folder / "file.part", FILE.size + MIB)


def _exchange(folder: Path) -> None:
    """Another file stands where the partial was."""
    (folder / "copy").write_bytes(b"?" * FILE.size)
    (folder / "copy").rename(folder / "file.part")


def _damage(folder: Path) -> None:
    path = folder / "file.part.hydra"
    path.write_bytes(path.read_bytes()[:-7])


def _age(folder: Path) -> None:
    path = folder / "file.part.hydra"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "version": 0}))


def _lose(folder: Path) -> None:
    (folder / "file.part").unlink()


@pytest.mark.parametrize("harm", [_cut, _lengthen, _exchange, _damage, _age, _lose])
async def test_harm_costs_time_only(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """A partial or a journal that is not what it was: the bytes are right all the same."""
    async with left(tmp_path) as origin:
        harm(tmp_path)
        ran = await fetch(origin, tmp_path)
    assert ran.code == 0
    assert (tmp_path / "file").read_bytes() == FILE.read()
    assert names(tmp_path) == ["file"]


async def test_a_later_program_knows_better(tmp_path: Path) -> None:
    """A journal of a newer version is left alone, and so is its file."""
    async with left(tmp_path) as origin:
        path = tmp_path / "file.part.hydra"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "version": 2}))
        kept = (tmp_path / "file.part").read_bytes()
        ran = await fetch(origin, tmp_path)
    assert ran.code == 0
    assert (tmp_path / "file (2)").read_bytes() == FILE.read()
    assert (tmp_path / "file.part").read_bytes() == kept


# -- a remote file that is no longer it -----------------------------------------------


@pytest.mark.parametrize("honours", [True, False], ids=["If-Range", "no If-Range"])
@pytest.mark.parametrize("tagged", [True, False], ids=["ETag", "Last-Modified"])
async def test_a_new_version_replaces_the_old(
    tmp_path: Path, *, tagged: bool, honours: bool
) -> None:
    """A file that changed since is fetched anew, and never mixed with what was here."""
    etag = "" if tagged else None
    async with left(tmp_path, etag=etag, honours_if_range=honours) as origin:
        date = "Thu, 02 Jan 2025 00:00:00 GMT"
        new = replace(origin.resources["/file"], content=NEW, last_modified=date)
        origin.resources["/file"] = new
        ran = await fetch(origin, tmp_path)
    assert ran.code == 0
    assert "changed" in ran.err
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == NEW.read()


async def test_a_login_page_is_no_version(tmp_path: Path) -> None:
    """A web page in place of the file costs patience, and nothing that is here."""
    async with left(tmp_path) as origin:
        safe = done(tmp_path)
        origin.resources["/file"] = replace(
            origin.resources["/file"], script=lambda _: Page()
        )
        ran = await fetch(origin, tmp_path, "--give-up-after", "0.3")
        assert ran.code == 3
        assert "web page" in ran.err
        assert done(tmp_path) == safe
        origin.resources["/file"] = Resource(FILE)
        assert (await fetch(origin, tmp_path)).code == 0
    assert (tmp_path / "file").read_bytes() == FILE.read()


def _node(request: Request) -> Relabel:
    """Each request is answered by another node, with a tag of its own."""
    return Relabel((("ETag", f'"node-{request.number}"'),))


@pytest.mark.parametrize("dated", [True, False])
async def test_nodes_that_tag_differently(tmp_path: Path, *, dated: bool) -> None:
    """Other tags on the same size, date and bytes: that is the same file."""
    date = {} if dated else {"last_modified": None}
    async with left(tmp_path, script=_node, **date) as origin:
        before = origin.served
        ran = await fetch(origin, tmp_path)
        assert origin.served - before < FILE.size
    assert ran.code == 0
    assert (tmp_path / "file").read_bytes() == FILE.read()


@pytest.mark.parametrize("same", [True, False])
async def test_without_validators_bytes_are_compared(
    tmp_path: Path, *, same: bool
) -> None:
    """Where the server sends none, an overlapping block decides whether to go on."""
    async with left(tmp_path, etag=None, last_modified=None) as origin:
        before, content = origin.served, FILE if same else NEW
        origin.resources["/file"] = replace(origin.resources["/file"], content=content)
        ran = await fetch(origin, tmp_path)
        assert (origin.served - before < FILE.size) is same
    assert ran.code == 0
    assert (tmp_path / "file").read_bytes() == content.read()
    assert names(tmp_path) == ["file"]


async def test_a_server_that_lost_its_ranges(tmp_path: Path) -> None:
    """The whole file for a part of it: what is here is skipped, and kept."""
    async with left(tmp_path) as origin:
        origin.resources["/file"] = replace(
            origin.resources["/file"], script=lambda _: IgnoreRange()
        )
        ran = await fetch(origin, tmp_path)
    assert ran.code == 0
    assert (tmp_path / "file").read_bytes() == FILE.read()


# -- links that expire ----------------------------------------------------------------


def _signed(request: Request) -> Status | None:
    return Status(403) if "new" not in request.query else None


def _signed_later(request: Request) -> Status | None:
    return _signed(request) if request.number > 3 else None


async def test_an_expired_link(tmp_path: Path) -> None:
    """An expired link ends with 4 and costs nothing; a fresh one goes on."""
    async with left(tmp_path) as origin:
        safe, before = done(tmp_path), origin.served
        origin.resources["/file"] = Resource(FILE, script=_signed)
        ran = await fetch(origin, tmp_path, url="/file?old")
        assert ran.code == 4
        assert done(tmp_path) == safe
        assert (await fetch(origin, tmp_path, url="/file?new")).code == 0
        assert origin.served - before < FILE.size
    assert (tmp_path / "file").read_bytes() == FILE.read()


@pytest.mark.option("url-command")
@pytest.mark.parametrize("stream", [True, False])
async def test_a_command_that_knows_a_fresh_link(
    tmp_path: Path, *, stream: bool
) -> None:
    """--url-command is run when a link expires in the middle, and the job goes on."""
    async with Origin({"/file": Resource(FILE, script=_signed_later)}) as origin:
        command = (
            f"echo {origin.url('/file')}?new; echo $HYDRA_TUI_URL > {tmp_path}/old"
        )
        more = ("--url-command", command, *(["--stream"] if stream else []))
        ran = await fetch(origin, tmp_path, *more, url="/file?old")
        assert (tmp_path / "old").read_text().strip() == origin.url("/file?old")
    assert ran.code == 0, ran.err
    data = ran.out if stream else (tmp_path / "file").read_bytes()
    assert data == FILE.read()


# -- a target that exists ---------------------------------------------------------------


async def test_the_very_file_is_not_fetched_again(tmp_path: Path) -> None:
    """Size and Last-Modified tell that it is here: done, with one request."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        assert (await fetch(origin, tmp_path)).code == 0
        before = len(origin.requests)
        ran = await fetch(origin, tmp_path)
        assert len(origin.requests) == before + 1
    assert ran.code == 0
    assert "already here" in ran.err
    assert names(tmp_path) == ["file"]


async def test_a_digest_tells_that_it_is_here(tmp_path: Path) -> None:
    """Where there is no date, the expected digest of what is there decides."""
    async with Origin({"/file": Resource(FILE, last_modified=None)}) as origin:
        more = ("--checksum", FILE.digest("md5"))
        assert (await fetch(origin, tmp_path, *more)).code == 0
        ran = await fetch(origin, tmp_path, *more)
    assert "already here" in ran.err
    assert names(tmp_path) == ["file"]


CONFLICTS = {
    "rename": (0, ["file", "file (2)"]),
    "overwrite": (0, ["file"]),
    "skip": (0, ["file"]),
    "fail": (7, ["file"]),
}


@pytest.mark.option("on-conflict")
@pytest.mark.parametrize("how", CONFLICTS)
async def test_a_target_that_is_another_file(tmp_path: Path, how: str) -> None:
    """--on-conflict says what becomes of a file that has the name already."""
    (tmp_path / "file").write_bytes(b"mine")
    async with Origin({"/file": Resource(FILE)}) as origin:
        ran = await fetch(origin, tmp_path, "--on-conflict", how)
    assert (ran.code, names(tmp_path)) == CONFLICTS[how]
    mine = how != "overwrite"
    assert (tmp_path / "file").read_bytes() == (b"mine" if mine else FILE.read())


@pytest.mark.parametrize("how", ["rename", "overwrite", "fail"])
async def test_a_folder_in_the_way(tmp_path: Path, how: str) -> None:
    """A folder is never replaced."""
    (tmp_path / "file").mkdir()
    async with Origin({"/file": Resource(FILE)}) as origin:
        ran = await fetch(origin, tmp_path, "--on-conflict", how)
    assert ran.code == (0 if how == "rename" else 7)
    assert (tmp_path / "file").is_dir()
