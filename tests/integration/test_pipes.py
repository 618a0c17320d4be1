"""Jobs that end in a command: it gets the right bytes, or never a false success."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from engine import (
    Bottleneck,
    ChangedError,
    CommandError,
    CommandSnapshot,
    Config,
    Digest,
    Engine,
    Event,
    EventKind,
    HydraError,
    IntegrityError,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
    LocalError,
    NetworkError,
    RefusedError,
    UsageError,
)
from engine.testing import Content, CutAfter, Origin, Resource, Stall, Status
from tests.integration.support import (
    FILE,
    KIB,
    MIB,
    PATIENCE,
    ROOT,
    SMALL_STEPS,
    until,
)
from tests.integration.test_faults import NEW, PASSING, SHORT
from tests.support.processes import members

SHA256 = Digest("sha256", FILE.digest())
WRONG = Digest("sha256", "0" * 64)
LARGE = Content(24 * MIB, seed=5)
"""More than buffer and pipe hold."""
FINISHING = "echo $$ > pid; cat > got; touch finished"
"""A command that takes the end of its input for success."""
STUBBORN = f"trap '' TERM; {FINISHING}"
MOST_HELD = 4 * MIB + 2 * MIB
"""The buffer, and what is on its way between sockets and pipes."""


@dataclass(frozen=True, slots=True)
class Pipes:
    """An engine whose jobs go into commands, and the directory they run in."""

    engine: Engine
    directory: Path

    def add(self, url: str, command: str, **spec: Any) -> JobId:
        return self.engine.add(JobSpec(url, command=command, **spec))

    async def run(self, url: str, command: str, **spec: Any) -> JobSnapshot:
        return await self.engine.wait(self.add(url, command, **spec))

    def look(self, job: JobId) -> JobSnapshot:
        return self.engine.snapshot(job).jobs[job - 1]

    def piped(self, job: JobId) -> CommandSnapshot:
        piped = self.look(job).piped
        assert piped is not None
        return piped

    async def fed(self, job: JobId, least: int) -> None:
        """Wait until its command has taken so much."""
        await until(lambda: self.piped(job).fed >= least)

    def read(self, name: str = "got") -> bytes:
        return (self.directory / name).read_bytes()

    def has(self, name: str) -> bool:
        return (self.directory / name).exists()

    async def pid(self) -> int:
        """The process group of a command that tells it."""
        note = self.directory / "pid"
        await until(lambda: note.exists() and note.read_text().endswith("\n"))
        return int(note.read_text())

    async def assert_unfinished(self, group: int) -> None:
        """The command is gone, and it never took what it got for the whole."""
        await until(lambda: not members(group), within=2)
        assert not self.has("finished")


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@asynccontextmanager
async def piping(directory: Path, **settings: Any) -> AsyncIterator[Pipes]:
    config = Config(output=directory, **(SMALL_STEPS | settings))
    async with asyncio.timeout(2 * PATIENCE), Engine(config) as engine:
        yield Pipes(engine, directory)


# -- the bytes ---------------------------------------------------------------


@pytest.mark.parametrize("case", PASSING)
async def test_what_passes_is_survived(tmp_path: Path, case: str) -> None:
    """Transient faults cost time and nothing else: the command gets the right bytes."""
    resource = Resource(FILE, script=PASSING[case])
    async with (
        Origin({"/file": resource}) as origin,
        piping(tmp_path, stall_timeout=0.1) as pipes,
    ):
        done = await pipes.run(origin.url("/file"), "cat > got", checksum=SHA256)
        assert pipes.read() == FILE.read()
    assert done.state is JobState.DONE
    ended = "; | cat > got ended with 0"
    assert done.verdict == f"verified (sha256, from --checksum){ended}"


@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 17])
async def test_a_file_of_any_size_goes_through(tmp_path: Path, size: int) -> None:
    """An empty file as well: its command runs, and gets nothing."""
    content = Content(size, seed=3)
    async with (
        Origin({"/file": Resource(content)}) as origin,
        piping(tmp_path) as pipes,
    ):
        job = pipes.add(origin.url("/file"), "sha256sum")
        done = await pipes.engine.wait(job)
        piped = pipes.piped(job)
    assert piped.said == (f"{content.digest()}  -",)
    assert piped.fed == size
    assert piped.status == 0
    assert done.verdict == "size only; | sha256sum ended with 0"


async def test_a_file_of_unknown_length_goes_through(tmp_path: Path) -> None:
    """And the verdict says that nobody knows its length."""
    resource = Resource(FILE, ranges=False, length="chunked")
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        done = await pipes.run(origin.url("/file"), "cat > got")
        assert pipes.read() == FILE.read()
    assert done.verdict == "length unknown; | cat > got ended with 0"


async def test_many_commands_run_at_once(tmp_path: Path) -> None:
    """Each gets its own file."""
    files = {f"/{n}": Resource(Content(MIB + n, seed=n)) for n in range(8)}
    async with Origin(files) as origin, piping(tmp_path, jobs=8) as pipes:
        jobs = [pipes.add(origin.url(path), f"cat > .{path}") for path in files]
        for job in jobs:
            await pipes.engine.wait(job)
        for path, resource in files.items():
            assert pipes.read(path[1:]) == resource.content.read()


async def test_it_is_fetched_over_many_lanes(tmp_path: Path) -> None:
    """A command is fed like any stream: by many connections, in order."""
    resource = Resource(FILE, rate=2e6)
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), "cat > got")
        await until(lambda: pipes.look(job).lane_count == 4)
        snapshot = pipes.look(job)
        await pipes.engine.wait(job)
        assert pipes.read() == FILE.read()
    assert snapshot.streaming
    assert snapshot.command == "cat > got"
    assert snapshot.target == ""
    assert snapshot.front is not None
    assert snapshot.front.capacity == 4 * MIB


# -- the command's surroundings ----------------------------------------------


async def test_a_command_knows_its_file(tmp_path: Path) -> None:
    """The user's own link, and what the job is called, in its environment."""
    text = 'echo "$HYDRA_TUI_URL $HYDRA_TUI_NAME"; pwd; cat >/dev/null'
    async with Origin({"/file.bin": Resource(FILE)}) as origin:
        url = origin.url("/file.bin") + "?token=secret"
        async with piping(tmp_path / "there") as pipes:
            named = pipes.add(url, text, name="mine.bin", directory=tmp_path / "here")
            plain = pipes.add(url, text)
            for job in (named, plain):
                await pipes.engine.wait(job)
            said = [pipes.piped(job).said for job in (named, plain)]
            assert pipes.look(named).name == "mine.bin"
    assert said[0] == (f"{url} mine.bin", str(tmp_path / "here"))
    assert said[1] == (f"{url} file.bin", str(tmp_path / "there"))


