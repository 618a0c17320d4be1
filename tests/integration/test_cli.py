"""The command line, in processes of its own: what comes out, and the exit code."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from subprocess import PIPE, Popen
from time import monotonic

import pytest

from engine.testing import (
    Content,
    CutAfter,
    Garbage,
    Origin,
    RedirectLoop,
    Relabel,
    Resource,
    Stall,
    Status,
    demo_origin,
)
from hydratui.cli import main
from tests.integration.support import (
    FILE,
    MIB,
    ROOT,
    Ran,
    hydra,
    left_alone,
    run,
)
from tests.support.nginx import NginxServer

NOWHERE = "http://127.0.0.1:9/file"
"""A URL that nothing may be asked of, where the command line is wrong."""
HUGE = "9" * 400
MANY = "9" * 5_000

USAGE: dict[str, tuple[Sequence[str | bytes], str]] = {
    "no URL": ([], "no URL"),
    "not a URL": (["nonsense"], "nonsense"),
    "an empty URL": ([""], "not a URL"),
    "no host": (["http://"], "host"),
    "a port too high": (["http://127.0.0.1:99999/"], "[Pp]ort"),
    "a port of letters": (["http://127.0.0.1:http/"], "[Pp]ort"),
    "half an address": (["http://[::1/"], "not a URL"),
    "a space": (["http://127.0.0.1/a b"], "space"),
    "a line break": (["http://127.0.0.1/a\nb"], "control"),
    "another scheme": (["ftp://127.0.0.1/file"], "http and https"),
    "a local file": (["file:///etc/passwd"], "http and https"),
    "a script": (["javascript:alert(1)"], "not a URL|http and https"),
    "one of two bad": ([NOWHERE, "nonsense"], "nonsense"),
    "no threads": (["-t", "0", NOWHERE], "threads.*0.*1 to 128"),
    "too many threads": (["-t", "129", NOWHERE], "threads.*129.*1 to 128"),
    "negative threads": (["-t-1", NOWHERE], "threads.*-1"),
    "half a thread": (["-t", "1.5", NOWHERE], "threads.*1.5.*number"),
    "threads of letters": (["-t", "many", NOWHERE], "threads.*many.*number"),
    "threads without end": (["-t", MANY, NOWHERE], "threads.*number"),
    "too many jobs": (["--jobs", "17", NOWHERE], "jobs.*17.*1 to 16"),
    "no rate": (["--limit", "0", NOWHERE], "limit.*0"),
    "a rate of letters": (["--limit", "fast", NOWHERE], "limit.*fast.*number"),
    "a rate without end": (["--limit", HUGE, NOWHERE], "limit"),
    "a tiny buffer": (["--buffer", "1", NOWHERE], "buffer.*1.*4 to"),
    "a buffer without end": (["--buffer", HUGE, NOWHERE], "buffer"),
    "a tiny chunk": (["--min-chunk-mb", "0", NOWHERE], "min.chunk.*0"),
    "a tiny range": (["--stream-chunk-mb", "0", NOWHERE], "stream.chunk.*0"),
    "negative patience": (["--give-up-after", "-1", NOWHERE], "give.up.after.*-1"),
    "no number of seconds": (["--give-up-after", "nan", NOWHERE], "give.up.after"),
    "seconds of letters": (["--stall-timeout", "x", NOWHERE], "stall.timeout.*x"),
    "no time to connect": (["--connect-timeout", "0", NOWHERE], "connect.timeout.*0"),
    "a value of nothing": (["--threads", "", NOWHERE], "threads.*number"),
    "a value that is missing": ([NOWHERE, "--threads"], "threads"),
    "an unknown option": (["--frobnicate", NOWHERE], "--frobnicate"),
    "half an option": (["--thread", "3", NOWHERE], "--thread"),
    "an unknown browser": (["--browser", "netscape", NOWHERE], "netscape.*chrome120"),
    "half a header": (["-H", "nonsense", NOWHERE], "nonsense"),
    "a bad header name": (["-H", "a b: c", NOWHERE], "a b"),
    "a header in two lines": (["-H", "a: b\nc: d", NOWHERE], "line break"),
    "a checksum of letters": (["--checksum", "nonsense", NOWHERE], "nonsense"),
    "a checksum too short": (["--checksum", "abcd", NOWHERE], "abcd"),
    "an unknown algorithm": (["--checksum", "x:ab", NOWHERE], "x.*md5"),
    "an unknown type": (
        ["-th", "crc", "--checksum", "ab" * 16, NOWHERE],
        "crc.*md5",
    ),
    "one checksum for two": (["--checksum", "ab" * 16, NOWHERE, NOWHERE], "one URL"),
    "one name for two": (["--name", "x", NOWHERE, NOWHERE], "one URL|--stream and"),
    "a mirror of nothing": (["--mirror", NOWHERE], "--mirror is for one URL, .* none"),
    "a demo of a file": (["--demo", NOWHERE], "--demo and URL: .* of its own"),
    "a demo of a list": (["--demo", "-i", "-"], "--demo and --input: .* of its own"),
    "a name that is none": (["--name", "..", NOWHERE], "name"),
    "an unknown conflict": (["--on-conflict", "ask", NOWHERE], "ask.*rename.*fail"),
    "no such list": (["-i", "/no/such/list"], "/no/such/list"),
    "a list that is a directory": (["-i", "/"], "/"),
    "a list of no text": (["-i", sys.executable], "."),
    "no such authority": (["--cacert", "/no/such.pem", NOWHERE], "/no/such.pem"),
    "bytes that are no text": ([b"http://127.0.0.1:99999/\xff"], "."),
    "a name of no text": ([b"--name=\xff", NOWHERE], "name"),
}


@pytest.mark.parametrize("front_end", ["--stream", "--no-ui"])
@pytest.mark.parametrize("case", USAGE)
def test_bad_usage_is_told_in_one_line(
    case: str,
    front_end: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Bad values are usage errors that name the option, the value and what is allowed."""
    arguments, message = USAGE[case]
    monkeypatch.chdir(tmp_path)
    try:
        code = main([front_end, *map(os.fsdecode, arguments)])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    out, err = capfdbinary.readouterr()
    assert_one_line(Ran(code, out, err.decode()), 2, message)
    assert names(tmp_path) == []


