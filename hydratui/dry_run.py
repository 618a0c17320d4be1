"""What would be downloaded, on standard output: nothing is fetched, nothing is made.

A block of lines for each file, or with `--json` one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from engine import Engine, HydraError, JobSpec, Prospect
from hydratui.text import safe, size

AT_ONCE = 8
"""URLs that are asked at the same time; the answers keep the order of the list."""
VERSION = 1
"""Of the schema of a JSON line."""
_LABEL = 11

Looked = list[Prospect] | HydraError


async def look_at_all(
    engine: Engine,
    specs: Sequence[JobSpec],
    tell: Callable[[Looked], bool],
    *,
    to_disk: bool,
) -> None:
    """Tell, in their order, what each would be, or why it would be nothing.

    `tell` says whether anybody wants to know more.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def look(spec: JobSpec) -> Looked:
        async with gate:
            try:
                return [one async for one in engine.look(spec, to_disk=to_disk)]
            except HydraError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(spec)) for spec in specs]
        for task in tasks:
            if not tell(await task):
                break
        for task in tasks:
            task.cancel()


def written(prospect: Prospect, *, as_json: bool) -> str:
    """One file's block of lines, or its line."""
    return as_line(prospect) if as_json else "\n".join(as_block(prospect))


def as_line(prospect: Prospect) -> str:
    """All there is, as JSON; sizes in bytes, what is not known is null."""
    fields = {"v": VERSION} | asdict(prospect)
    promises = fields.pop("promises")
    fields["digests"] = [
        {"algorithm": one["digest"]["algorithm"], "hex": one["digest"]["hex"]}
        | {"origin": one["origin"]}
        for one in promises
    ]
    return json.dumps(fields)


def as_block(prospect: Prospect) -> Iterator[str]:
    """The URL, and below it what there is to say."""
    yield safe(prospect.url)
    for label, text in _rows(prospect):
        yield f"  {label:<{_LABEL}}{safe(text)}".rstrip()


def _rows(prospect: Prospect) -> Iterator[tuple[str, str]]:
    yield "name", prospect.name
    yield "size", _size(prospect.size)
    yield "ranges", "yes" if prospect.ranges else "no: one connection"
    yield "validator", _validator(prospect)
    for hop in prospect.hops[1:]:
        yield "redirect", f"{hop.status} {hop.url}"
    if prospect.mirrors:
        yield "mirrors", str(prospect.mirrors)
    for promise in prospect.promises:
        digest = promise.digest
        yield "digest", f"{digest.algorithm} {digest.hex}, from {promise.origin}"
    if not prospect.promises:
        yield "digest", "none found"
    if prospect.target:
        yield "target", prospect.target
    if prospect.free is not None:
        yield "free space", _room(prospect)
    yield "plan", _plan(prospect)


def _size(count: int | None) -> str:
    return "not told" if count is None else f"{size(count)} ({count} bytes)"


def _validator(prospect: Prospect) -> str:
    told = {"ETag": prospect.etag, "Last-Modified": prospect.last_modified}
    listed = (f"{name} {value}" for name, value in told.items() if value)
    return "; ".join(listed) or "none"


def _room(prospect: Prospect) -> str:
    assert prospect.free is not None
    missing = _missing(prospect)
    lacks = missing is not None and missing > prospect.free
    return size(prospect.free) + (", too little" if lacks else "")


def _missing(prospect: Prospect) -> int | None:
    if prospect.verdict:
        return 0
    return None if prospect.size is None else prospect.size - prospect.done


def _plan(prospect: Prospect) -> str:
    if prospect.verdict:
        return prospect.verdict
    here = f", {size(prospect.done)} are here" if prospect.done else ""
    lanes = (
        f"up to {prospect.lanes} connections"
        if prospect.lanes > 1
        else "one connection"
    )
    return f"{lanes}{here}"