async def test_a_name_is_only_a_label(tmp_path: Path) -> None:
    """No file of that name is made."""
    async with Origin({"/file": Resource(FILE)}) as origin, piping(tmp_path) as pipes:
        await pipes.run(origin.url("/file"), "cat >/dev/null", name="label")
        assert names(tmp_path) == []


async def test_a_command_begins_when_there_is_something_to_give(tmp_path: Path) -> None:
    """Where the first answer never comes, nothing has been run."""
    resource = Resource(FILE, script=lambda _: Status(404))
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        with pytest.raises(RefusedError):
            await pipes.run(origin.url("/file"), "touch began")
    assert names(tmp_path) == []


@pytest.mark.parametrize("text", ["", "  \n", "cat\0"])
async def test_what_is_no_command_is_refused(tmp_path: Path, text: str) -> None:
    """At once; nothing is put into the queue."""
    async with piping(tmp_path) as pipes:
        with pytest.raises(UsageError, match="not a command"):
            pipes.add("http://127.0.0.1:9/file", text)
        assert pipes.engine.snapshot().jobs == ()


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """This machine is in the way, and the message says where."""
    (tmp_path / "file").touch()
    async with (
        Origin({"/file": Resource(FILE)}) as origin,
        piping(tmp_path / "file") as pipes,
    ):
        with pytest.raises(LocalError, match="file: "):
            await pipes.run(origin.url("/file"), "cat")


