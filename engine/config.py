"""What an engine may be told, checked once, with the units people write.

Rates are decimal, sizes of ranges and buffers binary: `--limit 10` is ten
million bytes a second, `--buffer 64` is 64 MiB. `K M G` are decimal, `Ki Mi Gi`
binary, wherever they are typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engine.credentials import Login, has_authorization
from engine.errors import UsageError
from engine.model import Header, JobSpec, OnConflict
from engine.naming import sanitise
from engine.proxies import check_proxy
from engine.timetable import Timetable

MIB = 1024 * 1024
MOST_LANES = 128
MOST_JOBS = 16

_OURS = frozenset({"range", "if-range", "accept-encoding"})
_PLAIN_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(:[1-5]?[0-9]{1,4})?([/?#][^\x00-\x20\x7f]*)?"
)
"""What most URLs look like: nothing of it needs a closer look."""
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f]")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one engine; sizes in bytes, times in seconds.

    Raises UsageError for a value that is not allowed. It is frozen: for another
    setting, make another with `dataclasses.replace`. It reads no file and no
    environment; `hydratui.load_config` does.
    """

    output: Path = Path("download")
    """Where files go, unless their spec says otherwise; made where it is missing."""
    threads: int | None = None
    """Most lanes for one file; None lets the window find out."""
    jobs: int | None = None
    """Files at the same time; None admits files while lanes are free."""
    min_chunk: int = MIB
    """Smallest range that is asked for, of a file to disk."""
    stream_chunk: int = 5 * MIB
    """Largest range that is asked for, of a stream."""
    buffer: int = 64 * MIB
    """Most memory that a stream may hold."""
    limit: float | Timetable | None = None
    """Bytes per second, everything together; by the time of day, if so wanted."""
    browser: str | None = "chrome120"
    """Whose TLS and header fingerprint to show; None is plain curl."""
    headers: tuple[Header, ...] = field(default=(), repr=False)
    user: Login | None = None
    """For the origin of each URL; what is in a URL itself goes before it."""
    netrc: Path | None = None
    """A file with logins by host."""
    cookies: Path | None = None
    """A file in Netscape's format; cookies are then taken from answers as well."""
    proxy: str | None = field(default=None, repr=False)
    """A URL, or nothing for none at all; None leaves it to the environment."""
    cacert: Path | None = None
    """Certificates to trust, in PEM, instead of the system's."""
    insecure: bool = False
    """Whether to trust any server, whatever its certificate says."""
    give_up_after: float | None = None
    """Seconds without progress; None is 300, and 10 before a host was ever reached."""
    stall_timeout: float = 10.0
    """Seconds of silence until a connection is replaced."""
    connect_timeout: float = 15.0
    """Seconds that a connection may take to stand."""
    verify: bool = True
    """Whether to look for digests where none was typed: in headers, beside the file."""
    typehash: str = "md5"
    """The algorithm to prefer among digests of one origin; hashlib's name."""
    on_conflict: OnConflict = OnConflict.RENAME
    """What to do where the target exists and is another file."""
    restart: bool = False
    """Begin anew instead of going on with what an earlier run left."""
    url_command: str | None = None
    """For the shell: prints a fresh URL when the one in `HYDRA_TUI_URL` has expired."""

    def __post_init__(self) -> None:
        _between("threads", self.threads, 1, MOST_LANES)
        _between("jobs", self.jobs, 1, MOST_JOBS)
        _between("min_chunk_mb", self.min_chunk, MIB // 16, 1024 * MIB, "MiB")
        _between("stream_chunk_mb", self.stream_chunk, MIB // 4, 1024 * MIB, "MiB")
        _between("buffer", self.buffer, 4 * MIB, 64 * 1024 * MIB, "MiB")
        for _, rate in self.timetable.entries:
            _between("limit", rate, 1, 1e12)
        _between("give_up_after", self.give_up_after, 0, 1e9)
        _between("stall_timeout", self.stall_timeout, 0.1, 1e6)
        _between("connect_timeout", self.connect_timeout, 0.1, 1e6)
        for header in self.headers:
            check_header(header)
        if self.user is not None and has_authorization(self.headers):
            raise UsageError("--user and a header Authorization exclude each other")
        if self.proxy:
            check_proxy(self.proxy)

    @property
    def timetable(self) -> Timetable:
        """The limit, as what holds at which time."""
        limit = self.limit
        return limit if isinstance(limit, Timetable) else Timetable.always(limit)

    def directory_of(self, spec: JobSpec) -> Path:
        """Where its file goes."""
        return spec.directory or self.output


def _between(
    name: str, value: float | None, low: float, high: float, unit: str = ""
) -> None:
    if value is None or low <= value <= high:
        return
    scale = MIB if unit else 1
    shown = (f"{number / scale:.10g}" for number in (value, low, high))
    option = "--" + name.replace("_", "-")
    message = "{}: {} is not allowed; {} to {} {}".format(option, *shown, unit)
    raise UsageError(message.rstrip())


def check_header(header: Header) -> None:
    """Refuse a header that would not survive the wire (RFC 9110 section 5).

    Raises UsageError, also for those that are the engine's own: Range and the like.
    """
    name, value = header
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise UsageError(f"bad header name {name!r}")
    if name.lower() in _OURS:
        raise UsageError(f"header {name} is ours: ranges and lengths depend on it")
    if any(c in value for c in "\r\n\0"):
        raise UsageError(f"bad value of header {name}: line breaks are not allowed")


def check_url(url: str) -> None:
    """Refuse what is not an http or https URL with a host (RFC 3986 section 3).

    Raises UsageError.
    """
    if _PLAIN_URL.fullmatch(url):
        return
    shown = url if len(url) <= 80 else url[:77] + "..."
    if _UNWRITABLE.search(url):
        raise UsageError(f"not a URL: {shown!r} has spaces or control characters")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError as error:
        raise UsageError(f"not a URL: {shown!r}: {error}") from None
    if not parts.scheme or "://" not in url:
        raise UsageError(f"not a URL: {shown!r} has no scheme; try https://{shown}")
    if parts.scheme.lower() not in {"http", "https"}:
        raise UsageError(f"cannot fetch {shown!r}: only http and https are allowed")
    if not parts.hostname:
        raise UsageError(f"not a URL: {shown!r} has no host")


def check_spec(spec: JobSpec) -> None:
    """Refuse what can never work."""
    for url in (spec.url, *spec.mirrors):
        check_url(url)
    for header in spec.headers:
        check_header(header)
    if spec.name is not None and not sanitise(spec.name):
        raise UsageError(f"not a file name: {spec.name!r}")
    if spec.command is not None and (not spec.command.strip() or "\0" in spec.command):
        raise UsageError(f"not a command: {spec.command!r}")


def parse_size(text: str, unit: str = "") -> int:
    """`64`, `1.5Gi`, `20M` in bytes; a bare number counts in `unit`.

    `K M G T` are decimal, `Ki Mi Gi Ti` binary; a `B` or `/s` behind them says nothing.
    Raises ValueError, which says what is needed.
    """
    match = re.fullmatch(
        r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?(?:/s)?", text.strip().lower()
    )
    if match is None:
        raise ValueError("a number is needed, with K, M, G or Ki, Mi, Gi behind it")
    return round(float(match[1]) * _UNITS[match[2] or unit.lower()])
