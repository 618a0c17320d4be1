"""What a command is given, and what becomes of a job by it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.errors import CommandError, IntegrityError, LocalError
from engine.model import Block, CommandSnapshot, Digest, Promise, RemoteFile
from engine.piping import AHEAD, PipeDelivery
from engine.plan import Plan
from engine.ranges import ByteRange
from engine.sinks import BATCH, StreamSink
from engine.verify import Verifier
from tests.integration.support import until

pytestmark = pytest.mark.timeout(20)

FILE = bytes(n % 251 for n in range(100_000)) * 120
"""More than one batch, and more than a pipe holds."""
URL = "https://example.org/file.bin?token=secret"
REMOTE = RemoteFile(url=URL, size=len(FILE), ranges=True, name="file.bin")
SHA256 = Digest("sha256", hashlib.sha256(FILE).hexdigest())
OTHER = Digest("sha256", hashlib.sha256(b"other").hexdigest())


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@asynccontextmanager
async def delivering(
    command: str,
    directory: Path,
    verifier: Verifier | None = None,
    name: str | None = None,
) -> AsyncIterator[PipeDelivery]:
    stream = StreamSink(2 * len(FILE))
    delivery = PipeDelivery(
        stream, verifier, command=command, directory=directory, url=URL, name=name
    )
    try:
        yield delivery
    finally:
        await delivery.close()


async def receive(delivery: PipeDelivery, start: int = 0) -> None:
    """Everything arrives, in pieces that are no batches."""
    for at in range(start, len(FILE), 300_001):
        piece = FILE[at : at + 300_001]
        await delivery.sink.write(Block(at, (piece,), len(piece)))


def plan() -> Plan:
    return Plan(len(FILE), [ByteRange(0, len(FILE))])


async def conclude(delivery: PipeDelivery) -> str:
    await delivery.drain()
    return await delivery.check(plan(), REMOTE)


async def test_a_command_gets_a_file_and_its_end(
    tmp_path: Path, pool: Executor
) -> None:
    """In order, hashed on its way, judged before the end of its input."""
    verifier = Verifier(pool, [Promise(SHA256, "--checksum")])
    async with delivering("cat > got", tmp_path, verifier) as delivery:
        assert delivery.snapshot() == CommandSnapshot(fed=0)
        assert await delivery.open(REMOTE) == ""
        await receive(delivery)
        verdict = await conclude(delivery)
        assert delivery.drained.is_set()
        assert delivery.snapshot() == CommandSnapshot(fed=len(FILE), status=0)
    ended = "| cat > got ended with 0"
    assert verdict == f"verified (sha256, from --checksum); {ended}"
    assert (tmp_path / "got").read_bytes() == FILE


async def test_a_wrong_digest_is_found_before_the_end(
    tmp_path: Path, pool: Executor
) -> None:
    """The command has every byte, and is ended without their end."""
    text, verifier = (
        "cat > got; touch finished",
        Verifier(pool, [Promise(OTHER, "--checksum")]),
    )
    async with delivering(text, tmp_path, verifier) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        with pytest.raises(IntegrityError):
            await conclude(delivery)
        assert delivery.snapshot() == CommandSnapshot(fed=len(FILE), status=None)
    assert not (tmp_path / "finished").exists()


async def test_a_command_is_begun_once(tmp_path: Path) -> None:
    """However often its job goes on."""
    async with delivering("echo began; cat >/dev/null", tmp_path) as delivery:
        for _ in range(3):
            await delivery.open(REMOTE)
        await receive(delivery)
        await conclude(delivery)
        assert delivery.snapshot().said == ("began",)


@pytest.mark.parametrize(
    ("name", "known"), [(None, "file.bin"), ("../my file", "my file")]
)
async def test_a_command_knows_its_file(
    tmp_path: Path, name: str | None, known: str
) -> None:
    """The link as the user gave it, and a name that is safe to use as one."""
    text = 'cat >/dev/null; echo "$HYDRA_TUI_URL"; echo "$HYDRA_TUI_NAME"'
    async with delivering(text, tmp_path, name=name) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        await conclude(delivery)
        assert delivery.snapshot().said == (URL, known)


async def test_little_is_given_ahead(tmp_path: Path) -> None:
    """What waits before a command that does not read counts as held."""
    async with delivering("sleep 3600", tmp_path) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(delivery.drain(), 0.1)
        buffer = delivery.sink.buffer
        assert buffer.held == len(FILE)
        assert buffer.cursor == 0
        assert AHEAD * BATCH <= buffer.front <= AHEAD * (BATCH + 300_001)
        assert not delivery.can_begin_again


async def test_what_was_given_is_not_given_again(
    tmp_path: Path, pool: Executor
) -> None:
    """A job may stop at any moment, and its command gets the rest, once."""
    text, verifier = (
        "sleep 0.1; cat > got",
        Verifier(pool, [Promise(SHA256, "--checksum")]),
    )
    async with delivering(text, tmp_path, verifier) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        for turns in range(20):
            async with asyncio.TaskGroup() as group:
                draining = group.create_task(delivery.drain())
                for _ in range(turns):
                    await asyncio.sleep(0)
                draining.cancel()
        assert "verified" in await conclude(delivery)
    assert (tmp_path / "got").read_bytes() == FILE


async def test_a_command_that_had_all_is_judged_by_all(
    tmp_path: Path, pool: Executor
) -> None:
    """It may end by itself after the last byte: the digest counts all the same."""
    text, verifier = (
        f"head -c {len(FILE)} > got",
        Verifier(pool, [Promise(OTHER, "--checksum")]),
    )
    async with delivering(text, tmp_path, verifier) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        with pytest.raises(IntegrityError):
            await conclude(delivery)


async def test_a_command_that_had_enough_verifies_nothing(
    tmp_path: Path, pool: Executor
) -> None:
    """The verdict says how much it took, and no digest is shown any more."""
    text, verifier = (
        "head -c 1000000 > got",
        Verifier(pool, [Promise(OTHER, "--checksum")]),
    )
    async with delivering(text, tmp_path, verifier) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        verdict = await conclude(delivery)
        assert delivery.verifier is None
    assert verdict.startswith("| head -c 1000000 > got ended with 0 after ")
    assert verdict.endswith(" of 11.4 MiB; nothing was verified")


async def test_a_command_that_fails_is_an_error(tmp_path: Path) -> None:
    """Whenever that is: early, or when it has had everything."""
    for text in ("exit 3", "cat >/dev/null; exit 3"):
        async with delivering(text, tmp_path) as delivery:
            await delivery.open(REMOTE)
            await receive(delivery)
            with pytest.raises(CommandError, match="ended with 3"):
                await conclude(delivery)


async def test_an_error_of_the_job_ends_the_command(tmp_path: Path) -> None:
    """At once, without anybody waiting for it, and it never sees its input end."""
    async with delivering("cat > got; touch finished", tmp_path) as delivery:
        await delivery.open(REMOTE)
        await until((tmp_path / "got").exists)
        delivery.end(LocalError("cancelled"))
        await until(lambda: delivery.snapshot().status is not None)
    assert not (tmp_path / "finished").exists()


async def test_what_was_never_begun_needs_no_end(tmp_path: Path) -> None:
    """A job may fail before there is anything to give."""
    async with delivering("touch began", tmp_path) as delivery:
        delivery.end(LocalError("cancelled"))
    assert not (tmp_path / "began").exists()


async def test_nothing_is_held_for_a_command_that_is_over(tmp_path: Path) -> None:
    """What it will not read costs no memory."""
    async with delivering("sleep 3600", tmp_path) as delivery:
        await delivery.open(REMOTE)
        await receive(delivery)
        assert delivery.sink.buffer.held == len(FILE)
    assert delivery.sink.buffer.held == 0
