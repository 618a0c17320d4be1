"""The frozen values that cross between the stations of a download.

Three families: what a caller asks for (`JobSpec`), what flows (`Block`), and
what the outside may see, as levels (`EngineSnapshot` and its parts, pulled)
and as edges (`Event`, in order). Offsets and sizes are bytes, rates are bytes
per second, times are seconds of the engine's monotonic clock.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from pathlib import Path

from engine.ranges import ByteRange

JobId = int
"""Engine-wide number of a job, in the order of adding, from 1."""


Header = tuple[str, str]
"""A header field's name and value."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash value, and the name hashlib knows its algorithm by."""

    algorithm: str
    hex: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A digest that the file is said to have, and who says so."""

    digest: Digest
    origin: str
    """For people: `--checksum`, `Repr-Digest`, `SHA256SUMS`."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Digests of the parts of a file, each `size` bytes long, the last one shorter."""

    size: int
    algorithm: str
    hexes: tuple[str, ...]
    """In the order of the file, from its beginning."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One file to fetch; what is None is taken from the engine's Config."""

    url: str
    _: KW_ONLY
    directory: Path | None = None
    name: str | None = None
    """The file name to use instead of the one the server or the URL gives."""
    checksum: Digest | None = None
    headers: tuple[Header, ...] = ()
    """Extra request headers; they stay on the origin of `url`."""
    threads: int | None = None
    """Most lanes for this file; None lets the window find out."""
    limit: float | None = None
    command: str | None = None
    """For the shell: gets the bytes in order, instead of a file."""
    mirrors: tuple[str, ...] = ()
    """Other URLs of the same file, the better ones first."""
    promises: tuple[Promise, ...] = ()
    """What a list or a Metalink says of its digests; `checksum` goes before them."""
    pieces: Pieces | None = None
    size: int | None = None
    """What it is said to be long; another length is another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """What the first response said about the file."""

    url: str
    """Where the redirects ended; every further request goes here."""
    size: int | None
    ranges: bool
    """Whether the server gave a part when asked for a part."""
    name: str
    etag: str | None = None
    last_modified: str | None = None
    media_type: str = ""


class OnConflict(StrEnum):
    """What to do where the target exists and is another file."""

    RENAME = "rename"
    OVERWRITE = "overwrite"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Block:
    """Some bytes of the file, in the pieces they arrived in; the thing that flows."""

    offset: int
    buffers: tuple[bytes | memoryview, ...]
    size: int

    @property
    def stop(self) -> int:
        return self.offset + self.size

    def cut(self, part: ByteRange) -> Block:
        """The bytes of this block that lie in `part`, without copying them."""
        if part.start <= self.offset and part.stop >= self.stop:
            return self
        kept: list[bytes | memoryview] = []
        at = self.offset
        for buffer in self.buffers:
            low, high = max(part.start - at, 0), min(part.stop - at, len(buffer))
            if low < high:
                kept.append(memoryview(buffer)[low:high])
            at += len(buffer)
        start = max(part.start, self.offset)
        return Block(start, tuple(kept), sum(map(len, kept)))


class JobState(StrEnum):
    """Where a job stands; `engine.job` has the table of moves."""

    QUEUED = "queued"
    PROBING = "probing"
    RUNNING = "running"
    VERIFYING = "verifying"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Its link works no more; a fresh one for the same file lets it go on."""

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def is_live(self) -> bool:
        return self in {JobState.PROBING, JobState.RUNNING, JobState.VERIFYING}


_FINAL = {JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}


class LaneState(StrEnum):
    """What one connection is doing."""

    CONNECTING = "connecting"
    """Asked; no byte of the body yet."""
    RECEIVING = "receiving"
    HELD = "held"
    """Held back by us: the limiter, or a sink that is not ready."""
    RETRYING = "retrying"
    """Waiting before it asks again."""


