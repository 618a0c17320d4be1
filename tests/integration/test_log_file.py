"""What a run leaves in its log file, and that nothing tells a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.testing import Origin, Resource, Status
from tests.integration.support import FILE, ROOT, Ran, run
from tests.support.json_lines import Told

SECRETS = ("Pa55word", "t0ken", "c00kie", "h1dden", "s3cret", "dXNlcjpQYTU1d29yZA")
"""What no line may have; the last one is the user and the password in base64."""


def surroundings(home: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(home)}


def logs(home: Path) -> list[str]:
    """The texts of all log files, in the order of the runs."""
    return [path.read_text() for path in sorted(home.glob("hydra-tui/log/*.log"))]


@pytest.mark.parametrize("front_end", [(), ("--stream",), ("--quiet",), ("--json",)])
async def test_every_run_leaves_a_log(
    tmp_path: Path, front_end: tuple[str, ...]
) -> None:
    """Its command line, a line for each event, and how it ended; also when quiet."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        url = origin.url("/file")
        env = surroundings(tmp_path)
        ran = await run(*front_end, url, cwd=tmp_path, env=env)
    assert ran.code == 0
    [log] = logs(tmp_path)
    first, *lines, last = log.splitlines()
    assert url in first
    assert last.endswith("ended with 0")
    kinds = [line.split()[2] for line in lines]
    assert [kind for kind in kinds if kind != "window"] == [
        *("queued", "probed", "started", "done")
    ]


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["--print-config"], ["--threads", "0"], ["nonsense"]],
)
async def test_what_starts_nothing_leaves_no_log(
    tmp_path: Path, arguments: list[str]
) -> None:
    """What is only printed, and what is refused, is no run."""
    await run(*arguments, cwd=tmp_path, env=surroundings(tmp_path))
    assert logs(tmp_path) == []


async def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """The run goes on, and people are told once; programs, and the quiet, are not."""
    (tmp_path / "hydra-tui").write_bytes(b"in the way")
    async with Origin({"/file": Resource(FILE)}) as origin:
        arguments = ("--no-verify", "--stream", origin.url("/file"))
        env = surroundings(tmp_path)
        text = await run(*arguments, cwd=tmp_path, env=env)
        quiet = await run("-q", *arguments, cwd=tmp_path, env=env)
        lines = await run("-j", *arguments, cwd=tmp_path, env=env)
    assert text.code == 0
    assert text.err.count("no log file") == 1
    assert quiet == Ran(0, FILE.read(), "")
    assert Told(lines.err).summary["exit_code"] == 0


@pytest.mark.option("debug")
async def test_curl_is_heard_with_debug(tmp_path: Path) -> None:
    """Its own words and the headers of each request, and nothing of the bodies."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        url, env = origin.url("/file"), surroundings(tmp_path)
        await run("--stream", url, cwd=tmp_path, env=env)
        await run("--stream", "--debug", url, cwd=tmp_path, env=env)
    without, log = logs(tmp_path)
    assert " curl " not in without
    assert "[1] > GET /file HTTP/1.1" in log
    assert "[1] < HTTP/1.1 206" in log
    assert len(log) < 100_000


@pytest.mark.parametrize("voice", ["--no-ui", "--json", "--stream", "--quiet"])
@pytest.mark.parametrize("path", ["/file", "/missing", "/broken"])
async def test_secrets_appear_nowhere(tmp_path: Path, voice: str, path: str) -> None:
    """Neither userinfo nor headers nor cookies nor query values, not with --debug."""
    headers = (
        ("Set-Cookie", "sid=c00kie; Path=/"),
        ("Location", "/file?signature=s3cret"),
    )
    files = {
        "/file": Resource(FILE, headers=headers),
        "/broken": Resource(FILE, script=lambda _: Status(500)),
    }
    async with Origin(files) as origin:
        url = origin.url(f"{path}?access=t0ken").replace("//", "//user:Pa55word@")
        ran = await run(
            *(voice, "--debug", "--give-up-after", "0.1"),
            *("-H", "X-Api-Key: h1dden", "-H", "Cookie: sid=c00kie"),
            *("-H", "Authorization: Bearer s3cret"),
            url,
            cwd=tmp_path,
            env=surroundings(tmp_path),
        )
    [log] = logs(tmp_path)
    assert ran.code == {"/file": 0, "/missing": 4, "/broken": 3}[path]
    assert "?access=***" in log
    assert "> GET" in log
    for secret in SECRETS:
        assert secret not in ran.err
        assert secret not in log


@pytest.mark.option("debug")
async def test_debug_shows_tracebacks(tmp_path: Path) -> None:
    """In the log file always, on standard error where there is text; the code stays."""
    async with Origin({}) as origin:
        arguments = ("--debug", "--stream", origin.url("/file"))
        env = surroundings(tmp_path)
        text = await run(*arguments, cwd=tmp_path, env=env)
        quiet = await run("-q", *arguments, cwd=tmp_path, env=env)
        lines = await run("-j", *arguments, cwd=tmp_path, env=env)
    assert (text.code, quiet.code, lines.code) == (4, 4, 4)
    assert "Traceback" in text.err
    assert text.err.splitlines()[-1].endswith("HTTP 404")
    assert len(quiet.err.splitlines()) == 1
    assert Told(lines.err).summary["failed"] == 1
    assert all("Traceback" in log for log in logs(tmp_path))


async def test_an_open_door_is_told(tmp_path: Path) -> None:
    """That certificates are not verified is said once, before anything else."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        ran = await run("--insecure", origin.url("/file"), cwd=tmp_path)
    first, *rest = ran.err.splitlines()
    assert "certificates are not verified" in first
    assert "certificates" not in "".join(rest)