SPAWNED = ("not a URL", "another scheme", "no threads", "an unknown option")


@pytest.mark.parametrize("case", SPAWNED)
async def test_bad_usage_leaves_no_trace(tmp_path: Path, case: str) -> None:
    """A process that was asked for nonsense prints one line, and makes nothing."""
    arguments, message = USAGE[case]
    ran = await run("--stream", *arguments, cwd=tmp_path)
    assert_one_line(ran, 2, message)
    assert names(tmp_path) == []


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def assert_one_line(ran: Ran, code: int, message: str) -> None:
    """Nothing on stdout, one line on stderr, no traceback, and the code."""
    assert ran.out == b""
    [line] = ran.err.splitlines()
    assert line.startswith("hydra-tui: ")
    assert ran.code == code, line
    assert "Traceback" not in line
    assert "unexpected" not in line
    assert re.search(message, line), line
    assert "\x1b" not in line


def _version(number: int) -> Relabel:
    """Each answer is about another version of the file."""
    date = formatdate(number * 86_400, usegmt=True)
    return Relabel((("ETag", f'"{number}"'), ("Last-Modified", date)))


REFUSED: dict[str, tuple[Resource, int, str]] = {
    "404": (Resource(script=lambda _: Status(404)), 4, "404"),
    "403": (Resource(script=lambda _: Status(403)), 4, "403"),
    "a redirect loop": (Resource(script=lambda _: RedirectLoop()), 4, "redirects"),
    "a forbidden scheme": (Resource(redirect="ftp://127.0.0.1/"), 4, "redirect"),
    "garbage": (Resource(script=lambda _: Garbage()), 4, "not HTTP"),
    "a malformed response": (
        Resource(script=lambda _: Garbage(b"HTTP/1.1 what\r\n\r\n")),
        4,
        "HTTP",
    ),
    "500 for ever": (Resource(script=lambda _: Status(500)), 3, "500"),
    "cut for ever": (Resource(FILE, script=lambda _: CutAfter(0)), 3, "closed early"),
    "a change": (
        Resource(
            Content(16 * MIB),
            script=lambda request: _version(request.number),
        ),
        6,
        "changed",
    ),
}