# -- how it ends -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat >/dev/null; exit 3", "ended with 3"),
        ("cat >/dev/null; echo why >&2; exit 1", "ended with 1: why"),
        ("head -c 9 >/dev/null; echo why; exit 2", "ended with 2: why"),
        ("cat >/dev/null; kill -9 $$", "was ended by SIGKILL"),
        ("no-such-command -x", "ended with 127: .*no-such-command: not found"),
        ("exit 1", "ended with 1"),
    ],
)
@pytest.mark.parametrize("content", [Content(100), LARGE])
async def test_a_command_that_fails_fails_its_job(
    tmp_path: Path, text: str, message: str, content: Content
) -> None:
    """Early or at its end, the error names status and last words."""
    async with (
        Origin({"/file": Resource(content)}) as origin,
        piping(tmp_path) as pipes,
    ):
        job = pipes.add(origin.url("/file"), text)
        with pytest.raises(CommandError, match=message):
            await pipes.engine.wait(job)
        failed = pipes.look(job)
    assert failed.state is JobState.FAILED
    assert failed.piped is not None
    assert failed.piped.status


async def test_a_command_that_fails_stops_the_download(tmp_path: Path) -> None:
    """Also when it is given nothing just then; no more is fetched."""
    resource = Resource(FILE, script=lambda _: Stall(10_000))
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        began = monotonic()
        with pytest.raises(CommandError, match="ended with 5"):
            await pipes.run(origin.url("/file"), "sleep 0.3; exit 5")
        assert 0.3 <= monotonic() - began < 1
        await origin.until(lambda: not origin.busy)


@pytest.mark.parametrize(
    ("text", "fed"), [("head -c 100 > got", 100), ("true", 0), ("sleep 0.2", 0)]
)
@pytest.mark.parametrize("content", [Content(1000), LARGE])
async def test_a_command_may_have_had_enough(
    tmp_path: Path, text: str, fed: int, content: Content
) -> None:
    """Who ends well before the end is done; nothing was verified, and no more comes."""
    resource = Resource(content)
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), text, checksum=WRONG)
        done = await pipes.engine.wait(job)
        piped = pipes.piped(job)
        served = origin.served
    assert done.state is JobState.DONE
    begin, end = f"| {text} ended with 0 after ", "; nothing was verified"
    assert done.verdict.startswith(f"{begin}{fed} Byte")
    assert done.verdict.endswith(end)
    assert piped == CommandSnapshot(fed=fed, status=0)
    assert served < content.size or content.size == 1000


async def test_a_command_may_close_its_input_and_go_on(tmp_path: Path) -> None:
    """The download stops at once, and the job is over when the command is."""
    text = "head -c 10 > got; exec <&-; read -r go < go; exit $go"
    os.mkfifo(tmp_path / "go")
    resource = Resource(LARGE, rate=20e6)
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), text)
        await until(lambda: pipes.look(job).state is JobState.VERIFYING)
        await origin.until(lambda: not origin.busy)
        assert origin.served < LARGE.size
        (tmp_path / "go").write_text("6\n")
        with pytest.raises(CommandError, match="ended with 6"):
            await pipes.engine.wait(job)


async def test_what_a_success_leaves_running_holds_up_nobody(tmp_path: Path) -> None:
    """A child that has the pipe, and does not read, is not waited for."""
    text = "exec 3<&0; echo $$ > pid; sleep 3600 <&3 >/dev/null 2>&1 & sleep 0.1"
    async with Origin({"/file": Resource(LARGE)}) as origin, piping(tmp_path) as pipes:
        done = await pipes.run(origin.url("/file"), text)
        os.killpg(await pipes.pid(), signal.SIGKILL)
    assert done.verdict.endswith("nothing was verified")


async def test_a_wrong_digest_is_no_success(tmp_path: Path) -> None:
    """It is compared before the input ends, so the command cannot mistake it."""
    async with Origin({"/file": Resource(FILE)}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), FINISHING, checksum=WRONG)
        with pytest.raises(IntegrityError, match="expected 000"):
            await pipes.engine.wait(job)
        assert pipes.read() == FILE.read()
        await pipes.assert_unfinished(await pipes.pid())


