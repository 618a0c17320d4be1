"""Whatever happens in whatever order: it ends, and the bytes are right or it says why."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from engine import ChangedError, Config, Engine, HydraError
from engine.testing import (
    Content,
    Crawl,
    CutAfter,
    EmptyReply,
    Fault,
    Garbage,
    IgnoreRange,
    Origin,
    Overlong,
    Page,
    Relabel,
    Request,
    ResetAfter,
    Resource,
    Stall,
    Status,
    WrongContentRange,
)
from tests.integration.support import (
    KIB,
    MIB,
    SMALL_STEPS,
    download,
    open_files,
    pour,
    until,
)

FILE = Content(3 * MIB + 17, seed=61)
NEW = Content(FILE.size, seed=62)
LONGER = Content(FILE.size + 100, seed=63)
SEEDS = int(os.environ.get("HYDRA_SEEDS", "24"))
BOUND = 60.0
"""Seconds in which everything here has long ended."""

sizes = st.integers(0, FILE.size // 2)
faults: st.SearchStrategy[Fault | None] = st.one_of(
    st.none(),
    st.builds(Status, st.sampled_from([403, 404, 408, 416, 429, 500, 503, 520])),
    st.builds(CutAfter, sizes),
    st.builds(ResetAfter, sizes),
    st.builds(Stall, sizes),
    st.builds(Crawl, st.just(300e3), sizes),
    st.builds(IgnoreRange),
    st.builds(Overlong, st.integers(1, 400 * KIB)),
    st.builds(WrongContentRange, st.integers(1, 5000), st.sampled_from([0, 5])),
    st.builds(Garbage),
    st.builds(EmptyReply, st.booleans()),
    st.builds(Page),
    st.builds(Relabel, st.just((("ETag", '"another"'),))),
    st.builds(Relabel, st.just((("ETag", ""), ("Last-Modified", "")))),
    st.builds(Relabel, st.just((("Content-Encoding", "gzip"),))),
)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=40)
@given(
    script=st.lists(faults, max_size=12),
    ranges=st.booleans(),
    stream=st.booleans(),
    validators=st.booleans(),
)
def test_faults_in_any_order(
    *, script: list[Fault | None], ranges: bool, stream: bool, validators: bool
) -> None:
    """Any list of faults ends in the right bytes or an error, and leaves nothing open."""
    resource = Resource(FILE, script=_honest_at_first(script), ranges=ranges)
    if not validators:
        resource = replace(resource, etag=None, last_modified=None)
    asyncio.run(_survives(resource, stream=stream))


def _honest_at_first(script: list[Fault | None]) -> list[Fault | None]:
    """Whoever lies from the first answer on cannot be found out: that is the file."""
    first = script.index(None) if None in script else len(script)
    before = [f for f in script[:first] if not isinstance(f, (Page, Overlong))]
    return [*before, *script[first:]]


async def _survives(resource: Resource, *, stream: bool) -> None:
    before = open_files()
    with TemporaryDirectory() as folder:
        async with Origin({"/file": resource}) as origin:
            try:
                data = await _fetch(origin, Path(folder), stream=stream)
            except HydraError:
                data = FILE.read()
        assert data == FILE.read()
    await until(lambda: open_files() <= before, within=2)


async def _fetch(origin: Origin, folder: Path, *, stream: bool) -> bytes:
    """Fetch with timeouts that suit faults of milliseconds."""
    came: dict[str, bytearray] = {}
    try:
        config = Config(
            output=folder, stall_timeout=0.1, give_up_after=3.0, **SMALL_STEPS
        )
        async with asyncio.timeout(BOUND), Engine(config) as engine:
            if not stream:
                return (await download(engine, origin.url("/file"))).data
            await pour(engine, [origin.url("/file")], came)
    finally:
        for data in came.values():
            assert any(c.read(0, len(data)) == data for c in (FILE, NEW, LONGER))
    return bytes(came["file"])


# -- a file that changes under it ---------------------------------------------------


@dataclass(frozen=True)
class Swap:
    """One way in which a file becomes another, at some moment."""

    new: Content
    tagged: bool
    dated: bool
    honours: bool
    nodes: bool
    """Whether each answer has a tag of its own."""
    page: bool
    """Whether a login page comes for a while instead of a new version."""
    at: int
    """Bytes served when it happens."""
    stream: bool

    @classmethod
    def drawn(cls, seed: int) -> Swap:
        luck = random.Random(seed)
        tagged = luck.random() < 0.6
        nodes = tagged and luck.random() < 0.2
        return cls(
            new=luck.choice([NEW, NEW, LONGER]),
            tagged=tagged,
            dated=nodes or not tagged or luck.random() < 0.5,
            honours=luck.random() < 0.5,
            nodes=nodes,
            page=luck.random() < 0.25,
            at=luck.randrange(FILE.size),
            stream=luck.random() < 0.5,
        )

    def resource(self, content: Content, day: int) -> Resource:
        return Resource(
            content,
            etag="" if self.tagged else None,
            last_modified=formatdate(day * 86_400, usegmt=True) if self.dated else None,
            honours_if_range=self.honours,
            script=_node if self.nodes else (),
            rate=6e6,
        )


def _node(request: Request) -> Fault:
    return Relabel((("ETag", f'"node-{request.number}"'),))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_two_versions_are_never_mixed(tmp_path: Path, seed: int) -> None:
    """A file that changes at any moment, told in any way: one version, whole, or 6."""
    swap = Swap.drawn(seed)
    old, new = swap.resource(FILE, 1), swap.resource(swap.new, 2)
    async with Origin({"/file": old}) as origin, asyncio.TaskGroup() as group:

        async def change() -> None:
            await origin.until(lambda: origin.served >= swap.at)
            if not swap.page:
                origin.resources["/file"] = new
                return
            seen = len(origin.requests)
            origin.resources["/file"] = replace(old, script=lambda _: Page())
            origin.sever()
            await origin.until(lambda: len(origin.requests) > seen + 4)
            origin.resources["/file"] = old

        changing = group.create_task(change())
        try:
            data = await _fetch(origin, tmp_path, stream=swap.stream)
        except ChangedError:
            assert swap.stream
            data = b""
        finally:
            changing.cancel()
    assert data in {b"", FILE.read(), swap.new.read()}
    assert not swap.page or data == FILE.read()
