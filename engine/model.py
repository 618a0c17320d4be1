"""The frozen values that cross between the stations of a download.

Three families: what a caller asks for (`JobSpec`), what flows (`Block`), and
what the outside may see, as levels (`EngineSnapshot` and its parts, pulled)
and as edges (`Event`, in order). Offsets and sizes are bytes, rates are bytes
per second, times are seconds of the engine's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from engine.ranges import ByteRange

JobId = int
"""Engine-wide number of a job, in the order of adding, from 1."""


Header = tuple[str, str]
"""A header field's name and value."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash value, and the name hashlib knows its algorithm by.

    `parse_digest` makes one of what people write.
    """

    algorithm: str
    """`md5`, `sha256`, `sha3_256`, `blake2b` and the like."""
    hex: str
    """In lower case, as long as the algorithm's are."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A digest that the file is said to have, and who says so."""

    digest: Digest
    origin: str
    """For people: `--checksum`, `Repr-Digest`, `SHA256SUMS`."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Digests of the parts of a file, each `size` bytes long, the last one shorter.

    A Metalink tells them (RFC 5854 section 4.1.3); a part that is wrong is fetched
    again, and only it.
    """

    size: int
    algorithm: str
    hexes: tuple[str, ...]
    """In the order of the file, from its beginning."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One file to fetch; what is None is taken from the engine's Config."""

    url: str
    """Of the scheme http or https, with a host (RFC 3986)."""
    _: KW_ONLY
    directory: Path | None = None
    """Where the file goes; it is made where it is missing."""
    name: str | None = None
    """The file name to use instead of the one the server or the URL gives."""
    checksum: Digest | None = None
    """What the file must have: IntegrityError where it has not."""
    headers: tuple[Header, ...] = ()
    """Extra request headers; they stay on the origin of `url`."""
    given_for: str = ""
    """The URL that somebody gave where `url` was found in it: what is private, headers
    included, stays on its origin."""
    threads: int | None = None
    """Most lanes for this file; None lets the window find out."""
    limit: float | None = None
    """Most bytes per second, under the limit for everything."""
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
    """What to do where the target exists and is another file.

    `RENAME` puts a number into the name, `SKIP` ends the job as done and leaves what is
    there alone, `FAIL` ends it with LocalError.
    """

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
        """Whether it is over, unless somebody tries again."""
        return self in _FINAL

    @property
    def is_live(self) -> bool:
        """Whether it is at work just now."""
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
    """Bytes per second, lately."""
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
    """Seconds of the engine's monotonic clock, as everywhere."""
    size: int
    """Lanes, from now on."""
    reason: str
    cut: bool
    """Whether the window was cut (multiplicative decrease)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSnapshot:
    """How many lanes may fly to one host, and how many do."""

    host: str
    size: int
    """Most lanes at the moment, all jobs of the host together."""
    flying: int
    ceiling: int
    """Most lanes it may ever grow to."""
    reason: str
    """Why it is as large as it is, for people."""
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
    """Bytes, from the beginning of the file."""
    expected: str | None
    """In hex; None where nobody says what it should be."""
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
    """How many parts there are."""
    checked: int
    """How many of them were right."""
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
class Prospect:
    """What a download would be, as one request told; sizes are bytes."""

    url: str
    """Masked."""
    name: str
    size: int | None
    ranges: bool
    """Whether the server gives parts."""
    etag: str | None
    last_modified: str | None
    media_type: str
    hops: tuple[Hop, ...]
    """The redirects and, last, the answer itself."""
    mirrors: int
    """Other sources that are known."""
    promises: tuple[Promise, ...]
    """The digests that would be compared."""
    lanes: int
    """The most connections that could be of use."""
    target: str = ""
    """Where the file would be; empty where it goes to a reader."""
    verdict: str = ""
    """Why nothing would be fetched, if so."""
    done: int = 0
    """What an earlier run left of it here."""
    free: int | None = None
    """Room on the file system of the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """One job, as a level.

    Lanes, pieces and views, from `lanes` on, are filled for the job whose detail was
    asked for, and empty or None for the others.
    """

    id: JobId
    name: str
    url: str
    """With userinfo and the values of the query masked."""
    state: JobState
    size: int | None
    """Bytes; None while it is not known, or where the server does not tell."""
    done: int
    """Bytes that are here, or have gone to the reader."""
    rate: float
    """Bytes per second, lately."""
    lane_count: int
    """Lanes in the air."""
    threads: int | None
    """Most lanes; None where the window finds out."""
    limit: float | None
    """Bytes per second; None where it has no limit of its own."""
    streaming: bool
    """Whether its bytes go to a reader, and not to a file or a command."""
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
    """Everything the screen needs for one frame; nothing in it changes any more."""

    at: float
    """Seconds of the engine's monotonic clock, when it was taken."""
    jobs: tuple[JobSnapshot, ...]
    """In the order of the queue."""
    rate: float
    """Bytes per second, lately, all jobs together."""
    received: int
    """Bytes of bodies received since the engine began."""
    limit: float | None
    """Bytes per second, everything together; None where there is none."""
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


Field = str | int | float | bool | Mapping[str, str] | None
"""What a program is told: a plain value, masked where it may be a secret."""


class Tell(Protocol):
    """How something is told: a sentence for people, its fields for programs."""

    def __call__(self, text: str, /, **fields: Field) -> None: ...


class TellKind(Protocol):
    """The same, with what kind of event it is."""

    def __call__(self, kind: EventKind, text: str, /, **fields: Field) -> None: ...


class Emit(Protocol):
    """The same, with the job that it is about."""

    def __call__(
        self, job: JobId, kind: EventKind, text: str, /, **fields: Field
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Event:
    """One edge in the life of a job, with a sentence for people.

    A program reads `fields`: which there are depends on the kind alone, and whoever
    tells of the event gives them by name. Sizes are bytes, times are seconds.
    """

    at: float
    job: JobId
    kind: EventKind
    text: str
    fields: Mapping[str, Field] = field(default_factory=dict)
