"""`--json`: whatever happens, standard error is JSON Lines that keep to the schema."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from engine.testing import (
    Content,
    CutAfter,
    Fault,
    Origin,
    Request,
    ResetAfter,
    Resource,
    Stall,
    Status,
)
from hydratui.json_lines import MOST
from tests.integration.support import FILE, MIB, ROOT, Ran, hydra, run, until
from tests.support.json_lines import SCHEMA, Told, checked

OTHER = Content(2 * MIB + 5, seed=12)
FAST = ("--give-up-after", "0.1")


async def told(*arguments: str | bytes, code: int = 0, cwd: Path) -> Told:
    """What a run tells of itself, that ends with a code and says so."""
    ran = await run("--json", *arguments, cwd=cwd)
    lines = Told(ran.err)
    assert (ran.code, lines.summary["exit_code"]) == (code, code)
    return lines


def in_turn(*faults: Fault | None) -> Callable[[Request], Fault | None]:
    """Each for one request, then none."""
    left = iter(faults)
    return lambda _: next(left, None)


def test_the_schema_describes_every_event_of_its_own() -> None:
    """No event has fields that are not described."""
    schema = json.loads(SCHEMA.read_text())
    definitions = schema["$defs"]
    events = [one["$ref"].rpartition("/")[2] for one in schema["oneOf"]]
    assert " ".join(events) == (
        "queued probed started progress window retry mirror changed verified done "
        "failed expired paused resumed summary"
    )
    for event in events:
        assert definitions[event]["additionalProperties"] is False
        assert definitions[event]["properties"]["event"] == {"const": event}
        for field in definitions[event]["properties"].values():
            assert {"description", "$ref", "const"} & field.keys()


@pytest.mark.option("json")
async def test_a_file_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    """A job is queued, probed, started, verified and done, and then all is summed up."""
    digest = FILE.digest("sha256")
    async with Origin({"/file": Resource(FILE)}) as origin:
        url = origin.url("/file")
        checksum = ("--checksum", f"sha256:{digest}")
        lines = await told(*checksum, "-o", "out", url, cwd=tmp_path)
    assert lines.life(1) == ["queued", "probed", "started", "verified", "done"]
    [queued], [probed], [done] = map(lines.of, ("queued", "probed", "done"))
    assert (queued["name"], queued["url"]) == ("file", url)
    assert (probed["size"], probed["ranges"]) == (FILE.size, True)
    assert probed["etag"] == FILE.etag
    [verified] = lines.of("verified")
    assert verified["digests"] == {"sha256": digest}
    assert verified["origin"] == "--checksum"
    assert done["verdict"] == "verified (sha256, from --checksum)"
    assert (done["target"], done["size"]) == ("out/file", FILE.size)
    assert done["received"] >= FILE.size
    assert 0 < done["seconds"] <= lines.summary["seconds"]
    assert (lines.summary["done"], lines.summary["failed"]) == (1, 0)


async def test_faults_and_progress(tmp_path: Path) -> None:
    """Each retry says why, and how long it waits; progress comes once a second."""
    script = in_turn(Status(503, retry_after=1), ResetAfter(9_000), CutAfter(9_000))
    slow = Resource(Content(5 * MIB), rate=1.2e6, script=script)
    async with Origin({"/file": slow, "/other": Resource(OTHER)}) as origin:
        urls = map(origin.url, ("/file", "/other"))
        lines = await told("--no-verify", "-t", "2", *urls, cwd=tmp_path)
    refused, *broken = lines.of("retry")
    assert (refused["status"], refused["reason"]) == (503, "HTTP 503")
    assert refused["wait"] >= 1
    assert len(broken) == 2
    assert {one["status"] for one in broken} == {None}
    assert lines.of("window")
    assert lines.life(1)[-1] == lines.life(2)[-1] == "done"
    whole = [one for one in lines.of("progress") if one["job"] == 0]
    assert len(whole) <= lines.summary["seconds"]
    own = [one for one in lines.of("progress") if one["job"] == 1]
    assert 0 < len(own) <= len(whole)
    assert own[-1]["size"] == 5 * MIB
    assert [one["done"] for one in own] == sorted(one["done"] for one in own)


async def test_a_storm_of_retries_ends(tmp_path: Path) -> None:
    """A server that only fails: retries, then one failure with its class and code."""
    broken = Resource(script=lambda _: Status(500))
    async with Origin({"/file": broken}) as origin:
        url = origin.url("/file?token=secret")
        lines = await told("--give-up-after", "1.5", url, code=3, cwd=tmp_path)
    assert len(lines.of("retry")) >= 2
    [failed] = lines.of("failed")
    assert (failed["job"], failed["error"], failed["exit_code"]) == (1, "network", 3)
    assert failed["reason"] == "HTTP 500"
    assert failed["url"].endswith("/file?token=***")
    assert lines.kinds[-2:] == ["failed", "summary"]
    assert (lines.summary["done"], lines.summary["failed"]) == (0, 1)


async def test_failures_of_different_kinds(tmp_path: Path) -> None:
    """Every failed job has a line of its own, as it happens; the summary counts them."""
    files = {
        "/good": Resource(FILE),
        "/broken": Resource(script=lambda _: Status(500)),
    }
    async with Origin(files) as origin:
        urls = map(origin.url, ("/good", "/missing", "/broken"))
        lines = await told(*FAST, *urls, code=8, cwd=tmp_path)
    failed = {one["job"]: (one["error"], one["status"]) for one in lines.of("failed")}
    assert failed == {2: ("refused", 404), 3: ("network", None)}
    assert (lines.summary["done"], lines.summary["failed"]) == (1, 2)


async def test_a_file_that_changes(tmp_path: Path) -> None:
    """The job says that the file changed, begins again, and is done."""

    def script(_: Request) -> Fault:
        origin.resources["/file"] = Resource(OTHER)
        return CutAfter(MIB)

    async with Origin({"/file": Resource(FILE, script=script)}) as origin:
        url = origin.url("/file")
        lines = await told("--no-verify", "-t", "1", url, cwd=tmp_path)
    assert lines.life(1)[-1] == "done"
    [changed] = lines.of("changed")
    assert "changed" in changed["reason"]
    assert lines.of("done")[0]["size"] == OTHER.size


@pytest.mark.parametrize("front_end", ["--stream", "--no-ui"])
async def test_a_wrong_digest(tmp_path: Path, front_end: str) -> None:
    """A digest that does not match is a failure of integrity, told once."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        options = (front_end, "--checksum", "0" * 32)
        lines = await told(*options, origin.url("/file"), code=5, cwd=tmp_path)
    [failed] = lines.of("failed")
    assert (failed["job"], failed["error"]) == (1, "integrity")
    assert FILE.digest("md5") in failed["reason"]


