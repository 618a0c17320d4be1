"""A download engine: many range requests, one file, in order, in bounded memory.

    async with Engine(Config(threads=20)) as engine:
        async with engine.stream(["https://example.org/a.gz"]) as files:
            async for name, blocks in files:
                async for block in blocks: ...
        job = engine.add(JobSpec("https://example.org/b.gz"))
        await engine.wait(job)

It prints nothing, installs no signal handler and keeps no global state.
"""

from engine.config import Config, check_url, parse_size
from engine.digest import algorithm_named, parse_digest
from engine.engine import Engine
from engine.errors import (
    ChangedError,
    CommandError,
    ExpiredError,
    HydraError,
    IntegrityError,
    LocalError,
    NetworkError,
    ReaderGoneError,
    RefusedError,
    UsageError,
)
from engine.model import (
    Bottleneck,
    CommandSnapshot,
    Digest,
    EngineSnapshot,
    Event,
    EventKind,
    FrontSnapshot,
    HashSnapshot,
    Hop,
    JobId,
    JobSnapshot,
    JobSpec,
    JobState,
    LaneSnapshot,
    LaneState,
    OnConflict,
    SourceSnapshot,
    WindowChange,
    WindowSnapshot,
)
from engine.ranges import ByteRange

__all__ = [
    "Bottleneck",
    "ByteRange",
    "ChangedError",
    "CommandError",
    "CommandSnapshot",
    "Config",
    "Digest",
    "Engine",
    "EngineSnapshot",
    "Event",
    "EventKind",
    "ExpiredError",
    "FrontSnapshot",
    "HashSnapshot",
    "Hop",
    "HydraError",
    "IntegrityError",
    "JobId",
    "JobSnapshot",
    "JobSpec",
    "JobState",
    "LaneSnapshot",
    "LaneState",
    "LocalError",
    "NetworkError",
    "OnConflict",
    "ReaderGoneError",
    "RefusedError",
    "SourceSnapshot",
    "UsageError",
    "WindowChange",
    "WindowSnapshot",
    "algorithm_named",
    "check_url",
    "parse_digest",
    "parse_size",
]
