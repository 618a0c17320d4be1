"""A download engine: many range requests, one file, in order, in bounded memory.

    async with Engine(Config(threads=20)) as engine:
        async with engine.stream(["https://example.org/a.gz"]) as files:
            async for name, blocks in files:
                async for block in blocks: ...
        job = engine.add(JobSpec("https://example.org/b.gz"))
        await engine.wait(job)

It prints nothing, installs no signal handler and keeps no global state.
"""

from engine.config import Config, check_header, check_url, parse_size
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
    QueueHeldError,
    ReaderGoneError,
    RefusedError,
    UsageError,
)
from engine.masking import is_secret
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
    MirrorSnapshot,
    MirrorState,
    OnConflict,
    Pieces,
    PiecesSnapshot,
    Promise,
    SourceSnapshot,
    WindowChange,
    WindowSnapshot,
)
from engine.ranges import ByteRange
from engine.store import Store, default_path, open_store
from engine.transport import browsers
from engine.unfolding import specs_of_metalink

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
    "MirrorSnapshot",
    "MirrorState",
    "NetworkError",
    "OnConflict",
    "Pieces",
    "PiecesSnapshot",
    "Promise",
    "QueueHeldError",
    "ReaderGoneError",
    "RefusedError",
    "SourceSnapshot",
    "Store",
    "UsageError",
    "WindowChange",
    "WindowSnapshot",
    "algorithm_named",
    "browsers",
    "check_header",
    "check_url",
    "default_path",
    "is_secret",
    "open_store",
    "parse_digest",
    "parse_size",
    "specs_of_metalink",
]