@pytest.mark.parametrize(
    ("case", "front_end"),
    [(case, "--stream") for case in REFUSED]
    + [("404", "--no-ui"), ("a change", "--no-ui")],
)
async def test_a_bad_server_is_told_in_one_line(
    tmp_path: Path, case: str, front_end: str
) -> None:
    """One clear line, the exit code, and no file under a final name."""
    resource, code, message = REFUSED[case]
    async with Origin({"/file": resource}) as origin:
        url = origin.url("/file?token=secret").replace("//", "//user:pass@")
        ran = await run(front_end, "-q", "--give-up-after", "0.1", url, cwd=tmp_path)
    if code == 6:
        ran = replace(ran, out=b"")
    assert_one_line(ran, code, message)
    assert origin.url("/file?token=***") in ran.err
    assert "secret" not in ran.err
    assert "pass" not in ran.err
    assert not (tmp_path / "download" / "file").exists()


@pytest.mark.parametrize("front_end", ["--stream", "--no-ui"])
async def test_an_error_is_the_last_line(tmp_path: Path, front_end: str) -> None:
    """After the lines of progress the error is one line like any other."""
    async with Origin({"/first": Resource(FILE)}) as origin:
        urls = map(origin.url, ("/first", "/second"))
        ran = await run(front_end, *urls, cwd=tmp_path)
    last = ran.err.splitlines()[-1]
    assert_one_line(Ran(ran.code, b"", last), 4, "/second: HTTP 404")
    assert "Traceback" not in ran.err


@pytest.mark.option("give-up-after")
async def test_nobody_listens(tmp_path: Path) -> None:
    """A port nobody listens on ends with 3 once patience is out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/file"
    ran = await run("--stream", "-q", "--give-up-after", "0.1", url, cwd=tmp_path)
    assert_one_line(ran, 3, "cannot connect")
    assert names(tmp_path) == []


@pytest.mark.option("header")
async def test_what_is_no_text_goes_out_as_typed(tmp_path: Path) -> None:
    """Bytes in no encoding, in a URL or a header, are sent as they were typed."""
    async with Origin({"/a%FF": Resource(FILE)}) as origin:
        url = origin.url("/a").encode() + b"\xff"
        ran = await run("-q", "--stream", b"-HX-Raw: \xe9", url, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == FILE.read()
    assert {request.headers["x-raw"] for request in origin.requests} == {"\xe9"}


@pytest.mark.option("cacert")
async def test_an_authority_of_nonsense(tmp_path: Path, nginx: NginxServer) -> None:
    """A CA file that is none ends with 7, and says so."""
    url = f"{nginx.https_url}/one.bin"
    ran = await run("-q", "--stream", "--cacert", __file__, url, cwd=tmp_path)
    assert_one_line(ran, 7, "CA file")


async def test_a_certificate_of_a_stranger(tmp_path: Path, nginx: NginxServer) -> None:
    """A certificate that cannot be verified ends with 4, at once."""
    began = monotonic()
    ran = await run("-q", "--stream", f"{nginx.https_url}/one.bin", cwd=tmp_path)
    assert_one_line(ran, 4, "certificate")
    assert monotonic() - began < 3


@pytest.mark.parametrize("place", ["taken", "taken/below", "/proc/nowhere"])
async def test_a_place_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    """A directory that can't be written ends with 7, and names it."""
    (tmp_path / "taken").write_bytes(b"mine")
    async with Origin({"/file": Resource(FILE)}) as origin:
        ran = await run("-q", "-o", place, origin.url("/file"), cwd=tmp_path)
    assert_one_line(ran, 7, place.partition("/below")[0])
    assert (tmp_path / "taken").read_bytes() == b"mine"


