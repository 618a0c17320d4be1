"""A download engine: many range requests, one file, in order, in bounded memory.

    async with Engine(Config(threads=20)) as engine:
        async with engine.stream(["https://example.org/a.gz"]) as files:
            async for name, blocks in files:
                async for block in blocks: ...
        job = engine.add(JobSpec("https://example.org/b.gz"))
        await engine.wait(job)

It prints nothing, installs no signal handler and keeps no global state; it looks
for no home directory either, unless `default_path` or the like is asked for one.

What is asked for is a `JobSpec` under a `Config`; what there is to see is a frozen
`EngineSnapshot`, pulled, and what happens is an `Event`. Offsets and sizes are bytes,
rates are bytes per second, times are seconds. A range is half-open, `[start, stop)`.
What goes wrong is a `HydraError`, and its class says what the caller can do about it.
Everything is to be called on the event loop that entered the engine.
"""

from engine.config import Config, check_header, check_url, parse_size
from engine.cookie_file import read_cookie_file
from engine.credentials import Login, check_netrc, parse_login
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
from engine.ledger import Ledger, ledger_path, open_ledger
from engine.masking import is_secret, mask, scrubbed
from engine.model import (
    Bottleneck,
    CommandSnapshot,
    Digest,
    EngineSnapshot,
    Event,
    EventKind,
    Field,
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
    Prospect,
    SourceSnapshot,
    WindowChange,
    WindowSnapshot,
)
from engine.ranges import ByteRange
from engine.store import Store, default_path, open_store
from engine.timetable import Timetable
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
    "Field",
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
    "Ledger",
    "LocalError",
    "Login",
    "MirrorSnapshot",
    "MirrorState",
    "NetworkError",
    "OnConflict",
    "Pieces",
    "PiecesSnapshot",
    "Promise",
    "Prospect",
    "QueueHeldError",
    "ReaderGoneError",
    "RefusedError",
    "SourceSnapshot",
    "Store",
    "Timetable",
    "UsageError",
    "WindowChange",
    "WindowSnapshot",
    "algorithm_named",
    "browsers",
    "check_header",
    "check_netrc",
    "check_url",
    "default_path",
    "is_secret",
    "ledger_path",
    "mask",
    "open_ledger",
    "open_store",
    "parse_digest",
    "parse_login",
    "parse_size",
    "read_cookie_file",
    "scrubbed",
    "specs_of_metalink",
]