async def test_an_expired_link(tmp_path: Path) -> None:
    """A link that works no more ends the job as expired, which counts as failed."""

    def script(request: Request) -> Fault:
        return Status(403) if request.number > 1 else CutAfter(MIB)

    async with Origin({"/file": Resource(FILE, script=script)}) as origin:
        options = ("--no-verify", "-t", "1")
        lines = await told(*options, origin.url("/file?sig=a"), code=4, cwd=tmp_path)
    [expired] = lines.of("expired")
    assert (expired["final"], expired["status"]) == (True, 403)
    assert expired["url"].endswith("?sig=***")
    assert lines.of("failed") == []
    assert lines.summary["failed"] == 1


async def test_mirrors_are_told_of(tmp_path: Path) -> None:
    """A source that serves the same file is used, one that does not is benched."""
    slow = {"/file": Resource(FILE, rate=1e6)}
    async with (
        Origin(slow) as origin,
        Origin(slow) as good,
        Origin({"/file": Resource(OTHER)}) as bad,
    ):
        mirrors = [f"--mirror={one.url('/file')}" for one in (good, bad)]
        options = ("--no-verify", "--min-chunk-mb", "0.25", *mirrors)
        lines = await told(*options, origin.url("/file"), cwd=tmp_path)
    actions = {one["host"]: one["action"] for one in lines.of("mirror")}
    assert actions[f"127.0.0.1:{good.port}"] == "used"
    assert actions[f"127.0.0.1:{bad.port}"] == "benched"