@pytest.mark.option("checksum")
async def test_a_wrong_digest(tmp_path: Path) -> None:
    """A digest that does not match ends with 5; the data is kept as NAME.part.bad."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        arguments = ("-q", "--checksum", "0" * 32, origin.url("/file"))
        ran = await run(*arguments, cwd=tmp_path)
        assert_one_line(ran, 5, FILE.digest("md5"))
        assert names(tmp_path / "download") == ["file.part.bad"]
        streamed = await run("--stream", *arguments)
        assert streamed.out == FILE.read()
        assert_one_line(replace(streamed, out=b""), 5, FILE.digest("md5"))


async def test_the_worst_code_wins(tmp_path: Path) -> None:
    """Several jobs that failed for different reasons end with 8; the others are done."""
    files = {
        "/good": Resource(FILE),
        "/broken": Resource(script=lambda _: Status(500)),
    }
    async with Origin(files) as origin:
        good, missing, broken = map(origin.url, ("/good", "/missing", "/broken"))
        options = ("-q", "--give-up-after", "0.1")
        same = await run(*options, good, missing, missing, cwd=tmp_path)
        mixed = await run(*options, good, missing, broken, cwd=tmp_path)
    assert (same.code, mixed.code) == (4, 8)
    assert len(mixed.err.splitlines()) == 2
    assert names(tmp_path / "download") == ["good"]
    assert (tmp_path / "download" / "good").read_bytes() == FILE.read()


# -- what is set

SET: dict[str, tuple[str, dict[str, str], str]] = {
    "a value in the file": ("limit = 'fast'", {}, "config.toml, line 1: limit fast"),
    "a key in the file": ("thread = 3", {}, "thread: .*did you mean threads"),
    "a file that is no TOML": ("a = 1\nthreads", {}, "config.toml: .*line 2, column 8"),
    "a value in the environment": (
        "",
        {"HYDRA_TUI_LIMIT": "fast"},
        "HYDRA_TUI_LIMIT fast: a number",
    ),
    "a file that is not there": (
        "",
        {"HYDRA_TUI_CONFIG": "/no/such.toml"},
        "HYDRA_TUI_CONFIG /no/such.toml: No such file",
    ),
}


Settle = Callable[[str], Path]


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settle:
    """Writes our settings where the platform has them, and says where that is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    path = tmp_path / "settings" / "hydra-tui" / "config.toml"
    path.parent.mkdir(parents=True)

    def write(text: str) -> Path:
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("case", SET)
async def test_bad_settings_are_told_in_one_line(
    settle: Settle, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """What is wrong in a layer ends with 2, says where, and nothing is started."""
    text, environ, message = SET[case]
    settle(text)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with Origin({"/file": Resource(FILE)}) as origin:
        ran = await run("--stream", origin.url("/file"))
        assert origin.requests == []
    assert_one_line(ran, 2, message)


@pytest.mark.option("quiet")
async def test_settings_are_in_layers(
    tmp_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built-in, then the file, then the environment, then what was typed."""
    settle("output_dir = 'file'\nquiet = true\nheader = ['X-A: 1']")
    async with Origin({"/file": Resource(FILE)}) as origin:
        url = origin.url("/file")
        in_file = await run(url, cwd=tmp_path)
        monkeypatch.setenv("HYDRA_TUI_OUTPUT", "variable")
        in_variable = await run(url, cwd=tmp_path)
        typed = await run("-o", "typed", url, cwd=tmp_path)
    for ran, folder in (in_file, "file"), (in_variable, "variable"), (typed, "typed"):
        assert ran == Ran(0, b"", "")
        assert names(tmp_path / folder) == ["file"]
    assert {request.headers["x-a"] for request in origin.requests} == {"1"}


@pytest.mark.option("print-config")
async def test_the_settings_are_printed(settle: Settle) -> None:
    """`--print-config` prints every setting with where it is from, and starts nothing."""
    path = settle("limit = '20M'\nheader = ['Cookie: hunter2']")
    ran = await run("--print-config", "-t", "8", NOWHERE)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.decode().splitlines()
    assert "threads = 8  # --threads" in lines
    assert f'limit = "20M"  # {path}, line 1' in lines
    assert "buffer = 64  # built-in" in lines
    assert "hunter2" not in ran.out.decode()
    assert tomllib.loads(ran.out.decode())["header"] == ["Cookie: ***"]


@pytest.mark.option("config", "print-config")
async def test_printed_settings_are_a_file(tmp_path: Path, settle: Settle) -> None:
    """What was printed can be given back with --config, and the old file plays no part."""
    settle("limit = '20M'")
    printed = await run("--print-config")
    settle("nonsense")
    (tmp_path / "copy.toml").write_bytes(printed.out)
    again = await run("--config", "copy.toml", "--print-config", cwd=tmp_path)
    assert again.code == 0
    assert tomllib.loads(again.out.decode()) == tomllib.loads(printed.out.decode())


async def test_nobody_reads_the_settings(settle: Settle) -> None:
    """`--print-config` to a reader that left is silent, and ends with 141."""
    with _broken("a reader that left") as out:
        ran = await run("--print-config", stdout=out)
    assert ran == Ran(141, b"", "")


# -- what comes out


@pytest.mark.option("version")
async def test_the_version() -> None:
    """--version says what it is, and nothing else."""
    ran = await run("--version")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(b"hydra-tui ")


@pytest.mark.option("help")
async def test_help_goes_to_standard_output() -> None:
    """--help shows the options."""
    ran = await run("--help")
    assert (ran.code, ran.err) == (0, "")
    assert b"--stream" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--version"], ["--help"], ["--man"]),
        *(["--stream", "nonsense"], ["--no-ui", "nonsense"]),
    ],
)
async def test_a_stream_loads_no_screen(arguments: list[str]) -> None:
    """--stream never imports textual; what is only printed imports no engine."""
    code = (
        "import sys\n"
        "from hydratui.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    loaded = set(ran.stderr.decode().split())
    assert "hydratui.cli" in loaded
    assert "textual" not in loaded
    if len(arguments) == 1:
        assert not {"engine", "curl_cffi", "asyncio"} & loaded


async def test_a_whole_stream_loads_no_screen() -> None:
    """A stream that was delivered whole never imported textual."""
    code = (
        "import sys\n"
        "from hydratui.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit(code or int('textual' in sys.modules))\n"
    )
    async with Origin({"/file": Resource(FILE)}) as origin:
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code, "--stream", origin.url("/file")],
            cwd=ROOT,
            stdout=PIPE,
            stderr=PIPE,
            check=True,
        )
    assert ran.stdout == FILE.read()


@pytest.mark.option("stream")
async def test_streams_come_out_one_after_the_other() -> None:
    """Bytes of each URL in order on stdout, and nothing else there."""
    second = Content(100_003, seed=2)
    async with Origin({"/a": Resource(FILE), "/b": Resource(second)}) as origin:
        ran = await run("--stream", origin.url("/a"), origin.url("/b"))
    assert ran.code == 0
    assert ran.out == FILE.read() + second.read()
    assert "a: 3.0 MiB" in ran.err


async def test_nothing_follows_a_failure() -> None:
    """When one of several URLs fails, nothing of the next is written."""
    files = {"/a": Resource(FILE), "/c": Resource(FILE)}
    async with Origin(files) as origin:
        ran = await run("-q", "--stream", *map(origin.url, ("/a", "/b", "/c")))
    assert ran.code == 4
    assert ran.out == FILE.read()
    [line] = ran.err.splitlines()
    assert "/b" in line


@pytest.mark.option("stream", "force")
async def test_a_terminal_is_spared() -> None:
    """On a terminal, stdout in stream mode is refused unless --force."""
    small = Content.of(b"some text")
    async with Origin({"/file": Resource(small)}) as origin:
        with _terminal() as (screen, terminal):
            url = origin.url("/file")
            refused = await run("-q", "--stream", url, stdout=terminal)
            forced = await run("-q", "--stream", "--force", url, stdout=terminal)
            shown = os.read(screen, 1000)
    assert_one_line(refused, 2, "terminal.*--force")
    assert (forced.code, shown) == (0, small.read())


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    screen, terminal = os.openpty()
    try:
        yield screen, terminal
    finally:
        os.close(screen)
        os.close(terminal)


async def test_standard_output_may_be_a_file(tmp_path: Path) -> None:
    """Ordinary pipes and files both work as stdout."""
    path = tmp_path / "out"
    async with Origin({"/file": Resource(FILE)}) as origin:
        with path.open("wb") as out:
            out.write(b"before ")
            out.flush()
            ran = await run("--stream", origin.url("/file"), stdout=out)
    assert ran.code == 0
    assert path.read_bytes() == b"before " + FILE.read()


async def test_a_full_disk_is_told() -> None:
    """No room where stdout goes: exit 7."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        with _broken("/dev/full") as out:
            ran = await run("-q", "--stream", origin.url("/file"), stdout=out)
    assert_one_line(ran, 7, "No space left")


async def closed(number: int, *arguments: str) -> Ran:
    """The command, started with one of its standard descriptors closed."""
    command = [sys.executable, "-m", "hydratui.cli", *arguments]
    script = ["sh", "-c", f'exec "$@" {number}>&-', "sh", *command]
    ran = await asyncio.to_thread(
        subprocess.run, script, capture_output=True, check=False, cwd=ROOT
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr.decode())


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_closed_descriptors_are_no_crash(tmp_path: Path, number: int) -> None:
    """Started with a standard descriptor closed it works, or says what it lacks."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        streamed = await closed(number, "--stream", "-q", origin.url("/file"))
        saved = await closed(number, "-o", str(tmp_path), origin.url("/file"))
    if number == 1:
        assert_one_line(streamed, 7, "standard output is closed")
    else:
        assert streamed == Ran(0, FILE.read(), "")
    assert (saved.code, saved.out) == (0, b"")
    assert (tmp_path / "file").read_bytes() == FILE.read()


async def test_nothing_but_bytes_of_files_goes_to_standard_output() -> None:
    """Where there is no standard error, an error is told to nobody."""
    assert await closed(2, "--stream", "nonsense") == Ran(2, b"", "")
    assert await closed(2, "--stream", "--frobnicate") == Ran(2, b"", "")


@pytest.mark.parametrize("where", ["/dev/full", "a reader that left"])
async def test_trouble_with_messages_costs_no_data(tmp_path: Path, where: str) -> None:
    """Progress that nobody can read is no reason to fail."""
    async with Origin({"/file": Resource(FILE)}) as origin:
        with _broken(where) as err:
            url = origin.url("/file")
            good = await run("-o", str(tmp_path), url, stderr=err)
            bad = await run("-o", str(tmp_path), url + "-not", stderr=err)
    assert (good.code, bad.code) == (0, 4)
    assert (tmp_path / "file").read_bytes() == FILE.read()


@contextmanager
def _broken(where: str) -> Iterator[int]:
    if where == "/dev/full":
        if not Path(where).exists():
            pytest.skip("this system has no /dev/full")
        writer = os.open(where, os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@pytest.mark.option("output")
async def test_files_go_to_disk(tmp_path: Path) -> None:
    """Without a terminal it downloads to disk, with plain text on stderr."""
    second = Content(100_003, seed=2)
    async with Origin({"/a": Resource(FILE), "/b": Resource(second)}) as origin:
        ran = await run("-o", "here", *map(origin.url, ("/a", "/b")), cwd=tmp_path)
    assert (ran.code, ran.out) == (0, b"")
    assert (tmp_path / "here" / "a").read_bytes() == FILE.read()
    assert (tmp_path / "here" / "b").read_bytes() == second.read()
    assert "done" in ran.err
    assert "\x1b" not in ran.err


@pytest.mark.option("input")
@pytest.mark.parametrize("name", ["list", "-"])
async def test_a_list_of_urls(tmp_path: Path, name: str) -> None:
    """--input reads URLs from a file or stdin; blank lines and comments do not count."""
    async with Origin({"/a": Resource(FILE), "/b": Resource(FILE)}) as origin:
        lines = ["# two files", origin.url("/a"), "", f"  {origin.url('/b')}  "]
        (tmp_path / "list").write_text("\n".join(lines))
        with (tmp_path / "list").open("rb") as stdin:
            ran = await run("-q", "-i", name, cwd=tmp_path, stdin=stdin)
    assert (ran.code, ran.out, ran.err) == (0, b"", "")
    assert names(tmp_path / "download") == ["a", "b"]


async def test_an_empty_list(tmp_path: Path) -> None:
    """A list without URLs is a usage error."""
    ran = await run("-i", "-", cwd=tmp_path)
    assert_one_line(ran, 2, "no URL")


async def test_hostile_names_cannot_style_the_terminal(tmp_path: Path) -> None:
    """Names from a server are sanitised before they reach the terminal."""
    field = "attachment; filename*=UTF-8''a%1B%5B31m%0Ab%E2%80%AEc"
    resource = Resource(FILE, headers=(("Content-Disposition", field),))
    async with Origin({"/file": resource}) as origin:
        ran = await run("-o", str(tmp_path), origin.url("/file"))
    assert ran.code == 0
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err


@pytest.mark.option("demo")
@pytest.mark.slow
async def test_the_demo_streams_the_same_bytes_every_time() -> None:
    """`--demo --stream` needs no network, and what comes out is known."""
    ran = await run("-q", "--demo", "--stream", "--buffer", "16")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == demo_origin().resources["/genome.fa.gz"].content.read()


# -- how it ends


@asynccontextmanager
async def under_way(
    *options: str, cwd: Path, **popen: object
) -> AsyncIterator[tuple[Popen[bytes], Origin]]:
    """A command that has received some of a file, and waits for the rest."""
    stalls = Resource(Content(64 * MIB), rate=4e6)
    async with Origin({"/file": stalls}) as origin:
        with hydra(*options, "-q", origin.url("/file"), cwd=cwd, **popen) as child:
            try:
                await origin.until(lambda: origin.served > MIB)
                yield child, origin
            finally:
                child.kill()
        await left_alone(origin)


async def ended(child: Popen[bytes], within: float = 1.0) -> int:
    """The exit code, as a shell has it."""
    code = await asyncio.to_thread(child.wait, within)
    return code if code >= 0 else 128 - code


SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("front_end", ["--stream", "--no-ui"])
async def test_signals_end_it_within_a_second(
    tmp_path: Path, front_end: str, number: signal.Signals
) -> None:
    """SIGINT, SIGTERM and SIGHUP end with 130, 143 and 129, also with a stuck reader."""
    async with under_way(front_end, cwd=tmp_path) as (child, _):
        child.send_signal(number)
        assert await ended(child) == SIGNALS[number]
        assert child.stderr is not None
        assert child.stderr.read() == b""
    assert not (tmp_path / "download" / "file").exists()


async def test_signals_end_it_while_it_waits(tmp_path: Path) -> None:
    """A process that waits for a server that says nothing ends as quickly."""
    silent = Resource(FILE, script=lambda _: Stall(0))
    async with Origin({"/file": silent}) as origin:
        with hydra("--stream", origin.url("/file"), cwd=tmp_path) as child:
            await origin.until(lambda: bool(origin.requests))
            child.send_signal(signal.SIGTERM)
            assert await ended(child) == 143


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
async def test_signals_that_were_ignored_stay_ignored(
    tmp_path: Path, number: signal.Signals
) -> None:
    """A signal that was ignored when we started (`nohup`) stays ignored."""

    def ignore() -> None:
        signal.signal(number, signal.SIG_IGN)

    async with under_way("--stream", cwd=tmp_path, preexec_fn=ignore) as (child, _):
        child.send_signal(number)
        assert child.stdout is not None
        await asyncio.to_thread(child.stdout.read, 4 * MIB)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert await ended(child) == 143


async def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """The reader of our stdout went away: 141, silently."""
    async with Origin({"/file": Resource(Content(64 * MIB))}) as origin:
        with hydra("--stream", "-q", origin.url("/file"), cwd=tmp_path) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            came = await asyncio.to_thread(child.stdout.read, MIB)
            child.stdout.close()
            assert await ended(child) == 141
            assert child.stderr.read() == b""
    assert came == Content(64 * MIB).read(0, MIB)


async def test_head_ends_a_stream(tmp_path: Path) -> None:
    """`--stream | head -c` ends in under a second with 141."""
    script = '"$0" -m hydratui.cli --stream -q "$1" | head -c 1000000; echo "${PIPESTATUS[0]}" >&2'
    content = Content(64 * MIB)
    async with Origin({"/file": Resource(content)}) as origin:
        began = monotonic()
        ran = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", script, sys.executable, origin.url("/file")],
            capture_output=True,
            check=True,
            cwd=ROOT,
        )
        took = monotonic() - began
    assert ran.stderr == b"141\n"
    assert ran.stdout == content.read(0, 1_000_000)
    assert took < 3


async def test_a_reader_that_is_killed_while_nothing_comes() -> None:
    """A reader killed while the network stalls: 141 within a second."""
    stalls = Resource(FILE, script=lambda _: Stall(100_000))
    async with Origin({"/file": stalls}) as origin:
        with _reader() as (reader, pipe):
            child = hydra("--stream", "-q", origin.url("/file"), stdout=pipe)
            os.close(pipe)
            with child:
                await origin.until(lambda: origin.served > 0)
                reader.kill()
                assert await ended(child) == 141
                assert child.stderr is not None
                assert child.stderr.read() == b""


@contextmanager
def _reader() -> Iterator[tuple[Popen[bytes], int]]:
    """A process that reads, and the pipe it reads from."""
    end, pipe = os.pipe()
    with Popen(["cat"], stdin=end, stdout=subprocess.DEVNULL) as cat:
        os.close(end)
        try:
            yield cat, pipe
        finally:
            cat.kill()