@pytest.mark.parametrize("text", [FINISHING, STUBBORN])
async def test_a_download_that_fails_ends_its_command(
    tmp_path: Path, text: str
) -> None:
    """The server dies half way: the command is ended, and never sees an end of file."""
    script = [*[None] * 4, *[CutAfter(0)] * 1000]
    resource = Resource(FILE, script=script)
    async with (
        Origin({"/file": resource}) as origin,
        piping(tmp_path, give_up_after=0.2) as pipes,
    ):
        job = pipes.add(origin.url("/file"), text)
        with pytest.raises(NetworkError):
            await pipes.engine.wait(job)
        await pipes.assert_unfinished(await pipes.pid())
        assert FILE.read().startswith(pipes.read())
        signal_ = signal.SIGTERM if text == FINISHING else signal.SIGKILL
        await until(lambda: pipes.piped(job).status == -signal_)


async def test_a_file_that_changes_is_not_spliced(tmp_path: Path) -> None:
    """What the command has had cannot be taken back: the job fails, the command ends."""
    old = Resource(FILE, rate=5e6)
    async with Origin({"/file": old}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), FINISHING)
        await pipes.fed(job, 100_000)
        origin.resources["/file"] = Resource(NEW)
        origin.sever()
        with pytest.raises(ChangedError):
            await pipes.engine.wait(job)
        await pipes.assert_unfinished(await pipes.pid())


async def test_a_file_that_changes_before_its_first_byte_begins_again(
    tmp_path: Path,
) -> None:
    """A command that has had nothing yet gets the new version, once and whole."""
    old = Resource(FILE, script=lambda _: Stall(0))
    async with (
        Origin({"/file": old}) as origin,
        piping(tmp_path, stall_timeout=30) as pipes,
    ):
        job = pipes.add(origin.url("/file"), "echo began >> runs; cat > got")
        await until(lambda: pipes.has("runs"))
        assert pipes.piped(job).fed == 0
        origin.resources["/file"] = Resource(SHORT)
        origin.sever()
        await pipes.engine.wait(job)
        assert pipes.read() == SHORT.read()
        assert pipes.read("runs") == b"began\n"


# -- steered -----------------------------------------------------------------


async def test_a_paused_command_waits(tmp_path: Path) -> None:
    """It lives while its job stands still, and then gets the rest, once."""
    resource = Resource(FILE, rate=4e6)
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), FINISHING, checksum=SHA256)
        for part in (1, 2, 3):
            await pipes.fed(job, part * 600_000)
            pipes.engine.pause(job)
            await origin.until(lambda: not origin.busy)
            assert members(await pipes.pid())
            assert pipes.piped(job).status is None
            pipes.engine.resume(job)
        done = await pipes.engine.wait(job)
        assert pipes.read() == FILE.read()
        assert pipes.has("finished")
    assert done.verdict.startswith("verified")


async def test_pausing_again_and_again_holds_no_more_memory(tmp_path: Path) -> None:
    """A command that does not read gets its next bytes when it has had the last."""
    text = "echo $$ > pid; read -r go < go; cat > got"
    os.mkfifo(tmp_path / "go")
    async with Origin({"/file": Resource(LARGE)}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(
            origin.url("/file"), text, checksum=Digest("md5", LARGE.digest("md5"))
        )
        await until(lambda: _held(pipes, job) == 4 * MIB)
        for _ in range(20):
            pipes.engine.pause(job)
            await until(lambda: pipes.look(job).lane_count == 0)
            pipes.engine.resume(job)
            await until(lambda: pipes.look(job).state is JobState.RUNNING)
        assert origin.served < MOST_HELD
        (tmp_path / "go").write_text("go\n")
        await pipes.engine.wait(job)
        assert pipes.read() == LARGE.read()


def _held(pipes: Pipes, job: JobId) -> int:
    """What has come and not gone into the command's pipe."""
    snapshot = pipes.look(job)
    return snapshot.done - (snapshot.front.front if snapshot.front else 0)


async def test_a_job_may_be_paused_while_its_command_ends(tmp_path: Path) -> None:
    """Everything was given; what is left is to wait for it."""
    text = "cat > got; read -r go < go; exit $go"
    os.mkfifo(tmp_path / "go")
    async with Origin({"/file": Resource(FILE)}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), text, checksum=SHA256)
        await until(lambda: pipes.look(job).state is JobState.VERIFYING)
        pipes.engine.pause(job)
        await asyncio.sleep(0)
        pipes.engine.resume(job)
        (tmp_path / "go").write_text("0\n")
        done = await pipes.engine.wait(job)
        assert pipes.read() == FILE.read()
    assert done.verdict.startswith("verified")