async def test_streams(tmp_path: Path) -> None:
    """A stream tells the same, has no target, and stdout has nothing but its bytes."""
    async with Origin({"/a": Resource(FILE), "/b": Resource(OTHER)}) as origin:
        urls = map(origin.url, ("/a", "/b"))
        ran = await run("--stream", "-j", *urls, cwd=tmp_path)
    lines = Told(ran.err)
    assert (ran.code, ran.out) == (0, FILE.read() + OTHER.read())
    assert [one["target"] for one in lines.of("done")] == [None, None]
    assert [one["job"] for one in lines.of("done")] == [1, 2]
    assert (lines.summary["done"], lines.summary["left"]) == (2, 0)


async def test_a_stream_of_which_one_fails(tmp_path: Path) -> None:
    """What fails is told once, and the summary knows how it ended."""
    async with Origin({"/a": Resource(FILE), "/c": Resource(FILE)}) as origin:
        urls = map(origin.url, ("/a", "/b", "/c"))
        lines = await told("--stream", *urls, code=4, cwd=tmp_path)
    [failed] = lines.of("failed")
    assert (failed["job"], failed["error"]) == (2, "refused")
    assert (lines.summary["done"], lines.summary["failed"]) == (1, 1)


async def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """A reader that goes away is no failure of anything; the code says it."""
    async with Origin({"/file": Resource(Content(64 * MIB))}) as origin:
        with hydra("--stream", "-j", origin.url("/file"), cwd=tmp_path) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            await asyncio.to_thread(child.stdout.read, MIB)
            child.stdout.close()
            err = await asyncio.to_thread(child.stderr.read)
    lines = Told(err.decode())
    assert lines.of("failed") == []
    assert lines.summary["exit_code"] == 141


@pytest.mark.parametrize("front_end", ["--stream", "--no-ui"])
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
async def test_signals(tmp_path: Path, front_end: str, number: str, code: int) -> None:
    """A signal ends with the summary as well, and then with its code."""
    stalls = Resource(FILE, script=lambda _: Stall(9_000))
    async with Origin({"/file": stalls}) as origin:
        with hydra(front_end, "--json", origin.url("/file"), cwd=tmp_path) as child:
            await origin.until(lambda: origin.served > 0)
            child.send_signal(signal.Signals[number])
            _, err = await asyncio.to_thread(child.communicate, timeout=10)
    summary = Told(err.decode()).summary
    assert (child.returncode, summary["exit_code"]) == (code, code)
    assert (summary["done"], summary["failed"], summary["left"]) == (0, 0, 1)


async def test_what_an_earlier_run_left(tmp_path: Path) -> None:
    """A run that goes on says from where."""
    stalls = Resource(FILE, script=lambda _: Stall(900_000))
    async with Origin({"/file": stalls}) as origin:
        url = origin.url("/file")
        with hydra("--json", "-t1", url, cwd=tmp_path) as child:
            assert child.stderr is not None
            await asyncio.to_thread(_until_some_is_here, child.stderr)
            child.send_signal(signal.SIGTERM)
            await asyncio.to_thread(child.communicate, timeout=10)
        origin.resources["/file"] = Resource(FILE)
        lines = await told(url, cwd=tmp_path)
    [resumed], [started] = lines.of("resumed"), lines.of("started")
    assert 0 < resumed["done"] == started["done"] < FILE.size


def _until_some_is_here(err: IO[bytes]) -> None:
    """Read lines up to one that tells of bytes."""
    for line in err:
        told = checked(line.decode())
        if told["event"] == "progress" and told["done"]:
            return


async def test_usage_errors(tmp_path: Path) -> None:
    """What is wrong with a value is a failure of the run, and it is summed up."""
    lines = await told("--threads", "0", "http://127.0.0.1:9/", code=2, cwd=tmp_path)
    [failed, summary] = lines
    assert (failed["job"], failed["error"], failed["url"]) == (0, "usage", None)
    assert "threads" in failed["reason"]
    assert (summary["done"], summary["failed"], summary["received"]) == (0, 0, 0)
    nothing = await told(code=2, cwd=tmp_path)
    assert nothing.kinds == ["failed", "summary"]