class Bottleneck(StrEnum):
    """What a job waits for most."""

    NETWORK = "network"
    """Its lanes bring what the way brings."""
    SERVER = "server"
    """It refuses, or takes its time to answer."""
    HEAD = "head of line"
    READER = "reader"
    DISK = "disk"
    THROTTLE = "throttle"
    """A limit of ours, its own or the one for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSnapshot:
    """One connection of a job."""

    number: int
    state: LaneState
    range: ByteRange
    """What it has leased."""
    mark: int
    """The next offset it will deliver; `range.start` to `range.stop`."""
    rate: float
    racing: bool = False
    """Whether it fetches again what a slow lane is also fetching."""
    note: str = ""
    """Why it waits, for people: "429, 4 s"."""
    host: str = ""
    """Who serves it, where there are mirrors."""


@dataclass(frozen=True, slots=True)
class WindowChange:
    """One move of a window, with its reason for people."""

    at: float
    size: int
    reason: str
    cut: bool
    """Whether the window was cut (multiplicative decrease)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSnapshot:
    """How many lanes may fly to one host, and how many do."""

    host: str
    size: int
    flying: int
    ceiling: int
    reason: str
    changes: tuple[WindowChange, ...] = ()
    """The latest moves, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSnapshot:
    """How far the file is whole from its beginning, and what waits beyond the hole."""

    front: int
    """First byte that is not yet delivered (stream) or not yet here (disk)."""
    waiting: int
    """Bytes received beyond the front."""
    depth: int
    """Pieces they lie in: blocks in the reorder heap, or separate ranges on disk."""
    capacity: int | None
    """Most bytes that may wait (the stream's buffer); None on disk."""
    hole_lane: int | None
    """The lane that fetches the first missing byte, if one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashSnapshot:
    """How far a digest has been computed."""

    algorithm: str
    hashed: int
    expected: str | None
    actual: str | None = None
    """The digest in hex, once it is known."""
    origin: str = ""
    """Who says what is expected; see `Promise.origin`."""
    rate: float = 0.0
    """Bytes hashed per second, lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecesSnapshot:
    """How many parts of the file have been compared with their own digests."""

    algorithm: str
    size: int
    """Bytes of one."""
    count: int
    checked: int
    bad: int
    """How often one was wrong, and was fetched again."""


class MirrorState(StrEnum):
    """What a transfer thinks of one of its sources."""

    UNTRIED = "untried"
    PROVING = "proving"
    """Asked for bytes that are here already, to be compared."""
    USED = "used"
    BENCHED = "benched"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSnapshot:
    """One source of a job's file."""

    url: str
    """Masked."""
    host: str
    state: MirrorState
    lanes: int
    rate: float
    """Bytes per second, all its lanes together."""
    received: int
    """Bytes that it brought."""
    note: str = ""
    """Why it is benched, or what it was last blamed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSnapshot:
    """The command that gets a job's bytes."""

    fed: int
    """Bytes it has taken."""
    status: int | None = None
    """How it ended: its exit status, or minus the signal; None while it runs."""
    said: tuple[str, ...] = ()
    """The latest lines of its standard output and error, oldest first."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One answer on the way to the file: its status, and who gave it (masked)."""

    status: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSnapshot:
    """Where a job's bytes come from, as the first answer told."""

    hops: tuple[Hop, ...] = ()
    """The redirects and, last, the answer itself."""
    headers: tuple[Header, ...] = ()
    """Of that answer; what may be a secret is masked."""
    ranges: bool = True
    etag: str | None = None
    last_modified: str | None = None
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """One job, as a level. Lanes, pieces and views are there for the job asked for."""

    id: JobId
    name: str
    url: str
    """With userinfo and the values of the query masked."""
    state: JobState
    size: int | None
    done: int
    rate: float
    lane_count: int
    threads: int | None
    limit: float | None
    streaming: bool
    verdict: str = ""
    """How a finished job was checked, or why it failed; one line."""
    target: str = ""
    """Where the file is, or will be; empty while that is not known."""
    command: str = ""
    """What its bytes go into instead of a file."""
    lanes: tuple[LaneSnapshot, ...] = ()
    pieces: tuple[ByteRange, ...] = ()
    """What is already here, lowest first."""
    window: WindowSnapshot | None = None
    front: FrontSnapshot | None = None
    hashes: tuple[HashSnapshot, ...] = ()
    """One for each algorithm that is compared; empty while none is promised."""
    searching: bool = False
    """Whether digests are still being looked for beside the file."""
    parts: PiecesSnapshot | None = None
    mirrors: tuple[MirrorSnapshot, ...] = ()
    """Every source, the first one included; empty where there is only that."""
    source: SourceSnapshot | None = None
    piped: CommandSnapshot | None = None
    bottleneck: Bottleneck = Bottleneck.NETWORK


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSnapshot:
    """Everything the screen needs for one frame."""

    at: float
    jobs: tuple[JobSnapshot, ...]
    rate: float
    received: int
    """Bytes of bodies received since the engine began."""
    limit: float | None
    flying: int
    """Lanes in the air, all jobs together."""


class EventKind(StrEnum):
    """What can happen to a job."""

    QUEUED = "queued"
    PROBED = "probed"
    STARTED = "started"
    WINDOW = "window"
    RETRY = "retry"
    MIRROR = "mirror"
    """A source was taken into use, or benched, and why."""
    CHANGED = "changed"
    EXPIRED = "expired"
    VERIFIED = "verified"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"
    RESUMED = "resumed"
    SAID = "said"
    """A line of output of the command that gets its bytes."""
    REMOVED = "removed"
    UNSAVED = "unsaved"
    """The queue cannot be written down, or can be again; of no job, its number is 0."""


@dataclass(frozen=True, slots=True)
class Event:
    """One edge in the life of a job, with a sentence for people."""

    at: float
    job: JobId
    kind: EventKind
    text: str
    fields: tuple[tuple[str, str | int | float | None], ...] = ()