async def test_a_command_may_end_while_its_job_stands_still(tmp_path: Path) -> None:
    """That is found when the job goes on."""
    text = "echo $$ > pid; head -c 100 > got; read -r go < go; exit 7"
    os.mkfifo(tmp_path / "go")
    async with Origin({"/file": Resource(LARGE)}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), text)
        await until(lambda: pipes.has("got"))
        pipes.engine.pause(job)
        (tmp_path / "go").write_text("go\n")
        await until(lambda: pipes.piped(job).status == 7)
        assert pipes.look(job).state is JobState.PAUSED
        pipes.engine.resume(job)
        with pytest.raises(CommandError, match="ended with 7"):
            await pipes.engine.wait(job)


@pytest.mark.parametrize("text", [FINISHING, STUBBORN])
@pytest.mark.parametrize("paused", [True, False])
async def test_a_cancelled_job_ends_its_command(
    tmp_path: Path, text: str, *, paused: bool
) -> None:
    """Running or standing still: the command ends, and finishes nothing."""
    resource = Resource(FILE, rate=2e6)
    async with Origin({"/file": resource}) as origin, piping(tmp_path) as pipes:
        job = pipes.add(origin.url("/file"), text)
        await until(lambda: pipes.has("got") and pipes.read())
        if paused:
            pipes.engine.pause(job)
            await origin.until(lambda: not origin.busy)
        pipes.engine.cancel(job)
        await pipes.assert_unfinished(await pipes.pid())
        assert pipes.look(job).state is JobState.CANCELLED


@pytest.mark.parametrize("text", [FINISHING, STUBBORN])
@pytest.mark.parametrize("paused", [True, False])
async def test_an_engine_that_leaves_ends_its_commands(
    tmp_path: Path, text: str, *, paused: bool
) -> None:
    """All at once and within about a second, however stubborn they are."""
    resource = Resource(LARGE, rate=4e6)
    groups, began = [], 0.0
    async with (
        Origin({"/file": resource}) as origin,
        piping(tmp_path, jobs=3) as pipes,
    ):
        for number in range(3):
            where = tmp_path / str(number)
            job = pipes.add(origin.url("/file"), text, directory=where)
            there = Pipes(pipes.engine, where)
            groups.append((there, await there.pid()))
            await there.fed(job, 1)
            if paused and number:
                pipes.engine.pause(job)
        began = monotonic()
    took = monotonic() - began
    assert took < (0.5 if text == FINISHING else 1.3)
    for there, group in groups:
        await there.assert_unfinished(group)


# -- a slow reader -----------------------------------------------------------


async def test_a_slow_command_holds_the_network(tmp_path: Path) -> None:
    """Nothing beyond the buffer is fetched, and the reader is named as the reason."""
    text = "read -r go < go; cat > got"
    os.mkfifo(tmp_path / "go")
    async with (
        Origin({"/file": Resource(LARGE)}) as origin,
        piping(tmp_path, give_up_after=0.3) as pipes,
    ):
        job = pipes.add(origin.url("/file"), text)
        await until(lambda: pipes.look(job).bottleneck is Bottleneck.READER)
        assert origin.served < MOST_HELD
        assert pipes.piped(job).fed == 0
        (tmp_path / "go").write_text("go\n")
        await pipes.engine.wait(job)
        assert pipes.read() == LARGE.read()


@pytest.mark.slow
async def test_a_command_that_stands_still_is_waited_for(tmp_path: Path) -> None:
    """Longer than --give-up-after: it is not the network that makes no progress."""
    text = "echo $$ > pid; kill -STOP $$; cat > got"
    async with (
        Origin({"/file": Resource(LARGE)}) as origin,
        piping(tmp_path, give_up_after=0.3, stall_timeout=0.3) as pipes,
    ):
        job = pipes.add(origin.url("/file"), text)
        group = await pipes.pid()
        await asyncio.sleep(1.5)
        assert pipes.look(job).state is JobState.RUNNING
        os.killpg(group, signal.SIGCONT)
        await pipes.engine.wait(job)
        assert pipes.read() == LARGE.read()