async def test_an_option_that_is_none_is_told_in_text(tmp_path: Path) -> None:
    """Before the options are understood nobody knows that JSON is wanted."""
    ran = await run("--json", "--frobnicate", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith("hydra-tui: ")


async def test_json_and_quiet_exclude_each_other(tmp_path: Path) -> None:
    """Typed together they are a usage error that names both."""
    lines = await told("--quiet", "http://127.0.0.1:9/", code=2, cwd=tmp_path)
    assert "--json and --quiet" in lines.of("failed")[0]["reason"]


async def test_who_typed_it_has_the_last_word(tmp_path: Path) -> None:
    """The environment can ask for JSON, and `--quiet` typed is stronger."""
    env = os.environ | {"HYDRA_TUI_JSON": "true", "PYTHONPATH": str(ROOT)}
    async with Origin({"/file": Resource(FILE)}) as origin:
        url = origin.url("/file")
        spoken = await run(url, cwd=tmp_path, env=env)
        silent = await run("--quiet", url, cwd=tmp_path, env=env)
    assert Told(spoken.err).summary["done"] == 1
    assert silent == Ran(0, b"", "")


@pytest.mark.parametrize("where", ["/dev/full", "a reader that left"])
async def test_nobody_reads_it(tmp_path: Path, where: str) -> None:
    """A broken standard error is no reason to fail."""
    if where == "/dev/full":
        writer = os.open(where, os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    try:
        async with Origin({"/file": Resource(FILE)}) as origin:
            ran = await run("-j", origin.url("/file"), cwd=tmp_path, stderr=writer)
    finally:
        os.close(writer)
    assert ran.code == 0
    assert (tmp_path / "download" / "file").read_bytes() == FILE.read()


async def test_names_from_anywhere(tmp_path: Path) -> None:
    """What is no text, or would style a terminal, is JSON like everything else."""
    field = "attachment; filename*=UTF-8''a%1B%5B31m%0Ab%E2%80%AEc%22"
    files = {
        "/file": Resource(FILE, headers=(("Content-Disposition", field),)),
        "/a%FF": Resource(FILE),
    }
    async with Origin(files) as origin:
        raw = origin.url("/a").encode() + b"\xff"
        lines = await told(origin.url("/file"), raw, cwd=tmp_path)
    assert lines.summary["done"] == 2


async def test_hundreds_of_files(tmp_path: Path) -> None:
    """Progress is told of those at work only, however many there are."""
    small = {f"/{number}": Resource(Content(20_000)) for number in range(300)}
    async with Origin(small, uplink=5e6) as origin:
        lines = await told("--no-verify", *map(origin.url, small), cwd=tmp_path)
    assert len(lines.of("queued")) == len(lines.of("done")) == 300
    whole = [one for one in lines.of("progress") if one["job"] == 0]
    assert whole
    assert len(lines.of("progress")) <= len(whole) * (MOST + 1)
    assert lines.summary["done"] == 300


@pytest.mark.parametrize("voice", ["--json", "--no-ui"])
async def test_a_reader_of_messages_who_stands_still(
    tmp_path: Path, voice: str
) -> None:
    """It holds up no download, and no signal."""
    small = {f"/{number}": Resource(Content(5_000)) for number in range(600)}
    small["/last"] = Resource(FILE, script=lambda _: Stall(9_000))
    async with Origin(small) as origin:
        lines = "\n".join(map(origin.url, small))
        (tmp_path / "list").write_text(lines)
        with hydra(voice, "--no-verify", "-i", "list", cwd=tmp_path) as child:
            await origin.until(lambda: len(origin.requests) == len(small))
            here = tmp_path / "download"
            await until(lambda: len(list(here.glob("*[0-9]"))) == 600)
            child.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(child.wait, 1.5) == 143