async def test_the_last_bytes_are_waited_for(tmp_path: Path) -> None:
    """All of a small file fits into the pipe; it is not done before it was read."""
    text = "read -r go < go; cat > got"
    os.mkfifo(tmp_path / "go")
    async with (
        Origin({"/file": Resource(Content(1000))}) as origin,
        piping(tmp_path) as pipes,
    ):
        job = pipes.add(origin.url("/file"), text)
        await until(lambda: pipes.look(job).done == 1000)
        assert pipes.look(job).state is JobState.RUNNING
        (tmp_path / "go").write_text("go\n")
        await pipes.engine.wait(job)


# -- what it says ------------------------------------------------------------


async def test_what_a_command_says_is_told(tmp_path: Path) -> None:
    """Its lines are events, in order, between the job's start and its end."""
    async with Origin({"/file": Resource(FILE)}) as origin, piping(tmp_path) as pipes:
        events = await _events(pipes, origin, "echo one; cat >/dev/null; echo two >&2")
    said = [text for kind, text in events if kind is EventKind.SAID]
    assert said == ["file: one", "file: two"]
    kinds = [kind for kind, _ in events]
    assert kinds[-1] is EventKind.DONE
    assert kinds.index(EventKind.PROBED) < kinds.index(EventKind.SAID)


async def test_a_flood_of_words_is_told_by_a_few(tmp_path: Path) -> None:
    """A command that prints all it gets costs no memory, and few events."""
    async with Origin({"/file": Resource(LARGE)}) as origin, piping(tmp_path) as pipes:
        events = await _events(pipes, origin, "tee got | od")
        assert pipes.read() == LARGE.read()
        piped = pipes.piped(1)
    said = [text for kind, text in events if kind is EventKind.SAID]
    assert 20 <= len(said) < 60
    assert len(piped.said) == 50
    assert max(map(len, piped.said)) < 500


async def _events(
    pipes: Pipes, origin: Origin, text: str
) -> list[tuple[EventKind, str]]:
    """What happens in the life of a job."""
    told: list[Event] = []

    async def listen() -> None:
        async for event in pipes.engine.events():
            told.append(event)  # noqa: PERF401  # what came before the end counts

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        await asyncio.sleep(0)
        await pipes.run(origin.url("/file"), text)
        listening.cancel()
    return [(event.kind, event.text) for event in told]


# -- without us --------------------------------------------------------------

ALONE = """
import asyncio, sys
from pathlib import Path
from engine import Config, Engine, JobSpec

async def main():
    url, command, directory = sys.argv[1:]
    async with Engine(Config(output=Path(directory), threads=4)) as engine:
        await engine.wait(engine.add(JobSpec(url, command=command)))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", [FINISHING, STUBBORN])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_command_does_not_take_our_end_for_success(
    tmp_path: Path, text: str, number: int
) -> None:
    """Whatever ends us, kill -9 too: the command ends, and finishes nothing."""
    got = tmp_path / "got"
    resource = Resource(FILE, rate=1e6)
    async with Origin({"/file": resource}) as origin:
        with _alone(origin.url("/file"), text, str(tmp_path)) as ours:
            await until(lambda: got.exists() and got.stat().st_size > 64 * KIB)
            group = int((tmp_path / "pid").read_text())
            ours.send_signal(number)
            await until(lambda: ours.poll() is not None)
        await until(lambda: not members(group), within=5)
    assert not (tmp_path / "finished").exists()
    assert FILE.read().startswith(got.read_bytes())


def _alone(*arguments: str) -> subprocess.Popen[bytes]:
    """An engine in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", ALONE, *arguments], env=environment)


def test_errors_of_commands_are_this_machines() -> None:
    """A caller that knows LocalError knows what a failing command is."""
    assert issubclass(CommandError, LocalError)
    assert issubclass(CommandError, HydraError)
